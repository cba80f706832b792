"""api/report.py, api/plots.py: the page that `citespan eval --html` writes."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from api.plots import Stack, histogram, reliability_plot, risk_plot
from api.report import Heading, page
from qa.evaluation.compare import compare
from qa.evaluation.curves import Bin, Point
from qa.evaluation.labelled import Gold, Labelled
from qa.evaluation.runs import run_of
from tests.judged import FOUR, outcome, report

HEADING = Heading("questions.jsonl", "2026-01-10T12:00:00+00:00", {"reader": "r:1"})
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>" onload="x \u202e</td>'
# What an HTML parser closes by itself.
VOID = {"meta", "br"}


class Outline(HTMLParser):
    """The tags and attributes of a page, and its text; an end that does not fit its beginning is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.values: list[str] = []
        self.said: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.values += [str(value) for _, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.values += [str(value) for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)
        if "td" in self.open:
            self.rows[-1][-1] += data


def rows(text: str) -> list[list[str]]:
    """Return the table of all questions, cell by cell."""
    begin = text.index('<table class="questions">')
    return [row for row in Outline(text[begin : text.index("</table>", begin)] + "</table>").rows if row]


# ---- the page ------------------------------------------------------------------------------------------------------


def test_the_table_says_of_each_question_what_was_expected_and_what_was_said() -> None:
    assert rows(page(report(*FOUR), HEADING)) == [
        ["1", "Who came?", "Ada“Gold words.” a.txt", "“Words about Who came?” [1]", "right", "0.90"],
        ["2", "Who went?", "Bob“Gold words.” a.txt", "“Words about Who went?” [1]", "wrong", "0.70"],
        ["3", "Who stayed?", "Cem“Gold words.” a.txt", "—", "silent", "0.30"],
        ["4", "Who slept?", "the sources do not say", "—", "rightly silent", "0.10"],
    ]


def test_a_long_list_of_what_was_expected_is_cut() -> None:
    gold = tuple(Gold("a.txt", f"Quote {n}.") for n in range(5))
    asked = Labelled("Who?", True, gold, ("one", "two"), None, "c7")
    bare = Labelled("What?", True, (), (), None, None)
    first, second = (replace(FOUR[0], question=labelled) for labelled in (asked, bare))
    found = rows(page(report(first, second), HEADING))
    assert found[0][1:3] == [
        "Who?in conversation c7",
        "“Quote 0.” a.txt“Quote 1.” a.txt“Quote 2.” a.txtor 2 more quotesor a quote with: one; two",
    ]
    assert found[1][2] == "not labelled"


def test_the_figures_stand_with_their_intervals_and_seed() -> None:
    text = page(report(*FOUR), HEADING, seed=4)
    said = " ".join(Outline(text).said)
    low, high = report(*FOUR).intervals(4)["wrong when answered"].low, 1.0
    assert f"{low:.1%} – {high:.1%}" in said
    assert "seed 4" in said
    assert "answers from confidence 0.5 on" in said
    assert "generation 3" in said
    assert "reader r:1" in said


def test_no_text_of_a_question_or_a_document_is_html() -> None:
    asked = Labelled(HOSTILE, True, (Gold(HOSTILE, HOSTILE),), (HOSTILE,), HOSTILE, HOSTILE)
    bad = replace(FOUR[0], question=asked, shown=HOSTILE)
    here, there = report(bad), report(replace(bad, right=False))
    runs = [run_of(one, date=HOSTILE, models={"reader": HOSTILE + str(n)}) for n, one in enumerate((here, there))]
    plain = Outline(page(report(FOUR[0]), HEADING, compare(*[run_of(report(FOUR[0]), date="", models={})] * 2)))
    outline = Outline(page(here, Heading(HOSTILE, HOSTILE, {HOSTILE: HOSTILE}), compare(*runs)))
    assert set(outline.tags) <= set(plain.tags) | {"h3"}
    assert outline.names == plain.names
    assert "script" not in outline.tags
    shown = "".join(outline.said)
    assert shown.count("<script>alert(1)</script>") >= 10
    assert "\u202e" not in shown


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    text = page(report(*FOUR), HEADING)
    outline = Outline(text)
    assert outline.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(outline.tags)
    assert not [name for name in outline.names if name.startswith("on") or name in ("src", "href", "style")]
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert "default-src 'none'; style-src 'unsafe-inline'" in outline.values
    assert "url(" not in text
    assert "@import" not in text


def test_it_has_three_pictures_each_with_a_name() -> None:
    text = page(report(*FOUR), HEADING)
    assert Outline(text).tags.count("svg") == 3
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]+"', text)) == 3


def test_a_page_of_no_questions_is_a_page() -> None:
    assert Outline(page(replace(report(), threshold=None), HEADING)).open == []


def test_a_comparison_names_what_became_better_and_worse() -> None:
    before = report(outcome("Who came?", 0.9), outcome("Who went?", 0.9, right=True))
    now = report(outcome("Who came?", 0.9, right=True), outcome("Who went?", 0.2, right=True))
    runs = [run_of(one, date="2026-01-09", models={"reader": f"r:{n}"}) for n, one in enumerate((before, now))]
    text = page(now, HEADING, compare(*runs))
    said = " ".join(Outline(text).said)
    assert "2 questions are in both" in said
    assert "reader: r:0 → r:1" in said
    # Up to the table of all questions.
    found = [row for row in Outline(text).rows if row][:-2]
    assert ["Who came?", "wrong: “Words about Who came?” [1]", "right: “Words about Who came?” [1]"] in found
    assert ["Who went?", "right: “Words about Who went?” [1]", "silent: —"] in found
    assert ["right or rightly silent", "2", "0.500", "0.500"] in [row[:4] for row in found]


# ---- pictures ------------------------------------------------------------------------------------------------------


def test_a_bar_of_the_reliability_plot_is_as_high_as_the_share_that_is_right() -> None:
    drawn = reliability_plot([Bin(0.4, 0.5, 8, 0.45, 0.5)])
    # The frame reaches from y = 14 (1.0) to y = 226 (0.0) and from x = 46 to x = 348.
    assert '<rect x="168.3" y="120.0" width="27.2" height="106.0" class="right"/>' in drawn
    assert '<circle cx="181.9" cy="120.0"' in drawn
    assert ">8</text>" in drawn


def test_the_risk_curve_goes_through_its_points_and_says_where_the_service_stands() -> None:
    drawn = risk_plot([Point(0.9, 0.5, 0.0), Point(0.4, 1.0, 0.5)], 0.5, 0.0)
    assert 'points="197.0,226.0 348.0,120.0"' in drawn
    assert '<circle cx="197.0" cy="226.0" r="4.5" class="here"/>' in drawn
    assert 'class="here"' not in risk_plot([], None, None)


def test_the_histogram_stacks_to_the_fullest_bin() -> None:
    stacks = [Stack(0, 0, 0)] * 8 + [Stack(1, 0, 1), Stack(4, 0, 0)]
    drawn = histogram(stacks, 0.5)
    heights = dict(re.findall(r'height="([\d.]+)" class="(right|none)"', drawn))
    assert heights == {"53.0": "none", "212.0": "right"}
    assert drawn.count('class="right"') == 2
    assert 'x1="197.0" y1="226" x2="197.0" y2="14" class="threshold"' in drawn
    with pytest.raises(ValueError, match="2 stacks for 10 bins"):
        histogram(stacks[:2], None)

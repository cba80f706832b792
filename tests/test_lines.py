from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.lines import classify, kind_of, lines
from index.load.normalise import normalise
from index.types import Kind, Span

STORY = "The ministry published the figures on Tuesday, and they were lower than a year before."


@pytest.mark.parametrize(
    "line",
    [
        "File Photo by Jane Doe/Agency",
        "Photo: Agency",
        "Photo by Jane Doe.",
        "(Photo by Jane Doe)",
        "A file photo of the harbour at night",
        "Undated handout image shows the new pump.",
        "Image credit: Jane Doe",
        "Workers leave the mine at the end of a shift. File Photo by Jane Doe/Agency",
        "Workers leave the mine at the end of a shift Photo: Agency",
        "A tanker waits off the coast (Photograph courtesy of Harbour Watch)",
        "Illustration: Jane Doe",
        "Caption: the old bridge before the flood",
        "Pictured: the old bridge before the flood.",
    ],
)
def test_a_line_under_a_picture_is_a_caption(line: str) -> None:
    assert kind_of(line, STORY) is Kind.CAPTION


@pytest.mark.parametrize(
    "line",
    [
        "By Jane Doe",
        "By Jane Doe and John van Dyke",
        "By Jane Doe, Example News",
        "By Jane Doe | 10 January 2026",
        "Reporting by Jane Doe in Lisbon; editing by John Roe",
        "Written by Jane Doe",
        "Source: Example News",
        "Author: Jane Doe",
        "© 2026 Example News",
        "(c) 2026 Example News",
        "Copyright 2026 Example News. All rights reserved.",
        "Copyright © Example News",
        "Copyright Example News",
        "Example News 2026, all rights reserved",
        "Unauthorized reproduction is forbidden.",
        "This article was originally published on 10 January 2026.",
    ],
)
def test_a_line_about_who_made_or_owns_the_text_is_a_credit(line: str) -> None:
    assert kind_of(line, STORY) is Kind.CREDIT


@pytest.mark.parametrize(
    "line",
    [
        "Share this",
        "Share on Example",
        "12 Comments",
        "Leave a comment",
        "Read more",
        "Read more: what the law changes",
        "Related articles",
        "Advertisement",
        "» Next «",
        "Skip to main content",
        "Table of Contents",
        "Sign up for our newsletter",
        "Subscribe now",
        "Most read",
    ],
)
def test_a_line_of_the_page_around_the_text_is_navigation(line: str) -> None:
    assert kind_of(line, STORY) is Kind.NAVIGATION


@pytest.mark.parametrize(
    "line",
    [
        "By 2030 the plant will run on hydrogen.",
        "By March, exports had fallen to 3,000 tonnes.",
        "By Tuesday evening the road was open again.",
        "By land and by sea the goods arrived.",
        "The photo shows the harbour before the storm.",
        "Photos of the harbour were published on Tuesday.",
        "She showed the committee a photograph by an unknown artist.",
        "The museum acquired the picture by Vermeer.",
        "The report includes an image: a dam.",
        "Photosynthesis needs light.",
        "Copyright law protects authors for 70 years.",
        "Written by hand, the letter was found in 1911.",
        "Written by Plato around 375 BC, the Republic is a dialogue.",
        "Share prices fell by 3% on Monday.",
        "Shareholders agreed.",
        "Search teams found the boat.",
        "Home owners may apply until June.",
        "Print runs were cut.",
        "Next year the rate rises to 7%.",
        "Sign up for the plan by 31 March to keep the discount.",
        "Subscribe to the Pro plan for 9 dollars a month, or 90 a year.",
        "Sources said that the talks had failed.",
        "Contents may be hot.",
        "The price is 5 dollars.",
    ],
)
def test_body_text_that_only_begins_like_furniture_stays_body(line: str) -> None:
    assert kind_of(line, STORY) is Kind.BODY


@pytest.mark.parametrize(
    ("line", "following", "kind"),
    [
        ("Water supply", STORY, Kind.HEADING),
        ("What the law changes", STORY, Kind.HEADING),
        ("Warranty: 2 years", STORY, Kind.BODY),
        ("Model | Price | Weight", STORY, Kind.BODY),
        ("- a list item", STORY, Kind.BODY),
        ("2. second step", STORY, Kind.BODY),
        ("(a) first condition", STORY, Kind.BODY),
        ("• a bullet", STORY, Kind.BODY),
        ("It rained.", STORY, Kind.BODY),
        ("Is it safe?", STORY, Kind.BODY),
        ("Water supply", "Short end.", Kind.BODY),
        ("Water supply", "A longer line that is itself without a full stop", Kind.BODY),
        ("Water supply", "", Kind.BODY),
    ],
)
def test_a_heading_is_a_short_line_without_stop_above_a_sentence(line: str, following: str, kind: Kind) -> None:
    assert kind_of(line, following) is kind


def test_classifies_each_line_by_its_place_in_the_text() -> None:
    text = f"Water supply\n\n{STORY}\n  Photo: Agency \n\nShare this"
    assert [(span.of(text), kind) for span, kind in classify(text)] == [
        ("Water supply", Kind.HEADING),
        (STORY, Kind.BODY),
        ("Photo: Agency", Kind.CAPTION),
        ("Share this", Kind.NAVIGATION),
    ]


def test_the_spans_of_lines_leave_out_white_space_and_line_breaks() -> None:
    assert list(lines("  a b \n\n\u3000\n\U0001f600 \n c")) == [Span(2, 5), Span(10, 11), Span(14, 15)]


@settings(max_examples=100, deadline=None)
@given(st.text().map(normalise))
def test_every_line_that_is_not_blank_has_exactly_one_span(raw: str) -> None:
    assert [span.of(raw) for span in lines(raw)] == [line.strip() for line in raw.split("\n") if line.strip()]


@pytest.mark.parametrize("unit", ["a", " ", ". ", "\"'", "…", "—", "9", "By A ", "©", "photo by ", "Share on "])
def test_no_line_however_long_takes_more_than_linear_time(unit: str) -> None:
    line = (unit * 2_000_000)[:2_000_000]
    began = time.perf_counter()
    classify(f"Title\n{line}\nx\n{line}x")
    assert time.perf_counter() - began < 10

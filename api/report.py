"""An evaluation → one HTML file that needs nothing else: style and pictures are in it, and no script is.

Every text of a question or a document is escaped where it is put in, and the page forbids itself to load or run
anything.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.console import printable
from api.plots import Stack, histogram, reliability_plot, risk_plot
from qa.evaluation.chance import RESAMPLES, wilson
from qa.evaluation.compare import Comparison, Pair
from qa.evaluation.curves import BINS
from qa.evaluation.labelled import Labelled
from qa.evaluation.outcomes import RANKS, SEED, AtThreshold, Outcome, Report

_STYLE = Path(__file__).with_name("report.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TILES = (
    "right", "wrong when answered", "answered (of answerable)", "silent (of unanswerable)", "right document first",
    f"nDCG@{RANKS}",
)  # fmt: skip
_NO_SHARES = ("nDCG", "expected", "area", "AUROC")
_SHOWN_QUOTES = 3


@dataclass(frozen=True, slots=True)
class Heading:
    """What a report says of itself: the file of questions, when it was made, and with what."""

    questions: str
    date: str
    models: Mapping[str, str]


def page(report: Report, heading: Heading, comparison: Comparison | None = None, *, seed: int = SEED) -> str:
    """Return the report as a page; `seed` is that of the intervals."""
    parts = [
        *_head(report, heading),
        *_figures(report, seed),
        *_curves(report),
        *(() if comparison is None else _comparison(comparison)),
        *_questions(report.outcomes),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Evaluation: {_safe(heading.questions)}</title>\n"
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _safe(text: str) -> str:
    """Return `text` as HTML shows it letter for letter, without what would reverse or break the lines around it."""
    return html.escape(printable(text))


def _head(report: Report, heading: Heading) -> Iterator[str]:
    threshold = "" if report.threshold is None else f" · answers from confidence {report.threshold:g} on"
    models = " · ".join(f"{name} {model}" for name, model in heading.models.items())
    yield f"<h1>Evaluation: {_safe(heading.questions)}</h1>"
    yield f'<p class="muted">{_safe(heading.date)} · generation {report.generation}{threshold}<br>{_safe(models)}</p>'


def _figures(report: Report, seed: int) -> Iterator[str]:
    rates, intervals = report.rates(), report.intervals(seed)
    ranges = {name: f"{_figure(name, i.low)} – {_figure(name, i.high)}" for name, i in intervals.items()}
    tiles = (
        f'<div><dt>{name}</dt><dd class="value">{_figure(name, rates[name])}</dd>'
        f'<dd class="muted">{ranges.get(name, "")}</dd></div>'
        for name in _TILES
    )
    yield f'<dl class="tiles">{"".join(tiles)}</dl>'
    rows = [(name, _figure(name, value), ranges.get(name, "")) for name, value in rates.items()]
    yield "<details><summary>All figures</summary>"
    yield _table("", ("measure", "", "95 % interval"), rows)
    yield (
        f'<p class="muted">Intervals: percentile bootstrap over questions, a conversation as a whole, {RESAMPLES} '
        f"resamples, seed {seed}.</p></details>"
    )


def _curves(report: Report) -> Iterator[str]:
    now = None if report.threshold is None else report.at(report.threshold)
    answered, wrong = (None, None) if now is None else (now.answered, now.wrong_when_answered)
    bins = report.reliability()
    yield "<h2>What a confidence means</h2>"
    yield (
        "<p>An answer that was not shown counts here as right if the best sentence found would have been: so the "
        "curves reach below the threshold.</p>"
    )
    yield '<div class="plots">'
    yield _picture(
        "Reliability",
        reliability_plot(bins),
        "Bars on the dashed line: a confidence is the share that is right. The dots stand at the mean confidence, the "
        "upright lines are 95 % intervals (Wilson), the numbers count questions.",
        _table(
            "", ("confidence", "questions", "mean confidence", "right", "95 % interval"),
            [(f"{b.low:.1f} – {b.high:.1f}", str(b.count), f"{b.confidence:.1%}", f"{b.right:.1%}",
              _range(round(b.right * b.count), b.count)) for b in bins],
        ),
    )  # fmt: skip
    yield _picture(
        "Risk and coverage",
        risk_plot(report.risk_coverage(), answered, wrong),
        "The surest questions come first: how many of the answers are wrong if so many questions are answered.",
        _table(
            "", ("answers from", "answered", "of answerable", "wrong when answered", "silent of unanswerable"),
            [_threshold_row(one, report.threshold) for one in report.thresholds()],
        ),
    )  # fmt: skip
    yield _picture(
        "Confidences",
        histogram(_stacks(report.outcomes), report.threshold),
        '<span class="key right"></span>right<span class="key wrong"></span>wrong'
        '<span class="key none"></span>no answer in the sources; the dashed line is the threshold',
        "",
    )
    yield "</div>"


def _picture(title: str, svg: str, caption: str, table: str) -> str:
    """Return a figure; `caption` and `table` are HTML."""
    data = f"<details><summary>As a table</summary>{table}</details>" if table else ""
    return f"<figure><h3>{title}</h3>{svg}<figcaption>{caption}</figcaption>{data}</figure>"


def _threshold_row(one: AtThreshold, used: float | None) -> tuple[str, ...]:
    mark = " (in use)" if one.threshold == used else ""
    shares = (one.answered, one.answered_of_answerable, one.wrong_when_answered, one.silent_of_unanswerable)
    return (f"{one.threshold:g}{mark}", *map(_share, shares))


def _stacks(outcomes: Sequence[Outcome]) -> list[Stack]:
    counts = [[0, 0, 0] for _ in range(BINS)]
    for one in outcomes:
        kind = 2 if not one.question.answerable else 0 if one.would_be_right else 1
        counts[min(int(one.confidence * BINS), BINS - 1)][kind] += 1
    return [Stack(*count) for count in counts]


def _comparison(found: Comparison) -> Iterator[str]:
    yield f"<h2>Compared with the run of {_safe(found.date)}, generation {found.generation}</h2>"
    yield (
        f"<p>{found.common} questions are in both; {found.only_now} only in this run, {found.only_before} only in the "
        f"earlier one, {found.relabelled} have other labels now and are left out.</p>"
    )
    for name, (before, now) in found.changed.items():
        yield f'<p class="muted">{_safe(name)}: {_safe(before)} → {_safe(now)}</p>'
    if found.differences:
        yield _table(
            f"Seed {found.seed}.",
            ("measure", "questions", "before", "now", "difference, 95 %", "better", "worse", "p", "test"),
            [(d.name, str(d.questions), f"{d.before:.3f}", f"{d.now:.3f}",
              f"{d.now - d.before:+.3f} ({d.interval.low:+.3f} to {d.interval.high:+.3f})", str(d.better), str(d.worse),
              f"{d.p:.3f}", d.test) for d in found.differences],
        )  # fmt: skip
    for word, pairs in (("Better now", found.better), ("Worse now", found.worse)):
        if pairs:
            yield f"<h3>{word}</h3>"
            yield _table("", ("question", "before", "now"), map(_pair_row, pairs))


def _pair_row(pair: Pair) -> tuple[str, str, str]:
    """Return the cells, escaped."""
    before, now = (f"{one.verdict}: {one.shown}" for one in (pair.before, pair.now))
    return _safe(pair.now.question), _safe(before), _safe(now)


def _questions(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "<h2>Every question</h2>"
    yield '<div class="wide"><table class="questions"><thead><tr>'
    yield '<th class="number">#</th><th>question</th><th>expected</th><th>said</th><th>came out</th>'
    yield '<th class="number">confidence</th></tr></thead><tbody>'
    for number, one in enumerate(outcomes, start=1):
        talk = one.question.conversation
        note = "" if talk is None else f'<p class="muted">in conversation {_safe(talk)}</p>'
        yield (
            f'<tr class="{"good" if one.good else "bad"}"><td class="number">{number}</td>'
            f"<td>{_safe(one.question.text)}{note}</td><td>{_expected(one.question)}</td><td>{_safe(one.shown)}</td>"
            f'<td class="verdict">{one.verdict}</td><td class="number">{one.confidence:.2f}</td></tr>'
        )
    yield "</tbody></table></div>"


def _expected(labelled: Labelled) -> str:
    """Return what was expected, as HTML."""
    if not labelled.answerable:
        return '<span class="muted">the sources do not say</span>'
    parts = [] if labelled.short_answer is None else [f"<strong>{_safe(labelled.short_answer)}</strong>"]
    for gold in labelled.gold[:_SHOWN_QUOTES]:
        parts.append(f'“{_safe(gold.quote)}” <span class="muted">{_safe(gold.document)}</span>')
    if len(labelled.gold) > _SHOWN_QUOTES:
        parts.append(f'<span class="muted">or {len(labelled.gold) - _SHOWN_QUOTES} more quotes</span>')
    if labelled.facts:
        parts.append(f'<span class="muted">or a quote with:</span> {_safe("; ".join(labelled.facts))}')
    if not parts:
        parts.append('<span class="muted">not labelled</span>')
    return "".join(f"<p>{part}</p>" for part in parts)


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are HTML, those after the first that begin with a digit or a sign stand to the right."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(map(_cell, range(len(row)), row))}</tr>" for row in rows)
    told = f"<caption>{caption}</caption>" if caption else ""
    table = f"<table class='figures'>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(column: int, text: str) -> str:
    numeric = column > 0 and text[:1] in set("0123456789+-–")
    return f'<td class="number">{text}</td>' if numeric else f"<td>{text}</td>"


def _range(right: int, count: int) -> str:
    interval = wilson(right, count)
    return f"{interval.low:.1%} – {interval.high:.1%}"


def _figure(name: str, value: float | None) -> str:
    """Return a figure of `Report.rates`: a count as it is, a share in per cent, any other with its digits."""
    if value is None or isinstance(value, int) or name.startswith("median"):
        return "–" if value is None else f"{value:g}"
    return f"{value:.3f}" if name.startswith(_NO_SHARES) else f"{value:.1%}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"

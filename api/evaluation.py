"""An evaluation → lines to print and files to keep."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from api.console import printable
from index.errors import EvaluationError
from qa.evaluation.chance import RESAMPLES, wilson
from qa.evaluation.compare import Comparison, Pair
from qa.evaluation.outcomes import SEED, Report

_THRESHOLD_ROW = "{:12} {:>9} {:>14} {:>20} {:>18}"


def evaluation_lines(
    report: Report, comparison: Comparison | None = None, *, each: bool, seed: int = SEED
) -> Iterator[str]:
    """Yield an evaluation: the bad questions (or each one), the rates, their intervals, the curves."""
    for one in report.outcomes:
        if each or not one.good:
            word = "ok " if one.good else "BAD"
            yield f"{word} {one.confidence:.2f} {printable(one.question.text)}"
            yield f"          → {printable(one.shown)}"
    for name, value in report.rates().items():
        yield f"{name:28} {value}"
    yield ""
    yield f"95 % intervals (bootstrap over questions, a conversation as a whole; {RESAMPLES} resamples, seed {seed})"
    for name, interval in report.intervals(seed).items():
        yield f"{name:28} {interval.low:.3f} – {interval.high:.3f}"
    yield ""
    yield from _reliability_lines(report)
    yield ""
    yield from _threshold_lines(report)
    if comparison is not None:
        yield ""
        yield from _comparison_lines(comparison)


def calibration_lines(about: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a calibration found: how far confidences hold, and what each risk costs."""
    figures = about["figures"]
    error = figures["expected calibration error"]
    yield f"made from {about['made from']}, {figures['answerable']} of them with an answer"
    yield f"expected calibration error {'-' if error is None else format(error, '.3f')}, each half judged by the other"
    yield f"{'risk':>8} {'threshold':>10} {'answered':>9} {'wrong':>7} {'at most':>8} {'silent':>7}"
    for name, row in [*((f"{one['target']:g}", one) for one in figures["risks"]), ("default", figures["default"])]:
        shares = "".join(
            f" {'-' if row[key] is None else format(row[key], '.1%'):>{width}}"
            for key, width in (("coverage", 9), ("wrong", 7), ("bound", 8), ("silent", 7))
        )
        yield f"{name:>8} {row['threshold']:>10.3f}{shares}"


def _reliability_lines(report: Report) -> Iterator[str]:
    yield "what a confidence means (what was not shown counts as what it would have been)"
    yield f"{'confidence':12} {'questions':>9} {'mean':>7} {'right':>7}   95 %"
    for one in report.reliability():
        interval = wilson(round(one.right * one.count), one.count)
        place = f"{one.low:.1f} – {one.high:.1f}"
        sure = f"{interval.low:.3f} – {interval.high:.3f}"
        yield f"{place:12} {one.count:9} {one.confidence:7.3f} {one.right:7.3f}   {sure}"


def _threshold_lines(report: Report) -> Iterator[str]:
    yield "risk and coverage (* is the threshold in use; the others are estimates)"
    heads = ("answers from", "answered", "of answerable", "wrong when answered", "silent, no answer")
    yield _THRESHOLD_ROW.format(*heads)
    for one in report.thresholds():
        name = f"{one.threshold:g}{' *' if one.threshold == report.threshold else ''}"
        shares = (one.answered, one.answered_of_answerable, one.wrong_when_answered, one.silent_of_unanswerable)
        cells = ("–" if share is None else f"{share:.3f}" for share in shares)
        yield _THRESHOLD_ROW.format(name, *cells)


def _comparison_lines(found: Comparison) -> Iterator[str]:
    yield (
        f"compared with the run of {printable(found.date)}, generation {found.generation}: {found.common} questions in "
        f"common, {found.only_now} only now, {found.only_before} only then, {found.relabelled} with other labels"
    )
    for name, (before, now) in found.changed.items():
        yield f"  {printable(name)}: {printable(before)} → {printable(now)}"
    for d in found.differences:
        yield (
            f"{d.name:28} {d.before:.3f} → {d.now:.3f}   {d.now - d.before:+.3f} "
            f"({d.interval.low:+.3f} to {d.interval.high:+.3f}, seed {found.seed})"
        )
        yield f"{'':28} {d.better} better, {d.worse} worse of {d.questions}; p = {d.p:.3f} ({d.test})"
    yield from _changed_lines("better", found.better)
    yield from _changed_lines("worse", found.worse)


def _changed_lines(word: str, pairs: Sequence[Pair]) -> Iterator[str]:
    for pair in pairs:
        yield f"{word:7} {pair.before.verdict} → {pair.now.verdict}: {printable(pair.now.question)}"


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison with the names of the HTTP contract's style: plain values."""
    changed = {
        word: [{"question": p.now.question, "before": p.before.verdict, "now": p.now.verdict} for p in pairs]
        for word, pairs in (("better", found.better), ("worse", found.worse))
    }
    kept = {name: value for name, value in asdict(found).items() if name not in changed}
    return {**kept, **changed}


def check_places(questions: Path, places: Sequence[Path]) -> None:
    """Refuse to write where nothing can be written or something would be lost, before anything is asked.

    :raises EvaluationError: naming the place.
    """
    taken = [questions.resolve()]
    for place in places:
        if place.is_dir() or not place.parent.is_dir():
            raise EvaluationError(f"{place}: cannot be written; name a file in a folder that exists")
        if place.resolve() in taken:
            raise EvaluationError(f"{place}: named twice, and would be overwritten; name another file")
        taken.append(place.resolve())


def keep(place: Path, text: str) -> None:
    """Write a file whole or not at all; one of that name is replaced.

    :raises EvaluationError: if it cannot be written.
    """
    draft = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    except OSError as error:
        raise EvaluationError(f"{place}: cannot be written ({error.strerror})") from error
    finally:
        draft.unlink(missing_ok=True)

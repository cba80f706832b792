"""A run of labelled questions, kept: enough to compare a later run with it.

It holds the questions and what was answered, so it is as confidential as the documents, and a purge does not reach it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from index.errors import EvaluationError
from qa.evaluation.outcomes import Outcome, Report, Verdict

FORMAT = 1
KIND = "citespan evaluation"
LARGEST_FILE = 256 * 1024 * 1024
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a run and how it came out.

    `number` tells apart the same question asked again in the same conversation, from 0; `labels` names what was known
    of the answer. `f1` counts silence as 0. `f1` and `ndcg` are None where the labels have nothing to compare with.
    """

    question: str
    conversation: str | None
    number: int
    labels: str
    answerable: bool
    answered: bool
    right: bool
    confidence: float
    f1: float | None
    ndcg: float | None
    shown: str

    @property
    def key(self) -> tuple[str, str | None, int]:
        """What the same question has in another run."""
        return self.question, self.conversation, self.number

    @property
    def verdict(self) -> Verdict:
        return Verdict.of(answerable=self.answerable, answered=self.answered, right=self.right)


@dataclass(frozen=True, slots=True)
class Run:
    """All questions of a run, in the order asked. `models` name what the replies were made with."""

    date: str
    generation: int
    models: Mapping[str, str]
    asked: tuple[Asked, ...]
    rates: Mapping[str, float | None] = field(default_factory=dict)


def run_of(report: Report, *, date: str, models: Mapping[str, str]) -> Run:
    """Return a report as a run to keep; `date` is when it was made."""
    seen: Counter[tuple[str, str | None]] = Counter()
    asked = []
    for outcome in report.outcomes:
        key = (outcome.question.text, outcome.question.conversation)
        asked.append(_asked(outcome, seen[key]))
        seen[key] += 1
    return Run(date, report.generation, dict(models), tuple(asked), report.rates())


def _asked(outcome: Outcome, number: int) -> Asked:
    return Asked(
        question=outcome.question.text,
        conversation=outcome.question.conversation,
        number=number,
        labels=outcome.question.labels,
        answerable=outcome.question.answerable,
        answered=outcome.answered,
        right=outcome.right,
        confidence=outcome.confidence,
        f1=outcome.f1_or_zero,
        ndcg=outcome.ndcg,
        shown=outcome.shown,
    )


def to_text(run: Run) -> str:
    """Return a run as JSON, one question a line."""
    head = {"kind": KIND, "format": FORMAT, "date": run.date, "generation": run.generation, "models": dict(run.models),
            "rates": dict(run.rates)}  # fmt: skip
    lines = ",\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in run.asked)
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "asked": [\n{lines}\n]}}\n'


def read_run(path: Path) -> Run:
    """Return a saved run.

    :raises EvaluationError: if the file cannot be read, is too large, or holds no run of a format that is known.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > LARGEST_FILE:
        raise EvaluationError(f"{path}: larger than {LARGEST_FILE} bytes, no saved evaluation is")
    try:
        raw = json.loads(data)
        if not isinstance(raw, dict) or raw.get("kind") != KIND:
            raise EvaluationError(f"{path}: not a saved evaluation; `citespan eval QUESTIONS --save FILE` makes one")
        if raw.get("format") != FORMAT:
            found = f"{raw.get('format')!r:.60}"
            raise EvaluationError(f"{path}: has format {found}, this version reads {FORMAT}; make it again")
        return Run(
            date=_value(raw, "date", _text),
            generation=_value(raw, "generation", _count),
            models={name: _text(value) for name, value in _value(raw, "models", _object).items()},
            asked=tuple(_read(one) for one in _value(raw, "asked", _list)),
            rates={name: _number_or_none(value) for name, value in _value(raw, "rates", _object).items()},
        )
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{path}: a damaged evaluation ({error}); make it again with --save") from error


def _read(raw: object) -> Asked:
    """Return a question as it was saved; ValueError says what is wrong with it."""
    one = _object(raw)
    return Asked(
        question=_value(one, "question", _text),
        conversation=_value(one, "conversation", lambda value: None if value is None else _text(value)),
        number=_value(one, "number", _count),
        labels=_value(one, "labels", _text),
        answerable=_value(one, "answerable", _bool),
        answered=_value(one, "answered", _bool),
        right=_value(one, "right", _bool),
        confidence=_value(one, "confidence", _number),
        f1=_value(one, "f1", _number_or_none),
        ndcg=_value(one, "ndcg", _number_or_none),
        shown=_value(one, "shown", _text),
    )


def _value(raw: Mapping[str, object], name: str, of: Callable[[object], Value]) -> Value:
    if name not in raw:
        raise ValueError(f"`{name}` is missing")
    try:
        return of(raw[name])
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} is not a text")  # noqa: TRY004
    return value


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r:.60} is not true or false")  # noqa: TRY004
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r:.60} is not a number from 0 on")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is not a number")
    return float(value)


def _number_or_none(value: object) -> float | None:
    return None if value is None else _number(value)


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.60} is not an object")  # noqa: TRY004
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.60} is not a list")  # noqa: TRY004
    return value

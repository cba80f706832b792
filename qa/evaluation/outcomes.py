"""What became of labelled questions → rates with intervals, and the curves of confidence."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from qa.evaluation.chance import RESAMPLES, Interval, bootstrap_mean
from qa.evaluation.curves import Bin, Point, area_under, auroc, calibration_error, reliability, risk_coverage
from qa.evaluation.labelled import Labelled
from qa.service import Considered

RANKS = 10
"""How many passages nDCG and recall look at."""
SEED = 0
_THRESHOLDS = tuple(n / 10 for n in range(10))


class Verdict(StrEnum):
    """How a question came out. Answered where there is no answer is wrong."""

    RIGHT = "right"
    WRONG = "wrong"
    SILENT = "silent"
    RIGHTLY_SILENT = "rightly silent"

    @classmethod
    def of(cls, *, answerable: bool, answered: bool, right: bool) -> Verdict:
        if answered:
            return cls.RIGHT if right else cls.WRONG
        return cls.SILENT if answerable else cls.RIGHTLY_SILENT

    @property
    def good(self) -> bool:
        """Right where there is an answer, silent where there is none."""
        return self in (Verdict.RIGHT, Verdict.RIGHTLY_SILENT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question.

    `would_be_right` is `right` where it was answered, else whether the best sentence not shown would have been.
    `overlaps_gold`, `ndcg` and `recall` are None without gold quotes, `exact` and `f1` without a short answer on both
    sides.
    """

    question: Labelled
    answered: bool
    right: bool
    would_be_right: bool
    right_document: bool
    overlaps_gold: bool | None
    shown: str
    confidence: float
    considered: Considered
    exact: float | None
    f1: float | None
    ndcg: float | None
    recall: float | None
    milliseconds: float

    @property
    def verdict(self) -> Verdict:
        return Verdict.of(answerable=self.question.answerable, answered=self.answered, right=self.right)

    @property
    def good(self) -> bool:
        """Right where there is an answer, silent where there is none."""
        return self.verdict.good

    @property
    def f1_or_zero(self) -> float | None:
        """The token F1, 0.0 where no short answer was given; None where the question has none to compare."""
        if not self.question.answerable or self.question.short_answer is None:
            return None
        return 0.0 if self.f1 is None else self.f1


def _if_answerable(value: Callable[[Outcome], float | None]) -> Callable[[Outcome], float | None]:
    return lambda o: value(o) if o.question.answerable else None


# A rate is the mean of these over the questions that it is about; None: it is not about this one.
_RATES: Final[Mapping[str, Callable[[Outcome], float | None]]] = {
    "right": _if_answerable(lambda o: o.right),
    "right document first": _if_answerable(lambda o: o.right_document),
    "quote overlaps gold": _if_answerable(lambda o: o.overlaps_gold),
    "answered (of answerable)": _if_answerable(lambda o: o.answered),
    "right when answered": lambda o: o.right if o.answered else None,
    "wrong when answered": lambda o: not o.right if o.answered else None,
    "silent (of unanswerable)": lambda o: None if o.question.answerable else not o.answered,
    "answered (of all)": lambda o: o.answered,
    "right or rightly silent": lambda o: o.good,
    "short answer exact match": _if_answerable(lambda o: o.exact),
    "short answer token F1": _if_answerable(lambda o: o.f1),
    "token F1, silence as 0": lambda o: o.f1_or_zero,
    f"nDCG@{RANKS}": _if_answerable(lambda o: o.ndcg),
    f"recall@{RANKS}": _if_answerable(lambda o: o.recall),
}


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What would come of answering from `threshold` on; a share of nothing is None."""

    threshold: float
    answered: float | None
    answered_of_answerable: float | None
    wrong_when_answered: float | None
    silent_of_unanswerable: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of one run, and the threshold from which on the service answered (None if nothing was asked)."""

    outcomes: tuple[Outcome, ...]
    generation: int
    threshold: float | None

    def rates(self) -> dict[str, Any]:
        """Return counts and rates; a rate over nothing is None."""
        asked = self.outcomes
        means = {name: _mean([v for o in asked if (v := value(o)) is not None]) for name, value in _RATES.items()}
        answerable = sum(o.question.answerable for o in asked)
        curves = {
            "expected calibration error": calibration_error(self.reliability()),
            "area under risk-coverage": area_under(self.risk_coverage()),
            "AUROC, answerable or not": auroc(self._confidences(), [o.question.answerable for o in asked]),
        }
        return {
            "questions": len(asked),
            "answerable": answerable,
            "unanswerable": len(asked) - answerable,
            "without labels": sum(not o.question.is_judged for o in asked),
            **means,
            **{name: rounded(value) for name, value in curves.items()},
            "median milliseconds": round(statistics.median([o.milliseconds for o in asked]), 1) if asked else None,
        }

    def intervals(self, seed: int = SEED) -> dict[str, Interval]:
        """Return the 95 % interval of each rate that is about anything."""
        found = {
            name: bootstrap_mean([(o.question.conversation, value(o)) for o in self.outcomes], seed=seed)
            for name, value in _RATES.items()
        }
        return {name: interval for name, interval in found.items() if interval is not None}

    def reliability(self) -> list[Bin]:
        """Return how often each confidence is right. What was not shown counts as what it would have been."""
        return reliability(self._confidences(), [o.would_be_right for o in self.outcomes])

    def risk_coverage(self) -> list[Point]:
        """Return coverage and share wrong at every threshold. What was not shown counts as what it would have been."""
        return risk_coverage(self._confidences(), [o.would_be_right for o in self.outcomes])

    def thresholds(self) -> list[AtThreshold]:
        """Return the same at the threshold in use and at round ones, ascending."""
        shown = {*_THRESHOLDS} if self.threshold is None else {*_THRESHOLDS, self.threshold}
        return [self.at(threshold) for threshold in sorted(shown)]

    def at(self, threshold: float) -> AtThreshold:
        """Return what would come of answering from `threshold` on.

        An estimate: with another threshold the service might have read more passages, or fewer.
        """
        said = [o.confidence >= threshold for o in self.outcomes]
        pairs = list(zip(self.outcomes, said, strict=True))
        return AtThreshold(
            threshold=threshold,
            answered=_mean(said),
            answered_of_answerable=_mean([answered for o, answered in pairs if o.question.answerable]),
            wrong_when_answered=_mean([not o.would_be_right for o, answered in pairs if answered]),
            silent_of_unanswerable=_mean([not answered for o, answered in pairs if not o.question.answerable]),
        )

    def to_json(self, *, each: bool, seed: int = SEED) -> dict[str, Any]:
        """Return the rates, their intervals and the curves, and with `each` every question."""
        questions = [
            {"question": o.question.text, "conversation": o.question.conversation, "answerable": o.question.answerable,
             "answered": o.answered, "right": o.right, "verdict": o.verdict, "right document": o.right_document,
             "quote overlaps gold": o.overlaps_gold, "would be right": o.would_be_right,
             "confidence": round(o.confidence, 4), "short answer token F1": o.f1, f"nDCG@{RANKS}": rounded(o.ndcg),
             "shown": o.shown}
            for o in self.outcomes
        ]  # fmt: skip
        intervals = {name: [round(i.low, 4), round(i.high, 4)] for name, i in self.intervals(seed).items()}
        return {
            "generation": self.generation,
            "threshold": self.threshold,
            **self.rates(),
            "intervals": {"seed": seed, "resamples": RESAMPLES, **intervals},
            "reliability": [_rounded_all(asdict(one)) for one in self.reliability()],
            "thresholds": [asdict(one) for one in self.thresholds()],
            **({"each": questions} if each else {}),
        }

    def _confidences(self) -> list[float]:
        return [o.confidence for o in self.outcomes]


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None


def rounded(value: float | None) -> float | None:
    """Return a figure with four digits."""
    return None if value is None else round(value, 4)


def _rounded_all(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}

"""Labelled questions that were asked → the threshold that keeps a risk.

The risk is the share of wrong answers among the questions that are answered. It was measured on labelled questions,
each asked with weights in whose fitting it took no part, and a threshold keeps a risk if the upper 95 % bound of that
share (Clopper & Pearson 1934, one side) is at most the risk. The bound holds for one threshold and for questions like
those: of another kind of question, or of a library whose gaps are of another kind, it promises nothing.

An answer counts as right if one of its first two citations overlaps a gold quote or its short answer is a gold one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

# The default risk is the smallest of these at which at least COVERAGE of the answerable questions are answered. With
# less, a service that keeps a risk on hard questions says nothing to a third of the plain ones.
USUAL = (0.05, 0.1, 0.15, 0.2)
COVERAGE = 0.7
# Where none of them leaves that, so many are answered: about the most at which the service says nothing to nine of ten
# questions on articles that the library does not have (docs/evaluation.md).
OTHERWISE = 0.86
CONFIDENCE_LEVEL = 0.95
MOST_THRESHOLDS = 200
# Reading goes on until the confidence is as high as this, even if a lower one is enough to answer: what seemed likely
# at first is often not what seems likely in the end.
SURE = 0.7
# Reading is given up once the confidence is below this share of the threshold: more passages seldom mend it.
HOPELESS = 0.2
# Of a confidence, where labelled questions are kept.
DIGITS = 4
# No confidence reaches this: nothing is answered.
SILENT = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """What would have been answered after so much was read: how sure, and whether right."""

    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """A labelled question that was asked: a step for each point at which reading may end (a helping, a second look)."""

    answerable: bool
    steps: tuple[Step, ...]

    def at(self, threshold: float) -> Step | None:
        """Return the step at which it is answered, None if nothing is: as the service stops reading."""
        last = None
        for last in self.steps:
            if enough(last.confidence, threshold):
                break
        return last if last is not None and last.confidence >= threshold else None


@dataclass(frozen=True, slots=True)
class Kept:
    """A threshold and what it did to the labelled questions.

    `target` is the risk that it keeps, None if it was chosen for its coverage; `coverage` the share of the answerable
    that were answered; `wrong` the share of wrong answers among the answers, and `bound` its upper 95 % bound.
    """

    target: float | None
    threshold: float
    coverage: float
    wrong: float
    bound: float


@dataclass(frozen=True, slots=True)
class Trials:
    """All trials of one calibration."""

    trials: tuple[Trial, ...]

    def as_kept(self) -> Trials:
        """Return them as a file keeps them: a threshold is chosen among these confidences, and means the same there."""
        return Trials(tuple(replace(trial, steps=tuple(map(_as_kept, trial.steps))) for trial in self.trials))

    def at(self, threshold: float) -> Kept:
        """Return what a threshold does."""
        answered = [step for trial in self.trials if (step := trial.at(threshold)) is not None]
        answerable = [trial for trial in self.trials if trial.answerable]
        covered = sum(trial.at(threshold) is not None for trial in answerable)
        wrong = sum(not step.right for step in answered)
        return Kept(
            target=None,
            threshold=threshold,
            coverage=covered / len(answerable) if answerable else 0.0,
            wrong=wrong / len(answered) if answered else 0.0,
            bound=upper_bound(wrong, len(answered)),
        )

    def curve(self) -> tuple[Kept, ...]:
        """Return what thresholds do, ascending, at most MOST_THRESHOLDS of them; the last one is SILENT."""
        found = sorted({step.confidence for trial in self.trials for step in trial.steps})
        spread = [found[len(found) * n // MOST_THRESHOLDS] for n in range(MOST_THRESHOLDS)] if found else []
        return tuple(self.at(threshold) for threshold in [*dict.fromkeys(spread), SILENT])


def _as_kept(step: Step) -> Step:
    # Not as high as SILENT, from which on nothing is answered.
    return replace(step, confidence=min(round(step.confidence, DIGITS), SILENT - 10**-DIGITS))


def keeping(curve: Sequence[Kept], risk: float) -> Kept:
    """Return the lowest threshold of a curve that keeps `risk`, in (0, 1]; SILENT if none does."""
    return replace(next((kept for kept in curve if kept.bound <= risk), curve[-1]), target=risk)


def usual(curve: Sequence[Kept]) -> Kept:
    """Return the default: of the smallest usual risk that leaves COVERAGE answered, else the highest of OTHERWISE."""
    for risk in USUAL:
        found = keeping(curve, risk)
        if found.coverage >= COVERAGE:
            return found
    return next((kept for kept in reversed(curve) if kept.coverage >= OTHERWISE), curve[0])


@lru_cache(maxsize=4096)
def upper_bound(wrong: int, answered: int) -> float:
    """Return the one-sided upper 95 % confidence bound of a share of which `wrong` of `answered` were seen.

    1.0 if nothing was seen. Source: Clopper & Pearson, Biometrika 1934, found by bisection to 1e-9.
    """
    if not 0 <= wrong <= answered:
        raise ValueError(f"{wrong} of {answered}")
    if wrong == answered:
        return 1.0
    k = np.arange(wrong + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(answered - k[:-1]) - np.log(k[1:]))])  # ln of "answered over k"
    low, high = wrong / answered, 1.0
    while high - low > 1e-9:
        share = (low + high) / 2
        at_most = np.exp(ways + k * np.log(share) + (answered - k) * np.log1p(-share)).sum()
        low, high = (share, high) if at_most > 1 - CONFIDENCE_LEVEL else (low, share)
    return float(high)


def enough(confidence: float, threshold: float) -> bool:
    """Return whether reading ends: more of it would hardly change the answer, or find one."""
    return confidence >= max(threshold, SURE) or confidence < HOPELESS * threshold


def trials(rows: Sequence[tuple[bool, Sequence[tuple[float, bool]]]]) -> Trials:
    """Return trials from plain values: (answerable, [(confidence, right), …]) for each question."""
    made = (Trial(answerable, tuple(Step(c, r) for c, r in steps)) for answerable, steps in rows)
    return Trials(tuple(made))

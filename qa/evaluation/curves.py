"""Confidences and what came of them → does a confidence mean what it says, and what would another threshold do?

Pure functions, each with its source. `confidences` are in [0, 1]; `right` says of each whether the answer is right (or
would have been); both are in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The questions whose confidence is in [low, high), the last bin with its end: how many, and how they came out.

    `confidence` is their mean confidence, `right` the share that is right.
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Point:
    """What comes of answering from `threshold` on: the share of all questions answered, of those the share wrong."""

    threshold: float
    coverage: float
    wrong: float


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Return bins of equal width, lowest first, without the empty ones.

    Source: Murphy & Winkler, "Reliability of subjective probability forecasts", Applied Statistics 1977.
    """
    held: dict[int, list[tuple[float, bool]]] = {}
    for confidence, good in zip(confidences, right, strict=True):
        if not 0.0 <= confidence <= 1.0:
            raise ValueError(f"not a confidence: {confidence}")
        held.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, good))
    return [
        Bin(
            low=number / bins,
            high=(number + 1) / bins,
            count=len(pairs),
            confidence=math.fsum(confidence for confidence, _ in pairs) / len(pairs),
            right=sum(good for _, good in pairs) / len(pairs),
        )
        for number, pairs in sorted(held.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Return how far mean confidence and share right are apart, over the questions, in [0, 1]; None without any.

    Source: the expected calibration error of Naeini, Cooper & Hauskrecht, AAAI 2015.
    """
    count = sum(one.count for one in bins)
    return math.fsum(one.count * abs(one.confidence - one.right) for one in bins) / count if count else None


def risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> list[Point]:
    """Return the point of each threshold at which more is answered, highest threshold first; ties come in together.

    Source: El-Yaniv & Wiener, "On the foundations of noise-free selective classification", JMLR 2010.
    """
    pairs = sorted(zip(confidences, right, strict=True), key=lambda pair: -pair[0])
    points = []
    answered = wrong = 0
    for confidence, tied in groupby(pairs, key=lambda pair: pair[0]):
        outcomes = [good for _, good in tied]
        answered += len(outcomes)
        wrong += outcomes.count(False)
        points.append(Point(confidence, answered / len(pairs), wrong / answered))
    return points


def area_under(curve: Sequence[Point]) -> float | None:
    """Return the area under a risk-coverage curve, in [0, 1], lower is better; None if it has no point.

    The mean over the questions of the share wrong when exactly those at least as sure are answered.

    Source: Geifman, Uziel & El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.
    """
    before = [0.0, *(point.coverage for point in curve)][: len(curve)]
    steps = zip(curve, before, strict=True)
    return math.fsum(point.wrong * (point.coverage - covered) for point, covered in steps) if curve else None


def auroc(confidences: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Return the probability that one that is `positive` has the higher confidence than one that is not; a tie is half.

    None if all are of one sort. Source: Hanley & McNeil, "The meaning and use of the area under a ROC curve",
    Radiology 1982.
    """
    pairs = sorted(zip(confidences, positive, strict=True), key=lambda pair: pair[0])
    positives = sum(good for _, good in pairs)
    negatives = len(pairs) - positives
    if not positives or not negatives:
        return None
    below, won = 0, 0.0
    for _, tied in groupby(pairs, key=lambda pair: pair[0]):
        sorts = [good for _, good in tied]
        good, bad = sorts.count(True), sorts.count(False)
        won += good * (below + bad / 2)
        below += bad
    return won / (positives * negatives)

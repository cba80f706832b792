"""Could it be chance? Intervals for one run, tests for two. Pure functions, each with its source.

What draws at random takes a seed: the same seed gives the same figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

LEVEL = 0.95
RESAMPLES = 2_000
SHUFFLES = 10_000
_NORMAL = 1.959963984540054  # the 97.5 % point of the normal distribution
# Numbers drawn at once: bounds the memory that a long list of questions takes.
_DRAWN = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval that holds the true value in 95 of 100 such samples."""

    low: float
    high: float


def bootstrap(
    sums: Sequence[float], counts: Sequence[int], *, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """Return the percentile interval of sum / count, None where nothing was counted.

    Each place of `sums` and `counts` is one unit that is drawn as a whole: a question by itself, a conversation with
    all its questions, because those hang together. A draw that counts nothing is left out.

    Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    values = np.array([sums, counts], dtype=np.float64)
    units = values.shape[1]
    if units == 0 or values[1].sum() == 0:
        return None
    random = np.random.default_rng(seed)
    rows = max(1, _DRAWN // units)
    means = []
    for start in range(0, resamples, rows):
        drawn = random.integers(units, size=(min(rows, resamples - start), units))
        added, counted = values[0][drawn].sum(axis=1), values[1][drawn].sum(axis=1)
        means.append(added[counted > 0] / counted[counted > 0])
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def bootstrap_mean(values: Iterable[tuple[str | None, float | None]], *, seed: int) -> Interval | None:
    """Return the interval of a mean over questions, given as (conversation, value), None where there is no value.

    Those of one conversation are drawn as a whole. A question without a value is drawn too, and counts nothing.
    """
    units: dict[object, list[float]] = {}
    for number, (conversation, value) in enumerate(values):
        unit = units.setdefault(number if conversation is None else conversation, [])
        unit += [] if value is None else [float(value)]
    return bootstrap([sum(unit) for unit in units.values()], [len(unit) for unit in units.values()], seed=seed)


def wilson(right: int, count: int) -> Interval:
    """Return the interval of a share of which `right` of `count` were seen; [0, 1] if none was.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if not 0 <= right <= count:
        raise ValueError(f"{right} of {count}")
    if count == 0:
        return Interval(0.0, 1.0)
    share, z = right / count, _NORMAL**2 / count
    middle = (share + z / 2) / (1 + z)
    half = math.sqrt(share * (1 - share) * z + z * z / 4) / (1 + z)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def mcnemar(better: int, worse: int) -> float:
    """Return the two-sided p that so many changed for the better and for the worse by chance; 1.0 if none changed.

    Exact: twice the tail of the binomial with probability one half, in whole numbers.

    Source: McNemar, Psychometrika 1947; exact form as in Dietterich, Neural Computation 1998.
    """
    changed, fewer = better + worse, min(better, worse)
    ways, tail = 1, 0
    for number in range(fewer + 1):
        tail += ways
        ways = ways * (changed - number) // (number + 1)
    return min(1.0, 2 * tail / (1 << changed))


def paired_p(differences: Sequence[float], *, seed: int, shuffles: int = SHUFFLES) -> float:
    """Return the two-sided p that the mean of `differences` is so far from 0 by chance; 1.0 if all are 0.

    Under chance each difference could have had the other sign. All ways are counted where they are at most `shuffles`;
    else so many are drawn, and the way that was seen counts as one of them, so that p is never 0.

    Source: Fisher, "The Design of Experiments", 1935; Phipson & Smyth, SAGMB 2010, for what is drawn.
    """
    kept = np.array([value for value in differences if value != 0.0], dtype=np.float64)
    if not kept.size:
        return 1.0
    # Sums of the same differences in another order may differ in the last digits.
    seen = abs(float(kept.sum())) * (1 - 1e-9)
    if kept.size < 64 and 2**kept.size <= shuffles:
        signs = np.array(list(product((-1.0, 1.0), repeat=kept.size)))
        return float(np.mean(np.abs(signs @ kept) >= seen))
    random = np.random.default_rng(seed)
    rows = max(1, _DRAWN // kept.size)
    as_far = 0
    for start in range(0, shuffles, rows):
        signs = random.integers(2, size=(min(rows, shuffles - start), kept.size)) * 2.0 - 1.0
        as_far += int((np.abs(signs @ kept) >= seen).sum())
    return (1 + as_far) / (1 + shuffles)

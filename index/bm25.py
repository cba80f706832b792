"""What a shared word is worth: BM25 over the passages of one generation. Pure functions of counts.

Nothing but the generation's own passages goes in, so scores are the same however the library came about and whatever
came after. What BM25 takes for the average length is a constant: passages are bounded in size by construction, and an
average over the generation would move all scores with each sync.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Field:
    """How a term counts in one field.

    `weight` is what the field counts, `k1` how late more occurrences cease to count, `b` from 0 to 1 how much length
    does, `usual` the length in terms at which it does neither good nor harm.
    """

    weight: float
    k1: float
    b: float
    usual: float

    def __post_init__(self) -> None:
        if not (self.weight >= 0 and self.k1 >= 0 and 0 <= self.b <= 1 and self.usual > 0):
            raise ValueError(f"not a field of BM25: {self}")


# Chosen by `python -m benchmarks.retrieval --tune`. A title counts less than the text: it is the same for every passage
# of its document.
TEXT = Field(weight=1.0, k1=0.9, b=0.4, usual=100.0)
TITLE = Field(weight=0.5, k1=0.9, b=0.4, usual=8.0)


def rarity(holding: int, size: int) -> float:
    """Return the weight of a term that `holding` of `size` passages hold: over 0, and the higher the fewer.

    Source: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; with 1 added under the
    logarithm, as Lucene does, so that it is never negative.
    """
    if not 0 <= holding <= size:
        raise ValueError(f"{holding} of {size} passages")
    return math.log(1.0 + (size - holding + 0.5) / (holding + 0.5))


def gain(counts: NDArray[np.uint8], lengths: NDArray[np.uint8], field: Field) -> NDArray[np.float64]:
    """Return what occurrences of a term are worth in a field: float64 (passages,), over 0, below weight x (k1 + 1).

    `counts` says how often each passage holds it, from 1; `lengths` how many terms the field has there. Source: as
    `rarity`.
    """
    times = counts.astype(np.float64)
    against = field.k1 * (1.0 - field.b + field.b * lengths.astype(np.float64) / field.usual)
    return field.weight * (field.k1 + 1.0) * times / (times + against)


def best(scores: NDArray[np.float64], limit: int) -> NDArray[np.int64]:
    """Return the rows of the `limit` greatest scores over 0, greatest first, equal ones in the order of the rows."""
    rows = np.flatnonzero(scores > 0.0)
    if 0 < limit < len(rows):
        # All that reach the last score taken: a partition alone leaves open which of equal ones are.
        last = np.partition(scores[rows], len(rows) - limit)[len(rows) - limit]
        rows = rows[scores[rows] >= last]
    return rows[np.argsort(-scores[rows], kind="stable")][: max(0, limit)]

"""How far the confidence of the latest answers is from what the calibration saw: the Kolmogorov-Smirnov distance.

That the answers of a probability of 0.9 are right nine times in ten was measured on labelled questions. Where users ask
other questions than those, or of other documents, the confidence of the answers is spread differently, and what was
measured promises less. The distance tells so without anybody judging an answer.

It is that distance and no population stability index, because the latter depends on where its bins are cut and is
above zero by chance alone, the more so the fewer the questions; this one needs no bins, and how large it may be by
chance is known for any two numbers of questions.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

WINDOW = 500
"""How many of the latest answers are compared."""
FEWEST = 50
"""Fewer on either side tell nothing."""
_ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class Distance:
    """The largest difference between two distribution functions, in [0, 1].

    `chance` is what it exceeds in one of a hundred comparisons though both samples are of one distribution; `answers`
    is how many were compared with the calibration's.
    """

    value: float
    chance: float
    answers: int


def distance(seen: Sequence[float], reference: Sequence[float]) -> Distance:
    """Return the two-sample Kolmogorov-Smirnov distance of two samples that are not empty.

    `chance` is asymptotic: sqrt(-ln(alpha / 2) / 2) * sqrt((n + m) / (n * m)), alpha 0.01.
    Source: Smirnov, Annals of Mathematical Statistics 1948; equals scipy.stats.ks_2samp.
    """
    a, b = sorted(seen), sorted(reference)
    value = max(abs(bisect_right(a, x) / len(a) - bisect_right(b, x) / len(b)) for x in {*a, *b})
    scale = math.sqrt(-math.log(_ALPHA / 2) / 2)
    return Distance(value, scale * math.sqrt((len(a) + len(b)) / (len(a) * len(b))), len(a))


class Drift:
    """Keeps the confidence of the latest answers. For any thread."""

    def __init__(self, reference: Sequence[float]) -> None:
        """`reference`: the confidence of the answers that the calibration comes from."""
        self._reference = tuple(reference)
        self._seen: deque[float] = deque(maxlen=WINDOW)
        self._lock = Lock()

    def add(self, confidence: float) -> None:
        """Note an answer that was given at the default threshold: others are cut off elsewhere."""
        with self._lock:
            self._seen.append(confidence)

    @property
    def seen(self) -> int:
        """How many answers are at hand."""
        return len(self._seen)

    def distance(self) -> Distance | None:
        """Return how far the two are apart, None as long as there is too little to tell."""
        with self._lock:
            seen = tuple(self._seen)
        if min(len(seen), len(self._reference)) < FEWEST:
            return None
        return distance(seen, self._reference)

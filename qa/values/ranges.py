"""A measure as an interval: what a number or a date says, no more exactly than it says it.

"1.2 million" is anything that rounds to it, "more than 300" has no upper end, "in 2025" is a year of days. Two such
intervals, and what lies between them, are all that the comparison of figures needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

ANY = float("inf")


class Relation(Enum):
    """How two values stand to one another; most pairs of texts tell nothing."""

    SAME = "same"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Range:
    """What one expression says: most likely in `[low, high]`, surely in `[least, most]`, ends included.

    `dimension` names what is measured and its base unit ("length", "money usd", "" for a bare count): two ranges of
    different dimensions cannot be compared. `unit` is the factor of the unit it was written in: a converted figure was
    rounded once more.
    """

    low: float
    high: float
    least: float
    most: float
    dimension: str = ""
    unit: float = 1.0

    def __post_init__(self) -> None:
        if not self.least <= self.low <= self.high <= self.most:
            raise ValueError(f"not a range: {self.least} {self.low} {self.high} {self.most}")

    def widened(self, share: float) -> Range:
        """Return the range with that share of its ends' size added on both sides."""
        return replace(
            self,
            low=self.low - abs(self.low) * share,
            high=self.high + abs(self.high) * share,
            least=self.least - abs(self.least) * share,
            most=self.most + abs(self.most) * share,
        )

    def within(self, other: Range) -> bool:
        """Return whether it says at least as much as `other` and nothing else."""
        return self.dimension == other.dimension and other.low <= self.low and self.high <= other.high


# Writers round a figure again when they convert it: "10 km (6 miles)".
_CONVERSION = 0.03


def compare(a: Range, b: Range) -> Relation:
    """Return SAME if the likely intervals meet, INCOMPATIBLE if even the sure ones do not; symmetric."""
    if a.dimension != b.dimension:
        return Relation.UNKNOWN
    if a.unit != b.unit:
        a, b = a.widened(_CONVERSION), b.widened(_CONVERSION)
    if a.low <= b.high and b.low <= a.high:
        return Relation.SAME
    if a.least <= b.most and b.least <= a.most:
        return Relation.UNKNOWN
    return Relation.INCOMPATIBLE

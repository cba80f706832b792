"""From when on a library's vectors are split into lists."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt


@dataclass(frozen=True, slots=True)
class Quantising:
    """When vectors are split into lists, and into how many (`python -m benchmarks.vectors`)."""

    first: int = 50_000
    """So many passages make a library large: before, all vectors are compared."""
    most: int = 2_048
    few: int = 5_000
    """Passages that each reader may hold in memory instead of in the file, however small that is."""
    sample: int = 64
    """Vectors a list that it is learned from."""

    def due(self, passages: int, newer: int | None) -> bool:
        """Return whether a generation of so many passages needs a new quantiser.

        `newer` of them have come since the present one was learned; None if there is none. When they outnumber those
        that it was learned for, it does not fit any more.
        """
        return passages >= self.first and (newer is None or 2 * newer > passages)

    def lists(self, passages: int) -> int:
        """Return into how many lists so many passages are split."""
        return max(1, min(isqrt(passages), self.most))


USUAL = Quantising()

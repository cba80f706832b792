"""What a passage is in the engine: a point with its vector, its words, and what filters ask about.

When a passage counts is told by plain fields, because the engine looks into its indexes for those and would read each
point for a list of lives (`python -m benchmarks.qdrant --passages 20000 --lives`): from `added` on, before `removed`,
and not in the generations that are named `away`, between two lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from index.postings import coded
from index.schema import FOREVER

Lives = tuple[tuple[int, int], ...]
"""The lives of a passage, in order: from which generation on it counts, and before which."""

_Item = TypeVar("_Item")
# Date characters keep their order as digits of a number, a missing one first.
_DAY = 10
_DIGITS = 15
_FIRST = ord("-") - 1


@dataclass(frozen=True, slots=True)
class Times:
    """When a point counts."""

    added: int
    removed: int
    away: tuple[int, ...] = ()

    @classmethod
    def of(cls, lives: Lives, floor: int) -> Times:
        """Return that of a passage with these lives. No generation before `floor` is asked any more."""
        away = [
            generation
            for (_, removed), (added, _) in pairwise(lives)
            for generation in range(max(removed, floor), added)
        ]
        return cls(lives[0][0], lives[-1][1], tuple(away))

    @classmethod
    def read(cls, payload: Mapping[str, object]) -> Times:
        """Return what a point's payload says."""
        added, removed, away = payload["added"], payload["removed"], payload.get("away", ())
        assert isinstance(added, int)
        assert isinstance(removed, int)
        assert isinstance(away, list | tuple)
        return cls(added, removed, tuple(away))

    def payload(self) -> dict[str, object]:
        """Return it as a point's payload says it."""
        return {"added": self.added, "removed": self.removed, "away": list(self.away)}

    def steps(self) -> list[tuple[int, int]]:
        """Return (generation, 1) for each that it comes with and (generation, -1) for each that it goes with."""
        found = [(self.added, 1)]
        for before, generation in zip((None, *self.away), self.away, strict=False):
            if before != generation - 1:
                found += [(before + 1, 1)] if before is not None else []
                found.append((generation, -1))
        if self.away:
            found.append((self.away[-1] + 1, 1))
        return [*found, (self.removed, -1)] if self.removed != FOREVER else found


@dataclass(frozen=True, slots=True)
class Sparse:
    """Numbers of terms, and what each is worth."""

    numbers: list[int]
    worth: list[float]


@dataclass(frozen=True, slots=True)
class Point:
    """A passage as it is sent: its vector is of unit length, float32 (dimensions,); the payload is what filters ask."""

    id: int
    vector: NDArray[np.float32]
    words: Sparse
    payload: Mapping[str, object]


Terms = dict[tuple[str, str], int]
"""(field, term) → the code of its posting."""


def codes(title: str, text: str) -> Terms:
    """Return the code of each term of a passage, by its field."""
    fields = (("text", text), ("title", title))
    return {(field, term): code for field, words in fields for term, code in coded(words).items()}


def sparse(terms: Terms, numbers: Mapping[tuple[str, str], int], worth: Mapping[str, NDArray[np.float64]]) -> Sparse:
    """Return what a passage gains by each of its terms, by the numbers of the terms, ascending."""
    pairs = sorted((numbers[key], float(np.float32(worth[key[0]][code]))) for key, code in terms.items())
    return Sparse([number for number, _ in pairs], [value for _, value in pairs])


def about(document_id: str, published_at: str | None, language: str | None, tags: Sequence[str]) -> dict[str, object]:
    """Return what filters ask about the document of a point."""
    known: dict[str, object] = {"document": document_id, "language": spoken(language), "tags": list(tags)}
    return {**known, "published": day(published_at)} if published_at else known


def spoken(language: str | None) -> str:
    """Return what stands before the first hyphen of a language tag; nothing for none."""
    return "" if language is None else language.split("-")[0]


def day(date: str) -> int:
    """Return a number for the first ten characters of a date: of two dates the later one has the greater."""
    found = 0
    for place in range(_DAY):
        digit = min(max(ord(date[place]) - _FIRST, 0), _DIGITS - 1) if place < len(date) else 0
        found = found * _DIGITS + digit
    return found


def in_batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield `items`, so many at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))

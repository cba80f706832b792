"""The passages of one generation that are nearest to a vector.

It is derived from the library: nothing is embedded to make it. How the nearest are found is another file's: `exact.py`
while the library is small, `quantised.py` from the generation on that has a quantiser.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.exact import Exact, Nearest, cosines
from index.library import Library
from index.quantised import Quantised
from index.types import Quantiser

# How much more is looked at than is asked for, and at least: what a rough score puts a little too low is still found.
_MORE = 2
_LEAST = 16
_WIDEN = 4
# So few passages are all compared.
_COMPARED = 1_000


class VectorIndex:
    """The vectors of one generation, frozen: `forward` returns another one, so searches under way are undisturbed."""

    def __init__(
        self, dimensions: int, generation: int, quantiser: Quantiser | None, held: NDArray[np.int64], nearest: Nearest
    ) -> None:
        self.generation = generation
        self._dimensions = dimensions
        self._quantiser = quantiser
        self._held = held
        self._nearest = nearest

    @classmethod
    def build(cls, library: Library, dimensions: int, generation: int) -> VectorIndex:
        """Return the index of all passages live in `generation`."""
        return cls.of(library, dimensions, generation, library.live_ids(generation), library.quantiser(generation))

    @classmethod
    def of(
        cls,
        library: Library,
        dimensions: int,
        generation: int,
        ids: Sequence[int],
        quantiser: Quantiser | None = None,
    ) -> VectorIndex:
        """Return the index of the passages `ids`, ascending, which make up `generation`."""
        live = np.asarray(ids, dtype=np.int64)
        nearest: Nearest = (
            Exact.of(library, dimensions, live) if quantiser is None else Quantised.of(library, quantiser, live)
        )
        return cls(dimensions, generation, quantiser, live, nearest)

    def forward(self, library: Library, generation: int) -> VectorIndex:
        """Return the index of another generation, later or earlier, made from this one and what differs."""
        quantiser = library.quantiser(generation)
        # Compared with what is held: the library no longer knows passages that were purged, or let go, meanwhile.
        ids = library.live_ids(generation)
        if quantiser != self._quantiser:
            return VectorIndex.of(library, self._dimensions, generation, ids, quantiser)
        live = np.asarray(ids, dtype=np.int64)
        nearest = self._nearest.forward(library, self._held, live)
        return VectorIndex(self._dimensions, generation, quantiser, live, nearest)

    def __len__(self) -> int:
        return len(self._held)

    def ids(self) -> list[int]:
        """Return the passages it holds, ascending."""
        found: list[int] = self._held.tolist()
        return found

    def live(self, passages: Sequence[int]) -> frozenset[int]:
        """Return those of `passages` that it holds."""
        if not len(self):
            return frozenset()
        wanted = np.asarray(passages, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._held, wanted), len(self) - 1)
        return frozenset(wanted[self._held[at] == wanted].tolist())

    def search(
        self, query: NDArray[np.float32], limit: int, among: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `limit` passages with their cosine similarity, best first, and equal ones in the order of ids.

        `query` is one vector of unit length, float32 (dimensions,). `among` are some of those it holds, ascending, and
        only they are found.
        """
        wanted = min(limit, len(self) if among is None else len(among))
        if wanted < 1:
            return []
        near = self._near(query, wanted, among)
        cosines = np.asarray(self.cosines(query, near.tolist()))
        best = np.lexsort((near, -cosines))[:wanted]
        return list(zip(near[best].tolist(), cosines[best].tolist(), strict=True))

    def _near(self, query: NDArray[np.float32], wanted: int, among: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Return at least `wanted` passages, and all that no rougher look could tell from them."""
        if among is not None and len(among) <= _COMPARED:
            return among
        count = wanted * _MORE + _LEAST
        while True:
            ids, scores = self._nearest.shortlist(query, count + 1, among)
            if len(ids) <= count:
                return ids
            # Which of equals come first depends on how the index came about; so those equal to the first that is left
            # out are left out too, and the same generation always gives the same passages.
            near: NDArray[np.int64] = ids[scores > scores[count]]
            if len(near) >= wanted:
                return near
            count *= _WIDEN

    def cosines(self, query: NDArray[np.float32], passages: Sequence[int]) -> list[float]:
        """Return the cosine similarity of each of `passages`, which it holds, to a vector of unit length."""
        if not passages:
            return []
        return cosines(self._nearest.vectors(passages), query)

"""Every vector compared: exact, and quick enough while a library is small.

In float16, as the library has them: half the memory of float32, and quicker (`python -m benchmarks.vectors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from index.library import Library

# Its type stubs know the C++ classes, and not how they are called from Python.
_faiss: Any = faiss


class Nearest(Protocol):
    """Passages near a vector: those of one generation, and never changed."""

    def shortlist(
        self, query: NDArray[np.float32], count: int, among: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return about the `count` nearest passages with a score that need only be near the cosine, best first.

        `among` are some of its passages, ascending, and only they are found; None leaves it open. Fewer than `count`
        only if there are not more. Who has a better score than the last one is never left out. The
        scores depend on nothing but the vectors and what they are quantised by.
        """

    def vectors(self, passages: Sequence[int]) -> NDArray[np.float32]:
        """Return the vectors of `passages`, which it holds, of unit length: float32 (passages, dimensions)."""

    def forward(self, library: Library, held: NDArray[np.int64], live: NDArray[np.int64]) -> Nearest:
        """Return the same for the passages `live`, made from this, which is for `held`; both ascend."""


class Exact:
    """All vectors in memory, as they are."""

    def __init__(self, index: faiss.IndexIDMap2) -> None:
        self._index = index

    @classmethod
    def of(cls, library: Library, dimensions: int, live: NDArray[np.int64]) -> Exact:
        """Return that of the passages `live`."""
        half = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexIDMap2(half)
        _add(index, library, live)
        return cls(index)

    def forward(self, library: Library, held: NDArray[np.int64], live: NDArray[np.int64]) -> Exact:
        index = cast(faiss.IndexIDMap2, faiss.clone_index(self._index))
        removed = np.setdiff1d(held, live, assume_unique=True)
        if len(removed):
            index.remove_ids(faiss.IDSelectorBatch(removed))
        _add(index, library, np.setdiff1d(live, held, assume_unique=True))
        return Exact(index)

    def shortlist(
        self, query: NDArray[np.float32], count: int, among: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        wanted = None if among is None else _faiss.SearchParameters(sel=_faiss.IDSelectorBitmap(bits(among)))
        scores, ids = self._index.search(query.reshape(1, -1), min(count, self._index.ntotal), params=wanted)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]

    def vectors(self, passages: Sequence[int]) -> NDArray[np.float32]:
        return unit(self._index.reconstruct_batch(np.asarray(passages, dtype=np.int64)))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors as they are in the library, which has them in float16 and so a little off 1, of unit length.

    What is given is changed.
    """
    faiss.normalize_L2(vectors)
    return vectors


def cosines(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> list[float]:
    """Return the cosine similarity of each of `vectors`, of unit length, to a query of unit length."""
    # Row by row: a product of matrices may add up differently with what else is in it.
    found: list[float] = (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1).tolist()
    return found


def bits(ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a bit for every number up to the greatest of `ids`, set for those in it, the least significant first."""
    held = np.zeros(int(ids[-1]) + 1 if len(ids) else 1, dtype=np.bool_)
    held[ids] = True
    return np.packbits(held, bitorder="little")


def _add(index: faiss.IndexIDMap2, library: Library, ids: NDArray[np.int64]) -> None:
    for batch, vectors in library.vectors(ids.tolist()):
        index.add_with_ids(vectors, np.asarray(batch, dtype=np.int64))

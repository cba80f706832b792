"""The vector index: FAISS over the live passages. The only file that knows FAISS.

It is derived from the library and lives in memory: built from the stored vectors when a library is opened (nothing is
embedded), then brought forward generation by generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import faiss
import numpy as np
from numpy.typing import NDArray

from index.library import Library


class VectorIndex:
    """The vectors of one generation, frozen: `forward` returns another one, so searches under way are undisturbed."""

    def __init__(self, index: faiss.IndexIDMap2, generation: int) -> None:
        self._index = index
        self.generation = generation
        self._held = np.sort(faiss.vector_to_array(index.id_map))

    @classmethod
    def build(cls, library: Library, dimensions: int, generation: int) -> VectorIndex:
        """Return the index of all passages live in `generation`."""
        return cls.of(library, dimensions, generation, library.live_ids(generation))

    @classmethod
    def of(cls, library: Library, dimensions: int, generation: int, ids: Sequence[int]) -> VectorIndex:
        """Return the index of the passages `ids`, which make up `generation`."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))
        _add(index, library, ids)
        return cls(index, generation)

    def forward(self, library: Library, generation: int) -> VectorIndex:
        """Return the index of another generation, later or earlier, made from this one and what differs."""
        # Compared with what is held: the library no longer knows passages that were purged, or let go, meanwhile.
        live = np.asarray(library.live_ids(generation), dtype=np.int64)
        removed = np.setdiff1d(self._held, live, assume_unique=True)
        index = cast(faiss.IndexIDMap2, faiss.clone_index(self._index))
        if len(removed):
            index.remove_ids(faiss.IDSelectorBatch(removed))
        _add(index, library, np.setdiff1d(live, self._held, assume_unique=True).tolist())
        return VectorIndex(index, generation)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> list[int]:
        """Return the passages it holds, ascending."""
        return [int(i) for i in self._held]

    def __contains__(self, passage: int) -> bool:
        at = int(np.searchsorted(self._held, passage))
        return at < len(self._held) and int(self._held[at]) == passage

    def search(self, query: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """Return up to `limit` passages with their cosine similarity, best first.

        `query` is one vector of unit length, float32 (dimensions,).
        """
        count = min(limit, len(self))
        if count == 0:
            return []
        scores, ids = self._index.search(query.reshape(1, -1), count)
        return [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]

    def cosines(self, query: NDArray[np.float32], passages: Sequence[int]) -> list[float]:
        """Return the cosine similarity of each of `passages`, which it holds, to a vector of unit length."""
        vectors = self._index.reconstruct_batch(np.asarray(passages, dtype=np.int64)).astype(np.float64)
        # Row by row: a product of matrices may add up differently with what else is in it.
        found: list[float] = (vectors * query.astype(np.float64)).sum(axis=1).tolist()
        return found


def _add(index: faiss.IndexIDMap2, library: Library, ids: Iterable[int]) -> None:
    for batch, vectors in library.vectors(ids):
        faiss.normalize_L2(vectors)  # float16 in the library, so a little off 1
        index.add_with_ids(vectors, np.asarray(batch, dtype=np.int64))

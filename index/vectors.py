"""The vector index: FAISS over the live passages. The only file that knows FAISS.

It is derived from the library and lives in memory: built from the stored vectors when a library is opened (nothing is
embedded), then brought forward generation by generation.
"""

from __future__ import annotations

from collections.abc import Iterable
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

    @classmethod
    def build(cls, library: Library, dimensions: int, generation: int) -> VectorIndex:
        """Return the index of all passages live in `generation`."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))
        _add(index, library, library.live_ids(generation))
        return cls(index, generation)

    def forward(self, library: Library, generation: int) -> VectorIndex:
        """Return the index of a later generation, made from this one and what changed since."""
        added, removed = library.changes(self.generation, generation)
        index = cast(faiss.IndexIDMap2, faiss.clone_index(self._index))
        if removed:
            index.remove_ids(faiss.IDSelectorBatch(np.asarray(removed, dtype=np.int64)))
        _add(index, library, added)
        return VectorIndex(index, generation)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> list[int]:
        """Return the passages it holds, ascending."""
        return sorted(int(i) for i in faiss.vector_to_array(self._index.id_map))

    def search(self, query: NDArray[np.float32], limit: int) -> list[tuple[int, float]]:
        """Return up to `limit` passages with their cosine similarity, best first.

        `query` is one vector of unit length, float32 (dimensions,).
        """
        count = min(limit, len(self))
        if count == 0:
            return []
        scores, ids = self._index.search(query.reshape(1, -1), count)
        return [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]


def _add(index: faiss.IndexIDMap2, library: Library, ids: Iterable[int]) -> None:
    for batch, vectors in library.vectors(ids):
        faiss.normalize_L2(vectors)  # float16 in the library, so a little off 1
        index.add_with_ids(vectors, np.asarray(batch, dtype=np.int64))

"""Near vectors found in lists: only those nearest to the query are looked through.

The lists in the file are shared by all generations of a quantiser. A generation adds what it has that is newer than the
file, in lists of the same quantiser, and leaves out what is not live in it. So which passages are found depends on the
quantiser and on what is live, and not on how the library came about.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.errors import LibraryError
from index.exact import bits, unit
from index.library import Library
from index.lists import Lists, open_lists, place, read_header, search, searchable, write_lists
from index.quantiser import nearest_list
from index.types import Quantiser
from index.writer import folder_lock

# Lists that are looked through, and how many passages they hold at least for each that is asked for: 98 of 100 of the
# nearest are found by it (`python -m benchmarks.vectors`).
_PROBES = 110
_ENOUGH = 100
_WIDEN = 4
_log = logging.getLogger(__name__)


class Late:
    """Passages that came after the file was written, in memory and never changed."""

    def __init__(self, index: faiss.Index, ids: NDArray[np.int64], vectors: NDArray[np.float16]) -> None:
        self.index = index
        self.ids = ids
        self._vectors = vectors

    @classmethod
    def none(cls, centroids: NDArray[np.float32]) -> Late:
        """Return it without a passage."""
        dimensions = centroids.shape[1]
        inverted = faiss.ArrayInvertedLists(len(centroids), 2 * dimensions)
        return cls(
            searchable(centroids, inverted, 0), np.empty(0, dtype=np.int64), np.empty((0, dimensions), np.float16)
        )

    def and_more(self, library: Library, ids: NDArray[np.int64], centroids: NDArray[np.float32]) -> Late:
        """Return it with the passages `ids` too, which ascend and are not in it."""
        if not len(ids):
            return self
        index: Any = faiss.clone_index(self.index)
        inverted = faiss.downcast_InvertedLists(index.invlists)
        read = [self._vectors]
        for batch, vectors in library.stored_vectors(ids.tolist()):
            lists, numbers = nearest_list(vectors, centroids), np.asarray(batch, dtype=np.int64)
            for one in np.unique(lists):
                rows = np.flatnonzero(lists == one)
                codes, held = vectors[rows].view(np.uint8), numbers[rows]
                inverted.add_entries(int(one), len(rows), faiss.swig_ptr(held), faiss.swig_ptr(codes))
            read.append(vectors)
        index.ntotal += len(ids)
        everything = np.concatenate([self.ids, ids])
        order = np.argsort(everything)
        return Late(index, everything[order], np.concatenate(read)[order])

    def vectors(self, passages: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return the vectors of `passages`, all of which it holds, as the library has them."""
        return self._vectors[np.searchsorted(self.ids, passages)]


class Quantised:
    """The lists of a quantiser, as far as they are live in one generation."""

    def __init__(
        self, quantiser: Quantiser, centroids: NDArray[np.float32], lists: Lists, late: Late, live: NDArray[np.int64]
    ) -> None:
        self._quantiser = quantiser
        self._centroids = centroids
        self._lists = lists
        self._late = late
        self._count = len(live)
        self._live = None if len(live) == len(lists.ids) + len(late.ids) else bits(live)

    @classmethod
    def of(cls, library: Library, quantiser: Quantiser, live: NDArray[np.int64]) -> Quantised:
        """Return that of the passages `live`. If the file is missing or damaged, it is made anew."""
        centroids = library.centroids(quantiser)
        lists = standing_lists(library, quantiser, centroids)
        late = Late.none(centroids).and_more(library, _after(live, lists), centroids)
        return cls(quantiser, centroids, lists, late, live)

    def forward(self, library: Library, held: NDArray[np.int64], live: NDArray[np.int64]) -> Quantised:
        lists, late = self._lists, self._late
        history = library.meta["history"]
        header = read_header(place(library.folder, self._quantiser), self._quantiser, history)
        if header is not None and header.complete_to > lists.complete_to:
            # Some were taken into the file: fewer are to be held in memory.
            lists = standing_lists(library, self._quantiser, self._centroids)
            late = Late.none(self._centroids)
        fresh = np.setdiff1d(_after(live, lists), late.ids, assume_unique=True)
        late = late.and_more(library, fresh, self._centroids)
        return Quantised(self._quantiser, self._centroids, lists, late, live)

    def shortlist(
        self, query: NDArray[np.float32], count: int, among: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        total, there, wanted = len(self._centroids), self._count, self._live
        if among is not None:
            there, wanted = len(among), bits(among)
        probes = probed(total, count, there)
        while True:
            ids, scores = self._best(query, count, probes, wanted)
            if len(ids) >= min(count, there) or probes == total:
                return ids, scores
            probes = min(total, _WIDEN * probes)

    def _best(
        self, query: NDArray[np.float32], count: int, probes: int, wanted: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        ids, scores = self._lists.search(query, count, probes, wanted)
        if len(self._late.ids):
            more, theirs = search(self._late.index, query, count, probes, wanted)
            ids, scores = np.concatenate([ids, more]), np.concatenate([scores, theirs])
            best = np.argsort(-scores, kind="stable")[:count]
            ids, scores = ids[best], scores[best]
        return ids, scores

    def vectors(self, passages: Sequence[int]) -> NDArray[np.float32]:
        wanted = np.asarray(passages, dtype=np.int64)
        found = np.empty((len(wanted), self._centroids.shape[1]), dtype=np.float32)
        late = wanted > self._lists.complete_to
        found[~late] = self._lists.vectors(wanted[~late])
        found[late] = self._late.vectors(wanted[late])
        return unit(found)


def probed(lists: int, count: int, there: int) -> int:
    """Return how many of the lists are looked through for `count` of the passages, of which so many are `there`."""
    # There are as many lists as the root of the passages. What has shrunk since is thinner in them: more are needed.
    for_recall = max(_PROBES, -(-lists * _PROBES // max(1, isqrt(there))))
    for_count = -(-lists * count * _ENOUGH // max(1, there))
    return min(lists, max(for_recall, for_count))


def _after(live: NDArray[np.int64], lists: Lists) -> NDArray[np.int64]:
    return live[np.searchsorted(live, lists.complete_to, side="right") :]


# ---- the file -------------------------------------------------------------------------------------------------------


def standing_lists(library: Library, quantiser: Quantiser, centroids: NDArray[np.float32]) -> Lists:
    """Return the lists of a quantiser, made anew if they are missing or damaged.

    While another process writes, or where nothing may be written, they are made for this process only.
    """
    path, history = place(library.folder, quantiser), library.meta["history"]
    lists = open_lists(path, quantiser, history, centroids)
    if lists is not None:
        return lists
    _log.info("making the lists of vectors anew")
    try:
        with folder_lock(library.folder, 0.0):
            renew_lists(library, quantiser, library.kept_ids())
        lists = open_lists(path, quantiser, history, centroids)
    except LibraryError as error:
        _log.info("they are made for this process only: %s", error)
    if lists is None:
        with tempfile.TemporaryDirectory(prefix="citespan-") as scratch:
            own = Path(scratch) / path.name
            ids = np.asarray(library.kept_ids(), dtype=np.int64)
            write_lists(own, quantiser, history, centroids, ids, library.stored_vectors, None)
            # What is mapped stays when its name is gone.
            lists = open_lists(own, quantiser, history, centroids)
    assert lists is not None
    return lists


def renew_lists(library: Library, quantiser: Quantiser, ids: Sequence[int]) -> None:
    """Write the lists of a quantiser for the passages `ids`, ascending. Under the writer's lock."""
    path, history, centroids = place(library.folder, quantiser), library.meta["history"], library.centroids(quantiser)
    before = open_lists(path, quantiser, history, centroids)
    write_lists(path, quantiser, history, centroids, np.asarray(ids, dtype=np.int64), library.stored_vectors, before)

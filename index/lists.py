"""The vectors of all kept passages, in the lists of a quantiser: a file that is mapped into memory.

It is derived from the library and lies in its folder `vectors`, one file a quantiser. It holds the passages of every
generation that is kept up to `complete_to`, so that a change of few documents, a rollback or a question about the past
needs no other one. A vector stands there as in the library, in float16. Only what is looked at is read: no program has
to load a large library's vectors, and those of one machine share them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.quantiser import nearest_list
from index.types import Quantiser

FORMAT = 1
_FOLDER = "vectors"
_ID = 8
# In so many vectors, and so many numbers, there is room for a list: what follows it is aligned for any dimension.
_ROOM = 4
_ALIGNED = 64
_LENGTH = 8
_HASH = 32
# Its type stubs know the C++ classes, and not how they are called from Python.
_faiss: Any = faiss
_log = logging.getLogger(__name__)

Read = Callable[[Sequence[int]], Iterable[tuple[Sequence[int], NDArray[np.float16]]]]
"""Passages → their vectors as the library has them, in that order, in batches: ids, and float16 (ids, dimensions)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each list stands in the file: all int64 (lists,).

    A list is its vectors, room for `rooms` of them, and then as many ids; `sizes` of each are used.
    """

    dimensions: int
    sizes: NDArray[np.int64]
    rooms: NDArray[np.int64]
    starts: NDArray[np.int64]
    end: int

    @classmethod
    def of(cls, dimensions: int, sizes: NDArray[np.int64], start: int) -> Layout:
        """Return the layout of lists of those sizes from the byte `start` on."""
        rooms = -(-sizes // _ROOM) * _ROOM
        ends = start + np.cumsum(rooms * (2 * dimensions + _ID))
        return cls(dimensions, sizes, rooms, np.concatenate(([start], ends[:-1])), int(ends[-1]))

    @property
    def row(self) -> int:
        """How many bytes a vector has."""
        return 2 * self.dimensions

    @property
    def ids(self) -> NDArray[np.int64]:
        """Where the ids of each list start."""
        return self.starts + self.rooms * self.row


class Lists:
    """A file of lists, open for searches from any thread."""

    def __init__(self, path: Path, centroids: NDArray[np.float32], complete_to: int, layout: Layout) -> None:
        self.complete_to = complete_to
        self._layout = layout
        # FAISS keeps the file mapped, and what follows reads the same memory.
        inverted = _faiss.OnDiskInvertedLists(len(centroids), layout.row, str(path))
        table = np.stack([layout.sizes, layout.rooms, layout.starts], axis=1)
        faiss.memcpy(inverted.lists.data(), faiss.swig_ptr(table.view(np.uint8)), table.nbytes)
        inverted.totsize = layout.end
        inverted.read_only = True
        inverted.prefetch_nthread = 0  # else every search starts threads
        inverted.do_mmap()
        self._index = searchable(centroids, inverted, int(layout.sizes.sum()))
        self._bytes: NDArray[np.uint8] = faiss.rev_swig_ptr(inverted.ptr, layout.end)
        ids, places = self._places()
        order = np.argsort(ids)
        self.ids: NDArray[np.int64] = ids[order]
        """The passages it holds, ascending."""
        self._starts = places[order]
        if len(ids) > 1 and not (np.diff(self.ids) > 0).all():
            raise ValueError("a passage stands in it twice")

    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids in the order of the file, and where the vector of each starts."""
        layout = self._layout
        ids = [np.empty(0, dtype=np.int64), *(self.list(number)[0] for number in range(len(layout.sizes)))]
        firsts = np.repeat(layout.starts, layout.sizes)
        within = np.arange(len(firsts)) - np.repeat(np.cumsum(layout.sizes) - layout.sizes, layout.sizes)
        return np.concatenate(ids), firsts + within * layout.row

    def list(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Return the ids and vectors of one list."""
        layout, size = self._layout, int(self._layout.sizes[number])
        start, ids = int(layout.starts[number]), int(layout.ids[number])
        vectors = self._bytes[start : start + size * layout.row].view(np.float16).reshape(size, layout.dimensions)
        return self._bytes[ids : ids + size * _ID].view(np.int64), vectors

    def search(
        self, query: NDArray[np.float32], count: int, probes: int, live: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `count` best in the `probes` lists nearest to `query`; see `search`."""
        return search(self._index, query, count, probes, live)

    def vectors(self, passages: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return the vectors of `passages`, all of which it holds, as the library has them."""
        row = self._layout.row
        starts = self._starts[np.searchsorted(self.ids, passages)].tolist()
        found = np.empty((len(starts), row), dtype=np.uint8)
        for place, start in enumerate(starts):
            found[place] = self._bytes[start : start + row]
        return found.view(np.float16)


def searchable(centroids: NDArray[np.float32], inverted: faiss.InvertedLists, count: int) -> faiss.Index:
    """Return an index over lists that hold `count` float16 vectors; `inverted` is the index's from now on."""
    dimensions = centroids.shape[1]
    nearest = faiss.IndexFlatIP(dimensions)
    nearest.add(centroids)
    index = faiss.IndexIVFScalarQuantizer(
        nearest, dimensions, len(centroids), faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.replace_invlists(inverted, True)
    owned: Any = inverted
    owned.this.disown()
    index.is_trained = True  # there is nothing to learn for float16
    index.ntotal = count
    return index


def search(
    index: faiss.Index, query: NDArray[np.float32], count: int, probes: int, live: NDArray[np.uint8] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the `count` passages with the greatest scores in the `probes` lists nearest to `query`, best first.

    Fewer if there are not more. `live` has a bit for each id, and only those set are found; None finds all.
    """
    parameters = _faiss.SearchParametersIVF(nprobe=probes, sel=None if live is None else _faiss.IDSelectorBitmap(live))
    scores, ids = index.search(query.reshape(1, -1), count, params=parameters)
    found = ids[0] >= 0
    return ids[0][found], scores[0][found]


# ---- files ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: whose it is, up to which passage it is complete, and how long each list is."""

    history: str
    quantiser: str
    complete_to: int
    sizes: Sequence[int]

    def data(self) -> bytes:
        """Return the bytes at the beginning of the file, as many as there are before the first list."""
        known = {"format": FORMAT, "history": self.history, "quantiser": self.quantiser,
                 "complete_to": self.complete_to, "sizes": list(self.sizes)}  # fmt: skip
        text = json.dumps(known).encode()
        data = len(text).to_bytes(_LENGTH, "little") + text + hashlib.sha256(text).digest()
        return data.ljust(-(-len(data) // _ALIGNED) * _ALIGNED, b"\0")


def place(folder: Path, quantiser: Quantiser) -> Path:
    """Return where the lists of a quantiser lie in the library's folder."""
    return folder / _FOLDER / f"{quantiser.number}.lists"


def sweep_lists(folder: Path, wanted: Iterable[Quantiser]) -> None:
    """Delete what lies beside the lists of the quantisers `wanted`: that of others, and what was not written whole."""
    names = {place(folder, quantiser).name for quantiser in wanted}
    for path in (folder / _FOLDER).glob("*"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def read_header(path: Path, quantiser: Quantiser, history: str) -> Header | None:
    """Return what the file at `path` says of itself, None if it is none of this library and quantiser, or damaged."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if length > path.stat().st_size:
                return None
            text, digest = file.read(length), file.read(_HASH)
    except OSError:
        return None
    if hashlib.sha256(text).digest() != digest:
        return None
    known = json.loads(text)
    if (known["format"], known["history"], known["quantiser"]) != (FORMAT, history, quantiser.sha256):
        return None
    return Header(history, quantiser.sha256, known["complete_to"], known["sizes"])


def open_lists(path: Path, quantiser: Quantiser, history: str, centroids: NDArray[np.float32]) -> Lists | None:
    """Return the lists at `path`, None if there are none that are whole and of this library and quantiser."""
    header = read_header(path, quantiser, history)
    if header is None:
        return None
    layout = Layout.of(centroids.shape[1], np.asarray(header.sizes, dtype=np.int64), len(header.data()))
    try:
        if len(layout.sizes) != len(centroids) or path.stat().st_size != layout.end:
            raise ValueError("it is not as long as it says")
        return Lists(path, centroids, header.complete_to, layout)
    except (ValueError, OSError, RuntimeError) as error:
        _log.warning("the lists of vectors cannot be read and are made anew: %s", error)
        return None


def write_lists(
    path: Path, quantiser: Quantiser, history: str, centroids: NDArray[np.float32], ids: NDArray[np.int64], read: Read,
    before: Lists | None,
) -> None:  # fmt: skip
    """Put a file with the passages `ids`, ascending, at `path`, whole or not at all.

    What `before` has of them is copied; only the others are read and sorted into lists. Memory is bounded but for some
    bytes a passage.
    """
    held = np.empty(0, dtype=np.int64) if before is None else before.ids
    fresh = np.setdiff1d(ids, held, assume_unique=True)
    lists = np.concatenate(
        [np.empty(0, dtype=np.int64), *(nearest_list(vectors, centroids) for _, vectors in read(fresh.tolist()))]
    )
    sizes = np.bincount(lists, minlength=len(centroids))
    stay = [np.empty(0, dtype=np.int64)] * len(centroids)
    if before is not None:
        stay = [np.flatnonzero(np.isin(before.list(n)[0], ids)) for n in range(len(centroids))]
    kept = np.asarray([len(rows) for rows in stay], dtype=np.int64)
    newest = int(ids[-1]) if len(ids) else 0
    header = Header(history, quantiser.sha256, newest, (kept + sizes).tolist())
    layout = Layout.of(centroids.shape[1], kept + sizes, len(header.data()))
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
    try:
        with draft.open("wb") as file:
            file.truncate(layout.end)
            _fill(file.fileno(), layout, before, stay, fresh, lists, read)
            os.pwrite(file.fileno(), header.data(), 0)
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _fill(
    file: int, layout: Layout, before: Lists | None, stay: Sequence[NDArray[np.int64]], fresh: NDArray[np.int64],
    lists: NDArray[np.int64], read: Read,
) -> None:  # fmt: skip
    """Write the lists: first what stays of `before`, then the passages `fresh`, which go into `lists`."""
    order = np.argsort(lists, kind="stable")
    ends = np.cumsum(np.bincount(lists, minlength=len(stay)))
    starts = np.empty(len(fresh), dtype=np.int64)
    for number, rows in enumerate(stay):
        start = int(layout.starts[number])
        new = order[ends[number - 1] if number else 0 : ends[number]]
        ids = fresh[new]
        if before is not None and len(rows):
            old, vectors = before.list(number)
            os.pwrite(file, vectors[rows].tobytes(), start)
            ids = np.concatenate([old[rows], ids])
        starts[new] = start + (len(rows) + np.arange(len(new))) * layout.row
        os.pwrite(file, ids.tobytes(), int(layout.ids[number]))
    done = 0
    for batch, vectors in read(fresh.tolist()):
        for vector, start in zip(vectors, starts[done : done + len(batch)].tolist(), strict=True):
            os.pwrite(file, vector.tobytes(), start)
        done += len(batch)

"""Posting lists on the disk: which passages hold a term, how often, and how long they are.

A **segment** is one file that never changes once it is written: the ids of its passages, and for each field its terms
in the order of their bytes with a list of **postings** each. A posting is one number, `row << 11 | code`: the row of a
passage among the segment's ids, and what BM25 needs to know of the term there. Segments are mapped into memory, so
that processes share them and a start reads each of them once, to compare its checksum.

Laid out as `struct` says below, then the ids (int64), then for each field where each term's postings start (int64, one
more than terms), where its letters start (the same), the postings (uint32), the letters (UTF-8); each part begins at a
multiple of 8 bytes. The last four bytes are the CRC-32 of all before.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from index.terms import terms

FIELDS = ("text", "title")
# Up to so many occurrences of a term, and terms of a text or title, are told apart.
MOST = 8
LONGEST = 255
# The code of a posting: how often less one, then the length.
_LENGTH_BITS = 8
_CODE_BITS = 11
CODES = 1 << _CODE_BITS
# Rows have the other bits.
MOST_ROWS = 1 << 32 - _CODE_BITS
_MAGIC = b"citespw1"
_HEADER = struct.Struct("<8sq" + "qqq" * len(FIELDS))
_CHECK = struct.Struct("<I")
# Postings worked on at a time: some 25 MB while a segment is merged.
_CHUNK = 500_000
# Postings gathered in memory before they are written: some 25 MB.
_DRAFT = 1_000_000

Entry = tuple[int, str, str]
"""A passage as it is indexed: id, title of its document, text."""

Ints = NDArray[np.int64]
Packed = NDArray[np.uint32]


class SegmentDamaged(ValueError):
    """The file is not a segment, or not as it was written."""


@dataclass(frozen=True, slots=True)
class _Lists:
    """The terms of one field and their postings, which start at `starts` and end where the next ones start."""

    letters: memoryview
    bounds: memoryview
    starts: Ints
    postings: Packed

    def terms(self) -> list[bytes]:
        letters, bounds = bytes(self.letters), self.bounds.tolist()
        return [letters[start:end] for start, end in pairwise(bounds)]

    def of(self, term: bytes) -> Packed:
        """Return the postings of a term, by the order of their rows; none if no passage holds it."""
        low, high = 0, len(self.bounds) - 1
        while low < high:
            middle = (low + high) // 2
            if bytes(self.letters[self.bounds[middle] : self.bounds[middle + 1]]) < term:
                low = middle + 1
            else:
                high = middle
        if low == len(self.bounds) - 1 or bytes(self.letters[self.bounds[low] : self.bounds[low + 1]]) != term:
            return self.postings[:0]
        return self.postings[self.starts[low] : self.starts[low + 1]]


class Segment:
    """One file of posting lists, read from any thread.

    :raises SegmentDamaged: if it is not as it was written.
    :raises OSError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _HEADER.size + _CHECK.size:
                raise SegmentDamaged(f"{path.name} is too short")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        view = memoryview(data)
        magic, passages, *sizes = _HEADER.unpack_from(view)
        if magic != _MAGIC or zlib.crc32(view[: -_CHECK.size]) != _CHECK.unpack_from(view, len(view) - _CHECK.size)[0]:
            raise SegmentDamaged(f"{path.name} is not as it was written")
        parts = _Parts(view)
        self.ids: Ints = parts.array(passages, np.int64)
        """The passages it holds, ascending."""
        self._fields = {}
        for field, (count, postings, letters) in zip(FIELDS, zip(*[iter(sizes)] * 3, strict=True), strict=True):
            starts, bounds = parts.array(count + 1, np.int64), parts.bytes(8 * (count + 1)).cast("q")
            self._fields[field] = _Lists(
                bounds=bounds, starts=starts, postings=parts.array(postings, np.uint32), letters=parts.bytes(letters)
            )

    def __len__(self) -> int:
        return len(self.ids)

    def lists(self, field: str) -> _Lists:
        return self._fields[field]

    def holding(self, field: str, term: str) -> Packed:
        """Return the postings of a term in a field, by the order of their rows: uint32 (passages,)."""
        return self._fields[field].of(term.encode())


def coded(words: str) -> dict[str, int]:
    """Return the code of each term of a text or title, in the order in which they first stand there."""
    found = terms(words)
    length = min(len(found), LONGEST)
    return {term: (min(times, MOST) - 1) << _LENGTH_BITS | length for term, times in Counter(found).items()}


def rows_of(postings: Packed) -> NDArray[np.uint32]:
    """Return the rows of postings."""
    return postings >> np.uint32(_CODE_BITS)


def packed(rows: Ints) -> Packed:
    """Return for each row what no posting of it is less than, and every posting of an earlier row is."""
    return rows.astype(np.uint32) << np.uint32(_CODE_BITS)


def codes_of(postings: Packed) -> NDArray[np.uint32]:
    """Return the codes of postings, which count in `counts` and `lengths`."""
    return postings & np.uint32(CODES - 1)


def counts() -> NDArray[np.uint8]:
    """Return how often each code says that a term stands there: 1 to MOST, uint8 (CODES,)."""
    return (np.arange(CODES) >> _LENGTH_BITS).astype(np.uint8) + np.uint8(1)


def lengths() -> NDArray[np.uint8]:
    """Return how many terms each code says that there are: 0 to LONGEST, uint8 (CODES,)."""
    return (np.arange(CODES) & LONGEST).astype(np.uint8)


# ---- writing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Planned:
    """The lists of one field to be written: its terms, where each one's postings start, and all postings in order."""

    terms: Sequence[bytes]
    starts: Ints
    postings: Iterable[Packed]


def write(folder: Path, entries: Iterable[Entry], name: Iterator[str]) -> list[Segment]:
    """Write passages, whose ids ascend, as segments, several if they are many, and return them."""
    made = []
    draft = _Draft()
    for entry in entries:
        draft.add(*entry)
        if len(draft) >= _DRAFT or len(draft.ids) == MOST_ROWS:
            made.append(draft.write(folder / next(name)))
            draft = _Draft()
    if draft.ids:
        made.append(draft.write(folder / next(name)))
    return made


class _Draft:
    """Passages that become a segment."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self._terms: dict[str, dict[str, int]] = {field: {} for field in FIELDS}
        # A term's number in the order in which it came, above the posting. As numbers of Python they would take five
        # times the memory.
        self._keys = {field: array("q") for field in FIELDS}

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._keys.values())

    def add(self, number: int, title: str, text: str) -> None:
        row = len(self.ids)
        self.ids.append(number)
        for field, words in (("text", text), ("title", title)):
            known, keys = self._terms[field], self._keys[field]
            for term, code in coded(words).items():
                key = known.setdefault(term, len(known))
                keys.append(key << 32 | row << _CODE_BITS | code)

    def write(self, path: Path) -> Segment:
        return _write(path, np.asarray(self.ids, dtype=np.int64), [self._planned(field) for field in FIELDS])

    def _planned(self, field: str) -> _Planned:
        keys = np.frombuffer(self._keys[field], dtype=np.int64)
        words = [term.encode() for term in self._terms[field]]
        order = sorted(range(len(words)), key=words.__getitem__)
        rank = np.empty(len(words), dtype=np.int64)
        rank[order] = np.arange(len(words))
        ranked = rank[keys >> 32]
        starts = _starts(np.bincount(ranked, minlength=len(words)))
        # In place: a copy of them is as large as all that is gathered.
        ranked <<= 32
        ranked |= keys.astype(np.uint32)
        ranked.sort()
        return _Planned([words[i] for i in order], starts, [ranked.astype(np.uint32)])


def merge(path: Path, segments: Sequence[Segment]) -> Segment:
    """Write one segment that holds what `segments` do, whose ids ascend from one to the next, and return it."""
    firsts = np.cumsum([0, *(len(segment) for segment in segments)])
    ids = np.concatenate([segment.ids for segment in segments])
    return _write(path, ids, [_merged([s.lists(field) for s in segments], firsts) for field in FIELDS])


def _merged(lists: Sequence[_Lists], firsts: Ints) -> _Planned:
    each = [one.terms() for one in lists]
    every = sorted(set().union(*each))
    at = {term: number for number, term in enumerate(every)}
    places = [np.fromiter((at[term] for term in terms), dtype=np.int64, count=len(terms)) for terms in each]
    sizes = np.zeros(len(every), dtype=np.int64)
    for one, place in zip(lists, places, strict=True):
        sizes[place] += np.diff(one.starts)
    starts = _starts(sizes)

    def postings() -> Iterator[Packed]:
        for first, last in _chunks(starts):
            free = starts[first:last] - starts[first]
            out = np.empty(starts[last] - starts[first], dtype=np.uint32)
            for one, place, row in zip(lists, places, firsts[:-1], strict=True):
                low, high = np.searchsorted(place, (first, last))
                begins, held = one.starts[low:high], np.diff(one.starts[low : high + 1])
                if not len(held):
                    continue
                mine = place[low:high] - first
                to = np.repeat(free[mine] - begins, held) + np.arange(one.starts[low], one.starts[high])
                # Rows ascend within a list: the rows of one segment come after those of the one before.
                out[to] = one.postings[one.starts[low] : one.starts[high]] + np.uint32(row << _CODE_BITS)
                free[mine] += held
            yield out

    return _Planned(every, starts, postings())


def without(path: Path, segment: Segment, kept: NDArray[np.bool_]) -> Segment:
    """Write a segment that holds the passages of `segment` that are `kept` (passages,), and return it."""
    rows = (np.cumsum(kept) - 1).astype(np.uint32)
    return _write(path, segment.ids[kept], [_thinned(segment.lists(field), kept, rows) for field in FIELDS])


def _thinned(lists: _Lists, kept: NDArray[np.bool_], rows: NDArray[np.uint32]) -> _Planned:
    sizes = np.concatenate([
        np.zeros(0, dtype=np.int64),
        *(
            np.add.reduceat(kept[rows_of(_between(lists, first, last))], lists.starts[first:last] - lists.starts[first],
                            dtype=np.int64)
            for first, last in _chunks(lists.starts)
        ),
    ])  # fmt: skip

    def postings() -> Iterator[Packed]:
        for first, last in _chunks(lists.starts):
            held = _between(lists, first, last)
            held = held[kept[rows_of(held)]]
            yield rows[rows_of(held)] << np.uint32(_CODE_BITS) | codes_of(held)

    terms = [term for term, size in zip(lists.terms(), sizes.tolist(), strict=True) if size]
    return _Planned(terms, _starts(sizes[sizes > 0]), postings())


def _between(lists: _Lists, first: int, last: int) -> Packed:
    return lists.postings[lists.starts[first] : lists.starts[last]]


def _starts(sizes: Ints) -> Ints:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def _chunks(starts: Ints) -> Iterator[tuple[int, int]]:
    """Yield from which term to which to go at a time: about `_CHUNK` postings, or one term."""
    first, count = 0, len(starts) - 1
    while first < count:
        last = int(np.searchsorted(starts, starts[first] + _CHUNK, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _write(path: Path, ids: Ints, fields: Sequence[_Planned]) -> Segment:
    sizes = [size for one in fields for size in (len(one.terms), int(one.starts[-1]), sum(map(len, one.terms)))]
    with path.open("wb") as file:
        out = _Out(file)
        out.put([_HEADER.pack(_MAGIC, len(ids), *sizes)])
        out.put([ids.tobytes()])
        for one in fields:
            out.put([one.starts.tobytes()])
            out.put([_starts(np.asarray([len(term) for term in one.terms], dtype=np.int64)).tobytes()])
            out.put(postings.tobytes() for postings in one.postings)
            out.put([b"".join(one.terms)])
        file.write(_CHECK.pack(out.check))
        file.flush()
        # What names it as whole is written next, and must not reach the disk before it.
        os.fsync(file.fileno())
    return Segment(path)


class _Out:
    """A file that is written part by part, and its checksum so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.check = 0

    def put(self, pieces: Iterable[bytes]) -> None:
        """Write one part, and fill up to a multiple of 8 bytes."""
        size = 0
        for piece in pieces:
            self._bytes(piece)
            size += len(piece)
        self._bytes(bytes(-size % 8))

    def _bytes(self, data: bytes) -> None:
        self._file.write(data)
        self.check = zlib.crc32(data, self.check)


class _Parts:
    """The parts of a mapped segment, taken one after the other."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = _HEADER.size

    def bytes(self, size: int) -> memoryview:
        start, self._at = self._at, self._at + size + -size % 8
        if size < 0 or self._at > len(self._view) - _CHECK.size:
            raise SegmentDamaged("a segment is not as long as it says")
        return self._view[start : start + size]

    def array(self, count: int, kind: type[Any]) -> NDArray[Any]:
        part: NDArray[Any] = np.frombuffer(self.bytes(count * np.dtype(kind).itemsize), dtype=kind)
        return part

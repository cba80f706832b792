"""Is a text really gone? The bytes of every file in the library's folder are searched for it.

Where the truth is in PostgreSQL, so are the rows of its tables; its own files are its server's (docs/postgres.md)."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from index.errors import LibraryNotFound
from index.load.normalise import normalise, tidy
from index.sentences import split
from index.truth import truth_of

# Shorter pieces stand in many texts by chance: "Yes." proves nothing.
_SHORTEST = 12
_ENCODINGS = ("utf-8", "utf-16-le")
_NAMED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece of the text was found."""

    file: str
    offset: int
    encoding: str


@dataclass(frozen=True, slots=True)
class Absence:
    """What was searched, and the places where a piece was found; none is the proof."""

    pieces: int
    files: int
    bytes: int
    places: tuple[Place, ...]


def search(folder: Path, text: str) -> Absence:
    """Search every file below the library's folder for the sentences of `text`, whole text included.

    Pieces of fewer than 12 characters are left out unless that is all there is. In the word index text is cut into
    stemmed words: a purge writes anew each of its files that held some of the text.

    Not for a process that has the library open: closing a file drops every lock that SQLite has on it there, and
    without them the library can be damaged.

    :raises LibraryNotFound: if there is no library.
    :raises ValueError: if there is nothing to search for.
    """
    truth = truth_of(folder)
    if not truth.exists():
        raise LibraryNotFound(f"{folder}: no library there")
    canonical = tidy(normalise(text))
    if not canonical.strip():
        raise ValueError("nothing to search for")
    sentences = [sentence.span.of(canonical) for sentence in split(canonical, None)]
    pieces = [piece for piece in dict.fromkeys(sentences) if len(piece) >= _SHORTEST] or [canonical]
    needles = [(piece.encode(encoding), encoding) for piece in pieces for encoding in _ENCODINGS]
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    places: list[Place] = []
    size = 0
    for path in files:
        length = path.stat().st_size
        size += length
        if length == 0:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for needle, encoding in needles:
                offset = data.find(needle)
                if offset >= 0 and len(places) < _NAMED:
                    places.append(Place(path.relative_to(folder).as_posix(), offset, encoding))
    places += [Place(name, offset, "utf-8") for name, offset in truth.holding(pieces)]
    return Absence(len(pieces), len(files), size, tuple(places))

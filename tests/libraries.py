"""What tests ask of a library folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from index.check import check_library
from index.lexical import LexicalIndex
from index.library import Library
from index.store import LocalStore
from index.types import Filter
from tests.fakes import HashingEmbedder


def texts(folder: Path, generation: int | None = None) -> dict[str, str]:
    """Return the canonical text of every document live in a generation, the newest active one if none is given.

    By uri, no two of which may be the same.
    """
    library = Library(folder)
    try:
        number = library.generation().number if generation is None else generation
        documents = library.documents(number, limit=1_000)
        found = {
            d.uri: library.revision(d.revision, document_id=d.id, generation=number).text for d in documents
        }  # fmt: skip
        assert len(found) == len(documents)
        return found
    finally:
        library.close()


def ids(folder: Path) -> dict[str, str]:
    """Return the id of every live document by uri."""
    library = Library(folder)
    try:
        return {d.uri: d.id for d in library.documents(library.generation().number, limit=1_000)}
    finally:
        library.close()


def found(folder: Path, words: str, *, generation: int | None = None) -> list[str]:
    """Return the passages that a fresh process finds by words and those it finds by vector, each once, sorted.

    By vector everything is near; only those that share a word count.
    """
    store = LocalStore(folder, HashingEmbedder())
    try:
        now = store.current() if generation is None else store.at(generation)
        near = now.by_vector(now.embed(words), 1_000, Filter())
        hits = [*now.by_words(words, 1_000, Filter()), *near]
        wanted = set(words.lower().split())
        return sorted({h.passage.text for h in hits if wanted & set(h.passage.text.lower().rstrip(".").split())})
    finally:
        store.close()


def assert_whole(folder: Path, embedder: HashingEmbedder | None = None) -> None:
    """Assert that everything in the library fits together, and that each index holds what it should and no more."""
    assert check_library(folder).problems == ()
    store = LocalStore(folder, HashingEmbedder() if embedder is None else embedder)
    try:
        for generation in store.library.generations():
            if not generation.purged:
                live = store.library.live_ids(generation.number)
                assert store.at(generation.number).vectors.ids() == live
        words = LexicalIndex(folder, store.library.meta["history"])
        assert words.searcher().ids() == store.library.kept_ids()
    finally:
        store.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@contextmanager
def interrupted_at(event: str, function: Callable[..., object], *, after: int = 1) -> Iterator[None]:
    """Have Ctrl-C come when `function` is called ("call") or returns ("return") for the time number `after`."""
    left = after

    def interrupt(frame: FrameType, what: str, _: object) -> None:
        nonlocal left
        if what == event and frame.f_code is getattr(function, "__code__"):  # noqa: B009
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        yield
    finally:
        sys.setprofile(None)

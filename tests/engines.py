"""Qdrant for the tests: the client's own engine in memory, which needs no server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient

from index.library import Library
from index.remote.address import Address
from index.remote.circuit import Circuit
from index.remote.engine import Engine
from index.remote.lexicon import Lexicon
from index.remote.lexicons import FOLDER, reading
from index.remote.patience import Patience
from index.remote.store import QdrantStore
from index.store import LocalStore
from index.types import Filter, Hit
from tests.fakes import HashingEmbedder

ADDRESS = Address.parse("qdrant://engine/news")
# What the client's own engine has no use for, and says so.
QUIET = "ignore:(Local mode performs|Payload indexes have no effect):UserWarning"
AT_ONCE = Patience(sleep=lambda seconds: None)


class InTurn:
    """Something whose methods are called by one thread at a time: the client's own engine is not made for several."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self._turn = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def in_turn(*args: Any, **named: Any) -> Any:
            with self._turn:
                return found(*args, **named)

        return in_turn


class Kept(QdrantClient):
    """A client that stays open when a store that used it is closed."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self._client: Any = InTurn(self._client)

    def close(self, grpc_grace: float | None = None, **_: object) -> None:
        pass


def in_memory(client: QdrantClient | None = None, *, circuit: Circuit | None = None) -> Engine:
    """Return an engine in memory, a new one unless its client is given."""
    return Engine(Kept(":memory:") if client is None else client, ADDRESS, circuit=circuit, patience=AT_ONCE)


Row = tuple[str, str, float, int]


def rows(hits: list[Hit]) -> list[Row]:
    """Return what is to be the same of hits, wherever they were found."""
    return [(hit.passage.text, hit.passage.document.id, hit.score, hit.rank) for hit in hits]


def assert_alike(
    folder: Path, engine: Engine, queries: list[str], filters: list[Filter], embedder: HashingEmbedder | None = None
) -> None:
    """Assert that a library gives the same passages, scores and order from its folder and from an engine.

    In every generation that can be asked, to the last bit.
    """
    embedder = HashingEmbedder() if embedder is None else embedder
    local, remote = LocalStore(folder, embedder), QdrantStore(folder, embedder, engine)
    try:
        assert remote.current().generation == local.current().generation
        asked = [generation.number for generation in local.library.generations() if not generation.purged]
        for number in asked:
            here, there = local.at(number), remote.at(number)
            assert there.generation == here.generation
            for query in queries:
                vector = embedder.embed([query])[0]
                for where in filters:
                    for limit in (1, 3, 50):
                        found = here.by_words(query, limit, where)
                        assert rows(there.by_words(query, limit, where)) == rows(found)
                        assert rows(there.by_vector(vector, limit, where)) == rows(here.by_vector(vector, limit, where))
                passages = [hit.passage for hit in here.by_vector(vector, 50, Filter())]
                assert there.cosines(vector, passages) == here.cosines(vector, passages)
                assert there.shares(query, passages) == here.shares(query, passages)
    finally:
        local.close()
        remote.close()


def points(engine: Engine) -> set[int]:
    """Return the ids of all points of the collection in use."""
    return set(engine.ids(engine.aliases()[ADDRESS.name]))


def kept(folder: Path) -> set[int]:
    """Return the ids of the passages of all kept generations of a library."""
    library = Library(folder)
    try:
        return set(library.kept_ids())
    finally:
        library.close()


@contextmanager
def lexicon(folder: Path, engine: Engine) -> Iterator[Lexicon]:
    """Yield the terms of the collection in use."""
    with closing(Library(folder)) as library, closing(reading(library)) as lexicons:
        found = lexicons.find(engine.aliases()[ADDRESS.name])
        assert found is not None
        yield found


def terms_of(folder: Path) -> list[str]:
    """Return the collections that a library keeps terms for."""
    with closing(Library(folder)) as library, closing(reading(library)) as lexicons:
        return lexicons.names()


def written(folder: Path, word: str) -> bool:
    """Return whether a word stands in what the terms of a library are kept in, down to the bytes of its files."""
    files = b"".join(path.read_bytes() for path in folder.glob(f"{FOLDER}/*"))
    with closing(Library(folder)) as library:
        return word.encode() in files or next(library.truth.holding([word]), None) is not None

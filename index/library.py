"""Reading the library: documents, revisions, passages, vectors and generations. The truth.

Any number of threads and processes read while one writes (`index/writer.py`); a reader names the generation it reads,
so it never sees half of a sync.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import schema
from index.errors import LibraryDamaged, LibraryNotFound, UnknownDocument, UnknownRevision
from index.types import Document, Generation, Kind, Passage, Revision, Sentence, Span

_DOCUMENT = """v.document_id, v.uri, r.id, v.title, v.author, v.publisher, v.published_at, v.language, v.tags,
               r.characters, v.passages, v.added"""
_LIVE = "v.added <= :g AND v.removed > :g"
# How many ids one statement names: well under SQLite's limit on parameters.
_BATCH = 500


class Library:
    """An open library folder, for reading from any thread.

    :raises LibraryNotFound: if there is none in `folder`.
    :raises LibraryDamaged: if its SQLite file cannot be read.
    :raises LibraryFormat: if another version of Citespan wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / schema.FILE_NAME
        if not self.path.is_file():
            raise LibraryNotFound(f"{folder}: no library there; make one with `citespan --library {folder} sync PATH`")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        try:
            self.meta: Mapping[str, str] = dict(self._connection().execute("SELECT key, value FROM meta"))
            schema.check_format(self.path, dict(self.meta))
        except sqlite3.DatabaseError as error:
            self.close()
            raise LibraryDamaged(f"{self.path}: not a readable library ({error})") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = schema.connect(self.path, writable=False)
            self._local.connection = connection
            with self._guard:
                self._connections.append(connection)
        return connection

    # ---- generations --------------------------------------------------------------------------------------------

    def generation(self) -> Generation:
        """Return the newest generation; number 0, dated "", if nothing was ever synced."""
        return next(iter(self.generations(limit=1)), Generation(0, "", 0, 0, {}))

    def generations(self, limit: int = 100) -> list[Generation]:
        """Return the newest generations, newest first."""
        rows = self._connection().execute(
            "SELECT number, created_at, documents, passages, summary FROM generations ORDER BY number DESC LIMIT ?",
            (limit,),
        )
        return [
            Generation(n, at, documents, passages, json.loads(summary)) for n, at, documents, passages, summary in rows
        ]

    # ---- documents ----------------------------------------------------------------------------------------------

    def documents(self, generation: int, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return live documents in the order of their ids, from the first id greater than `after`."""
        rows = self._connection().execute(
            f"SELECT {_DOCUMENT} FROM versions v JOIN revisions r ON r.number = v.revision "
            f"WHERE {_LIVE} AND v.document_id > :after ORDER BY v.document_id LIMIT :limit",
            {"g": generation, "after": after, "limit": limit},
        )
        return [_document(row) for row in rows]

    def document(self, generation: int, document_id: str) -> Document:
        """Return a live document.

        :raises UnknownDocument: if it is not live in that generation.
        """
        row = (
            self._connection()
            .execute(
                f"SELECT {_DOCUMENT} FROM versions v JOIN revisions r ON r.number = v.revision "
                f"WHERE {_LIVE} AND v.document_id = :id",
                {"g": generation, "id": document_id},
            )
            .fetchone()
        )
        if row is None:
            raise UnknownDocument(
                f"no document {document_id!r} in generation {generation}; `citespan documents` lists them"
            )
        return _document(row)

    def revision(self, revision_id: str, *, document_id: str, generation: int) -> Revision:
        """Return a revision that the document has, or had in an earlier generation.

        :raises UnknownRevision: if it never had that revision by `generation`.
        """
        row = (
            self._connection()
            .execute(
                "SELECT r.text FROM revisions r WHERE r.id = :r AND EXISTS (SELECT 1 FROM versions v "
                "WHERE v.revision = r.number AND v.document_id = :d AND v.added <= :g)",
                {"r": revision_id, "d": document_id, "g": generation},
            )
            .fetchone()
        )
        if row is None:
            raise UnknownRevision(f"document {document_id!r} has no revision {revision_id!r} in this library")
        return Revision(revision_id, row[0].decode())

    # ---- passages -----------------------------------------------------------------------------------------------

    def passages(self, generation: int, ids: Sequence[int]) -> dict[int, Passage]:
        """Return those of the passages `ids` that are live in `generation`, by id."""
        found: dict[int, Passage] = {}
        for batch in _batches(ids):
            rows = self._connection().execute(
                f"SELECT p.id, p.start, p.end, p.byte_start, p.byte_end, p.sentences, v.revision, {_DOCUMENT} "
                f"FROM passages p JOIN versions v ON v.id = p.version_id JOIN revisions r ON r.number = v.revision "
                f"WHERE {_LIVE} AND p.id IN ({','.join(str(int(i)) for i in batch)})",
                {"g": generation},
            )
            for number, start, end, byte_start, byte_end, sentences, revision, *document in rows.fetchall():
                text = self._slice(revision, byte_start, byte_end)
                parts = tuple(Sentence(Span(s, e), Kind(kind)) for s, e, kind in json.loads(sentences))
                found[number] = Passage(number, _document(document), Span(start, end), parts, text)
        return found

    def _slice(self, revision: int, byte_start: int, byte_end: int) -> str:
        # Incremental I/O: a passage at the end of a large document costs a seek, not the whole text.
        with self._connection().blobopen("revisions", "text", revision, readonly=True) as blob:
            blob.seek(byte_start)
            return blob.read(byte_end - byte_start).decode()

    def live_ids(self, generation: int) -> list[int]:
        """Return the ids of all live passages, ascending."""
        return self._ids(_LIVE, {"g": generation})

    def changes(self, since: int, until: int) -> tuple[list[int], list[int]]:
        """Return the passages live in `until` but not in `since`, and those live in `since` but not in `until`."""
        parameters = {"a": since, "g": until}
        added = self._ids("v.added > :a AND v.added <= :g AND v.removed > :g", parameters)
        removed = self._ids("v.added <= :a AND v.removed > :a AND v.removed <= :g", parameters)
        return added, removed

    def _ids(self, condition: str, parameters: Mapping[str, int]) -> list[int]:
        rows = self._connection().execute(
            f"SELECT p.id FROM versions v JOIN passages p ON p.version_id = v.id WHERE {condition} ORDER BY p.id",
            parameters,
        )
        return [row[0] for row in rows]

    def vectors(self, ids: Iterable[int]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield the vectors of passages, in batches: ids and a float32 array (ids, dimensions).

        :raises LibraryDamaged: if a passage has no vector.
        """
        for batch in _batches(list(ids)):
            rows = dict(
                self._connection().execute(
                    "SELECT p.id, x.vector FROM passages p JOIN vectors x ON x.key = p.vector_key "
                    f"WHERE p.id IN ({','.join(str(int(i)) for i in batch)})"
                )
            )
            if len(rows) != len(batch):
                raise LibraryDamaged(f"{self.path}: {len(batch) - len(rows)} passages have no vector; sync anew")
            stacked = np.frombuffer(b"".join(rows[i] for i in batch), dtype=np.float16).reshape(len(batch), -1)
            yield list(batch), stacked.astype(np.float32)


def _document(row: Sequence[Any]) -> Document:
    identity, uri, revision, title, author, publisher, published_at, language, tags, characters, passages, added = row
    return Document(
        identity, uri, revision, title, author, publisher, published_at, language, tuple(json.loads(tags)),
        characters, passages, added,
    )  # fmt: skip


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]

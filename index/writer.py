"""Writing the library: stage as long as it takes, then change everything in one commit.

Staged rows belong to the next generation and are invisible until `commit`. If the process dies before, the next writer
throws them away; only the vectors stay, keyed by what was embedded, so that nothing is embedded twice.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np
from numpy.typing import NDArray

from index import schema
from index.drafts import Draft, FileState
from index.errors import LibraryBusy, LibraryError
from index.groups import store_revision
from index.passages import Cut

_LOCK_NAME = "writer.lock"


def initialise(folder: Path, meta: Mapping[str, str]) -> None:
    """Make a library in `folder` (which may be missing) with the settings `meta`, unless there is one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            f"{folder}: no library can be made there ({error.strerror}); choose another folder"
        ) from error
    path = folder / schema.FILE_NAME
    if path.exists():
        return
    with _lock(folder, timeout=30.0):
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            # Left behind by a library file that someone deleted, they would be taken for parts of this one.
            for name in (f"{schema.FILE_NAME}-wal", f"{schema.FILE_NAME}-shm"):
                (folder / name).unlink(missing_ok=True)
            # Whatever was derived from another library of this place must not be taken for this one's.
            schema.create(draft, {**meta, "history": uuid.uuid4().hex})
            draft.rename(path)


class Writer:
    """The one writer of a library, as a context manager.

    The lock is the operating system's and dies with the process.

    :raises LibraryBusy: if another process is writing and is not done within `timeout` seconds.
    """

    def __init__(self, folder: Path, *, timeout: float = 10.0) -> None:
        self._folder = folder
        self._timeout = timeout

    def __enter__(self) -> Writer:
        self._lock = _lock(self._folder, self._timeout)
        try:
            self._db = schema.connect(self._folder / schema.FILE_NAME, writable=True)
            schema.complete(self._db)
            number = self._db.execute("SELECT coalesce(max(number), 0) FROM generations").fetchone()[0]
            self.generation: int = number + 1
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.close()
        finally:
            self._lock.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a transaction, which is committed if all goes well."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            # A full disk may have rolled it back already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def drop_dead(self) -> None:
        """Delete what belongs to no generation: staged by an interrupted sync, or dropped by retention.

        Vectors stay, keyed by what was embedded. The word index is told by `dropped`.
        """
        with self.transaction() as db:
            db.execute("DELETE FROM lives WHERE added >= ?", (self.generation,))
            db.execute("DELETE FROM quantisers WHERE since >= ?", (self.generation,))
            dead = "SELECT v.id FROM versions v WHERE NOT EXISTS (SELECT 1 FROM lives l WHERE l.version = v.id)"
            db.execute(f"INSERT OR IGNORE INTO dropped SELECT id FROM passages WHERE version_id IN ({dead})")
            db.execute(f"DELETE FROM versions WHERE id IN ({dead})")
            db.execute("DELETE FROM revisions WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.revision = number)")

    def dropped(self) -> list[int]:
        """Return the passages that were deleted and that the word index may still hold."""
        return [row[0] for row in self._db.execute("SELECT passage FROM dropped")]

    def forget_dropped(self) -> None:
        """Note that the word index holds none of `dropped` any more; that ends a purge."""
        with self.transaction() as db:
            db.execute("DELETE FROM dropped")
            db.execute("DELETE FROM meta WHERE key = 'purging'")

    def purging(self) -> bool:
        """Return whether a purge was committed whose texts may still stand in the word index or the log."""
        return self._db.execute("SELECT 1 FROM meta WHERE key = 'purging'").fetchone() is not None

    # ---- what is known ------------------------------------------------------------------------------------------

    def files(self) -> list[FileState]:
        """Return the state of every file, uploads included."""
        documents: dict[tuple[str, str], dict[str, str]] = {}
        for root, path, member, document_id in self._db.execute("SELECT * FROM origins"):
            documents.setdefault((root, path), {})[member] = document_id
        rows = self._db.execute(
            "SELECT root, path, size, mtime_ns, sha256, pipeline, checked_ns FROM files ORDER BY root, path"
        )
        return [
            FileState(root, path, size, mtime_ns, sha256, pipeline, checked_ns, documents.get((root, path), {}))
            for root, path, size, mtime_ns, sha256, pipeline, checked_ns in rows
        ]

    def owned(self) -> set[str]:
        """Return the ids of all documents that are live or that a file is known for."""
        rows = self._db.execute(
            "SELECT document_id FROM origins UNION "
            "SELECT v.document_id FROM lives l JOIN versions v ON v.id = l.version "
            f"WHERE l.removed = {schema.FOREVER} AND l.added < ?",
            (self.generation,),
        )
        return {row[0] for row in rows}

    def withheld(self) -> set[str]:
        """Return the ids of the documents that were deleted by hand."""
        return {row[0] for row in self._db.execute("SELECT document_id FROM withheld")}

    def purged(self) -> set[str]:
        """Return the ids of the revisions that were purged."""
        return {row[0] for row in self._db.execute("SELECT revision FROM purged_revisions")}

    def present(self, document_id: str) -> tuple[str, str] | None:
        """Return (uri, fingerprint) of the live version of a document, None if there is none."""
        row: tuple[str, str] | None = self._db.execute(
            # CROSS: SQLite keeps this order. Left to itself it begins with all that is live.
            "SELECT v.uri, v.fingerprint FROM versions v CROSS JOIN lives l ON l.version = v.id "
            f"WHERE v.document_id = ? AND l.removed = {schema.FOREVER} AND l.added < ?",
            (document_id, self.generation),
        ).fetchone()
        return row

    def live_documents(self) -> int:
        """Return how many documents are live."""
        count: int = self._db.execute(
            f"SELECT count(*) FROM lives WHERE removed = {schema.FOREVER} AND added < ?", (self.generation,)
        ).fetchone()[0]
        return count

    def missing_vectors(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return those of `keys` that have no vector yet."""
        missing = set(keys)
        for key in list(missing):
            if self._db.execute("SELECT 1 FROM vectors WHERE key = ?", (key,)).fetchone():
                missing.discard(key)
        return missing

    # ---- staging ------------------------------------------------------------------------------------------------

    def stage_vectors(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Store vectors (keys, dimensions) for good: they are content-addressed and belong to no generation."""
        rows = [(key, row.astype(np.float16).tobytes()) for key, row in zip(keys, vectors, strict=True)]
        with self.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO vectors (key, vector) VALUES (?, ?)", rows)

    def stage_version(self, draft: Draft, cuts: Sequence[Cut], keys: Sequence[bytes]) -> list[int]:
        """Store one document as it will be in the next generation; return the ids of its passages."""
        metadata, text = draft.metadata, draft.revision.text
        with self.transaction() as db:
            number, group = store_revision(db, draft.document_id, draft.revision)
            version = db.execute(
                "INSERT INTO versions (document_id, uri, revision, title, author, publisher, published_at, language, "
                "tags, pages, copy_group, fingerprint, passages, root, path, member) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (draft.document_id, draft.uri, number, draft.title, metadata.author, metadata.publisher,
                 metadata.published_at, metadata.language, json.dumps(metadata.tags, ensure_ascii=False),
                 json.dumps(draft.pages), group, draft.fingerprint, len(cuts), draft.root, draft.path, draft.member),
            ).lastrowid  # fmt: skip
            db.execute("INSERT INTO lives VALUES (?, ?, ?)", (version, self.generation, schema.FOREVER))
            ids = []
            for cut, key, (byte_start, byte_end) in zip(cuts, keys, _byte_spans(text, cuts), strict=True):
                sentences = json.dumps(
                    [(s.span.start, s.span.end, s.kind) for s in cut.sentences], separators=(",", ":")
                )
                row_id = db.execute(
                    "INSERT INTO passages (version_id, start, end, byte_start, byte_end, sentences, vector_key) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (version, cut.span.start, cut.span.end, byte_start, byte_end, sentences, key),
                ).lastrowid
                assert row_id is not None
                ids.append(row_id)
        return ids

    def revive(self, draft: Draft) -> bool:
        """Give a version that is kept and is just like `draft` another life; return whether there is one."""
        with self.transaction() as db:
            row = db.execute(
                "SELECT id FROM versions WHERE document_id = ? AND fingerprint = ? ORDER BY id DESC LIMIT 1",
                (draft.document_id, draft.fingerprint),
            ).fetchone()
            if row is not None:
                db.execute("INSERT OR IGNORE INTO lives VALUES (?, ?, ?)", (row[0], self.generation, schema.FOREVER))
        return row is not None

    # ---- what vectors are split into lists by -------------------------------------------------------------------

    def stage_quantiser(self, centroids: NDArray[np.float32], newest: int) -> None:
        """Have the coming generation, whose newest passage is `newest`, begin with a quantiser of its own."""
        with self.transaction() as db:
            insert_quantiser(db, self.generation, centroids, newest)

    def coming_passages(self, after: int = 0) -> int:
        """Return how many passages with an id above `after` the coming generation has, with those that it may end."""
        there = f"l.removed = {schema.FOREVER}"
        if after > 0:
            counted = f"count(*) FROM passages p JOIN lives l ON l.version = p.version_id WHERE p.id > :a AND {there}"
        else:  # not one by one: there may be a million
            counted = f"coalesce(sum(v.passages), 0) FROM lives l JOIN versions v ON v.id = l.version WHERE {there}"
        count: int = self._db.execute(f"SELECT {counted}", {"a": after}).fetchone()[0]
        return count

    # ---- the moment of change -----------------------------------------------------------------------------------

    def commit(
        self, *, changed: Iterable[str], removed: Iterable[str], files: Iterable[FileState],
        gone: Iterable[tuple[str, str]], summary: Mapping[str, int], restored: Iterable[str] = (),
    ) -> int:  # fmt: skip
        """Make what was staged the newest generation, and return its number.

        `changed` and `removed` are document ids whose present version ends; `gone` are (root, path) of files to forget;
        `restored` are documents deleted by hand that are wanted again.
        """
        with self.transaction() as db:
            self.end(db, (*changed, *removed))
            self._remember(db, files, gone)
            db.executemany("DELETE FROM withheld WHERE document_id = ?", [(name,) for name in restored])
            self.write_generation(db, self.generation, summary)
        return self.generation

    def commit_aside(self, *, changed: Iterable[str], removed: Iterable[str], summary: Mapping[str, int]) -> int:
        """Keep what was staged as a generation that is not active, and return its number.

        The one after it, active, has the live set from before: whoever reads the newest sees no change. Files are not
        remembered, so the next sync looks at them again.
        """
        with self.transaction() as db:
            before = newest_active(db)
            self.end(db, (*changed, *removed))
            self.write_generation(db, self.generation, summary, active=False)
            self.generation += 1
            # It has no part in what was learned for the one that is kept aside.
            db.execute("UPDATE quantisers SET until = :g WHERE since = :g - 1", {"g": self.generation})
            self.become(db, before)
            self.write_generation(db, self.generation, {"kept_aside": self.generation - 1})
        return self.generation - 1

    def end(self, db: sqlite3.Connection, documents: Iterable[str]) -> None:
        """End the present versions of documents with the coming generation."""
        db.executemany(
            f"UPDATE lives SET removed = :g WHERE removed = {schema.FOREVER} AND added < :g AND version IN "
            "(SELECT id FROM versions WHERE document_id = :d)",
            [{"g": self.generation, "d": document_id} for document_id in documents],
        )

    def become(self, db: sqlite3.Connection, target: int) -> None:
        """Give the coming generation the live set of the generation `target`."""
        there = "EXISTS (SELECT 1 FROM lives t WHERE t.version = {v} AND t.added <= :t AND t.removed > :t)"
        now = f"EXISTS (SELECT 1 FROM lives n WHERE n.version = m.version AND n.removed = {schema.FOREVER})"
        numbers = {"g": self.generation, "t": target}
        db.execute(
            f"UPDATE lives SET removed = :g WHERE removed = {schema.FOREVER} AND added < :g "
            f"AND NOT {there.format(v='lives.version')}",
            numbers,
        )
        db.execute(
            f"INSERT INTO lives SELECT m.version, :g, {schema.FOREVER} FROM lives m "
            f"WHERE m.added <= :t AND m.removed > :t AND NOT {now}",
            numbers,
        )

    def write_generation(
        self, db: sqlite3.Connection, number: int, summary: Mapping[str, int], *, active: bool = True
    ) -> None:
        """Insert the row of a generation whose lives are in place."""
        documents, passages = db.execute(
            "SELECT count(*), coalesce(sum(v.passages), 0) FROM lives l JOIN versions v ON v.id = l.version "
            f"WHERE l.removed = {schema.FOREVER}"
        ).fetchone()
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        db.execute(
            "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, 0)",
            (number, now, documents, passages, json.dumps(dict(summary)), int(active)),
        )

    def remember(self, files: Iterable[FileState], gone: Iterable[tuple[str, str]] = ()) -> None:
        """Note what was seen of files although no document changed (touched, not edited)."""
        with self.transaction() as db:
            self._remember(db, files, gone)

    def _remember(self, db: sqlite3.Connection, files: Iterable[FileState], gone: Iterable[tuple[str, str]]) -> None:
        db.executemany("DELETE FROM files WHERE root = ? AND path = ?", list(gone))
        for f in files:
            db.execute("DELETE FROM files WHERE root = ? AND path = ?", (f.root, f.path))
            db.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                (f.root, f.path, f.size, f.mtime_ns, f.sha256, f.pipeline, f.checked_ns),
            )
            db.executemany(
                "INSERT INTO origins VALUES (?, ?, ?, ?)",
                [(f.root, f.path, member, identity) for member, identity in f.documents.items()],
            )


def drop_unused_vectors(db: sqlite3.Connection) -> None:
    """Delete the vectors that no passage has, nor will have after a switch of embedders."""
    db.execute(
        "DELETE FROM vectors WHERE NOT EXISTS (SELECT 1 FROM passages p WHERE p.vector_key = key) "
        "AND NOT EXISTS (SELECT 1 FROM rekeyed n WHERE n.vector_key = key)"
    )


def drop_unused_quantisers(db: sqlite3.Connection) -> None:
    """Delete the quantisers that no generation has."""
    db.execute(
        "DELETE FROM quantisers WHERE NOT EXISTS (SELECT 1 FROM generations g WHERE quantisers.number = "
        "(SELECT max(q.number) FROM quantisers q WHERE q.since <= g.number AND q.until > g.number))"
    )


def insert_quantiser(db: sqlite3.Connection, since: int, centroids: NDArray[np.float32], newest: int) -> None:
    """Have the vectors of the generations from `since` on split into lists by `centroids`."""
    data = centroids.astype(np.float32).tobytes()
    db.execute(
        "INSERT INTO quantisers (since, until, newest, sha256, centroids) VALUES (?, ?, ?, ?, ?)",
        (since, schema.FOREVER, newest, hashlib.sha256(data).hexdigest(), data),
    )


def newest_active(db: sqlite3.Connection) -> int:
    """Return the number of the newest active generation, 0 before the first."""
    number: int = db.execute("SELECT coalesce(max(number), 0) FROM generations WHERE active").fetchone()[0]
    return number


def _byte_spans(text: str, cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    """Return the UTF-8 byte span of each cut; their starts ascend, so the text is encoded only once and a bit."""
    spans = []
    character = byte = 0
    for cut in cuts:
        byte += len(text[character : cut.span.start].encode())
        character = cut.span.start
        spans.append((byte, byte + len(cut.span.of(text).encode())))
    return spans


def _lock(folder: Path, timeout: float) -> filelock.BaseFileLock:
    lock = filelock.FileLock(folder / _LOCK_NAME)
    try:
        lock.acquire(timeout=timeout)
    except filelock.Timeout as error:
        raise LibraryBusy(f"{folder}: another process is writing to this library; try again when it is done") from error
    except OSError as error:
        if error.errno in schema.NO_SPACE:
            raise
        raise LibraryError(f"{folder}: cannot be written to ({error.strerror})") from error
    return lock

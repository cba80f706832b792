"""Writing the library: stage as long as it takes, then change everything in one commit.

Staged rows belong to the next generation and are invisible until `commit`. If the process dies before, the next writer
throws them away; only the vectors stay, keyed by what was embedded, so that nothing is embedded twice.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from sys import intern
from types import TracebackType

import filelock
import numpy as np
from numpy.typing import NDArray

from index import schema
from index.database import Database
from index.drafts import Draft, FileState
from index.errors import LibraryBusy, LibraryError
from index.groups import store_revision
from index.passages import Cut
from index.sqlite import NO_SPACE
from index.truth import truth_of

_LOCK_NAME = "writer.lock"
# How many keys one statement names: well under SQLite's limit on parameters.
_BATCH = 500


def initialise(folder: Path, meta: Mapping[str, str]) -> None:
    """Make a library in `folder` (which may be missing) with the settings `meta`, unless there is one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            f"{folder}: no library can be made there ({error.strerror}); choose another folder"
        ) from error
    truth = truth_of(folder)
    if truth.exists():
        return
    with folder_lock(folder, timeout=30.0):
        if not truth.exists():
            # Whatever was derived from another library of this place must not be taken for this one's.
            truth.create({**meta, "history": uuid.uuid4().hex})


class Writer:
    """The one writer of a library, as a context manager.

    The lock is the operating system's and dies with the process.

    :raises LibraryBusy: if another process is writing and is not done within `timeout` seconds.
    """

    def __init__(self, folder: Path, *, timeout: float = 10.0) -> None:
        self._folder = folder
        self._timeout = timeout

    def __enter__(self) -> Writer:
        with ExitStack() as stack:
            stack.enter_context(folder_lock(self._folder, self._timeout))
            self._db = truth_of(self._folder).write()
            stack.callback(self._db.close)
            self._db.lock(self._timeout)
            self._db.complete()
            number = self._db.execute("SELECT coalesce(max(number), 0) FROM generations").fetchone()[0]
            self.generation: int = number + 1
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            self._db.rollback()

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Yield the connection inside a transaction, which is committed if all goes well."""
        self._db.begin()
        try:
            yield self._db
        except BaseException:
            self._db.rollback()
            raise
        self._db.commit()

    def drop_dead(self) -> None:
        """Delete what belongs to no generation: staged by an interrupted sync, or dropped by retention.

        Vectors stay, keyed by what was embedded. The word index is told by `dropped`.
        """
        with self.transaction() as db:
            db.execute("DELETE FROM lives WHERE added >= ?", (self.generation,))
            db.execute("DELETE FROM quantisers WHERE since >= ?", (self.generation,))
            dead = "SELECT v.id FROM versions v WHERE NOT EXISTS (SELECT 1 FROM lives l WHERE l.version = v.id)"
            db.execute(
                f"INSERT INTO dropped SELECT id FROM passages WHERE version_id IN ({dead}) ON CONFLICT DO NOTHING"
            )
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
        return file_states(self._db)

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
        return missing_vectors(self._db, keys)

    # ---- staging ------------------------------------------------------------------------------------------------

    def stage_vectors(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Store vectors (keys, dimensions) for good: they are content-addressed and belong to no generation."""
        with self.transaction() as db:
            store_vectors(db, keys, vectors)

    def stage_version(self, draft: Draft, cuts: Sequence[Cut], keys: Sequence[bytes]) -> list[int]:
        """Store one document as it will be in the next generation; return the ids of its passages."""
        metadata, text = draft.metadata, draft.revision.text
        with self.transaction() as db:
            number, group = store_revision(db, draft.document_id, draft.revision)
            (version,) = db.insert(
                "INSERT INTO versions (document_id, uri, revision, title, author, publisher, published_at, language, "
                "tags, pages, copy_group, fingerprint, passages, root, path, member) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(draft.document_id, draft.uri, number, draft.title, metadata.author, metadata.publisher,
                  metadata.published_at, metadata.language, json.dumps(metadata.tags, ensure_ascii=False),
                  json.dumps(draft.pages), group, draft.fingerprint, len(cuts), draft.root, draft.path, draft.member)],
                "id",
            )  # fmt: skip
            db.execute("INSERT INTO lives VALUES (?, ?, ?)", (version, self.generation, schema.FOREVER))
            rows = [
                (version, cut.span.start, cut.span.end, byte_start, byte_end, _sentences(cut), key)
                for cut, key, (byte_start, byte_end) in zip(cuts, keys, _byte_spans(text, cuts), strict=True)
            ]
            return db.insert(
                'INSERT INTO passages (version_id, start, "end", byte_start, byte_end, sentences, vector_key) '
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
                "id",
            )

    def revive(self, draft: Draft) -> bool:
        """Give a version that is kept and is just like `draft` another life; return whether there is one."""
        with self.transaction() as db:
            row = db.execute(
                "SELECT id FROM versions WHERE document_id = ? AND fingerprint = ? ORDER BY id DESC LIMIT 1",
                (draft.document_id, draft.fingerprint),
            ).fetchone()
            if row is not None:
                db.execute(
                    "INSERT INTO lives VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (row[0], self.generation, schema.FOREVER),
                )
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
            counted = (
                "CAST(coalesce(sum(v.passages), 0) AS BIGINT) FROM lives l "
                f"JOIN versions v ON v.id = l.version WHERE {there}"
            )
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

    def end(self, db: Database, documents: Iterable[str]) -> None:
        """End the present versions of documents with the coming generation."""
        db.executemany(
            f"UPDATE lives SET removed = :g WHERE removed = {schema.FOREVER} AND added < :g AND version IN "
            "(SELECT id FROM versions WHERE document_id = :d)",
            [{"g": self.generation, "d": document_id} for document_id in documents],
        )

    def become(self, db: Database, target: int) -> None:
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

    def write_generation(self, db: Database, number: int, summary: Mapping[str, int], *, active: bool = True) -> None:
        """Insert the row of a generation whose lives are in place."""
        documents, passages = db.execute(
            "SELECT count(*), CAST(coalesce(sum(v.passages), 0) AS BIGINT) FROM lives l "
            f"JOIN versions v ON v.id = l.version WHERE l.removed = {schema.FOREVER}"
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

    def _remember(self, db: Database, files: Iterable[FileState], gone: Iterable[tuple[str, str]]) -> None:
        db.executemany("DELETE FROM files WHERE root = ? AND path = ?", list(gone))
        every = iter(files)
        # Some at a time: the rows of a large folder's files take as much memory as all that is known of them.
        while some := list(islice(every, _BATCH)):
            latest = {(f.root, f.path): f for f in some}
            db.executemany("DELETE FROM files WHERE root = ? AND path = ?", list(latest))
            db.executemany(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(f.root, f.path, f.size, f.mtime_ns, f.sha256, f.pipeline, f.checked_ns) for f in latest.values()],
            )
            db.executemany(
                "INSERT INTO origins VALUES (?, ?, ?, ?)",
                [(f.root, f.path, member, one) for f in latest.values() for member, one in f.documents.items()],
            )


def file_states(db: Database) -> list[FileState]:
    """Return the state of every file, uploads included."""
    rows = db.execute(
        "SELECT f.root, f.path, f.size, f.mtime_ns, f.sha256, f.pipeline, f.checked_ns, o.member, o.document_id "
        "FROM files f LEFT JOIN origins o ON o.root = f.root AND o.path = f.path ORDER BY f.root, f.path, o.member"
    )
    return [
        # What most of them share is held once.
        FileState(intern(root), path, size, mtime_ns, sha256, intern(pipeline), checked_ns,
                  {member: document for *_, member, document in each if document is not None})
        for (root, path, size, mtime_ns, sha256, pipeline, checked_ns), each in groupby(rows, itemgetter(slice(7)))
    ]  # fmt: skip


def drop_unused_vectors(db: Database) -> None:
    """Delete the vectors that no passage has, nor will have after a switch of embedders."""
    db.execute(
        "DELETE FROM vectors WHERE NOT EXISTS (SELECT 1 FROM passages p WHERE p.vector_key = key) "
        "AND NOT EXISTS (SELECT 1 FROM rekeyed n WHERE n.vector_key = key)"
    )


def drop_unused_quantisers(db: Database) -> None:
    """Delete the quantisers that no generation has."""
    db.execute(
        "DELETE FROM quantisers WHERE NOT EXISTS (SELECT 1 FROM generations g WHERE quantisers.number = "
        "(SELECT max(q.number) FROM quantisers q WHERE q.since <= g.number AND q.until > g.number))"
    )


def insert_quantiser(db: Database, since: int, centroids: NDArray[np.float32], newest: int) -> None:
    """Have the vectors of the generations from `since` on split into lists by `centroids`."""
    data = centroids.astype(np.float32).tobytes()
    db.execute(
        "INSERT INTO quantisers (since, until, newest, sha256, centroids) VALUES (?, ?, ?, ?, ?)",
        (since, schema.FOREVER, newest, hashlib.sha256(data).hexdigest(), data),
    )


def set_meta(db: Database, settings: Mapping[str, str]) -> None:
    """Keep settings of the library, in the place of what they were."""
    db.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", list(settings.items())
    )


def newest_active(db: Database) -> int:
    """Return the number of the newest active generation, 0 before the first."""
    number: int = db.execute("SELECT coalesce(max(number), 0) FROM generations WHERE active = 1").fetchone()[0]
    return number


def missing_vectors(db: Database, keys: Sequence[bytes]) -> set[bytes]:
    """Return those of `keys` that have no vector yet."""
    missing = set(keys)
    wanted = sorted(missing)
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        found = db.execute(f"SELECT key FROM vectors WHERE key IN ({','.join('?' * len(batch))})", batch)
        missing.difference_update(key for (key,) in found)
    return missing


def store_vectors(db: Database, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
    """Store vectors (keys, dimensions) that are not there yet, within a transaction."""
    rows = [(key, row.astype(np.float16).tobytes()) for key, row in zip(keys, vectors, strict=True)]
    # In the order of keys: two processes that store the same ones each wait for the other in no other order.
    db.executemany("INSERT INTO vectors (key, vector) VALUES (?, ?) ON CONFLICT DO NOTHING", sorted(rows))


def _sentences(cut: Cut) -> str:
    return json.dumps([(s.span.start, s.span.end, s.kind) for s in cut.sentences], separators=(",", ":"))


def _byte_spans(text: str, cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    """Return the UTF-8 byte span of each cut; their starts ascend, so the text is encoded only once and a bit."""
    spans = []
    character = byte = 0
    for cut in cuts:
        byte += len(text[character : cut.span.start].encode())
        character = cut.span.start
        spans.append((byte, byte + len(cut.span.of(text).encode())))
    return spans


@contextmanager
def folder_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Keep everybody else from writing to the library's folder while a block runs; errors as for `Writer`."""
    lock = filelock.FileLock(folder / _LOCK_NAME)
    try:
        lock.acquire(timeout=timeout)
    except filelock.Timeout as error:
        raise LibraryBusy(f"{folder}: another process is writing to this library; try again when it is done") from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise
        raise LibraryError(f"{folder}: cannot be written to ({error.strerror})") from error
    try:
        yield
    finally:
        lock.release()

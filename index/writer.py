"""Writing the library: stage as long as it takes, then change everything in one commit.

Staged rows belong to the next generation and are invisible until `commit`. If the process dies before, the next writer
throws them away; only the vectors stay, keyed by what was embedded, so that nothing is embedded twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np
from numpy.typing import NDArray

from index import schema
from index.errors import LibraryBusy, LibraryError
from index.passages import Cut
from index.types import Metadata, Revision

_LOCK_NAME = "writer.lock"


@dataclass(frozen=True, slots=True)
class FileState:
    """What a sync saw of a file: enough to know without reading that it is unchanged."""

    root: str
    path: str
    document_id: str
    size: int
    mtime_ns: int
    sha256: str
    pipeline: str
    checked_ns: int


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
            schema.create(draft, dict(meta))
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

    def leftovers(self) -> list[int]:
        """Return the passages that an interrupted sync staged."""
        rows = self._db.execute(
            "SELECT p.id FROM passages p JOIN versions v ON v.id = p.version_id WHERE v.added >= ?", (self.generation,)
        )
        return [row[0] for row in rows]

    def discard_leftovers(self) -> None:
        """Delete what an interrupted sync staged; the vectors stay."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM versions WHERE added >= ?", (self.generation,))
        self._db.execute("DELETE FROM revisions WHERE number NOT IN (SELECT revision FROM versions)")
        self._db.execute("COMMIT")

    def files(self, roots: Collection[str] | None = None) -> list[FileState]:
        """Return the state of every file of `roots`, or of all."""
        rows = self._db.execute(
            "SELECT root, path, document_id, size, mtime_ns, sha256, pipeline, checked_ns FROM files "
            "ORDER BY root, path"
        )
        return [state for state in (FileState(*row) for row in rows) if roots is None or state.root in roots]

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
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR IGNORE INTO vectors (key, vector) VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    def stage_version(
        self,
        document_id: str,
        uri: str,
        title: str,
        metadata: Metadata,
        revision: Revision,
        cuts: Sequence[Cut],
        keys: Sequence[bytes],
    ) -> list[int]:
        """Store one document as it will be in the next generation; return the ids of its passages."""
        self._db.execute("BEGIN IMMEDIATE")
        row = self._db.execute("SELECT number FROM revisions WHERE id = ?", (revision.id,)).fetchone()
        number = row[0] if row else self._insert_revision(revision)
        version = self._db.execute(
            "INSERT INTO versions (document_id, uri, revision, title, author, publisher, published_at, language, tags, "
            "passages, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (document_id, uri, number, title, metadata.author, metadata.publisher, metadata.published_at,
             metadata.language, json.dumps(metadata.tags, ensure_ascii=False), len(cuts), self.generation),
        ).lastrowid  # fmt: skip
        ids = []
        for cut, key, (byte_start, byte_end) in zip(cuts, keys, _byte_spans(revision.text, cuts), strict=True):
            sentences = json.dumps([(s.span.start, s.span.end, s.kind) for s in cut.sentences], separators=(",", ":"))
            row_id = self._db.execute(
                "INSERT INTO passages (version_id, start, end, byte_start, byte_end, sentences, vector_key) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (version, cut.span.start, cut.span.end, byte_start, byte_end, sentences, key),
            ).lastrowid
            assert row_id is not None
            ids.append(row_id)
        self._db.execute("COMMIT")
        return ids

    def _insert_revision(self, revision: Revision) -> int:
        number = self._db.execute(
            "INSERT INTO revisions (id, text, characters) VALUES (?, ?, ?)",
            (revision.id, revision.text.encode(), len(revision.text)),
        ).lastrowid
        assert number is not None
        return number

    # ---- the moment of change -----------------------------------------------------------------------------------

    def commit(
        self, *, changed: Iterable[str], removed: Iterable[str], files: Iterable[FileState],
        gone: Iterable[tuple[str, str]], summary: Mapping[str, int],
    ) -> int:  # fmt: skip
        """Make what was staged the newest generation, and return its number.

        `changed` and `removed` are document ids whose present version ends; `gone` are (root, path) of files to forget.
        """
        self._db.execute("BEGIN IMMEDIATE")
        ending = [(self.generation, document_id, self.generation) for document_id in (*changed, *removed)]
        self._db.executemany(
            f"UPDATE versions SET removed = ? WHERE document_id = ? AND added < ? AND removed = {schema.FOREVER}",
            ending,
        )
        self._remember(files, gone)
        documents, passages = self._db.execute(
            f"SELECT count(*), coalesce(sum(passages), 0) FROM versions WHERE removed = {schema.FOREVER}"
        ).fetchone()
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._db.execute(
            "INSERT INTO generations VALUES (?, ?, ?, ?, ?)",
            (self.generation, now, documents, passages, json.dumps(dict(summary))),
        )
        self._db.execute("COMMIT")
        return self.generation

    def remember(self, files: Iterable[FileState], gone: Iterable[tuple[str, str]] = ()) -> None:
        """Note what was seen of files although no document changed (touched, not edited)."""
        self._db.execute("BEGIN IMMEDIATE")
        self._remember(files, gone)
        self._db.execute("COMMIT")

    def _remember(self, files: Iterable[FileState], gone: Iterable[tuple[str, str]]) -> None:
        self._db.executemany("DELETE FROM files WHERE root = ? AND path = ?", list(gone))
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(f.root, f.path, f.document_id, f.size, f.mtime_ns, f.sha256, f.pipeline, f.checked_ns) for f in files],
        )


def vector_key(embedder: str, text: str) -> bytes:
    """Return the key under which the vector of `text` by the embedder of that fingerprint is stored."""
    return hashlib.sha256(f"{embedder}\n{text}".encode()).digest()


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
        raise LibraryError(f"{folder}: cannot be written to ({error.strerror})") from error
    return lock

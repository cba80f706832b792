"""The tables of the SQLite library, and opening the file.

A version is one revision of a document with its metadata; it never changes. Its lives say when it counts: it is live
in generation g when one of them has `added <= g < removed`. A rollback gives an old version another life. Lives of a
change that has not committed carry an `added` above the newest generation, so no reader sees them.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import DiskFull, LibraryDamaged, LibraryError, LibraryFormat, LibraryReadOnly

FORMAT = "2"
FILE_NAME = "library.sqlite"
# `removed` of a life that has not ended: larger than any generation.
FOREVER = 2**62
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_DDL = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    number INTEGER PRIMARY KEY, created_at TEXT NOT NULL, documents INTEGER NOT NULL, passages INTEGER NOT NULL,
    summary TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1, purged INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE revisions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text BLOB NOT NULL, characters INTEGER NOT NULL,
    signature BLOB NOT NULL
);
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document_id TEXT NOT NULL, uri TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revisions (number),
    title TEXT NOT NULL, author TEXT, publisher TEXT, published_at TEXT, language TEXT, tags TEXT NOT NULL,
    pages TEXT NOT NULL, copy_group TEXT NOT NULL, fingerprint TEXT NOT NULL, passages INTEGER NOT NULL,
    root TEXT NOT NULL, path TEXT NOT NULL, member TEXT NOT NULL
);
CREATE INDEX versions_document ON versions (document_id);
CREATE INDEX versions_revision ON versions (revision);
CREATE TABLE lives (
    version INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    added INTEGER NOT NULL, removed INTEGER NOT NULL,
    PRIMARY KEY (version, added)
) WITHOUT ROWID;
CREATE INDEX lives_added ON lives (added);
CREATE INDEX lives_removed ON lives (removed);
CREATE TABLE bands (
    band INTEGER NOT NULL, revision INTEGER NOT NULL REFERENCES revisions (number) ON DELETE CASCADE,
    PRIMARY KEY (band, revision)
) WITHOUT ROWID;
CREATE INDEX bands_revision ON bands (revision);
CREATE TABLE vectors (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    start INTEGER NOT NULL, end INTEGER NOT NULL, byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL,
    sentences TEXT NOT NULL, vector_key BLOB NOT NULL
);
CREATE INDEX passages_version ON passages (version_id);
CREATE INDEX passages_vector ON passages (vector_key);
-- Vectors of another embedder, made beside those in use: what each passage's key will be after the switch.
CREATE TABLE rekeyed (
    passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE, vector_key BLOB NOT NULL
);
CREATE INDEX rekeyed_vector ON rekeyed (vector_key);
-- Passages that were deleted here and are still to be taken out of the word index.
CREATE TABLE dropped (passage INTEGER PRIMARY KEY);
CREATE TABLE files (
    root TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
    pipeline TEXT NOT NULL, checked_ns INTEGER NOT NULL,
    PRIMARY KEY (root, path)
) WITHOUT ROWID;
CREATE TABLE origins (
    root TEXT NOT NULL, path TEXT NOT NULL, member TEXT NOT NULL, document_id TEXT NOT NULL,
    PRIMARY KEY (root, path, member),
    FOREIGN KEY (root, path) REFERENCES files (root, path) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX origins_document ON origins (document_id);
-- Documents that were deleted by hand: a sync does not bring them back.
CREATE TABLE withheld (document_id TEXT PRIMARY KEY, purged INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE purged_revisions (
    document_id TEXT NOT NULL, revision TEXT NOT NULL, generation INTEGER NOT NULL,
    PRIMARY KEY (document_id, revision)
) WITHOUT ROWID;
"""

# What a library made before this was thought of may lack.
_LATER_DDL = """
-- What the vectors of a large library are split into lists by: the middles of the lists, float32. It counts for the
-- generations from `since` and before `until`, and of several that do the newest.
CREATE TABLE IF NOT EXISTS quantisers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, since INTEGER NOT NULL, until INTEGER NOT NULL, newest INTEGER NOT NULL,
    sha256 TEXT NOT NULL, centroids BLOB NOT NULL
);
"""


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Return a connection in autocommit mode to the existing library file `path`.

    :raises LibraryDamaged: if the file is missing or no SQLite database.
    :raises DiskFull: if there is no room for the little that SQLite needs beside the file.
    """
    try:
        # By its address, because only there can one say that a missing file is not to be made.
        address = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)
    except sqlite3.DatabaseError as error:
        raise LibraryDamaged(f"{path}: cannot be opened ({error})") from error
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # An acknowledged change survives a power cut: the commit waits for the disk.
        connection.execute("PRAGMA synchronous = FULL")
        # What is deleted is overwritten: a purged text is in no free page of the file.
        connection.execute("PRAGMA secure_delete = ON")
        if not writable:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        if (trouble := _trouble(path.parent, error)) is not None:
            raise trouble from error
        raise LibraryDamaged(
            f"{path}: not a readable library ({error}); restore it from a backup or sync anew"
        ) from error
    return connection


def create(path: Path, meta: dict[str, str]) -> None:
    """Make a new, empty library file at `path` with the settings `meta`. Whole or not at all."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # Before the first table: compaction then gives space back in small steps instead of rewriting the file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        rows = ",".join(f"({_quote(key)}, {_quote(value)})" for key, value in {"format": FORMAT, **meta}.items())
        # One script, one transaction: executescript would otherwise commit table by table.
        connection.executescript(f"BEGIN IMMEDIATE;{_DDL}{_LATER_DDL}INSERT INTO meta VALUES {rows};COMMIT;")
    finally:
        connection.close()


def complete(connection: sqlite3.Connection) -> None:
    """Make the tables that a library lacks because it is older than they are. Under the writer's lock."""
    if not has_quantisers(connection):
        connection.executescript(f"BEGIN IMMEDIATE;{_LATER_DDL}COMMIT;")


def has_quantisers(connection: sqlite3.Connection) -> bool:
    """Return whether the library has the table of quantisers."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'quantisers'").fetchone() is not None


def check_format(path: Path, meta: dict[str, str]) -> None:
    """Raise LibraryFormat if a library with the settings `meta` is not for this version of Citespan."""
    found = meta.get("format", "unknown")
    if found != FORMAT:
        is_newer = found.isdecimal() and int(found) > int(FORMAT)
        way_out = (
            "a newer Citespan wrote it: upgrade to that, or restore a backup from before into another folder"
            if is_newer
            else "sync the documents into a new library folder"
        )
        raise LibraryFormat(f"{path}: library format {found}, this version reads format {FORMAT}; {way_out}")


@contextmanager
def disk_errors_told(folder: Path) -> Iterator[None]:
    """Turn "no space left", from whichever part it comes, and other failures of the disk into errors that say so."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if (trouble := _trouble(folder, error)) is not None:
            raise trouble from error
        raise
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _disk_full(folder) from error
        raise


def _trouble(folder: Path, error: sqlite3.DatabaseError) -> LibraryError | None:
    """Return what to tell of an error that is the disk's and not the library's, None if it is not."""
    # The index of the write-ahead log is a file too, and has an error of its own for want of space.
    if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE):
        return _disk_full(folder)
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
        return LibraryReadOnly(
            f"{folder / FILE_NAME}: may not be written by this account, which SQLite needs for reading too; "
            "give it the folder, or copy the library to where it may write"
        )
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
        return LibraryError(f"{folder}: the disk fails ({error}); nothing was changed")
    return None


def _disk_full(folder: Path) -> DiskFull:
    return DiskFull(
        f"{folder}: no space is left on its disk; the generation before is unharmed and still answers; "
        "make room (`citespan compact` drops old generations) and run it again"
    )


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

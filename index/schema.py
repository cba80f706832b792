"""The tables of the SQLite library, and opening the file.

A version (one revision of a document with its metadata) is live in generation g when `added <= g < removed`.
Rows of a sync that has not committed carry an `added` above the newest generation, so no reader sees them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from index.errors import LibraryDamaged, LibraryFormat

FORMAT = "1"
FILE_NAME = "library.sqlite"
# `removed` of a row that is live: larger than any generation.
FOREVER = 2**62

_DDL = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    number INTEGER PRIMARY KEY, created_at TEXT NOT NULL, documents INTEGER NOT NULL, passages INTEGER NOT NULL,
    summary TEXT NOT NULL
);
CREATE TABLE revisions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text BLOB NOT NULL, characters INTEGER NOT NULL
);
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document_id TEXT NOT NULL, uri TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revisions (number),
    title TEXT NOT NULL, author TEXT, publisher TEXT, published_at TEXT, language TEXT, tags TEXT NOT NULL,
    passages INTEGER NOT NULL, added INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT {FOREVER}
);
CREATE INDEX versions_document ON versions (document_id, added);
CREATE INDEX versions_added ON versions (added);
CREATE INDEX versions_removed ON versions (removed);
CREATE TABLE vectors (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    start INTEGER NOT NULL, end INTEGER NOT NULL, byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL,
    sentences TEXT NOT NULL, vector_key BLOB NOT NULL
);
CREATE INDEX passages_version ON passages (version_id);
CREATE TABLE files (
    root TEXT NOT NULL, path TEXT NOT NULL, document_id TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, pipeline TEXT NOT NULL, checked_ns INTEGER NOT NULL,
    PRIMARY KEY (root, path)
) WITHOUT ROWID;
CREATE INDEX files_document ON files (document_id);
"""


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Return a connection in autocommit mode to the existing library file `path`.

    :raises LibraryDamaged: if the file is missing or no SQLite database.
    """
    try:
        # By its address, because only there can one say that a missing file is not to be made.
        address = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)
    except sqlite3.DatabaseError as error:
        raise LibraryDamaged(f"{path}: cannot be opened ({error})") from error
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # An acknowledged sync survives a power cut: the commit waits for the disk.
        connection.execute("PRAGMA synchronous = FULL")
        if not writable:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        raise LibraryDamaged(
            f"{path}: not a readable library ({error}); restore it from a backup or sync anew"
        ) from error
    return connection


def create(path: Path, meta: dict[str, str]) -> None:
    """Make a new, empty library file at `path` with the settings `meta`. Whole or not at all."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        rows = ",".join(f"({_quote(key)}, {_quote(value)})" for key, value in {"format": FORMAT, **meta}.items())
        # One script, one transaction: executescript would otherwise commit table by table.
        connection.executescript(f"BEGIN IMMEDIATE;{_DDL}INSERT INTO meta VALUES {rows};COMMIT;")
    finally:
        connection.close()


def check_format(path: Path, meta: dict[str, str]) -> None:
    """Raise LibraryFormat if a library with the settings `meta` is not for this version of Citespan."""
    if meta.get("format") != FORMAT:
        raise LibraryFormat(
            f"{path}: library format {meta.get('format', 'unknown')}, this version reads format {FORMAT}; "
            "sync the documents into a new library folder"
        )


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

"""The tables of a library, as SQLite takes them; `postgres.py` has them with other names of types.

A version is one revision of a document with its metadata; it never changes. Its lives say when it counts: it is live
in generation g when one of them has `added <= g < removed`. A rollback gives an old version another life. Lives of a
change that has not committed carry an `added` above the newest generation, so no reader sees them.
"""

from __future__ import annotations

from collections.abc import Mapping

from index.errors import LibraryFormat

FORMAT = "2"
# `removed` of a life that has not ended: larger than any generation.
FOREVER = 2**62

DDL = """
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
LATER_DDL = """
-- What the vectors of a large library are split into lists by: the middles of the lists, float32. It counts for the
-- generations from `since` and before `until`, and of several that do the newest.
CREATE TABLE IF NOT EXISTS quantisers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, since INTEGER NOT NULL, until INTEGER NOT NULL, newest INTEGER NOT NULL,
    sha256 TEXT NOT NULL, centroids BLOB NOT NULL
);
"""


def check_format(library: str, meta: Mapping[str, str]) -> None:
    """Raise LibraryFormat if a library with the settings `meta` is not for this version of Citespan."""
    found = meta.get("format", "unknown")
    if found != FORMAT:
        is_newer = found.isdecimal() and int(found) > int(FORMAT)
        way_out = (
            "a newer Citespan wrote it: upgrade to that, or restore a backup from before into another folder"
            if is_newer
            else "sync the documents into a new library folder"
        )
        raise LibraryFormat(f"{library}: library format {found}, this version reads format {FORMAT}; {way_out}")

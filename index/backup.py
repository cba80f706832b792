"""The whole library as one file, taken while it is in use, and back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from pathlib import Path

from index import schema, sqlite
from index.errors import LibraryError
from index.library import Library
from index.truth import truth_of


def backup(folder: Path, file: Path) -> int:
    """Write the library as it is at one moment to `file`, and return its newest generation.

    Nothing waits for it: readers and a writer go on. The vector and word indexes are not in it; they are built again.

    :raises LibraryError: if `file` exists or cannot be written, or the truth is not in the folder.
    """
    library = Library(folder)
    if library.truth.shared:
        library.close()
        raise LibraryError(
            f"{folder}: its truth is {library.truth.name}, of which PostgreSQL makes the backups: pg_dump with the "
            "option --schema for this library alone (docs/postgres.md)"
        )
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        if file.exists():
            raise LibraryError(f"{file}: exists already; name another file, or delete it first")
        with sqlite.disk_errors_told(file.parent):
            connection = sqlite.connect(folder / sqlite.FILE_NAME, writable=True)
            try:
                connection.execute("VACUUM INTO ?", (str(draft),))
            finally:
                connection.close()
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            # A name that was taken meanwhile is not overwritten.
            os.link(draft, file)
        return _generation(file)
    except (sqlite3.OperationalError, OSError) as error:
        raise LibraryError(f"{file}: cannot be written ({error})") from error
    finally:
        draft.unlink(missing_ok=True)
        library.close()


def restore(file: Path, folder: Path) -> int:
    """Make a library in `folder` from a backup, and return its newest generation.

    :raises LibraryError: if there is a library already, or `file` is no backup.
    """
    if truth_of(folder).shared or (folder / sqlite.FILE_NAME).exists():
        raise LibraryError(f"{folder}: there is a library already; restore into another folder")
    if not file.is_file():
        raise LibraryError(f"{file}: no such file")
    draft = folder / f"{sqlite.FILE_NAME}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with sqlite.disk_errors_told(folder):
            shutil.copyfile(file, draft)
            _renew(draft, file)
            for left in (f"{sqlite.FILE_NAME}-wal", f"{sqlite.FILE_NAME}-shm"):
                (folder / left).unlink(missing_ok=True)
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            draft.rename(folder / sqlite.FILE_NAME)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be restored to ({error.strerror})") from error
    finally:
        draft.unlink(missing_ok=True)
    return _generation(folder / sqlite.FILE_NAME)


def _renew(draft: Path, file: Path) -> None:
    """Make the copy a library of its own: what was derived from the first one is not this one's."""
    try:
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            meta = dict(connection.execute("SELECT key, value FROM meta"))
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
            schema.check_format(str(file), meta)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("UPDATE meta SET value = ? WHERE key = 'history'", (uuid.uuid4().hex,))
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"{file}: not a backup of a library ({error})") from error


def _generation(path: Path) -> int:
    connection = sqlite.connect(path, writable=False)
    try:
        number: int = connection.execute(
            "SELECT coalesce(max(number), 0) FROM generations WHERE active = 1"
        ).fetchone()[0]
        return number
    finally:
        connection.close()

"""The truth in one SQLite file of the library's folder: what a library has unless it is told otherwise."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from index.database import Result, Slice, Values
from index.errors import DiskFull, LibraryBusy, LibraryDamaged, LibraryError, LibraryReadOnly
from index.schema import DDL, FORMAT, LATER_DDL

FILE_NAME = "library.sqlite"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# Pages given back at a time: a few milliseconds' work.
_PAGES_AT_ONCE = 256
# What a reader holds of the file: each thread that answers has a connection. Four times as much, which is SQLite's
# default, saves 0.3 ms of a question among 100,000 passages, and nothing at a million: the system holds the file too.
_CACHE_KIB = 512
# Python's driver keeps a weak reference to each part of a value that was opened, 88 bytes of it, until the connection
# is closed: a thread that answers for weeks would hold ever more. A new connection takes 0.3 ms.
_MOST_PARTS = 4096


class SqliteTruth:
    """The file in `folder`."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / FILE_NAME

    @property
    def name(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return self.path.is_file()

    def which(self) -> tuple[int, ...] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def stamp(self) -> tuple[int, ...] | None:
        try:
            found = [path.stat() for path in (self.path, self._folder / f"{FILE_NAME}-wal")]
        except OSError:
            return None
        return tuple(part for one in found for part in (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns))

    def create(self, meta: Mapping[str, str]) -> None:
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        # Left behind by a library file that someone deleted, they would be taken for parts of this one.
        for name in (f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"):
            (self._folder / name).unlink(missing_ok=True)
        create(draft, meta)
        draft.rename(self.path)

    def read(self) -> SqliteDatabase:
        return connect(self.path, writable=False)

    def write(self) -> SqliteDatabase:
        return connect(self.path, writable=True)

    @contextmanager
    def told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise LibraryDamaged(f"{self.path}: not a readable library ({error})") from error

    def tables(self) -> Iterator[str]:
        with closing(self.read()) as connection:
            for row in connection.execute("PRAGMA quick_check"):
                if row[0] != "ok":
                    yield f"SQLite: {row[0]}; restore a backup"

    def holding(self, pieces: Sequence[str]) -> Iterator[tuple[str, int]]:
        return iter(())


class SqliteDatabase(sqlite3.Connection):
    """A connection in autocommit mode."""

    _parts = 0

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # one that could not be opened
            self.close()

    @property
    def is_worn(self) -> bool:
        return self._parts >= _MOST_PARTS

    def each(self, statement: str, rows: Sequence[Values], /) -> Iterator[Any]:
        for row in rows:
            yield from self.execute(statement, row)

    def insert(self, statement: str, rows: Sequence[Sequence[Any]], number: str) -> list[int]:
        numbers = []
        for row in rows:
            given = self.execute(statement, row).lastrowid  # `number` is the name of the row's own number
            assert given is not None
            numbers.append(given)
        return numbers

    def slices(self, wanted: Sequence[Slice]) -> list[str]:
        self._parts += len(wanted)
        return [self._slice(*one) for one in wanted]

    def _slice(self, revision: int, start: int, end: int) -> str:
        # Incremental I/O: a passage at the end of a large document costs a seek, not the whole text.
        with self.blobopen("revisions", "text", revision, readonly=True) as blob:
            blob.seek(start)
            return blob.read(end - start).decode()

    def has(self, table: str) -> bool:
        return self.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None

    def at_one_moment(self, read: Callable[[], Result]) -> Result:
        return read()

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        # Not the driver's own, which says nothing if the transaction is not there any more.
        self.execute("COMMIT")

    def rollback(self) -> None:
        # A full disk may have rolled it back already.
        if self.in_transaction:
            self.execute("ROLLBACK")

    def lock(self, timeout: float, of: str = "") -> None:
        """Do nothing: the folder's lock keeps out all there are."""

    def complete(self) -> None:
        if not self.has("quantisers"):
            self.make(LATER_DDL)

    def make(self, tables: str) -> None:
        # One script, one transaction: executescript would otherwise commit table by table.
        self.executescript(f"BEGIN IMMEDIATE;{tables}COMMIT;")

    def overwrite_deleted(self, timeout: float) -> None:
        """Move the write-ahead log into the library file and cut it to nothing: what was overwritten is in neither."""
        deadline = time.monotonic() + timeout
        while self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0:
            if time.monotonic() > deadline:
                (_, _, path) = self.execute("PRAGMA database_list").fetchone()
                raise LibraryBusy(
                    f"{Path(path).parent}: the change is done, but a reader kept the write-ahead log from being "
                    "emptied; old bytes stay in it until `citespan compact` is run with nothing else open"
                )
            time.sleep(0.05)

    def give_back(self) -> None:
        while self.execute("PRAGMA freelist_count").fetchone()[0]:
            self.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()


def connect(path: Path, *, writable: bool) -> SqliteDatabase:
    """Return a connection in autocommit mode to the existing library file `path`.

    :raises LibraryDamaged: if the file is missing or no SQLite database.
    :raises DiskFull: if there is no room for the little that SQLite needs beside the file.
    """
    try:
        # By its address, because only there can one say that a missing file is not to be made.
        address = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0, factory=SqliteDatabase
        )
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
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        if (trouble := _trouble(path.parent, error)) is not None:
            raise trouble from error
        raise LibraryDamaged(
            f"{path}: not a readable library ({error}); restore it from a backup or sync anew"
        ) from error
    return connection


def create(path: Path, meta: Mapping[str, str]) -> None:
    """Make a new, empty library file at `path` with the settings `meta`. Whole or not at all."""
    rows = ",".join(f"({_quote(key)}, {_quote(value)})" for key, value in {"format": FORMAT, **meta}.items())
    create_with(path, f"{DDL}{LATER_DDL}INSERT INTO meta VALUES {rows};")


def create_with(path: Path, tables: str) -> None:
    """Make a new file at `path` with these tables."""
    connection = sqlite3.connect(path, isolation_level=None, factory=SqliteDatabase)
    try:
        # Before the first table: compaction then gives space back in small steps instead of rewriting the file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.make(tables)
    finally:
        connection.close()


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

"""Where the terms of a library's collections are: in its truth if several servers share that, else in its folder.

So with a truth in PostgreSQL every server has them, and any may bring the engine forward, one at a time. The tables are
the same in either place. In the folder they are one SQLite file, derived as the word index is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import filelock

from index.connections import Connections
from index.database import Database, WritingDatabase
from index.errors import LibraryBusy, LibraryDamaged, StoreError
from index.library import Library
from index.remote.lexicon import TABLES, Lexicon
from index.sqlite import connect, create_with

FOLDER = "qdrant"
FILE_NAME = "terms.sqlite"
_LOCK = "forward.lock"
_ALONE = " engine"
# How long readers are waited for that keep deleted terms from being overwritten. None reads for longer.
_OVERWRITE_SECONDS = 30.0


class Lexicons:
    """The terms of all collections of a library, for reading from any thread."""

    def __init__(
        self, where: str, database: Callable[[], Database | None], close: Callable[[], None] = lambda: None
    ) -> None:
        """`database` brings a connection, None as long as there is nothing to connect to."""
        self.where = where
        self._database = database
        self.close = close

    def names(self, engine: str | None = None) -> list[str]:
        """Return the collections that terms are kept for, in order; only those made in `engine` if it is given."""
        if (db := self._made()) is None:
            return []
        made = db.execute("SELECT name, engine FROM collections ORDER BY name").fetchall()
        return [name for name, of in made if engine in (None, of)]

    def find(self, collection: str) -> Lexicon | None:
        """Return the terms of a collection, None if they are not here."""
        db = self._made()
        row = None if db is None else db.execute("SELECT number FROM collections WHERE name = ?", (collection,))
        number = None if row is None else row.fetchone()
        return None if number is None else Lexicon(self._there, collection, number[0])

    def _made(self) -> Database | None:
        db = self._database()
        return db if db is not None and db.has("collections") else None

    def _there(self) -> Database:
        if (db := self._database()) is None:
            raise StoreError(f"{self.where}: removed while it was used; put it back, or run `citespan sync`")
        return db


class Keeping(Lexicons):
    """The same for the one process that brings an engine forward."""

    def __init__(self, where: str, database: WritingDatabase) -> None:
        super().__init__(where, lambda: database)
        self._db = database

    def make(self, collection: str, embedder: str, engine: str) -> Lexicon:
        """Return the terms of a new collection in an engine, of which there are none yet."""
        self._db.execute(
            "INSERT INTO collections (name, embedder, engine) VALUES (?, ?, ?)", (collection, embedder, engine)
        )
        made = self.find(collection)
        assert made is not None
        return made

    def forget(self, collection: str) -> None:
        """Delete all terms of a collection."""
        mine = "(SELECT number FROM collections WHERE name = ?)"
        self._db.begin()
        for table in ("terms", "term_counts", "doomed_points"):
            self._db.execute(f"DELETE FROM {table} WHERE collection = {mine}", (collection,))
        self._db.execute("DELETE FROM collections WHERE name = ?", (collection,))
        self._db.commit()

    def overwrite_deleted(self) -> None:
        """See to it that no deleted term stands in what this process can speak for.

        :raises LibraryBusy: if a reader is in the way.
        """
        self._db.give_back()
        self._db.overwrite_deleted(_OVERWRITE_SECONDS)

    def expect_alone(self) -> None:
        """Raise LibraryUnreachable if the connection is lost that keeps the processes of other machines out."""
        self._db.execute("SELECT 1")


def reading(library: Library) -> Lexicons:
    """Return the terms of a library's collections; to be closed before the library."""
    if library.truth.shared:
        return Lexicons(library.truth.name, library.connection)
    path = place(library.folder)
    connections = Connections(lambda: _opened(path))
    return Lexicons(str(path), lambda: connections.of_thread() if path.is_file() else None, connections.close)


@contextmanager
def writing(library: Library, timeout: float) -> Iterator[Keeping]:
    """Yield the same to write to, and keep every other process out meanwhile, of this machine and of others.

    :raises LibraryBusy: if another one is at it for longer than `timeout` seconds.
    """
    path = place(library.folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = f"{library.folder}: another process is bringing its engine forward; try again when it is done"
    try:
        lock = filelock.FileLock(path.with_name(_LOCK)).acquire(timeout=timeout)
    except filelock.Timeout as error:
        raise LibraryBusy(busy) from error
    with lock, closing(library.truth.write() if library.truth.shared else _opened(path, new=True)) as db:
        try:
            db.lock(timeout, _ALONE)
        except LibraryBusy as error:
            raise LibraryBusy(busy) from error
        if not db.has("collections"):
            db.make(TABLES)
        yield Keeping(library.truth.name if library.truth.shared else str(path), db)


def place(folder: Path) -> Path:
    """Return where the terms are of a library in `folder` that nobody shares."""
    return folder / FOLDER / FILE_NAME


def _opened(path: Path, *, new: bool = False) -> WritingDatabase:
    if new and not path.exists():
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        create_with(draft, TABLES)
        draft.rename(path)
    try:
        return connect(path, writable=new)
    except LibraryDamaged as error:
        raise StoreError(
            f"{path}: not readable terms ({error.__cause__}); delete it, and `citespan sync` loads another collection"
        ) from error

"""The terms of a collection: the number of each, and how many passages hold it in every generation. A SQLite file.

The engine counts in numbers, and knows no generations when it counts. So the number that a term was given is kept here,
with by how many each generation changed the passages that hold it: added up to a generation, they are what is live in
it. The file belongs to one collection, lies in the folder `qdrant` of the library, and is gone with it. Without it the
collection is of no use and another one is loaded.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

FORMAT = "1"
FOLDER = "qdrant"
_SUFFIX = ".sqlite"
_BATCH = 400
_DDL = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE terms (
    number INTEGER PRIMARY KEY AUTOINCREMENT, field TEXT NOT NULL, term TEXT NOT NULL, UNIQUE (field, term)
);
CREATE TABLE changes (
    term INTEGER NOT NULL, generation INTEGER NOT NULL, passages INTEGER NOT NULL, PRIMARY KEY (term, generation)
) WITHOUT ROWID;
-- Points that are counted no more and are still to be deleted.
CREATE TABLE doomed (point INTEGER PRIMARY KEY);
"""

Key = tuple[str, str]
"""A field and a term."""
Changes = Counter[tuple[int, int]]
"""By (number of a term, generation): how many more passages hold it from that generation on."""


class Lexicon:
    """The terms of one collection, for any thread.

    :raises OSError: if there is no such file, or none of this format.
    """

    def __init__(self, path: Path) -> None:
        self.collection = path.name.removesuffix(_SUFFIX)
        self._path = path
        self._lock = threading.Lock()
        if not path.is_file():
            raise FileNotFoundError(path)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
            self._db.execute("PRAGMA secure_delete = ON")
            self._format = self._get("format")
        except sqlite3.DatabaseError as error:
            raise OSError(f"{path.name}: {error}") from error
        if self._format != FORMAT:
            self._db.close()
            raise OSError(f"{path.name}: of another format")

    @classmethod
    def make(cls, folder: Path, collection: str, embedder: str) -> Lexicon:
        """Return that of a new collection of the library in `folder`."""
        path = place(folder, collection)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        db = sqlite3.connect(draft, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN;{_DDL}COMMIT;")
        meta = {"format": FORMAT, "embedder": embedder, "stands_at": "0", "floor": "0", "active": "0"}
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        db.close()
        draft.rename(path)
        return cls(path)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # ---- what it says ---------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> str:
        """The fingerprint of the embedder that made the collection's vectors."""
        return self._get("embedder")

    @property
    def stands_at(self) -> int:
        """The generation up to which it counts; 0 while a collection is loaded for the first time."""
        return int(self._get("stands_at"))

    @property
    def floor(self) -> int:
        """The oldest generation that it tells from others."""
        return int(self._get("floor"))

    @property
    def active(self) -> int:
        """The newest generation that was activated, as far as this machine knows; 0 if none was."""
        return int(self._get("active"))

    @property
    def is_given_up(self) -> bool:
        """Whether the collection is not as it should be."""
        return self._get("given_up") != ""

    def holding(self, keys: Sequence[Key], generation: int) -> dict[Key, tuple[int, int]]:
        """Return the number of each of the terms that is known, and how many passages live in `generation` hold it."""
        found: dict[Key, tuple[int, int]] = {}
        with self._lock:
            for field, term in keys:
                row = self._db.execute(
                    "SELECT t.number, coalesce(sum(c.passages), 0) FROM terms t LEFT JOIN changes c "
                    "ON c.term = t.number AND c.generation <= ? WHERE t.field = ? AND t.term = ? GROUP BY t.number",
                    (generation, field, term),
                ).fetchone()
                if row is not None:
                    found[field, term] = (int(row[0]), int(row[1]))
        return found

    def doomed(self) -> list[int]:
        """Return the points that are still to be deleted."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT point FROM doomed ORDER BY point")]

    # ---- what the one process that brings it forward does -----------------------------------------------------------

    def numbers(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Return the number of each term; one that has none is given one."""
        wanted = list(dict.fromkeys(keys))
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO terms (field, term) VALUES (?, ?)", wanted)
            return {
                key: db.execute("SELECT number FROM terms WHERE field = ? AND term = ?", key).fetchone()[0]
                for key in wanted
            }

    def settle(self, changes: Mapping[tuple[int, int], int], doomed: Iterable[int], stands_at: int, floor: int) -> None:
        """Count `changes`, and take the points `doomed` for gone. All or nothing.

        Generations before `floor` are told from it no more.
        """
        with self._transaction() as db:
            rows = [(term, max(generation, floor), by) for (term, generation), by in changes.items() if by]
            db.executemany(
                "INSERT INTO changes VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET passages = passages + excluded.passages",
                rows,
            )
            gone = [(point,) for point in doomed]
            db.executemany("INSERT OR IGNORE INTO doomed VALUES (?)", gone)
            if floor > int(self._read(db, "floor")):
                db.execute(
                    "INSERT INTO changes SELECT term, :f, sum(passages) FROM changes WHERE generation < :f "
                    "GROUP BY term ON CONFLICT DO UPDATE SET passages = passages + excluded.passages",
                    {"f": floor},
                )
                db.execute("DELETE FROM changes WHERE generation < ?", (floor,))
            db.execute("DELETE FROM changes WHERE passages = 0")
            if gone or floor > int(self._read(db, "floor")):
                # No word of what was purged stays. Numbers are given once.
                db.execute("DELETE FROM terms WHERE NOT EXISTS (SELECT 1 FROM changes WHERE term = number)")
            for key, value in (("stands_at", stands_at), ("floor", floor)):
                db.execute("UPDATE meta SET value = ? WHERE key = ?", (str(value), key))
        if gone:
            self._empty_log()

    def buried(self) -> None:
        """Note that all points that were doomed are deleted."""
        with self._transaction() as db:
            db.execute("DELETE FROM doomed")

    def activated(self, generation: int) -> None:
        """Note which generation was activated."""
        with self._transaction() as db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'active'", (str(generation),))

    def give_up(self) -> None:
        """Note that the collection is not as it should be, and is to be brought forward no more."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('given_up', '1')")

    def _empty_log(self) -> None:
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _get(self, key: str) -> str:
        with self._lock:
            return self._read(self._db, key)

    @staticmethod
    def _read(db: sqlite3.Connection, key: str) -> str:
        row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return "" if row is None else str(row[0])


def place(folder: Path, collection: str) -> Path:
    """Return where the terms of a collection of the library in `folder` are kept."""
    return folder / FOLDER / f"{collection}{_SUFFIX}"


def kept(folder: Path) -> list[str]:
    """Return the collections that terms are kept for, in order."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in (folder / FOLDER).glob(f"*{_SUFFIX}"))


def forget(path: Path) -> None:
    """Delete a file of terms."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

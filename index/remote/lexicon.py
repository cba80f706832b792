"""The terms of a collection: the number of each, and how many passages hold it in every generation.

The engine counts in numbers, and knows no generations when it counts. So the number that a term was given is kept here,
with by how many each generation changed the passages that hold it: added up to a generation, they are what is live in
it. Where the rows are `lexicons.py` says; a collection without its rows is of no use, and another one is loaded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from index.database import Database
from index.errors import StoreError
from index.remote.points import in_batches

TABLES = """
-- `engine` is where the collection was made, `given` the greatest number that a term of it has: each is given once.
CREATE TABLE IF NOT EXISTS collections (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, embedder TEXT NOT NULL,
    engine TEXT NOT NULL,
    stands_at INTEGER NOT NULL DEFAULT 0, floor INTEGER NOT NULL DEFAULT 0, active INTEGER NOT NULL DEFAULT 0,
    given INTEGER NOT NULL DEFAULT 0, given_up INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS terms (
    collection INTEGER NOT NULL, term TEXT NOT NULL, field TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (collection, term, field)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS term_counts (
    collection INTEGER NOT NULL, term INTEGER NOT NULL, generation INTEGER NOT NULL, passages INTEGER NOT NULL,
    PRIMARY KEY (collection, term, generation)
) WITHOUT ROWID;
-- Points that are counted no more and are still to be deleted.
CREATE TABLE IF NOT EXISTS doomed_points (
    collection INTEGER NOT NULL, point INTEGER NOT NULL, PRIMARY KEY (collection, point)
) WITHOUT ROWID;
"""
# Rows that one statement brings, and terms that one asks for.
_ROWS = 500
_TERMS = 1_000

Key = tuple[str, str]
"""A field and a term."""
Changes = Counter[tuple[int, int]]
"""By (number of a term, generation): how many more passages hold it from that generation on."""


class Lexicon:
    """The terms of one collection, for as many threads as `database` has connections for.

    Every method raises StoreError if they were deleted meanwhile.
    """

    def __init__(self, database: Callable[[], Database], collection: str, number: int) -> None:
        self.collection = collection
        self._database = database
        self._number = number

    # ---- what it says ---------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> str:
        """The fingerprint of the embedder that made the collection's vectors."""
        return str(self._get("embedder"))

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
        """The newest generation that was activated, as far as is known here; 0 if none was."""
        return int(self._get("active"))

    @property
    def is_given_up(self) -> bool:
        """Whether the collection is not as it should be."""
        return bool(self._get("given_up"))

    def holding(self, keys: Sequence[Key], generation: int) -> dict[Key, tuple[int, int]]:
        """Return the number of each of the terms that is known, and how many passages live in `generation` hold it."""
        # Whatever PostgreSQL thinks of the tables, it looks into their indexes term by term for a question put so.
        live = (
            "SELECT CAST(coalesce(sum(k.passages), 0) AS BIGINT) FROM term_counts k "
            "WHERE k.collection = t.collection AND k.term = t.number AND k.generation <= ?"
        )
        wanted = frozenset(keys)
        found: dict[Key, tuple[int, int]] = {}
        for batch in in_batches(sorted({term for _, term in wanted}), _TERMS):
            rows = self._database().execute(
                f"SELECT t.field, t.term, t.number, ({live}) FROM terms t "
                f"WHERE t.collection = ? AND t.term IN ({_marks(batch)})",
                (generation, self._number, *batch),
            )
            found |= {(field, term): (n, held) for field, term, n, held in rows if (field, term) in wanted}
        return found

    def doomed(self) -> list[int]:
        """Return the points that are still to be deleted."""
        rows = self._database().execute(
            "SELECT point FROM doomed_points WHERE collection = ? ORDER BY point", (self._number,)
        )
        return [point for (point,) in rows]

    # ---- what the one process that brings it forward does -----------------------------------------------------------

    def numbers(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Return the number of each term; one that has none is given one."""
        wanted = dict.fromkeys(keys)
        with self._transaction() as db:
            found = self._known(db, wanted.keys())
            given = int(self._get("given"))
            new = {key: number for number, key in enumerate((k for k in wanted if k not in found), start=given + 1)}
            _insert(db, "terms", [(self._number, term, field, number) for (field, term), number in new.items()])
            self._set(db, "given", given + len(new))
        return found | new

    def _known(self, db: Database, wanted: Collection[Key]) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for field in {field for field, _ in wanted}:
            # A table that a load fills was planned for when it was empty; a look at one row is planned well even so.
            rows = db.execute(
                "SELECT value, (SELECT t.number FROM terms t WHERE t.collection = :c AND t.term = value "
                "AND t.field = :field) FROM json_each(:terms)",
                {"c": self._number, "field": field, "terms": json.dumps([term for of, term in wanted if of == field])},
            )
            found |= {(field, term): number for term, number in rows if number is not None}
        return found

    def settle(
        self, changes: Mapping[tuple[int, int], int], doomed: Iterable[int], stands_at: int, floor: int, *, purged: bool
    ) -> None:
        """Count `changes`, and take the points `doomed` for gone. All or nothing.

        Generations before `floor` are told from it no more. With `purged` no term stays that no passage holds.
        """
        counted: Changes = Counter()
        for (term, generation), by in changes.items():
            counted[term, max(generation, floor)] += by
        with self._transaction() as db:
            risen = floor > int(self._get("floor"))
            _insert(
                db, "term_counts",
                [(self._number, term, generation, by) for (term, generation), by in counted.items() if by],
                _ADDED_UP,
            )  # fmt: skip
            _insert(db, "doomed_points", [(self._number, point) for point in doomed], "ON CONFLICT DO NOTHING")
            mine = {"c": self._number, "f": floor}
            if risen:
                db.execute(
                    "INSERT INTO term_counts SELECT collection, term, :f, sum(passages) FROM term_counts "
                    f"WHERE collection = :c AND generation < :f GROUP BY collection, term {_ADDED_UP}",
                    mine,
                )
                db.execute("DELETE FROM term_counts WHERE collection = :c AND generation < :f", mine)
            db.execute("DELETE FROM term_counts WHERE collection = :c AND passages = 0", {"c": self._number})
            if purged or risen:
                db.execute(
                    "DELETE FROM terms WHERE collection = :c AND NOT EXISTS "
                    "(SELECT 1 FROM term_counts k WHERE k.collection = :c AND k.term = terms.number)",
                    {"c": self._number},
                )
            self._set(db, "stands_at", stands_at)
            self._set(db, "floor", floor)

    def buried(self) -> None:
        """Note that all points that were doomed are deleted."""
        self._database().execute("DELETE FROM doomed_points WHERE collection = ?", (self._number,))

    def activated(self, generation: int) -> None:
        """Note which generation was activated."""
        self._set(self._database(), "active", generation)

    def give_up(self) -> None:
        """Note that the collection is not as it should be, and is to be brought forward no more."""
        self._set(self._database(), "given_up", 1)

    @contextmanager
    def _transaction(self) -> Iterator[Database]:
        db = self._database()
        db.begin()
        try:
            yield db
        except BaseException:
            db.rollback()
            raise
        db.commit()

    def _get(self, mark: str) -> Any:
        row = self._database().execute(f"SELECT {mark} FROM collections WHERE number = ?", (self._number,)).fetchone()
        if row is None:
            raise StoreError(f"the terms of {self.collection} were deleted meanwhile; run `citespan sync`")
        return row[0]

    def _set(self, db: Database, mark: str, value: int) -> None:
        db.execute(f"UPDATE collections SET {mark} = ? WHERE number = ?", (value, self._number))


_ADDED_UP = (
    "ON CONFLICT (collection, term, generation) DO UPDATE SET passages = term_counts.passages + excluded.passages"
)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _insert(db: Database, table: str, rows: Sequence[tuple[int | str, ...]], rest: str = "") -> None:
    """Insert rows of one width, as many at a time as a statement takes."""
    for batch in in_batches(rows, _ROWS):
        marked = ", ".join([f"({_marks(batch[0])})"] * len(batch))
        db.execute(f"INSERT INTO {table} VALUES {marked} {rest}", [value for row in batch for value in row])

"""Where a library's truth may live, and what its SQL is spoken to: small protocols, one implementation a database.

The SQL of this package is written once, as SQLite takes it: `?` and `:name` for values, CROSS JOIN where the order of
a join is to be kept. What the two say differently is a method here. `sqlite.py` is what a library has unless it is told
otherwise, `postgres.py` what several servers share; nobody else imports their drivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")
Values = Sequence[Any] | Mapping[str, Any]
Slice = tuple[int, int, int]
"""A part of a text: the number of its revision, and the first byte and the one behind the last in UTF-8."""


class Rows(Protocol):
    """What a statement brought."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """A connection to a library's truth, for one thread. Each statement is a transaction unless one was begun."""

    @property
    def in_transaction(self) -> bool: ...

    @property
    def is_worn(self) -> bool:
        """Whether it holds so much of what it has done that a new one should take its place."""

    def execute(self, statement: str, values: Values = (), /) -> Rows:
        """Return what a statement brings."""

    def executemany(self, statement: str, rows: Sequence[Values], /) -> object:
        """Execute a statement for each of `rows`."""

    def each(self, statement: str, rows: Sequence[Values], /) -> Iterable[Any]:
        """Return what a statement brings for each of `rows`, one after the other."""

    def insert(self, statement: str, rows: Sequence[Sequence[Any]], number: str) -> list[int]:
        """Insert rows, and return for each what its column `number` was given; later ones have the greater."""

    def slices(self, wanted: Sequence[Slice]) -> list[str]:
        """Return parts of texts in that order, without reading the rest of the texts."""

    def has(self, table: str) -> bool:
        """Return whether there is a table of that name: an older library may lack it."""

    def at_one_moment(self, read: Callable[[], Result]) -> Result:
        """Return what `read`, which only reads, finds in the library as it is at one moment.

        Of SQLite each statement sees its own: there what is found half is asked again by whoever asked.
        """

    def begin(self) -> None:
        """Begin a transaction that writes."""

    def commit(self) -> None:
        """End it: after this it has happened, before it nothing has."""

    def rollback(self) -> None:
        """End it as if it had never begun."""

    def close(self) -> None: ...


class WritingDatabase(Database, Protocol):
    """The connection of the one writer, or of maintenance."""

    def lock(self, timeout: float, of: str = "") -> None:
        """Keep every other writer out for as long as this connection is open.

        The lock of the folder keeps out those of this folder; this one those of other folders with the same truth.
        `of` names another lock than that of those who change the library.

        :raises LibraryBusy: if another one is writing and is not done within `timeout` seconds.
        """

    def complete(self) -> None:
        """Make the tables that a library lacks because it is older than they are."""

    def make(self, tables: str) -> None:
        """Make tables, whole or not at all."""

    def overwrite_deleted(self, timeout: float) -> None:
        """See to it that what was deleted is in none of the files that this process can speak for.

        :raises LibraryBusy: if a reader is in the way for longer than `timeout` seconds.
        """

    def give_back(self) -> None:
        """Return the space of what was deleted, in small steps, so that no writer and no reader waits long."""


class Truth(Protocol):
    """Where the truth of one library lives."""

    @property
    def name(self) -> str:
        """What messages call it; it holds no password."""

    @property
    def shared(self) -> bool:
        """Whether other folders may have the same truth, so that changes come that this folder knows nothing of."""

    def exists(self) -> bool:
        """Return whether there is a library."""

    def which(self) -> tuple[int, ...] | None:
        """Return what tells the library that is there from another one at the same place; None if there is none."""

    def stamp(self) -> tuple[int, ...] | None:
        """Return what becomes another with whatever is written to the library; None if that cannot be told at once."""

    def create(self, meta: Mapping[str, str]) -> None:
        """Make a new, empty library with the settings `meta`, whole or not at all. Under the folder's lock."""

    def read(self) -> Database:
        """Return a connection that cannot write.

        :raises LibraryDamaged: if there is no library, or none that can be read.
        """

    def write(self) -> WritingDatabase:
        """Return a connection that can write; errors as for `read`."""

    def told(self) -> AbstractContextManager[object]:
        """Turn what the driver raises of a library that cannot be read into LibraryDamaged."""

    def tables(self) -> Iterator[str]:
        """Yield each thing that is wrong with the tables themselves, as far as the database can tell."""

    def holding(self, pieces: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield where one of `pieces` stands outside of the folder: a name, and the first byte there."""

"""The truth in PostgreSQL, for several servers that share it: one schema of one database holds one library.

The tables and the moment of change are those of SQLite, and so is the SQL, but for what `dialect.py` puts otherwise.
The one writer holds an advisory lock of its session, which dies with its connection. A reader's lost connection is made
again and its statement repeated; a writer's is not, because its lock is gone: what it had begun has not happened.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import conninfo, sql
from psycopg.pq import TransactionStatus

from index.database import Result, Rows, Slice, Values
from index.dialect import renamed, spoken
from index.errors import DiskFull, LibraryBusy, LibraryDamaged, LibraryError, LibraryUnreachable
from index.schema import DDL, FORMAT, LATER_DDL

# What a lost connection is made again after, in seconds: it may be a restart, or a standby that takes over.
_PAUSES = (0.0, 0.2, 1.0, 3.0)
# What the address does not say. A peer that is gone without a word is noticed within a minute, on either side.
_CONNECTED = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "application_name": "citespan",
}
_SESSION = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # Joins in the order in which they are written, as SQLite keeps it of a CROSS JOIN: before the first ANALYZE of a
    # new library PostgreSQL would begin with all that is live, for every band of a text.
    "join_collapse_limit": "1",
}
_SECRETS = ("password", "sslpassword")
_LOCK_SECONDS = 0.05

# Texts are not compressed, so that a passage is read from a long one without the rest.
_STORED = "ALTER TABLE revisions ALTER COLUMN text SET STORAGE EXTERNAL;"
_SLICES = (
    "SELECT substring(r.text FROM w.start + 1 FOR w.size) FROM unnest(%s::bigint[], %s::integer[], %s::integer[]) "
    "WITH ORDINALITY AS w (revision, start, size, place) JOIN revisions r ON r.number = w.revision ORDER BY w.place"
)


class PostgresTruth:
    """The library in the schema `schema` of the database at `address`.

    :raises LibraryError: if the address is none, or has a password in it.
    """

    shared = True

    def __init__(self, address: str, schema: str) -> None:
        self._address = address_of(address)
        self.schema = schema
        self.name = f"{address}, schema {schema}"

    def exists(self) -> bool:
        with closing(self.read()) as database:
            return database.has("meta")

    def which(self) -> tuple[int, ...] | None:
        # A schema that was dropped is gone for its connections, too.
        return ()

    def stamp(self) -> tuple[int, ...] | None:
        return None

    def create(self, meta: Mapping[str, str]) -> None:
        with closing(self.write()) as database, self._explained():
            database.begin()
            # Two servers may meet here, each with a folder of its own.
            database.execute("SELECT pg_advisory_xact_lock(?)", (self.key(),))
            if database.has("meta"):
                database.rollback()
                return
            (encoding,) = database.execute("SELECT current_setting('server_encoding')").fetchone()
            if encoding != "UTF8":
                raise LibraryError(f"{self.name}: the database is in {encoding}; make one with ENCODING 'UTF8'")
            database.script(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema)))
            database.script(renamed(DDL + LATER_DDL) + _STORED)
            rows = list({"format": FORMAT, **meta}.items())
            database.executemany("INSERT INTO meta VALUES (?, ?)", rows)
            database.commit()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            raise LibraryError(
                f"{self.name}: the role may not make the schema; have its owner run CREATE SCHEMA {self.schema} "
                f"AUTHORIZATION the role ({_said(error)})"
            ) from error
        except psycopg.errors.DuplicateTable as error:
            raise LibraryError(
                f"{self.name}: the schema holds tables of another program; name another schema ({_said(error)})"
            ) from error

    def read(self) -> PostgresDatabase:
        return PostgresDatabase(self, writable=False)

    def write(self) -> PostgresDatabase:
        return PostgresDatabase(self, writable=True)

    @contextmanager
    def told(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.DataError) as error:
            raise LibraryDamaged(f"{self.name}: not a readable library ({_said(error)})") from error

    def tables(self) -> Iterator[str]:
        """Yield nothing: `pg_amcheck` looks at PostgreSQL's own files."""
        return iter(())

    def holding(self, pieces: Sequence[str]) -> Iterator[tuple[str, int]]:
        with closing(self.read()) as database:
            columns = database.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = ? AND data_type IN ('text', 'bytea') ORDER BY table_name, column_name",
                (self.schema,),
            ).fetchall()
            for table, column, kind in columns:
                # Whatever PostgreSQL itself would compare words by, these are bytes.
                within = f'"{column}"' if kind == "bytea" else f"convert_to(\"{column}\", 'UTF8')"
                for piece in pieces:
                    row = database.execute(
                        f'SELECT position(CAST(? AS bytea) IN {within}) FROM "{table}" '
                        f"WHERE position(CAST(? AS bytea) IN {within}) > 0 LIMIT 1",
                        (piece.encode(), piece.encode()),
                    ).fetchone()
                    if row is not None:
                        yield f"PostgreSQL, {table}.{column}", row[0] - 1

    def key(self, of: str = "") -> int:
        """Return the number of the writer's lock, or of the one named `of`, which counts within the database."""
        digest = hashlib.blake2b(f"citespan {self.schema}{of}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    def connected(self, *, writable: bool) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a new connection to the schema.

        :raises LibraryUnreachable: if the server does not take it.
        """
        settings = {"search_path": str(sql.Identifier(self.schema).as_string(None)), **_SESSION}
        if not writable:
            settings["default_transaction_read_only"] = "on"
        try:
            connection = psycopg.connect(**self._address, autocommit=True)
            try:
                every = ", ".join(["set_config(%s, %s, false)"] * len(settings))
                connection.execute(f"SELECT {every}".encode(), [part for pair in settings.items() for part in pair])
            except BaseException:
                connection.close()
                raise
        except psycopg.OperationalError as error:
            raise LibraryUnreachable(f"{self.name}: cannot be reached ({_said(error)})") from error
        return connection


class PostgresDatabase:
    """A connection in autocommit mode."""

    def __init__(self, truth: PostgresTruth, *, writable: bool) -> None:
        self._truth = truth
        self._writable = writable
        self._locks: list[int] = []
        self._connection = truth.connected(writable=writable)

    @property
    def is_worn(self) -> bool:
        return False

    @property
    def in_transaction(self) -> bool:
        # One that is lost has none any more, whatever it had.
        status = self._connection.info.transaction_status
        return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    def execute(self, statement: str, values: Values = (), /) -> Rows:
        said = spoken(statement)
        return self._tried(lambda: self._connection.execute(said, values, binary=True))

    def executemany(self, statement: str, rows: Sequence[Values], /) -> None:
        self._tried(lambda: self._connection.cursor().executemany(spoken(statement), rows))

    def script(self, statements: str | sql.Composed) -> None:
        """Execute statements that take no values."""
        self._tried(lambda: self._connection.execute(statements))

    def each(self, statement: str, rows: Sequence[Values], /) -> list[Any]:
        return self._tried(lambda: self._all(spoken(statement), rows)) if rows else []

    def _all(self, statement: str, rows: Sequence[Values]) -> list[Any]:
        cursor = self._connection.cursor(binary=True)
        # Sent without waiting for what each brings: a text has 32 bands, a long document hundreds of passages.
        cursor.executemany(statement.encode(), rows, returning=True)
        found: list[Any] = []
        more: bool | None = True
        while more:
            found += cursor.fetchall()
            more = cursor.nextset()
        return found

    def insert(self, statement: str, rows: Sequence[Sequence[Any]], number: str) -> list[int]:
        return [given for (given,) in self.each(f"{statement} RETURNING {number}", rows)]

    def slices(self, wanted: Sequence[Slice]) -> list[str]:
        if not wanted:
            return []
        columns = [list(column) for column in zip(*((r, start, end - start) for r, start, end in wanted), strict=True)]
        found = self._tried(lambda: self._connection.execute(_SLICES, columns, binary=True).fetchall())
        if len(found) != len(wanted):
            raise LibraryDamaged(f"{self._truth.name}: {len(wanted) - len(found)} passages have no text any more")
        return [bytes(part).decode() for (part,) in found]

    def has(self, table: str) -> bool:
        (found,) = self.execute(
            "SELECT to_regclass(quote_ident(?) || '.' || quote_ident(?)) IS NOT NULL", (self._truth.schema, table)
        ).fetchone()
        return bool(found)

    def at_one_moment(self, read: Callable[[], Result]) -> Result:
        try:
            return self._read_at_one_moment(read)
        except LibraryUnreachable:
            # The connection was lost between two statements; the first of them makes another one.
            return self._read_at_one_moment(read)

    def _read_at_one_moment(self, read: Callable[[], Result]) -> Result:
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            found = read()
        except BaseException:
            self.rollback()
            raise
        self.execute("COMMIT")
        return found

    def begin(self) -> None:
        self.execute("BEGIN")

    def commit(self) -> None:
        # Of a transaction that failed PostgreSQL would take COMMIT for ROLLBACK.
        assert self._connection.info.transaction_status == TransactionStatus.INTRANS
        try:
            self.execute("COMMIT")
        except LibraryUnreachable as error:
            raise LibraryUnreachable(
                f"{self._truth.name}: the connection was lost during a commit; it has happened as a whole or not at "
                "all, and `citespan generations` tells which"
            ) from error

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        # Not left to the server, which notices the end of a session a moment later than who waits for the lock.
        with suppress(LibraryUnreachable):
            for key in self._locks if not self._connection.closed else []:
                self.execute("SELECT pg_advisory_unlock(?)", (key,))
        self._connection.close()

    # ---- the writer -----------------------------------------------------------------------------------------------

    def lock(self, timeout: float, of: str = "") -> None:
        deadline, key = time.monotonic() + timeout, self._truth.key(of)
        while not self.execute("SELECT pg_try_advisory_lock(?)", (key,)).fetchone()[0]:
            if time.monotonic() > deadline:
                raise LibraryBusy(
                    f"{self._truth.name}: another process is writing to this library; try again when it is done"
                )
            time.sleep(_LOCK_SECONDS)
        self._locks.append(key)

    def complete(self) -> None:
        """Do nothing: there was no library in PostgreSQL before all of its tables were thought of."""

    def make(self, tables: str) -> None:
        self.begin()
        try:
            self.script(renamed(tables))
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def overwrite_deleted(self, timeout: float) -> None:
        """Have the space of deleted rows used again, and the tables' statistics taken.

        What PostgreSQL keeps all the same docs/postgres.md tells.
        """
        tables = self.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = ? ORDER BY tablename", (self._truth.schema,)
        )
        names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables)
        self.script(sql.SQL("VACUUM (ANALYZE) {}").format(names))

    def give_back(self) -> None:
        """Do nothing: what is vacuumed is used again, and its end given back."""

    # ---- trouble --------------------------------------------------------------------------------------------------

    def _tried(self, action: Callable[[], Result]) -> Result:
        """Return what `action` does, tried again on a new connection if one that only reads was lost.

        :raises LibraryUnreachable: if it is lost for good, or within a transaction.
        """
        # A statement in the middle of a transaction is nothing without those before it.
        alone = not self._writable and not self.in_transaction
        for pause in (*_PAUSES, None):
            try:
                with self._told():
                    if self._connection.closed:
                        self._connection = self._again(alone)
                    return action()
            except LibraryUnreachable:
                if pause is None or not alone:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _again(self, alone: bool) -> psycopg.Connection[tuple[Any, ...]]:
        if not alone:
            raise LibraryUnreachable(
                f"{self._truth.name}: the connection was lost, and nothing of this change has happened; run it again"
            )
        return self._truth.connected(writable=False)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the server or the network is to blame for into errors that say so."""
        try:
            yield
        except psycopg.errors.DiskFull as error:
            raise DiskFull(
                f"{self._truth.name}: no space is left on PostgreSQL's disk; the generation before is unharmed and "
                "still answers"
            ) from error
        except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege) as error:
            if not self._writable:
                raise
            raise LibraryError(f"{self._truth.name}: cannot be written to ({_said(error)})") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not self._connection.closed and not _passes(error):
                raise
            raise LibraryUnreachable(f"{self._truth.name}: the connection was lost ({_said(error)})") from error


def address_of(address: str) -> dict[str, Any]:
    """Return what an address says, with the rest of what a connection takes.

    :raises LibraryError: if it is no address of PostgreSQL, or holds a password, which nothing here is to store.
    """
    try:
        said = conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError as error:
        # Whatever is wrong with it, no part of it is repeated: it may be a password.
        raise LibraryError("the address of the truth is none; it is written as postgresql://USER@HOST/DB") from error
    if any(said.get(name) for name in _SECRETS):
        raise LibraryError(
            "the address of the truth has a password in it, which would be stored; leave it out, and give it by "
            "PGPASSWORD, ~/.pgpass or a service file"
        )
    return {**_CONNECTED, **said}


def _passes(error: psycopg.Error) -> bool:
    """Return whether an error is likely gone in a moment: no connection or memory left, or the server is starting."""
    state = error.sqlstate
    return state is not None and (state[:2] in ("53", "08") or state[:3] == "57P")


def _said(error: psycopg.Error) -> str:
    """Return what the server said, without the values that a statement had."""
    primary = error.diag.message_primary
    return " ".join((str(error) if primary is None else primary).split())

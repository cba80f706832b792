"""The conversations that the server keeps: a file of their own in the library's folder, bounded, and forgotten after a
while."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from index.errors import DiskFull, UnknownConversation
from qa.types import Turn

FILE_NAME = "conversations.sqlite"
LIFETIME_SECONDS = 24 * 3600.0
MOST = 1_000
TURNS = 50
# Of the file. One of another format is thrown away: what it holds lives a day at most.
_FORMAT = 2
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DDL = """
CREATE TABLE IF NOT EXISTS conversations (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, used REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS conversations_used ON conversations (used);
CREATE TABLE IF NOT EXISTS turns (
    number INTEGER PRIMARY KEY, conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
    question TEXT NOT NULL, standalone TEXT NOT NULL, quotes TEXT NOT NULL, short_answer TEXT, documents TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS turns_conversation ON turns (conversation, number);
"""
_TURN = "t.question, t.standalone, t.quotes, t.short_answer, t.documents"
_log = logging.getLogger(__name__)
_GONE = "no such conversation: it has expired or was deleted; leave conversation_id out to start a new one"


class _Run(Protocol):
    """Runs one statement of a transaction."""

    def __call__(self, statement: str, *parameters: str | float | None) -> sqlite3.Cursor: ...


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as it stands: its turns, oldest first, and when it is forgotten, in seconds since 1970."""

    id: str
    turns: tuple[Turn, ...]
    expires: float


class Conversations:
    """Turns by conversation id, from any thread. Past the limits, the one unused for longest and the oldest turns go
    first.

    `owner` is the id of the key that a conversation was begun with, "" without one: to every other key there is no such
    conversation.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """The file is made with the first turn; `clock` gives seconds since 1970."""
        self._path = folder / FILE_NAME
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._purged: list[frozenset[str]] = []

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # ---- reading --------------------------------------------------------------------------------------------------

    def turns(self, conversation_id: str | None, owner: str = "") -> tuple[Turn, ...]:
        """Return the turns so far, none for a conversation that is yet to start (None).

        :raises UnknownConversation: if the id was never given out, or the conversation is forgotten.
        """
        return () if conversation_id is None else self.conversation(conversation_id, owner).turns

    def conversation(self, conversation_id: str, owner: str = "") -> Conversation:
        """Return a conversation.

        :raises UnknownConversation: if the id was never given out, or the conversation is forgotten.
        """
        rows = self._select(
            f"SELECT c.used, {_TURN} FROM conversations c LEFT JOIN turns t ON t.conversation = c.number "
            "WHERE c.id = ? AND c.owner = ? AND c.used >= ? ORDER BY t.number",
            conversation_id, owner, self._clock() - LIFETIME_SECONDS,
        )  # fmt: skip
        if not rows:
            raise UnknownConversation(_GONE)
        turns = tuple(_turn(row[1:]) for row in rows if row[1] is not None)
        return Conversation(conversation_id, turns, rows[0][0] + LIFETIME_SECONDS)

    # ---- writing --------------------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return a mark to take before a question is answered and to give to `add` with its turn."""
        with self._lock:
            return len(self._purged)

    def add(self, conversation_id: str | None, turn: Turn, mark: int | None = None, owner: str = "") -> str:
        """Append a turn, to a new conversation for None; return the conversation's id.

        A turn that quotes what was purged since `mark` is not kept, and its conversation is over. Nor is the turn of a
        conversation that was deleted while the question was answered.
        """
        with self._lock:
            name = secrets.token_urlsafe(16) if conversation_id is None else conversation_id
            if mark is not None and any(not gone.isdisjoint(turn.documents) for gone in self._purged[mark:]):
                self._write(lambda run: run("DELETE FROM conversations WHERE id = ? AND owner = ?", name, owner))
            else:
                self._write(lambda run: self._append(run, name, owner, turn, starts=conversation_id is None))
            return name

    def delete(self, conversation_id: str, owner: str = "") -> None:
        """Delete a conversation.

        :raises UnknownConversation: if there is none of that id.
        """
        with self._lock:
            self.conversation(conversation_id, owner)
            self._write(lambda run: run("DELETE FROM conversations WHERE id = ?", conversation_id))
            self._overwrite()

    def forget(self, document_ids: Collection[str]) -> None:
        """Forget the conversations that quote one of these documents, and those being answered that will."""
        gone = frozenset(document_ids)
        with self._lock:
            self._purged.append(gone)
            quoting = [
                (number,)
                for number, documents in self._select("SELECT conversation, documents FROM turns")
                if not gone.isdisjoint(json.loads(documents))
            ]
            if quoting:
                self._write(lambda run: [run("DELETE FROM conversations WHERE number = ?", *one) for one in quoting])
                self._overwrite()

    def _append(self, run: _Run, name: str, owner: str, turn: Turn, *, starts: bool) -> None:
        now = self._clock()
        if starts:
            run("INSERT INTO conversations (id, owner, used) VALUES (?, ?, ?)", name, owner, now)
        for (number,) in run("SELECT number FROM conversations WHERE id = ? AND owner = ?", name, owner).fetchall():
            run("UPDATE conversations SET used = ? WHERE number = ?", now, number)
            run(
                "INSERT INTO turns (conversation, question, standalone, quotes, short_answer, documents) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                number, turn.question, turn.standalone, json.dumps(turn.quotes), turn.short_answer,
                json.dumps(turn.documents),
            )  # fmt: skip
            run(
                "DELETE FROM turns WHERE conversation = ? AND number NOT IN ("
                "SELECT number FROM turns WHERE conversation = ? ORDER BY number DESC LIMIT ?)",
                number, number, TURNS,
            )  # fmt: skip
        # What a clock that was ahead has written counts from now on, and not until the clock gets there.
        run("UPDATE conversations SET used = ? WHERE used > ?", now, now)
        run("DELETE FROM conversations WHERE used < ?", now - LIFETIME_SECONDS)
        run(
            "DELETE FROM conversations WHERE number NOT IN ("
            "SELECT number FROM conversations ORDER BY used DESC, number DESC LIMIT ?)",
            MOST,
        )

    # ---- the file -------------------------------------------------------------------------------------------------

    def _select(self, statement: str, *parameters: str | float) -> list[Any]:
        with self._lock:
            if self._connection is None and not self._path.exists():
                return []
            return self._open().execute(statement, parameters).fetchall()

    def _write(self, work: Callable[[_Run], object]) -> None:
        """Do `work` in one transaction."""
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                work(lambda statement, *parameters: connection.execute(statement, parameters))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise DiskFull(f"{self._path}: no space is left on its disk") from error
            raise

    def _overwrite(self) -> None:
        """Leave nothing in the file's log of what was deleted."""
        self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._connected()
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode not in _DAMAGED:
                    raise
                _log.warning("%s: damaged, so the conversations in it are forgotten (%s)", self._path, error)
                self._throw_away()
                self._connection = self._connected()
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30.0)
        try:
            # A turn that a power cut loses can be asked again, so no commit waits for the disk. What is deleted is
            # overwritten: it may be what a purged document said.
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _damaged()
            if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, _FORMAT):
                raise _damaged()
            connection.executescript(_DDL)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _throw_away(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)


def _damaged() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("the file is not whole, or is of another format")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _turn(row: Sequence[Any]) -> Turn:
    question, standalone, quotes, short_answer, documents = row
    return Turn(question, standalone, tuple(json.loads(quotes)), short_answer, tuple(json.loads(documents)))

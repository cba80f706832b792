"""The rows of `jobs.sqlite`: what was accepted, and what became of it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from api.spool import Stored
from index.errors import DiskFull
from index.report import Failure
from index.types import Metadata

FILE_NAME = "jobs.sqlite"
PURGED = "(purged)"
_COLUMNS = "id, status, created, started, finished, tries, uploads, outcome, owner, within"
_WAITS = "status IN ('queued', 'running')"
_DDL = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, created REAL NOT NULL,
    started REAL, finished REAL, tries INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL, uploads TEXT NOT NULL,
    outcome TEXT, key TEXT, fingerprint TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', within TEXT
);
CREATE INDEX IF NOT EXISTS jobs_status ON jobs (status, number);
CREATE INDEX IF NOT EXISTS jobs_key ON jobs (key);
"""

Status = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job did; names are the `uri`s of documents. `generation` is None if nothing changed."""

    generation: int | None = None
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: int = 0
    passages: int = 0
    errors: tuple[Failure, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether nothing of what was sent is in the library."""
        return bool(self.errors) and not (self.added or self.changed or self.unchanged)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands; times are seconds since 1970. `tries` counts how often it was begun.

    `owner` is the id of the key that sent it, "" without one. It replaces no document but those that carry one of the
    tags `within`; any for None.
    """

    id: str
    status: Status
    created: float
    started: float | None
    finished: float | None
    tries: int
    uploads: tuple[Stored, ...]
    outcome: Outcome
    owner: str = ""
    within: frozenset[str] | None = None

    @property
    def waits(self) -> bool:
        """Whether it is not over."""
        return self.status in ("queued", "running")


class Ledger:
    """The jobs of one library, from any thread. The file is made with the first row."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether there was ever a job."""
        return self._path.exists()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # ---- reading --------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job | None:
        """Return the job of that id."""
        return next(iter(self._select("WHERE id = ?", job_id)), None)

    def newest(self, limit: int, owner: str | None = None) -> list[Job]:
        """Return the newest jobs, of one owner or of all, newest first."""
        if owner is None:
            return self._select("ORDER BY number DESC LIMIT ?", limit)
        return self._select("WHERE owner = ? ORDER BY number DESC LIMIT ?", owner, limit)

    def owned(self, owner: str) -> list[Job]:
        """Return all jobs of an owner, oldest first."""
        return self._select("WHERE owner = ? ORDER BY number", owner)

    def oldest_queued(self) -> Job | None:
        """Return the job whose turn it is."""
        return next(iter(self._select("WHERE status = 'queued' ORDER BY number LIMIT 1")), None)

    def waiting(self) -> list[Job]:
        """Return the jobs that are not over, oldest first."""
        return self._select(f"WHERE {_WAITS} ORDER BY number")

    def everything(self) -> list[Job]:
        """Return all jobs, oldest first."""
        return self._select("ORDER BY number")

    def held(self) -> tuple[int, int]:
        """Return how many jobs are not over, and the bytes stored for them."""
        rows = self._run(f"SELECT count(*), coalesce(sum(bytes), 0) FROM jobs WHERE {_WAITS}") if self.exists else []
        return rows[0] if rows else (0, 0)

    def known(self, key: str, since: float, owner: str = "") -> tuple[str, str] | None:
        """Return id and fingerprint of the newest job accepted of `owner` under `key` after `since`."""
        if not self.exists:
            return None
        found = self._run(
            "SELECT id, fingerprint FROM jobs WHERE key = ? AND owner = ? AND created > ? "
            "ORDER BY number DESC LIMIT 1",
            key, owner, since,
        )  # fmt: skip
        return found[0] if found else None

    # ---- writing --------------------------------------------------------------------------------------------------

    def insert(self, job: Job, fingerprint: str, key: str | None) -> None:
        """Add a queued job. It is on the disk when this returns."""
        self._run(
            "INSERT INTO jobs (id, status, created, bytes, uploads, key, fingerprint, owner, within) "
            "VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?)",
            job.id, job.created, sum(one.size for one in job.uploads), _uploads(job.uploads), key, fingerprint,
            job.owner, None if job.within is None else json.dumps(sorted(job.within)),
        )  # fmt: skip

    def begin(self, job_id: str, now: float) -> None:
        """Mark a job as running, one try more."""
        self._run("UPDATE jobs SET status = 'running', started = ?, tries = tries + 1 WHERE id = ?", now, job_id)

    def give_back(self, job_id: str, *, counts: bool) -> None:
        """Queue a job again; `counts`: whether that was a try."""
        self._run(
            "UPDATE jobs SET status = 'queued', started = NULL, tries = tries - ? WHERE id = ?", int(not counts), job_id
        )

    def give_back_all(self) -> None:
        """Queue again what is marked as running."""
        self._run("UPDATE jobs SET status = 'queued', started = NULL WHERE status = 'running'")

    def finish(self, job: Job, now: float, outcome: Outcome) -> None:
        """End a job. What the sender said of its documents, but for their names, is forgotten."""
        self._run(
            "UPDATE jobs SET status = ?, finished = ?, bytes = 0, uploads = ?, outcome = ? WHERE id = ?",
            "failed" if outcome.failed else "done", now,
            _uploads([Stored(one.name, 0, Metadata()) for one in job.uploads]),
            json.dumps(asdict(outcome)), job.id,
        )  # fmt: skip

    def rewrite(self, job: Job, uploads: Sequence[Stored], purged: Collection[str] = ()) -> None:
        """Replace a job's uploads; no name of `purged` is left in its row."""
        self._run(
            "UPDATE jobs SET bytes = ?, uploads = ?, outcome = ? WHERE id = ?",
            sum(one.size for one in uploads), _without(_uploads(uploads), purged),
            _without(json.dumps(asdict(job.outcome)), purged), job.id,
        )  # fmt: skip

    def forget(self, before: float) -> None:
        """Delete the rows of jobs that were over before that time."""
        self._run("DELETE FROM jobs WHERE finished < ?", before)

    def overwrite(self) -> None:
        """Leave nothing in the file's log of what was deleted."""
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def _select(self, rest: str, *parameters: str | int) -> list[Job]:
        return (
            [_job(row) for row in self._run(f"SELECT {_COLUMNS} FROM jobs {rest}", *parameters)] if self.exists else []
        )

    def _run(self, statement: str, *parameters: str | float | None) -> list[Any]:
        with self._lock:
            if self._connection is None:
                connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30.0)
                # Accepted means stored: a commit waits for the disk. Deleted means gone: it is overwritten.
                for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                    connection.execute(f"PRAGMA {pragma}")
                connection.executescript(_DDL)
                _brought_up(connection)
                self._connection = connection
            try:
                return self._connection.execute(statement, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    raise DiskFull(f"{self._path}: no space is left on its disk") from error
                raise


def _brought_up(connection: sqlite3.Connection) -> None:
    """Add to a file from before there were owners what it lacks."""
    if not any(row[1] == "owner" for row in connection.execute("PRAGMA table_info(jobs)")):
        connection.execute("ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
        connection.execute("ALTER TABLE jobs ADD COLUMN within TEXT")


def _uploads(uploads: Sequence[Stored]) -> str:
    return json.dumps([asdict(one) for one in uploads])


def _job(row: Sequence[Any]) -> Job:
    job_id, status, created, started, finished, tries, uploads, outcome, owner, within = row
    return Job(
        job_id, status, created, started, finished, tries, tuple(map(_stored, json.loads(uploads))),
        Outcome() if outcome is None else _outcome(json.loads(outcome)),
        owner, None if within is None else frozenset(json.loads(within)),
    )  # fmt: skip


def _stored(held: dict[str, Any]) -> Stored:
    metadata = held["metadata"]
    return Stored(**{**held, "metadata": Metadata(**{**metadata, "tags": tuple(metadata["tags"])})})


def _outcome(held: dict[str, Any]) -> Outcome:
    errors = tuple(Failure(**one) for one in held["errors"])
    return Outcome(**{**held, "added": tuple(held["added"]), "changed": tuple(held["changed"]), "errors": errors})


def _without(said: str, names: Collection[str]) -> str:
    """Return JSON in which no string is one of `names`."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [strip(inner) for inner in value]
        return PURGED if isinstance(value, str) and value in names else value

    return json.dumps(strip(json.loads(said)))

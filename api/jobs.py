"""Uploads on their way into the library: accepted, kept on the disk, worked off in order.

The bytes are in the folder `jobs` of the library until their job is over, the rows in `jobs.sqlite`.
"""

from __future__ import annotations

import errno
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.ledger import Job, Ledger, Outcome
from api.spool import Incoming, Spool
from index.errors import CitespanError, DiskFull, LibraryBusy
from index.naming import document_id
from index.report import SyncProgress
from index.sync import Upload
from index.types import Metadata

_KEY_SECONDS = 24 * 3600.0
_KEPT_SECONDS = 7 * 24 * 3600.0
_ORPHAN_SECONDS = 3600.0
_RECEIVED_AT_ONCE = 8


class UnknownJob(CitespanError):
    """There is no such job, or it is over for longer than jobs are kept."""

    code = "unknown-job"


class QueueFull(CitespanError):
    """As many uploads wait as may wait; more are refused for now."""

    code = "queue-full"


class KeyInUse(CitespanError):
    """A request with the same Idempotency-Key is still being received."""

    code = "idempotency-key-in-use"


class KeyReused(CitespanError):
    """The Idempotency-Key came with other documents before."""

    code = "idempotency-key-reused"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait: jobs, and bytes in all; and the bytes of one document."""

    jobs: int
    bytes: int
    document: int


class Jobs:
    """The queue of a library. Safe to use from many threads; nothing is written before the first upload."""

    def __init__(self, folder: Path, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._ledger = Ledger(folder)
        self._spool = Spool(folder / "jobs")
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._receiving: list[tuple[str, str | None]] = []
        self._progress: dict[str, SyncProgress] = {}
        self._landing = threading.Lock()
        self.news = threading.Event()
        """Set when there may be something to do."""

    def close(self) -> None:
        """Close the files."""
        self._ledger.close()

    # ---- accepting ------------------------------------------------------------------------------------------------

    @contextmanager
    def receiving(self, key: str | None, announced: int = 0, owner: str = "") -> Iterator[None]:
        """Hold a place while a request is read, which is `announced` bytes long as far as that is known.

        An Idempotency-Key means something to its owner alone.

        :raises KeyInUse: if one with the same Idempotency-Key is being read.
        :raises QueueFull: if there is no place, here or in the queue.
        """
        with self._lock:
            if key is not None and (owner, key) in self._receiving:
                raise KeyInUse("a request with this Idempotency-Key is being received; wait for its answer")
            if len(self._receiving) >= _RECEIVED_AT_ONCE:
                raise QueueFull("too many uploads arrive at once; try again in a moment")
            # What was accepted before is answered with its job, full queue or not.
            if self._known(key, owner) is None:
                self._expect_room(announced)
            self._receiving.append((owner, key))
        try:
            yield
        finally:
            with self._lock:
                self._receiving.remove((owner, key))

    def accept(
        self, incoming: Sequence[Incoming], key: str | None = None, owner: str = "",
        within: frozenset[str] | None = None,
    ) -> tuple[Job, bool]:  # fmt: skip
        """Return a new job whose documents are on the disk; or the one accepted before under `key`, and True.

        It is the job of `owner`, and replaces documents only `within` some tags (`Job`).

        :raises KeyReused: if that one had other documents.
        :raises DocumentTooLarge: if a document is over the limit.
        :raises QueueFull: if too much is waiting.
        :raises DiskFull: if there is no space for it.
        """
        job_id = f"job_{uuid.uuid4().hex}"
        try:
            uploads, fingerprint = self._spool.store(job_id, incoming, self._limits.document)
            try:
                job = Job(job_id, "queued", self._clock(), None, None, 0, tuple(uploads), Outcome(), owner, within)
                before = self._enter(job, fingerprint, key)
            except BaseException:
                self._spool.remove(job_id)
                raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("no space is left for the upload; nothing of it was kept") from error
            raise
        if isinstance(before, Job):
            self.news.set()
            return before, False
        self._spool.remove(job_id)
        if before[1] != fingerprint:
            raise KeyReused("this Idempotency-Key came with other documents before; take a new key for new documents")
        return self.job(before[0]), True

    def _enter(self, job: Job, fingerprint: str, key: str | None) -> Job | tuple[str, str]:
        """Add a job and return it; if the key has one already, return its id and fingerprint."""
        with self._lock:
            before = self._known(key, job.owner)
            if before is not None:
                return before
            self._expect_room(sum(one.size for one in job.uploads))
            self._ledger.forget(job.created - _KEPT_SECONDS)
            self._ledger.insert(job, fingerprint, key)
            return job

    def _known(self, key: str | None, owner: str) -> tuple[str, str] | None:
        return None if key is None else self._ledger.known(key, self._clock() - _KEY_SECONDS, owner)

    def _expect_room(self, size: int) -> None:
        jobs, held = self._ledger.held()
        if jobs >= self._limits.jobs or held + size > self._limits.bytes:
            raise QueueFull("too many uploads wait to be taken in; try again when some are done")

    # ---- looking --------------------------------------------------------------------------------------------------

    def job(self, job_id: str, owner: str | None = None) -> Job:
        """Return a job.

        :raises UnknownJob: if there is none of that id, or it is not that owner's.
        """
        found = self._ledger.job(job_id)
        if found is None or owner not in (None, found.owner):
            raise UnknownJob("no such job; jobs are forgotten a week after they are over")
        return found

    def newest(self, limit: int, owner: str | None = None) -> list[Job]:
        """Return the newest jobs, of one owner or of all, newest first."""
        return self._ledger.newest(limit, owner)

    def brought(self, uri: str, owner: str) -> bool:
        """Return whether a job of that owner, of those that are still listed, added the document at `uri`."""
        return any(uri in job.outcome.added for job in self._ledger.owned(owner))

    def held(self) -> tuple[int, int]:
        """Return how many jobs are not over, and the bytes stored for them."""
        return self._ledger.held()

    def progress(self, job: Job) -> SyncProgress | None:
        """Return how far a running job is, as far as this process knows."""
        return self._progress.get(job.id)

    # ---- working off: for the one worker --------------------------------------------------------------------------

    @property
    def any_yet(self) -> bool:
        """Whether there was ever a job."""
        return self._ledger.exists

    @contextmanager
    def landing(self, patience: float = -1) -> Iterator[None]:
        """Keep the worker and deletions apart: a document on its way in is in before it is deleted, or stays out.

        :raises LibraryBusy: after `patience` seconds, if that is not negative.
        """
        if not self._landing.acquire(timeout=patience):
            raise LibraryBusy("uploads are being taken in; try again in a moment")
        try:
            yield
        finally:
            self._landing.release()

    def recover(self) -> None:
        """Queue what a server that died was at, and delete what it left lying about."""
        self._ledger.give_back_all()
        for job in self._ledger.everything():
            if not job.waits:
                self._spool.remove(job.id)
        # A folder without a row may be an upload that another server is about to accept.
        self._spool.sweep(frozenset(job.id for job in self._ledger.waiting()), self._clock() - _ORPHAN_SECONDS)

    def take(self) -> Job | None:
        """Begin the oldest job that is queued, and return it; None if there is none."""
        queued = self._ledger.oldest_queued()
        if queued is None:
            return None
        self._ledger.begin(queued.id, self._clock())
        return self.job(queued.id)

    def uploads(self, job: Job) -> list[Upload]:
        """Return the documents of a job that were not withdrawn."""
        return [
            Upload(
                one.name,
                self._spool.read(job.id, number),
                None if one.metadata == Metadata() else one.metadata,
                job.within,
            )
            for number, one in enumerate(job.uploads)
            if not one.withdrawn
        ]

    def tell(self, job: Job, progress: SyncProgress) -> None:
        """Note how far a job is."""
        self._progress[job.id] = progress

    def give_back(self, job: Job, *, counts: bool) -> None:
        """Queue a job again that was begun; `counts`: whether that was a try."""
        self._progress.pop(job.id, None)
        self._ledger.give_back(job.id, counts=counts)

    def finish(self, job: Job, outcome: Outcome) -> None:
        """End a job and delete its bytes."""
        self._ledger.finish(job, self._clock(), outcome)
        self._progress.pop(job.id, None)
        self._spool.remove(job.id)

    # ---- deleting -------------------------------------------------------------------------------------------------

    def withdraw(self, name: str, uri: str | None, *, purge: bool) -> None:
        """Delete the uploads that wait to become the document with the id `name`, which is at `uri` if it is known.

        With `purge` its name is taken out of every job.
        """
        for job in self._ledger.everything() if purge else self._ledger.waiting():
            meant = {
                number
                for number, one in enumerate(job.uploads)
                if any(
                    its == uri or document_id(its) == name for its in (one.name, one.metadata.url) if its is not None
                )
            }
            purged = {job.uploads[number].name for number in meant} | ({uri} if uri is not None else set())
            uploads = self._spool.withdraw(job.id, job.uploads, meant) if job.waits else job.uploads
            if meant or purge:
                self._ledger.rewrite(job, uploads, purged if purge else ())
        if purge and self.any_yet:
            self._ledger.overwrite()

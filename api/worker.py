"""The thread that takes accepted uploads into the library, one job after the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import filelock

from api.jobs import Jobs
from api.ledger import Job, Outcome
from index.errors import CitespanError, LibraryBusy, LibraryUnreachable
from index.report import Failure, SyncProgress, SyncReport
from index.sync import Upload

LOCK_NAME = "jobs.lock"
TRIES = 5
_LOOK_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0
_WITHDRAWN = "it was deleted before it was taken in"
_GIVEN_UP = "the library could not take it, in several tries; the server's log says why"
_log = logging.getLogger(__name__)

Land = Callable[[Sequence[Upload], Callable[[SyncProgress], None]], SyncReport]


class _Stopped(BaseException):
    """The server stops. No Exception: nothing on the way may take it for a document's fault."""


class Worker:
    """Works off the queue while it is entered. Of the servers of one library only one does so at a time.

    `land` takes documents into the library; `landed` is called after it, before a job says that it is done.
    """

    def __init__(self, folder: Path, jobs: Jobs, land: Land, landed: Callable[[], object]) -> None:
        self._jobs = jobs
        self._land = land
        self._landed = landed
        # The lock is the operating system's and dies with the process.
        self._lock = filelock.FileLock(folder / LOCK_NAME)
        self._stop = threading.Event()
        self._troubles = 0
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop between two files of the job at hand, which goes back into the queue."""
        self._stop.set()
        self._jobs.news.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    worked = self._may_work() and self._round()
                except Exception:
                    _log.exception("the queue of uploads could not be worked on")
                    # Taken again, it is looked through: a job may be marked as running that nobody is at.
                    self._lock.release()
                    worked = False
                if not worked:
                    self._jobs.news.wait(_LOOK_SECONDS)
                    self._jobs.news.clear()
                if self._troubles:
                    self._stop.wait(min(2.0**self._troubles, _LONGEST_PAUSE_SECONDS))
        finally:
            self._lock.release()

    def _may_work(self) -> bool:
        """Return whether there are jobs and they are ours to do."""
        if not self._jobs.any_yet:
            return False
        if not self._lock.is_locked:
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout:
                return False
            self._jobs.recover()
        return True

    def _round(self) -> bool:
        """Do one job; return whether there was one."""
        # Held from before the job is read: a document deleted meanwhile is withdrawn from it, or was in before.
        with self._jobs.landing():
            job = self._jobs.take()
            if job is None:
                return False
            try:
                outcome = self._outcome(job)
            except _Stopped:
                self._jobs.give_back(job, counts=False)
                return True
            except (LibraryBusy, LibraryUnreachable) as error:
                _log.info("%s waits: %s", job.id, error)
                self._jobs.give_back(job, counts=False)
                self._troubles += 1
                return True
            except Exception as error:
                self._trouble(job, error)
                return True
            self._finish(job, outcome)
            self._troubles = 0
            return True

    def _outcome(self, job: Job) -> Outcome:
        if job.tries > TRIES:
            # Whatever it is, it took the server down each time.
            return _all_failed(job, "given-up", _GIVEN_UP)
        withdrawn = tuple(Failure(one.name, "deleted", _WITHDRAWN) for one in job.uploads if one.withdrawn)
        uploads = self._jobs.uploads(job)
        if not uploads:
            return Outcome(errors=withdrawn)

        def tell(progress: SyncProgress) -> None:
            # From the commit on it is done, and has to be told as done.
            if self._stop.is_set() and progress.stage != "commit":
                raise _Stopped
            self._jobs.tell(job, progress)

        report = self._land(uploads, tell)
        return Outcome(
            report.generation, report.added, report.changed, report.skipped, report.embedded,
            (*withdrawn, *report.failed),
        )  # fmt: skip

    def _finish(self, job: Job, outcome: Outcome) -> None:
        try:
            self._landed()
        except Exception as error:
            # It is in the library all the same; the Refresher tries again.
            _log.warning("could not take up the newest generation: %s", error)
        self._jobs.finish(job, outcome)
        _log.info("%s is over: %d added, %d changed, %d unchanged, %d failed", job.id, len(outcome.added),
                  len(outcome.changed), outcome.unchanged, len(outcome.errors))  # fmt: skip

    def _trouble(self, job: Job, error: Exception) -> None:
        if isinstance(error, CitespanError):
            _log.error("%s could not be taken in (try %d of %d): %s", job.id, job.tries, TRIES, error)
        else:
            _log.error("%s could not be taken in (try %d of %d)", job.id, job.tries, TRIES, exc_info=error)
        if job.tries < TRIES:
            self._jobs.give_back(job, counts=True)
            self._troubles += 1
        else:
            self._jobs.finish(job, _all_failed(job, getattr(error, "code", "internal-error"), _GIVEN_UP))
            self._troubles = 0


def _all_failed(job: Job, code: str, reason: str) -> Outcome:
    return Outcome(errors=tuple(Failure(one.name, code, reason) for one in job.uploads))

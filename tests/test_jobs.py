"""Jobs: what was accepted lands, in order, whatever happens to the server; what was deleted meanwhile stays out."""

import errno
import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from api.jobs import Jobs, KeyInUse, KeyReused, Limits, QueueFull, UnknownJob
from api.ledger import FILE_NAME, Job, Outcome
from api.spool import Incoming
from api.worker import LOCK_NAME, TRIES, Worker
from index.errors import DiskFull, DocumentTooLarge, LibraryBusy, LibraryFormat
from index.library import Library
from index.naming import document_id
from index.report import Failure, SyncProgress, SyncReport
from index.sync import Upload, ingest
from index.types import Metadata
from tests.fakes import HashingEmbedder
from tests.waiting import until

SECONDS = 60.0
HOUR = 3600.0
REPOSITORY = Path(__file__).resolve().parent.parent
ROOMY = Limits(jobs=100, bytes=1_000_000, document=1_000)


def documents(*names: str, text: str = "The ferry leaves at noon.") -> list[Incoming]:
    return [Incoming(name, io.BytesIO(text.encode()), Metadata()) for name in names]


def stored_names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in (folder / "jobs").rglob("*") if path.is_file()}


def report(*added: str, generation: int | None = 1, failed: tuple[Failure, ...] = ()) -> SyncReport:
    return SyncReport(generation, added, (), (), 0, failed, (), len(added), 0.0)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Landing:
    """Takes uploads in by noting them; fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.landed: list[list[str]] = []

    def __call__(self, uploads: Sequence[Upload], progress: Callable[[SyncProgress], None]) -> SyncReport:
        progress(SyncProgress("read", 0, len(uploads), 0))
        if self.errors:
            raise self.errors.pop(0)
        self.landed.append([upload.name for upload in uploads])
        return report(*(upload.name for upload in uploads), generation=len(self.landed))


def worked_off(folder: Path, jobs: Jobs, land: Landing) -> list[Job]:
    """Work until no job waits, and return all jobs, oldest first."""
    with Worker(folder, jobs, land, lambda: None):
        until(lambda: not any(job.waits for job in jobs.newest(100)))
    return jobs.newest(100)[::-1]


# ---- accepting -----------------------------------------------------------------------------------------------------


def test_what_was_accepted_is_on_the_disk_for_whoever_opens_the_library_next(tmp_path: Path) -> None:
    metadata = Metadata(title="The ferry", language="en", tags=("boats", "times"))
    job, again = Jobs(tmp_path, ROOMY).accept([Incoming("a/ferry.txt", io.BytesIO(b"At noon."), metadata)])
    assert (job.status, again) == ("queued", False)
    found = Jobs(tmp_path, ROOMY)
    assert found.job(job.id) == job
    assert found.uploads(job) == [Upload("a/ferry.txt", b"At noon.", metadata)]


def test_no_file_bears_a_name_that_a_sender_chose(tmp_path: Path) -> None:
    job, _ = Jobs(tmp_path, ROOMY).accept(documents("../../up.txt", "/etc/passwd", "a\0b", "x" * 5_000))
    assert stored_names(tmp_path) == {f"jobs/{job.id}/{number}" for number in range(4)}


def test_nothing_is_written_before_the_first_upload(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    assert (jobs.newest(10), jobs.any_yet) == ([], False)
    with pytest.raises(UnknownJob, match="no such job"):
        jobs.job("job_none")
    with jobs.receiving("key"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_document_over_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    with pytest.raises(DocumentTooLarge, match=r"b\.txt"):
        jobs.accept([*documents("a.txt"), *documents("b.txt", text="x" * 1_001)])
    assert (stored_names(tmp_path), jobs.newest(10)) == (set(), [])
    jobs.accept(documents("c.txt", text="x" * 1_000))


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        """Bytes for which there is no space."""

        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    jobs = Jobs(tmp_path, ROOMY)
    with pytest.raises(DiskFull, match="nothing of it was kept"):
        jobs.accept([*documents("a.txt"), Incoming("b.txt", Full(), Metadata())])
    assert (stored_names(tmp_path), jobs.newest(10)) == (set(), [])


def test_no_more_jobs_wait_than_may(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, Limits(jobs=2, bytes=1_000_000, document=1_000))
    first, _ = jobs.accept(documents("a.txt"))
    jobs.accept(documents("b.txt"))
    with pytest.raises(QueueFull, match="try again"), jobs.receiving(None):
        pass
    with pytest.raises(QueueFull):
        jobs.accept(documents("c.txt"))
    assert len(stored_names(tmp_path)) == 2
    jobs.finish(first, Outcome(1, added=("a.txt",)))
    jobs.accept(documents("c.txt"))


def test_no_more_bytes_wait_than_may(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, Limits(jobs=100, bytes=1_500, document=1_000))
    jobs.accept(documents("a.txt", text="x" * 1_000))
    with pytest.raises(QueueFull), jobs.receiving(None, announced=501):
        pass
    with pytest.raises(QueueFull):
        jobs.accept(documents("b.txt", text="x" * 501))
    jobs.accept(documents("b.txt", text="x" * 500))


def test_only_so_many_requests_are_received_at_once(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    places = [jobs.receiving(None) for _ in range(8)]
    for place in places:
        place.__enter__()
    with pytest.raises(QueueFull), jobs.receiving(None):
        pass
    places[0].__exit__(None, None, None)
    with jobs.receiving(None):
        pass


# ---- the same key again --------------------------------------------------------------------------------------------


def test_the_same_key_and_documents_are_the_same_job_again_also_after_a_restart(tmp_path: Path) -> None:
    job, _ = Jobs(tmp_path, ROOMY).accept(documents("a.txt", "b.txt"), "key")
    jobs = Jobs(tmp_path, ROOMY)
    assert jobs.accept(documents("a.txt", "b.txt"), "key") == (job, True)
    assert len(jobs.newest(10)) == 1
    assert len(stored_names(tmp_path)) == 2
    other, again = jobs.accept(documents("a.txt", "b.txt"), "another key")
    assert (other.id == job.id, again) == (False, False)


@pytest.mark.parametrize(
    "other",
    [
        documents("a.txt", text="Another text."),
        documents("b.txt"),
        documents("a.txt", "b.txt"),
        [Incoming("a.txt", io.BytesIO(b"The ferry leaves at noon."), Metadata(title="The ferry"))],
    ],
)
def test_the_same_key_with_other_documents_is_refused(tmp_path: Path, other: list[Incoming]) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    job, _ = jobs.accept(documents("a.txt"), "key")
    with pytest.raises(KeyReused, match="new key"):
        jobs.accept(other, "key")
    assert jobs.newest(10) == [job]
    assert stored_names(tmp_path) == {f"jobs/{job.id}/0"}


def test_the_same_key_while_the_first_request_is_being_received_is_refused(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    with jobs.receiving("key"):
        with pytest.raises(KeyInUse, match="wait"), jobs.receiving("key"):
            pass
        with jobs.receiving("other key"), jobs.receiving(None), jobs.receiving(None):
            pass
    with jobs.receiving("key"):
        pass


def test_what_was_accepted_is_answered_again_although_the_queue_is_full(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, Limits(jobs=1, bytes=1_000_000, document=1_000))
    job, _ = jobs.accept(documents("a.txt"), "key")
    with jobs.receiving("key"):
        assert jobs.accept(documents("a.txt"), "key") == (job, True)


def test_a_key_is_kept_for_a_day_and_a_job_for_a_week(tmp_path: Path) -> None:
    clock = Clock()
    jobs = Jobs(tmp_path, ROOMY, clock)
    job, _ = jobs.accept(documents("a.txt"), "key")
    jobs.finish(job, Outcome(1, added=("a.txt",)))
    clock.now += 24 * HOUR - 1
    assert jobs.accept(documents("a.txt"), "key")[1] is True
    clock.now += 2
    again, replayed = jobs.accept(documents("other.txt"), "key")
    assert replayed is False
    clock.now += 6 * 24 * HOUR
    jobs.accept(documents("b.txt"))
    with pytest.raises(UnknownJob):
        jobs.job(job.id)
    assert jobs.job(again.id).waits


# ---- working them off ----------------------------------------------------------------------------------------------


def test_jobs_are_landed_in_the_order_they_came_and_leave_no_bytes(tmp_path: Path) -> None:
    jobs, land = Jobs(tmp_path, ROOMY), Landing()
    for names in (("a.txt", "b.txt"), ("c.txt",), ("a.txt",)):
        jobs.accept(documents(*names))
    done = worked_off(tmp_path, jobs, land)
    assert land.landed == [["a.txt", "b.txt"], ["c.txt"], ["a.txt"]]
    assert [(job.status, job.outcome.generation, job.outcome.added) for job in done] == [
        ("done", 1, ("a.txt", "b.txt")), ("done", 2, ("c.txt",)), ("done", 3, ("a.txt",)),
    ]  # fmt: skip
    assert stored_names(tmp_path) == set()
    assert not list((tmp_path / "jobs").iterdir())


def test_a_job_is_taken_up_as_soon_as_it_comes(tmp_path: Path) -> None:
    jobs, land = Jobs(tmp_path, ROOMY), Landing()
    with Worker(tmp_path, jobs, land, lambda: None):
        for number in range(3):
            job, _ = jobs.accept(documents(f"{number}.txt"))
            until(lambda job=job: not jobs.job(job.id).waits)  # type: ignore[misc]
    assert land.landed == [["0.txt"], ["1.txt"], ["2.txt"]]


def test_a_job_says_done_only_when_questions_are_answered_from_it(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    job, _ = jobs.accept(documents("a.txt"))
    seen: list[str] = []
    with Worker(tmp_path, jobs, Landing(), lambda: seen.append(jobs.job(job.id).status)):
        until(lambda: not jobs.job(job.id).waits)
    assert seen == ["running"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome(1, added=("a.txt",), errors=(Failure("b.txt", "empty-document", "empty"),)), "done"),
        (Outcome(unchanged=1, errors=(Failure("b.txt", "empty-document", "empty"),)), "done"),
        (Outcome(unchanged=2), "done"),
        (Outcome(errors=(Failure("a.txt", "empty-document", "empty"), Failure("b.txt", "x", "y"))), "failed"),
    ],
)
def test_a_job_has_failed_if_nothing_of_it_landed(tmp_path: Path, outcome: Outcome, status: str) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    job, _ = jobs.accept(documents("a.txt", "b.txt"))
    jobs.finish(job, outcome)
    assert (jobs.job(job.id).status, jobs.job(job.id).outcome) == (status, outcome)


def test_what_a_sender_said_of_a_document_is_forgotten_when_the_job_is_over(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    job, _ = jobs.accept([Incoming("a.txt", io.BytesIO(b"x"), Metadata(title="zanzibar"))])
    jobs.finish(job, Outcome(1, added=("a.txt",)))
    jobs.close()
    assert b"zanzibar" not in (tmp_path / FILE_NAME).read_bytes()


def test_a_busy_library_is_waited_for(tmp_path: Path) -> None:
    jobs, land = Jobs(tmp_path, ROOMY), Landing(LibraryBusy("another process is writing"))
    jobs.accept(documents("a.txt"))
    (job,) = worked_off(tmp_path, jobs, land)
    assert (job.status, job.tries, land.landed) == ("done", 1, [["a.txt"]])


def test_trouble_is_tried_again_and_then_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.worker._LONGEST_PAUSE_SECONDS", 0.01)
    jobs, land = Jobs(tmp_path, ROOMY), Landing(*[LibraryFormat(f"{tmp_path}: other embedder")] * TRIES)
    jobs.accept(documents("a.txt"))
    jobs.accept(documents("b.txt"))
    first, second = worked_off(tmp_path, jobs, land)
    assert (first.status, first.tries, first.outcome.errors[0].code) == ("failed", TRIES, "library-format")
    assert str(tmp_path) not in first.outcome.errors[0].reason
    assert str(tmp_path) in caplog.text
    assert (second.status, land.landed) == ("done", [["b.txt"]])


def test_a_job_that_took_the_server_down_each_time_is_given_up(tmp_path: Path) -> None:
    jobs, land = Jobs(tmp_path, ROOMY), Landing()
    jobs.accept(documents("poison.txt"))
    jobs.accept(documents("b.txt"))
    for _ in range(TRIES):
        jobs.take()
        jobs.recover()
    poison, other = worked_off(tmp_path, jobs, land)
    assert (poison.status, poison.outcome.errors[0].code) == ("failed", "given-up")
    assert (other.status, land.landed) == ("done", [["b.txt"]])


def test_a_server_that_stops_puts_its_job_back(tmp_path: Path) -> None:
    jobs, begun = Jobs(tmp_path, ROOMY), threading.Event()
    job, _ = jobs.accept(documents("a.txt", "b.txt"))

    def slow(uploads: Sequence[Upload], progress: Callable[[SyncProgress], None]) -> SyncReport:
        while True:
            begun.set()
            progress(SyncProgress("read", 1, 2, 7))
            time.sleep(0.001)

    with Worker(tmp_path, jobs, slow, lambda: None):
        assert begun.wait(SECONDS)
        until(lambda: jobs.progress(job) == SyncProgress("read", 1, 2, 7))
        assert jobs.job(job.id).status == "running"
    assert (jobs.job(job.id), jobs.progress(job)) == (job, None)
    (done,) = worked_off(tmp_path, jobs, Landing())
    assert (done.status, done.tries) == ("done", 1)


def test_what_is_being_committed_is_finished_although_the_server_stops(tmp_path: Path) -> None:
    jobs, begun, stopping = Jobs(tmp_path, ROOMY), threading.Event(), threading.Event()
    job, _ = jobs.accept(documents("a.txt"))

    def committing(uploads: Sequence[Upload], progress: Callable[[SyncProgress], None]) -> SyncReport:
        begun.set()
        assert stopping.wait(SECONDS)
        progress(SyncProgress("commit", 1, 1, 1))
        return report("a.txt")

    worker = Worker(tmp_path, jobs, committing, lambda: None).__enter__()
    assert begun.wait(SECONDS)
    ending = threading.Thread(target=worker.__exit__)
    ending.start()
    until(lambda: worker._stop.is_set())
    stopping.set()
    ending.join(SECONDS)
    assert jobs.job(job.id).status == "done"


def test_a_job_whose_end_could_not_be_written_is_taken_up_again(tmp_path: Path) -> None:
    class Forgetful(Jobs):
        """A queue whose disk is full once, just when a job is done."""

        failed = False

        def finish(self, job: Job, outcome: Outcome) -> None:
            if not self.failed:
                self.failed = True
                raise DiskFull("no space is left")
            super().finish(job, outcome)

    jobs, land = Forgetful(tmp_path, ROOMY), Landing()
    jobs.accept(documents("a.txt"))
    (job,) = worked_off(tmp_path, jobs, land)
    assert (job.status, land.landed) == ("done", [["a.txt"], ["a.txt"]])


def test_only_one_server_of_a_library_works(tmp_path: Path) -> None:
    mine, other = Jobs(tmp_path, ROOMY), Jobs(tmp_path, ROOMY)
    idle = Landing()
    first, _ = mine.accept(documents("a.txt"))
    with Worker(tmp_path, mine, Landing(), lambda: None):
        until(lambda: not mine.job(first.id).waits)
        with Worker(tmp_path, other, idle, lambda: None):
            job, _ = other.accept(documents("b.txt"))
            until(lambda: not other.job(job.id).waits)
    assert (idle.landed, other.job(job.id).status) == ([], "done")
    assert (tmp_path / LOCK_NAME).exists()


# ---- after a crash -------------------------------------------------------------------------------------------------


def run(code: str, *arguments: str) -> None:
    """Run Python that kills itself the hard way."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=REPOSITORY, timeout=SECONDS, check=False)
    assert done.returncode == -signal.SIGKILL


ACCEPT_AND_DIE = """
import io, os, signal, sys
from pathlib import Path
from api.jobs import Jobs, Limits
from api.spool import Incoming
from index.types import Metadata
jobs = Jobs(Path(sys.argv[1]), Limits(100, 1_000_000, 1_000))
incoming = [Incoming("ferry.txt", io.BytesIO(b"The ferry leaves at noon."), Metadata(title="The ferry"))]
jobs.accept(incoming, "key")
if "take" in sys.argv:
    jobs.take()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that can kill")
@pytest.mark.parametrize("when", ["accept", "take"])
def test_what_a_killed_server_had_accepted_is_landed_by_the_next_one(tmp_path: Path, when: str) -> None:
    embedder = HashingEmbedder()
    run(ACCEPT_AND_DIE, str(tmp_path), when)
    jobs = Jobs(tmp_path, ROOMY)
    (job,) = jobs.newest(10)
    assert job.status == ("queued" if when == "accept" else "running")
    with Worker(tmp_path, jobs, lambda uploads, tell: ingest(tmp_path, embedder, uploads, progress=tell), lambda: None):
        until(lambda: not jobs.job(job.id).waits)
    assert jobs.job(job.id).outcome == Outcome(1, added=("ferry.txt",), passages=1)
    library = Library(tmp_path)
    (document,) = library.documents(1)
    library.close()
    assert (document.id, document.title) == (document_id("ferry.txt"), "The ferry")
    incoming = [Incoming("ferry.txt", io.BytesIO(b"The ferry leaves at noon."), Metadata(title="The ferry"))]
    assert jobs.accept(incoming, "key")[1] is True


def test_what_landed_before_the_crash_lands_no_second_time(tmp_path: Path) -> None:
    embedder, jobs = HashingEmbedder(), Jobs(tmp_path, ROOMY)
    job, _ = jobs.accept(documents("ferry.txt"))
    taken = jobs.take()
    assert taken is not None
    ingest(tmp_path, embedder, jobs.uploads(taken))
    with Worker(tmp_path, jobs, lambda uploads, tell: ingest(tmp_path, embedder, uploads, progress=tell), lambda: None):
        until(lambda: not jobs.job(job.id).waits)
    found = jobs.job(job.id)
    assert (found.status, found.outcome) == ("done", Outcome(None, unchanged=1))


def test_what_a_killed_server_left_lying_about_is_swept_away_in_time(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = time.time()
    jobs = Jobs(tmp_path, ROOMY, clock)
    job, _ = jobs.accept(documents("a.txt"))
    (tmp_path / "jobs" / "job_half").mkdir()
    (tmp_path / "jobs" / "job_half" / "0").write_text("half")
    jobs.recover()
    assert "jobs/job_half/0" in stored_names(tmp_path)
    clock.now += 2 * HOUR
    jobs.recover()
    assert stored_names(tmp_path) == {f"jobs/{job.id}/0"}


# ---- deleting ------------------------------------------------------------------------------------------------------


def test_what_is_deleted_before_it_is_taken_in_stays_out(tmp_path: Path) -> None:
    jobs, land = Jobs(tmp_path, ROOMY), Landing()
    job, _ = jobs.accept(documents("a.txt", "b.txt"))
    alone, _ = jobs.accept(documents("b.txt"))
    jobs.withdraw(document_id("b.txt"), None, purge=False)
    assert stored_names(tmp_path) == {f"jobs/{job.id}/0"}
    first, second = worked_off(tmp_path, jobs, land)
    assert land.landed == [["a.txt"]]
    assert (first.status, first.outcome.added) == ("done", ("a.txt",))
    assert [(e.name, e.code) for e in first.outcome.errors] == [("b.txt", "deleted")]
    assert (second.id, second.status) == (alone.id, "failed")


def test_what_is_known_by_its_address_is_withdrawn_by_it(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    url = "https://example.org/ferry"
    jobs.accept([Incoming("a.txt", io.BytesIO(b"x"), Metadata(url=url)), *documents("b.txt")])
    jobs.withdraw("doc_first_seen_elsewhere", url, purge=False)
    (job,) = jobs.newest(10)
    assert [one.withdrawn for one in job.uploads] == [True, False]


def test_a_purge_leaves_no_name_in_any_job(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, ROOMY)
    over, _ = jobs.accept(documents("zanzibar.txt", "b.txt"), "key")
    jobs.finish(over, Outcome(1, added=("zanzibar.txt",), errors=(Failure("b.txt", "x", "y"),)))
    waits, _ = jobs.accept(documents("zanzibar.txt", "c.txt"))
    jobs.withdraw(document_id("zanzibar.txt"), "zanzibar.txt", purge=True)
    assert jobs.job(over.id).outcome == Outcome(1, added=("(purged)",), errors=(Failure("b.txt", "x", "y"),))
    assert [one.name for one in jobs.job(waits.id).uploads] == ["(purged)", "c.txt"]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"zanzibar" not in path.read_bytes(), path


def test_no_document_lands_while_one_is_deleted(tmp_path: Path) -> None:
    jobs, land = Jobs(tmp_path, ROOMY), Landing()
    with Worker(tmp_path, jobs, land, lambda: None):
        with jobs.landing(SECONDS):
            job, _ = jobs.accept(documents("a.txt"))
            with pytest.raises(LibraryBusy), jobs.landing(0.05):
                pass
            jobs.withdraw(document_id("a.txt"), None, purge=False)
        until(lambda: not jobs.job(job.id).waits)
    assert land.landed == []


def test_a_ledger_of_jobs_waits_for_the_disk(tmp_path: Path) -> None:
    """The ledger is a file of its own, in the mode in which a commit survives a power cut."""
    Jobs(tmp_path, ROOMY).accept(documents("a.txt"))
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()

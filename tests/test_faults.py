"""What goes wrong around the service: a folder that may not be written, files taken away, no handles, wrong clocks.

The other faults of docs/operations.md have tests of their own, which its table names.
"""

from __future__ import annotations

import http.client
import logging
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api import cli
from api.access import Role
from api.app import create_app
from api.connections import Troubles, ask_for_handles
from api.conversations import LIFETIME_SECONDS, Conversations
from api.jobs import Jobs
from api.keys import Keys
from api.limits import RateLimit
from api.settings import Settings
from api.wiring import Runtime, open_runtime
from index import sqlite
from index.change import compact
from index.errors import LibraryDamaged, UnknownConversation
from index.library import Library
from index.sync import sync
from index.truth import truth_of
from qa.types import Turn
from tests.fakes import HashingEmbedder, write_files
from tests.services import SERVICE
from tests.shelf import shelf
from tests.test_http import assert_problem
from tests.test_jobs import ROOMY, Clock, documents
from tests.test_restart import REPOSITORY, ask, get, until_ready
from tests.waiting import SECONDS, until

# Rights are taken at the start of a program: root's are given up in one that starts the next.
_BOUND = """
import os, sys
from tests.nobody import give_up_root_for_good
if os.geteuid() == 0:
    give_up_root_for_good()
os.execv(sys.argv[1], sys.argv[1:])
"""
KEEPER = "The keeper of the lighthouse is Edda Holm."
DAY = 86_400.0


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return shelf(tmp_path, {"keeper.md": f"# The lighthouse\n\n{KEEPER}\n"})


def run(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody whom permissions hold for."""
    command = [sys.executable, "-m", "tests.plain_server", "--library", str(library), *arguments]
    return subprocess.run(
        [sys.executable, "-c", _BOUND, *command], cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip


# ---- a folder that may not be written ------------------------------------------------------------------------------


def test_a_library_that_may_not_be_written_is_said_to_be_that_and_not_damaged(library: Path) -> None:
    sources = library.parent / "sources"
    (sources / "new.txt").write_text("The ferry leaves at noon.")
    everything = [library, *library.rglob("*")]
    before = {path: path.stat().st_mode for path in everything}
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for arguments in (["documents"], ["sync", str(sources)]):
        done = run(library, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"citespan: {library / 'library.sqlite'}: may not be written")
    for path, mode in before.items():
        path.chmod(mode)
    assert run(library, "sync", str(sources)).returncode == 0


def test_a_folder_in_which_no_library_can_be_made_is_told(tmp_path: Path) -> None:
    sources = write_files(tmp_path / "sources", {"a.txt": "It sails."})
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    done = run(closed / "library", "sync", str(sources))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(closed) in done.stderr


# ---- files taken away ----------------------------------------------------------------------------------------------


@pytest.fixture
def runtime(library: Path) -> Iterator[Runtime]:
    settings = Settings(library=library, refresh_seconds=0.05)
    opened = replace(open_runtime(settings, HashingEmbedder()), service=SERVICE)
    yield opened
    opened.close()


def taken_away(library: Path) -> Path:
    """Move the library's file, and what SQLite has beside it, elsewhere; return where."""
    elsewhere = library.parent / "elsewhere"
    elsewhere.mkdir()
    for path in library.glob("library.sqlite*"):
        path.rename(elsewhere / path.name)
    return elsewhere


def test_a_server_whose_library_is_taken_away_says_so_and_makes_no_new_one(
    runtime: Runtime, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(runtime)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        assert client.get("/readyz").status_code == 200
        elsewhere = taken_away(library)
        assert_problem(client.get("/readyz"), 503, "not-ready")
        accepted = client.post("/v1/documents", json={"name": "b.txt", "text": "It sails."})
        # What was accepted is kept and tried again, and no library of that one document is made.
        assert accepted.status_code == 202
        job = accepted.headers["location"]
        until(lambda: "could not be taken in (try 1 of 5)" in caplog.text)
        assert not (library / "library.sqlite").exists()
        for path in elsewhere.iterdir():
            path.rename(library / path.name)
        until(lambda: bool(client.get(job).json()["status"] == "done"))
        assert client.get("/readyz").json()["generation"] == 2


def test_whether_a_library_is_as_it_was_seen_shows_without_reading_it(tmp_path: Path) -> None:
    folder = shelf(tmp_path, {"a.txt": "The ferry leaves at noon."})
    with closing(Library(folder)) as opened:
        assert not opened.is_as_seen()
        opened.look()
        assert opened.is_as_seen()
        # Another process, as far as this one can tell, takes a document in.
        sync(folder, HashingEmbedder(), [write_files(tmp_path / "more", {"b.txt": "The tide turns."})])
        assert not opened.is_as_seen()
        opened.look()
        assert opened.is_as_seen()
        file = folder / "library.sqlite"
        status = file.stat()
        file.rename(tmp_path / "elsewhere.sqlite")
        assert not opened.is_as_seen()
        with pytest.raises(LibraryDamaged):
            opened.look()
        (tmp_path / "elsewhere.sqlite").rename(file)
        # It is the file that was seen, and yet the last look failed: only another one makes it good.
        assert file.stat().st_mtime_ns == status.st_mtime_ns
        assert not opened.is_as_seen()
        opened.look()
        assert opened.is_as_seen()


def test_what_each_reading_thread_holds_of_a_library_is_bounded(library: Path) -> None:
    with closing(truth_of(library).read()) as reader, closing(truth_of(library).write()) as writer:
        held = [int(one.execute("PRAGMA cache_size").fetchone()[0]) for one in (reader, writer)]
    # Negative: in KiB, whatever the size of a page.
    assert -1024 <= held[0] < 0
    assert held[1] < held[0]


def test_another_library_in_the_place_of_the_one_that_is_open_is_not_mixed_with_it(tmp_path: Path) -> None:
    one = shelf(tmp_path / "one", {"a.txt": KEEPER})
    other = shelf(tmp_path / "other", {"a.txt": "The keeper is Nils Berg."})
    opened = Library(one)
    try:
        held = opened.documents(1, limit=10)
        taken_away(one)
        shutil.copy(other / "library.sqlite", one / "library.sqlite")
        # This thread reads on where it was; nobody begins to read the other one.
        assert opened.documents(1, limit=10) == held
        with pytest.raises(LibraryDamaged, match="removed or replaced while it was open"):
            opened.expect_in_place()
        found: list[object] = []

        def look() -> None:
            try:
                found.append(opened.documents(1, limit=10))
            except LibraryDamaged as error:
                found.append(type(error))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(SECONDS)
        assert found == [LibraryDamaged]
    finally:
        opened.close()


def test_a_library_folder_that_is_gone_is_told_by_every_command(tmp_path: Path) -> None:
    for arguments in (["documents"], ["generations"], ["verify"], ["delete", "doc_none"], ["compact"]):
        done = CliRunner().invoke(cli.app, ["--library", str(tmp_path / "gone"), *arguments])
        assert done.exit_code == 1
        assert "no library there" in done.output


# ---- no handles left -----------------------------------------------------------------------------------------------


def test_a_server_out_of_handles_says_so_in_few_lines_and_answers_once_there_are_some(library: Path) -> None:
    command = [sys.executable, "-m", "tests.plain_server", "--library", str(library), "serve", "--port", "0"]

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    log = library.parent / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=file, text=True, preexec_fn=few
        ) as process,
    ):
        try:
            port = until_ready(process)
            assert ask(port)[0] == 200
            holding = [socket.create_connection(("127.0.0.1", port)) for _ in range(80)]
            until(lambda: "out of system resource" in log.read_text())
            for one in holding:
                one.close()
            assert ask(port) == (200, f"“{KEEPER}” [1]")
            assert get(port, "/readyz")[0] == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
    assert log.read_text().count("out of system resource") == 1


def test_a_server_asks_for_as_many_handles_as_it_may_have() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        ask_for_handles()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert (soft, hard) == (min(4_096, limits[1]) if limits[1] != resource.RLIM_INFINITY else 4_096, limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_same_trouble_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    troubles = Troubles(clock)
    loop: Any = None
    with caplog.at_level(logging.ERROR):
        for _ in range(1_000):
            troubles(loop, {"message": "no room", "exception": OSError(24, "x")})
        troubles(loop, {"message": "another"})
        clock.now += 61
        troubles(loop, {"message": "no room", "exception": OSError(24, "x")})
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == ["no room", "another", "no room"]


# ---- wrong clocks --------------------------------------------------------------------------------------------------


def turn(question: str) -> Turn:
    return Turn(question, question, (), None, ())


def test_a_conversation_from_a_clock_that_was_ahead_lasts_a_day_like_any_other(tmp_path: Path) -> None:
    clock = Clock()
    held = Conversations(tmp_path, clock)
    clock.now += 1_000 * DAY
    name = held.add(None, turn("a"))
    clock.now -= 1_000 * DAY
    assert len(held.turns(name)) == 1
    held.add(None, turn("b"))
    clock.now += LIFETIME_SECONDS + 1
    with pytest.raises(UnknownConversation):
        held.turns(name)


def test_a_key_ends_by_the_clock_and_a_clock_set_back_revokes_nothing_nor_revives_what_was_revoked(
    tmp_path: Path,
) -> None:
    clock = Clock()
    made = Keys(tmp_path, clock)
    key, shown = made.create("press", Role.READER, days=1)
    lost_shown = made.create("lost", Role.READER)[1]
    made.revoke("lost")
    for moved in (-1_000 * DAY, 0.5 * DAY):
        clock.now = 1_000_000.0 + moved
        assert made.holder(shown) == key
        assert made.holder(lost_shown) is None
    clock.now = 1_000_000.0 + 2 * DAY
    assert made.holder(shown) is None


def test_jobs_land_in_the_order_they_came_whatever_the_clock_says(tmp_path: Path) -> None:
    clock = Clock()
    jobs = Jobs(tmp_path, ROOMY, clock)
    ids = []
    for moved in (0.0, -10 * DAY, 400 * DAY, -400 * DAY):
        clock.now += moved
        ids.append(jobs.accept(documents(f"{moved}.txt"), f"key{moved}")[0].id)
    taken = []
    while (job := jobs.take()) is not None:
        taken.append(job.id)
    assert taken == ids


def test_limits_and_leases_do_not_look_at_the_clock_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, real = RateLimit(2), time.time
    assert [limit.wait("a") for _ in range(3)][:2] == [0, 0]
    for moved in (1_000 * DAY, -1_000 * DAY):
        now = real() + moved
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert limit.wait("a") > 0


def dated(folder: Path, count: int, dates: dict[int, str]) -> Path:
    """Return a library of `count` generations, some of which a clock that was wrong has dated."""
    sources = write_files(folder / "sources", {"a.txt": "One."})
    library = folder / "library"
    for number in range(1, count + 1):
        write_files(sources, {"a.txt": f"This is number {number}."})
        sync(library, HashingEmbedder(), [sources])
    with sqlite3.connect(library / sqlite.FILE_NAME) as db:
        for number, at in dates.items():
            db.execute("UPDATE generations SET created_at = ? WHERE number = ?", (f"{at}T00:00:00.000Z", number))
    db.close()
    return library


def test_a_generation_dated_in_the_future_keeps_none_of_those_after_it(tmp_path: Path) -> None:
    """Number 2 was committed by a clock that was ahead by years; without care nothing would ever be let go again."""
    library = dated(tmp_path, 5, {2: "2099-01-01"})
    later = datetime.now(UTC) + timedelta(days=30)
    assert compact(library, keep_last=1, keep_days=7, now=later).generations == 4
    with closing(Library(library)) as opened:
        assert opened.generation().number == 5


def test_a_moment_means_the_last_generation_dated_by_then_whatever_the_clock_did(tmp_path: Path) -> None:
    library = dated(tmp_path, 3, {1: "2026-03-01", 2: "2026-01-01", 3: "2026-02-01"})
    with closing(Library(library)) as opened:
        found = [opened.generation_at(f"2026-{month}-15T00:00:00.000Z").number for month in ("01", "02", "03")]
        assert (found, opened.generation().number) == ([2, 3, 3], 3)


# ---- a power cut ---------------------------------------------------------------------------------------------------


def test_what_is_acknowledged_is_on_the_disk(tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit waits for the disk, and an upload is on it before it is accepted: the file first, then its folder."""
    connection = sqlite.connect(library / sqlite.FILE_NAME, writable=True)
    try:
        told = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
        assert told == [2, "wal"]
    finally:
        connection.close()
    synced: list[str] = []
    real: Callable[[int], None] = os.fsync

    def fsync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().relative_to(tmp_path).as_posix())
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    job, _ = Jobs(tmp_path, ROOMY).accept(documents("a.txt"))
    assert [name for name in synced if name.startswith("jobs/")] != []
    assert any(job.id in name for name in synced)
    assert synced.index("jobs") > max(at for at, name in enumerate(synced) if job.id in name)


def test_a_client_that_goes_away_in_the_middle_leaves_nothing_open(library: Path) -> None:
    command = [sys.executable, "-m", "tests.plain_server", "--library", str(library), "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = until_ready(process)
            ask(port)
            before = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            for number in range(30):
                client = socket.create_connection(("127.0.0.1", port))
                body = b'{"question": "Who is the keeper of the lighthouse?"}'
                head = b"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                client.sendall(head + b"Content-Length: 52\r\n\r\n" + body[: 52 - number % 2])
                if number % 3:
                    client.shutdown(socket.SHUT_WR)
                client.close()
            until(lambda: len(list(Path(f"/proc/{process.pid}/fd").iterdir())) <= before + 2)
            with suppress(http.client.HTTPException):
                assert ask(port)[0] == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()

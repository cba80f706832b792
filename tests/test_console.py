from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from api.console import printable, printable_json, run_sync, watch_folders, watch_lines
from api.progress import Meter, Rate, lasting, seconds_left, sync_progress
from index.errors import Interrupted, LibraryError, PathNotFound
from index.library import Library
from index.report import Failure, Stage, SyncPolicy, SyncProgress, SyncReport
from index.watch import Away, Back, Deaf, Heard, Noticed, Synced, Trouble
from index.writer import Writer
from tests.fakes import HashingEmbedder, write_files

NOTHING = SyncReport(
    generation=None, added=(), changed=(), removed=(), skipped=3, failed=(), ignored=(), embedded=0, seconds=0.5
)


class Clock:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shown(moments: list[tuple[float, Stage, int, int, int]], *, terminal: bool = False) -> list[str]:
    """Return the lines that are written for (seconds passed, stage, files, files in all, passages)."""
    clock = Clock()
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=160, color_system=None, legacy_windows=False)
    with sync_progress(console, clock=clock) as progress:
        for seconds, stage, files, total, passages in moments:
            clock.now += seconds
            progress(SyncProgress(stage, files, total, passages))
    return out.getvalue().splitlines()


# ---- how far, how fast, how long ------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_line_every_five_seconds() -> None:
    assert shown(
        [
            (0.0, "scan", 0, 0, 0),
            (1.0, "read", 0, 200, 0),
            (4.0, "embed", 10, 200, 256),
            (1.0, "embed", 12, 200, 300),
            (4.0, "embed", 20, 200, 512),
            (300.0, "commit", 200, 200, 5120),
        ]
    ) == [
        "embed: 10 of 200 files, 256 passages, 64 passages/s, 76 s left",
        "embed: 20 of 200 files, 512 passages, 57 passages/s, 81 s left",
        "commit: 200 of 200 files, 5120 passages, 15 passages/s, – left",
    ]


def test_what_is_not_known_yet_is_a_dash() -> None:
    assert shown([(5.0, "scan", 0, 0, 0), (5.0, "read", 0, 1, 0), (5.0, "embed", 0, 1, 256)]) == [
        "scan: 0 of 0 files, 0 passages, – passages/s, – left",
        "read: 0 of 1 files, 0 passages, – passages/s, – left",
        "embed: 0 of 1 files, 256 passages, 51 passages/s, – left",
    ]


def test_the_pace_is_that_of_the_last_while() -> None:
    # 9,000 files that had not changed took a second; of the others each takes one.
    moments: list[tuple[float, Stage, int, int, int]] = [(0.0, "read", 0, 9100, 0), (1.0, "read", 9000, 9100, 0)]
    moments += [(1.0, "embed", 9000 + file, 9100, 10 * file) for file in range(1, 41)]
    assert shown(moments)[-1] == "embed: 9039 of 9100 files, 390 passages, 10 passages/s, 61 s left"


def test_on_a_terminal_the_bar_shows_the_same_and_is_gone_at_the_end() -> None:
    lines = shown([(0.0, "scan", 0, 0, 0), (1.0, "read", 0, 200, 0), (4.0, "embed", 10, 200, 256)], terminal=True)
    last = next(line for line in reversed(lines) if "embed" in line)
    assert "10/200 files 256 passages, 64/s" in last
    assert "76 s left" in last
    assert lines[-1].endswith("\x1b[2K")  # the line of the bar, wiped


def test_a_rate_is_not_known_before_something_was_done_for_two_seconds() -> None:
    clock = Clock()
    rate = Rate(clock)
    assert rate.at(0) is None
    clock.now += 1.0
    assert rate.at(10) is None
    clock.now += 1.0
    assert rate.at(10) == 5.0


def test_a_rate_forgets_what_was_half_a_minute_ago() -> None:
    clock = Clock()
    rate = Rate(clock)
    for count in (0, 1000, 1000, 1000):
        known = rate.at(count)
        clock.now += 20.0
    assert known is None
    assert rate.at(1100) == 2.5


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.2, "1 s"), (90.0, "90 s"), (91.0, "2 min"), (5400.0, "90 min"), (9000.0, "2.5 h")],
)
def test_a_time_claims_no_more_than_is_known(seconds: float | None, words: str) -> None:
    assert lasting(seconds) == words


def test_the_time_left_is_unknown_without_a_rate_and_at_the_end() -> None:
    assert seconds_left(4.0, 20, 100) == 20.0
    assert seconds_left(None, 20, 100) is None
    assert seconds_left(4.0, 100, 100) is None


def test_a_meter_writes_a_line_every_five_seconds() -> None:
    clock = Clock()
    lines: list[str] = []
    meter = Meter("passages", clock=clock, write=lines.append)
    for done in (0, 100, 200, 300):
        meter(done, 1000)
        clock.now += 2.5
    assert lines == ["200 of 1000 passages, 40 passages/s, 20 s left"]


# ---- a sync ---------------------------------------------------------------------------------------------------------


def test_a_sync_is_shown_only_when_it_is_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_files(tmp_path / "notes", {"a.md": "The lamp is lit at dusk."})
    for quiet in (True, False):
        report = run_sync(tmp_path / f"library-{quiet}", HashingEmbedder(), [folder], quiet=quiet)
        assert report.added == ("a.md",)
    # It took no five seconds, and a pipe is no terminal.
    assert capsys.readouterr() == ("", "")


# ---- a watch --------------------------------------------------------------------------------------------------------


def test_a_watch_says_what_it_hears() -> None:
    failed = Failure("b.pdf", "unreadable-document", "no text in it")
    heard: dict[Heard, list[str]] = {
        Noticed(frozenset({"/notes/a.md", "/notes/b.md"})): ["changes noticed: 2"],
        Noticed(frozenset()): [],
        Synced(None): [],
        Synced(NOTHING): [],
        Away(Path("/notes"), "not there"): [
            "/notes: not there; its documents stay, and nothing is synced until it is back"
        ],
        Back(Path("/no\x1b[31mtes")): ["/no\N{REPLACEMENT CHARACTER}[31mtes: back"],
        Trouble(LibraryError("disk full; make room"), 60.0): ["failed, tried again in 60 s: disk full; make room"],
    }  # fmt: skip
    for what, lines in heard.items():
        assert list(watch_lines(what)) == lines
    (line,) = watch_lines(Deaf("limit reached", 30.0))
    assert line.startswith("the system gives no file events (limit reached): a sync every 30 s instead")
    landed = SyncReport(
        generation=2, added=("a.md",), changed=(), removed=(), skipped=0, failed=(failed,), ignored=(), embedded=1,
        seconds=0.5,
    )  # fmt: skip
    lines = list(watch_lines(Synced(landed)))
    assert any("a.md" in line for line in lines)
    assert any("b.pdf: no text in it" in line for line in lines)


class EndingEmbedder(HashingEmbedder):
    """Has this process told to end while it embeds, as `kill` or Ctrl-C would."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self._number = number

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        os.kill(os.getpid(), self._number)
        return super().embed(texts)


def test_a_watch_that_is_told_to_end_ends_when_its_sync_has_landed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_files(tmp_path / "notes", {"a.md": "The lamp is lit at dusk."})
    before = signal.getsignal(signal.SIGTERM)
    watch_folders(tmp_path / "library", EndingEmbedder(signal.SIGTERM), [folder], SyncPolicy(), 0.1)
    assert signal.getsignal(signal.SIGTERM) is before
    out = capsys.readouterr().out
    assert f"watching {folder}; Ctrl-C ends it" in out
    assert "generation 1: 1 added" in out


def test_ctrl_c_in_the_middle_of_a_sync_says_whether_it_landed(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "notes", {"a.md": "The lamp is lit at dusk."})
    with pytest.raises(Interrupted, match="nothing has landed"):
        watch_folders(tmp_path / "library", EndingEmbedder(signal.SIGINT), [folder], SyncPolicy(), 0.1)


def test_ctrl_c_ends_a_watch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_files(tmp_path / "notes", {"a.md": "The lamp is lit at dusk."})
    place = tmp_path / "library"
    run_sync(place, HashingEmbedder(), [folder], quiet=True)
    write_files(folder, {"b.md": "The pump was replaced in May."})

    def press() -> None:
        landed = False
        while not landed and not over.wait(0.01):
            library = Library(place)
            landed = library.generation().number == 2
            library.close()
        with Writer(place, timeout=60.0):  # the sync is over
            pass
        os.kill(os.getpid(), signal.SIGINT)

    over = threading.Event()
    user = threading.Thread(target=press)
    user.start()
    try:
        watch_folders(place, HashingEmbedder(), [folder], SyncPolicy(), 0.1)
    finally:
        over.set()
        user.join()
    assert capsys.readouterr().out.endswith("no longer watching\n")


def test_a_watch_of_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match="typo"):
        watch_folders(tmp_path / "library", HashingEmbedder(), [tmp_path / "typo"], SyncPolicy(), 0.1)
    assert not (tmp_path / "library").exists()


# ---- what a terminal would obey -------------------------------------------------------------------------------------


def test_names_do_not_steer_the_terminal() -> None:
    assert printable("a\x1b[2J\u202eb") == "a\ufffd[2J\ufffdb"
    assert json.loads(printable_json({"name": "a\x1b\u202e\n"})) == {"name": "a\x1b\u202e\n"}
    assert "\x1b" not in printable_json(["\x1b"])

"""How far something is, how fast, and how long it will take: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.report import SyncProgress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

Clock = Callable[[], float]

UNKNOWN = "–"
_LINE_EVERY_SECONDS = 5.0
# Work comes in easy stretches (files that did not change) and hard ones: only the last while tells what comes next.
_WINDOW_SECONDS = 30.0
_KNOWN_AFTER_SECONDS = 2.0
_SAMPLE_SECONDS = 0.1
# In the other stages no file is being read, and how long they take is not known.
_COUNTING = frozenset({"read", "embed"})


class Rate:
    """How fast a count grows, measured over the last half minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()

    def at(self, count: int) -> float | None:
        """Take the count as it is now; return its growth a second, None while that is not known."""
        now = self._clock()
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_SECONDS:
            self._samples.append((now, count))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _WINDOW_SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        if now - since < _KNOWN_AFTER_SECONDS or count <= before:
            return None
        return (count - before) / (now - since)


class Meter:
    """Writes a plain line every few seconds: how many are done, of how many, how fast, how long it will take."""

    def __init__(
        self, noun: str, *, clock: Clock = time.monotonic, write: Callable[[str], object] | None = None
    ) -> None:
        self._noun = noun
        self._rate = Rate(clock)
        self._due = Due(clock)
        self._write = _to_stderr if write is None else write

    def __call__(self, done: int, total: int) -> None:
        rate = self._rate.at(done)
        if self._due():
            left = lasting(seconds_left(rate, done, total))
            self._write(f"{done} of {total} {self._noun}, {_speed(rate)} {self._noun}/s, {left} left")


class SyncPace:
    """Turns how far a sync is into how fast it is and how long it will take, both in words."""

    def __init__(self, clock: Clock) -> None:
        self._files = Rate(clock)
        self._passages = Rate(clock)

    def at(self, now: SyncProgress) -> tuple[str, str]:
        """Return passages a second, and the time that is left at the pace of the files; "–" for what is not known."""
        if now.stage == "scan":  # no time in which files could have been read
            return UNKNOWN, UNKNOWN
        files, passages = self._files.at(now.files), self._passages.at(now.passages)
        left = seconds_left(files, now.files, now.files_total) if now.stage in _COUNTING else None
        return _speed(passages), lasting(left)


class SyncLines:
    """Writes a plain line every few seconds of a sync."""

    def __init__(self, clock: Clock, write: Callable[[str], object]) -> None:
        self._pace = SyncPace(clock)
        self._due = Due(clock)
        self._write = write

    def __call__(self, now: SyncProgress) -> None:
        speed, left = self._pace.at(now)
        if self._due():
            done = f"{now.stage}: {now.files} of {now.files_total} files, {now.passages} passages"
            self._write(f"{done}, {speed} passages/s, {left} left")


class SyncBar:
    """Moves a bar on a terminal."""

    def __init__(self, bar: Progress, task: TaskID, clock: Clock) -> None:
        self._bar = bar
        self._task = task
        self._pace = SyncPace(clock)

    def __call__(self, now: SyncProgress) -> None:
        speed, left = self._pace.at(now)
        # Until the files are counted the bar only pulsates.
        total = now.files_total if now.stage != "scan" else None
        self._bar.update(
            self._task, description=now.stage, completed=now.files, total=total, passages=now.passages, speed=speed,
            left=left,
        )  # fmt: skip


@contextmanager
def sync_progress(
    console: Console | None = None, *, clock: Clock = time.monotonic
) -> Iterator[Callable[[SyncProgress], None]]:
    """Yield what shows on `console` (standard error) how far a sync is; the bar is gone at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = Console(stderr=True) if console is None else console
    if not shown.is_terminal:
        yield SyncLines(clock, _to_stderr if console is None else lambda line: shown.out(line, highlight=False))
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"),
        TextColumn("{task.fields[passages]} passages, {task.fields[speed]}/s"), TimeElapsedColumn(),
        TextColumn("{task.fields[left]} left"),
    )  # fmt: skip
    with Progress(*columns, console=shown, transient=True) as bar:
        yield SyncBar(bar, bar.add_task("scan", total=None, passages=0, speed=UNKNOWN, left=UNKNOWN), clock)


class Due:
    """Says whether it is time for the next line."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock()

    def __call__(self) -> bool:
        now = self._clock()
        if now - self._last < _LINE_EVERY_SECONDS:
            return False
        self._last = now
        return True


def seconds_left(rate: float | None, done: int, total: int) -> float | None:
    """Return how long the rest takes at `rate` a second, None if that is not known or nothing is left to count."""
    return None if rate is None or done >= total else (total - done) / rate


def lasting(seconds: float | None) -> str:
    """Return a time in words that claim no more than is known."""
    if seconds is None:
        return UNKNOWN
    if seconds <= 90:
        return f"{math.ceil(seconds)} s"
    if seconds <= 90 * 60:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _speed(rate: float | None) -> str:
    if rate is None:
        return UNKNOWN
    return f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

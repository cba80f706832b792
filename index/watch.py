"""Keeping a library in step with folders: file events, settled, answered by one sync.

Events only say when to look; what changed, a sync finds out by itself. Lost, doubled or reordered events therefore do
no harm, and every round opens its events anew before it syncs, so that nothing between two rounds goes unnoticed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import CitespanError, Interrupted, LibraryBusy, PathNotFound
from index.places import EACH_FOLDER, Mark, Places, mark

if TYPE_CHECKING:
    from index.report import SyncReport

# How often the paths given are looked at: a folder that is renamed takes its events along and says nothing.
_LOOK_SECONDS = 0.5
_TICK_SECONDS = 0.1
_BUSY_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """When a watch syncs, in seconds.

    Changes are answered together when nothing happened for `settle`, at the latest `longest_wait` after the first.
    Without changes a sync comes every `every`, in case events were lost (network folders); every `deaf` where the
    system gives no events. After an error there are pauses from `settle`, doubling, to `longest_pause`.
    """

    settle: float = 0.5
    longest_wait: float = 5.0
    every: float = 600.0
    deaf: float = 30.0
    longest_pause: float = 60.0

    def __post_init__(self) -> None:
        if min(self.settle, self.longest_wait, self.every, self.deaf, self.longest_pause) <= 0:
            raise ValueError(f"every time of a watch is above 0 s: {self}")


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something changed and is quiet again; a sync follows. `paths` may be empty: not every change has a name."""

    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync ended well."""

    report: SyncReport | None


@dataclass(frozen=True, slots=True)
class Away:
    """A path given is away, and nothing is synced till it is back: what is in it is unknown, not gone."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Back:
    """A path that was away is there again."""

    path: Path


@dataclass(frozen=True, slots=True)
class Trouble:
    """A sync failed and is tried again in `again_in` seconds."""

    error: CitespanError
    again_in: float


@dataclass(frozen=True, slots=True)
class Deaf:
    """The system gives no file events; a sync looks for changes every `every` seconds instead."""

    reason: str
    every: float


Heard = Noticed | Synced | Away | Back | Trouble | Deaf
Events = Callable[[Collection[str], threading.Event], Generator[frozenset[str], None, None]]
_Ears = Generator[frozenset[str] | None, None, None]


def system_events(folders: Collection[str], stop: threading.Event) -> Generator[frozenset[str], None, None]:
    """Yield the paths that changed directly in `folders` (on Linux; elsewhere anywhere below), often none.

    :raises OSError: if the system watches no more folders.
    :raises RuntimeError: if events do not work at all, or a name that changed is not UTF-8.
    """
    import watchfiles  # here: it takes a tenth of a second, and most commands do not watch

    tick = round(_TICK_SECONDS * 1000)
    batches = watchfiles.watch(
        *folders,
        watch_filter=None,
        # Its own idea of quiet counts names: a file that grows without end would be quiet. So it only collects.
        debounce=tick,
        step=tick // 2,
        rust_timeout=tick,
        yield_on_timeout=True,
        stop_event=stop,
        recursive=not EACH_FOLDER,
        # Also: no error for a folder that vanished since it was listed.
        ignore_permission_denied=True,
    )
    with closing(batches):
        for batch in batches:
            yield frozenset(path for _, path in batch)


def watch(
    paths: Sequence[Path],
    step: Callable[[], SyncReport | None],
    *,
    stop: threading.Event,
    policy: WatchPolicy | None = None,
    ignored: Sequence[Path] = (),
    heard: Callable[[Heard], None] = lambda _: None,
    events: Events = system_events,
) -> None:
    """Call `step`, which syncs all of `paths`, now and after every change; return when `stop` is set.

    While a path is missing, or was replaced by an empty folder (a disk that is not mounted), no step runs.
    A step that raises a CitespanError is tried again after a pause; one that finds the library busy just comes later.
    Hidden files and what is below the folders `ignored` (the library's own) cause no step. What happens is told to
    `heard`, all in the thread of the caller.

    :raises PathNotFound: if a path does not exist at the start.
    :raises Interrupted: if the user stopped a sync.
    """
    for path in paths:
        if mark(path.expanduser()) is None:
            raise PathNotFound(f"{path}: no such file or folder, or it may not be looked at")
    watched = _Watch(Places(paths, ignored), step, stop, WatchPolicy() if policy is None else policy, heard, events)
    while not stop.is_set():
        watched.round()


class _Watch:
    """One watch, and whether it can hear."""

    def __init__(
        self,
        places: Places,
        step: Callable[[], SyncReport | None],
        stop: threading.Event,
        policy: WatchPolicy,
        tell: Callable[[Heard], None],
        events: Events,
    ) -> None:
        self._places = places
        self._step = step
        self._stop = stop
        self._policy = policy
        self._tell = tell
        self._events = events
        self._deaf = False

    def round(self) -> None:
        """Sync once the paths are there, then listen until it is time for the next round."""
        returned = self._wait_until_here()
        marks = self._places.look()
        folders = self._places.folders()
        with closing(self._open(folders)) as ears:
            # What came back may still be being filled: it settles first.
            done = not returned and self._sync()
            # A folder made while the events were opened may be without: the next round will hear it.
            self._listen(ears, marks, done and self._places.folders() <= folders)

    def _wait_until_here(self) -> bool:
        """Wait until every path is there, or `stop`; return whether one was away."""
        told: set[Path] = set()
        returned = False
        while not self._stop.is_set():
            absent = self._places.absent()
            for path, reason in absent.items():
                if path not in told:
                    self._tell(Away(path, reason))
            for path in told - absent.keys():
                self._tell(Back(path))
            if not absent:
                break
            told, returned = set(absent), True
            self._stop.wait(_LOOK_SECONDS)
        return returned

    def _open(self, folders: Collection[str]) -> _Ears:
        """Return the events of `folders` from now on; silence, and tell so, if the system gives none."""
        events = self._events(folders, self._stop)
        was_deaf = self._deaf
        try:
            next(events, None)
        except (OSError, RuntimeError) as error:
            self._deaf = True
            if not was_deaf:
                self._tell(Deaf(str(error), self._policy.deaf))
            return _silence(self._stop)
        self._deaf = False
        return _unbroken(events, self._stop)

    def _sync(self) -> bool:
        """Sync, again and again if it fails; return False if a path went away or `stop` was set meanwhile."""
        pause = self._policy.settle
        while not self._stop.is_set():
            wait = pause
            try:
                report = self._step()
            except Interrupted:
                raise
            except LibraryBusy:
                wait = min(pause, _BUSY_PAUSE_SECONDS)
            except CitespanError as error:
                if self._places.absent():
                    return False
                self._tell(Trouble(error, pause))
            else:
                self._tell(Synced(report))
                return True
            self._stop.wait(wait)
            if self._places.absent():
                return False
            pause = min(2 * pause, self._policy.longest_pause)
        return False

    def _listen(self, ears: _Ears, marks: dict[Path, Mark | None], done: bool) -> None:
        """Return when something changed, or the last sync is not `done`, and all is quiet; or when a sync is due.

        `marks` are those of the paths before the sync.
        """
        opened = looked = last = time.monotonic()
        first = None if done else opened
        due = self._policy.deaf if self._deaf else self._policy.every
        changed: set[str] = set()
        for batch in ears:
            now = time.monotonic()
            named = set(filter(self._places.matter, batch or ()))
            changed |= named
            for path in named:
                self._places.doubt(path)
            news = batch is None or bool(named)
            if now - looked >= _LOOK_SECONDS:
                looked, before = now, marks
                marks = self._places.marks()
                news |= marks != before
            if news:
                first, last = now if first is None else first, now
            if first is not None and (now - last >= self._policy.settle or now - first >= self._policy.longest_wait):
                self._tell(Noticed(frozenset(changed)))
                return
            if first is None and now - opened >= due:
                return


def _silence(stop: threading.Event) -> _Ears:
    while not stop.wait(_TICK_SECONDS):
        yield frozenset()


def _unbroken(events: Generator[frozenset[str], None, None], stop: threading.Event) -> _Ears:
    """Yield what `events` yields; should they break off, None and then silence."""
    with closing(events):
        try:
            yield from events
        except (OSError, RuntimeError):
            yield None
    yield from _silence(stop)

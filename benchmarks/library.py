"""How a large library behaves: `python -m benchmarks.library --passages 100000`.

Builds one of made-up texts with a stand-in for the embedder, and prints what syncs, refreshes, rollbacks, compaction
and a purge take, the longest wait of questions asked meanwhile, and the memory over many sync cycles. The changes run
in another process, as `citespan sync` beside a server does; the questions and the refreshes in this one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from api.bench import machine
from benchmarks.figures import Figures
from benchmarks.standin import StandIn, by_fingerprint
from benchmarks.victim import Order, Victims
from index.change import compact
from index.memory import few_arenas
from index.report import SyncPolicy
from index.store import LocalStore
from index.sync import sync
from index.types import Filter

_CHANGED = 10
_RUNS = 3
_WORDS_A_PASSAGE = 125
_QUESTIONS_A_SECOND = 10
_POLICY = SyncPolicy(allow_vanish=True)


class TimedStandIn(StandIn):
    """The stand-in, which remembers how long it embedded: a real one would take longer, and is not measured here."""

    seconds = 0.0

    def embed(self, texts: Any) -> Any:
        started = time.perf_counter()
        try:
            return super().embed(texts)
        finally:
            self.seconds += time.perf_counter() - started


class Texts:
    """Made-up documents of so many passages each, in words as unequal as those of a language."""

    def __init__(self, folder: Path, passages: int, seed: int) -> None:
        self._folder = folder
        self._passages = passages
        self._chance = Random(seed)
        self._words = [
            "".join(self._chance.choices("aeioulnrstdm", k=self._chance.randint(3, 9))) for _ in range(20_000)
        ]
        self._sums = list(accumulate(1 / (rank + 3) for rank in range(len(self._words))))

    def write(self, number: int) -> None:
        """Write document `number`, or write it anew."""
        place = self._folder / f"{number % 100:02}" / f"{number:06}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n".join(self._paragraph() for _ in range(self._passages)) + "\n")

    def _paragraph(self) -> str:
        words = self._chance.choices(self._words, cum_weights=self._sums, k=_WORDS_A_PASSAGE)
        return ". ".join(" ".join(words[n : n + 18]).capitalize() for n in range(0, len(words), 18)) + "."


class Asker:
    """A thread that asks; each wait is kept with the moment at which it began."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.waits: list[tuple[float, float]] = []
        self.failed = 0

    def _run(self) -> None:
        chance = Random(1)
        while not self._stop.wait(1 / _QUESTIONS_A_SECOND):
            query = " ".join("".join(chance.choices("aeioulnrstdm", k=4)) for _ in range(8))
            began = time.perf_counter()
            store = self._store.current()
            try:
                hits = [*store.by_words(query, 10, Filter()), *store.by_vector(store.embed(query), 10, Filter())]
                for hit in hits[:3]:
                    store.revision(hit.passage.document.id, hit.passage.document.revision)
            except Exception:
                self.failed += self._store.holds(store)
            self.waits.append((began, time.perf_counter() - began))

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def longest(self, since: float, until: float) -> float:
        """Return the longest wait, in milliseconds, of a question that was under way in that time."""
        return max((1000 * wait for began, wait in self.waits if began < until and began + wait > since), default=0.0)


def resident_mib(process: int | str = "self") -> float:
    """Return the memory of a process that is in use, by its number; of this one without."""
    with Path(f"/proc/{process}/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Measured(Figures):
    """The figures so far, and of what is watched by whoever asks meanwhile."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(width=58, quiet=quiet)

    @contextmanager
    def watched(self, name: str, asker: Asker) -> Iterator[None]:
        """Add the seconds that the body takes, and the longest wait of a question meanwhile."""
        began = time.perf_counter()
        yield
        ended = time.perf_counter()
        time.sleep(2 / _QUESTIONS_A_SECOND)
        self.add(f"{name}: seconds", round(ended - began, 2))
        self.add(f"{name}: longest wait of a question, ms", round(asker.longest(began, ended), 1))


def measure(scratch: Path, passages: int, per_document: int, cycles: int, measured: Measured) -> None:
    """Build a library in `scratch` and measure it."""
    library, folder, embedder = scratch / "library", scratch / "files", TimedStandIn()
    texts, count = Texts(folder, per_document, 1), passages // per_document
    for number in range(count):
        texts.write(number)
    started = time.perf_counter()
    report = sync(library, embedder, [folder])
    measured.add("documents", len(report.added))
    measured.add("first sync: seconds", round(time.perf_counter() - started, 1))
    measured.add("of which in the stand-in", round(embedder.seconds, 1))
    # What was written this short a time ago would be read again: a time stamp does not tell it from a later change.
    time.sleep(2.1)
    sync(library, embedder, [folder])
    started = time.perf_counter()
    store = LocalStore(library, embedder, by_fingerprint)
    measured.add("opening for questions: seconds", round(time.perf_counter() - started, 2))
    measured.add("passages", store.current().generation.passages)
    chance = Random(2)

    def edit() -> None:
        for number in chance.sample(range(count), _CHANGED):
            texts.write(number)

    try:
        _syncs(library, folder, embedder, store, edit, measured)
        with Asker(store) as asker, Victims() as victims:
            began = time.perf_counter()
            time.sleep(3)
            measured.add("questions alone: longest wait, ms", round(asker.longest(began, time.perf_counter()), 1))
            waits = [1000 * wait for _, wait in asker.waits]
            measured.add("questions alone: median, ms", round(statistics.median(waits), 1))
            _changes(library, folder, store, edit, victims, asker, measured)
            measured.add("questions that failed", asker.failed)
        _memory(library, folder, embedder, store, edit, cycles, measured)
    finally:
        store.close()
    for path in sorted(library.rglob("*")):
        if path.is_file() and path.stat().st_size > 2**20:
            measured.add(f"MiB of {path.relative_to(library)}", round(path.stat().st_size / 2**20, 1))


def _syncs(
    library: Path, folder: Path, embedder: TimedStandIn, store: LocalStore, edit: Callable[[], None], measured: Measured
) -> None:
    idle, changed, refreshed = [], [], []
    for _ in range(_RUNS):
        started = time.perf_counter()
        sync(library, embedder, [folder])
        idle.append(time.perf_counter() - started)
        edit()
        before, started = embedder.seconds, time.perf_counter()
        sync(library, embedder, [folder])
        changed.append(time.perf_counter() - started - (embedder.seconds - before))
        started = time.perf_counter()
        store.refresh()
        refreshed.append(time.perf_counter() - started)
        time.sleep(2.1)
        sync(library, embedder, [folder])
    measured.add("sync with nothing changed: seconds, median", round(statistics.median(idle), 2))
    measured.add(f"sync with {_CHANGED} changed files: seconds, median", round(statistics.median(changed), 2))
    measured.add("refresh after it: seconds, median", round(statistics.median(refreshed), 3))


def _changes(
    library: Path, folder: Path, store: LocalStore, edit: Callable[[], None], victims: Victims, asker: Asker,
    measured: Measured,
) -> None:  # fmt: skip
    def order(change: str, **more: Any) -> None:
        outcome = victims.obey(Order(change, str(library), "stand-in", **more))
        if outcome.error:
            raise RuntimeError(outcome.error)

    def watched(name: str, change: str, **more: Any) -> None:
        with measured.watched(name, asker):
            order(change, **more)
        with measured.watched(f"refresh after {name}", asker):
            store.refresh()

    full = store.library.generation().number
    edit()
    watched("sync in another process", "sync", folder=str(folder))
    watched("rollback to what differs in few documents", "rollback", number=full)
    nothing = folder.with_name("nothing")
    folder.rename(nothing)
    folder.mkdir()
    watched("sync after which no document is left", "sync", folder=str(folder))
    folder.rmdir()
    nothing.rename(folder)
    watched("rollback to what differs in all documents", "rollback", number=full)
    document = store.current().documents(limit=1)[0]
    watched("purge of one document", "purge", documents=(document.id,))
    watched("compaction", "compact", number=1)


def _memory(
    library: Path, folder: Path, embedder: StandIn, store: LocalStore, edit: Callable[[], None], cycles: int,
    measured: Measured,
) -> None:  # fmt: skip
    sizes: list[float] = []
    for _ in range(cycles):
        edit()
        sync(library, embedder, [folder], policy=_POLICY)
        compact(library, keep_last=2, grace=timedelta(0)) if len(sizes) % 10 == 9 else None
        store.refresh()
        sizes.append(resident_mib())
    if sizes:
        tenth = max(1, cycles // 10)
        measured.add("cycles of edit, sync and refresh", cycles)
        measured.add("MiB resident, first tenth of them", round(statistics.median(sizes[:tenth])))
        measured.add("MiB resident, last tenth of them", round(statistics.median(sizes[-tenth:])))
        measured.add("MiB resident, most", round(max(sizes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--per-document", type=int, default=10)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    few_arenas()  # as every command does
    measured = Measured(given.json)
    measured.add_all(machine())
    measured.add("embedder", "a stand-in that counts words; a real one takes most of a sync")
    with tempfile.TemporaryDirectory(prefix="citespan-library-") as scratch:
        measure(Path(scratch), given.passages, given.per_document, given.cycles, measured)
    if given.json:
        print(json.dumps(measured.found))


if __name__ == "__main__":
    main()

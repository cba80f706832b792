"""How fast several processes embed into one PostgreSQL, and what a killed one costs.

`python -m benchmarks.parts` makes a folder of synthetic files and a PostgreSQL server of its own, and has 1, 2 and 4
workers embed all of it with `citespan embed`'s code, each from a folder of its own as if on a machine of its own; then
one sync lands the generation. The last time one worker is killed half-way and run again. The embedder is a stand-in
that takes a given time for each passage without using a core, because this machine has not one for each worker: what
is measured is everything else. `--real` takes the default embedder instead, one core for each worker.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from api.bench import machine
from benchmarks.postgres import PostgresServer
from benchmarks.standin import StandIn
from index.embed import Embedder
from index.portion import Part, embed_part
from index.report import SyncProgress
from index.sync import sync
from index.truth import adopt

REPOSITORY = Path(__file__).resolve().parent.parent
_SENTENCES = 24
_WORDS = 14


class Slow(StandIn):
    """The stand-in, taking so many milliseconds a passage."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__("stand-in")
        self._seconds = milliseconds / 1_000

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        time.sleep(self._seconds * len(texts))
        return super().embed(texts)


def embedder(milliseconds: float) -> Embedder:
    """Return the stand-in, or the default embedder for 0 milliseconds."""
    if milliseconds:
        return Slow(milliseconds)
    from api.wiring import load_embedder

    return load_embedder()


def write(folder: Path, files: int) -> None:
    """Write files of some hundred different words each."""
    chance = Random(8)
    folder.mkdir()
    for number in range(files):
        sentences = (
            " ".join(f"w{chance.randrange(20_000)}" for _ in range(_WORDS)).capitalize() for _ in range(_SENTENCES)
        )
        (folder / f"{number:05}.txt").write_text(". ".join(sentences) + ".", encoding="utf-8")


def work(library: str, files: str, part: str, milliseconds: float, dies_at: int) -> None:
    """Be a worker; with `dies_at` one that dies once that many vectors of it are stored."""

    def progress(now: SyncProgress) -> None:
        if 0 < dies_at <= now.passages:
            os.kill(os.getpid(), signal.SIGKILL)

    chosen = Part.parse(part)
    if not milliseconds:
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {mine[chosen.number % len(mine)]})
    made = embedder(milliseconds)
    # What loading takes is no part of what is measured: all begin together.
    print("ready", flush=True)
    sys.stdin.readline()
    done = embed_part(Path(library), made, [Path(files)], chosen, progress=progress)
    print(json.dumps([done.passages, done.embedded]))


def together(
    scratch: Path, address: str, schema: str, workers: int, milliseconds: float, dies_at: int = 0
) -> tuple[float, int]:
    """Return the seconds that workers took, one a part, and how many passages they embedded; the last may die."""
    processes = []
    for number in range(1, workers + 1):
        folder = scratch / f"{schema}-{number}"
        adopt(folder, address, schema)
        mortal = dies_at if number == workers else 0
        command = [sys.executable, "-m", "benchmarks.parts", "--be", str(folder), str(scratch / "files"),
                   f"{number}/{workers}", str(milliseconds), str(mortal)]  # fmt: skip
        processes.append(
            subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0] for process in processes]
    seconds = time.perf_counter() - began
    return seconds, sum(json.loads(one)[1] for one in said if one)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--milliseconds", type=float, default=10.0, help="what a passage takes the stand-in")
    parser.add_argument("--real", action="store_true", help="the default embedder, one core for each worker")
    parser.add_argument("--be", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be:
        library, files, part, milliseconds, dies_at = given.be
        work(library, files, part, float(milliseconds), int(dies_at))
        return 0
    each = 0.0 if given.real else given.milliseconds
    print(json.dumps({**machine(), "files": given.files, "milliseconds a passage": each}))
    with tempfile.TemporaryDirectory(prefix="citespan-parts-") as name, PostgresServer(durable=True) as server:
        address = server.address
        scratch = Path(name)
        write(scratch / "files", given.files)
        # Beside it what a sync of the same takes where the truth is in SQLite.
        embed_part(scratch / "sqlite-1", embedder(each), [scratch / "files"])
        print("SQLite, embedded ahead:")
        land(scratch, "sqlite", each)
        for workers in given.workers:
            schema = f"parts_{workers}"
            seconds, embedded = together(scratch, address, schema, workers, each)
            print(f"{workers} workers: {embedded} passages in {seconds:.1f} s, {embedded / seconds:.0f} a second")
            land(scratch, schema, each)
        workers = max(given.workers)
        schema = "parts_killed"
        seconds, others = together(scratch, address, schema, workers, each, dies_at=embedded // workers // 2)
        again, embedded = together(scratch, address, schema, workers, each)
        print(f"one of {workers} killed half-way: the others {others} passages in {seconds:.1f} s")
        print(f"  all parts run again: {embedded} passages in {again:.1f} s")
        land(scratch, schema, each)
    return 0


def land(scratch: Path, schema: str, milliseconds: float) -> None:
    """Commit the generation, and say what that took."""
    report = sync(scratch / f"{schema}-1", embedder(milliseconds), [scratch / "files"])
    print(
        f"  the sync: generation {report.generation}, {len(report.added)} documents, {report.embedded} embedded, "
        f"{report.seconds:.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())

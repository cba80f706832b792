"""Changes of a library in processes that are killed with SIGKILL while they are at it.

Run as a program it reads one order (JSON) a line, forks, and lets the child do it: forking costs a few milliseconds
where starting Python costs a second. `--real` loads the shipped embedder once, before the first fork.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from benchmarks.standin import StandIn
from index.absent import search
from index.change import compact, delete, rollback
from index.embed import Embedder, SentenceTransformerEmbedder
from index.priority import stand_back
from index.reembed import reembed
from index.report import SyncPolicy, SyncProgress
from index.sync import Upload, ingest, sync
from index.truth import truth_of

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("scan", "read", "embed", "index", "commit")
LANDED = "landed"
_GENERATIONS = "SELECT min(number), max(number), sum(purged) FROM generations"
# A victim that neither answers nor dies within this is a bug.
_PATIENCE_SECONDS = 300.0
_POLICY = SyncPolicy(allow_vanish=True)


@dataclass(frozen=True, slots=True)
class Order:
    """A change, and when it dies: on first reporting `stage`, `after` seconds (since the commit if `stage` is
    LANDED), or never.
    """

    change: str
    library: str
    embedder: str
    folder: str = ""
    uploads: dict[str, str] = field(default_factory=dict)
    documents: tuple[str, ...] = ()
    number: int = 0
    grace: float = 0.0
    stage: str = ""
    after: float = -1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: acknowledged with a generation (None where it made none), failed, or killed."""

    acknowledged: bool
    generation: int | None
    error: str
    killed: bool
    seconds: float


class Victims:
    """Starts changes in processes of their own and has them killed; a context manager."""

    def __init__(self, *, real: bool = False) -> None:
        # One thread only, so that the process may fork.
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "benchmarks.victim", *(["--real"] if real else [])]
        self._process = subprocess.Popen(
            command, cwd=REPOSITORY, env={**os.environ, **quiet}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(_PATIENCE_SECONDS)
        self._process.stdout.close()

    def obey(self, order: Order) -> Outcome:
        """Carry out `order` and return what became of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that starts the victims has died")
        return Outcome(**json.loads(answer))


def _serve(embedder: Embedder | None) -> None:
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receive)
            _be_the_victim(order, embedder, send)
        os.close(send)
        # The clock starts when the child does: what forking takes is not what is to be hit.
        select.select([receive], [], [], _PATIENCE_SECONDS)
        os.read(receive, 1)
        began = time.perf_counter()
        if order["stage"] == LANDED:
            _wait_for_the_commit(Path(order["library"]), receive)
        after = order["after"] if order["after"] >= 0 else _PATIENCE_SECONDS
        if not select.select([receive], [], [], after)[0]:
            os.kill(child, signal.SIGKILL)
        with os.fdopen(receive, "rb") as answer:
            said = answer.read()
        seconds = time.perf_counter() - began
        os.waitpid(child, 0)
        told: dict[str, Any] = json.loads(said) if said else {}
        outcome = Outcome(
            acknowledged="generation" in told, generation=told.get("generation"), error=told.get("error", ""),
            killed=not said, seconds=seconds,
        )  # fmt: skip
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()


def _wait_for_the_commit(library: Path, receive: int) -> None:
    """Return when the generations have changed, or the victim has answered.

    What is opened here is closed before the next fork: a child must not have a connection of its parent.
    """
    connection = truth_of(library).read()
    try:
        before = connection.execute(_GENERATIONS).fetchone()
        while connection.execute(_GENERATIONS).fetchone() == before:
            if select.select([receive], [], [], 0.0005)[0]:
                return
    finally:
        connection.close()


def _be_the_victim(order: dict[str, Any], real: Embedder | None, send: int) -> None:
    try:
        embedder = StandIn(order["embedder"]) if real is None else real
        os.write(send, b"b")
        try:
            told: dict[str, Any] = {"generation": change(order, embedder)}
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"}
        os.write(send, json.dumps(told).encode())
    finally:
        os._exit(0)


def change(order: dict[str, Any], embedder: Embedder) -> int | None:
    """Do what is ordered and return the generation it acknowledges."""

    def progress(now: SyncProgress) -> None:
        if now.stage == order["stage"] and (now.stage != "read" or now.files == now.files_total // 2):
            os.kill(os.getpid(), signal.SIGKILL)

    def embedded(done: int, total: int) -> None:
        if order["stage"] == "embed" and 2 * done >= total:
            os.kill(os.getpid(), signal.SIGKILL)

    library = Path(order["library"])
    match order["change"]:
        case "sync":
            return sync(library, embedder, [Path(order["folder"])], policy=_POLICY, progress=progress).generation
        case "ingest":
            uploads = [Upload(name, text.encode()) for name, text in order["uploads"].items()]
            return ingest(library, embedder, uploads, progress=progress).generation
        case "delete" | "purge":
            return delete(library, order["documents"], purge=order["change"] == "purge")
        case "rollback":
            return rollback(library, order["number"])
        case "compact":
            compact(library, keep_last=order["number"], grace=timedelta(seconds=order["grace"]))
            return None
        case "reembed":
            return reembed(library, embedder, progress=embedded).generation
        case "search":
            # Here and not where questions are asked: closing a file of the library drops all locks that SQLite has on
            # it in the same process.
            for text in order["uploads"].values():
                if places := search(library, text).places:
                    raise RuntimeError(f"purged text in {places[0].file} at {places[0].offset}")
            return None
        case other:
            raise ValueError(other)


if __name__ == "__main__":
    # As the commands do that make these changes.
    stand_back()
    _serve(SentenceTransformerEmbedder() if "--real" in sys.argv else None)

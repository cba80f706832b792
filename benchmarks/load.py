"""How a server bears load: `python -m benchmarks.load --library DIR [--seconds 300] [--save FILE]`.

A real server on a library of 100,000 passages, made in DIR if it is not there (`benchmarks.synthetic`). One client
alone; 16 clients at once for some minutes, while somebody looks at the health checks and at the memory; more at once
than may wait; and one client beside a `citespan sync` of new documents. The clients run on the same machine and take
their share of its cores. Before and after the load one client alone is timed: on a shared machine the two differ, and
ratios are to their mean. Replies under load are compared with those of the same questions asked alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.bench import machine
from benchmarks.bank import public_bank
from benchmarks.clients import Log, ask, asking, burst, looking, without_its_own
from benchmarks.library import resident_mib
from benchmarks.servers import Server, serving
from benchmarks.synthetic import Writer, asked_about, make, open_vectors

CLIENTS = 16
_WARM = 20
_CROWD = 120
_LOOK_SECONDS = 0.1
_HEALTH = ("/healthz", "/readyz")
_SEED = 5
# Documents that no library made by `benchmarks.synthetic` holds.
_NEW_FROM = 5_000_000
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the time that all threads of a process have had on a core."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def at(share: float, ascending: Sequence[float]) -> float:
    """Return a quantile."""
    return ascending[min(len(ascending) - 1, round(share * (len(ascending) - 1)))]


def milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)


def alone(server: Server, questions: Sequence[str]) -> tuple[dict[str, float], Log]:
    """Return what one client sees that asks each question once, and what the server's cores had to do for it."""
    server.connection.close()  # it opens again; the server has shut one that was idle for long
    log, before = Log(), cpu_seconds(server.pid)
    for question in questions:
        log.seen.append(ask(server.connection, question))
    spent = cpu_seconds(server.pid) - before
    found = log.seconds()
    return {
        "questions": len(found),
        "median ms": milliseconds(statistics.median(found)),
        "p99 ms": milliseconds(at(0.99, found)),
        "CPU ms a question": milliseconds(spent / len(found)),
    }, log


@contextmanager
def weighing(server: Server) -> Iterator[list[int]]:
    """Note the memory of a server, in MiB, every second while the context lasts."""
    sizes, stop = [int(resident_mib(server.pid))], threading.Event()

    def work() -> None:
        while not stop.wait(1.0):
            sizes.append(int(resident_mib(server.pid)))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield sizes
    finally:
        stop.set()
        thread.join()


def loaded(server: Server, questions: Sequence[str], seconds: float, known: Log) -> dict[str, Any]:
    """Return what so many clients see, and the health checks beside them."""
    port, before, began = server.connection.port, cpu_seconds(server.pid), time.perf_counter()
    with (
        weighing(server) as sizes,
        looking(port, _HEALTH, _LOOK_SECONDS) as health,
        asking(port, questions, CLIENTS) as log,
    ):
        time.sleep(seconds)
        ended, spent, answered = time.perf_counter(), cpu_seconds(server.pid) - before, len(log.seconds())
    found, tenth = log.seconds(), max(1, len(sizes) // 10)
    expected = {one.asked: without_its_own(one.reply) for one in known.seen}
    compared = [one for one in log.seen if one.asked in expected and one.status == 200]
    return {
        "clients": CLIENTS,
        "seconds": round(ended - began, 1),
        "questions a second": round(answered / (ended - began), 2),
        "median ms": milliseconds(statistics.median(found)),
        "p99 ms": milliseconds(at(0.99, found)),
        "longest ms": milliseconds(found[-1]),
        "CPU ms a question": milliseconds(spent / answered),
        "cores in use": round(spent / (ended - began), 2),
        "statuses": log.statuses(),
        "without a response": len(log.failed),
        "replies compared with those of a lone client": len(compared),
        "of which differ": sum(without_its_own(one.reply) != expected[one.asked] for one in compared),
        "MiB, tenth by tenth": [round(statistics.median(sizes[n : n + tenth])) for n in range(0, len(sizes), tenth)],
        **_health(health),
    }


def _health(log: Log) -> dict[str, Any]:
    found = {}
    for path in _HEALTH:
        taken = sorted(one.seconds for one in log.seen if one.asked == path)
        found[f"{path} ms, median, p99, longest"] = [milliseconds(at(share, taken)) for share in (0.5, 0.99, 1.0)]
    return found | {"health checks that failed": len(log.failed) + sum(one.status != 200 for one in log.seen)}


def crowded(server: Server, questions: Sequence[str]) -> dict[str, Any]:
    """Return what becomes of more questions at once than may wait."""
    log = burst(server.connection.port, questions, _CROWD)
    refused = sorted(one.seconds for one in log.seen if one.status == 503)
    return {
        "at once": _CROWD,
        "statuses": log.statuses(),
        "without a response": len(log.failed),
        "refusals without Retry-After": sum(one.retry_after is None for one in log.seen if one.status == 503),
        "Retry-After": sorted({one.retry_after for one in log.seen if one.retry_after is not None}),
        "longest until a refusal, ms": milliseconds(refused[-1]) if refused else None,
        "longest until an answer, ms": milliseconds(log.seconds()[-1]),
    }


def beside_a_sync(
    server: Server, library: Path, folder: Path, questions: Sequence[str], most_seconds: float
) -> dict[str, Any]:
    """Return what one client sees while another process syncs `folder`, to its end or for so long at most."""
    command = [sys.executable, "-P", "-m", "api.cli", "--library", str(library), "sync", str(folder)]
    log, connection = Log(), http.client.HTTPConnection("127.0.0.1", server.connection.port, timeout=120)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sync:
        began = time.perf_counter()
        while sync.poll() is None and time.perf_counter() - began < most_seconds:
            log.seen.append(ask(connection, questions[len(log.seen) % len(questions)]))
        ended = sync.poll()
        took = time.perf_counter() - began
        if ended is None:
            sync.terminate()
    connection.close()
    found = log.seconds()
    return {
        "seconds": round(took, 1),
        "the sync": "ran on" if ended is None else f"ended with {ended}",
        "questions": len(found),
        "median ms": milliseconds(statistics.median(found)),
        "p99 ms": milliseconds(at(0.99, found)),
        "statuses": log.statuses(),
    }


def measure(library: Path, scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a server on `library`, which is changed by the sync at the end."""
    drawn = random.Random(_SEED).sample([one.text for one in asked_about().questions], _WARM + given.questions)
    warm, questions = drawn[:_WARM], drawn[_WARM:]
    figures: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        figures[name] = value
        print(f"{name}: {json.dumps(value, indent=1)}", flush=True)

    with serving(library) as server:
        alone(server, warm)
        before, known = alone(server, questions)
        add("alone, before", before)
        under = loaded(server, questions, given.seconds, known)
        add("under load", under)
        after, _ = alone(server, questions)
        add("alone, after", after)
        cost, median = (statistics.mean([before[n], after[n]]) for n in ("CPU ms a question", "median ms"))
        cores = len(os.sched_getaffinity(0))
        possible = 1000 * cores / cost
        add("ratios", {
            "throughput to cores / CPU time of a lone question (at least 0.85)":
                round(under["questions a second"] / possible, 2),
            "p99 under load to the lone median (at most 20)": round(under["p99 ms"] / median, 1),
        })  # fmt: skip
        add("a crowd", crowded(server, questions))
        if given.new:
            writer = Writer(public_bank())
            for number in range(given.new):
                one = writer.document(_NEW_FROM + number)
                place = scratch / "new" / one.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(one.data)
            again, _ = alone(server, questions)
            beside = beside_a_sync(server, library, scratch / "new", questions, given.sync_seconds)
            add("alone, before the sync", again)
            add("beside a sync", {**beside, "documents": given.new,
                "median to the lone one (at most 2)": round(beside["median ms"] / again["median ms"], 2)})  # fmt: skip
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="made there if it is not")
    parser.add_argument("--passages", type=int, default=100_000, help="of a library that is made")
    parser.add_argument("--questions", type=int, default=60, help="how many are asked, over and over")
    parser.add_argument("--seconds", type=float, default=300.0, help="of load")
    parser.add_argument(
        "--new", type=int, default=1_000, help="documents, of ten passages or so, that are synced beside"
    )
    parser.add_argument("--sync-seconds", type=float, default=300.0, help="how long the sync is looked at, at most")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    if not given.library.exists():
        vectors = open_vectors(given.library.parent)
        for held in make(given.library, given.passages, given.library.parent, vectors):
            print(f"{held:,} passages", flush=True)
            vectors.save()
    with tempfile.TemporaryDirectory(prefix="citespan-load-") as name:
        copy = Path(shutil.copytree(given.library, Path(name) / "library"))
        figures = {**machine(), **measure(copy, Path(name), given)}
    if given.save is not None:
        given.save.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

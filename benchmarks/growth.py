"""How everything grows with the library: `python -m benchmarks.growth --sizes 1000,10000,100000,1000000 --keep DIR`.

Libraries of the given sizes are made (`benchmarks.synthetic`) unless DIR has them from an earlier run. Then each real
question of a fixed draw is put to all of them in turn, so that what else the machine does hits every size alike: first
to the stores, stage by stage, then over HTTP to one real server for each size. No question comes twice, so nothing that
was kept for one answers another. Questions of the same draw that are not counted warm everything up.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from api.bench import machine
from api.server import settle
from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.charts import Panel, picture
from benchmarks.figures import Figures
from benchmarks.servers import Server, serving
from benchmarks.synthetic import asked_about, make, open_vectors
from index.library import Library
from index.store import LocalStore, PassageStore
from index.types import Filter
from qa.retrieve import retrieve

BASE = 10_000
"""The size that the others are compared with."""
_SEED = 3
_RETRIEVAL, _WHOLE = "retrieval", "whole question, HTTP"
_OPEN = Filter()


class Stages:
    """A store that notes how many milliseconds each of its methods took, summed over the calls of one question."""

    def __init__(self, store: PassageStore) -> None:
        self._store = store
        self.taken: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._timed(name, found) if callable(found) else found

    def _timed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*given, **named)
            finally:
                self.taken[name] = self.taken.get(name, 0.0) + 1000 * (time.perf_counter() - started)

        return timed


def summed_up(taken: Sequence[float]) -> dict[str, float]:
    """Return median, p95 and p99 of milliseconds, each an observed value but for the median of an even count."""
    ordered = sorted(taken)
    return {
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "p99": round(ordered[int(0.99 * (len(ordered) - 1))], 2),
    }


def ratios(values: Mapping[int, float], base: int = BASE) -> dict[int, float]:
    """Return each size's value over that of the size `base`; empty if it was not measured."""
    return {size: round(value / values[base], 2) for size, value in values.items()} if base in values else {}


def turn(sizes: Sequence[int], number: int) -> list[int]:
    """Return the sizes in the order of question `number`: none is always the first to meet it."""
    first = number % len(sizes)
    return [*sizes[first:], *sizes[:first]]


def drawn(count: int, seed: int = _SEED) -> list[str]:
    """Return `count` distinct questions, drawn at random from those of the shared data."""
    texts = list(dict.fromkeys(question.text for question in asked_about().questions))
    return random.Random(seed).sample(texts, count)


def made(keep: Path, sizes: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Make the libraries that are not there yet; return what making each took, as noted then."""
    missing = [size for size in sizes if not _note(keep, size).exists()]
    vectors = open_vectors(keep) if missing else None
    for size in missing:
        assert vectors is not None
        started, held = time.perf_counter(), []
        for passages in make(_library(keep, size), size, keep, vectors):
            held.append(passages)
            print(f"making {size:,}: {passages:,} passages, {time.perf_counter() - started:.0f} s", flush=True)
        vectors.save()
        taken = {"seconds to make": round(time.perf_counter() - started, 1), "real vectors": held[0]}
        _note(keep, size).write_text(json.dumps(taken), encoding="utf-8")
    return {size: json.loads(_note(keep, size).read_text(encoding="utf-8")) for size in sizes}


def retrieval(keep: Path, sizes: Sequence[int], questions: Sequence[str], warm_up: int) -> dict[int, dict[str, Any]]:
    """Return the milliseconds of retrieval at each size, whole and by stage; the first `warm_up` are not counted."""
    embedder = open_embedder(Settings(library=_library(keep, sizes[0])))
    with ExitStack() as stack:
        stores, figures = {}, {}
        for size in sizes:
            started = time.perf_counter()
            store = LocalStore(_library(keep, size), embedder)
            stack.callback(store.close)
            stores[size] = store.current()
            figures[size] = {"seconds to open": round(time.perf_counter() - started, 2)}
            print(f"opened {size:,} in {figures[size]['seconds to open']} s", flush=True)
        whole: dict[int, list[float]] = {size: [] for size in sizes}
        stages: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
        settle()  # as the server does it
        for number, question in enumerate(questions):
            for size in turn(sizes, number):
                staged = Stages(stores[size])
                started = time.perf_counter()
                retrieve(cast(PassageStore, staged), question, _OPEN)
                if number >= warm_up:
                    whole[size].append(1000 * (time.perf_counter() - started))
                    stages[size].append(staged.taken)
    return {
        size: {
            **figures[size],
            _RETRIEVAL: summed_up(whole[size]),
            "stages, median": {
                name: round(statistics.median(one.get(name, 0.0) for one in stages[size]), 2)
                for name in sorted({name for one in stages[size] for name in one})
            },
        }
        for size in sizes
    }


def served(keep: Path, sizes: Sequence[int], questions: Sequence[str], warm_up: int) -> dict[int, dict[str, Any]]:
    """Return what one server for each size takes: to be ready, in memory, and for the questions."""
    with ExitStack() as stack:
        servers: dict[int, Server] = {}
        for size in sizes:
            servers[size] = stack.enter_context(serving(_library(keep, size)))
            print(f"a server on {size:,} was ready in {servers[size].ready:.1f} s", flush=True)
        loaded = {size: server.resident_mib() for size, server in servers.items()}
        taken: dict[int, list[float]] = {size: [] for size in sizes}
        answered = dict.fromkeys(sizes, 0)
        for number, question in enumerate(questions):
            for size in turn(sizes, number):
                milliseconds, reply = servers[size].ask(question)
                if number >= warm_up:
                    taken[size].append(milliseconds)
                    answered[size] += bool(reply["answerable"])
        return {
            size: {
                "seconds to ready": round(server.ready, 1),
                "MiB when ready": loaded[size],
                _WHOLE: summed_up(taken[size]),
                "answered": answered[size],
                "MiB after the questions": server.resident_mib(),
            }
            for size, server in servers.items()
        }


def on_disk_mib(library: Path) -> int:
    """Return how large the files of a library are together."""
    return sum(path.stat().st_size for path in library.rglob("*") if path.is_file()) // 2**20


def table(results: Mapping[int, Mapping[str, Any]]) -> str:
    """Return the figures as a table, a row a figure and a column a size, medians with the ratio to the size BASE."""
    rows = [("passages", {size: f"{result['passages']:,}" for size, result in results.items()})]
    for name in (_RETRIEVAL, _WHOLE):
        if all(name in result for result in results.values()):
            over = ratios({size: result[name]["median"] for size, result in results.items()})
            rows.append((f"{name}: median ms", {s: f"{r[name]['median']:.1f}" for s, r in results.items()}))
            rows.append(("  over that at 10,000", {size: f"{ratio:.2f}" for size, ratio in over.items()}))
            rows += [(f"  {at} ms", {s: f"{r[name][at]:.1f}" for s, r in results.items()}) for at in ("p95", "p99")]
    for stage in sorted({stage for result in results.values() for stage in result.get("stages, median", {})}):
        rows.append((f"  {stage}: median ms", {s: f"{r['stages, median'][stage]:.2f}" for s, r in results.items()}))
    plain = ("seconds to ready", "answered", "MiB on disk", "seconds to make", "real vectors")
    for name in plain:
        rows.append((name, {s: f"{r[name]:,}" for s, r in results.items() if name in r}))
    for name in ("MiB when ready", "MiB after the questions"):
        for part in ("resident", "own"):
            rows.append((f"{name}: {part}", {s: f"{r[name][part]:,}" for s, r in results.items() if name in r}))
    return "\n".join(
        f"{name:36}" + "".join(f"{cells.get(size, '–'):>14}" for size in results) for name, cells in rows if cells
    )


def drawing(results: Mapping[int, Mapping[str, Any]]) -> str:
    """Return the growth as an SVG: times beside sizes."""
    sizes = [result["passages"] for result in results.values()]

    def each(name: str, part: str) -> list[float]:
        return [result[name][part] for result in results.values()]

    times = {
        "whole question over HTTP, p99": each(_WHOLE, "p99"),
        "whole question over HTTP, median": each(_WHOLE, "median"),
        "retrieval, p99": each(_RETRIEVAL, "p99"),
        "retrieval, median": each(_RETRIEVAL, "median"),
    }
    room = {
        "server, resident": each("MiB after the questions", "resident"),
        "server, without files it maps": each("MiB after the questions", "own"),
        "library on disk": [max(1, result["MiB on disk"]) for result in results.values()],
    }
    panels = [Panel("Time", "ms", sizes, times), Panel("Size", "MiB", sizes, room)]
    return picture(panels, "How the time of a question and the memory grow with the passages of a library")


def measured(keep: Path, sizes: Sequence[int], retrievals: int, wholes: int, warm_up: int) -> dict[int, dict[str, Any]]:
    """Return all figures of each size."""
    results: dict[int, dict[str, Any]] = {size: dict(note) for size, note in made(keep, sizes).items()}
    for size in sizes:
        library = Library(_library(keep, size))
        results[size]["passages"] = library.generation().passages
        library.close()
    asked = drawn(max(retrievals, wholes) + warm_up)
    parts = [retrieval(keep, sizes, asked[: retrievals + warm_up], warm_up)] if retrievals else []
    if wholes:
        parts.append(served(keep, sizes, asked[: wholes + warm_up], warm_up))
    for part in parts:
        for size, figures in part.items():
            results[size] |= figures
    for size in sizes:
        # Last, because opening a library may rebuild what is derived from it.
        results[size]["MiB on disk"] = on_disk_mib(_library(keep, size))
    return results


def _library(keep: Path, size: int) -> Path:
    return keep / f"library-{size}"


def _note(keep: Path, size: int) -> Path:
    """Return the file that says that a library is whole, and what it took."""
    return keep / f"made-{size}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="passages, commas between")
    parser.add_argument("--keep", type=Path, required=True, help="where the libraries are, and are made")
    parser.add_argument("--retrievals", type=int, default=300, help="questions put to the stores; 0 for none")
    parser.add_argument("--questions", type=int, default=100, help="questions asked over HTTP; 0 for none")
    parser.add_argument("--warm-up", type=int, default=20, help="questions before them that are not counted")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--picture", type=Path, help="where to write the picture as SVG")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    results = measured(given.keep, sizes, given.retrievals, given.questions, given.warm_up)
    ran_on = {**machine(), "retrievals": given.retrievals, "questions": given.questions, "warm-up": given.warm_up}
    Figures(width=12).add_all(ran_on)
    print("vectors      real ones for the real passages, plausible ones for the rest (benchmarks/synthetic.py)")
    print(table(results))
    if given.save is not None:
        said = {**ran_on, "sizes": {str(size): result for size, result in results.items()}}
        given.save.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    if given.picture is not None:
        given.picture.write_text(drawing(results), encoding="utf-8")


if __name__ == "__main__":
    main()

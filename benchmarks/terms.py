"""What the terms of a large collection cost, in a file and in PostgreSQL: `python -m benchmarks.terms`.

Terms are numbered a thousand at a time; then all are counted in one transaction, and a tenth of them again, as the next
generation does; then questions ask for a dozen at a time. Made-up terms, no engine. PostgreSQL is one of its own, from
a wheel, over a Unix socket, and waits for the disk as in earnest.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from api.bench import machine
from benchmarks.postgres import PostgresServer
from index.library import Library
from index.remote.lexicon import Key
from index.remote.lexicons import place, writing
from index.truth import adopt
from index.writer import initialise

_BATCH = 1_000
_ASKED = 500
_WORDS = 12
_SEED = 8
_META = {"embedder": "none", "dimensions": "1", "passages": "none"}


def measured(folder: Path, terms: int) -> dict[str, float]:
    """Return seconds, milliseconds and bytes for so many terms of a library in `folder`."""
    initialise(folder, _META)
    chance = random.Random(_SEED)
    figures: dict[str, float] = {}
    with closing(Library(folder)) as library, writing(library, 10.0) as lexicons:
        lexicon = lexicons.make("bench", "none", "none")
        keys: list[Key] = [("text", f"term{chance.getrandbits(40):x}") for _ in range(terms)]

        def number() -> None:
            for start in range(0, terms, _BATCH):
                lexicon.numbers(keys[start : start + _BATCH])

        counted = Counter({(term, 1): 1 + term % 7 for term in range(1, terms + 1)})
        again = Counter({(term, 2): 1 for term in range(1, terms + 1, 10)})
        figures["seconds to number them"] = _seconds(number)
        figures["seconds to count them"] = _seconds(lambda: lexicon.settle(counted, (), 1, 1, purged=True))
        figures["bytes a term"] = _bytes(library) / terms
        figures["seconds to count a tenth again"] = _seconds(lambda: lexicon.settle(again, (), 2, 1, purged=False))
        times = []
        for _ in range(_ASKED):
            asked = chance.sample(keys, _WORDS)
            times.append(1000 * _seconds(lambda asked=asked: lexicon.holding(asked, 2)))  # type: ignore[misc]
        figures[f"ms for {_WORDS} terms, median"] = statistics.median(times)
        figures[f"ms for {_WORDS} terms, p95"] = statistics.quantiles(times, n=20)[-1]
        figures["seconds to forget them"] = _seconds(lambda: lexicons.forget("bench"))
    return {name: round(value, 2) for name, value in figures.items()}


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _bytes(library: Library) -> int:
    if not library.truth.shared:
        path = place(library.folder)
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    sizes = library.connection().execute(
        "SELECT CAST(sum(pg_total_relation_size(CAST(quote_ident(tablename) AS regclass))) AS bigint) FROM pg_tables "
        "WHERE tablename IN ('terms', 'term_counts') AND schemaname = 'citespan'"
    )
    return int(sizes.fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--terms", type=int, default=1_000_000)
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    results: dict[str, object] = {**machine(), "terms": given.terms}
    for name, value in results.items():
        print(f"{name:12} {value}")
    for truth in ("sqlite", "postgresql"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "library"
            if truth == "postgresql":
                adopt(folder, stack.enter_context(PostgresServer(durable=True)).address)
            results[truth] = found = measured(folder, given.terms)
            for name, value in found.items():
                print(f"{truth:12} {name:32} {value}", flush=True)
    if given.save is not None:
        given.save.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

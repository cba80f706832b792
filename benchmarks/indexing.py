"""How fast a library is built, against the embedding alone: `python -m benchmarks.indexing`.

The same passages are embedded by `SentenceTransformer.encode`, at the best of several batch sizes, and built into a
library from files, in turns; the time of both cores together is told as well, which other programs disturb less, though
threads of torch that wait count in it. Then a stand-in for the embedder shows what memory two libraries take, each
in a process of its own, and how long a sync takes in which no file changed. Documents are the news set's, mixed anew.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from api.bench import machine
from api.wiring import load_embedder
from benchmarks.data import news
from benchmarks.standin import StandIn
from index.embed import DEFAULT, Embedder, verified_default
from index.library import Library
from index.naming import embedding_text
from index.priority import stand_back
from index.sync import sync

_BATCHES = (8, 16, 32, 64)
# Of these the best batch size is chosen: a third of the texts are enough to tell.
_TRIED = 3
# Of a document: enough for some passages where they are embedded, few where only files count.
_LONG, _SHORT = 9, 2
_QUERY = "Which of the bridges over the harbour was closed for repairs last winter?"
_QUERIES = 40


def write(folder: Path, documents: int, paragraphs_each: int) -> Path:
    """Write documents of paragraphs drawn from the news set into the new `folder`, and return it."""
    chance = random.Random(paragraphs_each)
    paragraphs = [line for text in news().documents.values() for line in text.splitlines() if len(line) > 80]
    for number in range(documents):
        place = folder / f"{number % 100:02}" / f"{number:06}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n\n".join(chance.sample(paragraphs, paragraphs_each)) + "\n", encoding="utf-8")
    return folder


def embedded(library: Path) -> list[str]:
    """Return what is embedded of a library, each text once."""
    opened = Library(library)
    try:
        ids = opened.live_ids(opened.generation().number)
        return list(dict.fromkeys(embedding_text(title, text) for _, title, text in opened.words(ids)))
    finally:
        opened.close()


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that `work` took, and those of all cores together."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - busy


def seconds(work: Callable[[], object]) -> float:
    return taken(work)[0]


def throughput(documents: int, rounds: int, scratch: Path) -> dict[str, Any]:
    """Return passages a second of the embedding alone and of a sync, and the time of a query by both embedders."""
    from sentence_transformers import SentenceTransformer

    alone = SentenceTransformer(str(verified_default()[0]), device="cpu", local_files_only=True)
    ours = load_embedder()
    folder = write(scratch / "files", documents, _LONG)
    sync(scratch / "counted", StandIn(), [folder])
    texts = embedded(scratch / "counted")

    def encode(some: Sequence[str], batch: int) -> tuple[float, float]:
        return taken(lambda: alone.encode(list(some), batch_size=batch, normalize_embeddings=True))

    encode(texts[:8], 8)
    tried = {batch: encode(texts[::_TRIED], batch)[0] for batch in _BATCHES}
    best = min(tried, key=lambda batch: tried[batch])
    rates, work = [], []
    for number in range(rounds):
        library = scratch / f"library-{number}"
        built = taken(lambda place=library: sync(place, ours, [folder]))  # type: ignore[misc]
        alone_took = encode(texts, best)
        rates.append((len(texts) / alone_took[0], len(texts) / built[0]))
        work.append((1_000 * alone_took[1] / len(texts), 1_000 * built[1] / len(texts)))
        print(f"round {number + 1}: encode {rates[-1][0]:.1f}, sync {rates[-1][1]:.1f} passages a second", flush=True)
    queries = [
        (seconds(lambda: alone.encode([_QUERY], normalize_embeddings=True)), seconds(lambda: ours.embed([_QUERY])))
        for _ in range(_QUERIES)
    ]
    return {
        "passages": len(texts),
        "best batch size of encode": best,
        "encode, passages a second": round(median(a for a, _ in rates), 1),
        "sync, passages a second": round(median(b for _, b in rates), 1),
        "sync / encode, each round": [round(b / a, 3) for a, b in rates],
        "sync / encode": round(median(b / a for a, b in rates), 3),
        "encode, ms of a core a passage": round(median(a for a, _ in work), 1),
        "sync, ms of a core a passage": round(median(b for _, b in work), 1),
        "query by encode, ms": round(1_000 * median(a for a, _ in queries), 2),
        "query by ours, ms": round(1_000 * median(b for _, b in queries), 2),
        "query, ours / encode": round(median(b / a for a, b in queries), 3),
    }


def unembedded(folder: Path, embedder: Embedder) -> Mapping[str, float]:
    """Sync `folder` into a new library; return the peak of memory in MB, and the seconds of a second sync."""
    with tempfile.TemporaryDirectory(prefix="citespan-benchmark-") as library:
        first = seconds(lambda: sync(Path(library) / "library", embedder, [folder]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        again = seconds(lambda: sync(Path(library) / "library", embedder, [folder]))
    return {"seconds": round(first, 1), "peak MB": round(peak), "seconds, nothing changed": round(again, 2)}


def sizes(documents: Sequence[int], scratch: Path) -> dict[str, Any]:
    """Return memory and time of libraries of different sizes, by their number of documents."""
    found: dict[str, Any] = {}
    for count in documents:
        folder = write(scratch / f"files-{count}", count, _SHORT)
        command = [sys.executable, "-m", "benchmarks.indexing", "--only", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[f"{count} files"] = json.loads(done.stdout)
        print(f"{count} files: {found[f'{count} files']}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=60, help="documents that are embedded, of some 7 passages")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000], help="documents of a stand-in")
    parser.add_argument("--only", type=Path, help="sync this folder with a stand-in, print its figures, and end")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    if given.only is not None:
        print(json.dumps(unembedded(given.only, StandIn())))
        return
    # As `citespan sync` does; what it is compared with as well.
    stand_back()
    figures: dict[str, Any] = {**machine(), "model": DEFAULT}
    with tempfile.TemporaryDirectory(prefix="citespan-benchmark-") as scratch:
        # First: a process begins with the peak of the one that started it, which holds no model yet.
        figures["stand-in"] = sizes(given.sizes, Path(scratch))
        figures["throughput"] = throughput(given.documents, given.rounds, Path(scratch))
    print(json.dumps(figures, indent=2))
    if given.save is not None:
        given.save.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""A library in Qdrant beside the same one in its folder: `python -m benchmarks.qdrant --save FILE`.

Without a server the engine is Qdrant's own segments in this process (`qdrant-edge-py`): one shard, no network. With
`--store qdrant://host:6333/NAME` it is a real one, and its key is read from the variable CITESPAN_STORE_KEY.

Prints, for public sets of documents and queries, how many of the 50 best passages by words and by vector are the same,
in the same order, with the same score, and the time of a search from the folder and from the engine. Then, with
`--passages N`, what so many passages take: those of the sets over and over, their vectors moved at random, with the
words that they have. Bytes are those of the shard's files, by part; times are of one search at a time.
`--lives` compares two ways of saying when a passage counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge

from api.bench import machine
from api.settings import Settings
from api.wiring import open_embedder, open_engine
from benchmarks.edge import EdgeClient
from benchmarks.judged import Judged, cranfield, xquad
from benchmarks.retrieval import KEEP, opened_set
from index.embed import Embedder
from index.lexical import LexicalIndex
from index.library import Library
from index.remote.address import Address
from index.remote.engine import DENSE, Engine
from index.remote.forward import bring_forward
from index.remote.lexicons import writing
from index.remote.points import Point, Sparse, codes, in_batches, sparse
from index.remote.store import QdrantStore
from index.store import LocalStore, PassageStore
from index.types import Filter, Hit
from index.words import worths

DEPTH = 50
_SETS: dict[str, Callable[[], Judged]] = {"cranfield": cranfield, "xquad": xquad}
_ADDRESS = Address.parse("qdrant://segments/bench")
_BATCH = 500
_LOCK_SECONDS = 60.0
_SEED = 8
# How far a vector is moved: another passage on the same matter.
_MOVED = 0.4
_ASKED = 100


def engine_of(folder: Path, store: str | None) -> Engine:
    """Return the engine of an address, else the segments in this process, in `folder`."""
    if store is None:
        return Engine(EdgeClient(folder), _ADDRESS)  # type: ignore[arg-type]
    key: Any = os.environ.get("CITESPAN_STORE_KEY")
    return open_engine(Settings(store=store, store_key=key))


def compared(judged: Judged, keep: Path, embedder: Embedder, store: str | None) -> dict[str, Any]:
    """Print and return how alike the two stores are on one set, and how long a search takes."""
    local = opened_set(judged, keep, embedder)
    with tempfile.TemporaryDirectory() as scratch:
        engine = engine_of(Path(scratch), store)
        began = time.perf_counter()
        done = bring_forward(local.library, engine)
        seconds = time.perf_counter() - began
        remote = QdrantStore(local.library.folder, embedder, engine)
        try:
            figures: dict[str, Any] = {"points": done.sent, "seconds to load": round(seconds, 1)}
            figures |= word_index(local.library, Path(scratch) / "folder")
            queries = list(judged.queries.values())
            figures |= _both("words", queries, local, remote, lambda one, query: one.by_words(query, DEPTH, Filter()))
            vectors = {query: local.current().embed(query) for query in queries}
            figures |= _both(
                "vector", queries, local, remote, lambda one, query: one.by_vector(vectors[query], DEPTH, Filter())
            )
        finally:
            engine.drop(done.collection)
            remote.close()
            with writing(local.library, _LOCK_SECONDS) as lexicons:
                lexicons.forget(done.collection)
            local.close()
    for name, value in figures.items():
        print(f"{judged.name:10} {name:36} {value}", flush=True)
    return figures


def word_index(library: Library, scratch: Path) -> dict[str, float]:
    """Return what the word index in the folder costs a passage, which a sync writes though an engine is searched."""
    index, kept = LexicalIndex(scratch, "bench"), library.kept_ids()
    began = time.process_time()
    index.rebuild(library.words(kept))
    spent = time.process_time() - began
    size = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file())
    return {
        "ms of processor a passage for the word index": round(1000 * spent / len(kept), 3),
        "bytes a passage of the word index": round(size / len(kept)),
    }


def _both(
    name: str, queries: Sequence[str], local: LocalStore, remote: QdrantStore,
    search: Callable[[PassageStore, str], list[Hit]],
) -> dict[str, Any]:  # fmt: skip
    """Return how alike the hits are, and the milliseconds of each store."""
    same, shared = 0, 0.0
    taken: tuple[list[float], list[float]] = ([], [])
    for query in queries:
        found = []
        stores: tuple[PassageStore, PassageStore] = (local.current(), remote.current())
        for store, times in zip(stores, taken, strict=True):
            began = time.perf_counter()
            found.append([(hit.passage.id, hit.score, hit.rank) for hit in search(store, query)])
            times.append(1000 * (time.perf_counter() - began))
        same += found[0] == found[1]
        shared += len(set(found[0]) & set(found[1])) / max(1, len(found[0]))
    return {
        f"by {name}: queries": len(queries),
        f"by {name}: just the same {DEPTH}": same,
        f"by {name}: hits shared": f"{shared / len(queries):.2%}",
        f"by {name}: ms from the folder": _middle(taken[0]),
        f"by {name}: ms from the engine": _middle(taken[1]),
    }


def _middle(times: Sequence[float]) -> str:
    worst = statistics.quantiles(times, n=20)[-1]
    return f"{statistics.median(times):.2f} median, {worst:.2f} p95"


# ---- what many passages take -----------------------------------------------------------------------------------------


def drawn(keep: Path, embedder: Embedder, passages: int) -> Iterator[list[Point]]:
    """Yield points made of the passages of the sets, in batches."""
    chance = np.random.default_rng(_SEED)
    texts: list[tuple[str, str]] = []
    vectors = []
    for judged in (cranfield(), xquad()):
        local = opened_set(judged, keep, embedder)
        ids = local.library.live_ids(local.current().generation.number)
        texts += [(title, text) for _, title, text in local.library.words(ids)]
        vectors += [array for _, array in local.library.vectors(ids)]
        local.close()
    real = np.concatenate(vectors)
    worth, numbers = worths(), dict[tuple[str, str], int]()
    held = []
    for title, text in texts:
        terms = codes(title, text)
        for key in terms:
            numbers.setdefault(key, len(numbers))
        held.append(sparse(terms, numbers, worth))
    for batch in in_batches(range(passages), _BATCH):
        rows = np.asarray(batch) % len(real)
        pairs = chance.integers(0, len(real), size=(2, len(rows)))
        moved = real[rows] + _MOVED * (real[pairs[0]] - real[pairs[1]])
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        yield [Point(number, moved[at], held[rows[at]], _payload(number)) for at, number in enumerate(batch)]


def _payload(number: int) -> dict[str, object]:
    """Return what is known of a point: of ten passages one is not live any more."""
    added, ended = 1 + number % 9, number % 10 == 0
    known: dict[str, object] = {"added": added, "removed": added + 1 if ended else 2**62, "away": []}
    return {
        **known,
        "document": f"doc_{number // 8:016x}",
        "language": "en",
        "tags": ["press"],
        "published": 20_260_101,
    }


def capacity(keep: Path, embedder: Embedder, passages: int, lives: bool) -> dict[str, Any]:
    """Print and return bytes and milliseconds of so many passages in one shard in this process."""
    with tempfile.TemporaryDirectory() as scratch:
        client = EdgeClient(Path(scratch))
        engine = Engine(client, _ADDRESS)  # type: ignore[arg-type]
        engine.make("bench", embedder.dimensions)
        asked: list[Point] = []
        began, processor = time.perf_counter(), time.process_time()
        sending = 0.0
        for points in drawn(keep, embedder, passages):
            if lives:
                points = [
                    replace(point, payload={**point.payload, "lives": [
                        {"added": point.payload["added"], "removed": point.payload["removed"]}
                    ]})
                    for point in points
                ]  # fmt: skip
            start = time.perf_counter()
            engine.put("bench", points)
            sending += time.perf_counter() - start
            asked += points[:: max(1, passages // _ASKED // 2)]
        shard = client.shard("bench")
        start = time.perf_counter()
        shard.optimize()
        figures: dict[str, Any] = {
            "passages": passages,
            "terms a passage": round(statistics.mean(len(one.words.numbers) for one in asked), 1),
            "ms a passage to put": round(1000 * sending / passages, 3),
            "ms a passage to build the index": round(1000 * (time.perf_counter() - start) / passages, 3),
            "ms of processor a passage, all in all": round(1000 * (time.process_time() - processor) / passages, 3),
            "seconds in all": round(time.perf_counter() - began, 1),
        }
        shard.flush()
        figures |= {
            f"bytes a passage: {part}": size for part, size in _sizes(Path(scratch) / "bench", passages).items()
        }
        figures |= _searches(engine, asked[:_ASKED])
        figures[f"of the {DEPTH} nearest, found by the graph"] = _recall(client, asked[:_ASKED])
        if lives:
            figures |= _nested(shard, asked[:_ASKED])
        shard.close()
    for name, value in figures.items():
        print(f"{name:44} {value}", flush=True)
    return figures


def _sizes(shard: Path, passages: int) -> dict[str, int]:
    """Return the bytes of a shard's files a passage, as the disk has them, by part."""
    found: dict[str, int] = {}
    for path in shard.rglob("*"):
        if path.is_file():
            parts = path.relative_to(shard).parts
            part = parts[2].split(".")[0] if parts[0] == "segments" and len(parts) > 2 else parts[0]
            found[part] = found.get(part, 0) + 512 * path.stat().st_blocks
    return {part: round(size / passages) for part, size in sorted(found.items())}


def _searches(engine: Engine, asked: Sequence[Point]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, where in (("", Filter()), (", one tag", Filter(tags=frozenset({"press"})))):
        near, words = [], []
        for point in asked:
            began = time.perf_counter()
            engine.near("bench", point.vector, 2 * DEPTH + 16, 9, where)
            near.append(1000 * (time.perf_counter() - began))
            query = Sparse(point.words.numbers[:12], [1.0] * len(point.words.numbers[:12]))
            began = time.perf_counter()
            engine.sharing("bench", query, 2 * DEPTH + 16, 9, where)
            words.append(1000 * (time.perf_counter() - began))
        found |= {f"ms by vector{name}": _middle(near), f"ms by 12 terms{name}": _middle(words)}
    return found


def _recall(client: EdgeClient, asked: Sequence[Point]) -> str:
    """Return the share of the nearest, as all vectors compared tell them, that a search by the graph has."""
    graph, every = (Engine(client, replace(_ADDRESS, exact=exact)) for exact in (False, True))  # type: ignore[arg-type]
    shares = []
    for point in asked:
        near = [
            {number for number, _ in engine.near("bench", point.vector, 2 * DEPTH + 16, 9, Filter())[:DEPTH]}
            for engine in (graph, every)
        ]
        shares.append(len(near[0] & near[1]) / DEPTH)
    return f"{statistics.mean(shares):.2%}"


def _nested(shard: edge.EdgeShard, asked: Sequence[Point]) -> dict[str, str]:
    """Return the times of the same searches where each point has a list of lives, and a nested filter looks into it."""
    for key in ("lives[].added", "lives[].removed"):
        shard.update(edge.UpdateOperation.create_field_index(key, edge.PayloadSchemaType.Integer))
    shard.optimize()
    counts = [
        edge.FieldCondition("added", range=edge.RangeFloat(lte=9.0)),
        edge.FieldCondition("removed", range=edge.RangeFloat(gt=9.0)),
    ]
    where = edge.Filter(must=[edge.NestedCondition("lives", edge.Filter(must=list(counts)))])
    times = []
    for point in asked:
        nearest = edge.Query.Nearest(point.vector.tolist(), DENSE)
        wanted = edge.QueryRequest(
            limit=2 * DEPTH + 16, query=nearest, filter=where, params=edge.SearchParams(hnsw_ef=256)
        )
        began = time.perf_counter()
        shard.query(wanted)
        times.append(1000 * (time.perf_counter() - began))
    return {"ms by vector, lives in a list": _middle(times)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(_SETS), default=list(_SETS), help="these sets")
    parser.add_argument("--store", help="a real engine: qdrant://host:6333/NAME")
    parser.add_argument("--passages", type=int, default=0, help="measure what so many passages take")
    parser.add_argument("--lives", action="store_true", help="and lives in a list against plain fields")
    parser.add_argument("--keep", type=Path, default=KEEP, help="where the libraries are kept")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    embedder = open_embedder(Settings())
    results: dict[str, Any] = machine()
    for name, value in results.items():
        print(f"{name:12} {value}")
    for name in given.only:
        results[name] = compared(_SETS[name](), given.keep, embedder, given.store)
    if given.passages:
        results["capacity"] = capacity(given.keep, embedder, given.passages, given.lives)
    if given.save is not None:
        given.save.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

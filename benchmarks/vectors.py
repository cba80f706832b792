"""How vectors are best searched: `python -m benchmarks.vectors --sizes 50000,200000,1000000 --save FILE`.

Prints, for libraries of some sizes, the time of a search and how many of the 50 nearest it finds: all vectors compared
in several precisions; the lists of `index/lists.py` by how many of them are looked through; and the same lists with
other codes. The vectors are those of the sentences of the news set, embedded once and kept under results/, and, as
there are far fewer of them than are wanted, moved by a part of the difference of two others and brought to unit length.
The queries are the real questions of the set. Times are of one thread's processor, so that what else the
machine does counts for little.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from api.bench import machine
from benchmarks.data import news
from index.embed import SentenceTransformerEmbedder
from index.lists import Lists, open_lists, write_lists
from index.load.normalise import normalise
from index.quantised import probed
from index.quantiser import learn
from index.quantising import USUAL
from index.sentences import split
from index.types import Quantiser

KEEP = Path(__file__).parents[1] / "results" / "vectors"
DEPTH = 50
_MOVED = 0.4
_CHUNK = 20_000
_SEED = 1
# Others are compared up to here: beyond, one machine's memory is not enough for all of them at once.
_COMPARED = 200_000
_THREADS = 2
_RECALLS = (0.9, 0.95, 0.98, 0.99)

Half = NDArray[np.float16]
Single = NDArray[np.float32]


def real() -> tuple[Single, Single]:
    """Return the vectors of the sentences and of the questions of the news set."""
    paths = [KEEP / "sentences.npy", KEEP / "questions.npy"]
    if not all(path.exists() for path in paths):
        KEEP.mkdir(parents=True, exist_ok=True)
        texts = [normalise(text) for text in news().documents.values()]
        sentences = dict.fromkeys(s.span.of(text) for text in texts for s in split(text, None) if len(s.span) >= 20)
        embedder = SentenceTransformerEmbedder()
        for path, wanted in zip(paths, (list(sentences), [q.text for q in news().questions]), strict=True):
            np.save(path, embedder.embed(wanted))
    return np.load(paths[0]), np.load(paths[1])


def plausible(sentences: Single, count: int) -> Iterator[Half]:
    """Yield `count` vectors in chunks, drawn from a seed, in the precision of a library."""
    for start in range(0, count, _CHUNK):
        chance = np.random.default_rng([_SEED, start])
        one, two, three = (sentences[chance.integers(0, len(sentences), min(_CHUNK, count - start))] for _ in range(3))
        moved = one + _MOVED * (two - three)
        yield (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float16)


def nearest(vectors: Half, queries: Single) -> NDArray[np.int64]:
    """Return the rows of the DEPTH nearest to each query: int64 (queries, DEPTH)."""
    scores = np.full((len(queries), DEPTH), -np.inf, dtype=np.float32)
    rows = np.zeros((len(queries), DEPTH), dtype=np.int64)
    for start in range(0, len(vectors), _CHUNK):
        found = queries @ vectors[start : start + _CHUNK].astype(np.float32).T
        scores = np.concatenate([scores, found], axis=1)
        rows = np.concatenate([rows, np.tile(np.arange(start, start + found.shape[1]), (len(queries), 1))], axis=1)
        best = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
        scores, rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
    return rows


def judged(
    search: Callable[[Single], NDArray[np.int64]], queries: Single, truth: NDArray[np.int64]
) -> dict[str, float]:
    """Return the median and the 99th percentile of the milliseconds of a search, and its recall."""
    taken, right = [], 0
    faiss.omp_set_num_threads(1)
    for query, best in zip(queries, truth, strict=True):
        started = time.thread_time()
        found = search(query)
        taken.append(1000 * (time.thread_time() - started))
        right += len(set(best.tolist()) & set(found.tolist()))
    faiss.omp_set_num_threads(_THREADS)
    return {
        "ms": round(statistics.median(taken), 2),
        "p99 ms": round(float(np.quantile(taken, 0.99)), 2),
        "recall@50": round(right / truth.size, 4),
    }


def rows_found(index: Any, count: int, query: Single) -> NDArray[np.int64]:
    """Return what a FAISS index finds."""
    rows: NDArray[np.int64] = index.search(query[None], count)[1][0]
    return rows


def ids_found(lists: Lists, probes: int, query: Single) -> NDArray[np.int64]:
    """Return what the lists find, as much as `index/vectors.py` asks for."""
    return lists.search(query, 2 * DEPTH + 17, probes, None)[0]


def in_lists(vectors: Half, queries: Single, truth: NDArray[np.int64], scratch: Path) -> dict[str, Any]:
    """Return what the lists of `index/lists.py` cost and find."""
    count = len(vectors)
    ids = np.arange(1, count + 1)

    def read(wanted: Sequence[int]) -> Iterator[tuple[Sequence[int], Half]]:
        for start in range(0, len(wanted), 500):
            batch = wanted[start : start + 500]
            yield batch, vectors[np.asarray(batch) - 1]

    number = USUAL.lists(count)
    started = time.perf_counter()
    drawn = np.random.default_rng(_SEED).choice(count, min(count, USUAL.sample * number), replace=False)
    centroids = learn(vectors[np.sort(drawn)], number)
    figures: dict[str, Any] = {"lists": len(centroids), "seconds to learn": round(time.perf_counter() - started, 1)}
    started = time.perf_counter()
    path, quantiser = scratch / f"{count}.lists", Quantiser(1, count, "0" * 64)
    write_lists(path, quantiser, "bench", centroids, ids, read, None)
    figures["seconds to write"] = round(time.perf_counter() - started, 1)
    started = time.perf_counter()
    lists = open_lists(path, quantiser, "bench", centroids)
    assert lists is not None
    figures["seconds to open"] = round(time.perf_counter() - started, 2)
    figures["MB"] = round(path.stat().st_size / 1e6)
    rule = probed(len(centroids), 2 * DEPTH + 17, count)
    figures["lists, as searched"] = {"probes": rule} | judged(partial(ids_found, lists, rule), queries, truth + 1)
    needed = _needed(lists, centroids, queries, truth + 1)
    figures["lists needed for recall"] = {str(r): int(np.quantile(needed, r, method="higher")) for r in _RECALLS}
    for recall, probes in figures["lists needed for recall"].items():
        figures[f"lists for {recall}"] = {
            "probes": probes,
            **judged(partial(ids_found, lists, probes), queries, truth + 1),
        }
    return figures | (others(vectors, centroids, queries, truth, needed) if count <= _COMPARED else {})


def _needed(lists: Lists, centroids: Single, queries: Single, truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many lists have to be looked through for each of the nearest: int64 (queries x DEPTH,)."""
    of = np.concatenate([np.full(len(lists.list(n)[0]), n) for n in range(len(centroids))])
    order = np.argsort(np.concatenate([lists.list(n)[0] for n in range(len(centroids))]))
    ranks = np.argsort(np.argsort(-(queries @ centroids.T), axis=1), axis=1)
    needed: NDArray[np.int64] = np.take_along_axis(ranks, of[order][truth - 1], axis=1).ravel() + 1
    return needed


def compared(vectors: Half, queries: Single, truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return what it costs to compare all vectors, in several precisions."""
    dimensions = vectors.shape[1]
    kinds = {
        "all, float32": faiss.IndexFlatIP(dimensions),
        "all, float16": faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        ),
        "all, 8 bits": faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        ),
    }
    figures = {}
    for name, index in kinds.items():
        index.train(vectors[:_CHUNK].astype(np.float32))
        for start in range(0, len(vectors), _CHUNK):
            index.add(vectors[start : start + _CHUNK].astype(np.float32))
        figures[name] = judged(partial(rows_found, index, DEPTH), queries, truth)
    return figures


def others(
    vectors: Half, centroids: Single, queries: Single, truth: NDArray[np.int64], needed: NDArray[np.int64]
) -> dict[str, Any]:
    """Return what the same lists cost and find with other codes, as many looked through as 0.98 needs."""
    dimensions, probes = vectors.shape[1], int(np.quantile(needed, 0.98, method="higher"))
    metric, figures = faiss.METRIC_INNER_PRODUCT, {}
    for name, candidates in (("8 bits", DEPTH), ("8 bits", 2 * DEPTH), ("1 bit", 12 * DEPTH), ("1 bit", 24 * DEPTH)):
        coarse = faiss.IndexFlatIP(dimensions)
        coarse.add(centroids)
        index: Any
        if name == "1 bit":
            index = faiss.IndexIVFRaBitQFastScan(coarse, dimensions, len(centroids), metric)
        else:
            code = faiss.ScalarQuantizer.QT_8bit
            index = faiss.IndexIVFScalarQuantizer(coarse, dimensions, len(centroids), code, metric)
        index.train(vectors[:_CHUNK].astype(np.float32))
        for start in range(0, len(vectors), _CHUNK):
            index.add(vectors[start : start + _CHUNK].astype(np.float32))
        index.nprobe = probes
        figures[f"{name}, {candidates} candidates scored again elsewhere"] = judged(
            partial(rows_found, index, candidates), queries, truth
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="20000,50000,100000,200000")
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    sentences, queries = real()
    faiss.omp_set_num_threads(_THREADS)
    results: dict[str, Any] = {**machine(), "faiss": faiss.__version__, "sentences": len(sentences)}
    results["vectors"] = f"sentences of the news set, moved by {_MOVED} of the difference of two others"
    for size in (int(size) for size in given.sizes.split(",")):
        vectors = np.concatenate(list(plausible(sentences, size)))
        truth = nearest(vectors, queries)
        with tempfile.TemporaryDirectory() as scratch:
            figures = compared(vectors, queries, truth) if size <= _COMPARED else {}
            figures |= in_lists(vectors, queries, truth, Path(scratch))
        results[str(size)] = figures
        print(size, json.dumps(figures, indent=1), flush=True)
    if given.save is not None:
        given.save.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

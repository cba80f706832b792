"""How well passages are found, by each way of finding them, on collections that say which documents are relevant.

usage: python -m benchmarks.retrieval [--only SET ...] [--tune] [--keep FOLDER] [--save FILE]

Each collection is synced into a library below FOLDER and stays there, so that a second run embeds nothing. A ranking of
documents is that of their first passages. --tune shows instead what other constants would do, one at a time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import tantivy

from api.bench import machine
from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.judged import Judged, cisi, cranfield, judged_news, xquad
from index import bm25
from index.embed import Embedder
from index.lexical import LexicalIndex
from index.store import LocalStore, live_passages
from index.sync import sync
from index.terms import analyze
from index.types import Filter, Hit, Passage
from index.words import GenerationWords
from qa.evaluation.chance import paired_p
from qa.fuse import WORDS, fuse
from qa.measure import ndcg, recall
from qa.retrieve import DEPTH, retrieve, telling

KEEP = Path(__file__).parents[1] / "results" / "retrieval"
RRF_K = 60
_SETS: Mapping[str, Callable[[], Judged]] = {
    "cranfield": cranfield, "cisi": cisi, "xquad": xquad, "news": judged_news,
}  # fmt: skip
_FIRST = (1, 2, 4, 7)
_MEASURES = ("nDCG@10", "recall@1", "recall@5", "recall@10", *(f"right in first {n}" for n in _FIRST))
_SHOWN = {"Cranfield": (0, 3), "CISI": (0, 3), "XQuAD": (0, 1, 2), "news": (0, 4, 5, 6, 7)}

Way = Callable[[str], Sequence[Hit]]
"""Query → passages, best first."""
Figures = tuple[float, ...]
"""Of one query, in the order of _MEASURES."""


class Opened:
    """A collection in a library, with what is near each query: the same for every way of finding."""

    def __init__(self, judged: Judged, store: LocalStore) -> None:
        self.judged = judged
        self.store = store.current()
        self.passages = {p.id: p for p in live_passages(store.library, self.store.generation.number)}
        self._searcher = LexicalIndex(store.library.folder, store.library.meta["history"]).searcher()
        self.vectors = {query: self.store.embed(query) for query in judged.queries.values()}
        self._plain = PlainBM25(list(self.passages.values()))

    def words(self, text: bm25.Field, title: bm25.Field) -> GenerationWords:
        return GenerationWords(self._searcher, list(self.passages), text=text, title=title)

    def hits(self, ranking: Sequence[tuple[int, float]]) -> list[Hit]:
        return [Hit(self.passages[number], score, rank) for rank, (number, score) in enumerate(ranking, start=1)]

    def near(self, query: str) -> list[Hit]:
        return self.store.by_vector(self.vectors[query], DEPTH, Filter())

    def ours(self, query: str) -> list[Hit]:
        return self.store.by_words(telling(query), DEPTH, Filter())

    def plain(self, query: str) -> list[Hit]:
        return self.hits(self._plain.search(query, DEPTH))

    def figures(self, find: Way) -> list[Figures]:
        """Return the figures of each query when passages are found by `find`."""
        return [
            measured([hit.passage for hit in find(query)], self.judged.relevant[number])
            for number, query in self.judged.queries.items()
        ]


class PlainBM25:
    """Tantivy as it comes: its own scores over stemmed text and title, and every word of the query."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("id", stored=True)
        for name in ("text", "title"):
            builder.add_text_field(name, tokenizer_name="en_stem", index_option="freq")
        self._index = tantivy.Index(builder.build())
        writer = self._index.writer(num_threads=1)
        for passage in passages:
            document = tantivy.Document(text=passage.text, title=passage.document.title)
            document.add_unsigned("id", passage.id)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()

    def search(self, words: str, limit: int) -> list[tuple[int, float]]:
        should = []
        for term in analyze(words):
            for name, weight in (("text", 1.0), ("title", bm25.TITLE.weight)):
                query = tantivy.Query.term_query(self._index.schema, name, term, "freq")
                should.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, weight)))
        if not should:
            return []
        hits = self._searcher.search(tantivy.Query.boolean_query(should), limit, count=False).hits
        return [(int(self._searcher.doc(address)["id"][0]), float(score)) for score, address in hits]


def reciprocal(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Return the rankings fused by rank: the score of a passage is the sum of 1 / (RRF_K + rank).

    Source: Cormack, Clarke & Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.
    """
    scores: dict[int, float] = {}
    passages = {hit.passage.id: hit.passage for ranking in rankings for hit in ranking}
    for hit in (hit for ranking in rankings for hit in ranking):
        scores[hit.passage.id] = scores.get(hit.passage.id, 0.0) + 1.0 / (RRF_K + hit.rank)
    order = sorted(scores, key=lambda number: (-scores[number], passages[number].text))
    return [Hit(passages[number], scores[number], rank) for rank, number in enumerate(order, start=1)]


def measured(ranking: Sequence[Passage], relevant: frozenset[str]) -> Figures:
    """Return the figures of one query."""
    found = [passage.document.uri for passage in ranking]
    documents = list(dict.fromkeys(found))
    return (
        ndcg(documents, dict.fromkeys(relevant, 1.0), 10),
        *(recall(documents, relevant, k) for k in (1, 5, 10)),
        *(float(bool(relevant & set(found[:n]))) for n in _FIRST),
    )


def ways(opened: Opened) -> dict[str, Way]:
    """Return each way of finding passages by its name; what ships is the last."""

    def shipped(query: str) -> list[Hit]:
        return [found.hit for found in retrieve(opened.store, query, Filter())]

    return {
        "BM25, tantivy's own": opened.plain,
        "BM25, ours": opened.ours,
        "embeddings": opened.near,
        "plain fusion (RRF, k 60)": lambda query: reciprocal([opened.near(query), opened.plain(query)]),
        "shipped": shipped,
    }


def tried(opened: Opened) -> dict[str, Way]:
    """Return what ships with one constant changed at a time, by words alone and fused."""

    def by_words(text: bm25.Field, title: bm25.Field) -> Way:
        words = opened.words(text, title)
        return lambda query: opened.hits(words.search(telling(query), DEPTH))

    def fused(words: float, whole: bool = True) -> Way:
        def find(query: str) -> list[Hit]:
            near, worded = opened.near(query), opened.ours(query)
            passages = list({hit.passage.id: hit.passage for hit in (*near, *worded)}.values())
            if whole:
                cosines = opened.store.cosines(opened.vectors[query], passages)
                shares = opened.store.shares(telling(query), passages)
            else:
                cosines, shares = found_scores(passages, near, near[-1].score), found_scores(passages, worded, 0.0)
            return fuse(passages, cosines, shares, words=words)

        return find

    found: dict[str, Way] = {
        "words: as shipped": opened.ours,
        "words: every word of the query": lambda query: opened.store.by_words(query, DEPTH, Filter()),
        "words: each word once": lambda query: opened.store.by_words(once(query), DEPTH, Filter()),
    }
    changes: dict[str, tuple[float, ...]] = {"k1": (0.6, 1.2, 1.6), "b": (0.0, 0.75, 0.9), "usual": (60.0, 80.0, 120.0)}
    for name, values in changes.items():
        for value in values:
            found[f"words: {name} {value:g}"] = by_words(replace(bm25.TEXT, **{name: value}), bm25.TITLE)
    for weight in (0.0, 0.25, 0.75, 1.0):
        found[f"words: title {weight:g}"] = by_words(bm25.TEXT, replace(bm25.TITLE, weight=weight))
    for words in (0.2, 0.3, 0.4, WORDS, 0.6, 0.75, 1.0):
        found[f"fused: words count {words:g}"] = fused(words)
    found["fused: missing scores not made"] = fused(WORDS, whole=False)
    found["fused: by rank (RRF, k 60)"] = lambda query: reciprocal([opened.near(query), opened.ours(query)])
    return found


def once(query: str) -> str:
    """Return the telling words of a query, none of them twice in whatever form."""
    return " ".join({"".join(analyze(word)): word for word in reversed(telling(query).split())}.values())


def found_scores(passages: Sequence[Passage], hits: Sequence[Hit], missing: float) -> list[float]:
    """Return the score of each passage among `hits`, or `missing`."""
    scores = {hit.passage.id: hit.score for hit in hits}
    return [scores.get(passage.id, missing) for passage in passages]


def opened_set(judged: Judged, keep: Path, embedder: Embedder) -> LocalStore:
    """Return an open library of the collection's documents, made if it is not there from an earlier run."""
    folder, library = keep / judged.name / "documents", keep / judged.name / "library"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in judged.documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    report = sync(library, embedder, [folder])
    if report.failed:
        raise RuntimeError(f"{len(report.failed)} documents of {judged.name} failed: {report.failed[0]}")
    return LocalStore(library, embedder)


def run(judged: Judged, keep: Path, embedder: Embedder, tune: bool) -> dict[str, Any]:
    """Print and return the figures of one collection."""
    store = opened_set(judged, keep, embedder)
    try:
        opened = Opened(judged, store)
        print(f"\n{judged.name}: {len(judged.documents)} documents, {len(opened.passages)} passages, ", end="")
        print(f"{len(judged.queries)} queries, {sum(map(len, judged.relevant.values()))} judged relevant")
        shown = _SHOWN[judged.name]
        print(f"{'':32}" + "".join(f"{_MEASURES[at]:>17}" for at in shown), flush=True)
        by_way: dict[str, list[Figures]] = {}
        for name, way in (tried if tune else ways)(opened).items():
            by_way[name] = opened.figures(way)
            means = [100 * mean(values) for values in zip(*by_way[name], strict=True)]
            print(f"{name:32}" + "".join(f"{means[at]:17.2f}" for at in shown), flush=True)
    finally:
        store.close()
    figures: dict[str, Any] = {
        "documents": len(judged.documents),
        "passages": len(opened.passages),
        "queries": len(judged.queries),
        "ways": {name: _means(found) for name, found in by_way.items()},
    }
    if not tune:
        figures["shipped against plain fusion"] = _compared(*list(by_way.values())[:-3:-1])
    return figures


def _means(found: Sequence[Figures]) -> dict[str, float]:
    return {
        name: round(100 * mean(values), 2) for name, values in zip(_MEASURES, zip(*found, strict=True), strict=True)
    }


def _compared(shipped: Sequence[Figures], plain: Sequence[Figures]) -> dict[str, float]:
    """Print and return by how much nDCG@10 differs, in points, and the p that chance makes it so."""
    differences = [one[0] - other[0] for one, other in zip(shipped, plain, strict=True)]
    found = {"nDCG@10": round(100 * mean(differences), 2), "p": round(paired_p(differences, seed=0), 4)}
    print(f"shipped against plain fusion: nDCG@10 {found['nDCG@10']:+.2f}, p {found['p']:.4f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(_SETS), default=list(_SETS), help="these collections")
    parser.add_argument("--tune", action="store_true", help="try other constants")
    parser.add_argument("--keep", type=Path, default=KEEP, help="where the libraries are kept")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    embedder = open_embedder(Settings())
    results: dict[str, Any] = machine()
    for name, value in results.items():
        print(f"{name:12} {value}")
    results["sets"] = {}
    for name in given.only:
        judged = _SETS[name]()
        results["sets"][judged.name] = run(judged, given.keep, embedder, given.tune)
    if given.save is not None:
        given.save.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

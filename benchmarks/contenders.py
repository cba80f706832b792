"""Five ways to answer questions from documents, each set up as its documentation shows, behind one small protocol.

Run as a script by `benchmarks.against`, one process a contender, by the interpreter of an environment that has it
(`benchmarks/against.txt`). It says what building took, then answers question by question: JSON lines in and out. The
others get nothing of ours but the embedder's and the reader's weights.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Told:
    """The best that a product tells: words that stand in a passage of a document, None where it tells nothing."""

    document: str | None
    passage: str = ""
    answer: str = ""


NOTHING = Told(None)


class Contender(Protocol):
    """What is compared."""

    def load(self) -> None:
        """Import what is needed and load the models."""

    def build(self, documents: Mapping[str, str]) -> None:
        """Make whatever is searched from documents by name."""

    def ask(self, question: str, *, always: bool) -> Told:
        """Return the best answer; `always` also from a product that would rather be silent."""

    def versions(self) -> list[str]:
        """Return the distributions that this is about."""


def lines_of(documents: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (document, paragraph): in the news articles every line is one."""
    return [(name, line.strip()) for name, text in documents.items() for line in text.split("\n") if line.strip()]


class Citespan:
    """This project, as shipped: silent where it is not sure enough."""

    def __init__(self, embedder: str, reader: str) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="citespan-against-")

    def load(self) -> None:
        from api.settings import Settings
        from api.wiring import open_embedder, open_service

        self._library = Path(self._scratch.name) / "library"
        settings = Settings(library=self._library)
        self._embedder, self._service = open_embedder(settings), open_service(settings)

    def build(self, documents: Mapping[str, str]) -> None:
        from index.store import LocalStore
        from index.sync import sync

        folder = Path(self._scratch.name) / "documents"
        folder.mkdir()
        for name, text in documents.items():
            (folder / name).write_text(text, encoding="utf-8")
        sync(self._library, self._embedder, [folder])
        self._store = LocalStore(self._library, self._embedder)

    def ask(self, question: str, *, always: bool) -> Told:
        from qa.types import Answer, Question

        reply = self._service.ask(Question(question, risk=1.0 if always else None), self._store.current()).reply
        if not isinstance(reply, Answer):
            return NOTHING
        cited = reply.citations[0]
        return Told(cited.document.uri.rsplit("/", 1)[-1], cited.quote, cited.quote)

    def versions(self) -> list[str]:
        return ["citespan"]


class TxtAI:
    """Hybrid index of paragraphs with content, and the extractive question-answering pipeline over three of them."""

    def __init__(self, embedder: str, reader: str) -> None:
        self._embedder, self._reader = embedder, reader

    def load(self) -> None:
        from txtai import RAG, Embeddings

        self._index = Embeddings(path=self._embedder, hybrid=True, content=True)
        self._rag = RAG(self._index, self._reader, output="reference")

    def build(self, documents: Mapping[str, str]) -> None:
        from txtai.pipeline import Segmentation

        split = Segmentation(lines=True)
        self._paragraphs = {
            f"{name}#{number}": text for name, whole in documents.items() for number, text in enumerate(split(whole))
        }
        self._index.index(self._paragraphs.items())

    def ask(self, question: str, *, always: bool) -> Told:
        try:
            found = self._rag(question)
        except TypeError:
            # Its pipeline cannot take it when the reader says that there is no answer in the text.
            found = {"answer": None}
        answer, place = found["answer"], found.get("reference")
        if not answer or place is None:
            place = self._index.search(question, 1)[0]["id"]
            answer = self._paragraphs[place]
        return Told(place.partition("#")[0], self._paragraphs[place], answer)

    def versions(self) -> list[str]:
        return ["txtai"]


class Haystack:
    """Splits of 200 words; BM25 and embeddings joined by reciprocal ranks; the reader over the first three."""

    def __init__(self, embedder: str, reader: str) -> None:
        self._embedder, self._reader = embedder, reader

    def load(self) -> None:
        from haystack import Pipeline
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.preprocessors import DocumentSplitter
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
        from haystack.components.writers import DocumentWriter
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
            SentenceTransformersTextEmbedder,
        )
        from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

        self._kept = InMemoryDocumentStore()
        self._indexing = Pipeline()
        self._indexing.add_component("splitter", DocumentSplitter(split_by="word", split_length=200, split_overlap=20))
        embedder = SentenceTransformersDocumentEmbedder(model=self._embedder, progress_bar=False)
        self._indexing.add_component("embedder", embedder)
        self._indexing.add_component("writer", DocumentWriter(self._kept))
        self._indexing.connect("splitter", "embedder")
        self._indexing.connect("embedder", "writer")
        self._asking = Pipeline()
        text_embedder = SentenceTransformersTextEmbedder(model=self._embedder, progress_bar=False)
        self._asking.add_component("embedder", text_embedder)
        self._asking.add_component("by_vector", InMemoryEmbeddingRetriever(self._kept))
        self._asking.add_component("by_words", InMemoryBM25Retriever(self._kept))
        self._asking.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=3))
        # Without an answer of no words: this benchmark asks for the best.
        self._asking.add_component("reader", TransformersExtractiveReader(self._reader, top_k=1, no_answer=False))
        self._asking.connect("embedder.embedding", "by_vector.query_embedding")
        self._asking.connect("by_vector", "joiner")
        self._asking.connect("by_words", "joiner")
        self._asking.connect("joiner", "reader.documents")
        embedder.warm_up()
        text_embedder.warm_up()
        self._asking.get_component("reader").warm_up()

    def build(self, documents: Mapping[str, str]) -> None:
        from haystack import Document

        self._indexing.run(
            {"splitter": {"documents": [Document(content=text, meta={"name": n}) for n, text in documents.items()]}}
        )

    def ask(self, question: str, *, always: bool) -> Told:
        asked = {"embedder": {"text": question}, "by_words": {"query": question}, "reader": {"query": question}}
        answers = self._asking.run(asked)["reader"]["answers"]
        if not answers or answers[0].document is None:
            return NOTHING
        best = answers[0]
        return Told(best.document.meta["name"], best.document.content, best.data)

    def versions(self) -> list[str]:
        return ["haystack-ai", "sentence-transformers-haystack", "transformers-haystack"]


class SentenceTransformersFaiss:
    """Paragraphs encoded by sentence-transformers, in an exact FAISS index by inner product: the nearest one."""

    def __init__(self, embedder: str, reader: str) -> None:
        self._embedder = embedder

    def load(self) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(self._embedder, device="cpu")

    def build(self, documents: Mapping[str, str]) -> None:
        import faiss

        self._paragraphs = lines_of(documents)
        vectors = self._model.encode([text for _, text in self._paragraphs], normalize_embeddings=True)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def ask(self, question: str, *, always: bool) -> Told:
        _, found = self._index.search(self._model.encode([question], normalize_embeddings=True), 1)
        name, text = self._paragraphs[int(found[0][0])]
        return Told(name, text, text)

    def versions(self) -> list[str]:
        return ["sentence-transformers", "faiss-cpu"]


class BM25S:
    """Paragraphs by BM25 with English stop words and the Snowball stemmer: the best one."""

    def __init__(self, embedder: str, reader: str) -> None:
        pass

    def load(self) -> None:
        import bm25s
        import Stemmer

        self._stemmer = Stemmer.Stemmer("english")
        self._bm25 = bm25s.BM25()

    def build(self, documents: Mapping[str, str]) -> None:
        self._paragraphs = lines_of(documents)
        self._bm25.index(self._tokens([text for _, text in self._paragraphs]), show_progress=False)

    def ask(self, question: str, *, always: bool) -> Told:
        found, _ = self._bm25.retrieve(self._tokens([question]), k=1, show_progress=False)
        name, text = self._paragraphs[int(found[0, 0])]
        return Told(name, text, text)

    def _tokens(self, texts: list[str]) -> Any:
        import bm25s

        return bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, show_progress=False)

    def versions(self) -> list[str]:
        return ["bm25s", "PyStemmer"]


CONTENDERS: dict[str, type[Any]] = {
    "citespan": Citespan,
    "haystack": Haystack,
    "txtai": TxtAI,
    "sentence-transformers + faiss": SentenceTransformersFaiss,
    "bm25s": BM25S,
}


def resident_mib() -> tuple[float, float]:
    """Return the memory of this process that is in use now, and the most that ever was."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        now = int(file.read().split()[1]) * resource.getpagesize() / 2**20
    return round(now), round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)


def main() -> None:
    from importlib.metadata import version

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=list(CONTENDERS))
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--embedder", required=True)
    parser.add_argument("--reader", required=True)
    given = parser.parse_args()
    replies, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no reply

    def tell(said: Mapping[str, Any]) -> None:
        replies.write(json.dumps(said) + "\n")
        replies.flush()

    contender: Contender = CONTENDERS[given.contender](given.embedder, given.reader)
    documents = {path.name: path.read_text(encoding="utf-8") for path in sorted(given.documents.iterdir())}
    started = time.perf_counter()
    contender.load()
    loaded, working = time.perf_counter(), time.process_time()
    contender.build(documents)
    built, worked = time.perf_counter(), time.process_time()
    tell({
        "load": loaded - started,
        "build": built - loaded,
        "work": worked - working,
        "versions": [f"{name} {version(name)}" for name in contender.versions()],
    })  # fmt: skip
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.perf_counter()
        told = contender.ask(asked["question"], always=asked["always"])
        milliseconds = 1000 * (time.perf_counter() - began)
        tell({"milliseconds": milliseconds, **asdict(told)})
    now, most = resident_mib()
    tell({"resident": now, "peak": most})


if __name__ == "__main__":
    main()

"""What `qa` sees of a library: passages of exactly one generation, found by vector or by words."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.embed import Embedder
from index.errors import LibraryFormat
from index.lexical import LexicalIndex, LexicalSearcher
from index.library import Library
from index.types import Document, Filter, Generation, Hit, Passage, Revision
from index.vectors import VectorIndex
from index.writer import Writer

# How much more is asked for when hits fall away (not live, or outside a filter).
_WIDEN = 4
_MEND_SECONDS = 120.0
_BATCH = 500
# Passages held in memory by one generation: some 10 MB.
_HELD = 5_000
_log = logging.getLogger(__name__)

Ranking = list[tuple[int, float]]


class TextStore(Protocol):
    """The documents and texts of one generation."""

    @property
    def generation(self) -> Generation:
        """The generation that everything below comes from."""

    def document(self, document_id: str) -> Document:
        """Return a live document, or raise UnknownDocument."""

    def documents(self, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return live documents in the order of their ids, from the first id greater than `after`."""

    def revision(self, document_id: str, revision_id: str) -> Revision:
        """Return the canonical text of a present or earlier revision, or raise UnknownRevision."""


class PassageStore(TextStore, Protocol):
    """The same, and its passages to search."""

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        """Return the passages nearest to a vector of unit length; the score is the cosine similarity."""

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        """Return the passages that match the words best; the score is BM25."""


class LibraryTexts:
    """TextStore over the local library: enough to list, show and verify, and no model is needed."""

    def __init__(self, library: Library, generation: Generation) -> None:
        self._library = library
        self._generation = generation

    @property
    def generation(self) -> Generation:
        return self._generation

    def document(self, document_id: str) -> Document:
        return self._library.document(self._generation.number, document_id)

    def documents(self, *, after: str = "", limit: int = 100) -> list[Document]:
        return self._library.documents(self._generation.number, after=after, limit=limit)

    def revision(self, document_id: str, revision_id: str) -> Revision:
        return self._library.revision(revision_id, document_id=document_id, generation=self._generation.number)


class GenerationStore(LibraryTexts):
    """PassageStore over the local library, FAISS and tantivy."""

    def __init__(self, library: Library, generation: Generation, vectors: VectorIndex, words: LexicalSearcher) -> None:
        super().__init__(library, generation)
        self.vectors = vectors
        self._words = words
        self._held: dict[int, Passage] = {}

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        return self._hits(lambda count: self.vectors.search(query, count), limit, where)

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        return self._hits(lambda count: self._words.search(query, count), limit, where)

    def _hits(self, search: Callable[[int], Ranking], limit: int, where: Filter) -> list[Hit]:
        """Search wider until `limit` hits are live and admitted, with all their ties, or nothing more is found."""
        if limit < 1:
            return []
        count = (limit if where.is_open else limit * _WIDEN) + 1
        while True:
            ranking = search(count)
            passages = self._passages([number for number, _ in ranking])
            kept = [
                (passages[n], score) for n, score in ranking if n in passages and where.admits(passages[n].document)
            ]
            if len(ranking) < count or (len(kept) >= limit and ranking[-1][1] < kept[limit - 1][1]):
                break
            count *= _WIDEN
        # The indexes leave the order of ties open; what the passages say settles it, the same everywhere.
        kept.sort(key=lambda pair: (-pair[1], pair[0].text, pair[0].document.id, pair[0].span))
        return [Hit(passage, score, rank) for rank, (passage, score) in enumerate(kept[:limit], start=1)]

    def _passages(self, ids: list[int]) -> dict[int, Passage]:
        """Return those of `ids` that are live. What was fetched before is held: a generation never changes."""
        held = self._held  # another thread may put a new one in its place meanwhile
        fetched = self._library.passages(self._generation.number, [i for i in ids if i not in held])
        found = {i: held[i] for i in ids if i in held} | fetched
        self._held = fetched if len(held) + len(fetched) > _HELD else held | fetched
        return found


class LocalStore:
    """An open library with its derived indexes; `current` is what a question is answered from.

    Another process may write: `refresh` takes up its generations. Missing or damaged indexes are rebuilt.

    :raises LibraryNotFound: if there is no library in `folder`.
    :raises LibraryFormat: if its vectors were made by another embedder.
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.library = Library(folder)
        try:
            _check_embedder(self.library, embedder)
            self._words = LexicalIndex(folder)
            generation = self.library.generation()
            vectors = VectorIndex.build(self.library, embedder.dimensions, generation.number)
            self._refreshing = threading.Lock()
            self._current = self._stand(generation, vectors)
        except BaseException:
            self.library.close()
            raise

    def close(self) -> None:
        """Close the library's connections."""
        self.library.close()

    def current(self) -> GenerationStore:
        """Return the newest generation that was taken up."""
        return self._current

    def refresh(self) -> bool:
        """Take up a newer generation if there is one; questions go on from the old one meanwhile."""
        if self.library.generation().number == self._current.generation.number:
            return False
        with self._refreshing:
            generation = self.library.generation()
            if generation.number == self._current.generation.number:
                return False
            vectors = self._current.vectors.forward(self.library, generation.number)
            self._words.reload()
            self._current = self._stand(generation, vectors)
            return True

    def _stand(self, generation: Generation, vectors: VectorIndex) -> GenerationStore:
        """Return a store whose vectors and words stand at the same generation."""
        while True:
            if self._words.complete_to < generation.number:
                mend_words(self.library, self._words)
            words = self._words.searcher()
            newest = self.library.generation()
            if newest.number != generation.number:
                generation, vectors = newest, vectors.forward(self.library, newest.number)
                self._words.reload()
            elif not self._words.serves(generation.number):
                mend_words(self.library, self._words)
            else:
                # A sync takes old passages out of the word index after its commit: none committed, so none are gone.
                return GenerationStore(self.library, generation, vectors, words)


def mend_words(library: Library, words: LexicalIndex) -> None:
    """Rebuild the word index if it is missing, damaged or behind, unless another process just did."""
    with Writer(library.folder, timeout=_MEND_SECONDS):
        words.reload()
        generation = library.generation().number
        if not words.serves(generation):
            _log.info("rebuilding the word index for generation %d", generation)
            words.rebuild(live_passages(library, generation), complete_to=generation)


def live_passages(library: Library, generation: int, ids: list[int] | None = None) -> Iterator[Passage]:
    """Yield passages in the order of their ids, all live ones unless `ids` names them, with bounded memory."""
    wanted = library.live_ids(generation) if ids is None else ids
    for start in range(0, len(wanted), _BATCH):
        yield from library.passages(generation, wanted[start : start + _BATCH]).values()


def _check_embedder(library: Library, embedder: Embedder) -> None:
    made_by = library.meta.get("embedder")
    if made_by != embedder.fingerprint:
        raise LibraryFormat(
            f"{library.folder}: its vectors were made by {made_by}, the embedder in use is {embedder.fingerprint}; "
            "name the first one, or sync into a new library folder"
        )

"""What `qa` sees of a library: passages of exactly one generation, found by vector or by words."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.embed import Embedder
from index.errors import GenerationPurged, LibraryDamaged, LibraryFormat, UnknownGeneration
from index.lexical import LexicalIndex, LexicalSearcher
from index.library import Library
from index.memory import give_back
from index.step import bring_in_step, follow_purges
from index.types import Document, Filter, Generation, Hit, Passage, Revision
from index.vectors import VectorIndex
from index.words import GenerationWords
from index.writer import folder_lock

# How much more is asked for when hits fall away (not live, or outside a filter).
WIDEN = 4
_MEND_SECONDS = 120.0
_BATCH = 500
# Passages held in memory by one generation: some 10 MB.
_HELD = 5_000
# Filters whose passages are held by one generation.
_FILTERS = 8
# Passages that are weighed one by one where no others are admitted.
_FEW = 20_000
# Earlier generations held for questions about the past; each holds a copy of all vectors while the library is small.
_PAST = 2
_log = logging.getLogger(__name__)

Ranking = list[tuple[int, float]]
NOTHING = float("-inf")


@dataclass(frozen=True, slots=True)
class Found:
    """Passages with their scores, best first, and what none beyond them scores more than: NOTHING if there is none."""

    ranking: Ranking
    beyond: float


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

    def was_purged(self, document_id: str, revision_id: str) -> bool:
        """Return whether that revision was here and was purged."""


class PassageStore(TextStore, Protocol):
    """The same, and its passages to search."""

    def embed(self, query: str) -> NDArray[np.float32]:
        """Return the vector of a query, of unit length, by the embedder that made this generation's vectors."""

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        """Return the passages nearest to a vector of unit length; the score is the cosine similarity."""

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        """Return the passages that match the words best; the score is BM25."""

    def cosines(self, query: NDArray[np.float32], passages: Sequence[Passage]) -> list[float]:
        """Return the score by vector of each of `passages`, which are of this generation."""

    def shares(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """Return the score by words of each of `passages`; 0.0 for one that shares no word with the query."""


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

    def was_purged(self, document_id: str, revision_id: str) -> bool:
        return self._library.was_purged(document_id, revision_id)


class SearchedTexts(LibraryTexts):
    """What every store of passages does alike: texts of hits, and ties settled, however the passages are found."""

    def __init__(self, library: Library, generation: Generation, embedder: Embedder) -> None:
        super().__init__(library, generation)
        self.embedder = embedder
        self._held: dict[int, Passage] = {}

    def embed(self, query: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embedder.embed([query])[0]
        return vector

    def _hits(self, search: Callable[[int], Found], limit: int, where: Filter, count: int) -> list[Hit]:
        """Search for `count`, and wider until `limit` hits are live and admitted, with all their ties, or no more is
        found.
        """
        if limit < 1:
            return []
        while True:
            found = search(count)
            passages = self._passages([number for number, _ in found.ranking])
            kept = [
                (passages[n], score)
                for n, score in found.ranking
                if n in passages and where.admits(passages[n].document)
            ]
            if found.beyond == NOTHING or (len(kept) >= limit and found.beyond < kept[limit - 1][1]):
                break
            count *= WIDEN
        # The indexes leave the order of ties open; what the passages say settles it, the same everywhere.
        kept.sort(key=lambda pair: (-pair[1], pair[0].text, pair[0].document.id, pair[0].span))
        return [Hit(passage, score, rank) for rank, (passage, score) in enumerate(kept[:limit], start=1)]

    def _passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        """Return those of `ids` that are live. What was fetched before is held: a generation never changes."""
        held = self._held  # another thread may put a new one in its place meanwhile; what it holds only grows
        fetched = self._library.passages(self._generation.number, [i for i in ids if i not in held])
        found = {i: held[i] for i in ids if i in held} | fetched
        if len(held) + len(fetched) > _HELD:
            self._held = fetched
        else:
            held.update(fetched)  # not a copy of it: that is 5,000 entries for every question
        return found


class GenerationStore(SearchedTexts):
    """PassageStore over the local library, its vector index and its word index."""

    def __init__(
        self, library: Library, generation: Generation, embedder: Embedder, vectors: VectorIndex, words: LexicalSearcher
    ) -> None:
        super().__init__(library, generation, embedder)
        self.vectors = vectors
        self._words = GenerationWords(words, vectors.ids())
        self._admitted: OrderedDict[Filter, NDArray[np.int64]] = OrderedDict()

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        return self._among(lambda count, among: self.vectors.search(query, count, among), limit, where)

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        return self._among(lambda count, among: self._by_words(query, count, among), limit, where)

    def cosines(self, query: NDArray[np.float32], passages: Sequence[Passage]) -> list[float]:
        return self.vectors.cosines(query, [passage.id for passage in passages]) if passages else []

    def shares(self, query: str, passages: Sequence[Passage]) -> list[float]:
        return self._words.scores(query, [passage.id for passage in passages]) if passages else []

    def _among(
        self, search: Callable[[int, NDArray[np.int64] | None], Ranking], limit: int, where: Filter
    ) -> list[Hit]:
        if limit < 1:
            return []
        among = None if where.is_open else self._those(where)

        def found(count: int) -> Found:
            ranking = search(count, among)
            beyond = ranking[-1][1] if len(ranking) >= count else NOTHING
            # Those that are not live any more, or not admitted, are seen without a look into the library.
            within = self._within([number for number, _ in ranking], among)
            return Found([pair for pair in ranking if pair[0] in within], beyond)

        return self._hits(found, limit, where, (limit if where.is_open else limit * WIDEN) + 1)

    def _by_words(self, query: str, count: int, among: NDArray[np.int64] | None) -> Ranking:
        if among is None or len(among) > _FEW:
            return self._words.search(query, count)
        # So few are weighed one by one: to search all for them may mean to rank all.
        scores = np.asarray(self._words.scores(query, among.tolist()), dtype=np.float64)
        best = np.argsort(-scores, kind="stable")[:count]
        return [(int(among[place]), float(scores[place])) for place in best if scores[place] > 0]

    def _within(self, ids: list[int], among: NDArray[np.int64] | None) -> frozenset[int]:
        if among is None:
            return self.vectors.live(ids)
        return frozenset(np.asarray(ids, dtype=np.int64)[np.isin(ids, among)].tolist())

    def _those(self, where: Filter) -> NDArray[np.int64]:
        """Return the passages that are live and admitted, ascending. The last few answers are held."""
        held = self._admitted
        found = held.get(where)
        if found is None:
            found = np.asarray(self._library.admitted_ids(self._generation.number, where), dtype=np.int64)
            held[where] = found
            while len(held) > _FILTERS:
                with suppress(KeyError):  # another thread may have been quicker
                    held.popitem(last=False)
        return found


_Store = TypeVar("_Store", bound=SearchedTexts)


class Generations(ABC, Generic[_Store]):
    """An open library; `current` is what a question is answered from.

    Another process may write: `refresh` takes up its generations, and `open_embedder`, given the name of one, the
    embedder that a `reembed` has switched to. The library is this object's to close.
    """

    def __init__(self, library: Library, open_embedder: Callable[[str], Embedder] | None) -> None:
        self.library = library
        self._open_embedder = open_embedder
        self._refreshing = threading.Lock()
        self._past: OrderedDict[int, _Store] = OrderedDict()

    def close(self) -> None:
        """Close the library's connections."""
        self.library.close()

    def look(self) -> None:
        """Raise a CitespanError if what questions are answered from cannot be reached."""
        self.library.look()

    def glance(self) -> bool:
        """Return whether it is as well as it was at the last look at the library; nobody waits for this.

        False where only a look would tell.
        """
        return self.library.is_as_seen()

    @abstractmethod
    def current(self) -> _Store:
        """Return the newest generation that was taken up."""

    def at(self, number: int) -> _Store:
        """Return the store of an earlier generation; the last few that were asked for are held.

        :raises UnknownGeneration: if there is none of that number, or retention has dropped it.
        :raises GenerationPurged: if a document of it was purged since.
        """
        current = self.current()
        if number == current.generation.number and self.holds(current):
            return current
        try:
            return self._at(number)
        except LibraryFormat:
            # A reembed has switched, and the vectors of earlier generations are by the other embedder now too.
            self.refresh()
            return self._at(number)

    def _at(self, number: int) -> _Store:
        generation = self.library.generation_numbered(number)
        with self._refreshing:
            current = self.current()
            held = self._past.pop(number, None)
            if held is None:
                try:
                    held = self._stand(generation, current.embedder, current)
                except LibraryDamaged:
                    # It may only have been purged of, or let go, while its vectors were read; then that is said.
                    self.library.generation_numbered(number)
                    raise
            self._past[number] = held
            while len(self._past) > _PAST:
                self._past.popitem(last=False)
            return held

    def holds(self, store: TextStore) -> bool:
        """Return whether what `store` answers from is still whole: no retention or purge has reached it."""
        number = store.generation.number
        if number == 0:
            return True
        try:
            self.library.generation_numbered(number)
        except (UnknownGeneration, GenerationPurged):
            return False
        return True

    @abstractmethod
    def refresh(self) -> bool:
        """Take up a newer generation if there is one; questions go on from the old one meanwhile.

        :raises LibraryDamaged: if the library was removed or replaced.
        """

    @abstractmethod
    def _stand(self, generation: Generation, embedder: Embedder, like: _Store | None) -> _Store:
        """Return the store of a generation, made from that of another one, by the same embedder, if it is given."""

    def _forget_past(self, before: _Store, after: _Store) -> None:
        """Let go of what is held of earlier generations and does not serve any more; under the lock."""
        changed = after.embedder is not before.embedder or self.library.purged_since(before.generation.number)
        for number in [n for n in self._past if changed or not self.holds(self._past[n])]:
            del self._past[number]

    def _other_embedder(self, fingerprint: str) -> Embedder:
        name = fingerprint.rpartition(":")[0]
        if self._open_embedder is None:
            raise LibraryFormat(f"{self.library.folder}: now embedded by {name}; restart to use it")
        return self._open_embedder(name)


class LocalStore(Generations[GenerationStore]):
    """An open library with its derived indexes in its folder. Missing or damaged ones are rebuilt.

    :raises LibraryNotFound: if there is no library in `folder`.
    :raises LibraryFormat: if its vectors were made by another embedder.
    """

    def __init__(
        self, folder: Path, embedder: Embedder, open_embedder: Callable[[str], Embedder] | None = None
    ) -> None:
        super().__init__(Library(folder), open_embedder)
        try:
            check_embedder(self.library, embedder)
            self._words = LexicalIndex(folder, self.library.meta["history"])
            self._current = self._stand(self.library.generation(), embedder, None)
        except BaseException:
            self.library.close()
            raise

    def current(self) -> GenerationStore:
        return self._current

    def refresh(self) -> bool:
        self.library.expect_in_place()
        follow_purges(self.library, self._words)
        if self.library.generation().number == self._current.generation.number:
            return False
        with self._refreshing:
            before = self._current
            if not self._take_up(before):
                return False
            self._forget_past(before, self._current)
        del before  # questions under way may still hold it; else it is freed here
        give_back()
        return True

    def _take_up(self, before: GenerationStore) -> bool:
        """Have the newest generation answer; return False if that is the one `before`. Under the lock."""
        while (generation := self.library.generation()).number != before.generation.number:
            self._words.reload()
            made_by = self.library.meta["embedder"]
            try:
                if made_by != before.embedder.fingerprint:
                    other = self._other_embedder(made_by)
                    check_embedder(self.library, other)
                    self._current = self._stand(generation, other, None)
                else:
                    self._current = self._stand(generation, before.embedder, before)
                return True
            except LibraryDamaged:
                # It may only have been purged of while its vectors were read; then there is a newer one.
                if self.library.generation().number == generation.number:
                    raise
        return False

    def _stand(self, generation: Generation, embedder: Embedder, like: GenerationStore | None) -> GenerationStore:
        if like is None:
            vectors = VectorIndex.build(self.library, embedder.dimensions, generation.number)
        elif like.vectors.generation != generation.number:
            vectors = like.vectors.forward(self.library, generation.number)
        else:
            vectors = like.vectors
        # Not before: vectors read while a reembed switched would be by two embedders.
        check_embedder(self.library, embedder)
        self._mend()
        # Nothing of a kept generation is ever taken out of the word index, so whatever is newer does no harm.
        return GenerationStore(self.library, generation, embedder, vectors, self._words.searcher())

    def _mend(self) -> None:
        newest = self.library.newest_kept()
        if not self._words.serves(newest):
            self._words.reload()  # another process may have added to it since
        if not self._words.serves(newest):
            mend_words(self.library, self._words)


def mend_words(library: Library, words: LexicalIndex) -> None:
    """Rebuild the word index if it is missing, damaged or behind, unless another process just did."""
    with folder_lock(library.folder, _MEND_SECONDS):
        words.reload()
        if words.serves(library.newest_kept()):
            return
        if library.truth.shared:
            bring_in_step(library, words)
        else:
            _log.info("rebuilding the word index")
            words.rebuild(library.words(library.kept_ids()))


def live_passages(library: Library, generation: int, ids: list[int] | None = None) -> Iterator[Passage]:
    """Yield passages in the order of their ids, all live ones unless `ids` names them, with bounded memory."""
    wanted = library.live_ids(generation) if ids is None else ids
    for start in range(0, len(wanted), _BATCH):
        yield from library.passages(generation, wanted[start : start + _BATCH]).values()


def check_embedder(library: Library, embedder: Embedder) -> None:
    """Raise LibraryFormat if the library's vectors were made by another embedder; the message names both."""
    made_by = library.meta.get("embedder")
    if made_by != embedder.fingerprint:
        raise LibraryFormat(
            f"{library.folder}: its vectors were made by {made_by}, the embedder in use is {embedder.fingerprint}; "
            "name the first one, or switch with `citespan reembed --embedder NAME`"
        )

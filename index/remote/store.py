"""Answering from the engine: the same hits, scores and order as from the library's folder.

The engine finds candidates, some more than are asked for; what counts is computed here, from the library and the terms'
counts, as for a library in its folder. A search goes on until nothing that was not found could still be among the best.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.embed import Embedder
from index.errors import LibraryBusy, LibraryDamaged, StoreError, StoreUnavailable
from index.exact import cosines, unit
from index.lexical import LexicalIndex
from index.library import Library
from index.postings import FIELDS
from index.remote.engine import Engine
from index.remote.forward import Progress, bring_forward
from index.remote.lexicon import Key, Lexicon
from index.remote.lexicons import reading
from index.remote.names import Stand, is_behind, names_of, standing
from index.remote.points import Sparse, Terms, codes
from index.step import follow_purges, follows
from index.store import NOTHING, Found, Generations, SearchedTexts, check_embedder
from index.types import Filter, Generation, Hit, Passage
from index.words import query_terms, weighed, worths

# How much more is looked at than is asked for, and at least, and at most.
_MORE = 2
_LEAST = 16
_MOST = 20_000
# What an engine's cosines are off at most, and its scores by words as a share: it counts in single precision.
_COSINES_OFF = 1e-3
_SCORES_OFF = 1e-5
# Terms and passages of which it is held what they say.
_HELD_TERMS = 20_000
_HELD_PASSAGES = 5_000
_log = logging.getLogger(__name__)


class RemoteGeneration(SearchedTexts):
    """PassageStore over the library's texts and a collection that holds this generation whole."""

    def __init__(
        self, library: Library, generation: Generation, embedder: Embedder, engine: Engine, lexicon: Lexicon | None
    ) -> None:
        """Without a lexicon nothing was ever synced, and nothing is found."""
        super().__init__(library, generation, embedder)
        self.collection = "" if lexicon is None else lexicon.collection
        self._engine = engine
        self._lexicon = lexicon
        self._worth = worths()
        self._holding: dict[Key, tuple[int, int]] = {}
        self._coded: dict[int, Terms] = {}

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        if self._lexicon is None:
            return []
        return self._hits(lambda count: self._near(query, count, where), limit, where, limit)

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        asked = self._asked(query)
        return self._hits(lambda count: self._sharing(asked, count, where), limit, where, limit) if asked else []

    def cosines(self, query: NDArray[np.float32], passages: Sequence[Passage]) -> list[float]:
        return cosines(self._vectors([passage.id for passage in passages]), query) if passages else []

    def shares(self, query: str, passages: Sequence[Passage]) -> list[float]:
        return self._scores(self._asked(query), passages)

    # ---- by vector --------------------------------------------------------------------------------------------------

    def _near(self, query: NDArray[np.float32], count: int, where: Filter) -> Found:
        wanted = min(_MOST, count * _MORE + _LEAST)
        found = self._engine.near(self.collection, query, wanted, self._generation.number, where)
        ids = [number for number, _ in found]
        exact = cosines(self._vectors(ids), query) if ids else []
        return _found(ids, exact, found[-1][1] + _COSINES_OFF if len(found) == wanted < _MOST else NOTHING)

    def _vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the vectors of passages, of unit length: float32 (passages, dimensions)."""
        try:
            stored = np.concatenate([vectors for _, vectors in self._library.vectors(ids)])
        except LibraryDamaged:
            if self._library.meta["embedder"] == self.embedder.fingerprint:
                raise
        else:
            # Read after them: a reembed may have switched meanwhile.
            if self._library.meta["embedder"] == self.embedder.fingerprint:
                return unit(stored)
        # The library has others now, until the collection with those is loaded.
        held = self._engine.vectors(self.collection, ids)
        if len(held) != len(ids):
            raise StoreError(f"{self._engine.address}: {len(ids) - len(held)} passages have no vector any more")
        return np.stack([held[number] for number in ids])

    # ---- by words ---------------------------------------------------------------------------------------------------

    def _asked(self, query: str) -> list[tuple[Key, int, float]]:
        """Return the terms of a query that some live passage holds, with number and weight, in its order."""
        wanted = query_terms(query)
        holding = self._known([(field, term) for term in wanted for field in FIELDS])
        weights = weighed(wanted, self._generation.passages, lambda field, term: holding[field, term][1])
        return [((field, term), holding[field, term][0], weight) for field, term, weight in weights]

    def _known(self, keys: Sequence[Key]) -> dict[Key, tuple[int, int]]:
        """Return the number of each term and how many live passages hold it. It is held: a generation never changes."""
        held = self._holding
        missing = [key for key in keys if key not in held]
        told = {} if self._lexicon is None else self._lexicon.holding(missing, self._generation.number)
        fetched = {key: told.get(key, (0, 0)) for key in missing}
        self._holding = fetched if len(held) + len(fetched) > _HELD_TERMS else held | fetched
        return {key: held[key] if key in held else fetched[key] for key in keys}

    def _sharing(self, asked: Sequence[tuple[Key, int, float]], count: int, where: Filter) -> Found:
        wanted = min(_MOST, count * _MORE + _LEAST)
        ordered = sorted((number, weight) for _, number, weight in asked)
        query = Sparse([number for number, _ in ordered], [float(np.float32(weight)) for _, weight in ordered])
        found = self._engine.sharing(self.collection, query, wanted, self._generation.number, where)
        passages = self._passages([number for number, _ in found])
        scores = self._scores(asked, list(passages.values()))
        beyond = found[-1][1] * (1.0 + _SCORES_OFF) if len(found) == wanted < _MOST else NOTHING
        return _found(list(passages), scores, beyond)

    def _scores(self, asked: Sequence[tuple[Key, int, float]], passages: Sequence[Passage]) -> list[float]:
        """Return the score by words of passages: term by term in the order of the query, as `GenerationWords` does."""
        terms = [self._terms(passage) for passage in passages]
        total = np.zeros(len(passages), dtype=np.float64)
        for key, _, weight in asked:
            rows = [row for row, held in enumerate(terms) if key in held]
            total[rows] += weight * self._worth[key[0]][[terms[row][key] for row in rows]] if rows else 0.0
        found: list[float] = total.tolist()
        return found

    def _terms(self, passage: Passage) -> Terms:
        found = self._coded.get(passage.id)
        if found is None:
            if len(self._coded) >= _HELD_PASSAGES:
                self._coded = {}
            found = self._coded[passage.id] = codes(passage.document.title, passage.text)
        return found


def _found(ids: Sequence[int], scores: Sequence[float], beyond: float) -> Found:
    ranking = sorted(zip(ids, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return Found(ranking, beyond)


class QdrantStore(Generations[RemoteGeneration]):
    """An open library whose passages are searched in Qdrant.

    It answers from the newest generation that is whole there, and brings the engine forward when it is behind. While
    the engine does not answer, it stands where it stood, and whatever needs the engine raises StoreUnavailable.

    :raises LibraryNotFound: if there is no library in `folder`.
    :raises StoreError: if nothing of it is in the engine, and it cannot be brought there.
    """

    def __init__(
        self, folder: Path, embedder: Embedder, engine: Engine,
        open_embedder: Callable[[str], Embedder] | None = None, *, progress: Progress = lambda done, total: None,
    ) -> None:  # fmt: skip
        super().__init__(Library(folder), open_embedder)
        self.engine = engine
        self._progress = progress
        self._names = names_of(self.library, engine.address)
        self._lexicons = reading(self.library)
        self._found: dict[str, Lexicon] = {}
        self._forwarding = threading.Lock()
        self._purged: frozenset[str] = frozenset()
        self._whole: Stand | None = None
        try:
            self._current = self._first(embedder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._lexicons.close()
        self.engine.close()
        super().close()

    def current(self) -> RemoteGeneration:
        return self._current

    def look(self) -> None:
        super().look()
        # It is not asked for this: the thread that refreshes does so all the time.
        if not self.engine.circuit.is_closed:
            raise StoreUnavailable(f"{self.engine.address} does not answer", StoreError.seconds)

    def glance(self) -> bool:
        return super().glance() and self.engine.circuit.is_closed

    def refresh(self) -> bool:
        self.library.expect_in_place()
        self._follow_purges()
        try:
            stand = self._brought()
        except StoreUnavailable as error:
            _log.debug("%s", error)  # the circuit has told already
            return False
        except StoreError as error:
            # What has changed the library has done so all the same, and the next look tries again.
            _log.warning("%s", error)
            return False
        generation = None if stand is None else self._newest(stand)
        if stand is None or generation is None or self._is_at(stand.collection, generation):
            return False
        with self._refreshing:
            before = self._current
            if self._is_at(stand.collection, generation) or generation.number < before.generation.number:
                return False
            made_by = self._lexicon(stand.collection).embedder
            same = made_by == before.embedder.fingerprint
            after = self._on(stand, generation, before.embedder if same else self._other_embedder(made_by))
            self._current, self._whole = after, stand
            self._forget_past(before, after)
            if after.collection != before.collection:
                self._past.clear()
        return True

    def _follow_purges(self) -> None:
        """Take what another server purged out of the indexes that a sync left in this folder, as far as it has any."""
        folder = self.library.folder
        if follows(folder, self.library):
            return
        words = LexicalIndex(folder, self.library.meta["history"])
        if words.complete_to >= 0:
            follow_purges(self.library, words)

    def _is_at(self, collection: str, generation: Generation) -> bool:
        current = self._current
        return (current.collection, current.generation.number) == (collection, generation.number)

    def _newest(self, stand: Stand) -> Generation | None:
        """Return the newest active generation that is whole in a collection; None if the library keeps none as it was.

        Then another thread or process has just changed the library, and is bringing the engine forward.
        """
        newest = self.library.generation()
        if newest.number <= stand.generation:
            return newest
        for generation in self.library.generations(limit=1_000_000):
            if generation.active and generation.number <= stand.generation and not generation.purged:
                return generation
        return None

    def _first(self, embedder: Embedder) -> RemoteGeneration:
        try:
            stand = self._brought()
        except StoreUnavailable as error:
            remembered = self._remembered()
            if remembered is None:
                raise
            _log.warning("%s; standing where it stood", error)
            stand = remembered
        self._whole = stand
        if stand is None:
            check_embedder(self.library, embedder)
            return RemoteGeneration(self.library, self.library.generation(), embedder, self.engine, None)
        made_by, generation = self._lexicon(stand.collection).embedder, self._newest(stand)
        if generation is None:
            raise StoreError(
                f"{self.engine.address} stands at generation {stand.generation}, which the library does not keep any "
                "more; bring it forward with `citespan sync`"
            )
        used = embedder if made_by == embedder.fingerprint else self._other_embedder(made_by)
        return self._on(stand, generation, used)

    def _remembered(self) -> Stand | None:
        """Return where the engine stood, as far as the terms tell."""
        known = [self._lexicon(one) for one in self._lexicons.names() if self._names.owns(one)]
        newest = max(known, key=lambda one: one.active, default=None)
        return None if newest is None or newest.active == 0 else Stand(newest.collection, newest.active)

    def _brought(self) -> Stand | None:
        """Return where the engine stands; brought forward if it is behind, unless somebody else is at it."""
        stand = standing(self._names, self.engine.aliases())
        if stand is not None:
            # Another machine may have brought it further than the terms here tell.
            known = self._lexicon(stand.collection).stands_at
            if known < stand.generation:
                return Stand(stand.collection, known)
        if not is_behind(self.library, stand, self._purged) or not self._forwarding.acquire(blocking=False):
            return stand
        try:
            purged = self.library.purged_since(self.library.generation().number)
            done = bring_forward(self.library, self.engine, progress=self._progress, lock_timeout=0.0)
            self._purged = purged
        except LibraryBusy as error:
            _log.info("%s", error)
            return stand
        finally:
            self._forwarding.release()
        return Stand(done.collection, done.generation)

    def _stand(self, generation: Generation, embedder: Embedder, like: RemoteGeneration | None) -> RemoteGeneration:
        whole = self._whole
        if whole is None or generation.number > whole.generation:
            raise StoreError(f"generation {generation.number} is not yet whole in {self.engine.address}")
        return RemoteGeneration(self.library, generation, embedder, self.engine, self._lexicon(whole.collection))

    def _on(self, stand: Stand, generation: Generation, embedder: Embedder) -> RemoteGeneration:
        return RemoteGeneration(self.library, generation, embedder, self.engine, self._lexicon(stand.collection))

    def _lexicon(self, collection: str) -> Lexicon:
        if (found := self._found.get(collection)) is None:
            found = self._lexicons.find(collection)
            if found is None:
                raise StoreError(
                    f"the terms of {collection} are not in {self._lexicons.where}; copy that from the machine that "
                    "syncs, or have `citespan sync` load another collection here"
                )
            self._found[collection] = found
        return found

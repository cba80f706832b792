"""The passages of one generation, ranked by the words they share with a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import bm25
from index.lexical import LexicalSearcher, Postings, terms

# Different terms of a query that count, the first ones: each may stand in all passages. More did not help the long
# queries of CISI (`python -m benchmarks.retrieval --only cisi`).
MOST_TERMS = 32
# Postings held in memory by one generation: some 10 MB.
_HELD = 2_000_000


@dataclass(frozen=True, slots=True)
class _Live:
    """The live passages that hold a term: `rows` among all live ones, int32; the rest as in `Postings`."""

    rows: NDArray[np.int32]
    counts: NDArray[np.uint8]
    lengths: NDArray[np.uint8]


class GenerationWords:
    """BM25 over the live passages of one generation, from any thread.

    The index may hold others: of earlier generations, or of one that is being made. They are left out before anything
    is counted, so they change no score.
    """

    def __init__(
        self,
        searcher: LexicalSearcher,
        live: Sequence[int],
        *,
        text: bm25.Field = bm25.TEXT,
        title: bm25.Field = bm25.TITLE,
    ) -> None:
        self._searcher = searcher
        self._text, self._title = text, title
        self._live = np.asarray(live, dtype=np.int64)
        self._held: dict[tuple[str, str], _Live] = {}

    def search(self, words: str, limit: int) -> list[tuple[int, float]]:
        """Return up to `limit` passages that share a word with `words`, with their score, best first.

        Equal scores are in the order of the ids.
        """
        scores = self._scores(words)
        rows = bm25.best(scores, limit)
        return list(zip(self._live[rows].tolist(), scores[rows].tolist(), strict=True))

    def scores(self, words: str, passages: Sequence[int]) -> list[float]:
        """Return the score of each of `passages`, which are live; 0.0 for one that shares no word with `words`."""
        rows = np.searchsorted(self._live, np.asarray(passages, dtype=np.int64))
        total = np.zeros(len(rows), dtype=np.float64)
        for found, weight, field in self._terms(words):
            at, held = _where(found.rows, rows)
            total[held] += weight * bm25.gain(found.counts[at], found.lengths[at], field)
        scores: list[float] = total.tolist()
        return scores

    def _scores(self, words: str) -> NDArray[np.float64]:
        """Return the score of each live passage, float64 (passages,).

        It is the sum over the terms of `words`, each as often as it stands there, of what the passage's text and its
        document's title gain from the term.
        """
        total = np.zeros(len(self._live), dtype=np.float64)
        for found, weight, field in self._terms(words):
            total[found.rows] += weight * bm25.gain(found.counts, found.lengths, field)
        return total

    def _terms(self, words: str) -> Iterator[tuple[_Live, float, bm25.Field]]:
        """Yield for each term and field the passages that hold it, what an occurrence weighs, and the field."""
        # The sums are made term by term in the order of the query, so that they are the same to the last bit.
        for term, times in islice(Counter(terms(words)).items(), MOST_TERMS):
            for where, find, field in (
                ("text", self._searcher.in_texts, self._text),
                ("title", self._searcher.in_titles, self._title),
            ):
                found = self._found(where, term, find)
                rarity = bm25.rarity(len(found.rows), len(self._live))
                yield found, times * rarity, field

    def _found(self, where: str, term: str, find: Callable[[str], Postings]) -> _Live:
        """Return the live passages that hold a term. What was found before is held: a generation never changes."""
        held = self._held  # another thread may put a new one in its place meanwhile
        found = held.get((where, term))
        if found is None:
            found = self._only_live(find(term))
            size = sum(len(one.rows) for one in held.values()) + len(found.rows)
            self._held = {**(held if size <= _HELD else {}), (where, term): found}
        return found

    def _only_live(self, postings: Postings) -> _Live:
        rows, live = _where(self._live, postings.ids)
        return _Live(rows.astype(np.int32), postings.counts[live], postings.lengths[live])


def _where(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where those of `wanted` that are in `known`, which ascends, stand there, and which of them are."""
    at = np.searchsorted(known, wanted)
    held = at < len(known)
    held[held] = known[at[held]] == wanted[held]
    return at[held], held

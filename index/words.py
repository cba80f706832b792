"""The passages of one generation, ranked by the words they share with a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import bm25
from index.lexical import LexicalSearcher
from index.postings import FIELDS, Packed, Segment, codes_of, counts, lengths, rows_of
from index.terms import terms

# Different terms of a query that count, the first ones: each may stand in all passages. More did not help the long
# queries of CISI (`python -m benchmarks.retrieval --only cisi`).
MOST_TERMS = 32
# Terms of which it is held how many live passages hold them.
_HELD = 20_000


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment, and for each of its rows which of the live passages it is, int32 (rows,); their number if none."""

    segment: Segment
    live: NDArray[np.int32]
    dead: int
    """How many of the rows are no live passage."""


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
        self._live = np.asarray(live, dtype=np.int64)
        self._parts = [_part(segment, self._live) for segment in searcher.segments]
        # All that a posting says of its passage is its code: what each is worth is counted once.
        self._worth = {"text": bm25.gain(counts(), lengths(), text), "title": bm25.gain(counts(), lengths(), title)}
        self._holding: dict[tuple[str, str], int] = {}

    def search(self, words: str, limit: int) -> list[tuple[int, float]]:
        """Return up to `limit` passages that share a word with `words`, with their score, best first.

        Equal scores are in the order of the ids.
        """
        scores = self._scores(words)
        rows = bm25.best(scores, limit)
        return list(zip(self._live[rows].tolist(), scores[rows].tolist(), strict=True))

    def scores(self, words: str, passages: Sequence[int]) -> list[float]:
        """Return the score of each of `passages`, which are live; 0.0 for one that shares no word with `words`."""
        wanted = np.asarray(passages, dtype=np.int64)
        total = np.zeros(len(wanted), dtype=np.float64)
        places = []
        for part in self._parts:
            rows, held = _where(part.segment.ids, wanted)
            places.append((rows, np.flatnonzero(held)))
        for field, term, times in _asked(words):
            found = [part.segment.holding(field, term) for part in self._parts]
            weight = times * self._rarity(field, term, found)
            for postings, (rows, here) in zip(found, places, strict=True):
                at, hit = _where(rows_of(postings), rows)
                total[here[hit]] += weight * self._worth[field][codes_of(postings[at])]
        scores: list[float] = total.tolist()
        return scores

    def _scores(self, words: str) -> NDArray[np.float64]:
        """Return the score of each live passage, float64 (passages,).

        It is the sum over the terms of `words`, each as often as it stands there, of what the passage's text and its
        document's title gain from the term.
        """
        # One more, which takes what is not live.
        total = np.zeros(len(self._live) + 1, dtype=np.float64)
        # The sums are made term by term in the order of the query, so that they are the same to the last bit.
        for field, term, times in _asked(words):
            found = [part.segment.holding(field, term) for part in self._parts]
            weight = times * self._rarity(field, term, found)
            for part, postings in zip(self._parts, found, strict=True):
                total[part.live[rows_of(postings)]] += weight * self._worth[field][codes_of(postings)]
        return total[:-1]

    def _rarity(self, field: str, term: str, found: Sequence[Packed]) -> float:
        """Return the weight of a term with these postings. How many are live is held: a generation never changes."""
        holding = self._holding.get((field, term))
        if holding is None:
            holding = sum(
                int(np.count_nonzero(part.live[rows_of(postings)] != len(self._live))) if part.dead else len(postings)
                for part, postings in zip(self._parts, found, strict=True)
            )
            if len(self._holding) >= _HELD:
                self._holding = {}
            self._holding[field, term] = holding
        return bm25.rarity(holding, len(self._live))


def _asked(words: str) -> Iterator[tuple[str, str, int]]:
    """Yield the field, the term and how often it stands in `words`, of all that counts."""
    for term, times in islice(Counter(terms(words)).items(), MOST_TERMS):
        for field in FIELDS:
            yield field, term, times


def _part(segment: Segment, live: NDArray[np.int64]) -> _Part:
    rows, here = _where(live, segment.ids)
    at = np.full(len(segment), len(live), dtype=np.int32)
    at[here] = rows
    return _Part(segment, at, len(segment) - len(rows))


def _where(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where those of `wanted` that are in `known`, which ascends, stand there, and which of them are."""
    at = np.searchsorted(known, wanted)
    held = at < len(known)
    held[held] = known[at[held]] == wanted[held]
    return at[held], held

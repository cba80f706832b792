"""The passages of one generation, ranked by the words they share with a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from index import bm25
from index.lexical import LexicalSearcher
from index.postings import FIELDS, Packed, Segment, codes_of, counts, lengths, packed, rows_of
from index.terms import terms

# Different terms of a query that count, the first ones: each may stand in all passages. More did not help the long
# queries of CISI (`python -m benchmarks.retrieval --only cisi`).
MOST_TERMS = 32
# Terms of which it is held how many live passages hold them.
_HELD = 20_000
# Queries of which it is held where their postings are.
_ASKS = 16
# Sums in another order differ by less than this share.
_ROUNDING = 1e-9
# Rows are sorted to be added up if they are fewer than one in so many; else each has its place.
_SORTED = 50
_BLOCK = 64
# While few postings are read, it is worth a look whether the other lists must be, if those have so many times as many,
# and if so many times as many are read as at the last look. So few passages are then quickly looked up in them.
_AHEAD = 2
_FEW = 5_000

Rows = NDArray[np.int64]
_Gains = tuple[Rows, NDArray[np.float64]]
_NO_ROWS = np.empty(0, dtype=np.int64)
_NO_GAINS = np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment, and for each of its rows which of the live passages it is, int32 (rows,); their number if none."""

    segment: Segment
    live: NDArray[np.int32]
    dead: int
    """How many of the rows are no live passage."""
    first: int | None
    """Which live passage its first row is, if all rows are live and no other passage is between them."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A term of a query in one field: its postings in each part, what an occurrence weighs, and what each code says."""

    found: tuple[Packed, ...]
    weight: float
    worth: NDArray[np.float64]

    @property
    def gains(self) -> NDArray[np.float64]:
        """What a passage gains by each code."""
        return self.weight * self.worth

    @property
    def most(self) -> float:
        """The most that a passage can gain by it."""
        return self.weight * float(self.worth.max())

    @property
    def size(self) -> int:
        return sum(len(postings) for postings in self.found)


class GenerationWords:
    """BM25 over the live passages of one generation, from any thread.

    The score of a passage is the sum over the terms of the query, each as often as it stands there, of what the
    passage's text and its document's title gain from the term. The index may hold other passages: of earlier
    generations, or of one that is being made. They are left out before anything is counted, so they change no score.
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
        self._worth = worths(text, title)
        self._holding: dict[tuple[str, str], int] = {}
        self._asks: dict[str, list[_Asked]] = {}

    def search(self, words: str, limit: int) -> list[tuple[int, float]]:
        """Return up to `limit` passages that share a word with `words`, with their score, best first.

        Equal scores are in the order of the ids.
        """
        asked = self._asked(words)
        rows = self._candidates(asked, limit)
        scores = self._scores(asked, self._live[rows])
        best = bm25.best(scores, limit)
        return list(zip(self._live[rows[best]].tolist(), scores[best].tolist(), strict=True))

    def scores(self, words: str, passages: Sequence[int]) -> list[float]:
        """Return the score of each of `passages`, which are live; 0.0 for one that shares no word with `words`."""
        scores: list[float] = self._scores(self._asked(words), np.asarray(passages, dtype=np.int64)).tolist()
        return scores

    def _scores(self, asked: Sequence[_Asked], passages: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the score of each passage, float64 (passages,)."""
        total = np.zeros(len(passages), dtype=np.float64)
        places = []
        for part in self._parts:
            rows, held = _where(part.segment.ids, passages)
            places.append((packed(rows), np.flatnonzero(held)))
        # The sums are made term by term in the order of the query, so that they are the same to the last bit.
        for one in asked:
            gains = one.gains
            for postings, (wanted, here) in zip(one.found, places, strict=True):
                if len(postings):
                    said = postings[np.minimum(np.searchsorted(postings, wanted), len(postings) - 1)]
                    hit = rows_of(said) == rows_of(wanted)
                    total[here[hit]] += gains[codes_of(said[hit])]
        return total

    def _candidates(self, asked: Sequence[_Asked], limit: int) -> Rows:
        """Return live passages, ascending, that include the `limit` best and all their ties.

        Terms are taken from the rarest on. Once the `limit`-th best passage has more of them than all other terms
        together could give, only those that can still reach it are looked at, and the lists of the frequent terms are
        not read through (MaxScore: Turtle & Flood, "Query evaluation: strategies and optimizations", 1995).
        """
        lists = sorted(asked, key=lambda one: one.size)
        taken, read, looked_at = [], 0, 0
        for number, one in enumerate(lists, start=1):
            taken.append(self._gains(one))
            read += one.size
            rest = lists[number:]
            ahead = sum(other.size for other in rest)
            if ahead > _AHEAD * read > _AHEAD**2 * looked_at and read < len(self._live) // _SORTED:
                looked_at = read
                found = self._reaching(taken, limit, sum(other.most for other in rest))
                if found is not None and len(found) <= _FEW:
                    return found
        found = self._reaching(taken, limit, 0.0)
        return np.empty(0, dtype=np.int64) if found is None else found

    def _reaching(self, taken: Sequence[_Gains], limit: int, beyond: float) -> Rows | None:
        """Return the rows, ascending, that may be among the `limit` best if each may still gain up to `beyond`.

        None if those that gained nothing so far may be, too.
        """
        rows, gains = (np.concatenate(each) for each in zip(*taken, strict=True)) if taken else (_NO_ROWS, _NO_GAINS)
        if len(rows) < len(self._live) // _SORTED:
            rows, where = np.unique(rows, return_inverse=True)
            sums = np.bincount(where, gains, len(rows)).astype(np.float64, copy=False)
        else:
            each = np.bincount(rows, gains, len(self._live)).astype(np.float64, copy=False)
            rows = np.flatnonzero(each > max(0.0, _at_most(each, limit) * (1.0 - _ROUNDING) - beyond))
            sums = each[rows]
        least = _greatest(sums, limit) * (1.0 - _ROUNDING)
        if least > beyond or beyond == 0.0:
            return rows[sums + beyond >= least]
        return None

    def _gains(self, one: _Asked) -> _Gains:
        """Return the live passages that hold a term, as rows among all live ones, and what each gains."""
        rows, gains, gained = [], [], one.gains
        for part, postings in zip(self._parts, one.found, strict=True):
            if part.first is not None:
                rows.append(rows_of(postings).astype(np.int64) + part.first)
            else:
                at = part.live[rows_of(postings)]
                live = at < len(self._live)
                rows.append(at[live].astype(np.int64))
                postings = postings[live]
            # Every code is in it; to be told so takes half of the time of making sure.
            gains.append(gained.take(codes_of(postings), mode="clip"))
        return np.concatenate(rows), np.concatenate(gains)

    def _asked(self, words: str) -> list[_Asked]:
        """Return all terms and fields that some passage holds, in the order of the query. The last answers are held.

        Whoever searches asks right after for the scores of passages that were found another way.
        """
        asked = self._asks.get(words)
        if asked is None:
            asked = self._looked_up(words)
            if len(self._asks) >= _ASKS:
                self._asks = {}
            self._asks[words] = asked
        return asked

    def _looked_up(self, words: str) -> list[_Asked]:
        found: dict[tuple[str, str], tuple[Packed, ...]] = {}

        def holding(field: str, term: str) -> int:
            found[field, term] = tuple(part.segment.holding(field, term) for part in self._parts)
            return self._live_among(field, term, found[field, term])

        return [
            _Asked(found[field, term], weight, self._worth[field])
            for field, term, weight in weighed(query_terms(words), len(self._live), holding)
        ]

    def _live_among(self, field: str, term: str, found: Sequence[Packed]) -> int:
        """Return how many live passages hold a term. It is held: a generation never changes."""
        holding = self._holding.get((field, term))
        if holding is None:
            holding = sum(
                int(np.count_nonzero(part.live[rows_of(postings)] < len(self._live))) if part.dead else len(postings)
                for part, postings in zip(self._parts, found, strict=True)
            )
            if len(self._holding) >= _HELD:
                self._holding = {}
            self._holding[field, term] = holding
        return holding


def query_terms(words: str) -> dict[str, int]:
    """Return the terms of a query that count, in their order, and how often each stands there."""
    return dict(islice(Counter(terms(words)).items(), MOST_TERMS))


def weighed(
    wanted: Mapping[str, int], size: int, holding: Callable[[str, str], int]
) -> Iterator[tuple[str, str, float]]:
    """Yield (field, term, weight) of those of a query's terms that some of `size` live passages hold, in their order.

    `holding` says how many of them hold a term in a field. What a passage gains by one is its weight times what the
    passage's code for it is worth; a score is the sum in float64, taken in this order.
    """
    for term, times in wanted.items():
        for field in FIELDS:
            held = holding(field, term)
            if held:
                yield field, term, times * bm25.rarity(held, size)


def worths(text: bm25.Field = bm25.TEXT, title: bm25.Field = bm25.TITLE) -> dict[str, NDArray[np.float64]]:
    """Return by field what each code of a posting is worth: float64 (CODES,)."""
    return {"text": bm25.gain(counts(), lengths(), text), "title": bm25.gain(counts(), lengths(), title)}


def _at_most(sums: NDArray[np.float64], number: int) -> float:
    """Return what is at most the `number`-th greatest of many `sums`, and mostly near it."""
    # So many blocks have one that is as great as their greatest. A block is what stands at the same place of each row:
    # rows are compared whole.
    return _greatest(sums[: len(sums) // _BLOCK * _BLOCK].reshape(_BLOCK, -1).max(axis=0), number)


def _greatest(sums: NDArray[np.float64], number: int) -> float:
    """Return the `number`-th greatest of `sums`; 0.0 if there are not so many."""
    if not 0 < number <= len(sums):
        return 0.0
    return float(np.partition(sums, len(sums) - number)[len(sums) - number])


def _part(segment: Segment, live: NDArray[np.int64]) -> _Part:
    rows, here = _where(live, segment.ids)
    at = np.full(len(segment), len(live), dtype=np.int32)
    at[here] = rows
    dead = len(segment) - len(rows)
    together = len(rows) > 0 and dead == 0 and int(rows[-1]) - int(rows[0]) == len(rows) - 1
    return _Part(segment, at, dead, int(rows[0]) if together else None)


def _where(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[Rows, NDArray[np.bool_]]:
    """Return where those of `wanted` that are in `known`, which ascends, stand there, and which of them are."""
    at = np.searchsorted(known, wanted)
    held = at < len(known)
    held[held] = known[at[held]] == wanted[held]
    return at[held], held

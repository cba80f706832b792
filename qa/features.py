"""What is known of a candidate before it is shown.

A reader's score alone says little: it likes any passage that looks right. How near the passage is to the question, how
much of the question it holds and whether a "when" is met by a date say more, and what another reader thinks of the same
passage. So does the document: one of which several passages came high is likely what the question is about, and one
that never names whom it names, or lacks the rarest of its words, is seldom that.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from index.terms import analyze
from index.types import Passage
from qa.expect import kind_fits
from qa.kinds import called
from qa.types import Candidate, Retrieved

# Words that every question has: whether a passage holds them says nothing about whether it answers.
_QUESTION_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does for from had has have he her him his how i if "
    "in into is it its many may me might much of on or our s say she should so t tell than that the their them there "
    "they this to was we were what when where which while who whom whose whos why will with would you your".split()
)
_QUESTION_STEMS = frozenset(analyze(" ".join(_QUESTION_WORDS)))
# Of the passages found, best first, so many tell which words are rare, and what a document holds. More make no odds.
_SAMPLE = 50
# So many of a document's passages, the best that were found, tell how high the document came.
_BEST_OF_DOCUMENT = 3
_NAME = re.compile(r"(?<!^)\b(?:[A-Z][^\W_]*|\d[\d.,]*)")


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a candidate before it is shown."""

    score: float
    """The score of the reader that found it."""
    passage_score: float
    """The best score that the first reader gave in the passage; `score` if it has not read it."""
    cosine: float
    """How near the passage is to the query."""
    rank: float
    """1 / rank of the passage."""
    document_score: float
    """How high the document came: the mean retrieval score of its three best passages."""
    passage_coverage: float
    """The share of the query's content words, stemmed, that stand in the passage or its title, or call what it is."""
    sentence_coverage: float
    """The same for the sentence alone."""
    name_coverage: float
    """The share of the query's names and numbers that stand in what was found of the document; 1.0 if it has none."""
    nameless: float
    """1.0 if the query has no name and no number: much may look like what it is about."""
    missing: float
    """How rare the rarest content word is that what was found of the document lacks: 0.0 if it lacks none, 1.0 if all
    that was found does."""
    kind_fits: float
    """1.0 if the span holds what is asked for (a date, a number, a name; who somebody is), 0.5 if no kind is."""


class Sought:
    """A query, what was found for it, and which of its words each document holds."""

    def __init__(self, query: str, retrieved: Sequence[Retrieved]) -> None:
        self.query = query
        self.retrieved = retrieved
        self.words = content_words(query)
        self.names = name_words(query)
        self._by_passage = {found.hit.passage.id: found for found in retrieved}
        self._best_read: dict[int, float] = {}
        scores: defaultdict[str, list[float]] = defaultdict(list)
        for found in retrieved:
            scores[found.hit.passage.document.id].append(found.hit.score)
        self._document_scores = {document: fmean(some[:_BEST_OF_DOCUMENT]) for document, some in scores.items()}
        self._held: defaultdict[str, set[str]] = defaultdict(set)
        holding: Counter[str] = Counter()
        sample = [found.hit.passage for found in retrieved[:_SAMPLE]]
        for passage in sample:
            held = (self.words | self.names) & (held_by(passage) | called(query, passage.kind))
            self._held[passage.document.id] |= held
            holding.update(held)
        rarest = math.log(2 * (len(sample) + 1))
        self._rarity = {word: math.log((len(sample) + 1) / (holding[word] + 0.5)) / rarest for word in self.words}

    def found(self, passage: Passage) -> Retrieved:
        """Return how a passage, or the one that it is a part of, was found."""
        return self._by_passage[passage.id]

    def was_read(self, candidates: Iterable[Candidate]) -> None:
        """Remember what the first reader found in the passages that it read."""
        for one in candidates:
            self._best_read[one.passage.id] = max(one.score, self._best_read.get(one.passage.id, one.score))

    def passage_score(self, candidate: Candidate) -> float:
        """Return the best score that the first reader gave in the passage of a candidate."""
        return self._best_read.get(candidate.passage.id, candidate.score)

    def document_score(self, passage: Passage) -> float:
        """Return how high the document of a passage came."""
        return self._document_scores[passage.document.id]

    def of_names(self, passage: Passage, held: set[str]) -> float:
        """Return the share of the names that the document of a passage holds, which itself has the stems `held`."""
        return _share(self.names, held | self._held[passage.document.id]) if self.names else 1.0

    def missing(self, passage: Passage, held: set[str]) -> float:
        """Return how rare the rarest content word is, in [0, 1], that the document of a passage lacks."""
        lacking = self.words - held - self._held[passage.document.id]
        return max((self._rarity[word] for word in lacking), default=0.0)


def features(sought: Sought, candidates: Sequence[Candidate]) -> list[Features]:
    """Return the features of each candidate; each is of a passage that was found."""
    query = sought.query
    held: dict[int, set[str]] = {}
    made = []
    for candidate in candidates:
        passage = candidate.passage
        found = sought.found(passage)
        if passage.id not in held:
            held[passage.id] = held_by(passage) | called(query, passage.kind)
        made.append(
            Features(
                score=candidate.score,
                passage_score=sought.passage_score(candidate),
                cosine=found.cosine,
                rank=1.0 / found.hit.rank,
                document_score=sought.document_score(passage),
                passage_coverage=_share(sought.words, held[passage.id]),
                sentence_coverage=_share(sought.words, {*analyze(candidate.quote), *called(query, passage.kind)}),
                name_coverage=sought.of_names(passage, held[passage.id]),
                nameless=0.0 if sought.names else 1.0,
                missing=sought.missing(passage, held[passage.id]),
                kind_fits=kind_fits(query, candidate.text, candidate.quote),
            )
        )
    return made


def held_by(passage: Passage) -> set[str]:
    """Return the stems of a passage and of its document's title."""
    return {*analyze(passage.text), *analyze(passage.document.title)}


def content_words(query: str) -> set[str]:
    """Return the stems of the words of `query` that say what it is about."""
    return {term for term in analyze(query) if term not in _QUESTION_STEMS}


def name_words(query: str) -> set[str]:
    """Return the stems of the capitalised words of `query`, its first word aside, and of its numbers."""
    return {stem for word in _NAME.findall(query) for stem in analyze(word)} - _QUESTION_STEMS


def _share(words: set[str], held: set[str]) -> float:
    return len(words & held) / len(words) if words else 0.0

"""Scores → which candidate is best, the probability that it is right, and the threshold below which nothing is said.

A reader's score alone says little: it likes any passage that looks right. How near the passage is to the question, how
much of the question it holds and whether a "when" is met by a date say more. One set of weights orders the candidates
of a question; another turns what is known of the best one, and its lead over the next, into a probability. Both, the
threshold and the figures they were chosen by are in `model/calibration.json`, made by `training/fit_calibration.py`
from public data.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from index.errors import ModelError
from index.lexical import analyze
from qa.expect import kind_fits
from qa.read import MODEL_FOLDER
from qa.types import Candidate, Retrieved

FORMAT = 3
_FILE = "calibration.json"
# Words that every question has: whether a passage holds them says nothing about whether it answers.
_QUESTION_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does for from had has have he her him his how i if "
    "in into is it its many may me might much of on or our s say she should so t tell than that the their them there "
    "they this to was we were what when where which while who whom whose why will with would you your".split()
)
_QUESTION_STEMS = frozenset(analyze(" ".join(_QUESTION_WORDS)))
LARGEST_LEAD = 5.0
_NAME = re.compile(r"(?<!^)\b(?:[A-Z][^\W_]*|\d[\d.,]*)")


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a candidate before it is shown."""

    score: float
    """The reader's score."""
    cosine: float
    """How near the passage is to the query."""
    rank: float
    """1 / rank of the passage."""
    passage_coverage: float
    """The share of the query's content words, stemmed, that stand in the passage or its title."""
    sentence_coverage: float
    """The same for the sentence alone."""
    name_coverage: float
    """The share of the query's names and numbers that stand in the passage or its title; 1.0 if it has none."""
    kind_fits: float
    """1.0 if the span holds what the question word asks for (a date, a number, a name), 0.5 if it asks for no kind."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with its features and its weight, which orders the candidates of one question."""

    candidate: Candidate
    features: Features
    weight: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted table for one reader.

    `weights` (in the order of Features) give a candidate's weight. `sureness` (in the same order), `lead` and `offset`
    give the log-odds that the heaviest candidate is right; from the probability `threshold` on the service answers.
    """

    reader: str
    weights: tuple[float, ...]
    sureness: tuple[float, ...]
    lead: float
    offset: float
    threshold: float

    def __post_init__(self) -> None:
        for given in (self.weights, self.sureness):
            if len(given) != len(fields(Features)):
                raise ValueError(f"{len(given)} weights for {len(fields(Features))} features")

    def weigh(self, query: str, candidates: Sequence[Candidate], retrieved: Sequence[Retrieved]) -> list[Weighed]:
        """Return the candidates, best first; ties stay in the order given."""
        found = []
        for candidate, known in zip(candidates, features(query, candidates, retrieved), strict=True):
            found.append(Weighed(candidate, known, dot(self.weights, known)))
        return heaviest_first(found)

    def probability(self, weighed: Sequence[Weighed]) -> float:
        """Return the probability in [0, 1] that the first of `weighed` is right; 0.0 if there is none."""
        if not weighed:
            return 0.0
        z = self.offset + dot(self.sureness, weighed[0].features) + self.lead * lead(weighed)
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, z))))


def heaviest_first(weighed: Sequence[Weighed]) -> list[Weighed]:
    """Return the candidates by weight; ties stay in the order given."""
    return sorted(weighed, key=lambda one: -one.weight)


def dot(weights: Sequence[float], known: Features) -> float:
    """Return the features weighted and added up."""
    return float(sum(w * x for w, x in zip(weights, astuple(known), strict=True)))


def lead(weighed: Sequence[Weighed]) -> float:
    """Return how far the first is ahead of the next one that stands in another sentence, at most LARGEST_LEAD."""
    best = weighed[0].candidate
    rivals = [
        w.weight
        for w in weighed[1:]
        if (w.candidate.passage.document.id, w.candidate.sentence) != (best.passage.document.id, best.sentence)
    ]
    return min(LARGEST_LEAD, weighed[0].weight - rivals[0]) if rivals else LARGEST_LEAD


def features(query: str, candidates: Sequence[Candidate], retrieved: Sequence[Retrieved]) -> list[Features]:
    """Return the features of each candidate for `query`; each is of a passage in `retrieved`."""
    words, names = content_words(query), name_words(query)
    by_passage = {found.hit.passage.id: found for found in retrieved}
    held: dict[int, set[str]] = {}
    made = []
    for candidate in candidates:
        passage = candidate.passage
        found = by_passage[passage.id]
        if passage.id not in held:
            held[passage.id] = {*analyze(passage.text), *analyze(passage.document.title)}
        made.append(
            Features(
                score=candidate.score,
                cosine=found.cosine,
                rank=1.0 / found.hit.rank,
                passage_coverage=_share(words, held[passage.id]),
                sentence_coverage=_share(words, set(analyze(candidate.quote))),
                name_coverage=_share(names, held[passage.id]) if names else 1.0,
                kind_fits=kind_fits(query, candidate.text),
            )
        )
    return made


def content_words(query: str) -> set[str]:
    """Return the stems of the words of `query` that say what it is about."""
    return {term for term in analyze(query) if term not in _QUESTION_STEMS}


def name_words(query: str) -> set[str]:
    """Return the stems of the capitalised words of `query`, its first word aside, and of its numbers."""
    return {stem for word in _NAME.findall(query) for stem in analyze(word)} - _QUESTION_STEMS


def _share(words: set[str], held: set[str]) -> float:
    return len(words & held) / len(words) if words else 0.0


def load(reader: str, folder: Path = MODEL_FOLDER) -> Calibration:
    """Return the calibration that ships with the reader of that fingerprint.

    :raises ModelError: if it is missing, damaged, or was fitted for another reader.
    """
    path = folder / _FILE
    try:
        raw = json.loads(path.read_text())
        if raw["format"] != FORMAT:
            raise ModelError(f"{path} has format {raw['format']}, this version reads {FORMAT}; reinstall citespan")
        if raw["features"] != [field.name for field in fields(Features)]:
            raise ModelError(f"{path} was fitted for other features; run training/fit_calibration.py")
        weights, sureness = (tuple(float(w) for w in raw[name]) for name in ("weights", "sureness"))
        numbers = {name: float(raw[name]) for name in ("lead", "offset", "threshold")}
        found = Calibration(str(raw["reader"]), weights, sureness, **numbers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"there is no usable calibration at {path} ({error}); reinstall citespan") from error
    if found.reader != reader:
        raise ModelError(
            f"{path} was fitted for {found.reader}, the reader is {reader}; run training/fit_calibration.py"
        )
    return found

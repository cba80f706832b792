"""Scores → probability that the answer is right, and the threshold below which the service stays silent.

A reader's score alone says little: it likes any passage that looks right. How near the passage is to the question and
how much of the question it holds say more. A logistic regression weighs them; its weights, the threshold and the
figures they were chosen by are in `model/calibration.json`, made by `training/fit_calibration.py` from public data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from index.errors import ModelError
from index.lexical import analyze
from qa.read import MODEL_FOLDER
from qa.types import Candidate, Retrieved

FORMAT = 1
_FILE = "calibration.json"
# Words that every question has: whether a passage holds them says nothing about whether it answers.
_QUESTION_WORDS = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have how if in into is it "
    "its many may might much of on or s say should so t tell than that the their them there they this to was "
    "were what when where which while who whom whose why will with would you your about me i we our he she his "
    "her him".split()
)


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a candidate before it is shown."""

    score: float
    """The reader's score."""
    lead: float
    """Its score less that of the best candidate elsewhere in the same passage or in another; at most 10."""
    cosine: float
    """How near the passage is to the query."""
    rank: float
    """1 / rank of the passage."""
    passage_coverage: float
    """The share of the query's content words, stemmed, that stand in the passage or its title."""
    sentence_coverage: float
    """The same for the sentence alone, not counting words of the answer."""


def features(query: str, best: Candidate, others: Sequence[Candidate], retrieved: Sequence[Retrieved]) -> Features:
    """Return the features of `best` among the candidates `others` for `query`."""
    found = next(r for r in retrieved if r.hit.passage.id == best.passage.id)
    words = content_words(query)
    title = analyze(best.passage.document.title)
    rival = max((c.score for c in others if c is not best), default=best.score - 10.0)
    return Features(
        score=best.score,
        lead=min(10.0, best.score - rival),
        cosine=found.cosine,
        rank=1.0 / found.hit.rank,
        passage_coverage=_share(words, {*analyze(best.passage.text), *title}),
        sentence_coverage=_share(words, set(analyze(best.quote))),
    )


def content_words(query: str) -> set[str]:
    """Return the stems of the words of `query` that say what it is about."""
    return {term for term in analyze(query) if term not in _QUESTION_STEMS}


def _share(words: set[str], held: set[str]) -> float:
    return len(words & held) / len(words) if words else 0.0


_QUESTION_STEMS = frozenset(analyze(" ".join(_QUESTION_WORDS)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted table for one reader: weights in the order of Features, bias, and the probability to answer from."""

    reader: str
    weights: tuple[float, ...]
    bias: float
    threshold: float

    def __post_init__(self) -> None:
        if len(self.weights) != len(fields(Features)):
            raise ValueError(f"{len(self.weights)} weights for {len(fields(Features))} features")

    def probability(self, given: Features) -> float:
        """Return the probability in (0, 1) that a candidate with these features is a right answer."""
        z = self.bias + sum(w * x for w, x in zip(self.weights, astuple(given), strict=True))
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, z))))


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
        found = Calibration(raw["reader"], tuple(raw["weights"]), raw["bias"], raw["threshold"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"there is no usable calibration at {path} ({error}); reinstall citespan") from error
    if found.reader != reader:
        raise ModelError(
            f"{path} was fitted for {found.reader}, the reader is {reader}; run training/fit_calibration.py"
        )
    return found

"""Query → hits."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from index.crew import Crew
from index.store import PassageStore
from index.types import Filter, Hit
from qa.features import content_words
from qa.fuse import fuse
from qa.kinds import wanted_kinds
from qa.types import Retrieved

# How many passages each search gives. More hardly ever reach the first ten.
DEPTH = 50
# Searches by words run here beside those by vector. Neither lets the other one go first.
_CREW = Crew("words", lambda: None)
_WORD = re.compile(r"\w+")


def retrieve(store: PassageStore, query: str, where: Filter, *, depth: int = DEPTH) -> list[Retrieved]:
    """Return passages for `query`, best first, at most 2 x `depth`.

    Embeddings and BM25, fused: each finds what the other misses. Words that every question has are not searched by.
    Captions and credit lines are there only for a question about the picture or about who wrote it.
    """
    words, wanted = telling(query), wanted_kinds(query)

    def by_vector() -> tuple[NDArray[np.float32], list[Hit]]:
        vector = store.embed(query)
        return vector, store.by_vector(vector, depth, where)

    (vector, near), matching = _CREW.both(by_vector, lambda: store.by_words(words, depth, where))
    found = list({hit.passage.id: hit.passage for hit in [*near, *matching] if hit.passage.kind in wanted}.values())
    # What only one of them found is scored by both, so that no passage loses by where the other one stopped.
    cosines = store.cosines(vector, found)
    fused = fuse(found, cosines, store.shares(words, found))
    cosine_of = {passage.id: cosine for passage, cosine in zip(found, cosines, strict=True)}
    return [Retrieved(hit, cosine_of[hit.passage.id]) for hit in fused]


def telling(query: str) -> str:
    """Return the words of `query` that say what it is about, in order and as often as they stand; all if none does."""
    words = _WORD.findall(query)
    return " ".join([word for word in words if content_words(word)] or words)

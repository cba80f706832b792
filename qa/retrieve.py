"""Query → hits."""

from __future__ import annotations

import re

import numpy as np

from index.store import PassageStore
from index.types import Filter, Hit, Kind
from qa.fuse import fuse
from qa.types import Retrieved

# How many passages each index gives. docs/evaluation.md: more changed nothing in the first ten.
DEPTH = 50
_ABOUT_THE_PICTURE = re.compile(
    r"\b(?:photo|photos|photograph|photographs|photographed|photographer|picture|pictures|pictured|image|images|caption)\b",
    re.IGNORECASE,
)
_ABOUT_THE_CREDIT = re.compile(
    r"\b(?:author|byline|copyright|credit|credits|credited|translat\w+|reporter|journalist|news\s+(?:agency|organi[sz]ation)"
    r"|publish\w*|re-?print\w*|reproduc\w*|who\s+(?:wrote|reported|took|edited|compiled))\b",
    re.IGNORECASE,
)


def retrieve(store: PassageStore, query: str, where: Filter, *, depth: int = DEPTH) -> list[Retrieved]:
    """Return passages for `query`, best first, at most 2 x `depth`.

    Embeddings and BM25, fused: each finds what the other misses. Captions and credit lines are there only for a
    question about the picture or about who wrote it.
    """
    near = store.by_vector(store.embed(query), depth, where)
    wanted = wanted_kinds(query)
    fused = fuse([_only(near, wanted), _only(store.by_words(query, depth, where), wanted)])
    cosines = {hit.passage.id: hit.score for hit in near}
    # A passage that only its words found is at most as near as the last of the nearest.
    floor = float(np.float32(near[-1].score)) if near else 0.0
    return [Retrieved(hit, cosines.get(hit.passage.id, floor)) for hit in fused]


def wanted_kinds(query: str) -> frozenset[Kind]:
    """Return which kinds of passage may answer `query`."""
    kinds = {Kind.BODY, Kind.HEADING}
    if _ABOUT_THE_PICTURE.search(query):
        kinds |= {Kind.CAPTION, Kind.CREDIT}
    if _ABOUT_THE_CREDIT.search(query):
        kinds.add(Kind.CREDIT)
    return frozenset(kinds)


def _only(hits: list[Hit], kinds: frozenset[Kind]) -> list[Hit]:
    kept = [hit for hit in hits if hit.passage.kind in kinds]
    return [Hit(hit.passage, hit.score, rank) for rank, hit in enumerate(kept, start=1)]

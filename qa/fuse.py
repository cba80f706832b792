"""How near passages are, and how well their words match → one ranking."""

from __future__ import annotations

from collections.abc import Sequence

from index.types import Hit, Passage

# What the best match by words is worth, in cosines (`python -m benchmarks.retrieval --tune`).
WORDS = 0.5


def fuse(
    passages: Sequence[Passage], cosines: Sequence[float], shares: Sequence[float], *, words: float = WORDS
) -> list[Hit]:
    """Return the passages, best first: score = cosine + `words` x BM25 / the best BM25 of them.

    `cosines` and `shares` (BM25, 0.0 for no shared word) are those of `passages`, none of which is there twice. Ties go
    to the passage whose text, document and place sort first, so that equal inputs give equal outputs.

    Source: Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023 (convex combination).
    """
    top = max(shares, default=0.0)
    scored = [
        (passage, cosine + (words * share / top if top > 0.0 else 0.0))
        for passage, cosine, share in zip(passages, cosines, shares, strict=True)
    ]
    scored.sort(key=lambda pair: (-pair[1], pair[0].text, pair[0].document.id, pair[0].span))
    return [Hit(passage, score, rank) for rank, (passage, score) in enumerate(scored, start=1)]

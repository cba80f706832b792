"""Several rankings → one."""

from __future__ import annotations

from collections.abc import Sequence

from index.types import Hit

# Cormack, Clarke & Buettcher, SIGIR 2009; 60 is their value, and held on XQuAD and Cranfield (docs/evaluation.md).
RRF_K = 60


def fuse(rankings: Sequence[Sequence[Hit]], *, k: int = RRF_K) -> list[Hit]:
    """Return each passage once, by reciprocal rank fusion: score = sum over rankings of 1 / (k + rank).

    Ties go to the passage whose text, document and place sort first, so that equal inputs give equal outputs.

    Source: Cormack, Clarke & Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.
    """
    scores: dict[int, float] = {}
    passages = {}
    for ranking in rankings:
        for hit in ranking:
            passages[hit.passage.id] = hit.passage
            scores[hit.passage.id] = scores.get(hit.passage.id, 0.0) + 1.0 / (k + hit.rank)
    order = sorted(passages.values(), key=lambda p: (-scores[p.id], p.text, p.document.id, p.span))
    return [Hit(passage, scores[passage.id], rank) for rank, passage in enumerate(order, start=1)]

"""Documents, passages and a store from literals, for the tests of `qa`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import astuple, replace

import numpy as np
from numpy.typing import NDArray

from index.errors import UnknownDocument, UnknownRevision
from index.sentences import split
from index.types import Document, Filter, Generation, Hit, Passage, Revision, Span
from qa.features import Features
from qa.risk import Kept
from qa.types import Candidate

UNSEEN = Features(**dict.fromkeys(Features.__dataclass_fields__, 0.0))
"""What is known of a candidate of which nothing is known."""


def by_feature(**weights: float) -> tuple[float, ...]:
    """Weights for some features, by their names; the others weigh nothing."""
    return astuple(replace(UNSEEN, **weights))


def by_score(weight: float) -> tuple[float, ...]:
    """Weights for the reader's score alone."""
    return by_feature(score=weight)


def kept(threshold: float) -> Kept:
    """A threshold of which nothing else is known."""
    return Kept(target=None, threshold=threshold, coverage=1.0, wrong=0.0, bound=1.0)


def document(text: str, *, uri: str = "a.txt", title: str = "A", published_at: str | None = None) -> Document:
    """Return a document of that text."""
    return Document(
        id=f"doc_{hashlib.sha256(uri.encode()).hexdigest()[:8]}", uri=uri, revision=Revision.of(text).id, title=title,
        author=None, publisher=None, published_at=published_at, language=None, tags=(), characters=len(text),
        passages=1, added=1,
    )  # fmt: skip


def passage(text: str, *, number: int = 1, uri: str = "a.txt", title: str = "A", within: str | None = None) -> Passage:
    """Return `text` as a passage, of the longer text `within` if that is given."""
    whole = text if within is None else within
    start = whole.index(text)
    span = Span(start, start + len(text))
    sentences = tuple(s for s in split(whole) if span.covers(s.span))
    return Passage(number, document(whole, uri=uri, title=title), span, sentences, text)


PIECE = passage("China announced the export ban on January 6. It was sudden.", title="Rare earths")


def in_piece(short: str, score: float) -> Candidate:
    """Return the first place of `short` in PIECE as a candidate."""
    start = PIECE.text.index(short)
    span = Span(start, start + len(short))
    return Candidate(PIECE, next(s for s in PIECE.sentences if s.span.covers(span)), span, score)


class ListStore:
    """PassageStore over passages in a list: those that share words with the query come first, and all are as near.

    `purged` are the ids of revisions that were here.
    """

    def __init__(
        self, passages: Sequence[Passage], texts: Sequence[str] | None = None, purged: Collection[str] = ()
    ) -> None:
        self._passages = list(passages)
        self._purged = purged
        held = [p.text for p in passages] if texts is None else texts
        self._texts = {Revision.of(text).id: text for text in held}

    @property
    def generation(self) -> Generation:
        return Generation(7, "2026-01-10T00:00:00Z", len(self._texts), len(self._passages), {})

    def embed(self, query: str) -> NDArray[np.float32]:
        return np.array([1.0, 0.0], dtype=np.float32)

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        return [Hit(p, 0.5, rank) for rank, p in enumerate(self._passages[:limit], start=1)]

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        scored = zip(self._passages, self.shares(query, self._passages), strict=True)
        order = sorted([pair for pair in scored if pair[1]], key=lambda pair: -pair[1])
        return [Hit(p, score, rank) for rank, (p, score) in enumerate(order[:limit], start=1)]

    def cosines(self, query: NDArray[np.float32], passages: Sequence[Passage]) -> list[float]:
        return [0.5 for _ in passages]

    def shares(self, query: str, passages: Sequence[Passage]) -> list[float]:
        words = set(re.findall(r"\w+", query.lower()))
        return [float(len(words & set(re.findall(r"\w+", p.text.lower())))) for p in passages]

    def document(self, document_id: str) -> Document:
        found = [p.document for p in self._passages if p.document.id == document_id]
        if not found:
            raise UnknownDocument(document_id)
        return found[0]

    def documents(self, *, after: str = "", limit: int = 100) -> list[Document]:
        found = sorted({p.document.id: p.document for p in self._passages}.items())
        return [d for name, d in found if name > after][:limit]

    def revision(self, document_id: str, revision_id: str) -> Revision:
        if revision_id not in self._texts:
            raise UnknownRevision(revision_id)
        return Revision(revision_id, self._texts[revision_id])

    def was_purged(self, document_id: str, revision_id: str) -> bool:
        return revision_id in self._purged

"""Candidates → a reply made of whole sentences, each with its citation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.store import TextStore
from index.types import Document, Span
from qa.calibrate import Weighed
from qa.types import Answer, Candidate, Citation, NoAnswer, Retrieved, Understood


@dataclass(frozen=True, slots=True)
class ComposePolicy:
    """What is quoted beside the best sentence, and what is shown when nothing answers.

    A further sentence is quoted if its weight is at most `near` below the best one's, or at most `same` below where it
    gives the same short answer.
    """

    near: float = 1.0
    same: float = 2.5
    nearest: int = 3
    longest_short_answer: int = 120


class Citer:
    """Makes citations from one generation, reading each revision once."""

    def __init__(self, store: TextStore) -> None:
        self._store = store
        self._texts: dict[tuple[str, str], str] = {}

    def cite(self, number: int, document: Document, span: Span, highlight: Span | None = None) -> Citation:
        """Return the citation of `span` of the document's revision; the quote is sliced from the stored text."""
        text = self._text(document)
        quote = span.of(text)
        before = len(text[: span.start].encode())
        return Citation(
            number=number,
            document=document,
            quote=quote,
            span=span,
            bytes=Span(before, before + len(quote.encode())),
            sha256=f"sha256:{hashlib.sha256(quote.encode()).hexdigest()}",
            highlight=highlight,
            in_answer=None,
        )

    def _text(self, document: Document) -> str:
        key = (document.id, document.revision)
        if key not in self._texts:
            self._texts[key] = self._store.revision(document.id, document.revision).text
        return self._texts[key]


def answer(
    understood: Understood,
    confidence: float,
    weighed: Sequence[Weighed],
    most: int,
    store: TextStore,
    policy: ComposePolicy,
) -> Answer:
    """Return the answer that quotes the first of `weighed` (best first, at least one) and what stands beside it."""
    citer = Citer(store)
    citations: list[Citation] = []
    parts: list[str] = []
    length = 0
    for number, candidate in enumerate(chosen(weighed, most, policy), start=1):
        citation = citer.cite(number, candidate.passage.document, candidate.sentence.span, candidate.span)
        part = f"“{citation.quote}” [{number}]"
        at = Span(length + 1, length + 1 + len(citation.quote))
        citations.append(replace(citation, in_answer=at))
        parts.append(part)
        length += len(part) + 1
    short = weighed[0].candidate.text
    return Answer(
        understood=understood,
        text=" ".join(parts),
        short_answer=short if len(short) <= policy.longest_short_answer else None,
        confidence=confidence,
        citations=tuple(citations),
    )


def no_answer(
    understood: Understood, confidence: float, retrieved: Sequence[Retrieved], store: TextStore, policy: ComposePolicy
) -> NoAnswer:
    """Return the reply that the sources do not say, with the passages that came nearest."""
    citer = Citer(store)
    nearest = tuple(
        citer.cite(number, found.hit.passage.document, found.hit.passage.span)
        for number, found in enumerate(retrieved[: policy.nearest], start=1)
    )
    return NoAnswer(understood, confidence, nearest)


def chosen(weighed: Sequence[Weighed], most: int, policy: ComposePolicy) -> list[Candidate]:
    """Return the candidates to quote, best first, at most `most`: no sentence twice, none that reads the same."""
    best = weighed[0]
    kept: list[Candidate] = []
    for one in weighed:
        if len(kept) == most:
            break
        candidate = one.candidate
        allowance = policy.same if _plain(candidate.text) == _plain(best.candidate.text) else policy.near
        if one.weight >= best.weight - allowance and all(_differs(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def _differs(one: Candidate, other: Candidate) -> bool:
    same_place = (
        one.passage.document.id == other.passage.document.id and one.sentence.span.overlap(other.sentence.span) > 0
    )
    return not same_place and _plain(one.quote) != _plain(other.quote)


def _plain(text: str) -> str:
    """Return `text` as it counts for being the same: case, punctuation and spacing aside."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())

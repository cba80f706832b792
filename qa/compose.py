"""Candidates → a reply made of whole sentences, each with its citation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from index.store import TextStore
from index.types import Document, Span
from qa.agree import AgreePolicy, Evidence, gather, rivals
from qa.asks import Form, form, parts
from qa.calibrate import Weighed
from qa.choose import ChoicePolicy, choose
from qa.expect import kind_fits
from qa.quote import Quote, QuotePolicy, quote
from qa.shorten import short_answer
from qa.types import Answer, Candidate, Citation, Context, NoAnswer, Retrieved, Side, Understood
from qa.values.dates import resolve

_YES_OR_NO = re.compile(r"[\"'“‘(]*(?P<word>Yes|No)\b(?=\s*[,.:;!—–])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ComposePolicy:
    """What is quoted beside the best sentence, how much of it, and what is shown when nothing answers."""

    choice: ChoicePolicy = field(default_factory=ChoicePolicy)
    quote: QuotePolicy = field(default_factory=QuotePolicy)
    agree: AgreePolicy = field(default_factory=AgreePolicy)
    nearest: int = 3
    longest_short_answer: int = 120


class Citer:
    """Makes citations from one generation, reading each revision once."""

    def __init__(self, store: TextStore) -> None:
        self._store = store
        self._texts: dict[tuple[str, str], str] = {}

    def cite(
        self, number: int, document: Document, span: Span, highlight: Span | None = None, context: Span | None = None
    ) -> Citation:
        """Return the citation of `span` of the document's revision; what is quoted is sliced from the stored text."""
        text = self.text(document)
        quoted = span.of(text)
        before = len(text[: span.start].encode())
        return Citation(
            number=number,
            document=document,
            quote=quoted,
            span=span,
            bytes=Span(before, before + len(quoted.encode())),
            sha256=f"sha256:{hashlib.sha256(quoted.encode()).hexdigest()}",
            highlight=highlight,
            in_answer=None,
            context=None if context is None else Context(context.of(text), context),
            dates=tuple(
                replace(found, span=Span(span.start + found.span.start, span.start + found.span.end))
                for found in resolve(quoted, document.published_at)
            ),
        )

    def text(self, document: Document) -> str:
        """Return the text that the document has in this generation."""
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
    query = understood.standalone
    evidence = gather(query, weighed, policy.agree)
    against = rivals(query, evidence, policy.agree)
    citer = Citer(store)
    citations: list[Citation] = []
    length = 0
    chosen = [one.candidate for one in choose(query, weighed, evidence, against, policy.choice)]
    for candidate, quoted in _quoted(chosen, most, citer, policy.quote):
        document = candidate.passage.document
        short = short_answer(citer.text(document), candidate.sentence.span, candidate.span)
        citation = citer.cite(len(citations) + 1, document, quoted.span, short, quoted.context)
        at = Span(length + 1, length + 1 + len(citation.quote))
        citations.append(replace(citation, in_answer=at))
        length += len(_part(citation)) + 1
    return Answer(
        understood=understood,
        text=" ".join(_part(citation) for citation in citations),
        short_answer=_short(query, weighed[0].candidate, citations, policy),
        confidence=confidence,
        citations=tuple(citations),
        sides=tuple(_sides([*evidence[:1], *against], citations, citer)),
        sources_differ=bool(against),
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


def _part(citation: Citation) -> str:
    return f"“{citation.quote}” [{citation.number}]"


def _quoted(chosen: Sequence[Candidate], most: int, citer: Citer, policy: QuotePolicy) -> list[tuple[Candidate, Quote]]:
    """Return the first candidates, at most `most`, with what is quoted for each; no two quotes overlap.

    A quote is not drawn out over a sentence that is quoted already: the reader has that before them. A sentence that an
    earlier quote was drawn out over is not quoted again.
    """
    kept: list[tuple[Candidate, Quote]] = []
    for candidate in chosen:
        if len(kept) == most:
            break
        document = candidate.passage.document
        taken = [quoted.span for other, quoted in kept if other.passage.document.id == document.id]
        if any(span.overlap(candidate.sentence.span) for span in taken):
            continue
        quoted = quote(citer.text(document), candidate.sentence, document.language, policy)
        if any(span.overlap(quoted.span) for span in taken):
            quoted = Quote(candidate.sentence.span, None)
        elif quoted.context is not None and any(span.overlap(quoted.context) for span in taken):
            quoted = Quote(quoted.span, None)
        kept.append((candidate, quoted))
    return kept


def _short(query: str, best: Candidate, citations: Sequence[Citation], policy: ComposePolicy) -> str | None:
    """Return the short answer, a slice of the first quote, where the question asks for one and the quote has it."""
    first = citations[0]
    asked = form(query)
    if asked is Form.DECISION:
        said = _YES_OR_NO.match(first.quote)
        return said["word"] if said else None
    several = len(parts(query)) > 1 or (asked is Form.LIST and len(citations) > 1)
    if asked is Form.SENTENCES or several or first.highlight is None:
        return None
    # What a number would fit (when, how many) and these words do not is no answer; to "who" and "where" they may be.
    if kind_fits(query, "1") == 1.0 and kind_fits(query, best.text) == 0.0:
        return None
    short = first.quote[first.highlight.start - first.span.start : first.highlight.end - first.span.start]
    return short if len(short) <= policy.longest_short_answer else None


def _sides(evidence: Sequence[Evidence], citations: Sequence[Citation], citer: Citer) -> list[Side]:
    """Return the sides that are quoted, each with its citations. One that found no room is left out."""
    sides = []
    for one in evidence:
        places = [(w.candidate.passage.document.id, w.candidate.span) for w in one.witnesses]
        numbers = tuple(
            citation.number
            for citation in citations
            if any(citation.document.id == document and citation.span.covers(span) for document, span in places)
        )
        best = one.witnesses[0].candidate
        text = citer.text(best.passage.document)
        short = short_answer(text, best.sentence.span, best.span)
        if numbers:
            value = one.value if short is None else short.of(text)
            sides.append(Side(value, numbers, one.documents, one.independent, one.published_from, one.published_to))
    return sides

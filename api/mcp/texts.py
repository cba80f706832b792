"""What the tools say in words, for clients that show or read no more than that."""

from __future__ import annotations

from collections.abc import Iterator

from api.console import printable
from api.mcp.places import place_in
from api.schemas import AskResponse, CitationModel, SideModel, VerifyResponse
from index.types import Span


def reply_text(reply: AskResponse, *, exact: bool) -> str:
    """Return a reply with its sources: the answer with its [n], or that the sources do not say, and what came nearest.

    `exact` says whether the ids in it name revisions in full.
    """
    return "\n".join(_answer(reply, exact) if reply.answerable else _no_answer(reply, exact))


def verdict_text(verdict: VerifyResponse) -> str:
    """Return what became of a citation."""
    present = "" if verdict.current else " (not the document's present revision)"
    return f"{verdict.status}: {printable(verdict.detail)}{present}"


def _answer(reply: AskResponse, exact: bool) -> Iterator[str]:
    yield str(reply.answer)
    yield ""
    if reply.short_answer is not None:
        yield f"Short answer: {printable(reply.short_answer)}"
    yield f"Probability that this is right: {reply.confidence:.2f}"
    if reply.sources_differ:
        yield f"The sources differ: {'; '.join(_side(side) for side in reply.sides)}"
    yield ""
    yield "Sources:"
    for citation in reply.citations:
        yield _source(citation, exact)
        if citation.context is not None:
            yield f"    beside it, not part of the quote: “{printable(citation.context.quote)}”"
        for phrase in citation.dates:
            days = str(phrase.from_) if phrase.from_ == phrase.to else f"{phrase.from_} to {phrase.to}"
            yield f"    “{printable(phrase.text)}” is {days}"


def _no_answer(reply: AskResponse, exact: bool) -> Iterator[str]:
    yield "The sources do not say."
    if reply.nearest:
        yield ""
        yield "Nearest passages, which are not an answer:"
    for citation in reply.nearest:
        yield _source(citation, exact)
        # Indented throughout: no line of a passage may look like one of ours.
        yield from (f"    {printable(line)}" for line in citation.quote.split("\n") if line)


def _source(citation: CitationModel, exact: bool) -> str:
    """Return a citation's source in one line. Titles are other people's: none may look like a line of ours."""
    place = place_in(citation.document_id, citation.revision, Span(citation.start, citation.end), exact=exact)
    named = ", ".join(printable(part) for part in (*citation.source(), citation.uri) if part)
    return f"[{citation.number}] {named} (id {place.id})"


def _side(side: SideModel) -> str:
    numbers = "".join(f"[{number}]" for number in side.citations)
    documents = "1 document" if side.documents == 1 else f"{side.documents} documents"
    return f"{printable(side.value)} {numbers} ({documents})"

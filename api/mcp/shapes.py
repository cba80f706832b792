"""The shapes of `search` and `fetch`: what research by chat services asks of a source, and what is ours beside it.

`ask` and `verify_citation` take and give what `/v1/ask` and `/v1/verify` do (`api/schemas.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from api.mcp.places import LONGEST, Place, link_to, place_in
from api.schemas import RequestModel, ResponseModel
from index.types import Document, Span
from qa.types import Retrieved


class FoundPassage(ResponseModel):
    """A passage, word for word, and where it stands."""

    id: str = Field(description="what `fetch` takes")
    title: str
    url: str = Field(description="the document's own address if it has one, else that of its resource here")
    text: str = Field(description="the passage, word for word")
    document_id: str
    revision: str = Field(description="sha256 of the document's text, which start and end count in")
    start: int
    end: int
    page: int | None = Field(description="null for formats without pages")
    publisher: str | None
    published_at: str | None
    score: float = Field(description="higher is better")

    @classmethod
    def of(cls, found: Retrieved, *, exact: bool) -> FoundPassage:
        passage = found.hit.passage
        document, span = passage.document, passage.span
        return cls(
            id=place_in(document.id, document.revision, span, exact=exact).id, title=document.title,
            url=link_to(document), text=passage.text, document_id=document.id, revision=document.revision,
            start=span.start, end=span.end, page=document.page(span.start), publisher=document.publisher,
            published_at=document.published_at, score=found.hit.score,
        )  # fmt: skip


class FoundPassages(ResponseModel):
    """The passages for a query, best first."""

    results: list[FoundPassage]
    has_more: bool
    query: str
    generation: int


class FetchRequest(RequestModel):
    """What to fetch."""

    id: str = Field(
        min_length=1, max_length=LONGEST, description="of a search result, a document_id, or `next` of what was fetched"
    )


class Fetched(ResponseModel):
    """A stretch of a document's canonical text. Characters and bytes count in the whole of it, ends exclusive."""

    id: str
    title: str
    text: str
    url: str
    metadata: Mapping[str, str] = Field(description="what the source says of itself")
    document_id: str
    revision: str = Field(description="sha256 of the whole text")
    current: bool = Field(description="whether the revision is the document's present one")
    start: int
    end: int
    byte_start: int
    byte_end: int
    text_sha256: str = Field(description="of `text`")
    characters: int = Field(description="of the whole text")
    page: int | None = Field(description="on which `text` begins; null for formats without pages")
    previous: str | None = Field(description="the id of what stands before, null at the beginning")
    next: str | None = Field(description="the id of what follows, null at the end")
    generation: int


def metadata_of(document: Document) -> dict[str, str]:
    """Return what a source says of itself, by name, without what it does not say."""
    said = {
        "publisher": document.publisher, "author": document.author, "published_at": document.published_at,
        "language": document.language, "tags": ", ".join(document.tags), "uri": document.uri,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value}


def beside(place: Place, span: Span, length: int, most: int) -> tuple[str | None, str | None]:
    """Return the ids of what stands before and after `span` of a text of that length, at most `most` before it."""
    before = Place(place.document, Span(max(0, span.start - most), span.start), place.digest).id
    after = Place(place.document, Span(span.end, length), place.digest).id
    return (before if span.start > 0 else None), (after if span.end < length else None)

"""The text of a document, or of a stretch of one, with its hashes."""

from __future__ import annotations

import hashlib

from api.mcp.places import NotAnId, Place, address_of, link_to
from api.mcp.shapes import Fetched, beside, metadata_of
from index.errors import UnknownDocument, UnknownRevision
from index.store import TextStore
from index.types import Document, Revision, Span

MOST = 20_000
"""The most characters that are given at once."""


def fetched(store: TextStore, place: Place) -> Fetched:
    """Return the text at a place: of a document all, as far as it goes at once.

    :raises UnknownDocument: if there is no such document now, and the place does not name a revision in full.
    :raises UnknownRevision: if the document never had that revision, or it is not here any more.
    :raises NotAnId: if the stretch lies behind the end.
    """
    document, revision = found(store, place)
    text = revision.text
    span = _stretch(text, place)
    current = document is not None and document.revision == revision.id
    named = Place(place.document, digest=revision.id.removeprefix("sha256:") if place.digest is None else place.digest)
    previous, following = beside(named, span, len(text), MOST)
    byte_start = len(text[: span.start].encode())
    data = span.of(text).encode()
    return Fetched(
        id=place.id, title=place.document if document is None else document.title, text=span.of(text),
        url=link_to(document) if document is not None and current else address_of(place.document, revision.id),
        metadata={} if document is None else metadata_of(document), document_id=place.document, revision=revision.id,
        current=current, start=span.start, end=span.end, byte_start=byte_start, byte_end=byte_start + len(data),
        text_sha256=f"sha256:{hashlib.sha256(data).hexdigest()}", characters=len(text),
        page=document.page(span.start) if document is not None and current else None,
        previous=previous, next=following, generation=store.generation.number,
    )  # fmt: skip


def found(store: TextStore, place: Place) -> tuple[Document | None, Revision]:
    """Return the revision that a place names, and its document, None if it is not in the library now.

    :raises UnknownDocument: if there is no such document now, and the place does not name a revision in full.
    :raises UnknownRevision: if the document never had that revision, or it is not here any more.
    """
    document: Document | None
    try:
        document = store.document(place.document)
    except UnknownDocument:
        if place.revision is None:
            raise
        document = None
    wanted = place.revision
    if wanted is None:
        assert document is not None
        wanted = document.revision
        if place.digest is not None and not wanted.startswith(f"sha256:{place.digest}"):
            raise UnknownRevision(f"document {place.document!r} has another text by now; search again")
    return document, store.revision(place.document, wanted)


def _stretch(text: str, place: Place) -> Span:
    """Return what is given at once of the stretch wanted: all of it if it is short, else up to the end of a line."""
    wanted = Span(0, len(text)) if place.span is None else place.span
    if wanted.start > len(text):
        raise NotAnId(f"document {place.document!r} has {len(text)} characters; there is none at {wanted.start}")
    end = min(wanted.end, len(text))
    if end - wanted.start > MOST:
        most = wanted.start + MOST
        line = text.rfind("\n", wanted.start + MOST // 2, most)
        end = most if line < 0 else line + 1
    return Span(wanted.start, end)

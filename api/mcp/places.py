"""What the tools and resources call a document or a stretch of one: ids and addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcp.shared.uri_template import UriTemplate

from index.errors import CitespanError
from index.types import Document, Span

TEMPLATE = "citespan://documents/{id}{?revision}"
LONGEST = 300
"""The most characters of an id or an address."""

# Enough of a hash to notice that a document has another text by now.
_PREFIX = 16
_WHOLE = 64
_TEMPLATE = UriTemplate.parse(TEMPLATE)
_NAME = r"[^\s:@?#/]{1,200}"
_ID = re.compile(rf"({_NAME})(?::([0-9]{{1,9}})-([0-9]{{1,9}}))?(?:@([0-9a-f]{{{_PREFIX},{_WHOLE}}}))?")


class Refused(CitespanError):
    """What a client sent cannot be."""

    code = "refused"


class NotAnId(Refused):
    """What was given names no document and no stretch of one."""

    code = "invalid-id"


@dataclass(frozen=True, slots=True)
class Place:
    """A document, or the characters `span` of it, in the revision whose hash begins with `digest`.

    `digest` is hexadecimal, without `sha256:`; None stands for the present revision.
    """

    document: str
    span: Span | None = None
    digest: str | None = None

    @property
    def revision(self) -> str | None:
        """The id of the revision where the place names it in full, else None."""
        return f"sha256:{self.digest}" if self.digest is not None and len(self.digest) == _WHOLE else None

    @property
    def id(self) -> str:
        """What `place_of` reads as this place."""
        span = "" if self.span is None else f":{self.span.start}-{self.span.end}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.document}{span}{digest}"


def place_in(document_id: str, revision: str, span: Span, *, exact: bool) -> Place:
    """Return the place of a stretch. If not `exact`, the revision is taken to be the present one and named in short."""
    digest = revision.removeprefix("sha256:")
    return Place(document_id, span, digest if exact else digest[:_PREFIX])


def place_of(text: str) -> Place:
    """Return the place that an id stands for; the address of a document is an id as well.

    :raises NotAnId: if it is neither.
    """
    found = _ID.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        place = document_at(text)
        if place is None:
            raise NotAnId("no id: give one as `search` returns it, or the id of a document")
        return place
    start, end = found[2], found[3]
    if start is not None and int(start) > int(end):
        raise NotAnId(f"no id: the stretch {start}-{end} ends before it begins")
    return Place(found[1], None if start is None else Span(int(start), int(end)), found[4])


def address_of(document_id: str, revision: str | None = None) -> str:
    """Return the address of a document's resource, of its present revision for None."""
    query = "" if revision is None else f"?revision={revision}"
    return f"citespan://documents/{document_id}{query}"


def document_at(address: str) -> Place | None:
    """Return the document that an address of ours names, None if it is none.

    A revision is named in full or not at all.
    """
    found = _TEMPLATE.match(address, max_uri_length=LONGEST)
    if found is None:
        return None
    name, revision = found["id"], found.get("revision")
    if not isinstance(name, str) or re.fullmatch(_NAME, name) is None:
        return None
    if revision is None:
        return Place(name)
    whole = re.fullmatch(rf"sha256:([0-9a-f]{{{_WHOLE}}})", revision) if isinstance(revision, str) else None
    return None if whole is None else Place(name, digest=whole[1])


def link_to(document: Document) -> str:
    """Return where a reader finds a document: its own http(s) address if it has one, else that of its resource."""
    if document.uri.startswith(("http://", "https://")):
        return document.uri
    return address_of(document.id, document.revision)

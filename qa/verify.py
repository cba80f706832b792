"""Does a citation still hold? Anyone may ask, of any citation, whoever made it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from index.errors import UnknownDocument, UnknownRevision

if TYPE_CHECKING:
    # The shapes of the HTTP contract import this module, and the Python client imports them: no index is loaded for it.
    from index.store import TextStore


class Status(StrEnum):
    """What became of a citation."""

    VERIFIED = "verified"
    DRIFTED = "drifted"
    PURGED = "purged"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a citation says. Bytes and hash are checked where they are given."""

    document_id: str
    revision: str
    quote: str
    start: int
    end: int
    byte_start: int | None = None
    byte_end: int | None = None
    quote_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status, why, and whether the revision is the document's present one."""

    status: Status
    detail: str
    current: bool


def verify(claim: Claim, store: TextStore) -> Verdict:
    """Return whether the quote stands where the citation says, in the revision that it names.

    VERIFIED: word for word, at its characters and bytes, with its hash. DRIFTED: the revision is there and says
    something else. PURGED: it was here and was purged. UNKNOWN: this library has no such document or revision.
    """
    try:
        text = store.revision(claim.document_id, claim.revision).text
    except UnknownRevision as error:
        if store.was_purged(claim.document_id, claim.revision):
            return Verdict(Status.PURGED, "that revision was purged from this library", current=False)
        return Verdict(Status.UNKNOWN, str(error), current=False)
    try:
        current = store.document(claim.document_id).revision == claim.revision
    except UnknownDocument:
        current = False
    wrong = _mismatch(claim, text)
    if wrong is not None:
        return Verdict(Status.DRIFTED, wrong, current)
    return Verdict(Status.VERIFIED, "the quote stands there word for word", current)


def _mismatch(claim: Claim, text: str) -> str | None:
    """Return the first thing that is not as the claim says, None if all is."""
    data = text.encode()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != claim.revision:
        return "the stored text does not have the hash that names its revision; run `citespan verify`"
    if not 0 <= claim.start <= claim.end <= len(text) or text[claim.start : claim.end] != claim.quote:
        return f"characters {claim.start} to {claim.end} of that revision are not the quote"
    if claim.byte_start is not None and len(text[: claim.start].encode()) != claim.byte_start:
        return f"the quote does not start at byte {claim.byte_start}"
    if claim.byte_end is not None and len(text[: claim.end].encode()) != claim.byte_end:
        return f"the quote does not end at byte {claim.byte_end}"
    digest = hashlib.sha256(claim.quote.encode(errors="surrogatepass")).hexdigest()
    if claim.quote_sha256 is not None and claim.quote_sha256.removeprefix("sha256:") != digest:
        return "the quote does not have the hash that the citation names"
    return None

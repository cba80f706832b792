import hashlib
from dataclasses import replace

import pytest

from index.types import Revision
from qa.verify import Claim, Status, verify
from tests.world import ListStore, passage

TEXT = "Größe 😀 counts. The ban came on January 6."
QUOTE = "The ban came on January 6."
PIECE = passage(TEXT)
STORE = ListStore([PIECE])
START = TEXT.index(QUOTE)
BYTE_START = len(TEXT[:START].encode())
CLAIM = Claim(
    document_id=PIECE.document.id,
    revision=PIECE.document.revision,
    quote=QUOTE,
    start=START,
    end=len(TEXT),
    byte_start=BYTE_START,
    byte_end=BYTE_START + len(QUOTE.encode()),
    quote_sha256="sha256:" + hashlib.sha256(QUOTE.encode()).hexdigest(),
)


def test_a_quote_that_stands_where_the_citation_says_is_verified() -> None:
    verdict = verify(CLAIM, STORE)
    assert (verdict.status, verdict.current) == (Status.VERIFIED, True)


def test_bytes_and_hash_need_not_be_given() -> None:
    assert verify(replace(CLAIM, byte_start=None, byte_end=None, quote_sha256=None), STORE).status is Status.VERIFIED


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (replace(CLAIM, quote="The ban came on January 7."), "are not the quote"),
        (replace(CLAIM, start=START + 1), "are not the quote"),
        (replace(CLAIM, end=10_000), "are not the quote"),
        (replace(CLAIM, byte_start=BYTE_START - 1), "does not start at byte"),
        (replace(CLAIM, byte_end=BYTE_START), "does not end at byte"),
        (replace(CLAIM, quote_sha256="sha256:00"), "does not have the hash"),
    ],
)
def test_a_citation_that_says_something_else_has_drifted(changed: Claim, says: str) -> None:
    verdict = verify(changed, STORE)
    assert verdict.status is Status.DRIFTED
    assert says in verdict.detail


def test_a_revision_that_is_not_here_is_unknown() -> None:
    assert verify(replace(CLAIM, revision=Revision.of("other").id), STORE).status is Status.UNKNOWN


def test_a_revision_that_was_here_and_was_purged_is_said_to_be() -> None:
    gone = Revision.of("The ban came on January 8.")
    verdict = verify(replace(CLAIM, revision=gone.id), ListStore([PIECE], purged=[gone.id]))
    assert (verdict.status, verdict.current) == (Status.PURGED, False)


def test_a_revision_that_is_no_longer_the_present_one_still_verifies() -> None:
    newer = passage("The ban came on January 7.")
    store = ListStore([newer], [TEXT, newer.text])
    verdict = verify(CLAIM, store)
    assert (verdict.status, verdict.current) == (Status.VERIFIED, False)

import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from index.load.normalise import normalise
from index.types import Hit, Revision, Span
from qa.calibrate import Features, Weighed
from qa.compose import Citer, ComposePolicy, answer, chosen, no_answer
from qa.types import Candidate, Retrieved, Understood
from tests.world import ListStore, passage

UNDERSTOOD = Understood(question="When?", standalone="When?", generation=7, threshold=0.5)
POLICY = ComposePolicy(near=3.0, same=6.0)
UNSEEN = Features(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5)


def candidate(text: str, short: str, weight: float, *, uri: str = "a.txt", number: int = 1) -> Weighed:
    """A candidate in the sentence of `text` that holds `short`."""
    piece = passage(text, uri=uri, number=number)
    start = text.index(short)
    span = Span(start, start + len(short))
    sentence = next(s for s in piece.sentences if s.span.covers(span))
    return Weighed(Candidate(piece, sentence, span, weight), UNSEEN, weight)


JANUARY = candidate("The ban came on January 6. It was sudden.", "January 6", 5.0)


def test_an_answer_quotes_the_whole_sentence_and_highlights_the_short_answer() -> None:
    reply = answer(UNDERSTOOD, 0.9, [JANUARY], 3, ListStore([JANUARY.candidate.passage]), POLICY)
    (citation,) = reply.citations
    assert reply.text == "“The ban came on January 6.” [1]"
    assert reply.short_answer == "January 6"
    assert citation.span == Span(0, 26)
    assert citation.highlight == Span(16, 25)
    assert citation.in_answer is not None
    assert citation.in_answer.of(reply.text) == citation.quote


def test_every_quote_stands_in_the_answer_where_its_citation_says() -> None:
    other = candidate("Kyodo: the ban came on January 6, a Tuesday.", "January 6", 3.0, uri="b.txt", number=2)
    store = ListStore([JANUARY.candidate.passage, other.candidate.passage])
    reply = answer(UNDERSTOOD, 0.9, [JANUARY, other], 3, store, POLICY)
    assert [c.number for c in reply.citations] == [1, 2]
    assert [c.in_answer and c.in_answer.of(reply.text) for c in reply.citations] == [c.quote for c in reply.citations]


def test_a_sentence_is_quoted_once_however_many_spans_it_holds() -> None:
    text = "The ban came on January 6, a Tuesday."
    spans = [candidate(text, "January 6", 5.0), candidate(text, "a Tuesday", 4.9)]
    assert chosen(spans, 3, POLICY) == [spans[0].candidate]


def test_a_copy_of_a_sentence_in_another_document_is_not_quoted_again() -> None:
    copy = candidate("The ban came on JANUARY 6!  It was sudden.", "JANUARY 6", 4.9, uri="b.txt", number=2)
    assert chosen([JANUARY, copy], 3, POLICY) == [JANUARY.candidate]


def test_another_sentence_is_quoted_only_if_it_comes_near_the_best_or_says_the_same() -> None:
    near = candidate("Others say the ban came on January 7.", "January 7", 2.0, uri="b.txt", number=2)
    same = candidate("Trade fell after January 6.", "January 6", -1.0, uri="c.txt", number=3)
    far = candidate("Rain fell on January 9.", "January 9", 1.9, uri="d.txt", number=4)
    assert chosen([JANUARY, near, far, same], 5, POLICY) == [JANUARY.candidate, near.candidate, same.candidate]


def test_no_more_is_quoted_than_was_asked_for() -> None:
    near = candidate("Others say the ban came on January 7.", "January 7", 4.0, uri="b.txt", number=2)
    assert chosen([JANUARY, near], 1, POLICY) == [JANUARY.candidate]


def test_a_long_span_is_no_short_answer() -> None:
    text = "They said " + "that it would rain and " * 8 + "snow."
    long = candidate(text, text[10:-1], 5.0)
    assert answer(UNDERSTOOD, 0.9, [long], 3, ListStore([long.candidate.passage]), POLICY).short_answer is None


def test_no_answer_shows_the_nearest_passages_as_citations_outside_any_answer() -> None:
    found = [Retrieved(Hit(JANUARY.candidate.passage, 0.03, 1), 0.4)]
    reply = no_answer(UNDERSTOOD, 0.1, found, ListStore([JANUARY.candidate.passage]), POLICY)
    (nearest,) = reply.nearest
    assert nearest.quote == JANUARY.candidate.passage.text
    assert (nearest.highlight, nearest.in_answer) == (None, None)


@given(st.text(max_size=60), st.text(min_size=1, max_size=30), st.text(max_size=60))
def test_a_citation_holds_over_arbitrary_unicode(before: str, quote: str, after: str) -> None:
    text = normalise(before + quote + after)
    start = min(len(normalise(before)), len(text))
    span = Span(start, len(text))
    piece = passage("x")
    store = ListStore([piece], [text])
    cited = Citer(store).cite(1, replace(piece.document, revision=Revision.of(text).id), span)
    data = text.encode()
    assert cited.quote == text[cited.span.start : cited.span.end]
    assert data[cited.bytes.start : cited.bytes.end] == cited.quote.encode()
    assert cited.sha256 == "sha256:" + hashlib.sha256(cited.quote.encode()).hexdigest()

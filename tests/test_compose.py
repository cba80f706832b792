import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.load.normalise import normalise
from index.types import Hit, Passage, Revision, Span
from qa.calibrate import Weighed
from qa.choose import ChoicePolicy
from qa.compose import Citer, ComposePolicy, answer, no_answer
from qa.types import Answer, Candidate, Retrieved, Understood
from tests.world import UNSEEN, ListStore, kept, passage

POLICY = ComposePolicy(choice=ChoicePolicy(near=3.0, same=6.0))


def candidate(text: str, short: str, weight: float, *, uri: str = "a.txt", number: int = 1, day: str = "") -> Weighed:
    """A candidate in the sentence of `text` that holds `short`, of a document published on `day`."""
    piece = passage(text, uri=uri, number=number)
    piece = replace(piece, document=replace(piece.document, published_at=day if day else None))
    start = text.index(short)
    span = Span(start, start + len(short))
    sentence = next(s for s in piece.sentences if s.span.covers(span))
    return Weighed(Candidate(piece, sentence, span, weight), UNSEEN, weight)


def answered(query: str, *weighed: Weighed, most: int = 3) -> Answer:
    """Return the answer to `query` made of these candidates, best first."""
    understood = Understood(question=query, standalone=query, generation=7, kept=kept(0.5))
    passages: list[Passage] = [one.candidate.passage for one in weighed]
    return answer(understood, 0.9, list(weighed), most, ListStore(passages), POLICY)


def quotes(reply: Answer) -> list[str]:
    return [citation.quote for citation in reply.citations]


JANUARY = candidate("The ban came on January 6. It was sudden.", "January 6", 5.0)


def test_an_answer_quotes_the_whole_sentence_and_highlights_the_short_answer() -> None:
    reply = answered("When did the ban come?", JANUARY)
    (citation,) = reply.citations
    assert reply.text == "“The ban came on January 6.” [1]"
    assert reply.short_answer == "January 6"
    assert citation.span == Span(0, 26)
    assert citation.highlight == Span(16, 25)
    assert citation.in_answer is not None
    assert citation.in_answer.of(reply.text) == citation.quote


def test_every_quote_stands_in_the_answer_where_its_citation_says() -> None:
    other = candidate("Kyodo: the ban came on January 6, a Tuesday.", "January 6", 3.0, uri="b.txt", number=2)
    reply = answered("When did the ban come?", JANUARY, other)
    assert [c.number for c in reply.citations] == [1, 2]
    assert [c.in_answer and c.in_answer.of(reply.text) for c in reply.citations] == quotes(reply)


def test_no_more_is_quoted_than_was_asked_for() -> None:
    near = candidate("Others say the ban came on January 7.", "January 7", 4.0, uri="b.txt", number=2)
    assert quotes(answered("When?", JANUARY, near, most=1)) == ["The ban came on January 6."]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("When did the ban come?", "January 6"),
        ("What did the ministry say about the ban?", None),
        ("Why did the ban come?", None),
        ("Did the ban come?", None),
        ("When did the ban come and who announced it?", None),
    ],
)
def test_only_a_question_that_a_few_words_answer_gets_a_short_answer(query: str, expected: str | None) -> None:
    reply = answered(query, JANUARY)
    assert reply.short_answer == expected
    assert reply.citations[0].highlight == Span(16, 25)


def test_yes_is_said_only_in_the_words_of_the_source() -> None:
    assert answered("Is it so?", candidate("Yes, the ban came in May.", "May", 5.0)).short_answer == "Yes"
    assert answered("Is it so?", candidate("No ban came in May.", "May", 5.0)).short_answer is None
    assert answered("Is it so?", candidate("Yesterday the ban came.", "ban", 5.0)).short_answer is None


def test_several_items_have_no_short_answer() -> None:
    one = candidate("They built a road to Rome.", "a road to Rome", 5.0)
    two = candidate("They built a canal to Pisa.", "a canal to Pisa", 4.0, uri="b.txt", number=2)
    assert answered("Which roads did they build?", one, two).short_answer is None
    assert answered("Which roads did they build?", one).short_answer == "a road to Rome"


def test_a_name_that_the_reader_cut_is_whole_in_answer_and_highlight() -> None:
    reply = answered("Who spoke?", candidate("He Yadong spoke on Monday.", "Yadong", 5.0))
    assert reply.short_answer == "He Yadong"
    assert reply.citations[0].highlight == Span(0, 9)


def test_what_is_not_of_the_kind_asked_for_is_no_short_answer() -> None:
    assert answered("When did the ban come?", candidate("The ban came with anger.", "anger", 5.0)).short_answer is None
    assert answered("Who spoke?", candidate("He spoke of the ban.", "He", 5.0)).short_answer is None
    who = candidate("A genealogical researcher spoke.", "genealogical researcher", 5.0)
    assert answered("Who spoke?", who).short_answer == "genealogical researcher"


def test_a_long_span_is_no_short_answer() -> None:
    text = "They said " + "that it would rain and " * 8 + "snow."
    assert answered("Who said what?", candidate(text, text[10:-1], 5.0)).short_answer is None


def test_a_quote_begins_where_its_subject_is_named_and_the_citation_holds() -> None:
    text = "Snow fell. Anna Berg closed the mill. She sold it in 1912."
    reply = answered("When was the mill sold?", candidate(text, "1912", 5.0))
    (citation,) = reply.citations
    assert citation.quote == "Anna Berg closed the mill. She sold it in 1912."
    assert (citation.span, citation.bytes) == (Span(11, 58), Span(11, 58))
    assert citation.sha256 == "sha256:" + hashlib.sha256(citation.quote.encode()).hexdigest()
    assert citation.context is None
    assert reply.short_answer == "1912"


def test_a_subject_named_in_another_paragraph_is_context_outside_of_quote_and_answer() -> None:
    text = "Anna Berg closed the mill.\n\nShe sold it in 1912."
    reply = answered("When was the mill sold?", candidate(text, "1912", 5.0))
    (citation,) = reply.citations
    assert citation.quote == "She sold it in 1912."
    assert citation.context is not None
    assert citation.context.quote == citation.context.span.of(text) == "Anna Berg closed the mill."
    assert reply.text == "“She sold it in 1912.” [1]"


def test_no_context_is_shown_that_is_quoted_already() -> None:
    text = "Anna Berg closed the mill.\n\nShe sold it in 1912."
    first, second = candidate(text, "Anna Berg", 5.0), candidate(text, "1912", 4.0)
    reply = answered("Who closed and sold the mill?", first, second)
    assert quotes(reply) == ["Anna Berg closed the mill.", "She sold it in 1912."]
    assert [c.context for c in reply.citations] == [None, None]


def test_a_sentence_that_another_quote_was_drawn_out_over_is_not_quoted_again() -> None:
    text = "Anna Berg closed the mill. She sold it in 1912."
    first, second = candidate(text, "1912", 5.0), candidate(text, "Anna Berg", 4.0)
    assert quotes(answered("Who sold the mill?", first, second)) == [text]
    # The other way round the first sentence is there already, and the second follows on it.
    assert quotes(answered("Who sold the mill?", replace(second, weight=5.0), replace(first, weight=4.0))) == [
        "Anna Berg closed the mill.",
        "She sold it in 1912.",
    ]


def test_a_day_of_the_week_is_explained_beside_the_quote() -> None:
    text = "Snow fell. The mill closed on Tuesday."
    (citation,) = answered("When did the mill close?", candidate(text, "Tuesday", 5.0, day="2026-01-10")).citations
    assert citation.quote == "The mill closed on Tuesday."
    (explained,) = citation.dates
    assert (explained.phrase, explained.span.of(text)) == ("Tuesday", "Tuesday")
    assert (explained.first, explained.last) == (date(2026, 1, 6), date(2026, 1, 6))


def test_nothing_is_explained_without_a_day_of_publication() -> None:
    (citation,) = answered("When?", candidate("The mill closed on Tuesday.", "Tuesday", 5.0)).citations
    assert citation.dates == ()


def test_the_answer_is_the_first_side_also_where_nobody_differs() -> None:
    witness = candidate(
        "In the end the ban came on January 6.", "January 6", 4.0, uri="b.txt", number=2, day="2026-01-10"
    )
    reply = answered("When did the ban come?", JANUARY, witness)
    (side,) = reply.sides
    assert (side.value, side.citations, side.documents, side.independent) == ("January 6", (1, 2), 2, 2)
    assert (side.published_from, side.published_to) == ("2026-01-10", "2026-01-10")
    assert reply.sources_differ is False


def test_a_side_against_it_is_quoted_second_and_carries_its_citation() -> None:
    same = candidate("In May the old mill in Hull had 40 workers.", "40 workers", 4.5, uri="b.txt", number=2)
    best = candidate("The old mill in Hull had 40 workers.", "40 workers", 5.0)
    against = candidate("The old mill in Hull had 90 workers.", "90 workers", 4.0, uri="c.txt", number=3)
    reply = answered("How many workers had the old mill in Hull?", best, same, against)
    assert reply.sources_differ is True
    assert [(side.value, side.citations) for side in reply.sides] == [("40 workers", (1, 3)), ("90 workers", (2,))]


def test_a_side_that_finds_no_room_is_left_out_and_the_difference_still_told() -> None:
    best = candidate("The old mill in Hull had 40 workers.", "40 workers", 5.0)
    against = candidate("The old mill in Hull had 90 workers.", "90 workers", 4.0, uri="c.txt", number=3)
    reply = answered("How many workers had the old mill in Hull?", best, against, most=1)
    assert [side.value for side in reply.sides] == ["40 workers"]
    assert reply.sources_differ is True


def test_no_answer_shows_the_nearest_passages_as_citations_outside_any_answer() -> None:
    found = [Retrieved(Hit(JANUARY.candidate.passage, 0.03, 1), 0.4)]
    understood = Understood(question="When?", standalone="When?", generation=7, kept=kept(0.5))
    reply = no_answer(understood, 0.1, found, ListStore([JANUARY.candidate.passage]), POLICY)
    (nearest,) = reply.nearest
    assert nearest.quote == JANUARY.candidate.passage.text
    assert (nearest.highlight, nearest.in_answer, nearest.context) == (None, None, None)


_SENTENCES = st.sampled_from(
    ["Anna Berg came in May.", "She left on Tuesday.", "“It was bad,” he said.", "“Nobody knew.”", "This is why.",
     "The firm closed.", "They fell by 5 %.", "He Yadong spoke.", "\n\n", "no end", "1912."]
)  # fmt: skip
_QUERIES = st.sampled_from(["When?", "Who and why?", "Which firms closed?", "Did she leave?", "What did he say?"])


@given(st.lists(st.lists(_SENTENCES, min_size=1, max_size=8), min_size=1, max_size=3), _QUERIES, st.integers(1, 5))
def test_quotes_are_whole_and_true_and_never_overlap(texts: Sequence[Sequence[str]], query: str, most: int) -> None:
    found = []
    for number, pieces in enumerate(texts):
        text = " ".join(pieces).strip()
        piece = passage(text, uri=f"{number}.txt", number=number)
        for at, one in enumerate(piece.sentences):
            weight = 6.0 - 0.7 * at - 0.1 * number
            found.append(Weighed(Candidate(piece, one, one.span, weight), UNSEEN, weight))
    if not found:
        return
    found.sort(key=lambda one: -one.weight)
    reply = answered(query, *found, most=most)
    assert 1 <= len(reply.citations) <= most
    seen: list[tuple[str, Span]] = []
    for citation in reply.citations:
        piece = next(w.candidate.passage for w in found if w.candidate.passage.document.id == citation.document.id)
        assert citation.span.of(piece.text) == citation.quote
        starts, ends = {s.span.start for s in piece.sentences}, {s.span.end for s in piece.sentences}
        assert citation.span.start in starts
        assert citation.span.end in ends
        assert all(name != citation.document.id or span.overlap(citation.span) == 0 for name, span in seen)
        seen.append((citation.document.id, citation.span))
    if reply.short_answer is not None:
        assert reply.short_answer in reply.citations[0].quote


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

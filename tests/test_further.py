"""Which other sources are heard once it is known that the service answers."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from index.types import Hit, Passage, Span
from qa.calibrate import Weighed
from qa.further import FurtherPolicy, repeated, to_read
from qa.types import Candidate, Retrieved
from tests.world import UNSEEN, passage

QUERY = "How many horses escaped in Ferrow?"
POLICY = FurtherPolicy(most=2, cosine=0.1, coverage=0.25)
TEXT = "In Ferrow 19 horses escaped on Sunday. Cars stopped."


def piece(text: str, number: int, group: str = "") -> Passage:
    made = passage(text, uri=f"{number}.txt", number=number)
    return replace(made, document=replace(made.document, group=group))


def found(*pieces: tuple[Passage, float]) -> list[Retrieved]:
    return [Retrieved(Hit(one, 1.0, rank), cosine) for rank, (one, cosine) in enumerate(pieces, start=1)]


def candidate(one: Passage, words: str, score: float = 5.0) -> Weighed:
    span = Span(one.text.index(words), one.text.index(words) + len(words))
    return Weighed(Candidate(one, one.sentences[0], span, score), UNSEEN, score)


BEST = piece(TEXT, 1, group="a")
OTHER = piece("Some 21 horses escaped, said the Ferrow police.", 2)


def read_further(retrieved: Sequence[Retrieved], read: set[int], policy: FurtherPolicy = POLICY) -> list[int]:
    best = candidate(BEST, "19").candidate
    return [one.id for one in to_read(QUERY, best, retrieved, read, policy)]


def test_an_unread_source_on_the_same_matter_is_heard() -> None:
    assert read_further(found((BEST, 0.8), (OTHER, 0.75)), {1}) == [2]


def test_a_source_is_heard_once_and_its_copies_not_at_all() -> None:
    copy = piece("In Ferrow 19 horses escaped on Sunday. Cars halted.", 3, group="a")
    first, again = (piece(f"In Ferrow {n} horses escaped.", n, group="b") for n in (4, 5))
    assert read_further(found((BEST, 0.8), (copy, 0.8), (first, 0.8), (again, 0.8)), {1}) == [4]


def test_another_passage_of_a_document_that_was_read_is_not_read() -> None:
    more = replace(OTHER, id=7, document=BEST.document)
    assert read_further(found((BEST, 0.8), (more, 0.8)), {1}) == []


def test_no_more_are_read_than_the_policy_allows() -> None:
    pieces = [(piece(f"In Ferrow {n} horses escaped.", n), 0.8) for n in range(2, 6)]
    assert read_further(found((BEST, 0.8), *pieces), {1}) == [2, 3]
    assert read_further(found((BEST, 0.8), *pieces), {1}, FurtherPolicy(most=0)) == []


def test_a_passage_that_is_further_from_the_question_is_not_read() -> None:
    assert read_further(found((BEST, 0.8), (OTHER, 0.69)), {1}) == []


@pytest.mark.parametrize(
    "text",
    [
        "Some 21 horses escaped, said the Kirkwall police.",  # another place
        "Rain fell on Ferrow.",  # another matter
    ],
)
def test_a_passage_that_lacks_what_the_question_names_is_not_read(text: str) -> None:
    assert read_further(found((BEST, 0.8), (piece(text, 2), 0.8)), {1}) == []


def test_a_policy_cannot_read_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="-1"):
        FurtherPolicy(most=-1)


def test_an_unread_copy_repeats_the_best_candidate_of_its_document() -> None:
    copy = piece("Ferrow, Monday. In Ferrow 19 horses escaped on Sunday. Cars stopped.", 2, group="a")
    (again,) = repeated([candidate(BEST, "19")], found((BEST, 0.8), (copy, 0.7)), {1})
    assert (again.passage.id, again.text, again.quote) == (2, "19", "In Ferrow 19 horses escaped on Sunday.")
    assert again.score == 5.0


@pytest.mark.parametrize(
    "text",
    [
        "In Ferrow 21 horses escaped on Sunday. Cars stopped.",  # filled with another value
        "Cars stopped. At noon 19 boys from Tarn saw a circus.",  # the value in another sentence
        "In Ferrow 19 horses and 19 cows escaped on Sunday.",  # nobody can say which of the two
    ],
)
def test_a_copy_that_says_something_else_repeats_nothing(text: str) -> None:
    assert repeated([candidate(BEST, "19")], found((BEST, 0.8), (piece(text, 2, group="a"), 0.7)), {1}) == []


def test_a_document_of_another_group_repeats_nothing() -> None:
    for group in ("b", ""):
        other = piece(TEXT, 2, group=group)
        assert repeated([candidate(BEST, "19")], found((BEST, 0.8), (other, 0.7)), {1}) == []


def test_what_the_reader_holds_for_no_answer_is_not_repeated() -> None:
    copy = piece(TEXT + " So it goes.", 2, group="a")
    assert repeated([candidate(BEST, "19", -1.0)], found((BEST, 0.8), (copy, 0.7)), {1}) == []

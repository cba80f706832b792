"""What is known of a candidate: of its passage, of its document, and of the words that it lacks."""

import math

import pytest

from index.terms import analyze
from index.types import Hit, Passage
from qa.features import Features, Sought, content_words, features, name_words
from qa.types import Candidate, Retrieved
from tests.world import PIECE, in_piece, passage

OCTOPUS = "Inky lived in a tank.\n\nThe octopus left it at night."


def found(piece: Passage, *, rank: int = 1) -> Retrieved:
    return Retrieved(Hit(piece, 0.03, rank), 0.7)


def first_of(piece: Passage) -> Candidate:
    """Return the first sentence of a passage as a candidate."""
    return Candidate(piece, piece.sentences[0], piece.sentences[0].span, 1.0)


def known(query: str, *pieces: Passage) -> Features:
    """Return what is known of the first sentence of the last of the passages that were found."""
    sought = Sought(query, [found(piece, rank=rank) for rank, piece in enumerate(pieces, start=1)])
    return features(sought, [first_of(pieces[-1])])[0]


def test_question_words_are_no_content() -> None:
    assert content_words("When did they announce it?") == content_words("announced")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Has Japan gone to the World Trade Organization?", "Japan World Trade Organization"),
        ("China or 2014?", "2014"),  # the first word is a capital in any case
        ("who said so?", ""),
    ],
)
def test_names_are_capitalised_words_and_numbers(query: str, names: str) -> None:
    assert name_words(query) == set(analyze(names))


@pytest.mark.parametrize(
    ("text", "query", "coverage"),
    [
        ("File photo: a mine. Taken by A. Reporter", "Which agency is credited for the photo?", 2 / 3),
        ("Reported by A. Writer; translated by Others", "May I reprint it?", 1.0),
        ("China announced the ban on January 6.", "Who is credited for the ban?", 0.5),
    ],
)
def test_a_credit_line_holds_what_a_question_calls_it(text: str, query: str, coverage: float) -> None:
    piece = passage(text, title="A")
    candidate = Candidate(piece, piece.sentences[0], piece.sentences[0].span, 1.0)
    (seen,) = features(Sought(query, [found(piece)]), [candidate])
    assert seen.passage_coverage == pytest.approx(coverage)


def test_features_say_what_is_known_of_a_candidate() -> None:
    query = "When did China announce the seafood ban on rare things to Japan?"
    (seen,) = features(Sought(query, [found(PIECE, rank=2)]), [in_piece("January 6", 5.0)])
    # content: china announc seafood ban rare thing japan; "rare" stands only in the title,
    # "seafood", "thing" and "Japan" nowhere
    assert seen == Features(
        score=5.0,
        passage_score=5.0,
        cosine=0.7,
        rank=0.5,
        document_score=0.03,
        passage_coverage=4 / 7,
        sentence_coverage=3 / 7,
        name_coverage=1 / 2,
        nameless=0.0,
        missing=1.0,
        kind_fits=1.0,
    )


def test_a_name_may_stand_in_another_passage_of_the_document_and_not_in_another_document() -> None:
    query = "How did Inky escape?"
    tank, night = (passage(text, number=k, within=OCTOPUS) for k, text in enumerate(OCTOPUS.split("\n\n")))
    other = passage("The man left the island at night.", number=2, uri="b.txt")
    assert known(query, night).name_coverage == 0.0
    assert known(query, tank, night).name_coverage == 1.0
    assert known(query, tank, other).name_coverage == 0.0


def test_a_question_without_a_name_says_so_and_lacks_none() -> None:
    piece = passage("The museum has three old messages.")
    assert (known("Who runs the museum?", piece).nameless, known("Who runs the museum?", piece).name_coverage) == (1, 1)
    assert known("Who runs the museum in Lemnos?", piece).nameless == 0.0


def test_the_rarer_a_word_that_the_document_lacks_the_more_is_missing() -> None:
    tank = passage("The octopus lived in a tank.", number=1)
    shop = passage("The tank is sold in the shop.", number=2, uri="b.txt")
    assert known("Was the octopus in the tank?", shop, tank).missing == 0.0
    one_of_two_holds_it = math.log(3 / 1.5) / math.log(3 / 0.5)
    assert known("Was the octopus in the shop?", shop, tank).missing == pytest.approx(one_of_two_holds_it)
    assert known("Was the octopus in the zoo or the shop?", shop, tank).missing == pytest.approx(1.0)


def test_a_part_of_a_passage_is_known_by_its_passage() -> None:
    tank = passage("The octopus lived in a tank. It left at night.", number=1)
    sought = Sought("When did the octopus leave the tank?", [found(tank)])
    part = tank.around(tank.sentences[1], 20)
    assert features(sought, [first_of(part)])[0].missing == features(sought, [first_of(tank)])[0].missing


def test_what_the_first_reader_thinks_of_a_passage_is_known_of_what_the_second_finds_there() -> None:
    other = passage("It rained.", number=2, uri="b.txt")
    sought = Sought("When did China announce it?", [found(PIECE), found(other, rank=2)])
    sought.was_read([in_piece("sudden", 2.0), in_piece("January 6", 1.0)])
    sought.was_read([in_piece("China", -1.0)])
    seen = features(sought, [in_piece("January 6", 7.0), first_of(other)])
    assert [(one.score, one.passage_score) for one in seen] == [(7.0, 2.0), (1.0, 1.0)]


def test_a_document_comes_as_high_as_its_three_best_passages() -> None:
    text = "One.\n\nTwo.\n\nThree.\n\nFour."
    pieces = [passage(part, number=k, within=text) for k, part in enumerate(text.split("\n\n"))]
    alone = passage("Five.", number=9, uri="b.txt")
    scores = (0.9, 0.6, 0.5, 0.3, 0.1)
    retrieved = [
        Retrieved(Hit(piece, score, rank), 0.7)
        for rank, (piece, score) in enumerate(zip([*pieces[:3], alone, pieces[3]], scores, strict=True), start=1)
    ]
    seen = features(Sought("Which?", retrieved), [first_of(pieces[3]), first_of(alone)])
    assert [one.document_score for one in seen] == [pytest.approx((0.9 + 0.6 + 0.5) / 3), pytest.approx(0.3)]

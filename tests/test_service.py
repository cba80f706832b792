from collections.abc import Sequence

import pytest

from index.errors import QuestionError
from index.types import Filter, Passage
from qa.calibrate import Calibration
from qa.read import best_first
from qa.service import LONGEST_QUESTION, AnswerService, Policy
from qa.types import Answer, Candidate, NoAnswer, Question, Turn
from tests.world import ListStore, passage

BAN = passage("China announced the export ban on January 6. It was sudden.", number=1, uri="ban.txt")
CATS = passage("Cats sleep for most of the day.", number=2, uri="cats.txt")
CAPTION = passage(
    "File photo: a mine where the export ban was announced. Photo by A. Reporter", number=3, uri="mine.txt"
)
CREDIT = passage("Reported by Export Ban Announced; translated by Others", number=4, uri="credit.txt")


class WordReader:
    """Scores every sentence by the words it shares with the query, and remembers what it was given."""

    fingerprint = "words"

    def __init__(self) -> None:
        self.helpings: list[list[str]] = []

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        self.helpings.append([p.document.uri for p in passages])
        words = set(query.lower().strip("?").split())
        return best_first(
            [
                Candidate(p, s, s.span, float(len(words & set(p.slice(s.span).lower().strip(".").split()))))
                for p in passages
                for s in p.sentences
            ]
        )


def service(reader: WordReader, policy: Policy | None = None, threshold: float = 0.5) -> AnswerService:
    """A service that is even at a score of 2."""
    return AnswerService(
        reader,
        Calibration("words", (2.0, 0, 0, 0, 0, 0, 0), (2.0, 0, 0, 0, 0, 0, 0), 0.0, -4.0, threshold),
        policy,
    )


def test_a_question_that_the_sources_answer_is_answered_in_their_words() -> None:
    asked = service(WordReader()).ask(Question("When was the export ban announced?"), ListStore([CATS, BAN]))
    assert isinstance(asked.reply, Answer)
    assert asked.reply.citations[0].quote == "China announced the export ban on January 6."
    assert asked.reply.understood.generation == 7


def test_says_nothing_when_the_sources_do_not() -> None:
    asked = service(WordReader()).ask(Question("Who won the football match?"), ListStore([CATS, BAN]))
    assert isinstance(asked.reply, NoAnswer)
    assert len(asked.reply.nearest) == 2


def test_a_higher_threshold_never_turns_silence_into_an_answer() -> None:
    question = Question("What about the ban?")
    answered = [
        isinstance(service(WordReader(), threshold=t).ask(question, ListStore([BAN])).reply, Answer)
        for t in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
    ]
    assert answered == sorted(answered, reverse=True)


def test_an_empty_library_says_nothing() -> None:
    asked = service(WordReader()).ask(Question("When was the ban?"), ListStore([]))
    assert isinstance(asked.reply, NoAnswer)
    assert (asked.reply.nearest, asked.reply.confidence) == ((), 0.0)


@pytest.mark.parametrize("furniture", [CAPTION, CREDIT])
def test_captions_and_credit_lines_do_not_answer_questions_about_the_story(furniture: Passage) -> None:
    reply = service(WordReader()).ask(Question("When was the export ban announced?"), ListStore([furniture])).reply
    assert isinstance(reply, NoAnswer)
    assert reply.nearest == ()


def test_a_caption_answers_a_question_about_the_picture() -> None:
    reply = service(WordReader()).ask(Question("Is a mine in the file photo?"), ListStore([CAPTION, BAN])).reply
    assert isinstance(reply, Answer)
    assert reply.citations[0].document.uri == "mine.txt"


def test_a_credit_line_answers_who_translated() -> None:
    question = Question("Who was it reported by and translated by?")
    reply = service(WordReader()).ask(question, ListStore([CREDIT, BAN])).reply
    assert isinstance(reply, Answer)
    assert reply.citations[0].document.uri == "credit.txt"


@pytest.mark.parametrize(
    ("question", "helpings"),
    [
        ("When was the export ban announced", 1),  # as good as certain after the first passage
        ("Was the ban lifted", 2),  # undecided
        ("Football", 1),  # nothing near it
    ],
)
def test_reading_goes_on_only_while_the_matter_is_undecided(question: str, helpings: int) -> None:
    reader = WordReader()
    policy = Policy(helpings=(1, 1), sure=0.6, hopeless=0.1)
    service(reader, policy).ask(Question(question), ListStore([BAN, CATS]))
    assert len(reader.helpings) == helpings


def test_a_follow_up_is_read_with_its_topic() -> None:
    before = Turn("When was the export ban announced?", "When was the export ban announced?", ("…",), "January 6")
    asked = service(WordReader()).ask(Question("Was it sudden?", (before,)), ListStore([BAN]))
    assert asked.reply.understood.question == "Was it sudden?"
    assert "export ban" in asked.reply.understood.standalone


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(" \n "), "empty"),
        (Question("x" * (LONGEST_QUESTION + 1)), r"2001 characters, 2000 are allowed"),
        (Question("Why?", max_citations=0), "max_citations is 0"),
        (Question("Why?", max_citations=11), "max_citations is 11"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_the_reason(question: Question, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        service(WordReader()).ask(question, ListStore([BAN]))


def test_search_returns_passages_without_reading_them() -> None:
    reader = WordReader()
    found = service(reader).search(Question("export ban", where=Filter()), ListStore([CATS, BAN]))
    assert [r.hit.rank for r in found] == [1, 2]
    assert reader.helpings == []

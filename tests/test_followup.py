import pytest

from qa.followup import depends, standalone
from qa.types import Turn

BAN = Turn(
    question="When did China announce the export ban?",
    standalone="When did China announce the export ban?",
    quotes=("China announced the ban on January 6.",),
    short_answer="January 6",
)
SPEAKER = Turn(
    question="Who spoke for the ministry?",
    standalone="Who spoke for the ministry?",
    quotes=("He Yadong spoke for the ministry.",),
    short_answer="spokesperson He Yadong",
)


def test_the_first_question_stands_as_it_is() -> None:
    assert standalone("And the existing ones?", []) == "And the existing ones?"


def test_a_question_that_names_its_topic_is_left_alone() -> None:
    question = "Which seafood imports does China limit?"
    assert standalone(question, [BAN]) == question


@pytest.mark.parametrize(("question", "expected"), [("Why?", "Why"), ("where exactly?", "Where"), ("And how?", "How")])
def test_a_bare_question_word_asks_the_previous_question_anew(question: str, expected: str) -> None:
    assert standalone(question, [BAN]) == f"{expected} did China announce the export ban?"


def test_a_question_that_points_back_gets_the_topic() -> None:
    query = standalone("Was it lifted later?", [BAN])
    assert query == "Was it lifted later? (China announce export ban)"


def test_a_word_the_question_has_already_is_not_repeated() -> None:
    assert standalone("And which exports are meant?", [BAN]) == "And which exports are meant? (China announce ban)"


def test_only_the_newest_turn_counts() -> None:
    assert "ministry" in standalone("What did he say about trade?", [BAN, SPEAKER])
    assert "ban" not in standalone("What did he say about trade?", [BAN, SPEAKER])


@pytest.mark.parametrize(
    "question",
    [
        "And the existing ones?",
        "What about Japan?",
        "Why?",
        "What did she say?",
        "When was that?",
        "Where?",
        "Seafood?",
    ],
)
def test_these_lean_on_what_was_said_before(question: str) -> None:
    assert depends(question)


@pytest.mark.parametrize(
    "question",
    [
        "Is there a ban on exports to Japan?",
        "Did the ministry say that civilian trade goes on?",
        "What does the One China principle say?",
        "What did Prime Minister Takaichi say about her country's defence?",
    ],
)
def test_these_stand_alone(question: str) -> None:
    assert not depends(question)

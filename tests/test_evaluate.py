import json
from pathlib import Path

import pytest

from index.errors import QuestionError
from qa.evaluate import Gold, Labelled, evaluate, read_questions
from tests.test_service import BAN, CATS, WordReader, service
from tests.world import ListStore

STORE = ListStore([BAN, CATS])


def labelled(
    text: str,
    *,
    quote: str | None = None,
    document: str = "ban.txt",
    facts: tuple[str, ...] = (),
    short: str | None = None,
    conversation: str | None = None,
) -> Labelled:
    gold = () if quote is None else (Gold(document, quote),)
    return Labelled(text, bool(gold or facts), gold, facts, short, conversation)


ASKED = "When was the export ban announced?"
QUOTE = "China announced the export ban on January 6."


def test_a_quote_that_overlaps_the_gold_quote_is_right() -> None:
    (outcome,) = evaluate([labelled(ASKED, quote=QUOTE)], service(WordReader()), STORE).outcomes
    assert (outcome.right, outcome.right_document, outcome.good) == (True, True, True)


def test_the_right_words_of_another_document_are_not() -> None:
    (outcome,) = evaluate([labelled(ASKED, quote=QUOTE, document="x.txt")], service(WordReader()), STORE).outcomes
    assert (outcome.answered, outcome.right, outcome.right_document) == (True, False, False)


def test_a_fact_in_a_quote_is_right_whatever_the_document() -> None:
    (outcome,) = evaluate([labelled(ASKED, facts=("january 6",))], service(WordReader()), STORE).outcomes
    assert outcome.right


def test_a_gold_quote_with_other_spacing_is_compared_by_its_words() -> None:
    gold = "China  announced the export ban on January 6."
    (outcome,) = evaluate([labelled(ASKED, quote=gold)], service(WordReader()), STORE).outcomes
    assert outcome.right


def test_silence_is_good_only_where_there_is_no_answer() -> None:
    asked = [labelled("Who won the football match?"), labelled("Who lost the football match?", quote=QUOTE)]
    first, second = evaluate(asked, service(WordReader()), STORE).outcomes
    assert (first.good, second.good) == (True, False)


def test_questions_of_one_conversation_follow_one_another() -> None:
    asked = [labelled(ASKED, quote=QUOTE, conversation="c"), labelled("Was it sudden?", facts=("x",), conversation="c")]
    report = evaluate(asked, service(WordReader()), STORE)
    alone = evaluate(asked[1:], service(WordReader()), STORE)
    assert "export ban" in report.outcomes[1].considered.query
    assert alone.outcomes[0].considered.query == "Was it sudden?"


def test_rates_are_over_the_questions_that_they_are_about() -> None:
    asked = [
        labelled(ASKED, quote=QUOTE, short="on January 6"),
        labelled("Who lost the football match?", quote=QUOTE),
        labelled("Who won the football match?"),
        labelled("When did China announce the export tax?"),
    ]
    rates = evaluate(asked, service(WordReader()), STORE).rates()
    assert (rates["questions"], rates["answerable"], rates["unanswerable"]) == (4, 2, 2)
    assert (rates["right"], rates["answered (of answerable)"]) == (0.5, 0.5)
    assert rates["right when answered"] == 0.5  # one right, and one answered that has no answer
    assert rates["silent (of unanswerable)"] == 0.5


def test_rates_over_nothing_are_none() -> None:
    rates = evaluate([labelled(ASKED, quote=QUOTE)], service(WordReader()), STORE).rates()
    assert rates["silent (of unanswerable)"] is None


def test_labelled_questions_are_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    full = {"question": "A?", "answers": [{"document": "a.txt", "quote": "A."}], "facts": ["A"], "conversation": "c1"}
    file.write_text(json.dumps(full) + "\n\n" + json.dumps({"question": "B?", "answerable": False}) + "\n")
    assert read_questions(file) == [
        Labelled("A?", True, (Gold("a.txt", "A."),), ("A",), None, "c1"),
        Labelled("B?", False, (), (), None, None),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"question": "A?"}\n{"answers": []}\n', "line 2: not a labelled question"),
        (b"not json\n", "line 1: not a labelled question"),
        (b"[1]\n", "line 1: not a labelled question"),
        (b"\n", "no question in it"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_file_of_another_shape_is_refused_naming_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(content)
    with pytest.raises(QuestionError, match=message):
        read_questions(file)

"""The dialogues that follow-ups are measured by, and what measures them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from benchmarks.conversations import Asked, kept, overlap, read_dialogues, sent
from index.types import Span
from qa.types import Answer, Citation, NoAnswer, Turn, Understood
from tests.world import document
from tests.world import kept as threshold

DIALOGUES = Path(__file__).parent / "dialogues.jsonl"
SEEDS = Path(__file__).resolve().parents[1] / "seeds"


def asked(*facts: str) -> Asked:
    return Asked("d", "fit", "follow", "Why?", "Why is the bridge closed?", ("harbour.md",), facts)


def answer(*quotes: str, uri: str = "news/harbour.md", short: str | None = None) -> Answer:
    """Return an answer that quotes `quotes` of one document."""
    citations = []
    for number, quote in enumerate(quotes, start=1):
        span = Span(0, len(quote))
        digest = hashlib.sha256(quote.encode()).hexdigest()
        citations.append(
            Citation(number, document(quote, uri=uri), quote, span, span, digest, None, None, None, ())
        )  # fmt: skip
    text = " ".join(f"“{quote}” [{number}]" for number, quote in enumerate(quotes, start=1))
    return Answer(Understood("Why?", "Why?", 1, threshold(0.3)), text, short, 0.9, tuple(citations))


def test_there_are_enough_dialogues_and_a_third_of_the_turns_is_held_out() -> None:
    turns = read_dialogues(DIALOGUES)
    assert len({one.dialogue for one in turns}) >= 20
    assert len(turns) >= 60
    assert 3 * sum(one.half == "check" for one in turns) >= len(turns)
    kinds = Counter(one.kind for one in turns)
    assert set(kinds) == {"first", "follow", "change"}
    assert kinds["change"] >= 10


def test_each_dialogue_is_of_one_half_and_begins_with_its_first_turn() -> None:
    dialogues: dict[str, list[Asked]] = {}
    for one in read_dialogues(DIALOGUES):
        dialogues.setdefault(one.dialogue, []).append(one)
    for turns in dialogues.values():
        assert len({one.half for one in turns}) == 1
        assert [one.kind == "first" for one in turns] == [True] + [False] * (len(turns) - 1)
        assert len({one.question for one in turns}) == len(turns)


def test_what_stands_alone_is_written_as_it_is_asked_and_a_follow_up_is_not() -> None:
    for one in read_dialogues(DIALOGUES):
        assert (one.standalone == one.question) == (one.kind != "follow"), one


def test_facts_are_a_few_words_and_those_of_the_starter_library_are_in_it() -> None:
    texts = {path.name: path.read_text(encoding="utf-8").casefold() for path in SEEDS.glob("*.md")}
    for one in read_dialogues(DIALOGUES):
        assert one.facts
        assert all(len(fact.split()) <= 5 for fact in one.facts), one
        if set(one.documents) <= set(texts):
            assert all(any(fact.casefold() in texts[name] for name in one.documents) for fact in one.facts), one


def test_a_reply_is_right_if_one_of_its_first_two_quotes_of_a_gold_document_holds_a_fact() -> None:
    assert asked("rust").is_right(answer("The bridge has Rust."))
    assert asked("rust", "storm").is_right(answer("The bridge is old.", "A storm came."))
    assert not asked("rust").is_right(answer("It is old.", "It is red.", "It has rust."))
    assert not asked("rust").is_right(answer("The bridge has rust.", uri="news/town.md"))
    assert not asked("rust").is_right(NoAnswer(Understood("Why?", "Why?", 1, threshold(0.3)), 0.1, ()))


def test_content_words_are_compared_by_their_stems() -> None:
    assert overlap("What are the symptoms of anemia?", "anemia's symptom") == (1.0, 1.0, 1.0)
    assert overlap("What are the symptoms?", "What are the symptoms of anemia?") == (0.5, 1.0, 2 / 3)
    assert overlap("What is Bitcoin?", "What is anemia?") == (0.0, 0.0, 0.0)


def test_turns_are_kept_with_what_was_answered_and_sent_with_its_text() -> None:
    reply = answer("The bridge has rust.", short="rust")
    assert kept("Why?", "Why is it closed?", reply, ()) == (
        Turn("Why?", "Why is it closed?", ("The bridge has rust.",), "rust"),
    )
    first = Turn("Who built the bridge?", "Who built the bridge?", ("Ada Lund built the bridge.",), None)
    turns = sent("How old is she?", "How old is Ada Lund?", reply, (first,))
    assert [one.standalone for one in turns] == ["Who built the bridge?", "How old is Ada Lund?"]
    assert turns[1].quotes == ("The bridge has rust.",)

"""Our own texts with questions: what is refused, which are held out, how a follow-up is read, what the stream makes."""

import json
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.data import OWN, own_texts
from training.asked import HELD_OUT, key
from training.examples import WITH_ASKED, Mixture, Row, Strangers
from training.stream import Stream
from training.written import FILE, load_written

WORDS = ("roof", "floor", "gate", "lamp", "clock", "crane", "rail", "wall", "stair", "bell")
NONE = Mixture(0, 0, 0, 0, 0, 0, 0, recast=0.0, bare_question=0.0)


def story(number: int) -> dict[str, Any]:
    text = (
        f"MINISTER Lena Holt said on Friday that the ferry to island {number} would stop in May. "
        f"The crews of Harbour {number} are against it. Nobody was asked about the lighthouse at all, said the mayor. "
        + " ".join(f"The {word} of the old pier was looked at by two men from the capital." for word in WORDS)
    )
    start = text.index("in May")
    return {
        "set": f"s{number % 4}",
        "title": f"Ferry {number} stops",
        "text": text,
        "questions": [
            {"question": "Until when can I take the ferry?", "start": start, "end": start + len("in May")},
            {"question": "Why?", "after": "Does Lena Holt stop the ferry?", "start": None, "end": None},
        ],
    }


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_answers_are_characters_of_the_text_and_some_texts_are_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "written.jsonl", [story(number) for number in range(40)])
    kept, held_out = load_written(path), load_written(path, held_out=True)
    assert len(kept) + len(held_out) == 40
    assert {one.text for one in held_out} == {
        one.text for one in [*kept, *held_out] if int(key(one.text), 16) % HELD_OUT == 0
    }
    for row in (row for one in kept for row in one.rows if row.answer is not None):
        assert row.answer == "in May" == row.context[row.start : row.start + len("in May")]


def test_texts_on_one_event_are_trained_on_together_or_held_out_together(tmp_path: Path) -> None:
    path = write(tmp_path / "written.jsonl", [story(number) | {"event": f"e{number // 2}"} for number in range(60)])
    kept, held_out = ({one.title for one in load_written(path, held_out=which)} for which in (False, True))
    pairs = [{f"Ferry {number} stops", f"Ferry {number + 1} stops"} for number in range(0, 60, 2)]
    assert held_out
    assert all(pair <= kept or pair <= held_out for pair in pairs)


def test_a_follow_up_is_read_as_the_service_reads_it(tmp_path: Path) -> None:
    path = write(tmp_path / "written.jsonl", [story(1)])
    rows = [*load_written(path), *load_written(path, held_out=True)][0].rows
    assert rows[1].question == "Why does Lena Holt stop the ferry?"


def test_a_follow_up_may_follow_another_one(tmp_path: Path) -> None:
    line = story(1)
    line["questions"].append({"question": "Since when?", "after": "Why?", "start": None, "end": None})
    path = write(tmp_path / "written.jsonl", [line])
    rows = load_written(path, held_out=None)[0].rows
    assert rows[2].question == "Since when does Lena Holt stop the ferry?"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"questions": [{"question": "Who?", "start": 9000, "end": 9001}]}, "hold no answer"),
        ({"questions": [{"question": "Who?"}]}, "start"),
        ({"questions": 5}, "not iterable"),
        ({"text": None, "title": None, "set": None, "questions": [{}]}, "question"),
    ],
)
def test_what_is_no_such_text_is_named_by_its_line(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = write(tmp_path / "written.jsonl", [story(1), story(2) | change])
    with pytest.raises(ValueError, match=rf"written\.jsonl, line 2: .*{told}"):
        load_written(path)


def test_a_stream_asks_on_the_text_on_the_rest_of_it_and_on_texts_of_other_sets(tmp_path: Path) -> None:
    written = load_written(write(tmp_path / "written.jsonl", [story(number) for number in range(40)]))
    rows = [Row("Bridges", "A bridge is long.", "What is long?", "bridge", 2, 1)]
    block = Stream(rows, replace(NONE, written=50), 1, written=written).block(0)
    assert len(block) == 50
    assert {one.passage[slice(*one.span)] for one in block if one.span is not None} == {"in May"}
    rest = Stream(rows, replace(NONE, written_rest=20), 1, written=written).block(0)
    assert rest
    assert all(one.span is None and "in May" not in one.passage for one in rest)


def test_a_stream_counts_texts_on_one_event_apart_from_the_others(tmp_path: Path) -> None:
    lines = [story(number) | ({"event": f"e{number // 2}"} if number < 20 else {}) for number in range(40)]
    written = load_written(write(tmp_path / "written.jsonl", lines), held_out=None)
    rows = [Row("Bridges", "A bridge is long.", "What is long?", "bridge", 2, 1)]
    whole = replace(NONE, whole_paragraphs=1.0, titled=0.0)
    paired = {one.passage for one in Stream(rows, replace(whole, paired=100), 1, written=written).block(0)}
    others = {one.passage for one in Stream(rows, replace(whole, written=100), 1, written=written).block(0)}
    assert paired == {one.text for one in written if one.event is not None}
    assert others == {one.text for one in written if one.event is None}


def test_what_ships_puts_the_same_questions_to_two_texts_and_most_are_answered_by_one() -> None:
    events: defaultdict[str, list[tuple[Row, ...]]] = defaultdict(list)
    for one in load_written(FILE, held_out=None):
        if one.event is not None:
            events[one.event].append(one.rows)
    assert len(events) > 200
    by_one = 0
    for first, second in events.values():
        assert len(first) == len(second)
        by_one += sum((a.answer is None) != (b.answer is None) for a, b in zip(first, second, strict=True))
    assert by_one > 0.6 * sum(len(first) for first, _ in events.values())


def test_a_stranger_is_like_the_question_and_on_something_else() -> None:
    filler = [("f", f"Filler {n}", f"Words number {n} about which nothing is known.") for n in range(400)]
    texts = [
        ("mine", "Tungsten", "Tungsten melts at a heat that no other metal bears."),
        ("other", "Lamps", "Filaments of tungsten were drawn in a factory at Augsburg."),
        ("third", "Answers", "Tungsten melts at 3422 degrees, a factory found."),
        ("whole", "Both", "Tungsten melts in our factory."),
    ]
    strangers = Strangers([*filler, *texts])
    row = Row("Tungsten", texts[0][2], "Which factory melts tungsten?", "3422 degrees", 0, 1)
    assert strangers.like(row, "mine", 5) == [texts[1][1:]]
    assert strangers.like(replace(row, question="Why is that so?"), "mine", 5) == []


def test_strangers_bear_their_own_title(tmp_path: Path) -> None:
    written = load_written(write(tmp_path / "written.jsonl", [story(number) for number in range(40)]))
    rows = [Row("Bridges", "A bridge is long.", "What is long?", "bridge", 2, 1)]
    stream = Stream(rows, replace(NONE, strange=5, titled=1.0, whole_paragraphs=1.0), 1, written=written)
    made = [stream._stranger(row, random.Random(1)) for one in written for row in one.rows]
    by_title = {one.title: one.text for one in written}
    for example in (one for one in made if one is not None):
        title, _, text = example.passage.partition("\n")
        assert example.span is None
        assert by_title.get(title, text) == text


def test_our_own_test_set_has_a_gold_quote_in_its_document_for_each_question_that_has_an_answer(tmp_path: Path) -> None:
    for path in (OWN, write(tmp_path / "own.jsonl", [story(number) for number in range(3)])):
        own = own_texts(path)
        for question in own.questions:
            assert question.answerable == bool(question.gold)
            assert all(gold.quote in own.documents[gold.document] for gold in question.gold)
    assert [question.text for question in own.questions][:2] == [
        "Until when can I take the ferry?",
        "Why does Lena Holt stop the ferry?",
    ]


def test_no_text_is_both_trained_on_and_tested_on() -> None:
    trained = {one.text for one in load_written(FILE, held_out=None)}
    assert trained.isdisjoint(one.text for one in load_written(OWN, held_out=None))


def test_what_ships_has_texts_of_many_kinds_and_questions_of_which_two_in_five_are_not_answered() -> None:
    texts = load_written(FILE, held_out=None)
    rows = [row for one in texts for row in one.rows]
    assert len({one.text for one in texts}) == len(texts)
    assert len({one.set for one in texts}) > 10
    assert 0.35 < sum(row.answer is None for row in rows) / len(rows) < 0.5
    assert WITH_ASKED.written > 0

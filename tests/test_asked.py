"""Questions written as people ask: where they stand, which are held out, and how they come into the stream."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.data import ASKED
from training.asked import FILE, HELD_OUT, key, labelled, load_asked
from training.examples import WITH_ASKED, Row
from training.stream import Stream

TEXTS = [
    f"Bridge {number} was closed to traffic in March. The ferry was repaired by a firm from the islands."
    for number in range(40)
]
ELSEWHERE = "The ferry takes cars across twice a day, and three times on market days in the summer."
ROWS = [
    Row("Bridges", ELSEWHERE, "How often does it go?", "twice a day", 27, 1),
    *(
        row
        for text in TEXTS
        for row in (
            Row("Bridges", text, "What was closed?", text[:8].strip(), 0, 1),
            Row("Bridges", text, "Who was drowned?", None, 0, 0),
        )
    ),
]


def write(path: Path, lines: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def asked_of(text: str) -> list[dict[str, object]]:
    start = text.index("closed")
    return [
        {"text": key(text), "question": "May I drive across?", "start": start, "end": start + len("closed to traffic")},
        {"text": key(text), "question": "Who paid for the ferry?", "start": None, "end": None},
    ]


def test_answers_are_cut_from_the_data_and_some_texts_are_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "asked.jsonl", [line for text in TEXTS for line in asked_of(text)])
    kept, held_out = load_asked(ROWS, path), load_asked(ROWS, path, held_out=True)
    assert {row.answer for row in kept} == {"closed to traffic", None}
    assert all(row.answer is None or row.context[row.start :].startswith(row.answer) for row in kept)
    assert {row.context for row in held_out} == {t for t in TEXTS if int(key(t), 16) % HELD_OUT == 0}
    assert held_out
    assert len(kept) + len(held_out) == 2 * len(TEXTS)
    assert [one.answers for one in labelled(held_out)][:2] == [("closed to traffic",), ()]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "0000", "question": "Who?", "start": null, "end": null}', "no question on a paragraph"),
        ('{"question": "Who?"}', "no question on a paragraph"),
        ("[]", "no question on a paragraph"),
        ("not JSON", "no question on a paragraph"),
        (json.dumps({"text": key(TEXTS[0]), "question": "Who?", "start": 9000, "end": 9010}), "hold no answer"),
    ],
)
def test_what_is_no_such_question_is_named_by_its_line(tmp_path: Path, line: str, told: str) -> None:
    path = write(tmp_path / "asked.jsonl", asked_of(TEXTS[0]))
    path.write_text(path.read_text() + line)
    with pytest.raises(ValueError, match=rf"asked\.jsonl, line 3: .*{told}"):
        load_asked(ROWS, path)


def test_a_stream_asks_them_on_their_own_text_and_on_others(tmp_path: Path) -> None:
    path = write(tmp_path / "asked.jsonl", [line for text in TEXTS for line in asked_of(text)])
    asked = load_asked(ROWS, path)
    block = Stream(ROWS, replace(WITH_ASKED, recast=0.0), 1, asked=asked).block(0)
    about = [one for one in block if re.search("drive across|paid for", one.question, re.IGNORECASE)]
    assert len(about) == WITH_ASKED.asked + WITH_ASKED.asked_elsewhere
    answered = [one for one in about if one.span is not None]
    assert {one.passage[slice(*one.span)] for one in answered if one.span is not None} == {"closed to traffic"}
    assert 0.4 < len(answered) / WITH_ASKED.asked < 0.6


@pytest.mark.parametrize(("path", "name"), [(FILE, "text"), (ASKED, "document")])
def test_what_ships_holds_questions_and_no_text_of_the_data(path: Path, name: str) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(set(line) - {"also"} == {name, "question", "start", "end"} for line in lines)
    assert all(line["start"] is not None for line in lines if "also" in line)
    assert all(set(one) == {name, "start", "end"} for line in lines for one in line.get("also", ()))
    assert len({(line[name], line["question"]) for line in lines}) == len(lines)
    assert all(line["question"].strip() == line["question"] != "" for line in lines)
    assert all((line["start"] is None) == (line["end"] is None) for line in lines)
    assert 0.3 < sum(line["start"] is None for line in lines) / len(lines) < 0.5

"""qa/evaluation/labelled.py"""

import contextlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import QuestionError
from qa.evaluation import labelled
from qa.evaluation.labelled import LONGEST_LABEL, MOST_ANSWERS, Gold, Labelled, read_questions
from qa.types import LONGEST_QUESTION

NAMES = st.sampled_from(
    ["question", "answers", "facts", "answerable", "short_answer", "document", "quote", "conversation"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=5))


PLAIN = Labelled("A?", True, (Gold("a.txt", "A."),), ("A",), None, "c1")


def test_labelled_questions_are_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    full = {"question": "A?", "answers": [{"document": "a.txt", "quote": "A."}], "facts": ["A"], "conversation": "c1"}
    file.write_text(json.dumps(full) + "\n\n" + json.dumps({"question": "B?", "answerable": False}) + "\n")
    assert read_questions(file) == [PLAIN, Labelled("B?", False, (), (), None, None)]


def test_what_is_null_or_has_no_words_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    nothing = {"answers": None, "facts": None, "short_answer": "", "conversation": None, "answerable": None}
    file.write_text(json.dumps({"question": "A?", **nothing}))
    assert read_questions(file) == [Labelled("A?", True, (), (), None, None)]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"question": "A?"}\r\n{"question": "B?"}\r\n')
    assert [question.text for question in read_questions(file)] == ["A?", "B?"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"question": "A?"}\n{"answers": []}\n', "line 2: not a labelled question .'question' is missing"),
        (b"not json\n", "line 1: not a labelled question"),
        (b"[1]\n", "line 1: not a labelled question"),
        (b"\n", "no question in it"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "line 1: not a labelled question"),
        (b'{"question": " "}', "line 1: .*`question` is empty"),
        (b'{"question": 7}', "line 1: .*`question` is 7, not a text"),
        (b'{"question": "\\ud800"}', "line 1: .*surrogates not allowed"),
        (b'{"question": "A?", "facts": "A"}', "`facts` is 'A', not a list"),
        (b'{"question": "A?", "facts": [1]}', "`facts` holds 1, not a text"),
        (b'{"question": "A?", "answers": ["A"]}', "`answers` holds 'A', not an object"),
        (b'{"question": "A?", "answers": [{"document": "a.txt"}]}', "'quote' is missing"),
        (b'{"question": "A?", "answers": [{"document": "", "quote": "A."}]}', "`document` is empty"),
        (b'{"question": "A?", "answerable": "no"}', "`answerable` is 'no', not true or false"),
        (b'{"question": "A?", "conversation": 1}', "`conversation` is 1, not a text"),
    ],
)
def test_a_file_of_another_shape_is_refused_naming_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(content)
    with pytest.raises(QuestionError, match=message):
        read_questions(file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"question": "x" * (LONGEST_QUESTION + 1)}, r"line 1: .*2001 characters, 2000 are allowed"),
        ({"question": "A?", "facts": ["x" * (LONGEST_LABEL + 1)]}, r"`fact` has 10001 characters"),
        ({"question": "A?", "facts": ["x"] * (MOST_ANSWERS + 1)}, r"`facts` has 101 entries, 100 are allowed"),
    ],
)
def test_labels_have_a_largest_size(tmp_path: Path, line: dict[str, object], message: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps(line))
    with pytest.raises(QuestionError, match=message):
        read_questions(file)


def test_files_have_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "A?"}\n' * 3)
    monkeypatch.setattr(labelled, "MOST_QUESTIONS", 2)
    with pytest.raises(QuestionError, match="line 3: more than 2 questions"):
        read_questions(file)
    monkeypatch.setattr(labelled, "LARGEST_FILE", 20)
    with pytest.raises(QuestionError, match="larger than 20 bytes"):
        read_questions(file)


JSON = st.recursive(SCALARS, nested, max_leaves=8).map(lambda value: json.dumps(value).encode())


@given(st.one_of(st.binary(max_size=200), JSON))
def test_whatever_is_in_a_file_it_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "q.jsonl"
        file.write_bytes(content)
        with contextlib.suppress(QuestionError):
            assert read_questions(file)


def test_a_question_is_judged_by_whatever_its_labels_say() -> None:
    bare = replace(PLAIN, gold=(), facts=())
    assert not bare.is_judged
    assert replace(bare, short_answer="A").is_judged
    assert replace(bare, facts=("A",)).is_judged
    assert replace(bare, answerable=False).is_judged


def test_labels_have_a_name_that_changes_with_them_and_with_nothing_else() -> None:
    assert PLAIN.labels == replace(PLAIN, text="B?", conversation=None).labels
    others = [replace(PLAIN, gold=()), replace(PLAIN, answerable=False), replace(PLAIN, short_answer="A")]
    assert len({PLAIN.labels, *(other.labels for other in others)}) == 4

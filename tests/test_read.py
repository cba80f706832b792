import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ModelError
from index.load.normalise import normalise
from index.types import Kind, Span
from qa.read import LONGEST_SPAN, MODEL_FOLDER, SpanReader, best_first, candidates, shipped, title_above
from qa.types import Candidate
from tests.world import passage

TEXT = "The ban was announced on January 6. Exports stopped soon afterwards."


@pytest.fixture(scope="module", params=[0, 1], ids=["first", "second"])
def reader(request: pytest.FixtureRequest) -> SpanReader:
    both = shipped(threads=1)
    which: int = request.param
    return both[which]


def word_tokens(text: str) -> list[tuple[int, int]]:
    """Offsets of the words between single spaces."""
    found, at = [], 0
    for word in text.split(" "):
        found.append((at, at + len(word)))
        at += len(word) + 1
    return found


def logits(length: int, **peaks: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    row = np.zeros(length + 1, dtype=np.float32)
    for position, value in peaks.items():
        row[int(position[1:])] = value
    return row


def test_a_candidate_is_the_span_with_the_best_start_and_end() -> None:
    tokens = word_tokens(TEXT)
    best, *_ = candidates(passage(TEXT), tokens, logits(len(tokens), _6=5.0), logits(len(tokens), _7=4.0), 1)
    assert (best.text, best.score) == ("January 6.", 9.0)


def test_the_score_is_counted_from_the_models_no_answer() -> None:
    tokens = word_tokens(TEXT)
    best, *_ = candidates(
        passage(TEXT), tokens, logits(len(tokens), _0=3.0, _6=5.0), logits(len(tokens), _0=3.0, _7=4.0), 1
    )
    assert best.score == 3.0


def test_no_candidate_crosses_from_one_sentence_into_the_next() -> None:
    tokens = word_tokens(TEXT)
    # Best start in the first sentence, best end in the second.
    found = candidates(passage(TEXT), tokens, logits(len(tokens), _6=5.0), logits(len(tokens), _9=5.0), 1)
    assert all(c.sentence.span.covers(c.span) for c in found)
    assert "January 6. Exports" not in [c.text for c in found]


def test_candidates_of_one_passage_do_not_overlap() -> None:
    tokens = word_tokens(TEXT)
    found = candidates(passage(TEXT), tokens, logits(len(tokens)), logits(len(tokens)), 1)
    assert len(found) > 1
    assert all(not a.span.overlap(b.span) for i, a in enumerate(found) for b in found[:i])


def test_a_heading_is_no_candidate() -> None:
    text = "What happened on January 6\n\nThe ministry announced a ban that surprised its neighbours."
    piece = passage(text)
    assert piece.sentences[0].kind is Kind.HEADING
    tokens = [(0, 4), (5, 13), (17, 26), (32, 40)]
    found = candidates(piece, tokens, logits(4, _3=9.0), logits(4, _3=9.0), 1)
    assert [c.text for c in found] == [text[32:40]]


def test_a_span_is_no_longer_than_the_limit() -> None:
    text = " ".join(["word"] * 60) + "."
    tokens = word_tokens(text)
    best, *_ = candidates(passage(text), tokens, logits(60, _1=5.0), logits(60, _60=5.0), 1)
    assert len(best.text.split()) <= LONGEST_SPAN


def test_a_span_that_two_passages_hold_is_one_candidate() -> None:
    inside = TEXT[:35]
    whole, part = passage(TEXT), passage(inside, number=2, within=TEXT)
    span = Span(25, 34)
    twice = [Candidate(whole, whole.sentences[0], span, 1.0), Candidate(part, part.sentences[0], span, 2.0)]
    assert [c.score for c in best_first(twice)] == [2.0]


def test_the_shipped_reader_finds_the_words(reader: SpanReader) -> None:
    best = reader.read("When was the ban announced?", [passage(TEXT)])[0]
    assert best.text == "January 6"
    assert best.quote == "The ban was announced on January 6."


def test_the_shipped_readers_share_their_threads() -> None:
    first, second = shipped(threads=1)
    assert first.crew is second.crew
    assert first.fingerprint != second.fingerprint


def test_the_shipped_reader_prefers_the_passage_that_answers(reader: SpanReader) -> None:
    other = passage("Cats sleep for most of the day and hunt at night.", number=2, uri="b.txt")
    best = reader.read("When was the ban announced?", [other, passage(TEXT)])[0]
    assert best.passage.document.uri == "a.txt"


def test_a_passage_is_read_below_the_title_of_its_document(reader: SpanReader) -> None:
    text = "The president resigned on May 3 after weeks of protest, and the parliament named a successor."
    pieces = [passage(text, uri=f"{land}.txt", title=f"Unrest in {land}") for land in ("Peru", "Chile")]
    scores = [reader.read("When did the president of Peru resign?", [one])[0].score for one in pieces]
    assert scores[0] != scores[1]


def test_a_title_never_answers(reader: SpanReader) -> None:
    piece = passage("Nobody was hurt. The crew was taken ashore.", title="Ferry Ulvik sinks off Skarvik on May 3")
    found = reader.read("When did the ferry Ulvik sink?", [piece])
    assert found
    assert all(piece.span.covers(one.span) and one.quote in piece.text for one in found)


@pytest.mark.parametrize(
    ("title", "above"),
    [("Ferry sinks", "Ferry sinks\n"), ("", ""), (" \n", ""), ("Nobody was hurt", ""), ("x" * 500, "x" * 120 + "\n")],
)
def test_a_title_is_a_line_above_unless_the_passage_begins_with_it(title: str, above: str) -> None:
    assert title_above(passage("Nobody was hurt. The crew went home.", title=title)) == above


def test_the_scores_of_a_passage_do_not_depend_on_what_is_read_beside_it(reader: SpanReader) -> None:
    other = passage("Cats sleep. " * 30 + "They hunt.", number=2, uri="b.txt")
    question = "When was the ban announced?"
    alone = reader.read(question, [passage(TEXT)])[0]
    beside = next(c for c in reader.read(question, [other, passage(TEXT)]) if c.span == alone.span)
    assert beside.score == alone.score


def test_passages_that_are_read_side_by_side_score_as_they_do_one_after_the_other(reader: SpanReader) -> None:
    texts = [
        f"The {name} was closed on May {day}. " * day for day, name in enumerate(["pier", "mill", "gate"], start=2)
    ]
    pieces = [passage(text.strip(), number=n, uri=f"{n}.txt") for n, text in enumerate(texts)]
    question = "When was the mill closed?"
    expected = reader.read(question, pieces)
    beside = next(one for one in shipped(threads=3) if one.fingerprint == reader.fingerprint)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: beside.read(question, pieces), range(8)))
    assert found == [expected] * 8


def test_nothing_to_read_gives_no_candidate(reader: SpanReader) -> None:
    assert reader.read("When?", []) == []


def test_a_long_question_and_a_long_sentence_are_read_within_the_models_limit(reader: SpanReader) -> None:
    piece = passage("word " * 400 + "end")
    assert all(c.passage is piece for c in reader.read("when " * 400, [piece]))


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=120), st.text(max_size=40), st.text(max_size=40))
def test_every_candidate_is_a_slice_of_its_text_whatever_the_characters(
    reader: SpanReader, raw: str, question: str, title: str
) -> None:
    text = normalise(raw).strip()
    if not text:
        return
    piece = passage(text, title=title)
    for candidate in reader.read(normalise(question), [piece]):
        assert candidate.text == candidate.span.of(text)
        assert candidate.quote == candidate.sentence.span.of(text)
        assert "\n" not in candidate.quote


def copy_of_the_model(folder: Path) -> Path:
    return Path(shutil.copytree(MODEL_FOLDER, folder / "model"))


def test_a_missing_reader_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no usable reader in .*reinstall"):
        SpanReader(tmp_path)


def test_a_damaged_reader_is_refused(tmp_path: Path) -> None:
    model = copy_of_the_model(tmp_path)
    data = bytearray((model / "reader.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (model / "reader.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        SpanReader(model)


def test_a_reader_of_another_format_is_refused(tmp_path: Path) -> None:
    model = copy_of_the_model(tmp_path)
    config = json.loads((model / "reader.json").read_text())
    (model / "reader.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        SpanReader(model)

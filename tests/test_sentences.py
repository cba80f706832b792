from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.load.normalise import normalise
from index.sentences import LONGEST, split
from index.types import Kind

# Stops, quotes, spaces of many kinds, and the characters that count differently in bytes, UTF-16 and on the screen.
TRICKY = st.sampled_from(
    (
        ". |! |? |… |。|？|.\n|\n\n|Dr. |e.g. |U.S. |“|”|\"|'|(|)|[1]|1. |word |Word| |שלום|مرحبا|ｱ|\ufffd|\U0010ffff|"
        "\u3000|\u00a0|\u2009|\u200b|\u200d|\u2060|\ufeff|\u202e|\u202c|e\u0301|\u0301|\U0001f600|\U00020000|"
        "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    ).split("|")
) | st.sampled_from(["x" * 600, "y " * 400, "z. " * 300])
CANONICAL = st.lists(TRICKY | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join).map(normalise)
LANGUAGES = st.sampled_from([None, "en", "en-GB", "de", "zh", "ja", "ar", "xx", "qqq-Latn"])


@settings(max_examples=100, deadline=None)
@given(CANONICAL, LANGUAGES)
@example("a" * 5_000, None)
@example("“" * 1_500 + " x", "en")
@example("\u0301" * 2_500, None)
@example("。" * 2_500, "zh")
@example("\u200b. \u200b", None)
@example(("a" * 999 + " ") * 3, None)
def test_every_character_that_is_not_white_space_is_in_exactly_one_sentence(text: str, language: str | None) -> None:
    spans = [sentence.span for sentence in split(text, language)]
    position = 0
    for span in spans:
        assert text[position : span.start].strip() == ""
        assert span.start >= position
        assert 0 < len(span) <= LONGEST
        assert span.of(text) == span.of(text).strip()
        assert "\n" not in span.of(text)
        position = span.end
    assert text[position:].strip() == ""


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith of the U.S. agency spoke. He left.", ["Dr. Smith of the U.S. agency spoke.", "He left."]),
        ("It cost 3.5 dollars, e.g. in Lisbon. Later 4.", ["It cost 3.5 dollars, e.g. in Lisbon.", "Later 4."]),
        ("She asked: “Why?” Nobody knew.", ["She asked: “Why?”", "Nobody knew."]),
        ("“We will see,” he said. “Not now.”", ["“We will see,” he said.", "“Not now.”"]),
        ("Is it? It is! Good.", ["Is it?", "It is!", "Good."]),
        ("One line\nTwo lines", ["One line", "Two lines"]),
        (
            "Smile \U0001f600. Then e\u0301 and \U00020000. End.",
            ["Smile \U0001f600.", "Then e\u0301 and \U00020000.", "End."],
        ),
        ("שלום עולם. מה שלומך?", ["שלום עולם.", "מה שלומך?"]),
        ("", []),
        (" \n \u3000\n", []),
    ],
)
def test_english_and_other_sentences(text: str, sentences: list[str]) -> None:
    assert [sentence.span.of(text) for sentence in split(text)] == sentences


def test_the_language_chooses_the_rules() -> None:
    assert [s.span.of("你好。再见。") for s in split("你好。再见。", "zh-Hans")] == ["你好。", "再见。"]


def test_headings_and_captions_are_one_sentence_whatever_stops_they_hold() -> None:
    text = (
        "What the U.S. court. decided\nThe court decided on Monday that it would wait.\nA ship. File Photo by A. B. Doe"
    )
    assert [(s.span.of(text), s.kind) for s in split(text)] == [
        ("What the U.S. court. decided", Kind.HEADING),
        ("The court decided on Monday that it would wait.", Kind.BODY),
        ("A ship. File Photo by A. B. Doe", Kind.CAPTION),
    ]


def test_what_is_too_long_is_cut_after_a_stop_else_at_a_space_else_hard() -> None:
    stops = "“" + "No one came. " * 200 + "”"
    assert {s.span.of(stops)[-1] for s in split(stops)[:-1]} == {"."}
    words = "word " * 500
    assert {s.span.of(words)[-4:] for s in split(words)} == {"word"}
    assert [len(s.span) for s in split("a" * 2_500)] == [LONGEST, LONGEST, 500]


@pytest.mark.parametrize(
    "unit", ["word ", "a", "The lazy dog sleeps near the bank. ", "Dr. ", "\U0001f600", "\u0301", "("]
)
def test_two_million_characters_on_one_line_take_bounded_time(unit: str) -> None:
    text = (unit * 2_000_000)[:2_000_000]
    began = time.perf_counter()
    sentences = split(text)
    assert time.perf_counter() - began < 30
    assert max(len(s.span) for s in sentences) <= LONGEST


@pytest.mark.parametrize("unit", ["“x. ", "1. ", "word. "])
def test_a_line_of_nothing_but_ends_of_sentences_takes_time_in_proportion(unit: str) -> None:
    def seconds(characters: int) -> float:
        began = time.perf_counter()
        split((unit * characters)[:characters])
        return time.perf_counter() - began

    assert seconds(400_000) < 30 * max(0.05, seconds(40_000))

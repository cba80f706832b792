from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.load.normalise import normalise, tidy, without_controls

# Any code point, surrogates included, and often the ones that interact: marks, line ends, BOM, controls, RTL, joiners.
TRICKY = (
    st.sampled_from("\n\r\v\f\x85\u2028\u2029\ufeff\x00\t\x1c\x7f\x9f\ud800\udfff \u3000\u200b\u200d\u202e\u05d0")
    | st.sampled_from("e\u0301\u0316\u0344\u0f71\u0f73\u0f81\u1100\u1161\u11a8\uac00\U0001f468\u212b<\u0338")
    | st.just("\r\n")
)
ANY_TEXT = st.lists(TRICKY | st.characters(exclude_categories=()), max_size=80).map("".join)


@given(ANY_TEXT)
@example("\x00\ufeff\ufeffa")
@example("e\x00\u0301")
@example("\u0301\u0316" * 40)
@example("\u0f73" * 40 + "\u0301")
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(ANY_TEXT)
def test_canonical_text_is_nfc_without_controls_and_encodes(text: str) -> None:
    canonical = normalise(text)
    assert unicodedata.is_normalized("NFC", canonical)
    assert {character for character in canonical if unicodedata.category(character) in {"Cc", "Cs"}} <= {"\n"}
    assert not canonical.startswith("\ufeff")
    assert not {"\u2028", "\u2029"} & set(canonical)
    assert canonical.encode().decode() == canonical


@given(ANY_TEXT)
def test_long_runs_of_marks_are_composed_as_unicode_says(text: str) -> None:
    assert normalise(text) == unicodedata.normalize("NFC", without_controls(text))


@given(ANY_TEXT)
def test_tidying_twice_changes_nothing_and_keeps_the_text_normal(text: str) -> None:
    once = tidy(normalise(text))
    assert tidy(once) == once
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("a\r\nb\rc\vd\fe\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("\ufeffa\ufeffb", "a\ufeffb"),
        ("a\tb", "a b"),
        ("a\x00b\x1b[0mc\x7f\x80", "ab[0mc"),
        ("cafe\u0301", "caf\u00e9"),
        ("\ud83d", "\ufffd"),
        ("\U0001f468\u200d\U0001f469 \u202b\u05e9", "\U0001f468\u200d\U0001f469 \u202b\u05e9"),
    ],
)
def test_what_becomes_of(raw: str, canonical: str) -> None:
    assert normalise(raw) == canonical


def test_markup_is_not_composed_before_it_is_parsed() -> None:
    assert without_controls("<p>\u0338\x00x") == "<p>\u0338x"


def test_tidy_leaves_one_empty_line_between_blocks_and_none_at_the_ends() -> None:
    assert tidy("\n \n a  \n\n \n\nb\nc \n\n") == " a\n\nb\nc"


@pytest.mark.parametrize("unit", ["\u0301\u0316", "\u0f73", "\u0344\u0316"])
def test_a_hostile_run_of_marks_takes_no_quadratic_time(unit: str) -> None:
    # In its usual way CPython needs minutes for this.
    began = time.perf_counter()
    assert len(normalise("a" + unit * 100_000)) >= 100_000
    assert time.perf_counter() - began < 10


def test_thirty_two_megabytes_on_one_line_are_normalised() -> None:
    assert len(normalise("\x00caf\u00e9 " + "word " * 6_400_000)) == 32_000_005

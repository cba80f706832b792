"""A passage cut down to what is around one of its sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Passage
from tests.world import passage

TEXT = "Nothing happened for weeks. Then the ban came. It was sudden. Trade fell by a third within a month."


@pytest.mark.parametrize(
    ("characters", "kept"),
    [
        (1, "Then the ban came."),
        (34, "Then the ban came. It was sudden."),
        (60, "Then the ban came. It was sudden."),
        (61, "Nothing happened for weeks. Then the ban came. It was sudden."),
        (1_000, TEXT),
    ],
)
def test_what_is_around_a_sentence_grows_with_the_room(characters: int, kept: str) -> None:
    whole = passage(TEXT)
    assert whole.around(whole.sentences[1], characters).text == kept


@given(
    texts=st.lists(st.sampled_from(["One.", "Two is longer.", "Three 😀 is e\u0301.", "Four"]), min_size=1, max_size=6),
    at=st.integers(0, 5),
    characters=st.integers(0, 120),
)
def test_it_is_a_part_of_the_passage_in_its_coordinates(texts: list[str], at: int, characters: int) -> None:
    text = "\n".join(texts)
    whole = passage(text, within=f"Before it.\n{text}\nBehind it.")
    sentence = whole.sentences[at % len(whole.sentences)]
    part: Passage = whole.around(sentence, characters)
    assert part.id == whole.id
    assert sentence in part.sentences
    assert part.text == whole.slice(part.span)
    assert set(part.sentences) <= set(whole.sentences)
    assert len(part.text) <= max(characters, len(sentence.span))

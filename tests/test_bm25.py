from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.bm25 import TEXT, TITLE, Field, best, gain, rarity

PLAIN = Field(weight=1.0, k1=1.0, b=0.5, usual=10.0)


def gained(counts: list[int], lengths: list[int], field: Field = PLAIN) -> list[float]:
    gains: list[float] = gain(np.array(counts, dtype=np.uint8), np.array(lengths, dtype=np.uint8), field).tolist()
    return gains


def test_a_term_of_few_passages_weighs_more_and_none_weighs_nothing_or_less() -> None:
    # ln(1 + (10 - 2 + 0.5) / (2 + 0.5)) = ln 4.4
    assert rarity(2, 10) == pytest.approx(1.4816045409242156)
    weights = [rarity(holding, 10) for holding in range(11)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] == pytest.approx(math.log(1 + 0.5 / 10.5))


def test_the_empty_generation_has_a_rarity_too() -> None:
    assert rarity(0, 0) == pytest.approx(math.log(2.0))


@pytest.mark.parametrize(("holding", "size"), [(-1, 3), (4, 3)])
def test_a_term_is_held_by_some_of_the_passages(holding: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"{holding} of {size} passages"):
        rarity(holding, size)


def test_once_in_a_passage_of_the_usual_length_is_worth_the_fields_weight() -> None:
    assert gained([1], [10]) == [1.0]
    assert gained([1], [10], Field(weight=0.5, k1=2.0, b=1.0, usual=10.0)) == [0.5]


def test_more_occurrences_are_worth_more_but_each_less_than_the_one_before() -> None:
    # 2 n / (n + 1), at the usual length
    assert gained([1, 2, 3], [10, 10, 10]) == pytest.approx([1.0, 4 / 3, 1.5])


def test_the_same_in_a_longer_passage_is_worth_less() -> None:
    # 2 / (1 + 0.5 + 0.5 length / 10)
    assert gained([1, 1, 1], [0, 10, 30]) == pytest.approx([4 / 3, 1.0, 2 / 3])
    assert len(set(gained([1, 1], [5, 250], Field(weight=1.0, k1=1.0, b=0.0, usual=10.0)))) == 1


@given(st.sampled_from([TEXT, TITLE]), st.integers(1, 255), st.integers(1, 255))
def test_a_gain_is_bounded(field: Field, count: int, length: int) -> None:
    assert 0.0 < gained([count], [length], field)[0] < field.weight * (field.k1 + 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"weight": -1.0}, {"k1": -0.1}, {"b": 1.1}, {"b": -0.1}, {"usual": 0.0}, {"b": math.nan}],
)
def test_a_field_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not a field of BM25"):
        Field(**{"weight": 1.0, "k1": 1.2, "b": 0.75, "usual": 80.0, **wrong})


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]), max_size=30), st.integers(-1, 40))
def test_the_best_are_the_first_of_all_that_score_sorted(scores: list[float], limit: int) -> None:
    expected = sorted((row for row, score in enumerate(scores) if score > 0), key=lambda row: (-scores[row], row))
    assert best(np.array(scores, dtype=np.float64), limit).tolist() == expected[: max(0, limit)]

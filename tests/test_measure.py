import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from index.types import Span
from qa.measure import exact_match, ndcg, overlaps, plain_answer, recall, token_f1


def test_answers_are_compared_without_case_articles_and_punctuation() -> None:
    assert plain_answer("The  U.S. Army, ") == "us army"
    assert exact_match("the Ministry!", ["a ministry", "nobody"]) == 1.0
    assert exact_match("ministry of trade", ["ministry"]) == 0.0


@pytest.mark.parametrize(
    ("given", "gold", "f1"),
    [
        ("January 6", ["on January 6"], 0.8),  # 2 common words: 2 * 2 / (2 + 3)
        ("January 6", ["Tuesday", "January 6"], 1.0),
        ("nobody", ["somebody"], 0.0),
        ("the", ["an"], 1.0),  # nothing left on both sides
        ("word", [], 0.0),
    ],
)
def test_token_f1_takes_the_best_gold_answer(given: str, gold: list[str], f1: float) -> None:
    assert token_f1(given, gold) == pytest.approx(f1)


def test_spans_overlap_when_they_share_half_of_the_shorter_one() -> None:
    assert overlaps(Span(0, 100), Span(95, 105))
    assert not overlaps(Span(0, 100), Span(96, 106))
    assert not overlaps(Span(5, 5), Span(0, 10))


def test_ndcg_discounts_by_the_logarithm_of_the_rank() -> None:
    relevant = {"a": 1.0, "b": 1.0}
    assert ndcg(["a", "b", "c"], relevant, 10) == 1.0
    # At ranks 1 and 3, of at best 1 and 2: (1 + 1/2) / (1 + 1/log2(3)).
    assert ndcg(["a", "c", "b"], relevant, 10) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert ndcg(["c", "a", "b"], relevant, 1) == 0.0


def test_what_is_relevant_and_was_not_found_counts_in_the_ideal() -> None:
    assert ndcg(["a"], {"a": 1.0, "missing": 1.0}, 10) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert ndcg(["a"], {"a": 1.0, "missing": 1.0}, 1) == 1.0


def test_what_is_found_twice_counts_once() -> None:
    assert ndcg(["a", "a", "b"], {"a": 1.0, "b": 1.0}, 10) == 1.0
    assert recall(["a", "a", "b"], {"a", "b"}, 2) == 0.5


def test_nothing_is_found_of_what_does_not_exist() -> None:
    assert (ndcg(["a"], {}, 10), recall(["a"], {}, 10)) == (0.0, 0.0)


def test_recall_is_the_share_found_among_the_first() -> None:
    assert recall(["x", "a", "b"], {"a", "b", "c"}, 2) == pytest.approx(1 / 3)
    assert recall(["x", "a", "b"], {"a", "b", "c"}, 3) == pytest.approx(2 / 3)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=2, max_size=15), st.integers(1, 15))
def test_ndcg_is_that_of_scikit_learn(gains: list[float], k: int) -> None:
    names = [str(rank) for rank in range(len(gains))]
    theirs = ndcg_score([gains], [[-float(rank) for rank in range(len(gains))]], k=k) if any(gains) else 0.0
    assert ndcg(names, dict(zip(names, gains, strict=True)), k) == pytest.approx(theirs)

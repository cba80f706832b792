"""qa/evaluation/chance.py, against values worked out by hand and against scipy, which sentence-transformers needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa.evaluation.chance import Interval, bootstrap, mcnemar, paired_p, wilson

COIN = ([1.0, 0.0] * 50, [1] * 100)


def test_an_interval_surrounds_the_share_as_widely_as_the_normal_one() -> None:
    found = bootstrap(*COIN, seed=0)
    assert found is not None
    # 0.5 ± 1.96 x sqrt(0.25 / 100)
    assert [found.low, found.high] == pytest.approx([0.402, 0.598], abs=0.02)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap(*COIN, seed=7) == bootstrap(*COIN, seed=7)


def test_many_units_are_drawn_in_pieces_and_all_are_drawn() -> None:
    found = bootstrap([1.0, 0.0] * 300_000, [1] * 600_000, seed=0, resamples=5)
    assert found is not None
    assert found.low == pytest.approx(0.5, abs=0.005)
    assert found.low < found.high


def test_questions_of_one_conversation_are_drawn_together() -> None:
    alone = bootstrap([1.0] * 20 + [0.0] * 20, [1] * 40, seed=0)
    together = bootstrap([10.0, 10.0, 0.0, 0.0], [10] * 4, seed=0)
    assert alone is not None
    assert together == Interval(0.0, 1.0)
    assert alone.high - alone.low < 0.4


def test_units_that_count_nothing_change_no_rate() -> None:
    assert bootstrap([1.0, 1.0, 0.0], [1, 1, 0], seed=0) == Interval(1.0, 1.0)


@pytest.mark.parametrize("nothing", [([], []), ([0.0], [0])])
def test_there_is_no_interval_of_nothing(nothing: tuple[list[float], list[int]]) -> None:
    assert bootstrap(*nothing, seed=0) is None


def test_an_interval_is_the_one_that_scipy_finds() -> None:
    values = np.random.default_rng(3).normal(size=80)
    found = bootstrap(values.tolist(), [1] * 80, seed=1)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    assert found is not None
    assert [found.low, found.high] == pytest.approx([theirs.low, theirs.high], abs=0.02)


@pytest.mark.parametrize(("right", "count"), [(0, 3), (3, 3), (7, 10), (81, 263)])
def test_a_share_s_interval_is_the_one_that_scipy_finds(right: int, count: int) -> None:
    theirs = stats.binomtest(right, count).proportion_ci(method="wilson")
    found = wilson(right, count)
    assert [found.low, found.high] == pytest.approx([theirs.low, theirs.high], abs=1e-12)


def test_of_nothing_any_share_may_be() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (3, 0, 0.25),  # 2 / 2^3
        (1, 7, 18 / 256),  # 2 x (1 + 8) / 2^8
        (10, 2, 158 / 4096),  # 2 x (1 + 12 + 66) / 2^12
    ],
)
def test_changes_for_better_and_worse_are_weighed_exactly(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse) == pytest.approx(p)


@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_it_is_the_binomial_test_of_scipy(better: int, worse: int) -> None:
    if better + worse:
        theirs = stats.binomtest(better, better + worse, 0.5).pvalue
        assert mcnemar(better, worse) == pytest.approx(theirs, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([], 1.0),
        ([0.0, 0.0], 1.0),
        ([0.5], 1.0),  # either sign is as far
        ([0.1, 0.2, 0.3], 2 / 8),
        ([0.1, 0.2, -0.3], 1.0),  # a mean of 0 is the nearest there is
        ([0.3, 0.3, 0.3, -0.1], 4 / 16),  # sums as far as 0.8: 0.8 and 1.0, and both below
        ([0.25, 0.0, 0.25, 0.25], 2 / 8),  # what did not change says nothing
    ],
)
def test_few_differences_are_weighed_by_all_their_signs(differences: list[float], p: float) -> None:
    assert paired_p(differences, seed=0) == pytest.approx(p)


def test_many_differences_are_weighed_by_signs_drawn_at_random() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1.0, size=60)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9_999, rng=np.random.default_rng(1)
    ).pvalue
    assert 0.01 < theirs < 0.99
    assert paired_p(differences.tolist(), seed=0) == pytest.approx(theirs, abs=0.015)
    assert paired_p(differences.tolist(), seed=5) == paired_p(differences.tolist(), seed=5)


def test_what_never_was_drawn_is_not_impossible() -> None:
    assert paired_p([1.0] * 100, seed=0) == pytest.approx(1 / 10_001)

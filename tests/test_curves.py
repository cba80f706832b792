"""qa/evaluation/curves.py, against values worked out by hand and scikit-learn, which sentence-transformers needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from qa.evaluation.curves import Bin, Point, area_under, auroc, calibration_error, reliability, risk_coverage

_JUDGED = st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=60)


def test_confidences_are_gathered_in_bins_of_equal_width() -> None:
    assert reliability([0.05, 0.125, 0.1875, 1.0], [False, True, False, True]) == [
        Bin(0.0, 0.1, 1, 0.05, 0.0),
        Bin(0.1, 0.2, 2, 0.15625, 0.5),
        Bin(0.9, 1.0, 1, 1.0, 1.0),
    ]


def test_a_confidence_at_the_edge_belongs_to_the_upper_bin() -> None:
    assert [one.low for one in reliability([0.5], [True], bins=2)] == [0.5]


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_what_is_no_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="not a confidence"):
        reliability([confidence], [True])


def test_the_calibration_error_weighs_bins_by_their_questions() -> None:
    # Three questions at 0.9 of which two are right, one at 0.2 that is wrong: (3 x |0.9 - 2/3| + 1 x |0.2 - 0|) / 4.
    bins = reliability([0.9, 0.9, 0.9, 0.2], [True, True, False, False])
    assert calibration_error(bins) == pytest.approx((0.7 + 0.2) / 4)
    assert calibration_error([]) is None


def test_more_coverage_takes_in_the_less_sure() -> None:
    # Surest first: right, wrong, right, wrong.
    assert risk_coverage([0.2, 0.9, 0.5, 0.7], [False, True, True, False]) == [
        Point(0.9, 0.25, 0.0),
        Point(0.7, 0.5, 0.5),
        Point(0.5, 0.75, 1 / 3),
        Point(0.2, 1.0, 0.5),
    ]


def test_questions_that_are_as_sure_are_answered_together() -> None:
    assert risk_coverage([0.5, 0.5, 0.5], [True, False, False]) == [Point(0.5, 1.0, 2 / 3)]


def test_the_area_is_the_mean_risk_over_the_questions() -> None:
    curve = risk_coverage([0.2, 0.9, 0.5, 0.7], [False, True, True, False])
    assert area_under(curve) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert area_under([]) is None


@given(_JUDGED)
def test_the_curve_ends_with_everything_answered(judged: list[tuple[float, bool]]) -> None:
    right = [good for _, good in judged]
    last = risk_coverage([confidence for confidence, _ in judged], right)[-1]
    assert (last.coverage, last.wrong) == (1.0, right.count(False) / len(right))


def test_auroc_counts_pairs_in_the_right_order_and_half_of_the_ties() -> None:
    # Answerable 0.8 and 0.4, not 0.4 and 0.1: 0.8 wins twice, 0.4 ties once and wins once.
    assert auroc([0.8, 0.4, 0.4, 0.1], [True, True, False, False]) == pytest.approx(3.5 / 4)
    assert auroc([0.8, 0.4], [True, True]) is None


@given(_JUDGED)
def test_auroc_is_that_of_scikit_learn(judged: list[tuple[float, bool]]) -> None:
    confidences, positive = [c for c, _ in judged], [p for _, p in judged]
    if len(set(positive)) == 2:
        assert auroc(confidences, positive) == pytest.approx(roc_auc_score(positive, confidences))

"""qa/risk.py"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.risk import HOPELESS, MOST_THRESHOLDS, SILENT, SURE, Trials, keeping, trials, upper_bound, usual

_CONFIDENCE = st.floats(0.0, 0.999)
_STEPS = st.lists(st.tuples(_CONFIDENCE, st.booleans()), min_size=1, max_size=4)
_ROWS = st.lists(st.tuples(st.booleans(), _STEPS), min_size=1, max_size=30)


def _asked(*once: tuple[float, bool], unanswerable: tuple[float, ...] = ()) -> Trials:
    """Questions read in one helping: (confidence, right) of the answerable ones, confidence of the others."""
    rows = [(True, [step]) for step in once] + [(False, [(confidence, False)]) for confidence in unanswerable]
    return trials(rows)


@pytest.mark.parametrize(
    ("wrong", "answered", "bound"),
    [
        (0, 10, 1 - 0.05 ** (1 / 10)),  # nothing wrong: (1 - p)^n = 0.05
        (0, 59, 1 - 0.05 ** (1 / 59)),
        (9, 10, 0.95 ** (1 / 10)),  # all but one: 1 - p^n = 0.05
        (5, 50, 0.19880),  # beta quantile 0.95 of (6, 45)
    ],
)
def test_the_bound_is_that_of_clopper_and_pearson(wrong: int, answered: int, bound: float) -> None:
    assert upper_bound(wrong, answered) == pytest.approx(bound, abs=2e-4)


def test_nothing_is_known_of_what_was_never_seen() -> None:
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(3, 3) == 1.0


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_bound_lies_above_the_share(wrong: int, more: int) -> None:
    answered = wrong + more
    if answered:
        assert wrong / answered <= upper_bound(wrong, answered) <= 1.0


def test_the_lowest_threshold_that_keeps_the_risk_is_taken() -> None:
    sure = [(0.9 - 0.001 * n, True) for n in range(60)]
    unsure = [(0.5, False)] * 30
    found = keeping(_asked(*sure, *unsure).curve(), 0.05)
    assert found.threshold == pytest.approx(0.841)
    assert (found.wrong, found.target) == (0.0, 0.05)
    assert found.coverage == pytest.approx(60 / 90)
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / 60))


def test_a_wrong_answer_to_what_has_none_counts() -> None:
    kept = _asked(*[(0.8, True)] * 60, unanswerable=(0.8,) * 20).at(0.5)
    assert kept.wrong == pytest.approx(20 / 80)
    assert kept.coverage == 1.0


def test_says_nothing_at_a_risk_that_nothing_keeps() -> None:
    found = keeping(_asked((0.9, True), (0.8, True)).curve(), 0.05)
    assert found.threshold == SILENT
    assert found.coverage == 0.0


def test_the_default_is_the_smallest_usual_risk_that_answers_enough() -> None:
    rows = [(0.9, True)] * 50 + [(0.6, True)] * 40 + [(0.6, False)] * 3
    assert usual(_asked(*rows).curve()).target == 0.1


def test_the_default_answers_enough_where_no_usual_risk_does() -> None:
    rows = [(0.9 - 0.01 * n, n % 2 == 0) for n in range(50)]
    found = usual(_asked(*rows).curve())
    assert found.target is None
    assert found.coverage == pytest.approx(0.86)
    assert found.wrong == pytest.approx(21 / 43)


def test_reading_stops_where_the_service_stops() -> None:
    later = trials([(True, [(0.12, False), (0.7, True)])])
    assert HOPELESS == 0.2
    assert later.at(0.1).wrong == 0.0, "the first would do, and it reads on: it is not sure"
    assert later.at(0.6).wrong == 0.0, "reads on to the second"
    at_once = trials([(True, [(SURE, False), (0.95, True)])])
    assert at_once.at(0.1).wrong == 1.0, "sure at the first"
    assert at_once.at(0.92).wrong == 0.0, "a stricter threshold reads on"
    fallen = trials([(True, [(0.5, True), (0.3, True)])])
    assert fallen.at(0.4).coverage == 0.0, "no surer in the end than that"
    assert later.at(0.61).coverage == 0.0, "given up after the first"


@given(_ROWS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_stricter_threshold_never_answers_what_a_laxer_one_does_not(
    rows: list[tuple[bool, list[tuple[float, bool]]]], one: float, other: float
) -> None:
    asked = trials(rows)
    low, high = sorted((one, other))
    for trial in asked.trials:
        if trial.at(low) is None:
            assert trial.at(high) is None


@given(_ROWS, st.floats(0.01, 1.0))
def test_what_is_kept_is_within_the_risk_or_silent(
    rows: list[tuple[bool, list[tuple[float, bool]]]], risk: float
) -> None:
    found = keeping(trials(rows).curve(), risk)
    assert found.bound <= risk or found.threshold == SILENT
    assert not math.isnan(found.wrong)


def test_a_curve_of_many_questions_stays_short() -> None:
    curve = _asked(*[(n / 5000, n % 3 > 0) for n in range(5000)]).curve()
    assert len(curve) == MOST_THRESHOLDS + 1
    assert [kept.threshold for kept in curve] == sorted(kept.threshold for kept in curve)

"""Drift: how far the confidence of answers is from the calibration's, and when that is more than chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.drift import FEWEST, WINDOW, Drift, distance

SAMPLES = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=40)


def test_the_distance_is_the_largest_gap_between_the_two_shares() -> None:
    """At 0.5: all of one side, and one of four of the other."""
    found = distance([0.2, 0.3, 0.5], [0.4, 0.6, 0.7, 0.9])
    assert found.value == pytest.approx(0.75)
    assert found.answers == 3


def test_what_chance_leaves_is_as_in_the_tables() -> None:
    """c(0.01) = 1.628; for 100 and 400 it is 1.628 * sqrt(500 / 40000)."""
    assert distance([0.5] * 100, [0.5] * 400).chance == pytest.approx(0.1820, abs=1e-4)


@given(SAMPLES, SAMPLES)
def test_the_distance_is_that_of_the_slow_way_and_the_same_both_ways(a: list[float], b: list[float]) -> None:
    slow = max(abs(sum(x <= t for x in a) / len(a) - sum(x <= t for x in b) / len(b)) for t in [*a, *b])
    assert distance(a, b).value == pytest.approx(slow)
    assert distance(a, b).value == distance(b, a).value
    assert distance(a, a).value == 0.0


def test_answers_like_those_of_the_calibration_are_no_drift_and_others_are() -> None:
    draw = random.Random(7)
    reference = [draw.betavariate(5, 2) for _ in range(300)]
    alike, lower = Drift(reference), Drift(reference)
    for _ in range(WINDOW):
        alike.add(draw.betavariate(5, 2))
        lower.add(draw.betavariate(3, 3))
    near, far = alike.distance(), lower.distance()
    assert near is not None
    assert far is not None
    assert near.value < near.chance
    assert far.value > far.chance


def test_too_few_answers_on_either_side_tell_nothing() -> None:
    drift, empty = Drift([0.5] * FEWEST), Drift([])
    for _ in range(FEWEST - 1):
        drift.add(0.9)
        empty.add(0.9)
    assert drift.distance() is None
    drift.add(0.9)
    empty.add(0.9)
    assert drift.distance() is not None
    assert empty.distance() is None


def test_only_the_latest_answers_count() -> None:
    drift = Drift([0.9] * FEWEST)
    for _ in range(WINDOW):
        drift.add(0.1)
    for _ in range(WINDOW):
        drift.add(0.9)
    found = drift.distance()
    assert found is not None
    assert (found.value, found.answers, drift.seen) == (0.0, WINDOW, WINDOW)

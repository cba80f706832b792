"""qa/evaluation/outcomes.py"""

import json
from dataclasses import replace

import pytest

from qa.evaluation.chance import Interval
from qa.evaluation.outcomes import AtThreshold, Verdict
from tests.judged import FOUR, THRESHOLD, outcome, report


def test_a_question_comes_out_in_one_of_four_ways() -> None:
    assert [one.verdict for one in FOUR] == [
        Verdict.RIGHT, Verdict.WRONG, Verdict.SILENT, Verdict.RIGHTLY_SILENT
    ]  # fmt: skip
    assert [one.good for one in FOUR] == [True, False, False, True]
    assert outcome("x", 0.9, answerable=False).verdict is Verdict.WRONG


def test_rates_are_means_over_the_questions_that_they_are_about() -> None:
    rates = report(*FOUR).rates()
    assert rates == {
        "questions": 4,
        "answerable": 3,
        "unanswerable": 1,
        "without labels": 0,
        "right": 0.3333,
        "right document first": 0.3333,
        "quote overlaps gold": 0.3333,
        "answered (of answerable)": 0.6667,
        "right when answered": 0.5,
        "wrong when answered": 0.5,
        "silent (of unanswerable)": 1.0,
        "answered (of all)": 0.5,
        "right or rightly silent": 0.5,
        "short answer exact match": None,
        "short answer token F1": 0.7,  # (1 + 0.4) / 2: those that gave one
        "token F1, silence as 0": 0.4667,  # (1 + 0.4 + 0) / 3
        "nDCG@10": 0.5,
        "recall@10": 0.5,
        # Each in a bin of its own: (0.1 + 0.7 + 0.7 + 0.1) / 4.
        "expected calibration error": 0.4,
        # Right, wrong, right, wrong as more is answered: (0 + 1/2 + 1/3 + 1/2) / 4.
        "area under risk-coverage": 0.3333,
        "AUROC, answerable or not": 1.0,
        "median milliseconds": 10.0,
    }


def test_of_no_question_nothing_is_known() -> None:
    found = report()
    rates = found.rates()
    assert {name: value for name, value in rates.items() if value} == {}
    assert found.intervals() == {}
    assert (found.reliability(), found.risk_coverage()) == ([], [])
    assert json.dumps(found.to_json(each=True), allow_nan=False)


def test_a_question_without_labels_is_counted() -> None:
    one = outcome("Who?", 0.9)
    bare = replace(one, question=replace(one.question, gold=()))
    assert report(bare).rates()["without labels"] == 1


def test_other_thresholds_answer_more_or_less() -> None:
    found = report(*FOUR)
    assert found.at(0.2) == AtThreshold(0.2, 0.75, 1.0, 0.3333, 1.0)
    assert found.at(0.0) == AtThreshold(0.0, 1.0, 1.0, 0.5, 0.0)
    assert found.at(0.95) == AtThreshold(0.95, 0.0, 0.0, None, 1.0)


def test_the_threshold_in_use_is_among_those_shown_and_gives_the_rates() -> None:
    found = report(*FOUR)
    assert [one.threshold for one in found.thresholds()] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    now, rates = found.at(THRESHOLD), found.rates()
    assert now.wrong_when_answered == rates["wrong when answered"]
    assert now.answered == rates["answered (of all)"]
    assert now.silent_of_unanswerable == rates["silent (of unanswerable)"]


def test_intervals_hold_the_rates_and_depend_on_the_seed_only() -> None:
    found = report(*FOUR * 10)
    rates = found.rates()
    for name, interval in found.intervals().items():
        assert interval.low <= rates[name] <= interval.high, name
    assert found.intervals(seed=1) == found.intervals(seed=1)
    assert found.intervals(seed=1) != found.intervals(seed=2)
    assert found.intervals()["silent (of unanswerable)"] == Interval(1.0, 1.0)


def test_a_conversation_is_drawn_as_one() -> None:
    def asked(conversation: str | None) -> float:
        ups = [outcome(f"u{n}", 0.9, right=True, conversation=conversation and "up") for n in range(10)]
        downs = [outcome(f"d{n}", 0.9, conversation=conversation and "down") for n in range(10)]
        interval = report(*ups, *downs).intervals()["right"]
        return interval.high - interval.low

    assert asked("c") == 1.0
    assert asked(None) < 0.6


def test_json_keeps_the_names_that_were_there_and_tells_every_question() -> None:
    told = report(*FOUR).to_json(each=True)
    assert told["generation"] == 3
    assert told["right"] == 0.3333
    assert told["each"][0] | {"confidence": 0.9} == told["each"][0]
    for name in ("question", "answerable", "answered", "right", "confidence", "shown"):
        assert name in told["each"][0]
    assert [one["verdict"] for one in told["each"]] == ["right", "wrong", "silent", "rightly silent"]
    assert told["intervals"]["seed"] == 0
    assert "each" not in report(*FOUR).to_json(each=False)


@pytest.mark.parametrize("short", ["Ada", None])
def test_no_short_answer_where_one_was_wanted_counts_zero(short: str | None) -> None:
    assert outcome("x", 0.9, short=short).f1_or_zero == (None if short is None else 0.0)

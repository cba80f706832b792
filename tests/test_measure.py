import pytest

from index.types import Span
from qa.measure import exact_match, overlaps, plain_answer, token_f1


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

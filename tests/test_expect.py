import pytest

from qa.expect import kind_fits


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("When was it announced?", "January 6"),
        ("When was it announced?", "shortly afterward"),
        ("In which year did it close?", "1998"),
        ("How many people came?", "three hundred"),
        ("What percentage voted?", "52 %"),
        ("Who said so?", "He Yadong"),
        ("who said so?", "the ministry"),
        ("Where is the mine?", "Ganxian county"),
        ("Which country sells it?", "China"),
    ],
)
def test_a_span_of_the_kind_that_is_asked_for_fits(query: str, span: str) -> None:
    assert kind_fits(query, span) == 1.0


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("When was it announced?", "new contracts"),
        ("How many people came?", "a large crowd"),
        ("Who said so?", "strict export controls"),
        ("Where is the mine?", "rare earths"),
    ],
)
def test_a_span_of_another_kind_does_not(query: str, span: str) -> None:
    assert kind_fits(query, span) == 0.0


def test_a_question_that_asks_for_no_kind_is_met_half_way_by_anything() -> None:
    assert kind_fits("Why did it close?", "because nobody came") == 0.5

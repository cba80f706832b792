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


@pytest.mark.parametrize(
    ("query", "span", "sentence"),
    [
        ("Who is He Yadong?", "spokesperson", "The spokesperson He Yadong denied it."),
        ("who was marie curie", "a chemist", "Marie Curie, a chemist, came from Warsaw."),
        ("Who's Ann Lee?", "mayor", "Ann Lee was the mayor."),
        ("Who is Ann Lee?", "mayor Ann Lee", "The mayor Ann Lee came."),
    ],
)
def test_asked_who_somebody_is_what_stands_beside_the_name_fits(query: str, span: str, sentence: str) -> None:
    assert kind_fits(query, span, sentence) == 1.0


@pytest.mark.parametrize(
    ("query", "span", "sentence"),
    [
        ("Who is He Yadong?", "China", "He Yadong said that China had kept its word."),
        ("Who is Ann Lee?", "Lee", "Ann Lee said nothing."),
        ("Who is Ann Lee?", "Tom", "Ann Lee thanked Tom."),
    ],
)
def test_and_what_stands_elsewhere_does_not(query: str, span: str, sentence: str) -> None:
    assert kind_fits(query, span, sentence) == 0.0


def test_who_has_an_office_may_stand_anywhere() -> None:
    assert kind_fits("Who is the mayor?", "Tom", "Ann Lee thanked Tom.") == 1.0
    assert kind_fits("Who is China's minister?", "Tom", "Ann Lee thanked Tom.") == 1.0
    assert kind_fits("whos the mayor", "Tom", "Ann Lee thanked Tom.") == 1.0

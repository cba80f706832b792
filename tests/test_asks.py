import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.asks import Form, form, parts


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Who signed the treaty?", Form.FACT),
        ("When was it signed?", Form.FACT),
        ("How many people came?", Form.FACT),
        ("Which city is it in?", Form.FACT),
        ("What is the capital of France?", Form.FACT),
        ("What kind of accidents were there?", Form.FACT),
        ("Can you tell me who won?", Form.FACT),
        ("Was it Paris or Rome?", Form.FACT),
        ("According to the ministry, when did it start?", Form.FACT),
        ("Name the county where the mine lies.", Form.FACT),
        ("What causes rain?", Form.FACT),
        ("Why did it close?", Form.SENTENCES),
        ("How did it end?", Form.SENTENCES),
        ("What did the minister say about trade?", Form.SENTENCES),
        ("What is a rare earth?", Form.SENTENCES),
        ("What was the mayor's reaction to the news?", Form.SENTENCES),
        ("What happened in May?", Form.SENTENCES),
        ("What about seafood?", Form.SENTENCES),
        ("export ban", Form.SENTENCES),
        ("Is it open?", Form.DECISION),
        ("And did they agree?", Form.DECISION),
        ("Hasn't it closed?", Form.DECISION),
        ("I am a trader, do I have to worry?", Form.DECISION),
        ("Which countries signed?", Form.LIST),
        ("What other steps were taken?", Form.LIST),
        ("Who are the owners?", Form.LIST),
        ("Name the three rivers.", Form.LIST),
        ("What measures were announced?", Form.LIST),
    ],
)
def test_the_form_of_an_answer_is_told_by_the_question(query: str, expected: Form) -> None:
    assert form(query) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Who signed?", ["Who signed?"]),
        ("When and where was it signed?", ["When was it signed?", "where was it signed?"]),
        ("Who spoke, and why did exports stop?", ["Who spoke", "why did exports stop?"]),
        ("Is it true? And who says so?", ["Is it true?", "who says so?"]),
        ("How many people died and where?", ["How many people died", "where?"]),
        ("Which countries and firms signed?", ["Which countries and firms signed?"]),
        # The words that a follow-up got from the question before are no question.
        ("What did he ask for? (ministry protest)", ["What did he ask for?"]),
        ("", [""]),
    ],
)
def test_a_question_with_several_parts_is_taken_apart(query: str, expected: list[str]) -> None:
    assert parts(query) == expected


@given(st.text(max_size=300))
def test_any_text_has_a_form_and_one_to_four_parts(query: str) -> None:
    assert form(query) in Form
    assert 1 <= len(parts(query)) <= 4


@pytest.mark.parametrize("piece", ["what ", "and ", "who and ", "which a ", "In a, ", "what's a "])
def test_a_long_hostile_question_is_taken_apart_too(piece: str) -> None:
    query = (piece * 2_000)[:2_000]
    assert form(query) in Form
    assert len(parts(query)) <= 4

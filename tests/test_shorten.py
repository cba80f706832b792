import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from qa.shorten import short_answer


def shortened(sentence: str, pointed: str) -> str | None:
    """Return what becomes of the reader's span `pointed` in a sentence that stands behind others."""
    text = f"Something else. {sentence}"
    whole = Span(len("Something else. "), len(text))
    start = text.index(pointed, whole.start)
    found = short_answer(text, whole, Span(start, start + len(pointed)))
    return None if found is None else found.of(text)


@pytest.mark.parametrize(
    ("sentence", "pointed", "expected"),
    [
        # The reader takes the first part of this name for a pronoun.
        ("He Yadong spoke on Monday.", "Yadong", "He Yadong"),
        ("The spokesperson He Yadong spoke.", "Yadong", "He Yadong"),
        ("It was reported by Kyodo News on Monday.", "Kyodo", "Kyodo News"),
        ("Then Obama spoke.", "Obama", "Obama"),
        ("Prime Minister Sanae Takaichi spoke.", "Takaichi", "Sanae Takaichi"),
        ("China's Ministry of Commerce spoke.", "Ministry of Commerce", "Ministry of Commerce"),
        ("The painter Vincent van Gogh lived here.", "Gogh", "Vincent van Gogh"),
        ("It is in Beijing, China.", "Beijing", "Beijing"),
        ("The Beijing-based sources spoke.", "Beijing", "Beijing"),
    ],
)
def test_a_name_is_taken_whole_and_without_title(sentence: str, pointed: str, expected: str) -> None:
    assert shortened(sentence, pointed) == expected


@pytest.mark.parametrize(
    ("sentence", "pointed", "expected"),
    [
        ("It killed 1,300,000 people.", "300,000", "1,300,000"),
        ("It costs $5 million a year.", "5", "$5 million"),
        ("It rose by 3.5% in May.", "3", "3.5%"),
        ("It fell to -5 degrees.", "-5", "-5"),
        ("They are dual-use goods.", "use goods", "dual-use goods"),
        ("It was the re-militarization.", "militarization", "re-militarization"),
    ],
)
def test_words_and_numbers_are_not_cut(sentence: str, pointed: str, expected: str) -> None:
    assert shortened(sentence, pointed) == expected


@pytest.mark.parametrize(
    ("sentence", "pointed", "expected"),
    [
        ("They came to Rome, and left.", "Rome, and", "Rome"),
        ("It closed because nobody came.", "because nobody came.", "nobody came"),
        ("It was EPA.", "EPA.", "EPA"),
        ("It is in the U.S. today.", "the U.S.", "the U.S."),
        ("It has (since 2010) been shut.", "(since 2010", "since 2010"),
        ("It is called “the big one” here.", "called “the big", "called “the big one”"),
        ('It is called "the big one" here.', 'called "the big', 'called "the big one"'),
        ("It is called “the big one” here.", "“the big one", "the big one"),
    ],
)
def test_nothing_is_left_open_at_the_ends(sentence: str, pointed: str, expected: str) -> None:
    assert shortened(sentence, pointed) == expected


@pytest.mark.parametrize(
    ("sentence", "pointed"),
    [("He said so.", "He"), ("It was the end.", "the"), ("They said so, too.", "They said"), ("So — well.", "—")],
)
def test_a_pronoun_or_punctuation_alone_is_no_answer(sentence: str, pointed: str) -> None:
    assert shortened(sentence, pointed) is None


_TEXT = st.text(st.sampled_from("aB1 .,()“”\"'’-–$%\n é中"), min_size=1, max_size=60)


@given(_TEXT, st.integers(0, 59), st.integers(1, 60))
def test_a_short_answer_stays_inside_its_sentence_and_is_short_again(text: str, start: int, length: int) -> None:
    start = min(start, len(text) - 1)
    sentence = Span(0, len(text))
    found = short_answer(text, sentence, Span(start, min(len(text), start + length)))
    if found is not None:
        assert sentence.covers(found)
        content = found.of(text)
        assert content == content.strip()
        assert content.count("(") == content.count(")")
        assert content.count("“") == content.count("”")

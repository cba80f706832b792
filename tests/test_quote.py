from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import split
from index.types import Kind, Sentence, Span
from qa.quote import Quote, QuotePolicy, quote

POLICY = QuotePolicy()


def sentence(text: str, part: str) -> Sentence:
    """Return the sentence of `text` that holds `part`."""
    return next(s for s in split(text) if part in s.span.of(text))


def quoted(text: str, part: str, policy: QuotePolicy = POLICY, language: str | None = "en") -> tuple[str, str | None]:
    """Return the quote for the sentence that holds `part`, and its context."""
    found = quote(text, sentence(text, part), language, policy)
    return found.span.of(text), None if found.context is None else found.context.of(text)


@pytest.mark.parametrize(
    "text",
    [
        "Anna Berg opened the mill in 1902. She sold it ten years later.",
        "The dam broke in May. This left 300 families without a home.",
        "Exports rose. But they had fallen for years.",
        "A museum in Hull bought the boat. The museum paid nine pounds.",
    ],
)
def test_a_sentence_that_begins_with_a_pronoun_is_quoted_from_the_one_that_names_it(text: str) -> None:
    last = split(text)[-1].span.of(text)
    found, context = quoted(text, last)
    assert text.endswith(found)
    assert len(found) > len(last)
    assert context is None


@pytest.mark.parametrize(
    "text",
    [
        "The mill was sold. Anna Berg opened it in 1902.",
        "The mill was sold. He Yadong opened the mill.",
        "The mill was sold. The president of France opened the mill.",
        "The mill was sold. It is clear that nobody wanted to buy.",
        "The mill was sold. This week the buyers came.",
        "The mill was sold. Since Anna Berg died, she has been missed.",
        "The mill was sold. With her love of mills, Berg was sad.",
        "The mill was sold. Anna Berg said she was sad.",
        "The mill was sold. “I am sad,” said Anna Berg.",
    ],
)
def test_a_sentence_that_says_whom_it_speaks_of_is_quoted_alone(text: str) -> None:
    last = split(text)[-1].span.of(text)
    assert quoted(text, last) == (last, None)


def test_a_name_in_another_paragraph_is_context_and_no_part_of_the_quote() -> None:
    text = "Anna Berg opened the mill.\n\nShe sold it ten years later."
    assert quoted(text, "sold") == ("She sold it ten years later.", "Anna Berg opened the mill.")


def test_who_said_it_is_context_where_the_sentence_is_whole() -> None:
    text = "Anna Berg opened the mill. “It was cold in there,” she said."
    assert quoted(text, "cold") == ("“It was cold in there,” she said.", "Anna Berg opened the mill.")


def test_words_of_nobody_are_quoted_with_the_sentence_that_says_who_speaks() -> None:
    text = "“The mill is old,” said Anna Berg. “Nobody can repair the wheel.”"
    assert quoted(text, "wheel") == (text, None)
    text = "“Nobody can repair the wheel.” Anna Berg said so in May."
    assert quoted(text, "wheel") == (text, None)


def test_the_ministry_is_the_one_that_was_named_and_not_the_last_sentence() -> None:
    text = "China's Ministry of Commerce spoke on Monday.\n\nPrices rose.\n\nThe ministry named no price."
    assert quoted(text, "no price") == ("The ministry named no price.", "China's Ministry of Commerce spoke on Monday.")


def test_she_is_not_whom_another_she_met() -> None:
    text = "Anna Berg opened the mill. Later she met John Smith.\n\nShe sold the mill to pay for a boat."
    assert quoted(text, "boat")[1] == "Anna Berg opened the mill."


def test_this_is_what_was_said_before_down_to_the_name() -> None:
    text = "Anna Berg opened the mill. She worked there all day. This made her ill."
    assert quoted(text, "her ill") == (text, None)


def test_a_name_that_nobody_gave_is_not_made_up() -> None:
    text = "The rain fell all day. He came home late."
    assert quoted(text, "late") == ("He came home late.", None)


def test_a_quote_that_would_grow_too_long_gets_context_instead() -> None:
    text = f"Anna Berg opened the mill{' by the water' * 60}. She sold it."
    assert quoted(text, "sold") == ("She sold it.", text[: -len(" She sold it.")])
    short = "Anna Berg opened the mill. She sold the mill."
    assert quoted(short, "sold", QuotePolicy(sentences=1)) == ("She sold the mill.", "Anna Berg opened the mill.")


def test_words_of_nobody_said_by_a_pronoun_get_the_name_as_context() -> None:
    text = "Anna Berg stood in the rain. “I was cold,” she said. “Nobody came.”"
    assert quoted(text, "Nobody") == ("“I was cold,” she said. “Nobody came.”", "Anna Berg stood in the rain.")


def test_captions_credits_and_headings_name_nobody() -> None:
    text = (
        "Anna Berg by the mill\n\nNobody knew for how long the mill had stood still.\n\n"
        "File photo: Anna Berg by the mill. Photo by Jim Poe\n\nBy Anna Berg\n\nShe sold it in 1912."
    )
    kinds = [s.kind for s in split(text)]
    assert kinds == [Kind.HEADING, Kind.BODY, Kind.CAPTION, Kind.CREDIT, Kind.BODY]
    assert quoted(text, "1912") == ("She sold it in 1912.", None)


def test_what_the_segmenter_cut_in_two_is_quoted_whole() -> None:
    text = "The mill stood still. The wheel cost approx. four pounds."
    assert [s.span.of(text) for s in split(text)][1:] == ["The wheel cost approx.", "four pounds."]
    assert quoted(text, "four") == ("The wheel cost approx. four pounds.", None)
    assert quoted(text, "approx") == ("The wheel cost approx. four pounds.", None)


def test_no_is_quoted_with_what_it_answers() -> None:
    assert quoted("Will the mill open again in May? No.", "No.") == ("Will the mill open again in May? No.", None)


def test_pronouns_of_other_languages_are_left_alone() -> None:
    text = "Anna Berg öppnade kvarnen. He sold it."
    assert quoted(text, "sold", language="sv") == ("He sold it.", None)


_SENTENCES = st.sampled_from(
    ["Anna Berg came.", "She left.", "“It was bad,” he said.", "“Nobody knew.”", "This is why.", "The firm said so.",
     "no.", "they fell.", "\n", "\n\n", "Photo by Jim Poe\n", "Rain fell", "He", "中文。", "“Open", "A. B. C."]
)  # fmt: skip


@given(st.lists(_SENTENCES, min_size=1, max_size=12))
def test_a_quote_is_a_run_of_whole_sentences_of_one_paragraph(pieces: list[str]) -> None:
    text = " ".join(pieces)
    sentences = split(text)
    for one in sentences:
        found = quote(text, one, None, POLICY)
        run = [s for s in sentences if found.span.covers(s.span)]
        assert found.span.covers(one.span)
        assert (found.span.start, found.span.end) == (run[0].span.start, run[-1].span.end)
        assert len(run) <= POLICY.sentences
        assert "\n" not in found.span.of(text)
        assert all(two.span.start >= first.span.end for first, two in pairwise(run))
        if found.context is not None:
            assert found.context.overlap(found.span) == 0
            assert found.context in [s.span for s in sentences]


def test_the_middle_of_a_very_long_line_is_quoted_without_reading_all_of_it() -> None:
    rain = "The rain fell on the mill all day long. "
    text = f"Anna Berg came. {rain * 2_000}She left the mill."
    last = Sentence(Span(text.rindex("She"), len(text)), Kind.BODY)
    assert quote(text, last, None, POLICY) == Quote(last.span, None)

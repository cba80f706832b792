"""What a span says: figures, dates and names that can be compared, in the precision in which they are given."""

import re
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from qa.values.moments import moments
from qa.values.quantities import quantities
from qa.values.ranges import Range, Relation, compare
from qa.values.value import Name, Value, Words, relation, value_of

SAME, INCOMPATIBLE, UNKNOWN = Relation.SAME, Relation.INCOMPATIBLE, Relation.UNKNOWN
PUBLISHED = "2026-01-10"  # a Saturday


def value(marked: str, *, published: str | None = PUBLISHED, asks_when: bool = False) -> Value:
    """The value of the words in [brackets]."""
    start = marked.index("[")
    end = marked.index("]") - 1
    return value_of(re.sub(r"[\[\]]", "", marked), Span(start, end), published, asks_when=asks_when)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("It has [1.2 million] members.", "It has [1,200,000] members.", SAME),
        ("It has [1.2 million] members.", "It has [1,213,000] members.", SAME),
        ("It has [1.2 million] members.", "It has [1,413,000] members.", INCOMPATIBLE),
        ("It has [twelve hundred] members.", "It has [1,200] members.", SAME),
        ("It has [two hundred and fifty-three] members.", "It has [253] members.", SAME),
        ("It has [two and a half million] members.", "It has [2.5 million] members.", SAME),
        ("[A dozen] came.", "[12] came.", SAME),
        ("[300] died.", "[310] died.", INCOMPATIBLE),
        ("[about 300] died.", "[312] died.", SAME),
        ("About [300] died.", "[312] died.", SAME),
        ("About [300] died.", "[520] died.", INCOMPATIBLE),
        ("[more than 300] died.", "[312] died.", SAME),
        ("More than [300] died.", "[712] died.", UNKNOWN),
        ("More than [300] died.", "[212] died.", INCOMPATIBLE),
        ("No fewer than [300] died.", "[212] died.", INCOMPATIBLE),
        ("Not more than [300] died.", "[412] died.", INCOMPATIBLE),
        ("Up to [300] died.", "[112] died.", UNKNOWN),
        ("[nearly 300] died.", "[289] died.", SAME),
        ("[hundreds] died.", "[712] died.", SAME),
        ("[hundreds] died.", "[12] died.", INCOMPATIBLE),
        ("It takes [five to six] hours.", "It takes [6 hours].", SAME),
        ("It takes [5-6 hours].", "It takes [8 hours].", INCOMPATIBLE),
        ("It grew [between 5 and 7 percent].", "It grew [6 %].", SAME),
        ("It grew [4 percent].", "It grew [3.7 percent].", SAME),
        ("It grew [4 percent].", "It grew [5 percent].", INCOMPATIBLE),
        ("It grew [12] percent.", "It grew [12%].", SAME),
        ("It grew by [5 per cent].", "It grew by [5 percentage points].", UNKNOWN),
        ("[Half] of them own one.", "[50 percent] own one.", SAME),
        ("[One in five] own one.", "[20 percent] own one.", SAME),
        ("It cost [$5bn].", "It cost [5 billion dollars].", SAME),
        ("It cost $[5] billion.", "It cost [5 billion dollars].", SAME),
        ("It cost [$5bn].", "It cost [5 billion euros].", UNKNOWN),
        ("It cost [$5bn].", "It cost [$6bn].", INCOMPATIBLE),
        ("It is [12] wide.", "It is [12 km] wide.", UNKNOWN),
    ],
)
def test_figures_are_compared_as_exactly_as_they_are_given(one: str, other: str, expected: Relation) -> None:
    assert relation(value(one), value(other)) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("[16 kilometres] away", "[10 miles] away", SAME),
        ("[16 kilometres] away", "[16 miles] away", INCOMPATIBLE),
        ("[2,000 kilograms]", "[4,400 pounds]", SAME),
        ("[3 tonnes]", "[3,000 kg]", SAME),
        ("It was [41] degrees Celsius.", "It was [106 °F].", SAME),
        ("It was [41 °C].", "It was [41 °F].", INCOMPATIBLE),
        ("It was [-5 °C].", "It was [5 °C].", INCOMPATIBLE),
        ("It was [minus 5 °C].", "It was [23 °F].", SAME),
        ("It took [90 minutes].", "It took [an hour and a half].", SAME),
        ("It took [half an hour].", "It took [30 minutes].", SAME),
        ("It took [three days].", "It took [two days].", INCOMPATIBLE),
        ("[1,200 hectares]", "[2,965 acres]", SAME),
        ("[60 metres]", "[450 feet]", INCOMPATIBLE),
        ("at [100 km/h]", "at [62 mph]", SAME),
        ("[5 kg]", "[5 km]", UNKNOWN),
    ],
)
def test_figures_in_other_units_are_converted(one: str, other: str, expected: Relation) -> None:
    assert relation(value(one), value(other)) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("on [6 January]", "on [Tuesday]", SAME),
        ("on [6 January]", "on [January 6, 2026]", SAME),
        ("on [6 January]", "on [2026-01-06]", SAME),
        ("on [Tuesday, January 6]", "on [the 6th of January, 2026]", SAME),
        ("on [6 January 2026]", "on [7 January 2026]", INCOMPATIBLE),
        ("in [2025]", "on [6 March 2025]", SAME),
        ("in [2025]", "in [2024]", INCOMPATIBLE),
        ("in [January 2026]", "[last month]", INCOMPATIBLE),
        ("[yesterday]", "on [January 9]", SAME),
        ("in [the 1990s]", "in [1987]", INCOMPATIBLE),
        ("in the [19th century]", "in [1871]", SAME),
        ("from [2019 to 2021]", "in [2020]", SAME),
        ("at [9 a.m.]", "at [9:00]", SAME),
        ("at [noon]", "at [2 p.m.]", INCOMPATIBLE),
        ("at [noon]", "on [Tuesday]", UNKNOWN),
        ("on [31 February 2025]", "on [3 March 2025]", UNKNOWN),
    ],
)
def test_dates_are_the_same_where_their_days_overlap(one: str, other: str, expected: Relation) -> None:
    assert relation(value(one, asks_when=True), value(other, asks_when=True)) is expected


def test_a_weekday_is_read_from_the_day_of_publication() -> None:
    one = value("on [Tuesday]", published="2026-01-10", asks_when=True)
    other = value("on [Tuesday]", published="2026-01-17", asks_when=True)
    assert relation(one, other) is INCOMPATIBLE


def test_a_weekday_of_a_document_without_a_date_tells_nothing() -> None:
    one = value("on [Tuesday]", published=None, asks_when=True)
    assert relation(one, value("on [January 6, 2026]", asks_when=True)) is UNKNOWN


def test_a_date_without_a_year_is_compared_by_its_day() -> None:
    one = value("on [6 March]", published=None, asks_when=True)
    assert relation(one, value("on [6 March 2019]", asks_when=True)) is SAME
    assert relation(one, value("on [8 March 2019]", asks_when=True)) is INCOMPATIBLE


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("[Xi]", "[President Xi Jinping]", SAME),
        ("[Haruko Lindqvist]", "[Lindqvist]", SAME),
        ("[the U.S.]", "the [United States]", SAME),
        ("[UK]", "[Britain]", SAME),
        ("the [WHO]", "the [World Health Organization]", SAME),
        ("[China's Foreign Ministry spokesman Lin Jian]", "[Lin]", SAME),
        ("[Amalia Crewe]", "[Tobias Renn]", INCOMPATIBLE),
        ("[Jane Smith]", "[John Smith]", UNKNOWN),
        ("[Zelensky]", "[Zelenskyy]", UNKNOWN),
        ("[the Chinese president]", "[Xi]", UNKNOWN),
        ("[the minister]", "[Wang Wentao]", UNKNOWN),
        ("[Rome]", "[42]", UNKNOWN),
    ],
)
def test_names_are_the_same_where_one_is_part_of_the_other(one: str, other: str, expected: Relation) -> None:
    assert relation(value(one), value(other)) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("[a faulty battery]", "[a faulty battery in the car deck]", SAME),
        ("[A faulty battery]", "[the faulty battery!]", SAME),
        ("[a faulty battery]", "[lightning]", UNKNOWN),
        ("[roof]", "[a hole in the wall that nobody had seen behind the roof]", UNKNOWN),
    ],
)
def test_other_words_are_the_same_or_tell_nothing(one: str, other: str, expected: Relation) -> None:
    assert relation(value(one), value(other)) is expected


def test_two_different_dates_in_one_span_are_no_value() -> None:
    assert isinstance(value("on [March 3 and May 9]", asks_when=True), Words)


def test_a_figure_with_its_conversion_is_one_value() -> None:
    assert relation(value("[18,800 acres (7,600 hectares)]"), value("[7,600 hectares]")) is SAME


def test_a_year_is_a_number_unless_the_question_asks_when() -> None:
    assert relation(value("[2025] people came."), value("[2,025] people came.")) is SAME
    assert relation(value("[2025]", asks_when=True), value("[May 2025]", asks_when=True)) is SAME


def _range(low: float, high: float, below: float, above: float) -> Range:
    return Range(low, high, low - below, high + above)


WIDTHS = st.floats(0, 100)
RANGES = st.builds(
    lambda low, width, b, a: _range(low, low + width, b, a), st.floats(-1e6, 1e6), WIDTHS, WIDTHS, WIDTHS
)
NAMES = st.builds(
    lambda words: Name(tuple(words), "".join(w[0] for w in words)),
    st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=4),
)
PHRASES = st.builds(lambda words: Words(tuple(words)), st.lists(st.sampled_from(["a", "b", "c"]), max_size=5))
VALUES: st.SearchStrategy[Value] = st.one_of(RANGES, NAMES, PHRASES)


@given(VALUES, VALUES)
def test_the_relation_is_symmetric(one: Value, other: Value) -> None:
    assert relation(one, other) is relation(other, one)


@given(RANGES)
def test_a_range_is_the_same_as_itself(one: Range) -> None:
    assert compare(one, one) is SAME


@given(st.integers(0, 10**9))
def test_a_number_is_the_same_in_digits_with_and_without_commas(number: int) -> None:
    assert relation(value(f"[{number}] of them"), value(f"[{number:,}] of them")) is SAME


@given(st.dates(date(1000, 1, 2), date(2199, 12, 30)))
def test_a_date_is_the_same_in_all_its_forms(day: date) -> None:
    forms = [day.isoformat(), f"{day.day} {day:%B} {day.year}", f"{day:%B} {day.day}, {day.year}"]
    found = [value(f"on [{form}]", asks_when=True) for form in forms]
    assert found[0] == found[1] == found[2]
    assert isinstance(found[0], Range)
    assert found[0].low == found[0].high == day.toordinal()


TEXT = st.one_of(st.text(max_size=300), st.text("0123456789.,- $%miliontehousad/:", max_size=300))


@given(TEXT, st.integers(0, 300), st.integers(0, 300), st.booleans())
def test_any_text_has_a_value_that_is_the_same_as_itself_or_unknown(text: str, a: int, b: int, asks_when: bool) -> None:
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    found = value_of(text, Span(start, end), PUBLISHED, asks_when=asks_when)
    assert relation(found, found) in (SAME, UNKNOWN)


@given(TEXT)
def test_mentions_stand_in_order_inside_the_text(text: str) -> None:
    for mentions in (quantities(text), moments(text, PUBLISHED)):
        ends = [end for mention in mentions for end in (mention.span.start, mention.span.end)]
        assert ends == sorted(ends)
        assert all(0 <= end <= len(text) for end in ends)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "9" * n,
        lambda n: "9," * n,
        lambda n: "1,000" + ",000" * n,
        lambda n: "nine hundred " * n,
        lambda n: "January " * n,
        lambda n: "5 to " * n,
        lambda n: "A." * n,
        lambda n: "Aa " * n,
    ],
)
def test_a_hostile_sentence_is_looked_at_only_around_the_span(make: Callable[[int], str]) -> None:
    text = make(200_000)
    middle = len(text) // 2
    short = text[middle - 500 : middle + 500]
    for end in (3, 400):
        assert value_of(text, Span(middle, middle + end), PUBLISHED) == value_of(short, Span(500, 500 + end), PUBLISHED)

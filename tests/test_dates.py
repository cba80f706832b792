from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.values.dates import resolve

SATURDAY = "2026-01-10"


def meant(text: str, published_at: str | None = SATURDAY) -> list[tuple[str, str, str]]:
    """Return phrase, first and last day of everything explained in `text`."""
    return [(d.phrase, d.first.isoformat(), d.last.isoformat()) for d in resolve(text, published_at)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("The mine closed on Tuesday.", "2026-01-06"),
        ("On Saturday the mine closed.", "2026-01-10"),
        ("The sources said Saturday's notices were the first.", "2026-01-10"),
        ("It was announced on Tuesday that the mine will close.", "2026-01-06"),
        ("On Sunday they met.", "2026-01-04"),
    ],
)
def test_a_weekday_of_a_report_is_the_last_one_up_to_its_day(text: str, day: str) -> None:
    assert [(first, last) for _, first, last in meant(text)] == [(day, day)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("The talks will begin on Tuesday.", "2026-01-13"),
        ("On Monday the court is to decide.", "2026-01-12"),
        ("The treaty is scheduled to be signed on Saturday.", "2026-01-17"),
        ("We'll know on Friday.", "2026-01-16"),
    ],
)
def test_a_weekday_whose_verb_lies_ahead_is_the_next_one(text: str, day: str) -> None:
    assert [(first, last) for _, first, last in meant(text)] == [(day, day)]


@pytest.mark.parametrize(
    ("text", "phrase", "first", "last"),
    [
        ("Snow fell yesterday.", "yesterday", "2026-01-09", "2026-01-09"),
        ("It opens tomorrow.", "tomorrow", "2026-01-11", "2026-01-11"),
        ("the day before yesterday", "the day before yesterday", "2026-01-08", "2026-01-08"),
        ("He left three days ago.", "three days ago", "2026-01-07", "2026-01-07"),
        ("Prices rose last week.", "last week", "2025-12-29", "2026-01-04"),
        ("Prices rose last month.", "last month", "2025-12-01", "2025-12-31"),
        ("Prices rose last year.", "last year", "2025-01-01", "2025-12-31"),
        ("It is planned for this month.", "this month", "2026-01-01", "2026-01-31"),
        ("It opens next year.", "next year", "2027-01-01", "2027-12-31"),
        ("It shut last weekend.", "last weekend", "2026-01-03", "2026-01-04"),
        ("It shut last Saturday.", "last Saturday", "2026-01-03", "2026-01-03"),
        ("It opens next Saturday.", "next Saturday", "2026-01-17", "2026-01-17"),
        ("It opens on Tuesday of next week.", "Tuesday of next week", "2026-01-13", "2026-01-13"),
        ("She spoke last November.", "last November", "2025-11-01", "2025-11-30"),
        ("She spoke in November.", "November", "2025-11-01", "2025-11-30"),
        ("It will open in May.", "May", "2026-05-01", "2026-05-31"),
        ("She spoke on January 8.", "January 8", "2026-01-08", "2026-01-08"),
        ("She spoke on 8th January.", "8th January", "2026-01-08", "2026-01-08"),
        ("She spoke on Dec. 30.", "Dec. 30", "2025-12-30", "2025-12-30"),
        ("She spoke on Thursday, January 8.", "Thursday, January 8", "2026-01-08", "2026-01-08"),
        ("It will open on July 4.", "July 4", "2026-07-04", "2026-07-04"),
        ("The fair was on January 6-8.", "January 6-8", "2026-01-06", "2026-01-08"),
        ("She spoke on June 3 last year.", "June 3 last year", "2025-06-03", "2025-06-03"),
        ("On the 8th, she spoke.", "8th", "2026-01-08", "2026-01-08"),
    ],
)
def test_a_phrase_is_counted_from_the_day_of_publication(text: str, phrase: str, first: str, last: str) -> None:
    assert meant(text) == [(phrase, first, last)]


@pytest.mark.parametrize(
    "text",
    [
        "The market is held on Tuesdays.",
        "Every Tuesday there is a market.",
        "It is open Monday to Friday.",
        "That Friday it rained.",
        "The following Tuesday it rained.",
        "Good Friday is a holiday.",
        "It rained on Saturday, January 10, 2026.",
        "It rained on 30 December 2010.",
        "On Tuesday 8th April, 2014, she wrote.",
        "In 1998 they met on January 6.",
        "It snowed on February 30.",
        "The photo was made by Asia Today.",
        "Today's children read less.",
        "the last year of his life",
        "In May 5 people came.",
        "January 12 is near.",
    ],
)
def test_what_is_dated_already_or_stays_open_is_not_explained(text: str) -> None:
    assert meant(text) == []


@pytest.mark.parametrize("published_at", [None, "", "2026", "2026-01", "last week", "2026-13-40"])
def test_without_a_day_of_publication_nothing_is_explained(published_at: str | None) -> None:
    assert meant("It rained on Tuesday.", published_at) == []


def test_the_time_of_day_of_the_publication_does_not_matter() -> None:
    assert meant("It rained yesterday.", "2026-01-10T23:59:00+09:00") == [("yesterday", "2026-01-09", "2026-01-09")]


@pytest.mark.parametrize("published_at", ["0001-01-01", "9999-12-31"])
def test_days_outside_of_the_calendar_are_left_open(published_at: str) -> None:
    text = "yesterday, last week, last year, next year, tomorrow, next week, next month, last month, 400 days ago"
    assert all(d.first <= d.last for d in resolve(text, published_at))


_PIECES = st.sampled_from(
    [
        "Tuesday",
        "last",
        "next",
        "week",
        "January",
        "6",
        "2026",
        "will",
        "said",
        "on",
        "the",
        "8th",
        ",",
        ".",
        " ",
        "\n",
        "today",
    ]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=4)), max_size=30), st.dates())
def test_phrases_are_slices_in_order_and_do_not_overlap(pieces: list[str], published: date) -> None:
    text = " ".join(pieces)
    found = resolve(text, published.isoformat())
    assert [d.span.of(text) for d in found] == [d.phrase for d in found]
    assert all(one.span.end <= two.span.start for one, two in pairwise(found))
    assert all(d.first <= d.last for d in found)

"""Dates and times of day in a text, as ranges of days and minutes.

A day is its ordinal number (1 is 1 January of the year 1). What only the publication date explains ("Tuesday",
"January 6") comes from `dates.py`; a date without a year that it leaves open is a day of no known year.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from index.types import Span
from qa.values import dates
from qa.values.quantities import Mention
from qa.values.ranges import Range

DAY, DAY_OF_YEAR, CLOCK = "day", "day of a year", "clock"

_MONTH = (
    r"(?:jan(?:uary|\.)?|feb(?:ruary|\.)?|mar(?:ch|\.)?|apr(?:il|\.)?|may|june?\.?|july?\.?|aug(?:ust|\.)?"
    r"|sept?(?:ember|\.)?|oct(?:ober|\.)?|nov(?:ember|\.)?|dec(?:ember|\.)?)"
)
_DAY = r"(?P<{0}>0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th)?"
_TO = r"\s?(?:-|–|—|to|and|until|through)\s?"
_YEAR = r"(?P<year{0}>1[0-9]{{3}}|20[0-9]{{2}}|21[0-9]{{2}})(?![0-9%]|[.,][0-9])"
_DATE = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"(?P<iso>(?:1[0-9]{3}|2[01][0-9]{2})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]))(?![0-9])"
    rf"|{_DAY.format('d1')}(?:{_TO}{_DAY.format('d1b')})?\s(?:of\s)?(?P<m1>{_MONTH})(?![A-Za-z])(?:,?\s{_YEAR.format(1)})?"
    rf"|(?P<m2>{_MONTH})\s(?:the\s)?{_DAY.format('d2')}(?![0-9A-Za-z:%])(?:{_TO}{_DAY.format('d2b')}(?![0-9A-Za-z:%]))?"
    rf"(?:,?\s{_YEAR.format(2)})?"
    rf"|(?P<m3>{_MONTH}),?\s(?:of\s)?{_YEAR.format(3)}"
    rf"|(?P<cue>(?:in|since|by|until|during|of|early|mid|late|last|this|next)[\s-])(?P<m4>{_MONTH})(?![A-Za-z]|,?\s(?:of\s)?[0-9])"
    rf"|(?P<decade>(?:1[0-9]|20)[0-9]0)s(?![A-Za-z])"
    r"|(?P<century>[1-9]|1[0-9]|2[01])(?:st|nd|rd|th)[\s-]century\b"
    rf"|(?P<from>(?:1[0-9]|20)[0-9]{{2}})\s?(?:-|–|to|until|and)\s?{_YEAR.format(5)}"
    rf"|{_YEAR.format(6)}"
    r")",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?<![0-9A-Za-z:.])(?:(?P<hour>[01]?[0-9]|2[0-4])(?:[:.](?P<minute>[0-5][0-9]))?\s?(?P<half>[ap])\.?m\b\.?"
    r"|(?P<hour2>[01]?[0-9]|2[0-4]):(?P<minute2>[0-5][0-9])(?![0-9:])|(?P<word>noon|midday|midnight)\b)",
    re.IGNORECASE,
)
# A day of no known year is one of this leap year, so that 29 February exists.
_LEAP = 2000


def moments(text: str, published_at: str | None) -> list[Mention]:
    """Return the dates and times of day of `text`, in order, not overlapping. Linear in its length."""
    found: list[Mention] = []
    for phrase in dates.resolve(text, published_at):
        first, last = phrase.first.toordinal(), phrase.last.toordinal()
        found.append(Mention(phrase.span, _between(first, last, slack=_slack(phrase.phrase))))
    for match in _DATE.finditer(text):
        days = _days(match)
        if days is not None:
            start = match.start() if match["cue"] is None else match.end("cue")
            found.append(Mention(Span(start, match.end()), days))
    found += [Mention(Span(*match.span()), _clock(match)) for match in _CLOCK.finditer(text)]
    return _apart(found)


def _apart(found: list[Mention]) -> list[Mention]:
    """Return the mentions that do not overlap, the longest first where they do, in order."""
    kept: list[Mention] = []
    for one in sorted(found, key=lambda mention: (mention.span.start, -len(mention.span))):
        if not kept or kept[-1].span.end <= one.span.start:
            kept.append(one)
    return kept


def _slack(phrase: str) -> int:
    """Return by how many days a phrase may be off: a report dated after midnight says "today" of the day before."""
    return 1 if re.fullmatch(r"(?:today|yesterday|tomorrow|tonight)", phrase, re.IGNORECASE) else 0


def _between(first: int, last: int, *, slack: int = 0, dimension: str = DAY) -> Range:
    return Range(first, last, first - slack, last + slack, dimension)


def _days(match: re.Match[str]) -> Range | None:
    """Return the days that a date names; None for one that no calendar has."""
    try:
        if match["iso"] is not None:
            day = date.fromisoformat(match["iso"]).toordinal()
            return _between(day, day)
        if match["decade"] is not None:
            return _years(int(match["decade"]), int(match["decade"]) + 9)
        if match["century"] is not None:
            last = int(match["century"]) * 100
            return _years(last - 99, last)
        if match["from"] is not None:
            return _years(*sorted((int(match["from"]), int(match["year5"]))))
        if match["year6"] is not None:
            return _years(int(match["year6"]), int(match["year6"]))
        return _in_month(match)
    except ValueError:
        return None


def _years(first: int, last: int) -> Range:
    return _between(date(first, 1, 1).toordinal(), date(last, 12, 31).toordinal())


def _in_month(match: re.Match[str]) -> Range:
    """Return the days of "6 January 2026" and its like. Raises ValueError for a 31 February."""
    name = next(match[m] for m in ("m1", "m2", "m3", "m4") if match[m] is not None)
    month = dates.MONTHS.index(name[:3].lower()) + 1
    first, last = next(
        ((match[a], match[b]) for a, b in (("d1", "d1b"), ("d2", "d2b")) if match[a] is not None), (None, None)
    )
    year = next((int(match[y]) for y in ("year1", "year2", "year3") if match[y] is not None), None)
    if year is None:
        return _between(*_ends(_LEAP, month, first, last), dimension=DAY_OF_YEAR)
    return _between(*_ends(year, month, first, last))


def _ends(year: int, month: int, first: str | None, last: str | None) -> tuple[int, int]:
    if first is None:
        following = date(year + month // 12, month % 12 + 1, 1)
        return date(year, month, 1).toordinal(), (following - timedelta(days=1)).toordinal()
    start = date(year, month, int(first)).toordinal()
    end = start if last is None else date(year, month, int(last)).toordinal()
    if end < start:
        raise ValueError(f"from {first} to {last}")
    return start, end


def _clock(match: re.Match[str]) -> Range:
    """Return the minute of the day, as exactly as it is said."""
    if match["word"] is not None:
        minute = 0 if match["word"].lower() == "midnight" else 720
        return _between(minute, minute, dimension=CLOCK)
    if match["hour"] is not None:
        hour = int(match["hour"]) % 12 + (12 if match["half"].lower() == "p" else 0)
        minute = hour * 60 + (0 if match["minute"] is None else int(match["minute"]))
    else:
        minute = int(match["hour2"]) % 24 * 60 + int(match["minute2"])
    return _between(minute, minute, dimension=CLOCK)


def same_year(given: Range) -> Range | None:
    """Return a DAY range as a DAY_OF_YEAR one, to compare it with a date without a year; None if it is too long."""
    first, last = date.fromordinal(int(given.low)), date.fromordinal(int(given.high))
    if given.high - given.low > 31 or first.year != last.year:
        return None
    moved = [date(_LEAP, day.month, day.day).toordinal() for day in (first, last)]
    return _between(moved[0], moved[1], dimension=DAY_OF_YEAR)

"""What "Tuesday" or "last year" means in a text that was published on a known day.

Rules for English. They read a report as it was written: a bare "Tuesday" is the last one up to the day of publication,
unless its verb speaks of the future; then it is the next one. What stays open is not explained: "Tuesdays", "that
Friday", "Good Friday", "Monday to Friday", a date beside another year, a date that only just lies ahead.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, timedelta

from index.types import Span


@dataclass(frozen=True, slots=True)
class DatedPhrase:
    """A phrase that names a day only to who knows when it was written; `span` counts in the text it was found in.

    `first` and `last` are the days it means, both inclusive.
    """

    phrase: str
    span: Span
    first: date
    last: date


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DAY = rf"(?:{'|'.join(d.capitalize() for d in _DAYS)})"
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
_NUMBER = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?![\d:%]|[.,]\d)"
_TO = r"(?:\s?[-–]\s?|\sto\s|\sand\s)"
_WHICH = r"(?:last|this|next)"

_PHRASE = re.compile(
    rf"""\b(?:
        (?:{_DAY}(?:,\s|\s)(?:the\s)?)?(?:
            (?P<month_1>{_MONTH})\s(?P<from_1>{_NUMBER})(?:{_TO}(?P<to_1>{_NUMBER}))?
          | (?P<from_2>{_NUMBER})(?:{_TO}(?P<to_2>{_NUMBER}))?\s(?:of\s)?(?P<month_2>{_MONTH})
        )\b(?P<year_named>,?\s(?:of\s)?{_WHICH}\syear\b|,?\s(?:in\s)?\d{{4}}\b)?
      | (?i:the\sday\s)(?P<two_days>before\syesterday|after\stomorrow)\b
      | (?P<today>(?i:yesterday|today|tomorrow|tonight|(?i:this)\s(?:morning|afternoon|evening)|(?i:last)\snight))\b
      | (?P<day_of_week>{_DAY})\sof\s(?P<which_1>{_WHICH})\sweek\b
      | (?P<which_2>(?i:{_WHICH}))\s(?P<unit>weekend|week|month|year|{_DAY}|{_MONTH}(?!\w))(?!-)
      | (?P<day>{_DAY})\b(?!\sof\b|{_TO}{_DAY}|s\b)
      | (?P<ago>{"|".join(_NUMBERS)}|\d{{1,3}})\sdays?\sago\b
      | (?<=\b[Oo]n\sthe\s)(?P<number>{_NUMBER})(?=[,.;]|$)
      | (?<=\b[Ii]n\s)(?P<month>{_MONTH})(?!\w)
    )""",
    re.VERBOSE,
)
# What stands before a phrase that is not to be counted from the day of publication.
_NOT_AFTER = re.compile(
    rf"(?:\b(?:the|that|those|a|an|one|any|some|each|every|following|previous|preceding|first|second|third|fourth|fifth"
    rf"|good|black|easter|ash|super|palm|bloody|cyber|holy|whit|fat|{_DAY}\s(?:to|and|through))|{_DAY}\s?[-–])\s*$",
    re.IGNORECASE,
)
_IN = re.compile(r"\bin\s$", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:1\d|20)\d\d\b(?![.,]\d|%)")
_NEW_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z])|\n")
_ABBREVIATION = re.compile(rf"(?:\b{_MONTH}|\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|St))\.?$")
_VERB = re.compile(
    r"\b(?P<future>will|shall|would|won['’]t|(?:is|are|was|were) (?:due |set |expected |about |going )?to"
    r"|(?-i:may|might)|plan(?:s|ned)?|hopes?|schedul\w+|due|expect\w*|intends?|aims?|upcoming)\b|['’](?P<short>ll)\b"
    r"|(?<!\bbe )\b(?P<past>\w{2,30}ed|said|told|was|were|had|did|began|met|took|made|held|won|lost|came|went|saw|gave"
    r"|got|found|left|fell|rose|hit|spoke|wrote|became|broke|shot|sent|sold|bought|built|brought|led|ran|put|set|kept)\b",
    re.IGNORECASE,
)
_NEAR = 90
"""Characters before and after a phrase in which its verb is looked for."""
_AHEAD = 35
"""A date that lies fewer days ahead may be meant so without a word of the future: it is left open."""


def resolve(text: str, published_at: str | None) -> list[DatedPhrase]:
    """Return the phrases of `text` that the publication date explains, in order, not overlapping.

    `published_at` is an ISO 8601 date or date-time. A year or a month alone, None or anything else explains nothing.
    """
    published = _day_of(published_at)
    if published is None:
        return []
    found = []
    for match in _PHRASE.finditer(text):
        before = text[max(0, match.start() - _NEAR) : match.start()]
        if match["number"] is None and match["month"] is None and _NOT_AFTER.search(before):
            continue
        # "In May 5 people came."
        if match["month_1"] and _IN.search(before):
            continue
        try:
            days = _meant(match, text, published)
        except (ValueError, OverflowError):  # 30 February, or before the first year there is
            continue
        if days is not None:
            found.append(DatedPhrase(match[0], Span(match.start(), match.end()), *days))
    return found


def _day_of(published_at: str | None) -> date | None:
    if published_at is None:
        return None
    try:
        return date.fromisoformat(published_at[:10])
    except ValueError:
        return None


Days = tuple[date, date]


def _meant(match: re.Match[str], text: str, published: date) -> Days | None:
    """Return the first and last day that a phrase means, None if that stays open."""
    if match["today"] or match["two_days"]:
        return _around_today(match, text, published)
    if match["ago"]:
        number = match["ago"].lower()
        day = published - timedelta(_NUMBERS.index(number) + 1 if number in _NUMBERS else int(number))
        return day, day
    if match["day_of_week"]:
        monday = _monday(published) + timedelta(7 * _step(match["which_1"]))
        day = monday + timedelta(_DAYS.index(match["day_of_week"].lower()))
        return day, day
    if match["which_2"]:
        return _stepped(_step(match["which_2"]), match["unit"], published)
    if match["day"]:
        ahead = (_DAYS.index(match["day"].lower()) - published.weekday()) % 7
        day = published + timedelta((ahead if ahead else 7) if _is_ahead(match, text) else (ahead - 7 if ahead else 0))
        return day, day
    if match["number"]:
        number = int(re.sub(r"\D", "", match["number"]))
        month = published if number <= published.day else published.replace(day=1) - timedelta(1)
        day = month.replace(day=number)
        return day, day
    return _in_a_year(match, text, published)


def _around_today(match: re.Match[str], text: str, published: date) -> Days | None:
    words = (match["today"] if match["today"] else match["two_days"]).lower()
    # "Asia Today" is a name.
    if match[0][0].isupper() and re.search(r"[\w,]\s$", text[max(0, match.start() - 2) : match.start()]):
        return None
    # "Today's children" are not those of the day of publication.
    if text[match.end() : match.end() + 2] in ("'s", "’s") and words in ("today", "tomorrow"):
        return None
    steps = {"yesterday": -1, "last night": -1, "tomorrow": 1, "before yesterday": -2, "after tomorrow": 2}
    day = published + timedelta(steps.get(" ".join(words.split()), 0))
    return day, day


def _step(which: str) -> int:
    return {"last": -1, "this": 0, "next": 1}[which.lower()]


def _monday(day: date) -> date:
    return day - timedelta(day.weekday())


def _stepped(step: int, unit: str, published: date) -> Days:
    """Return the days of last, this or next week, weekend, month, year, Tuesday or November."""
    if unit == "year":
        return date(published.year + step, 1, 1), date(published.year + step, 12, 31)
    if unit == "month":
        return _month(published.year, published.month + step)
    monday = _monday(published)
    if unit == "week":
        return monday + timedelta(7 * step), monday + timedelta(7 * step + 6)
    if unit == "weekend":
        saturday = monday + timedelta(5 + 7 * step)
        return saturday, saturday + timedelta(1)
    if unit.lower() in _DAYS:
        ahead = (_DAYS.index(unit.lower()) - published.weekday()) % 7
        of_this_week = monday + timedelta(_DAYS.index(unit.lower()))
        day = {-1: published + timedelta(ahead - 7), 0: of_this_week, 1: published + timedelta(ahead if ahead else 7)}
        return day[step], day[step]
    month = MONTHS.index(unit.lower()[:3]) + 1
    if step == 0:
        return _month(published.year, month)
    passed = month < published.month if step < 0 else month <= published.month
    return _month(published.year + (-1 if step < 0 and not passed else 1 if step > 0 and passed else 0), month)


def _month(year: int, month: int) -> Days:
    """Return the days of a month; 0 is the December before, 13 the January after."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    if not MINYEAR <= year <= MAXYEAR:
        raise ValueError(year)
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _in_a_year(match: re.Match[str], text: str, published: date) -> Days | None:
    """Return the days of a date without a year, or of a month: the last such, or the next if its verb is ahead."""
    named = match["year_named"]
    if named and named[-1].isdigit():
        return None
    if not named and _YEAR.search(text, *_sentence(match, text)):
        return None
    name = next(m for m in (match["month_1"], match["month_2"], match["month"]) if m)
    month = MONTHS.index(name.lower()[:3]) + 1
    first = match["from_1"] if match["from_1"] else match["from_2"]
    last = match["to_1"] if match["to_1"] else match["to_2"]

    def days(year: int) -> Days:
        if first is None:
            return _month(year, month)
        start, end = (int(re.sub(r"\D", "", n)) for n in (first, last if last else first))
        return date(year, month, start), date(year, month, end)

    year = published.year
    if named:
        return days(year + _step(re.findall(_WHICH, named)[0]))
    if _is_ahead(match, text):
        return days(year if days(year)[1] >= published else year + 1)
    if days(year)[0] <= published:
        return days(year)
    near = days(year)[0] - published <= timedelta(_AHEAD)
    return None if near else days(year - 1)


def _is_ahead(match: re.Match[str], text: str) -> bool:
    """Return whether the verb of a phrase speaks of the future: the nearest before it, else the first after it."""
    start, end = _sentence(match, text)
    before = list(_VERB.finditer(text, start, match.start()))
    nearest = before[-1] if before else _VERB.search(text, match.end(), end)
    return nearest is not None and nearest["past"] is None


def _sentence(match: re.Match[str], text: str) -> tuple[int, int]:
    """Return where the sentence of a phrase begins and ends, as far as it is near."""
    start, end = max(0, match.start() - _NEAR), min(len(text), match.end() + _NEAR)
    for stop in _stops(text, start, match.start()):
        start = stop
    return start, next(_stops(text, match.end(), end), end)


def _stops(text: str, start: int, end: int) -> Iterator[int]:
    for found in _NEW_SENTENCE.finditer(text, start, end):
        if not _ABBREVIATION.search(text, max(start, found.start() - 12), found.start()):
            yield found.end()

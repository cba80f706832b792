"""Numbers in a text, with their units, as ranges: "about $5bn", "more than 300 km", "between 5 and 7 per cent"."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from index.types import Span
from qa.values.numerals import HALF, Amount, amounts, half_more
from qa.values.ranges import ANY, Range
from qa.values.units import Unit, unit_after, unit_before

_ABOUT = re.compile(r"(?:about|around|roughly|approximately|some|an estimated|circa|ca\.?|c\.|~|≈)\s?$", re.IGNORECASE)
_NEARLY = re.compile(r"(?:nearly|almost|close to|just (?:under|below)|just short of)\s$", re.IGNORECASE)
_OVER = re.compile(
    r"(?:(?<!no )(?<!not )more than|over|at least|above|exceed(?:s|ed|ing)?|upwards? of|no (?:less|fewer) than"
    r"|a minimum of|>|≥)\s?$",
    re.IGNORECASE,
)
_UNDER = re.compile(
    r"(?:(?<!no )(?<!not )(?:less|fewer) than|under|below|at most|up to|not? more than|as (?:many|much) as"
    r"|a maximum of|<|≤)\s?$",
    re.IGNORECASE,
)
_OR_MORE = re.compile(r"\+|\s(?:or more|and more|or so)\b", re.IGNORECASE)
_TO = re.compile(r"\s?(?:-|–|—|to)\s?", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:between|from)\s(?:about\s|around\s)?$", re.IGNORECASE)
_AND = re.compile(r"\s(?:and|to)\s", re.IGNORECASE)
_MINUS = re.compile(r"(?:(?<![0-9A-Za-z])[-−–]|minus\s)$", re.IGNORECASE)
_CURRENCY_AHEAD = 5
_CUE_AHEAD = 24

_ABOUT_LIKELY, _ABOUT_SURE = 0.10, 0.15


@dataclass(frozen=True, slots=True)
class Mention:
    """A measure and where it stands, in characters of the text it was found in."""

    span: Span
    range: Range


def quantities(text: str) -> list[Mention]:
    """Return the measures of `text`, in order, not overlapping. Linear in its length."""
    found = amounts(text)
    made: list[Mention] = []
    at = 0
    while at < len(found):
        second = found[at + 1] if at + 1 < len(found) and _joined(text, found[at], found[at + 1]) else None
        made.append(_measured(text, found[at], second))
        at += 1 if second is None else 2
        # The half of "an hour and a half" is no other number.
        while at < len(found) and found[at].span.start < made[-1].span.end:
            at += 1
    return made


def _joined(text: str, first: Amount, second: Amount) -> bool:
    """Return whether two amounts are the ends of one range."""
    between = text[first.span.end : second.span.start]
    if len(between) > _CURRENCY_AHEAD + 8 or first.vague is not None or second.vague is not None:
        return False
    # "5 % to 7 %", "$5 to $7": the unit may stand at both ends.
    unit = unit_after(text, first.span.end)
    start = first.span.end if unit is None else unit.end
    ahead = unit_before(text, second.span.start)
    end = second.span.start if ahead is None else ahead.start
    middle = text[start:end] if start <= end else ""
    if _TO.fullmatch(middle):
        return first.value * (second.scale / first.scale if first.scale == 1.0 else 1.0) < second.value
    before = text[max(0, first.span.start - _CUE_AHEAD) : first.span.start]
    return _AND.fullmatch(middle) is not None and _BETWEEN.search(before) is not None


def _measured(text: str, first: Amount, second: Amount | None) -> Mention:
    """Return the measure of one amount, or of a range of two, with its unit and its qualifiers."""
    last = first if second is None else second
    ahead, behind = unit_before(text, first.span.start), unit_after(text, last.span.end)
    start = first.span.start if ahead is None else ahead.start
    sign = _MINUS.search(text[max(0, start - 6) : start]) if second is None else None
    if sign is not None:
        start -= len(sign.group())
    unit = _unit(first, ahead, behind)
    more = None if behind is None else half_more(text, behind.end)
    if more is not None and second is None:
        first = replace(first, value=first.value + 0.5, step=HALF / 10, exact=False)
    low, high, least, most = _ends(first, second, unit)
    if sign is not None:
        low, high, least, most = -high, -low, -most, -least
    before = text[max(0, start - _CUE_AHEAD) : start]
    end = last.span.end if behind is None else behind.end if more is None else more
    if second is None and first.vague is None:
        low, high, least, most = _qualified((low, high, least, most), first, before, text[end : end + 10])
    ends = sorted(unit.to_base(x) for x in (least, low, high, most))
    found = Range(ends[1], ends[2], ends[0], ends[3], unit.dimension, unit.factor)
    return Mention(Span(start, end), found)


def _unit(amount: Amount, ahead: Unit | None, behind: Unit | None) -> Unit:
    """Return the unit: a sign before the number, else what follows it, else none."""
    found = ahead if ahead is not None else behind
    place = amount.span.end
    if found is not None:
        return found
    return Unit(place, place, "percent", 100.0) if amount.part else Unit(place, place, "", 1.0)


def _ends(first: Amount, second: Amount | None, unit: Unit) -> tuple[float, float, float, float]:
    if first.vague is not None:
        return first.vague
    # A whole number of something that is measured, not counted, was rounded: 4 % may be 3.7 %.
    half = HALF if unit.measured and first.exact else 0.0
    if second is None:
        step = max(first.step, half)
        return first.value - step, first.value + step, first.value - step, first.value + step
    value = first.value * (second.scale if first.scale == 1.0 else 1.0)
    low, high = sorted((value, second.value))
    reach = max(second.step, half)
    return low - reach, high + reach, low - reach, high + reach


def _qualified(
    ends: tuple[float, float, float, float], amount: Amount, before: str, after: str
) -> tuple[float, float, float, float]:
    """Return the ends as "about", "nearly", "more than" and their like move them."""
    low, high, least, most = ends
    size = abs(amount.value)
    if _OVER.search(before) or (after and _OR_MORE.match(after)):
        return low, max(high, high + size * _ABOUT_SURE), low, ANY
    if _UNDER.search(before):
        return low - size * _ABOUT_SURE, high, min(0.0, least), high
    if _NEARLY.search(before):
        return low - size * _ABOUT_LIKELY, high, low - size * _ABOUT_SURE, high
    if _ABOUT.search(before):
        reach, sure = size * _ABOUT_LIKELY, size * _ABOUT_SURE
        return min(low, low - reach), max(high, high + reach), least - sure, most + sure
    return ends

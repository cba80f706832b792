"""Numbers in a text, in digits, words or both, before their units are known.

English words, and digits as English writes them: a comma or a space between thousands, a full stop before decimals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.types import Span

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: value for value, word in enumerate(_ONES)} | {word: 20 + 10 * place for place, word in enumerate(_TENS)}
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "mln": 1e6, "m": 1e6, "billion": 1e9,
    "bn": 1e9, "b": 1e9, "trillion": 1e12, "tn": 1e12, "dozen": 12.0,
}  # fmt: skip
_PARTS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "tenth": 1 / 10}
# "Dozens", "hundreds": likely, and surely, this many.
_VAGUE = {
    "dozens": (20, 100, 13, 200), "scores": (30, 120, 20, 300), "hundreds": (200, 999, 101, 2_000),
    "thousands": (2_000, 20_000, 1_001, 100_000), "millions": (2e6, 2e7, 1_000_001, 1e8),
    "billions": (2e9, 2e10, 1_000_000_001, 1e11),
}  # fmt: skip

_WORD = "|".join(sorted((*_ONES, *_TENS), key=len, reverse=True))
_SCALE = "hundred|thousand|million|billion|trillion|dozen|mn|mln|bn|tn"
_SINGLE = "second|minute|hour|day|week|month|year|decade|mile|kilomet(?:er|re)|tonne|ton|litre"
_DIGITS = r"[0-9]{1,3}(?:[,\u00a0\u202f][0-9]{3}){1,5}(?:\.[0-9]{1,6})?|[0-9]{1,15}(?:\.[0-9]{1,6})?"
_AMOUNT = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][.,:/])(?:"
    rf"(?P<ratio>(?:one|two|three|four|[0-9]{{1,2}})\s(?:in|out\sof)\s(?:every\s)?(?:{_WORD}|[0-9]{{1,3}})(?![0-9A-Za-z]))"
    rf"|(?P<digits>{_DIGITS})(?![0-9])(?:(?P<letter>[kmb])(?![A-Za-z0-9])|[\s-]?(?P<scale>{_SCALE})\b)?"
    rf"|(?P<part>(?:a|one|two|three)[\s-](?:third|quarter|fifth|tenth)s?\b|half(?:\san?(?=\s(?:{_SINGLE})\b))?\b)"
    r"(?:\sa\s(?P<of>million|billion|trillion|dozen)\b)?"
    r"|(?P<vague>(?:(?:tens|hundreds) of )?(?:thousands|millions|billions)|dozens|scores|hundreds)\b"
    rf"|(?P<several>(?:several|a few|many)[\s-](?:dozen|hundred|thousand|million|billion))\b"
    rf"|(?P<words>(?:(?:a|an)\s(?={_SCALE})|(?=(?:{_WORD})\b))"
    rf"(?:(?:{_WORD}|{_SCALE})\b)(?:[\s-](?:and\s)?(?:{_WORD}|{_SCALE})\b){{0,9}})"
    rf"|(?P<single>an?)(?=\s(?:{_SINGLE})\b)"
    r"|(?P<none>none|nobody)\b)",
    re.IGNORECASE,
)
_HALF_MORE = re.compile(rf"\sand\sa\shalf(?:[\s-](?P<scale>{_SCALE}))?\b", re.IGNORECASE)
# Half of the last place that is not zero, but no more than this: "2 million" is hardly 1.6, and "300" not 310.
_SCALED, _LARGE, _SMALLER = 0.05, 0.05, 0.01
# Just below a half: 4 % and 5 % are different figures, although 4.5 rounds to both.
HALF = 0.499


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and where it stands.

    `step` is how far what rounds to it may be from it; `exact` says that all its digits are given; `scale` is what its
    last word multiplies by, if that is thousand or more, else 1.0. `vague` are the ends of "hundreds": most likely
    between the first two, surely between the last two. `part` is a fraction: "half", "one in five".
    """

    span: Span
    value: float
    step: float
    exact: bool
    scale: float
    vague: tuple[float, float, float, float] | None = None
    part: bool = False


def amounts(text: str) -> list[Amount]:
    """Return the numbers of `text`, in order, not overlapping. Linear in its length."""
    found = [_with_half(text, _amount(match)) for match in _AMOUNT.finditer(text)]
    # The half of "two and a half million" is no other number.
    return [one for place, one in enumerate(found) if place == 0 or found[place - 1].span.end <= one.span.start]


def half_more(text: str, place: int) -> int | None:
    """Return where an "and a half" ends that begins at `place`, as in "an hour and a half"; None if there is none."""
    found = _HALF_MORE.match(text, place)
    return None if found is None or found["scale"] is not None else found.end()


def _amount(found: re.Match[str]) -> Amount:
    span = Span(*found.span())
    if found["digits"] is not None:
        scale = found["scale"] if found["scale"] is not None else found["letter"]
        return _of_digits(span, found["digits"], 1.0 if scale is None else _SCALES[scale.lower()])
    if found["part"] is not None:
        return _of_part(span, found["part"].lower(), found["of"])
    if found["vague"] is not None:
        *many, scale = found["vague"].lower().split()
        if not many:
            return _vague(span, _VAGUE[scale])
        # "Tens of thousands", "hundreds of thousands"
        factor = {"tens": 10, "hundreds": 100}[many[0]] * _SCALES[scale.removesuffix("s")]
        return _vague(span, (2 * factor, 9.99 * factor, factor, 20 * factor))
    if found["several"] is not None:
        scale_of = _SCALES[re.split(r"[\s-]", found["several"].lower())[-1]]
        return _vague(span, (2 * scale_of, 9 * scale_of, 1.5 * scale_of, 20 * scale_of))
    if found["none"] is not None or found["single"] is not None:
        return Amount(span, 0.0 if found["single"] is None else 1.0, 0.0, True, 1.0)
    if found["ratio"] is not None:
        words = found["ratio"].lower().split()
        return _share(span, _number(words[0]) / max(1.0, _number(words[-1])))
    value, scale_of = _of_words(found["words"])
    step = _step(value, scale_of, 0)
    return Amount(span, value, step, scale_of == 1.0, scale_of)


def _with_half(text: str, amount: Amount) -> Amount:
    """Return "two and a half million" as one amount."""
    found = _HALF_MORE.match(text, amount.span.end)
    if found is None or amount.scale != 1.0:
        return amount
    scale = 1.0 if found["scale"] is None else _SCALES[found["scale"].lower()]
    value = (amount.value + 0.5) * scale
    return Amount(Span(amount.span.start, found.end()), value, HALF * scale / 10, False, scale)


def _of_part(span: Span, part: str, of: str | None) -> Amount:
    """Return "half", "two thirds", "half a million"."""
    words = re.split(r"[\s-]", re.sub(r"(?<=half)\san?$", "", part))
    value = {"two": 2, "three": 3}.get(words[0], 1) * _PARTS[words[-1].removesuffix("s")]
    if of is None:
        return _share(span, value)
    whole = _SCALES[of.lower()]
    return Amount(span, value * whole, value * whole * _SCALED, False, whole)


def _number(word: str) -> float:
    """Return the value of one small number, in digits or as a word."""
    return float(word) if word[0].isdigit() else float(_SMALL[word])


def _share(span: Span, value: float) -> Amount:
    """Return a fraction of something: "half", "a third"."""
    return Amount(span, value, value * _SMALLER, False, 1.0, part=True)


def _vague(span: Span, ends: tuple[float, ...]) -> Amount:
    low, high, least, most = ends
    return Amount(span, low, 0.0, False, 1.0, (low, high, least, most))


def _of_digits(span: Span, digits: str, scale: float) -> Amount:
    plain = re.sub("[,\u00a0\u202f]", "", digits)
    decimals = len(plain.partition(".")[2])
    value = float(plain) * scale
    return Amount(span, value, _step(value, scale, decimals), scale == 1.0 and decimals == 0, scale)


def _step(value: float, scale: float, decimals: int) -> float:
    """Return how far what rounds to `value` may be from it, as it was written."""
    if scale != 1.0:
        return min(HALF * scale / 10.0**decimals, value * _SCALED)
    if decimals:
        return HALF / 10.0**decimals
    place = _place(value)
    if place == 1.0:
        return 0.0
    return min(HALF * place, value * (_LARGE if value >= 1000 else _SMALLER))


def _place(value: float) -> float:
    """Return the place of the last digit of a whole number that is not zero: 100 for 300, 1 for 7."""
    place = 1.0
    while value and value % (place * 10) == 0:
        place *= 10
    return place


def _of_words(words: str) -> tuple[float, float]:
    """Return the value of spelled numbers, and the scale of the last word if that is thousand or more, else 1."""
    total, current, last = 0.0, 0.0, 1.0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in _SMALL:
            current, last = current + _SMALL[word], 1.0
        elif word in _SCALES:
            scale = _SCALES[word]
            last = scale if scale >= 1e3 else 1.0
            current = max(current, 1.0) * scale
            if scale >= 1e3:
                total, current = total + current, 0.0
    return total + current, last

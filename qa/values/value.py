"""What a span says, in a form that can be compared: a measure, a name, or words.

Measures of one dimension can be the same or differ. Names are the same when one is a part of the other, and differ when
they have nothing in common, which need not mean much: "the minister" and "Wang Wentao" are not even compared. Words are
the same or tell nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from index.types import Span
from qa.values.moments import CLOCK, DAY, DAY_OF_YEAR, moments, same_year
from qa.values.quantities import Mention, quantities
from qa.values.ranges import Range, Relation, compare

# How far a qualifier, a unit or a future tense may stand from the span. What is further away is not looked at, so that
# one sentence of a million characters costs no more than any other.
_AROUND = 200
_LONGEST = 400
_MOST_WORDS = 60

_WORD = re.compile(r"[^\W_]+")
_DOTTED = re.compile(r"\b(?:[A-Z]\.){2,6}")
_WITHIN_NAMES = frozenset("of the and for de del der di da du van von bin al el la le y a an s".split())
_TITLES = frozenset(
    "president vice prime minister premier chancellor king queen prince princess pope mr mrs ms miss dr sir lord lady "
    "professor prof general gen colonel captain senator sen representative rep governor gov mayor judge justice chief "
    "director chairman chairwoman chairperson spokesman spokeswoman spokesperson secretary ambassador former acting "
    "deputy".split()
)
_LEFT_OUT = frozenset(
    "a an the of to in on at by for with from and or that this is are was were be been it its s".split()
)
_ALIASES = {
    "us": "united states", "usa": "united states", "united states america": "united states",
    "america": "united states", "uk": "united kingdom", "britain": "united kingdom", "great britain": "united kingdom",
    "eu": "european union", "un": "united nations", "uae": "united arab emirates", "prc": "china",
    "people republic china": "china",
}  # fmt: skip
_DENIALS = frozenset("not no never none nobody nothing neither nor without cannot t".split())
_FEWEST_SHARED, _MOSTLY = 3, 0.75
# Transliterations and typing errors: "Zelensky", "Zelenskyy".
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Name:
    """A proper name: its words without titles, case and punctuation; `initials` of the words that have a capital."""

    words: tuple[str, ...]
    initials: str


@dataclass(frozen=True, slots=True)
class Words:
    """Anything else: its words without case, punctuation and articles; empty if it has none."""

    words: tuple[str, ...]


Value = Range | Name | Words


def value_of(sentence: str, span: Span, published_at: str | None, *, asks_when: bool = False) -> Value:
    """Return what the `span` of `sentence` says; `asks_when` prefers a date or a time of day to a number.

    Units, currencies and "about" or "more than" count where they stand just outside the span too. A span with several
    different measures has none. `published_at` (ISO 8601) says which day "Tuesday" was.
    """
    start = max(0, span.start - _AROUND)
    near = sentence[start : min(len(sentence), span.start + _LONGEST, span.end + _AROUND)]
    inside = Span(span.start - start, min(len(near), span.end - start))
    days = _touched(moments(near, published_at), inside)
    if asks_when and days:
        return _one_of(days) or _words(inside.of(near))
    dated = [mention for mention in days if not _is_bare_year(near, mention)]
    if dated:
        return _one_of(dated) or _words(inside.of(near))
    numbers = _touched(quantities(near), inside)
    if numbers:
        return _one_of(numbers) or _words(inside.of(near))
    name = _name(inside.of(near))
    return _words(inside.of(near)) if name is None else name


def relation(a: Value, b: Value) -> Relation:
    """Return how two values stand to one another; symmetric. Different kinds of value tell nothing."""
    if isinstance(a, Range) and isinstance(b, Range):
        return _of_ranges(a, b)
    if isinstance(a, Name) and isinstance(b, Name):
        return _of_names(a, b)
    if isinstance(a, Range) or isinstance(b, Range):
        return Relation.UNKNOWN
    return _of_words(a.words, b.words)


def _touched(mentions: Sequence[Mention], inside: Span) -> list[Mention]:
    return [mention for mention in mentions if mention.span.overlap(inside) > 0]


def _is_bare_year(text: str, mention: Mention) -> bool:
    """Return whether what looks like a year may be any number: no "in" before it."""
    if re.fullmatch(r"[0-9]{4}", mention.span.of(text)) is None:
        return False
    return re.search(r"\b(?:in|since|by|until|during|before|after|year)\s$", text[: mention.span.start]) is None


def _one_of(mentions: Sequence[Mention]) -> Range | None:
    """Return the one measure of all mentions, the most exact where they agree; None if they do not.

    "Tuesday, January 6" and "10 km (6 miles)" are one. Days go before the time of day. "From 6 January to 8 March" is
    not resolved: two different dates say too little.
    """
    days = [mention.range for mention in mentions if mention.range.dimension != CLOCK]
    ranges = days if days else [mention.range for mention in mentions]
    best = min(ranges, key=lambda found: (found.high - found.low) / found.unit)
    first = ranges[0]
    agree = all(_of_ranges(one, best) is Relation.SAME for one in ranges)
    # The first of two is the one that its writer meant where the second is of another dimension.
    apart = all(one.dimension != first.dimension for one in ranges[1:])
    return best if agree else first if apart else None


def _of_ranges(a: Range, b: Range) -> Relation:
    if {a.dimension, b.dimension} == {DAY, DAY_OF_YEAR}:
        dated, open_year = (a, b) if a.dimension == DAY else (b, a)
        moved = same_year(dated)
        return Relation.UNKNOWN if moved is None else compare(moved, open_year)
    return compare(a, b)


def _name(text: str) -> Name | None:
    """Return `text` as a name; None if it holds a small word, a list of names, or a title and nothing behind it.

    Whatever stands before a title goes with it: "China's Foreign Ministry spokesman Lin Jian" is Lin Jian.
    """
    plain = _DOTTED.sub(lambda found: found.group().replace(".", ""), text[:_LONGEST])
    found = _WORD.findall(plain)[:_MOST_WORDS]
    titles = [place for place, word in enumerate(found) if word.casefold() in _TITLES]
    named = [w for w in found[titles[-1] + 1 if titles else 0 :] if w.casefold() not in _WITHIN_NAMES]
    if not named or "," in plain or ";" in plain or not all(word[0].isupper() for word in named):
        return None
    words = tuple(word.casefold() for word in named)
    known = _ALIASES.get(" ".join(words))
    words = words if known is None else tuple(known.split())
    return Name(words, "".join(word[0] for word in words))


def _of_names(a: Name, b: Name) -> Relation:
    one, other = set(a.words), set(b.words)
    if one <= other or other <= one or _stands_for(a, b) or _stands_for(b, a):
        return Relation.SAME
    if one & other:
        return Relation.UNKNOWN
    if any(_alike(x, y) for x in sorted(one) for y in sorted(other)):
        return Relation.UNKNOWN
    return Relation.INCOMPATIBLE


def _alike(one: str, other: str) -> bool:
    """Return whether two words differ in a few letters; symmetric, which SequenceMatcher is not."""
    first, second = sorted((one, other))
    return SequenceMatcher(None, first, second).ratio() >= _ALIKE


def _stands_for(short: Name, long: Name) -> bool:
    """Return whether `short` is the initials of `long`: "WHO"."""
    return len(short.words) == 1 and len(long.words) > 1 and short.words[0] == long.initials


def _words(text: str) -> Words:
    found = [word.casefold() for word in _WORD.findall(text[:_LONGEST])][:_MOST_WORDS]
    counting = tuple(word for word in found if word not in _LEFT_OUT)
    return Words(counting if counting else tuple(found))


def _of_words(a: tuple[str, ...], b: tuple[str, ...]) -> Relation:
    """Return SAME if one is a run of the other, of a third of its words, or if they share most words of the shorter.

    What only one of them denies is not the same.
    """
    short, long = sorted((a, b), key=lambda words: (len(words), words))
    if not short or bool(_DENIALS & set(short)) != bool(_DENIALS & set(long)):
        return Relation.UNKNOWN
    common = set(short) & set(long)
    if len(common) >= _FEWEST_SHARED and len(common) >= _MOSTLY * len(set(short)):
        return Relation.SAME
    runs = (long[at : at + len(short)] for at in range(len(long) - len(short) + 1))
    return Relation.SAME if 3 * len(short) >= len(long) and short in runs else Relation.UNKNOWN

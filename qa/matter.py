"""Are two sentences about the same matter? Rules that only ever say no where something speaks against it.

"36 people died" and "22 were hurt", "in 2024" and "in 2022", "in Arnvik" and "in Sundhaven" hold figures of the same
kind that are not two answers to one question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from index.terms import analyze
from index.types import Span
from qa.calibrate import Weighed
from qa.features import content_words, name_words
from qa.values.moments import CLOCK, DAY, DAY_OF_YEAR, moments
from qa.values.quantities import Mention
from qa.values.ranges import Range
from qa.values.value import Value, value_of

# Things that are told together in one report, and are asked for one at a time.
_TOLD_TOGETHER: tuple[tuple[str, ...], ...] = (
    (
        "die died dead death deaths dying kill killed kills killing fatalities perished",
        "hurt injure injured injuries wound wounded",
        "missing disappeared",
        "displaced homeless evacuated evacuate fled flee",
        "arrest arrested detained",
        "rescued saved survive survived survivors freed released",
    ),
    ("export exports exported exporting", "import imports imported importing"),
    ("revenue revenues sales turnover", "profit profits earnings", "loss losses"),
    ("birth births born", "death deaths died"),
    ("won win wins winning", "lost lose loses losing"),
    ("buy bought buys paid pay", "sell sold sells"),
    ("men male boys", "women female girls"),
    ("minimum lowest", "maximum highest", "average mean"),
    ("open opened opens opening", "close closed closes closing"),
    ("start started begin began begun", "end ended finish finished"),
)
_CLASSES = tuple(
    {stem: place for place, words in enumerate(kinds) for stem in analyze(words)} for kinds in _TOLD_TOGETHER
)
_WITHDRAWN = re.compile(
    r"(?:\b(?:not|rather than|instead of|up from|down from|compared (?:with|to)|corrected from|revised from)"
    r"|\b(?:earlier|initial(?:ly)?|previous(?:ly)?|original(?:ly)?|first)\b(?:\s\w{1,15}){0,3}"
    r"(?:\s(?:of|at|as|from|was|were|said|gave|reported))?)"
    r"(?:\s(?:about|around|the|an?|some|nearly|more than|at least))?\s?[$€£¥]?$",
    re.IGNORECASE,
)
_NEGATED_LIMIT = re.compile(r"\bnot\s(?:more|less|fewer)\sthan\s?$", re.IGNORECASE)
_CUE_BEFORE = 60
_IN_PLACE = re.compile(
    r"\b(?:[Ii]n|[Aa]t|[Nn]ear|[Ff]rom|[Tt]o|[Oo]f)\s((?:the\s)?[A-Z][\w’'-]{1,30}(?:\s[A-Z][\w’'-]{1,30}){0,3})"
)
_ORDINAL = re.compile(r"\b(first|second|third|fourth|fifth)\s([a-z]{3,20})\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:()—]|\s(?:and|but|while|whereas)\s")
_YET_TO_COME = re.compile(
    r"\b(?:will|would|shall|to be|plan(?:s|ned|ning)?|target|aims?|hopes?|expected|expects|forecasts?|projected)\b",
    re.IGNORECASE,
)
_ASKS_WHEN = re.compile(
    r"\b(?:when|since when|(?:what|which|what's the) (?:day|date|year|month|time|decade|century))\b", re.IGNORECASE
)
_ASKS_FOR_ONE = re.compile(
    r"^\W*(?:who|whom|which \w+|what \w+)\s(?:is|was|became|won|wins|founded|invented|wrote|composed|painted|designed|"
    r"built|directed|discovered|heads?|headed|leads?|led|chairs?|owns?|succeeded|replaced|scored the|shot|married)\b",
    re.IGNORECASE,
)
_BESIDE = 200
_LONGEST_PERIOD_OF_A_DAY = 2
_LONGEST = 2_000
_MAY_LACK = 1
_SAME_FORM = 0.8


@dataclass(frozen=True, slots=True)
class Claim:
    """A candidate as it is compared: what it says, and what its sentence says around it."""

    weighed: Weighed
    value: Value
    asks_for_one: bool
    withdrawn: bool
    about: frozenset[str]
    """The stems of its sentence, the value itself aside."""
    beside: frozenset[str]
    """The stems of the two content words before and behind the value, the names of the question aside."""
    asked: frozenset[str]
    """The stems of the question that its passage or title holds; the year of publication counts as held."""
    told: frozenset[str]
    """The stems of the question that its sentence holds, names aside."""
    names: frozenset[str]
    """The names and numbers of the question that its passage or title holds."""
    kinds: tuple[int | None, ...]
    """For each list of `_TOLD_TOGETHER`: which of its things is told of, in the clause first."""
    periods: tuple[Range, ...]
    """The months and years that the sentence names beside the value."""
    places: frozenset[str]
    ordinals: frozenset[tuple[str, str]]
    """What it counts out, and which: ("quarter", "first")."""
    to_come: bool
    """Whether its clause speaks of the future where the question does not."""
    held: frozenset[str]
    """The stems of its passage and title, and the year of publication."""


def claim_of(query: str, weighed: Weighed) -> Claim:
    """Return the candidate as it is compared for `query`."""
    candidate = weighed.candidate
    document = candidate.passage.document
    sentence = candidate.quote
    first = candidate.sentence.span.start
    span = Span(candidate.span.start - first, candidate.span.end - first)
    near = sentence[max(0, span.start - _LONGEST) : span.end + _LONGEST]
    place = Span(min(span.start, _LONGEST), min(span.start, _LONGEST) + len(span))
    asks_when = _ASKS_WHEN.search(query) is not None
    known = f"{document.title}\n{document.published_at[:4] if document.published_at else ''}\n{candidate.passage.text}"
    held = frozenset(analyze(known))
    without = near[: place.start] + " " + near[place.end :]
    clause = _clause(near, place).of(near)
    told_of, stems = set(analyze(clause)), set(analyze(near))
    asked, names = content_words(query), name_words(query)
    about = frozenset(analyze(without))
    return Claim(
        weighed=weighed,
        value=value_of(sentence, span, document.published_at, asks_when=asks_when),
        asks_for_one=_ASKS_FOR_ONE.search(query) is not None,
        withdrawn=is_withdrawn(near, place),
        about=about,
        beside=_beside(near, place, names),
        asked=frozenset(asked & held),
        told=about & (asked - names),
        names=frozenset(names & held),
        kinds=tuple(_told(classes, told_of, stems) for classes in _CLASSES),
        periods=() if asks_when else _periods(near, place, document.published_at),
        places=_places(without, names),
        ordinals=frozenset((thing.lower(), which.lower()) for which, thing in _ORDINAL.findall(without)),
        to_come=not _YET_TO_COME.search(query) and _YET_TO_COME.search(clause) is not None,
        held=held,
    )


def same_matter(one: Claim, other: Claim) -> bool:
    """Return whether nothing speaks against it that both answer the same question; symmetric."""
    if len(one.asked - other.asked) > _MAY_LACK and len(other.asked - one.asked) > _MAY_LACK:
        return False
    if any(a is not None and b is not None and a != b for a, b in zip(one.kinds, other.kinds, strict=True)):
        return False
    counted = {thing for thing, _ in one.ordinals} & {thing for thing, _ in other.ordinals}
    if any(_which(one, thing).isdisjoint(_which(other, thing)) for thing in counted):
        return False
    if one.periods and other.periods and not _meet(one.periods, other.periods):
        return False
    return not _elsewhere(one, other)


def rival_matter(one: Claim, other: Claim) -> bool:
    """Return whether both are on the same matter so clearly that different values are two sides of it; symmetric.

    Each names what the other names of the question, and neither is a plan where the other is a fact. Two dates are
    those of one event only if their sentences share a word of the question ("published"): a report has many dates.
    """
    if one.names != other.names or one.to_come != other.to_come:
        return False
    if isinstance(one.value, Range) and one.value.dimension in (DAY, DAY_OF_YEAR, CLOCK):
        return not (one.told | other.told and one.told.isdisjoint(other.told)) and same_matter(one, other)
    return same_matter(one, other)


def same_office(one: Claim, other: Claim) -> bool:
    """Return whether two names stand beside the same words: "was written by Ordin" and "led by Garrow" do not.

    Nor do two of which one passage knows both: "Sky UK, formerly BSkyB".
    """
    return bool(one.beside & other.beside) and not _knows(one, other) and not _knows(other, one)


def same_statement(one: Claim, other: Claim) -> bool:
    """Return whether two sentences share nearly all their words, what they say aside; symmetric.

    Two items of a list that one sentence gives are not the same.
    """
    if not one.about or _common(one.about, other.about) < _SAME_FORM:
        return False
    return not (_stems(one) <= other.about and _stems(other) <= one.about)


def is_withdrawn(sentence: str, span: Span) -> bool:
    """Return whether the sentence only says what was thought before: "46 seats, not 48", "up from 120"."""
    before = sentence[max(0, span.start - _CUE_BEFORE) : span.start]
    return _WITHDRAWN.search(before) is not None and _NEGATED_LIMIT.search(before) is None


def _told(classes: dict[str, int], clause: set[str], sentence: set[str]) -> int | None:
    """Return which of things told together the clause tells of, else its sentence; None if unclear."""
    for stems in (clause, sentence):
        found = {classes[stem] for stem in stems & classes.keys()}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _stems(claim: Claim) -> frozenset[str]:
    return frozenset(analyze(claim.weighed.candidate.text))


def _knows(one: Claim, other: Claim) -> bool:
    """Return whether the passage of one holds what the other says."""
    return _stems(other) <= one.held


def _clause(sentence: str, span: Span) -> Span:
    """Return the part of the sentence around the span, up to the next comma, bracket, "and" or "but"."""
    start = max((found.end() for found in _CLAUSE.finditer(sentence, 0, span.start)), default=0)
    end = next((found.start() for found in _CLAUSE.finditer(sentence, span.end)), len(sentence))
    return Span(min(start, span.start), max(end, span.end))


def _beside(sentence: str, span: Span, names: set[str]) -> frozenset[str]:
    """Return the stems of the next two content words on each side of the span, `names` aside."""
    before, behind = sentence[max(0, span.start - _BESIDE) : span.start], sentence[span.end : span.end + _BESIDE]
    telling = content_words(f"{before} {behind}") - names
    return frozenset(
        [stem for stem in analyze(before) if stem in telling][-2:]
        + [stem for stem in analyze(behind) if stem in telling][:2]
    )


def _periods(sentence: str, span: Span, published_at: str | None) -> tuple[Range, ...]:
    """Return the periods longer than a day that the sentence names outside the span.

    A day is mostly when somebody said it; a month or a year is mostly what it is about.
    """
    found: Iterable[Mention] = moments(sentence, published_at)
    return tuple(
        mention.range
        for mention in found
        if mention.range.dimension == DAY
        and mention.range.high - mention.range.low > _LONGEST_PERIOD_OF_A_DAY
        and mention.span.overlap(span) == 0
    )


def _which(claim: Claim, thing: str) -> set[str]:
    """Return which of a thing the sentence speaks of: the "first" for the quarter."""
    return {which for counted, which in claim.ordinals if counted == thing}


def _meet(one: tuple[Range, ...], other: tuple[Range, ...]) -> bool:
    return any(a.low <= b.high and b.low <= a.high for a in one for b in other)


def _places(text: str, names: set[str]) -> frozenset[str]:
    """Return the stems of what stands behind "in", "at" or "near" and is named, `names` aside."""
    return frozenset(analyze(" ".join(_IN_PLACE.findall(text)))) - names


def _elsewhere(one: Claim, other: Claim) -> bool:
    """Return whether each sentence names a place that the other's passage does not know."""
    return bool(one.places) and bool(other.places) and not one.places & other.held and not other.places & one.held


def _common(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(len(a), len(b))

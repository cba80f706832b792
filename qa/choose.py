"""Weighed candidates → which of them are quoted, and in what order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.terms import analyze
from qa.agree import Evidence
from qa.asks import Form, form, parts
from qa.calibrate import Weighed
from qa.expect import kind_fits
from qa.features import content_words
from qa.types import Candidate


@dataclass(frozen=True, slots=True)
class ChoicePolicy:
    """How far below the best candidate's weight another one may lie and still be quoted.

    `near` at all; `same` if it says the same as the best, `listed` if the question asks for a list and it gives another
    item, `part` if it answers a part of the question that the best leaves open.
    """

    near: float = 1.5
    same: float = 2.5
    listed: float = 2.0
    part: float = 4.0


_CAUSE = re.compile(
    r"\b(?:because|since|as|due\s+to|owing\s+to|so\s+that|in\s+order\s+to|to|after|result\w*|caus\w+|reason\w*|response|aim\w*"
    r"|therefore|thus|for\s+fear|over)\b",
    re.IGNORECASE,
)
_WHY = re.compile(r"^\W*why\b", re.IGNORECASE)
_WHEN = re.compile(r"^\W*(?:when|(?:in|on)\s+(?:what|which)\s+(?:day|date|year|month))\b", re.IGNORECASE)
_TIME_WORDS = re.compile(
    r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|last|next|this|on|in|\d[\d,.:]*)\b|\W"
)
# Two sentences of copies of one document that share so many of their words make one statement.
_SAME_WORDS = 0.6


def choose(
    query: str,
    weighed: Sequence[Weighed],
    evidence: Sequence[Evidence],
    against: Sequence[Evidence],
    policy: ChoicePolicy,
) -> list[Weighed]:
    """Return the candidates to quote, in order, each sentence once; the first of `weighed` is first.

    Behind it the best for each value `against` it; what answers the parts of the question that it leaves open; the best
    of the first `evidence` from an independent document, whatever it weighs: what is counted as a source is shown; then
    the others, as far as the policy lets them in. None makes the statement of another one in a copy of its document,
    and in a list none gives an item again.
    """
    kept: list[Weighed] = []
    sides = {_place(side.witnesses[0].candidate) for side in against}
    for one in _in_order(query, weighed, evidence, against, policy):
        # An edited copy that gives another value makes nearly the same statement, and has to be seen all the same.
        apart = _is_elsewhere if _place(one.candidate) in sides else _differs
        if all(apart(one, other) for other in kept):
            kept.append(one)
    return kept


def _in_order(
    query: str,
    weighed: Sequence[Weighed],
    evidence: Sequence[Evidence],
    against: Sequence[Evidence],
    policy: ChoicePolicy,
) -> Iterator[Weighed]:
    best = weighed[0]
    yield best
    yield from (side.witnesses[0] for side in against)
    yield from _for_open_parts(query, weighed, policy)
    same = evidence[0].witnesses if evidence else ()
    alike = {_place(one.candidate) for one in same}
    yield from [one for one in same if _source(one) != _source(best)][:1]
    items = [best]
    listing = form(query) is Form.LIST
    for one in weighed[1:]:
        says_the_same = _place(one.candidate) in alike or _plain(one.candidate.text) == _plain(best.candidate.text)
        if one.weight >= best.weight - (policy.same if says_the_same else policy.near):
            yield one
        elif listing and one.weight >= best.weight - policy.listed and _is_new(one, items):
            items.append(one)
            yield one


def _for_open_parts(query: str, weighed: Sequence[Weighed], policy: ChoicePolicy) -> Iterator[Weighed]:
    """Yield for each part of the question that the best sentence leaves open the best candidate that answers it."""
    asked = parts(query)
    if len(asked) < 2:
        return
    best = weighed[0]
    beside = [one for one in weighed if _sentence(one.candidate) == _sentence(best.candidate)]
    for part in asked:
        if any(_answers(part, asked, one) for one in beside):
            continue
        near = (one for one in weighed[1:] if one.weight >= best.weight - policy.part)
        yield from [one for one in near if _answers(part, asked, one)][:1]


def _answers(part: str, asked: Sequence[str], one: Weighed) -> bool:
    """Return whether a candidate holds what a part asks for, and in its sentence a word that only that part has."""
    candidate = one.candidate
    others = set().union(*(content_words(other) for other in asked if other != part))
    own = content_words(part) - others
    if own and not own & (set(analyze(candidate.quote)) | set(analyze(candidate.passage.document.title))):
        return False
    if _WHY.match(part):
        return _CAUSE.search(candidate.quote) is not None
    # "January" is capitalised and no place: a date answers only the question when.
    text = candidate.text if _WHEN.match(part) else _TIME_WORDS.sub(" ", candidate.text)
    return bool(text.strip()) and kind_fits(part, text) > 0


def _is_new(one: Weighed, items: Iterable[Weighed]) -> bool:
    """Return whether an item is not in another one, nor another one in it."""
    words = set(_plain(one.candidate.text).split())
    others = (set(_plain(item.candidate.text).split()) for item in items)
    return bool(words) and not any(words <= other or other <= words for other in others)


def _differs(one: Weighed, other: Weighed) -> bool:
    """Return whether both can be quoted: not the same place, not the same words, not one statement in two copies."""
    a, b = one.candidate, other.candidate
    copies = a.passage.document.id != b.passage.document.id and _source(one) == _source(other)
    return _is_elsewhere(one, other) and not (copies and _one_statement(a, b))


def _is_elsewhere(one: Weighed, other: Weighed) -> bool:
    """Return whether two candidates stand in sentences at different places and of different words."""
    a, b = one.candidate, other.candidate
    here = a.passage.document.id == b.passage.document.id and a.sentence.span.overlap(b.sentence.span) > 0
    return not here and _plain(a.quote) != _plain(b.quote)


def _one_statement(a: Candidate, b: Candidate) -> bool:
    one, two = set(_plain(a.quote).split()), set(_plain(b.quote).split())
    return len(one & two) >= _SAME_WORDS * len(one | two)


def _source(one: Weighed) -> str:
    return one.candidate.passage.document.source


def _sentence(candidate: Candidate) -> tuple[str, int, int]:
    return candidate.passage.document.id, candidate.sentence.span.start, candidate.sentence.span.end


def _place(candidate: Candidate) -> tuple[str, int, int]:
    return candidate.passage.document.id, candidate.span.start, candidate.span.end


def _plain(text: str) -> str:
    """Return `text` as it counts for being the same: case, punctuation and spacing aside."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())

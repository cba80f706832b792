"""A question → its noun phrases, each with what it can be: somebody, something, a place, a year, one or several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from qa.english.grammar import Part, Word, words_of
from qa.english.lexicon import ASKING, BE, NATIONAL
from qa.english.nouns import COUNTRIES, MONTHS, PEOPLE, PLACES, is_adjective, is_plural
from qa.english.pronouns import people


class Role(Enum):
    """Where a phrase stands in its question."""

    ASKED = auto()
    """Which *cities*, how many *people*."""
    SUBJECT = auto()
    OBJECT = auto()
    BEHIND = auto()
    """Behind a preposition."""
    OWNER = auto()
    """*Iceland*'s law."""


class Kind(Enum):
    """What a phrase can be."""

    PERSON = auto()
    THING = auto()
    PLACE = auto()
    YEAR = auto()
    NAME = auto()
    """A name of which nothing more is known."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase of a question: its text without article, where it stands there, its last noun, and what it can be.

    `article` is "the", "a", … or empty; `preposition` what stands before it, or empty. `bare` says that nothing behind
    it tells which: "the law", and not "the law of Iceland".
    """

    text: str
    article: str
    preposition: str
    head: str
    start: int
    end: int
    role: Role
    kind: Kind
    plural: bool
    named: bool
    bare: bool = True

    @property
    def full(self) -> str:
        """The phrase with its article, if that is "the" or "a"."""
        return f"{self.article} {self.text}" if self.article in {"the", "a", "an"} else self.text


_BINDS = frozenset("of in at for on between with".split())
_LONGEST_CHAIN = 2
_LONGEST_RELATIVE = 6
_INSIDE = frozenset({Part.NOUN, Part.NAME, Part.NUMBER})
_YEAR = re.compile(r"(?:1[0-9]|20)[0-9]{2}$")
_GENITIVE = re.compile(r"['’]s$|(?<=s)['’]$")


@dataclass(frozen=True, slots=True)
class _Run:
    """The words of one phrase: from `first` to before `last`, the article not counted; `genitive` has a 's."""

    first: int
    last: int
    article: int | None
    genitive: bool


def phrases_of(question: str, words: Sequence[Word] | None = None) -> tuple[Phrase, ...]:
    """Return the noun phrases of `question` in order; each "of"-chain as a whole, then what is inside it."""
    tagged = words_of(question) if words is None else words
    runs = _runs(tagged)
    found: list[Phrase] = []
    for at, run in enumerate(runs):
        chain = _chained(tagged, runs, at)
        told = _end_of_relative(tagged, runs[chain].last)
        if told is not None:
            owned = next((one for one in runs[at : chain + 1] if not one.genitive), run)
            found.append(_phrase(question, tagged, run, owned, told, bare=False))
        if chain > at:
            owned = next((one for one in runs[at : chain + 1] if not one.genitive), run)
            found.append(_phrase(question, tagged, run, owned, runs[chain].last, bare=False))
        found.append(_phrase(question, tagged, run, run, run.last, bare=chain == at))
    return tuple(p for p in found if not (p.text in NATIONAL and not p.article))


def _end_of_relative(words: Sequence[Word], last: int) -> int | None:
    """Return where "that UPI translated", which begins at words[last], ends the question; None if none begins there."""
    ends = next((i for i in range(last, len(words)) if words[i].part is Part.MARK), len(words))
    if any(word.part is not Part.MARK for word in words[ends:]) or not 2 < ends - last <= _LONGEST_RELATIVE:
        return None
    first = words[last]
    told = first.part is Part.JOINING and first.lower in {"that", "which", "who"}
    plain = all(word.part not in {Part.JOINING, Part.ASKING} for word in words[last + 1 : ends])
    return ends if told and plain else None


def _runs(words: Sequence[Word]) -> list[_Run]:
    """Return the stretches of nouns, names and numbers. One with a 's ends there: "Iceland's | law"."""
    runs: list[_Run] = []
    at = 0
    while at < len(words):
        if words[at].part not in _INSIDE:
            at += 1
            continue
        first = at
        while at < len(words) and words[at].part in _INSIDE:
            if at > first and _is_predicate(words, first, at):
                break
            at += 1
            if _GENITIVE.search(words[at - 1].text):
                break
        genitive = _GENITIVE.search(words[at - 1].text) is not None and at < len(words)
        article = first - 1 if first and words[first - 1].part is Part.ARTICLE else None
        runs.append(_Run(first, at, article, genitive))
        if at < len(words) and at > first and words[at].part in _INSIDE and not genitive:
            at += 1  # the adjective that was cut off is no phrase
    return runs


def _is_predicate(words: Sequence[Word], first: int, at: int) -> bool:
    """Return whether words[at] is what is said of the phrase: "Is throat cancer | treatable", "was he | proud of"."""
    last = at + 1 == len(words) or words[at + 1].part not in _INSIDE
    asked = any(word.lower in BE for word in words[:first])
    return last and asked and words[at].part is Part.NOUN and is_adjective(words[at].lower)


def _chained(words: Sequence[Word], runs: Sequence[_Run], at: int) -> int:
    """Return the number of the last run that hangs on run `at`: "the shop | in Butare"."""
    last = at
    while last + 1 < len(runs) and last - at < _LONGEST_CHAIN:
        following = runs[last + 1]
        begins = following.first if following.article is None else following.article
        between = words[runs[last].last : begins]
        possessed = runs[last].genitive and not between
        bound = len(between) == 1 and between[0].lower in _BINDS and not runs[last].genitive
        # "in Nepal in 2012" says when it was, not which Nepal.
        when = words[following.first]
        if _YEAR.match(when.text) or when.lower in MONTHS or words[runs[at].first].part is Part.NUMBER:
            bound = False
        # "Enric Duran in prison": a name needs nothing that says which.
        if words[runs[last].last - 1].part is Part.NAME and (runs[last].article is None or last > at):
            bound = False
        if not (possessed or bound):
            break
        last += 1
    # What ends in "China's" was cut off from its noun.
    while last > at and runs[last].genitive:
        last -= 1
    return last


def _phrase(question: str, words: Sequence[Word], run: _Run, main: _Run, last: int, *, bare: bool) -> Phrase:
    """Return the phrase from the beginning of `run` to before the word `last`; `main` holds its noun."""
    gerund = words[run.first].lower.endswith("ing") and run.last - run.first > 1 and run.article is None
    of = run.first > 0 and words[run.first - 1].lower in {"of", "for", "by"}
    # "The effects of consuming | energy drinks".
    first = words[run.first + 1 if gerund and of and is_plural(words[run.last - 1].lower) else run.first]
    end = words[last - 1].end
    text = _GENITIVE.sub("", question[first.start : end])
    at = run.first if run.article is None else run.article
    before = words[at - 1] if at else None
    # "Noor 2", "Clermont Foot 63": the number is a part of the name.
    numbered = main.last - main.first > 1 and words[main.last - 1].part is Part.NUMBER
    head_word = words[main.last - (2 if numbered else 1)]
    head = _GENITIVE.sub("", head_word.lower)
    role = _role(words, main, at)
    named = any(word.part is Part.NAME for word in words[run.first : run.last])
    preposition = before.lower if before is not None and before.part is Part.BEFORE else ""
    return Phrase(
        text=text,
        article="" if run.article is None else words[run.article].lower,
        preposition=preposition,
        head=head,
        start=first.start if run.article is None else words[run.article].start,
        end=end,
        role=role,
        kind=_kind(question, words, main, head, preposition),
        plural=head_word.text in NATIONAL or is_plural(head, named=head_word.part is Part.NAME),
        named=named,
        bare=bare and not run.genitive and not (at and _GENITIVE.search(words[at - 1].text) is not None),
    )


def _role(words: Sequence[Word], run: _Run, at: int) -> Role:
    """Return the role of the run whose first word, or article, is words[at]."""
    before = words[:at]
    if run.genitive:
        return Role.OWNER
    if before and before[-1].part is Part.ASKING and before[-1].lower in {"what", "which", "whose"}:
        return Role.ASKED
    if len(before) > 0 and before[-1].lower == "how" and words[at].lower in {"many", "much"}:
        return Role.ASKED
    if before and before[-1].part is Part.BEFORE:
        return Role.BEHIND
    if any(word.part is Part.VERB for word in before):
        return Role.OBJECT
    return Role.SUBJECT


def _kind(question: str, words: Sequence[Word], run: _Run, head: str, preposition: str) -> Kind:
    inside = words[run.first : run.last]
    if len(inside) == 1 and _YEAR.match(inside[0].text):
        return Kind.YEAR
    names = [word for word in inside if word.part is Part.NAME]
    if len(inside) == 1 and inside[0].text in NATIONAL:
        return Kind.PERSON
    last = inside[-2] if len(inside) > 1 and inside[-1].part is Part.NUMBER else inside[-1]
    if not names or names[-1] is not last:
        return Kind.PERSON if head in PEOPLE or head.removesuffix("s") in PEOPLE else _common(head)
    name = _GENITIVE.sub("", question[names[0].start : names[-1].end])
    if any(word.part is Part.NUMBER for word in inside):
        return Kind.THING
    if name.lower() in COUNTRIES or head in PLACES:
        return Kind.PLACE
    if run.article is not None and words[run.article].lower == "the":
        return Kind.THING
    if preposition in {"in", "at", "near", "across", "around"}:
        return Kind.PLACE
    if people(f"It helped {name} there.", frozenset()):
        return Kind.PERSON
    return Kind.NAME if len(name.split()) == 1 and not name.isupper() else Kind.THING


def _common(head: str) -> Kind:
    return Kind.PLACE if head in PLACES else Kind.THING


def asks_who(words: Sequence[Word]) -> bool:
    """Return whether a question asks for a person: its first question word is "who"."""
    asking = next((word.lower for word in words if word.part is Part.ASKING or word.lower in ASKING), "")
    return asking in {"who", "whom"}

"""What a pronoun means: which of the things and people spoken of fits, the nearest turn first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from qa.english.nouns import PLACES, RELATIONAL
from qa.english.phrases import Kind, Role
from qa.english.pronouns import people
from qa.turns.mentions import FEMALE, LISTED, MALE, NO_ANTECEDENT, TURNS_BACK, Mention, Spoken, prominence, said_in
from qa.types import Turn

_GROUPS = frozenset(
    "team company ministry government group club shop band family council court party union museum firm bank "
    "committee staff agency organisation organization university institute school police army couple pair "
    "association".split()
)
_CLAUSE = re.compile(r"\b(?:that|which|who)\b")
_QUOTES_BACK = 3
_LONGEST = 300
INSIDE = frozenset({"in", "at", "from", "near", "to", "around"})


def somebody(spoken: Spoken, turns: Sequence[Turn], pronoun: str) -> Mention | None:
    """Return whom "he" or "she" means: the nearest person, the answer to "who" before those of its question unless one
    of these has been spoken of before.
    """
    female = pronoun in {"she", "her", "hers", "herself"}

    def fits(mention: Mention) -> bool:
        phrase = mention.phrase
        if phrase.plural and (not phrase.named or phrase.article):
            return False
        behind = phrase.role is Role.BEHIND and phrase.preposition not in {"about", "with"} and not mention.kept
        return mention.person or (phrase.kind is Kind.NAME and not mention.answered and not behind)

    def rank(mention: Mention) -> tuple[int, ...]:
        about = mention.phrase.preposition == "about"
        return (
            0 if mention.person or mention.kept else 1,
            0 if about else 1,
            0 if mention.kept or mention.asked_who else 1,
            0 if mention.kept and not mention.asked_who else 1,
            *prominence(mention),
        )

    for found in spoken:
        # In "Who is the manager?" the answer and the manager are one.
        named = any(m.asked_who for m in found)
        able = [m for m in found if fits(m) and (m.phrase.named or not named)]
        fitting = sorted((m for m in able if not _other_gender(m, turns, female)), key=rank)
        if fitting:
            return fitting[0]
    return _quoted_person(turns)


def _other_gender(mention: Mention, turns: Sequence[Turn], female: bool) -> bool:
    """Return whether the conversation has called this person by the other pronoun."""
    other, own = (MALE, FEMALE) if female else (FEMALE, MALE)
    last = mention.phrase.text.split()[-1].lower()
    for turn in list(turns[-TURNS_BACK:])[::-1]:
        if last not in turn.standalone.lower() or last in turn.question.lower():
            continue
        if other.search(turn.question) and not own.search(turn.question):
            return True
        if own.search(turn.question):
            return False
    return False


def _quoted_person(turns: Sequence[Turn]) -> Mention | None:
    """Return the first person that the nearest quotes name."""
    for turn in list(turns[-_QUOTES_BACK:])[::-1]:
        names = people(turn.quotes[0][:_LONGEST], frozenset()) if turn.quotes else []
        if names:
            said = said_in(Turn(turn.question, "Who is meant?", (), names[0]))
            return None if said.answer is None else Mention(
                said.answer, "", answered=True, asked_who=False, asked_which=False, kept=False, again=False, sure=True
            )  # fmt: skip
    return None


def something(spoken: Spoken, question: str, *, subject: bool, acts: bool) -> Mention | None:
    """Return what "it" means in `question`: the nearest single thing that it does not name itself.

    The answer to "which" goes first, then what has been the topic; who `acts` is a group or has a name; an object is
    rather no place that was the subject.
    """

    def fits(mention: Mention) -> bool:
        phrase = mention.phrase
        if phrase.plural or phrase.kind is Kind.YEAR or phrase.head in NO_ANTECEDENT or phrase.head in RELATIONAL:
            return False
        if phrase.role is Role.ASKED or mention.coupled or (mention.person and (not phrase.named or mention.sure)):
            return False
        return not (mention.answered and mention.person) and phrase.text.lower() not in question.lower()

    def rank(mention: Mention) -> tuple[int, ...]:
        phrase = mention.phrase
        late = mention.answered and not mention.asked_which
        other = phrase.role is Role.SUBJECT and not subject and (_is_place(mention) or mention.person)
        return (
            0 if mention.asked_which else 1, int(mention.person), int(acts and not _can_act(mention)), int(late),
            int(other), int(phrase.role is Role.OWNER and not mention.again), int(_is_aside(mention)),
            *prominence(mention),
        )  # fmt: skip

    best = _nearest(spoken, fits, rank)
    if best is not None and _is_aside(best) and best.kept and best in spoken[0]:
        # "How many were hurt in Chelyabinsk? How fast was it?": the meteorite in Chelyabinsk of the turn before.
        before = _nearest(spoken[1:2], lambda mention: fits(mention) and not _is_aside(mention), rank)
        return best if before is None else before
    return best


def _is_place(mention: Mention) -> bool:
    return mention.phrase.kind is Kind.PLACE or (mention.phrase.kind is Kind.THING and mention.phrase.head in PLACES)


def _is_aside(mention: Mention) -> bool:
    """Return whether a mention only says which: the meteorite "in Chelyabinsk", the drainpipe "of Inky"."""
    phrase = mention.phrase
    unknown = phrase.kind is Kind.NAME and phrase.preposition == "of"
    return phrase.role is Role.BEHIND and (unknown or (_is_place(mention) and phrase.preposition in INSIDE))


def several(spoken: Spoken, *, human: bool) -> str | None:
    """Return what "they" means: the nearest plural; else two single things of one question; else a group."""
    for found in spoken:
        listed = [m for m in found if m.asked_who or (m.answered and m.phrase.plural and LISTED.search(m.phrase.text))]
        if listed:
            return listed[0].named
        fitting = [
            m
            for m in found
            if m.phrase.plural and m.phrase.head not in NO_ANTECEDENT and m.phrase.head not in RELATIONAL
        ]
        fitting.sort(key=lambda m: (int(human and not _can_act(m)), int(m.answered), *prominence(m)))
        if fitting and not (human and not any(_can_act(m) for m in fitting)):
            return fitting[0].named
        groups = [m for m in found if m.phrase.head in _GROUPS]
        if groups:
            return sorted(groups, key=prominence)[0].named
        pair = [m for m in found if _is_pair(m, human=human)]
        # Of "the story that UPI translated", UPI is no second one.
        pair = [m for m in pair if not any(_is_part(m, other) for other in pair)]
        if len(pair) > 1:
            pair.sort(key=lambda m: m.phrase.start)
            return f"{pair[0].named} and {pair[1].named}"
        generic = [m for m in found if m.phrase.article in {"a", "an"} and not m.answered]
        if generic:
            return generic[0].named
    return None


def _is_part(mention: Mention, other: Mention) -> bool:
    """Return whether the phrase of `mention` stands in the clause that tells which `other` is meant."""
    one, whole = mention.phrase, other.phrase
    return whole.start < one.start and one.end <= whole.end and _CLAUSE.search(whole.text) is not None


def _can_act(mention: Mention) -> bool:
    return (
        mention.person or mention.phrase.head in _GROUPS or (mention.phrase.named and mention.phrase.kind is Kind.PLACE)
    )


def _is_pair(mention: Mention, *, human: bool) -> bool:
    phrase = mention.phrase
    if mention.answered or phrase.plural or phrase.role in {Role.ASKED, Role.OWNER} or phrase.head in NO_ANTECEDENT:
        return False
    if phrase.head in RELATIONAL or phrase.kind in {Kind.YEAR, Kind.PLACE}:
        return False
    return mention.person if human else True


def somewhere(spoken: Spoken) -> Mention | None:
    """Return where "there" is: the nearest answer to "which", place, or thing that one is in or at."""

    def fits(mention: Mention) -> bool:
        phrase = mention.phrase
        if mention.person or phrase.kind is Kind.YEAR or phrase.plural or phrase.head in NO_ANTECEDENT | RELATIONAL:
            return False
        inside = phrase.preposition in INSIDE
        return mention.asked_which or phrase.kind in {Kind.PLACE, Kind.NAME} or inside or phrase.role is not Role.ASKED

    def rank(mention: Mention) -> tuple[int, ...]:
        inside = mention.phrase.preposition in INSIDE
        chained = " in " in mention.phrase.text
        sure = mention.asked_which or chained or mention.phrase.kind is Kind.PLACE or inside
        return (0 if mention.asked_which else 1, 0 if sure else 1, 0 if chained else 1, *prominence(mention))

    return _nearest(spoken, fits, rank)


def _is_somebody(mention: Mention) -> bool:
    return mention.sure or (mention.person and not mention.phrase.named)


def topic(spoken: Spoken) -> Mention | None:
    """Return what the last turn was about: a thing rather than a person, and what the one before spoke of too."""
    for found in spoken[:2]:
        fitting = [
            m
            for m in found
            if m.phrase.kind is not Kind.YEAR and m.phrase.head not in NO_ANTECEDENT | RELATIONAL
            and m.phrase.role is not Role.ASKED and not (m.answered and not m.asked_which)
        ]  # fmt: skip
        fitting = fitting or [m for m in found if m.phrase.head not in NO_ANTECEDENT | RELATIONAL]
        if fitting:
            return min(fitting, key=lambda m: (int(not m.again), int(_is_somebody(m)), *prominence(m)))
    return None


def _nearest(
    spoken: Spoken, fits: Callable[[Mention], bool], rank: Callable[[Mention], tuple[int, ...]]
) -> Mention | None:
    for found in spoken:
        fitting = sorted((m for m in found if fits(m)), key=rank)
        if fitting:
            return fitting[0]
    return None

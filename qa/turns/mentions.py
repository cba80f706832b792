"""What a conversation has spoken of: the things and people of its questions and answers, turn by turn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qa.english.grammar import words_of
from qa.english.nouns import ADJECTIVES, PEOPLE, RELATIONAL
from qa.english.phrases import Kind, Phrase, Role, asks_who, phrases_of
from qa.english.pronouns import people
from qa.types import Turn

TURNS_BACK = 8
"""How many turns are looked at; what is further back is forgotten."""
NO_ANTECEDENT = frozenset(
    "year years day days week weeks weekend month months time times way lot kind kinds end start beginning thing "
    "things total average moment fact term terms addition general sort part bit number detail example first second "
    "last same most best worst other others rest pros cons difference differences similarities idea topic question "
    "point summer winter spring autumn morning evening night today".split()
)
LISTED = re.compile(r"\s*(?:,\s*(?:and\s)?|\sand\s)\s*")
FEMALE = re.compile(r"\b(?:she|her|hers|herself)\b", re.IGNORECASE)
MALE = re.compile(r"\b(?:he|him|his|himself)\b(?!\s[A-Z])", re.IGNORECASE)
_LONGEST = 300
_LONGEST_ANSWER = 90
_MOST_ANSWER_WORDS = 8
_ORDER = {Role.SUBJECT: 0, Role.ASKED: 1, Role.OBJECT: 2, Role.BEHIND: 3, Role.OWNER: 3}
_TO_THE_NAME = re.compile(r".*\b[A-Z][\w’'-]*")
_PUT_BEHIND = re.compile(r"\s\([^()]*\)$")
_ASKS_WHICH = re.compile(r"\W*(?:\w+\s)?(?:which|what)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """The phrases of a turn's question, and its answer if that is one; whether it asked who, or which one thing."""

    phrases: tuple[Phrase, ...]
    answer: Phrase | None
    asked_who: bool
    asked_which: bool


@dataclass(frozen=True, slots=True)
class Mention:
    """A phrase that a turn spoke of.

    `where` says of which ones "how many tigers" asked: "in Nepal". `answered` says that it is the answer to the
    question, which asked who (`asked_who`) or which (`asked_which`). The turn before spoke of it or of a part of it
    (`kept`), even in the same words (`again`). `sure` says that it is known to be a person, `coupled` that it is one of
    two ("tea and coffee").
    """

    phrase: Phrase
    where: str
    answered: bool
    asked_who: bool
    asked_which: bool
    kept: bool
    again: bool
    sure: bool
    coupled: bool = False

    @property
    def named(self) -> str:
        """How the mention is called where it is put in place of a pronoun."""
        return f"{self.phrase.full} {self.where}".rstrip()

    @property
    def person(self) -> bool:
        return self.phrase.kind is Kind.PERSON


Spoken = Sequence[Sequence[Mention]]
"""The mentions of each of the last turns, the newest turn first, each turn's most prominent first."""
Memory = dict[Turn, Said]
"""Turns that were read before, for as long as a conversation is worked on."""


def spoken_of(turns: Sequence[Turn], memory: Memory | None = None) -> Spoken:
    """Return what the last of `turns` spoke of. Turns are looked up in `memory`, and put there."""
    near = list(turns[-TURNS_BACK:])[::-1]
    known: Memory = {} if memory is None else memory
    known |= {turn: said_in(turn) for turn in near if turn not in known}
    by_turn = [known[turn] for turn in near]
    sure = {_last(said.answer) for said in by_turn if said.asked_who and said.answer is not None and said.answer.named}
    sure |= {_last(p) for said, turn in zip(by_turn, near, strict=True) for p in said.phrases if _called(p, turn)}
    persons = sure | {_last(p) for said in by_turn for p in said.phrases if p.named and p.kind is Kind.PERSON}
    return [
        _mentions(turn, said, by_turn[back + 1] if back + 1 < len(by_turn) else None, sure, persons)
        for back, (turn, said) in enumerate(zip(near, by_turn, strict=True))
    ]


def _mentions(turn: Turn, said: Said, before: Said | None, sure: set[str], persons: set[str]) -> list[Mention]:
    """Return what a turn spoke of; `before` is the turn before, `sure` and `persons` the last words of names."""
    earlier = set() if before is None else {p.text.lower() for p in _all_of(before)}
    found = []
    for phrase in _all_of(said):
        answered = phrase is said.answer
        person = phrase.named and _last(phrase) in persons and phrase.head not in RELATIONAL
        text = phrase.text.lower()
        found.append(
            Mention(
                phrase=replace(phrase, kind=Kind.PERSON) if person else phrase,
                where=_where(phrase, said.phrases, turn.question),
                answered=answered,
                asked_who=answered and said.asked_who,
                asked_which=answered and said.asked_which,
                kept=any(_same(text, other) for other in earlier),
                again=text in earlier,
                sure=phrase.named and _last(phrase) in sure,
                coupled=not answered and _is_coupled(phrase, said.phrases, turn.standalone),
            )
        )
    return sorted(found, key=prominence)


def _all_of(said: Said) -> tuple[Phrase, ...]:
    return said.phrases if said.answer is None else (said.answer, *said.phrases)


def said_in(turn: Turn) -> Said:
    """Return what is said in a turn: phrases as a whole, without those that they are made of."""
    question = turn.standalone[:_LONGEST]
    words = words_of(question)
    phrases = phrases_of(question, words)
    behind = _PUT_BEHIND.search(question)
    own = len(question) if behind is None else behind.start()
    whole = tuple(
        p
        for p in phrases
        # Words that were put behind are no sentence: "took office" looks like a noun there.
        if _can_be_meant(p) and (p.named or p.start < own) and not any(_is_within(p, other) for other in phrases)
    )
    asked = next((p for p in whole if p.role is Role.ASKED), None)
    which = asked is not None and not asked.plural and _ASKS_WHICH.match(question) is not None
    who = asks_who(words)
    answer = _answer(turn, who, question)
    if answer is None and turn.quotes and which and asked is not None:
        answer = _quoted(turn.quotes[0][:_LONGEST], question, asked)
    return Said(whole, answer, who, which)


def _can_be_meant(phrase: Phrase) -> bool:
    return not phrase.head[0].isdigit() and (bool(phrase.article) or phrase.head not in ADJECTIVES)


def _is_within(phrase: Phrase, other: Phrase) -> bool:
    """Return whether `other` is the same thing said in more words."""
    return other is not phrase and other.head == phrase.head and other.start <= phrase.start and phrase.end <= other.end


def _answer(turn: Turn, who: bool, question: str) -> Phrase | None:
    """Return the answer as a phrase, if it is a name or a few words without a verb."""
    if turn.short_answer is None:
        names = people(turn.quotes[0][:_LONGEST], frozenset()) if who and turn.quotes else []
        short = next((name for name in names if name.lower() not in question.lower()), "")
    else:
        short = turn.short_answer.strip(" .,;:“”\"'")
    if not short or len(short) > _LONGEST_ANSWER or len(short.split()) > _MOST_ANSWER_WORDS or short[0].isdigit():
        return None
    # Two words are put before it, so that its first one is not taken for the beginning of a sentence.
    before = "It was "
    found = phrases_of(f"{before}{short}")
    if not found or found[0].start > len(before) or found[0].kind is Kind.YEAR:
        return None
    first = replace(found[0], role=Role.SUBJECT, preposition="")
    if LISTED.search(short) and all(item[:1].isupper() for item in LISTED.split(short) if item):
        return replace(first, text=short, article="", plural=True)
    if not who:
        return first
    name = next((p for p in found if p.named), None)
    if name is not None:
        # "spokesperson | He Yadong"
        role = re.search(r"[A-Z].*", name.text)
        text = name.text if role is None else role[0]
        return replace(name, text=text, article="", kind=Kind.PERSON, role=Role.SUBJECT, preposition="")
    # "A foundation" can be who it is, and is then "it".
    return first if first.head in PEOPLE or first.article else None


def _quoted(quote: str, question: str, asked: Phrase) -> Phrase | None:
    """Return what a quote answers to "Which documentary …", where no short answer tells: its phrase with that noun and
    a name. None if there is none.
    """
    for phrase in phrases_of(quote):
        # "The documentary Blackfish | detailed claims": it ends with the name.
        whole = _TO_THE_NAME.match(phrase.text) if phrase.named else None
        if whole is not None and asked.head in whole[0].lower().split() and whole[0] not in question:
            return replace(phrase, text=whole[0], plural=False, role=Role.SUBJECT, preposition="")
    return None


def _is_coupled(phrase: Phrase, others: Sequence[Phrase], question: str) -> bool:
    """Return whether "and" stands between the phrase and another one."""
    return any(
        question[first.end : second.start].strip() == "and"
        for first, second in itertools.pairwise(others)
        if phrase in (first, second)
    )


def _where(phrase: Phrase, others: Sequence[Phrase], question: str) -> str:
    """Return what tells "tigers" in "How many tigers are there in Nepal?" from others: "in Nepal", "of the lottery".

    Nothing for what `question` did not say itself: after "And in India?" the tigers are those of any country.
    """
    if phrase.role is not Role.ASKED or phrase.text not in question:
        return ""
    if not phrase.plural or phrase.named or not phrase.bare or " " in phrase.text:
        return ""
    place = next((p for p in others if p.kind is Kind.PLACE and p.preposition == "in"), None)
    if place is not None:
        return f"in {place.full}"
    subject = next((p for p in others if p.role is Role.SUBJECT and p.named and p.kind is not Kind.PERSON), None)
    return "" if subject is None or subject.plural else f"of {subject.full}"


def _called(phrase: Phrase, turn: Turn) -> bool:
    """Return whether the turn's question said "he" or "she" and meant this."""
    said = FEMALE.search(turn.question) or MALE.search(turn.question)
    return said is not None and phrase.named and phrase.text not in turn.question and phrase.kind is not Kind.PLACE


def _last(phrase: Phrase) -> str:
    return phrase.text.split()[-1].lower()


def _same(text: str, other: str) -> bool:
    """Return whether two phrases are the same, or one is a part of the other."""
    short, long = sorted((text, other), key=len)
    return text == other or (len(short) > len("the") and f" {short} " in f" {long} ")


def prominence(mention: Mention) -> tuple[int, int, int]:
    """Return what sorts mentions of one turn: what has been the topic, then by place in the question."""
    topical = 0 if mention.again and not mention.answered else (1 if mention.kept and not mention.answered else 2)
    return (topical, _ORDER[mention.phrase.role], mention.phrase.start)

"""A question that leaves out a noun said before ("And the existing ones?", "Which is cheaper?") → the same with it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qa.english.clauses import clause_of
from qa.english.grammar import Part, Word, words_of
from qa.english.nouns import plural, singular
from qa.english.phrases import Kind, Phrase, Role, phrases_of
from qa.turns.antecedents import several
from qa.turns.mentions import Spoken
from qa.types import Turn

_OPPOSITES = tuple(
    frozenset(pair.split())
    for pair in (
        "new existing old current", "male female", "big small large little", "first second third last next",
        "rich poor", "young old", "good bad", "public private", "short long", "high low", "indoor outdoor",
        "oldest youngest", "largest smallest biggest", "best worst", "northern southern eastern western",
        "early late", "nominal real", "civilian military", "free paid", "domestic foreign",
        "advantages disadvantages", "former present",
    )
)  # fmt: skip
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "former": 0, "latter": 1, "last": -1}
_NTH = re.compile(
    r"\bthe\s+(?P<nth>first|second|third|fourth|last|former|latter)(?:\s+one)?\b(?!\s+(?:[a-z]+s?\b(?<!is)(?<!was)))",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*(?:,\s*(?:and|or)?|;|\band\b|\bor\b)\s*")
_RANKED = frozenset({"first", "second", "third"})
_NO_RANK = frozenset("west east forest guest interest protest test harvest request arrest".split())
_HOW_MANY = re.compile(
    r"(?P<how>\W*(?:and\s+)?how\s+(?P<much>many|much))\s+(?=(?:do|does|did|can|will|has|have|had|are|were|is|was)\b)"
    r"(?!(?:is|was|do|does|did)\s+(?:it|the|this|that|an?)\b)",
    re.IGNORECASE,
)
_LONGEST = 300
_COMPARING = frozenset("than versus vs as like".split())


def ones_named(question: str, turns: Sequence[Turn], spoken: Spoken) -> str:
    """Return `question` with "ones" and "the first one" replaced by the noun that they stand for, if one fits."""
    listed = _nth_of(question, turns)
    if listed is not None:
        return listed
    words = words_of(question)
    at = next((i for i, w in enumerate(words) if w.lower in {"one", "ones"} and _points(words, i)), None)
    if at and words[at - 1].lower == "which" and words[at].lower == "one":
        return question
    if at is None:
        return _superlative_named(question, words, spoken)
    described = [w.lower for w in words[max(0, at - 3) : at] if w.part in {Part.NOUN, Part.NUMBER, Part.ADVERB}]
    chosen = _quoted_opposite(described, turns) or _kind_of_ones(described, spoken)
    if chosen is None:
        return question
    wanted_plural = words[at].lower == "ones"
    noun = _without_opposite(chosen.text, described)
    head = noun.rsplit(" ", 1)[-1]
    form = plural(head) if wanted_plural else singular(head)
    noun = f"{noun[: len(noun) - len(head)]}{form}"
    return f"{question[: words[at].start]}{noun}{question[words[at].end :]}"


def _superlative_named(question: str, words: Sequence[Word], spoken: Spoken) -> str:
    """Return `question` with the noun behind "the oldest" or "others" that it leaves out, if one fits."""
    for at, word in enumerate(words):
        ends = at + 1 == len(words) or words[at + 1].part in {Part.BEFORE, Part.VERB, Part.MARK, Part.HELPING}
        led = at > 0 and words[at - 1].lower == "the"
        best = led and (word.lower in _RANKED or (word.lower.endswith("est") and word.lower not in _NO_RANK))
        other = word.lower == "others" or (word.lower == "another" and ends)
        if not ((best and ends) or other):
            continue
        chosen = _kind_of_ones([word.lower], spoken)
        if chosen is None:
            return question
        noun = _without_opposite(chosen.text, [word.lower])
        *before, head = noun.split(" ")
        noun = " ".join([*before, plural(head) if word.lower == "others" else singular(head)])
        put = f"other {noun}" if word.lower == "others" else f"{word.text} {noun}"
        return f"{question[: word.start]}{put}{question[word.end :]}"
    return question


def _points(words: Sequence[Word], at: int) -> bool:
    """Return whether words[at], "one" or "ones", stands for a noun: "the big one", "which ones", and not "one day"."""
    if words[at].lower == "ones":
        return True
    before = words[at - 1].lower if at else ""
    nouns_before = at > 0 and words[at - 1].part in {Part.NOUN, Part.ARTICLE, Part.NUMBER}
    number = words[at].part is Part.NUMBER
    return not number and (nouns_before or before in {"which", "that", "this", "first", "last", "best", "another"})


def _kind_of_ones(described: Sequence[str], spoken: Spoken) -> Phrase | None:
    """Return the phrase whose noun "ones" stands for: one that says the opposite ("new … existing ones"), else the
    nearest plural one, else the nearest.
    """
    for found in spoken:
        phrases = [m.phrase for m in found if not m.answered and m.phrase.kind is not Kind.YEAR]
        phrases = [p for p in phrases if p.kind is not Kind.PLACE or p.plural or p.article in {"a", "an"}]
        phrases = [p for p in phrases if p.plural or not p.named or p.article in {"a", "an"}]
        again = [m.phrase for m in found if m.again and m.phrase in phrases and m.phrase.plural]
        contrasting = [p for p in phrases if opposite(p.text, described)]
        several = [p for p in phrases if p.plural]
        order = {Role.ASKED: 0, Role.OBJECT: 1, Role.SUBJECT: 2, Role.BEHIND: 3, Role.OWNER: 4}
        for group in (contrasting, again, several, phrases):
            if group:
                return min(group, key=lambda p: order[p.role])
    return None


def _quoted_opposite(described: Sequence[str], turns: Sequence[Turn]) -> Phrase | None:
    """Return the phrase of a question or quote, the nearest first, that says the opposite of what "ones" are."""
    for turn in list(turns)[::-1]:
        for text in (turn.standalone, *turn.quotes[:2]):
            for phrase in phrases_of(text[:_LONGEST]):
                if opposite(phrase.text, described) and not phrase.named:
                    return phrase
    return None


def opposite(text: str, described: Sequence[str]) -> str | None:
    """Return the word of `text` that one of `described` is set against."""
    for word in text.split():
        for group in _OPPOSITES:
            if word.lower() in group and any(other in group and other != word.lower() for other in described):
                return word
    return None


def _without_opposite(text: str, described: Sequence[str]) -> str:
    word = opposite(text, described)
    plain = re.sub(r"\s(?:of|in|at|from|for|on|near|between|with)\s.*$", "", text).rstrip()
    word = next((one for one in plain.split() if one.lower() in described), word)
    return plain if word is None else re.sub(rf"(?:^|(?<=\s)){re.escape(word)}(?:\s|$)", "", plain).strip()


def _nth_of(question: str, turns: Sequence[Turn]) -> str | None:
    """Return the question with "the second one" replaced by the second thing that an answer listed."""
    found = _NTH.search(question)
    if found is None:
        return None
    nth = _ORDINALS[found["nth"].lower()]
    for turn in list(turns)[::-1][:3]:
        listed = turn.short_answer if turn.short_answer is not None else (turn.quotes[0] if turn.quotes else "")
        items = [item for item in _LISTED.split(listed[:200].strip(" .")) if item]
        if len(items) > 1 and -len(items) <= nth < len(items) and all(len(item.split()) <= 5 for item in items):
            return f"{question[: found.start()]}{items[nth]}{question[found.end() :]}"
    return None


def _counted(question: str, counted: re.Match[str], turns: Sequence[Turn], spoken: Spoken) -> str:
    """Return "How many do they use?" with what is counted: "How many days do they use?"."""
    clause = clause_of(turns[-1].standalone)
    same = clause is not None and clause.noun and counted["much"].lower() in clause.asked.lower().split()
    things = clause.noun if clause is not None and same else several(spoken, human=False)
    if things is None or (not same and counted["much"].lower() == "much"):
        return question
    return f"{counted['how']} {things} {question[counted.end() :]}"


def which_of(question: str, turns: Sequence[Turn], spoken: Spoken) -> str:
    """Return "Which is cheaper?" with the things to choose from: "Which of tea and coffee", "Which city"."""
    words = words_of(question)
    counted = _HOW_MANY.match(question)
    if counted is not None:
        return _counted(question, counted, turns, spoken)
    at = next((i for i, w in enumerate(words[:3]) if w.lower == "which" and w.part is Part.ASKING), None)
    follows = {word.lower: word.part for word in words[at + 1 : at + 3]} if at is not None else {}
    chosen = "one" in follows or "ones" in follows or next(iter(follows.values()), None) in {Part.HELPING, Part.VERB}
    if at is None or at + 2 >= len(words) or not chosen:
        return question
    ones = words[at + 1].lower in {"one", "ones"}
    behind = question[words[at + 1 if ones else at].end :]
    compared = re.search(r"\b(?:\w+er|more|less)\b", behind) is not None
    for found in spoken if compared else spoken[:1]:
        things = sorted(
            (
                m
                for m in found
                if not m.answered and m.phrase.role is not Role.ASKED and not m.phrase.plural and m.phrase.bare
            ),
            key=lambda m: m.phrase.start,
        )
        if compared and len(things) > 1:
            last = next((m for m in things[1:] if m.phrase.preposition in _COMPARING), things[1])
            return f"Which of {things[0].named} and {last.named}{behind}"
        listed = next((m for m in found if m.answered and m.phrase.plural), None)
        if compared and listed is not None:
            return f"Which of {listed.named}{behind}"
    asked = [m.phrase for found in spoken[:2] for m in found if m.phrase.plural and m.phrase.role is Role.ASKED]
    if not asked:
        asked = [m.phrase for found in spoken[:2] for m in found if m.phrase.plural]
    if not asked:
        return question
    head = re.sub(r"^(?:\d+|two|three|four|five|six|seven)\s", "", asked[0].text).rsplit(" ", 1)
    return f"Which {' '.join([*head[:-1], singular(head[-1])])}{behind}"

"""A question taken apart: what it asks, its helping verb, its subject and the rest; and put together in another way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa.english.grammar import Part, Word, words_of
from qa.english.lexicon import BE, DO, past, third

_QUESTION = re.compile(r"\s*[?.!]+\s*$")


@dataclass(frozen=True, slots=True)
class Clause:
    """The parts of a question, each a slice of it; empty where it has none.

    "In which city is | it | built?": `asked` is "In which city", `noun` "city", `helping` "is", `subject` "it", `rest`
    "built". `verb` is the first word of `rest` if that is a verb. A question without `subject` and with `asked` asks
    for its own subject ("Who founded it?").
    """

    preposition: str
    asked: str
    noun: str
    helping: str
    subject: str
    verb: str
    rest: str

    @property
    def predicate(self) -> str:
        """All behind what is asked: "did China announce the ban", "founded it"."""
        return " ".join(part for part in (self.helping, self.subject, self.rest) if part)


def clause_of(question: str) -> Clause | None:
    """Return the parts of `question`; None if it has no verb ("What about …?") or is no question."""
    text = _QUESTION.sub("", question)
    words = [word for word in words_of(text) if word.text not in {"?", "!"}]
    at = next((i for i, word in enumerate(words[:3]) if word.part is Part.ASKING), None)
    if at is None:
        return _turned(text, words, 0, "", "", "") if words and words[0].part is Part.HELPING else None
    about = at + 1 < len(words) and words[at + 1].lower == "about"
    if about or at > 1 or (at == 1 and words[0].part is not Part.BEFORE):
        return None
    ends = _end_of_asked(words, at)
    if ends is None:
        return None
    asked = text[words[0].start : words[ends - 1].end]
    noun = _noun(text, words[at:ends])
    preposition = words[0].text if at == 1 else ""
    if words[ends].part is Part.HELPING:
        return _turned(text, words, ends, asked, noun, preposition)
    return Clause(preposition, asked, noun, "", "", words[ends].text, text[words[ends].start :])


def _end_of_asked(words: Sequence[Word], at: int) -> int | None:
    """Return where the helping verb or the verb stands that ends what is asked; None if there is none."""
    for i in range(at + 1, len(words)):
        if words[i].part in {Part.HELPING, Part.VERB}:
            return i
        if words[i].part in {Part.MARK, Part.JOINING, Part.PRONOUN}:
            return None
    return None


def _noun(text: str, asked: Sequence[Word]) -> str:
    """Return what is asked for besides the question word: "how many | tigers"."""
    rest = [word for word in asked[1:] if not (word.lower in {"many", "much"} or word.part is Part.ADVERB)]
    return text[rest[0].start : rest[-1].end] if rest else ""


def _turned(text: str, words: Sequence[Word], at: int, asked: str, noun: str, preposition: str) -> Clause | None:
    """Return the clause whose helping verb is words[at]."""
    helping, behind = words[at], words[at + 1 :]
    ends = _end_of_subject(helping, behind)
    subject = text[behind[0].start : behind[ends - 1].end] if ends else ""
    rest = text[behind[ends].start :] if ends < len(behind) else ""
    verb = behind[ends].text if ends < len(behind) and behind[ends].part is Part.VERB else ""
    return Clause(preposition, asked, noun, text[helping.start : helping.end], subject, verb, rest)


def _end_of_subject(helping: Word, behind: Sequence[Word]) -> int:
    """Return how many of the words behind the helping verb are the subject: up to the verb, or one noun phrase."""
    for i, word in enumerate(behind):
        if word.part is Part.VERB or (i and word.part in {Part.ADVERB, Part.HELPING}):
            return i
        if word.part in {Part.MARK, Part.JOINING} and word.lower != "and":
            return i
        if helping.lower in BE and i and word.part in {Part.BEFORE, Part.ARTICLE, Part.PRONOUN, Part.HELPING}:
            # "Is China's ban | on exports": what belongs to the noun stays with it where a verb follows.
            later = [one.part for one in behind[i:]]
            if Part.VERB not in later or word.part in {Part.ARTICLE, Part.PRONOUN}:
                return i
    return len(behind)


def ask_anew(fragment: str, clause: Clause, answer: str | None) -> str:
    """Return the earlier question with `fragment` ("Why", "From how many banks") in place of what it asked.

    `answer` is what was answered to it; it takes the place of "who".
    """
    lead = fragment[:1].upper() + fragment[1:]
    if not clause.asked:
        return f"{lead} {_lower(clause.predicate)}?"
    if not clause.helping:
        subject = clause.noun if clause.noun else (answer if answer else "somebody")
        return f"{lead} was it that {subject} {clause.rest}?"
    if not clause.subject or clause.verb == clause.subject:
        subject = clause.noun if clause.noun else (answer if answer else "it")
        return f"{lead} {clause.helping} {subject} {clause.rest}?".replace(" ?", "?")
    if clause.noun and not clause.preposition and not _is_measure(clause.asked):
        return f"{lead} {clause.helping} {clause.subject} {_with_object(clause)}?"
    return f"{lead} {clause.predicate}?"


def _is_measure(asked: str) -> bool:
    """Return whether what is asked is no object: "how", "how long", "what year"."""
    return re.search(r"\b(?:year|day|time|date|month|age|percentage)$", asked, re.IGNORECASE) is not None


def _with_object(clause: Clause) -> str:
    """Return the verb and what follows it, with the noun asked for in its place behind the verb."""
    words = words_of(clause.rest)
    if not words:
        return clause.noun
    at = next((i for i, word in enumerate(words) if i and word.part is Part.BEFORE), len(words))
    head = clause.rest[: words[at - 1].end]
    return f"{head} {clause.noun} {clause.rest[words[at].start :] if at < len(words) else ''}".rstrip()


def statement_of(clause: Clause, answer: str | None) -> str:
    """Return what the question takes for true, as a clause: "that China announced the ban", "what he said"."""
    word = clause.asked.lower()
    if not clause.helping:
        subject = clause.noun if clause.noun else (answer if answer else "somebody")
        return f"that {subject} {clause.rest}"
    if not clause.subject:
        return f"that {answer if answer else clause.noun} {clause.helping} {clause.rest}".rstrip()
    told = _told(clause, with_object=bool(clause.noun) and not clause.preposition)
    return f"what {told}" if word == "what" and clause.verb else f"that {told}"


def _told(clause: Clause, *, with_object: bool) -> str:
    """Return the clause in the order of a statement: "China announced the ban"."""
    rest = _with_object(clause) if with_object else clause.rest
    helping = clause.helping.lower()
    if helping not in DO or not clause.verb:
        return f"{clause.subject} {clause.helping.lower()} {rest}".rstrip()
    inflected = {"did": past, "does": third}.get(helping, str)(clause.verb)
    return f"{clause.subject} {inflected}{rest[len(clause.verb) :]}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

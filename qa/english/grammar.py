"""A question → its words, each with its part of speech, by lists and by what stands before it. For English, no model.

It is right for the short questions that people put in a conversation, which have one verb and few clauses. Where it
cannot tell, a word is a NOUN, which also stands for adjectives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import takewhile

from qa.english import lexicon


class Part(Enum):
    """What a word is in its question."""

    ASKING = auto()
    HELPING = auto()
    """is, did, has, can: what a question turns round."""
    VERB = auto()
    ARTICLE = auto()
    """the, a, some, this (before a noun)."""
    PRONOUN = auto()
    BEFORE = auto()
    """in, of, about: a preposition."""
    JOINING = auto()
    ADVERB = auto()
    NUMBER = auto()
    NAME = auto()
    NOUN = auto()
    MARK = auto()


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a question: as it is written, in lower case, where it begins and ends, and what it is."""

    text: str
    lower: str
    start: int
    end: int
    part: Part


NAMED = frozenset({Part.NOUN, Part.NAME, Part.PRONOUN})
_CUT = frozenset({"'s", "'re", "'d", "'ll", "'m", "'ve"})
_POINTING = frozenset({"this", "that", "these", "those"})
_CURRENCY = "£€$"
# Verbs that another one may follow without "to": "help build", and not "announce export controls".
_WITH_ANOTHER = frozenset(
    "help helps helped make makes made let lets go goes went come comes came see sees saw hear hears heard watch "
    "watched feel felt get gets got keep kept dare need".split()
)
_WORD = re.compile(
    r"[^\W_](?:[\w&%£€$-]|['’.](?=\w)|(?<=\b[A-Z])\.(?=\s)|(?<=s)['’](?=\s))*|[£€$]\d[\d.,]*\w*|[,;:()“”\"!?]|—|–"
)
# "State-owned", "US-led", "long-awaited" describe; "re-elected" and "co-founded" are done to somebody.
_COMPOUND = re.compile(
    r"(?!(?:re|co|pre|un|de|over|out|cross|self|double|fast|by)-)[^-]+-(?:.+ed|led|run|owned|made|built)"
)
_CONTRACTED = re.compile(
    r"^(what|who|where|when|how|why|it|that|there|he|she|i|you|we|they)(['’](?:s|re|d|ll|m|ve))$", re.IGNORECASE
)
_CLOSED = (
    lexicon.HELPING | lexicon.BEFORE | lexicon.JOINING | lexicon.ADVERBS | lexicon.PRONOUNS | lexicon.ARTICLES
)  # fmt: skip
_LISTS = (
    (lexicon.HELPING, Part.HELPING), (lexicon.PRONOUNS - {"so"}, Part.PRONOUN), (lexicon.ARTICLES, Part.ARTICLE),
    (lexicon.BEFORE, Part.BEFORE), (lexicon.JOINING, Part.JOINING), (lexicon.ADVERBS, Part.ADVERB),
)  # fmt: skip
_LISTED = {word: part for words, part in reversed(_LISTS) for word in words}


def words_of(question: str) -> tuple[Word, ...]:
    """Return the words and marks of `question` in order, each with its part of speech."""
    raw: list[tuple[str, int, int]] = []
    for found in _WORD.finditer(question):
        contracted = _CONTRACTED.match(found[0])
        if contracted:
            cut = found.start() + contracted.end(1)
            raw += [(contracted[1], found.start(), cut), (contracted[2], cut, found.end())]
        else:
            raw.append((found[0], found.start(), found.end()))
    tagged: list[Word] = []
    for at, (text, start, end) in enumerate(raw):
        following = raw[at + 1][0] if at + 1 < len(raw) else ""
        tagged.append(Word(text, _lowered(text), start, end, _part(text, following, tagged)))
    return tuple(_with_verb(tagged))


def _lowered(text: str) -> str:
    return text.lower().replace("’", "'")


def _part(text: str, following: str, before: Sequence[Word]) -> Part:
    """Return what `text` is behind the words `before`."""
    lower = _lowered(text)
    previous = before[-1] if before else None
    if lower in _CUT:
        return Part.HELPING
    if not text[0].isalnum() and text[0] not in _CURRENCY:
        return Part.MARK
    if previous is not None and _is_name(text, lower, following, previous):
        return Part.NAME
    if lower in {"do", "have", "like"} and previous is not None and previous.part in NAMED and _awaits_verb(before):
        return Part.VERB
    known = _from_lists(lower, following, before)
    if known is not None:
        return known
    if text[0].isupper() and previous is not None and previous.text not in {"?", "!", "“", '"'}:
        return Part.NAME
    if lower[0].isdigit() or lower in lexicon.NUMBERS or text[0] in _CURRENCY:
        return Part.NUMBER
    if _is_verb(lower, following, before):
        return Part.VERB
    if lower.endswith("ly") and len(lower) > len("only") and lower not in lexicon.NO_ADVERBS | lexicon.VERBS:
        return Part.ADVERB
    # "China limits": a first word that is none of those above and is followed by another capital may be a name.
    capital = text[0].isupper() and (following[:1].isupper() or text.isupper()) and len(text) > 1
    return Part.NAME if capital else Part.NOUN


def _is_name(text: str, lower: str, following: str, previous: Word) -> bool:
    """Return whether a word that may be in a list is a name where it stands: "He Yadong", "Asia Today", "the US"."""
    if text in {"He", "An", "So", "May", "Will", "Us"} and following[:1].isupper():
        return True
    if text[0].isupper() and previous.part is Part.NAME and lower not in lexicon.HELPING | {"i"}:
        return True
    return text.isupper() and len(text) > 1 and text.isalpha()


def _from_lists(lower: str, following: str, before: Sequence[Word]) -> Part | None:
    """Return what the lists say of a word; None for one that is in none of them."""
    previous = before[-1] if before else None
    noun_follows = following[:1].isalnum() and following.lower() not in _CLOSED
    if previous is not None and previous.lower == "how" and lower not in lexicon.MEASURELESS:
        return Part.ADVERB
    if lower in lexicon.ASKING:
        return _asking(lower, before)
    if lower in _POINTING:
        if previous is not None and previous.part in {Part.NOUN, Part.NAME}:
            return Part.JOINING
        return Part.ARTICLE if noun_follows else Part.PRONOUN
    if noun_follows and lower == "one":
        return Part.NUMBER
    if noun_follows and lower in {"most", "much", "many", "more"}:
        return Part.ARTICLE
    if lower in lexicon.RANKING and previous is not None:
        # "the first men", "his best film": an adjective.
        led = previous.part in {Part.ARTICLE, Part.PRONOUN} and noun_follows
        if led or previous.lower == "the":
            return Part.NOUN
    return _LISTED.get(lower)


def _asking(lower: str, before: Sequence[Word]) -> Part:
    """Return whether a question word asks, or joins a clause: "the man who", "through which"."""
    previous = before[-1] if before else None
    if previous is None:
        return Part.ASKING
    relative = previous.part in {Part.NOUN, Part.NAME, Part.VERB} and lower in {
        "who", "which", "where", "when", "whose"
    }  # fmt: skip
    behind = previous.part is Part.BEFORE and lower in {"which", "whom"} and len(before) > 2
    return Part.JOINING if relative or behind else Part.ASKING


def _is_verb(lower: str, following: str, before: Sequence[Word]) -> bool:
    """Return whether a word that is in no list of others is a verb where it stands."""
    if _COMPOUND.fullmatch(lower) and following[:1].isalnum() and following.lower() not in _CLOSED:
        return False
    if before and lower.endswith("ing") and before[-1].lower in {"been", "am"}:
        return True
    if before and lower.endswith("ed") and before[-1].lower in {"who", "what"} and len(lower) > len("need"):
        return True
    if lower in lexicon.FORMS and _fits_a_verb(lower, following, before):
        return not _another_follows(lower, following, before)
    return lower.endswith("ed") and len(lower) > len("need") and _is_passive(following, before)


def _fits_a_verb(lower: str, following: str, before: Sequence[Word]) -> bool:
    """Return whether the place of a word that has a verb's form lets it be one."""
    previous = before[-1] if before else None
    if previous is None or previous.lower == "to":
        return True
    numbered = previous.part is Part.NUMBER and not (len(before) > 1 and before[-2].part is Part.NAME)
    if numbered or previous.part in {Part.ARTICLE, Part.BEFORE} or previous.lower.endswith(("'s", "s'")):
        return False
    if lower in lexicon.VERBS and (previous.text in lexicon.NATIONAL or previous.lower in lexicon.OWNERS):
        return False
    if any(word.part is Part.VERB for word in before):
        # One verb a clause: another one begins behind "and", "that", a pronoun or a comma.
        joined = any(word.part is Part.JOINING for word in before[-3:]) and previous.part in NAMED
        return (
            joined
            or previous.lower == "not"
            or previous.part in {Part.JOINING, Part.PRONOUN, Part.MARK, Part.HELPING}
            or (previous.part is Part.VERB and (previous.lower in _WITH_ANOTHER or lower.endswith(("ing", "ed"))))
        )
    at = next((i for i in range(len(before) - 1, -1, -1) if before[i].part is Part.HELPING), None)
    if at is None:
        return _fits_without_helping(lower, before)
    return _fits_behind(before[at].lower, lower, following, before[at + 1 :])


def _fits_without_helping(lower: str, before: Sequence[Word]) -> bool:
    """Return whether a form is the verb of a question for its subject: "Who founded it?", "How many people live"."""
    if before[-1].part is Part.ASKING and before[-1].lower in {"what", "which", "whose", "how"}:
        return lower in lexicon.TENSED
    if any(word.lower in {"many", "much"} for word in before) and lower in lexicon.THIRD - lexicon.PARTICIPLES:
        return False
    return any(word.part is Part.ASKING for word in before) and lower in lexicon.TENSED | lexicon.VERBS


def _fits_behind(helping: str, lower: str, following: str, between: Sequence[Word]) -> bool:
    """Return whether a form goes with the helping verb, behind the words `between` them."""
    done = lower in lexicon.PARTICIPLES or lower.endswith("ed")
    if not between:
        # "is called", "were given"; "did cost" is not asked.
        return done or lower.endswith("ing") or (lower in lexicon.VERBS and helping not in lexicon.BE)
    if helping in lexicon.BE and lower.endswith("ing"):
        # "What is he planning to build" and not "the effects of drinking", "seafloor spreading".
        plain = all(word.part is not Part.BEFORE for word in between)
        if between[-1].part is Part.NAME and not following[:1].isalnum():
            return True
        return plain and (between[-1].part in {Part.NAME, Part.PRONOUN} or following[:1].isalnum())
    if helping in lexicon.BE | lexicon.HAVE:
        return done
    return lower in lexicon.VERBS


def _is_passive(following: str, before: Sequence[Word]) -> bool:
    """Return whether a word in "-ed" that no list has is what is done to the subject: "How is oxygen transported?"."""
    helping = next((word for word in reversed(before) if word.part is Part.HELPING), None)
    if helping is not None and helping is before[-1] and helping.lower in lexicon.BE | lexicon.HAVE:
        return True
    if helping is None or before[-1].part not in NAMED | {Part.ADVERB}:
        return False
    ends = not following[:1].isalnum() or following.lower() in lexicon.BEFORE | lexicon.JOINING | lexicon.ADVERBS
    return helping.lower in lexicon.HAVE or (helping.lower in lexicon.BE and ends)


def _awaits_verb(before: Sequence[Word]) -> bool:
    """Return whether "did", "can" or "will" stands before and its verb does not."""
    at = next((i for i, word in enumerate(before) if word.lower in lexicon.DO | lexicon.MODAL), None)
    return at is not None and not any(word.part is Part.VERB for word in before[at:])


def _another_follows(lower: str, following: str, before: Sequence[Word]) -> bool:
    """Return whether the next word is the verb: "does the ban touch trade", "how many names does"."""
    if following.lower() in lexicon.HELPING and not any(word.part is Part.HELPING for word in before):
        return True
    if lower in {"go", "come", "get", "let", "make", "help"} or _behind_bare_name(before):
        return False
    return lower in lexicon.VERBS and following.lower() in lexicon.VERBS and _awaits_verb(before)


def _behind_bare_name(before: Sequence[Word]) -> bool:
    """Return whether a name without an article ends `before`: "did China | announce export controls"."""
    names = list(takewhile(lambda word: word.part is Part.NAME, reversed(before)))
    return bool(names) and (len(names) == len(before) or before[-1 - len(names)].part is not Part.ARTICLE)


def _with_verb(words: list[Word]) -> list[Word]:
    """Return the words with a verb where "did", "can" or "will" asks for one and no list has it."""
    at = next((i for i, word in enumerate(words) if word.lower in lexicon.DO | lexicon.MODAL), None)
    if at is None or any(word.part is Part.VERB for word in words[at:]):
        return words
    run: list[int] = []
    for i in range(at + 1, len(words)):
        if words[i].part not in NAMED | {Part.NUMBER, Part.ADVERB, Part.ARTICLE}:
            break
        if words[i].part is Part.ARTICLE and run:
            break
        run.append(i)
    nouns = [i for i in run if words[i].part is Part.NOUN]
    if len(run) > 1 and nouns:
        chosen = nouns[0] if words[run[0]].part in {Part.NAME, Part.PRONOUN} else nouns[-1]
        words[chosen] = replace(words[chosen], part=Part.VERB)
    return words

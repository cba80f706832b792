"""Whom or what a sentence speaks of without naming it, and which earlier sentence does. Rules for English, no model.

A sentence leans on another one if its first words are "she", "this" or "the ministry"; if "he" comes before any name;
if it ends in "…, they said"; or if it is all quotation and nobody is named as the speaker. The name is then taken from
the nearest earlier sentence that could hold it: for "he" one with a person's name, for "it" one whose own subject
stands in it, for "the ministry" one that says which. That is what a reader does first, and where two people were named
it can be the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Missing(Enum):
    """What a sentence leaves open."""

    PERSON = "he, she"
    THING = "it, they"
    STATEMENT = "this, that"
    ROLE = "the ministry"
    SPEAKER = "nobody is said to speak"


@dataclass(frozen=True, slots=True)
class Leaning:
    """What a sentence leaves open; `head` is the noun of a ROLE, else empty.

    `opens` says that the sentence begins with it: alone it would be half a statement.
    """

    missing: Missing
    head: str
    opens: bool


_HEADS = (
    r"(?:ministry|minister|president|premier|government|company|companies|firms?|group|agency|organi[sz]ation|charity|bank"
    r"|spokes(?:person|man|woman)|officials?|sources?|researchers?|scientists?|experts?|authors?|study|survey|report|team"
    r"|museum|aquarium|court|judge|police\sofficer|professor|director|manager|mayor|chairman|founder|owner|president"
    r"|man|woman|boy|girl|couple|family|victim|suspect|driver|teacher|student|singer|artist|writer|club|school|university"
    r"|hospital|airline|party|union|council|committee|commission|foundation|programme|project|festival|city|town|village"
    r"|island|country)"
)
_SAID = (
    r"(?:said|says|say|added|adds|told|tells|explained|explains|warned|warns|argued|argues|noted|notes|claimed|claims"
    r"|recalled|recalls|admitted|admits|insisted|insists|believes|thinks|continued|concluded|wrote|asked|asks|replied|stated)"
)
_OPENERS = (
    r"[\s\"'“‘«„(\[—–-]*(?i:(?:and|but|so|yet|still|also|then|however|moreover|meanwhile|furthermore|instead|therefore|thus"
    r"|nevertheless|later|now|in\saddition|as\sa\sresult|at\sthe\ssame\stime|after\sthat|for\sexample)\b,?\s+)*"
)
_ASIDE = (
    r"(?:(?:in|on|at|by|after|before|since|during|when|while|as|until|despite|for|with|from)\b[^,.;:!?“”\"]{1,60},\s+)?"
)
_CLAUSE = re.compile(r"(?:as|when|while|until|since)\b", re.IGNORECASE)
# "He Yadong" is a name, "Her Majesty" a title.
_NO_NAME_BEHIND = r"(?-i:(?!\s+[A-Z]))"
_OPENING = re.compile(
    rf"^{_OPENERS}(?P<aside>(?i:{_ASIDE}))(?:"
    rf"(?P<person>(?i:he|she|his|her)\b{_NO_NAME_BEHIND})"
    rf"|(?P<thing>(?i:it|they|its|their|both|neither)\b{_NO_NAME_BEHIND})"
    rf"|(?P<statement>(?i:this|that|these|those|such)\b{_NO_NAME_BEHIND})"
    rf"|(?i:the\s(?:(?:two|three|four|same|new|old|young)\s)?)(?P<head>(?i:{_HEADS}))\b(?P<whose>['’]s)?"
    rf")"
)
# "The president of France" and "the company that …" say which; so does a name behind.
_SAYS_WHICH = re.compile(
    r"\s*+(?:,\s*+)?(?:(?:of|that|who|whose|which|in|at|for|from|on|to|with|behind|near|between|based|familiar|(?:called|named)(?=\s[A-Z]))\b"
    r"|(?:the\s)?[A-Z][\w’'-]*)"
)
# "It is clear that …", "It was he who …", "That is why": nothing is meant by it. "This week" is a time.
_EMPTY = re.compile(
    rf"^{_OPENERS}(?i:{_ASIDE})(?i:it(?:['’]s|\s+(?:is|was|would\sbe|will\sbe|has\sbeen|may\sbe|might\sbe)(?!\sthe\b)|"
    r"\s+(?:seems?|seemed|appears?|appeared|turns\sout|turned\sout|takes|took))\b[^.]{0,60}?\b"
    r"(?:that|to|if|when|who|whether|how|why|not)\b"
    r"|(?:this|that|these)\s+(?:morning|afternoon|evening|week|weekend|month|year|summer|autumn|winter|spring|time|days)\b)"
)
_QUOTATION = re.compile(r"“[^”]*(?:”|$)|\"[^\"]*(?:\"|$)|«[^»]*(?:»|$)|„[^“”]*(?:[“”]|$)")
_MARKS = ("“", '"', "«", "„")
_PRONOUN = re.compile(rf"\b(?:he|she|his|her|him)\b{_NO_NAME_BEHIND}", re.IGNORECASE)
_THEY_SAID = re.compile(
    rf"(?:\b(?:they|it)\s+{_SAID}\b"
    rf"|\bthe\s(?P<head>{_HEADS})\s+(?:also\s+)?{_SAID}\b|\baccording\sto\s(?:the\s(?P<head_2>{_HEADS})|(?:them|it))\b)"
    r"(?!\s+(?:of|in|at|from|who|based|familiar)\b)",
    re.IGNORECASE,
)
_SAYS = re.compile(rf"\s{_SAID}\b")
_SAID_BY = re.compile(rf"\b{_SAID}\s$")
_SAYING = re.compile(rf"\b{_SAID}\b|\baccording\sto\b", re.IGNORECASE)
_PERSON_NOUN = (
    r"(?:man|woman|boy|girl|father|mother|grandfather|grandmother|brother|sister|son|daughter|husband|wife|uncle|aunt|child"
    r"|fisherman|visitor|doctor|nurse|teacher|student|driver|farmer|worker|researcher|scientist|writer|singer|artist|actor"
    r"|actress|minister|president|officer|soldier|spokesperson|spokesman|spokeswoman|owner|manager|customer|shopper|friend)"
)
_PERSON_NAMED = re.compile(rf"\ban?\s(?:[\w-]+\s){{0,2}}{_PERSON_NOUN}\b", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][\w’'-]*(?:\s(?:[A-Z]\.|(?:de|van|von|bin|al|el|der|la|di|du)(?=\s[A-Z])|[A-Z][\w’'-]*))*")
_TITLE_BEFORE = re.compile(
    r"\b(?:Mrs?|Ms|Dr|Sir|Dame|Lord|Lady|Professor|Prof|President|Minister|Chancellor|King|Queen|Prince|Princess|Pope|Mayor"
    r"|Senator|Judge|Captain|General|(?i:spokes(?:person|man|woman)))\.?\s$"
)
_PLACE_BEFORE = re.compile(r"\b(?:the|in|at|to|near|of|across|around|an?)\s$", re.IGNORECASE)
_NO_PERSON = re.compile(
    r"\b(?:Ministry|University|College|School|Company|Corporation|Inc|Ltd|Group|Bank|Street|Road|Avenue|Square|Park"
    r"|River|Lake|Sea|Ocean|Island|Islands|Mount|City|Town|County|Province|State|States|Kingdom|Republic|Union"
    r"|Nations|Council|Committee|Commission|Court|Party|Museum|Gallery|Theatre|Hospital|Airport|Airlines"
    r"|Institute|Foundation|Association|Agency|Organi[sz]ation|News|Times|Post|Guardian|Today|Press|Prize|Award"
    r"|Cup|League|Games|War|Day|Week|Year|Act|Convention|Treaty|Strait|East|West|North|South|January|February"
    r"|March|April|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday"
    r"|Saturday|Sunday|Christmas|Easter|English|French|German|Chinese|Japanese|American|British|European|Prime"
    r"|Minister|President|Europe|Britain|America|Africa|Asia|China|Japan|France|Germany|Latin)\b"
)
_INTRODUCED = (
    r"\b[A-Z][\w’'-]*\s(?:(?!(?:the|this|that|his|her|their)\b)[\w-]+\s){{0,2}}?(?i:{head})s?\b"
    r"|\b(?i:{head})s?(?:\s(?:of|in|at|from|called|named|based|familiar|who|close)\b|\s[A-Z]|,\s[A-Z][\w’'-]*\s[A-Z][\w’'-]*,)"
    r"|\b(?i:an?|its|some)\s(?:[\w-]+\s){{0,2}}?(?i:{head})s?\b"
)
_OPENING_WORDS = frozenset(
    "the a an in on at by for from to of and or but when while after before since until as if then there that "
    "this these those with without about over under during although though because so yet however meanwhile "
    "also both he she it they his her its their we i you our my your what who where why how now today one some "
    "many most all no not people".split()
)
_ASIDE_THEN = re.compile(
    r"^(?i:in|on|at|by|after|before|since|during|when|while|as|until|despite|for|with|from|although|though|like)\b[^,.;:“”]{1,80},\s"
    r"(?=[A-Z][\w’'-]+\s)"
)
_EARLY = 60
"""A pronoun in so many first characters begins its sentence, whatever the aside before it."""
_FAR_BACK = 25
"""How many earlier sentences are looked at."""


def leaning(sentence: str) -> Leaning | None:
    """Return what `sentence` leaves open, None if it stands by itself as far as the rules see."""
    told = _QUOTATION.sub(lambda found: " " * len(found[0]), sentence)
    opening = _OPENING.match(sentence)
    # "“It was cold,” she said" is about her; what was cold is a part of what she says.
    spoken = told != sentence and sentence[:1] in _MARKS
    if opening is not None and _EMPTY.match(sentence) is None and not _named_in(opening["aside"]):
        if opening["person"]:
            return Leaning(Missing.PERSON, "", opens=True)
        if opening["thing"] and not spoken and not _CLAUSE.match(opening["aside"]):
            return Leaning(Missing.THING, "", opens=True)
        if opening["statement"] and not spoken:
            return Leaning(Missing.STATEMENT, "", opens=True)
        if opening["head"] and (opening["whose"] or not _SAYS_WHICH.match(sentence, opening.end())):
            return Leaning(Missing.ROLE, opening["head"].lower(), opens=True)
    person = _PRONOUN.search(told)
    if person is not None and not _somebody_before(told[: person.start()]) and not _named_behind(told, person):
        return Leaning(
            Missing.PERSON, "", opens=person.start() < _EARLY and told[: person.start()] == sentence[: person.start()]
        )
    said = _THEY_SAID.search(told)
    if said is not None and (said["head"] or said["head_2"]):
        head = said["head"] if said["head"] else said["head_2"]
        return None if _introduces(sentence, head) else Leaning(Missing.ROLE, head.lower(), opens=False)
    if said is not None and not names(told[: said.start()]):
        return Leaning(Missing.THING, "", opens=False)
    if told != sentence and not any(c.isalpha() for c in told):
        return Leaning(Missing.SPEAKER, "", opens=True)
    return None


def speaks(sentence: str) -> bool:
    """Return whether `sentence` says, outside of quotation marks, that somebody speaks."""
    return _SAYING.search(_QUOTATION.sub(" ", sentence)) is not None


def namer(missing: Leaning, earlier: Sequence[str]) -> int | None:
    """Return the index in `earlier` (nearest first) of the sentence that names what is missing, None if none does."""
    near = earlier[:_FAR_BACK]
    if missing.missing is Missing.STATEMENT:
        return 0 if near else None
    if missing.missing is Missing.THING:
        return next((at for at, one in enumerate(near) if _subject_stands(one)), None)
    if missing.missing is Missing.ROLE:
        return next((at for at, one in enumerate(near) if _introduces(one, missing.head)), None)
    full = {name.split()[-1] for one in near for name in people(one, frozenset())}
    for at, one in enumerate(near):
        # "She asked Richard Holbrooke" names somebody else.
        other = leaning(one)
        if other is not None and other.missing is Missing.PERSON:
            continue
        if people(one, frozenset(full)) or (at == 0 and _PERSON_NAMED.search(one) and _subject_stands(one)):
            return at
    return None


def _subject_stands(sentence: str) -> bool:
    found = leaning(sentence)
    return (found is None or not found.opens) and not sentence.rstrip("\"”»'’)").endswith("?")


def _somebody_before(text: str) -> bool:
    """Return whether `text`, the beginning of a sentence, holds somebody that "he" could be."""
    return _named_in(text) or re.search(rf"\b{_PERSON_NOUN}s?\b", text, re.IGNORECASE) is not None


def _named_in(text: str) -> bool:
    return any(_NO_PERSON.search(name) is None for name in names(text))


def _named_behind(told: str, person: re.Match[str]) -> bool:
    """Return whether the name follows an aside that holds the pronoun: "With her love of theatre, Bush …"."""
    aside = _ASIDE_THEN.match(told)
    return aside is not None and person.start() < aside.end() and _NO_PERSON.match(told, aside.end()) is None


def _introduces(sentence: str, head: str) -> bool:
    """Return whether `sentence` says which: "China's commerce ministry", "the company Volvo", "a museum in"."""
    one = re.escape(re.sub(r"(?<=[a-z]{3})s$", "", head.lower()))
    if one.endswith("companie"):
        one = "compan(?:y|ie)"
    said = re.sub(r"^(?:The|An?|But|And|In|On|According)\b", lambda found: found[0].lower(), sentence)
    return re.search(_INTRODUCED.format(head=one), said) is not None


def names(text: str) -> list[str]:
    """Return the capitalised stretches of `text` that can be names."""
    found = []
    for match in _NAME.finditer(text):
        words = match[0].split()
        while words and re.sub(r"['’]s$", "", words[0]).lower() in _OPENING_WORDS and len(words) != 2:
            words.pop(0)
        if words and not (len(words) == 1 and words[0].lower() in _OPENING_WORDS | {"i"}):
            found.append(" ".join(words))
    return found


def people(sentence: str, known: frozenset[str]) -> list[str]:
    """Return the names in `sentence`, outside of quotation marks, that can be a person's.

    `known` are the last words of full names that were seen elsewhere.
    """
    told = _QUOTATION.sub(lambda found: " " * len(found[0]), sentence)
    found = []
    for match in _NAME.finditer(told):
        before = told[max(0, match.start() - 24) : match.start()]
        listed = names(match[0])
        name = re.sub(r"['’]s?$", "", listed[0]) if listed else ""
        if not name or (_NO_PERSON.search(name) and not re.match(r"(?:Prime\s)?(?:Minister|President)\s[A-Z]", name)):
            continue
        placed = _PLACE_BEFORE.search(before) is not None
        full = " " in name and not placed
        surname = not name.isupper() and name.split()[-1] in known
        said = _SAYS.match(told, match.end()) is not None or _SAID_BY.search(before) is not None
        speaking = said and not placed and not name.isupper()
        if full or surname or speaking or _TITLE_BEFORE.search(before) is not None:
            found.append(name)
    return found

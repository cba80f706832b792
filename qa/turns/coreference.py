"""A question with pronouns → the question with what they mean in their place: "What did Wang Yi say about trade?"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa.english.clauses import clause_of, statement_of
from qa.english.grammar import Part, Word, words_of
from qa.english.lexicon import ASKING, BE
from qa.english.nouns import PLACES, is_plural
from qa.english.phrases import Kind, Role, phrases_of
from qa.turns.antecedents import several, somebody, something, somewhere
from qa.turns.mentions import Mention, Spoken
from qa.types import Turn

_PERSONAL = frozenset("he she him her his hers himself herself".split())
_PLURAL = frozenset("they them their theirs these those themselves".split())
_SINGULAR = frozenset("it its this that itself".split())
_OWNING = frozenset("his hers its their theirs".split())
_ALIKE = (
    frozenset("he him his himself".split()), frozenset("she her hers herself".split()), _PLURAL, _SINGULAR,
)  # fmt: skip
_EVENT = frozenset("happen happened happening happens occur occurred".split())
_TOLD = frozenset(
    "say said says announce announced announces deny denied know known think thinks thought believe believes claim "
    "claims claimed explain explained confirm confirmed see saw discover discovered mean means report reported "
    "predict".split()
)
_FOR_ONE = {"do": "does", "are": "is", "were": "was", "have": "has"}
_COUNTED = frozenset("many most much few some all none any both each more".split())
_HUMAN = frozenset(
    "say think know want marry love meet feel believe plan agree said wanted married met believed planned".split()
)
_ACTING = frozenset(
    "ask say tell announce want plan accuse warn demand offer suggest promise refuse decide agree deny hope propose "
    "do asked planned decided".split()
)
_EMPTY_IT = re.compile(
    r"\b(?:(?:is|was|be|been|would\sbe)\sit|it\s(?:is|was|would\sbe|will\sbe))\s(?:\w+\s){0,2}?"
    r"(?:(?:im)?possible|important|necessary|easy|hard|difficult|safe|(?:il)?legal|good|bad|better|true|clear|(?:un)?likely"
    r"|dangerous|expensive|cheap|worth|common|normal|healthy|ethical|okay|ok|known|said|believed|thought|expected|required)"
    r"\s(?:for\s\w+\s)?(?:to|that|if|whether)\b"
    r"|\bit\s(?:\w+\s)?(?:take|takes|took|mean|means|cost|costs|feel|feels|help|hurt)\s(?:\w+\s){0,2}?(?:to|for\s\w+\sto)\b"
    r"|\b(?:rain|snow)(?:s|ed|ing)?\b",
    re.IGNORECASE,
)
_FIRST_TIME = re.compile(
    r"^\W*((?:(?:and|but|so)\s+)?(?:is|was)\s+(?:this|that|it)\s+(?:really\s+)?the\s+(?:first|last|only|second)\s+time)\W*$",
    re.IGNORECASE,
)
_SAYS_SO = re.compile(
    r"^\W*((?:who|which\s+\w+)\s+(?:says|said|thinks|claims|believes))\s+(?:so|that|this|it)\W*$", re.IGNORECASE
)
_IT_IS_FOUND = re.compile(
    r"^\W*((?:(?:and|but|so)\s+)?(?:how|when|where|by\s+whom|why)\s+(?:was|is)\s+it\s+(?:\w+\s)?"
    r"(?:found\s+out|announced|confirmed|decided|known|said|reported))\W*$",
    re.IGNORECASE,
)
_SAME_CLAUSE = frozenset("and or but if because when while whether although though that who which where".split())


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    text: str


def resolved(question: str, turns: Sequence[Turn], spoken: Spoken) -> str | None:
    """Return `question` with its pronouns replaced by what they mean after `turns`; None if none points back.

    A pronoun that the question itself explains ("What did Abe say about his country?") stays, and so does one for
    which nothing fits.
    """
    words = words_of(question)
    told = _FIRST_TIME.match(question) or _SAYS_SO.match(question)
    if told is not None:
        event = _event(turns[-1])
        return None if event is None else f"{told[1]} {event}?"
    if (found_out := _IT_IS_FOUND.match(question)) is not None and (event := _event(turns[-1])) is not None:
        return f"{found_out[1]} {event}?" if event.startswith("that ") else None
    changes: list[_Change] = []
    used: list[frozenset[str]] = []
    for at, word in enumerate(words):
        # "How did it get its name": the second one means the same, and can stay.
        if word.part is not Part.PRONOUN or any(word.lower in alike for alike in used):
            continue
        if _explained(question, words, at) or _stands_for_nothing(question, words, at):
            continue
        means = _meaning(question, words, at, spoken, turns)
        if means is None:
            continue
        if word.lower == "they" and at and _is_one(means):
            # "Do they" → "Does Asia Today".
            helping = words[at - 1]
            one = _FOR_ONE.get(helping.lower)
            if one is not None:
                changes.append(_Change(helping.start, helping.end, one.capitalize() if at == 1 else one))
        used.append(next((alike for alike in _ALIKE if word.lower in alike), frozenset({word.lower})))
        changes.append(_put(words, at, means))
    return _changed(question, changes) if changes else None


def _is_one(means: str) -> bool:
    """Return whether what "they" means is one name."""
    named = means.split()
    return all(word[:1].isupper() for word in named) and not is_plural(named[-1].lower())


def points_back(question: str) -> bool:
    """Return whether `question` has a pronoun that only what came before explains."""
    words = words_of(question)
    return any(
        word.part is Part.PRONOUN
        and word.lower in _PERSONAL | _PLURAL | _SINGULAR | {"there", "ones"}
        and not _explained(question, words, at)
        and not _stands_for_nothing(question, words, at)
        for at, word in enumerate(words)
    )


def _meaning(question: str, words: Sequence[Word], at: int, spoken: Spoken, turns: Sequence[Turn]) -> str | None:
    """Return what words[at] means, None if nothing fits."""
    pronoun = words[at].lower
    if pronoun in _PERSONAL:
        person = somebody(spoken, turns, pronoun)
        return None if person is None else person.named
    if pronoun in _PLURAL:
        human = any(word.lower in _HUMAN for word in words)
        they = several(spoken, human=human)
        if they is None and (one := somebody(spoken, turns, "they")) is not None:
            they = one.named
        return they
    if pronoun == "there":
        place = somewhere(spoken)
        return None if place is None else _located(place)
    if pronoun in _SINGULAR:
        if _is_event(words, at):
            return _event(turns[-1])
        if words[at - 1].lower in {"before", "after", "since"} and at and pronoun in {"this", "that"}:
            event = _event(turns[-1])
            return None if event is None else event.removeprefix("that ")
        thing = something(spoken, question, subject=_is_subject(words, at), acts=_acts(words, at))
        if (thing is None or thing not in spoken[0]) and (meant := _what_it_asked(turns[-1])) is not None:
            return meant
        if thing is not None:
            return thing.named
        return several(spoken, human=False)
    return None


def _is_subject(words: Sequence[Word], at: int) -> bool:
    """Return whether words[at] stands before the verb."""
    return not any(word.part is Part.VERB for word in words[:at]) and (at == 0 or words[at - 1].part is not Part.BEFORE)


def _acts(words: Sequence[Word], at: int) -> bool:
    """Return whether words[at] is who says, asks or wants."""
    verb = next((word.lower for word in words[at + 1 :] if word.part is Part.VERB), "")
    return _is_subject(words, at) and verb in _ACTING


def _located(place: Mention) -> str:
    """Return "in Kiruna", "at the aquarium"."""
    before = place.phrase.preposition
    if before in {"in", "at", "on", "near", "around"}:
        return f"{before} {place.named}"
    bare = place.phrase.kind in {Kind.PLACE, Kind.NAME} or place.phrase.head in PLACES
    return f"{'in' if bare else 'at'} {place.named}"


def _is_event(words: Sequence[Word], at: int) -> bool:
    """Return whether "it" or "that" means what happened, and no thing."""
    following = words[at + 1].lower if at + 1 < len(words) else ""
    before = words[at - 1].lower if at else ""
    if following in _EVENT or (following in {"come", "take"} and words[at + 2 : at + 3]
                               and words[at + 2].lower in {"about", "place"}):  # fmt: skip
        return True
    clause_follows = at + 1 < len(words) and words[at + 1].part in {Part.HELPING, Part.VERB}
    if before in _TOLD and not clause_follows:
        return True
    found_out = following == "found" and any(word.lower == "out" for word in words[at:])
    return found_out or (words[at].lower in {"it", "that"} and following in {"announced", "confirmed"})


def _event(turn: Turn) -> str | None:
    """Return what the turn's question took for true, as a clause."""
    clause = clause_of(turn.standalone)
    return None if clause is None else statement_of(clause, turn.short_answer)


def _what_it_asked(turn: Turn) -> str | None:
    """Return what the turn asked for, as a clause, if that is a thing: "what he is planning to build"."""
    clause = clause_of(turn.standalone)
    if clause is None or clause.asked.lower() != "what" or not clause.verb or not clause.subject:
        return None
    return statement_of(clause, None)


def _stands_for_nothing(question: str, words: Sequence[Word], at: int) -> bool:
    """Return whether words[at] means nothing: "Is it true that …", "Is there …", "those who"."""
    word = words[at]
    before = words[at - 1] if at else None
    following = words[at + 1] if at + 1 < len(words) else None
    if word.lower == "it":
        return _EMPTY_IT.search(question) is not None
    if word.lower == "there":
        # "Is there …", "are there …", "there is …".
        return (before is not None and (before.lower in BE or before.lower in {"will", "has", "have", "had"})) or (
            following is not None and following.lower in BE
        )
    if word.lower in {"this", "that", "these", "those"}:
        return following is not None and following.lower in {"who", "which", "of", "with", "in", "from"} | ASKING
    return word.lower not in _PERSONAL | _PLURAL | _SINGULAR


def _explained(question: str, words: Sequence[Word], at: int) -> bool:
    """Return whether something in the same question, before words[at], can be what it means.

    "Did Iceland change its law" explains an owner by the subject. Another pronoun means the subject of another clause
    only: "What is CBT and how does it work?", and not "Did Ban meet him?".
    """
    word = words[at]
    lower = word.lower
    if lower in {"there", "this", "that", "these", "those"}:
        return False
    owning = is_owner(words, at)
    parted = [w for w in words[:at] if w.start > 0 and (w.lower in _SAME_CLAUSE or w.text == ",")]
    candidates = [p for p in phrases_of(question, words) if p.end <= word.start and p.role is not Role.ASKED]
    if parted:
        candidates = [p for p in candidates if owning or p.end <= parted[-1].start]
    elif not owning:
        return False
    for phrase in candidates:
        if owning and not parted and phrase.role not in {Role.SUBJECT, Role.OBJECT}:
            continue
        if lower in _PERSONAL and not phrase.plural and (phrase.kind is Kind.PERSON or _may_be_person(phrase.kind)):
            return True
        if lower in _PLURAL and phrase.plural:
            return True
        if lower in _SINGULAR and not phrase.plural and phrase.kind in {Kind.THING, Kind.PLACE, Kind.NAME}:
            return True
    return False


def _may_be_person(kind: Kind) -> bool:
    return kind in {Kind.PERSON, Kind.NAME}


def is_owner(words: Sequence[Word], at: int) -> bool:
    """Return whether words[at] says whose something is: "his", "her job"."""
    word = words[at]
    if word.lower in _OWNING:
        return True
    following = words[at + 1] if at + 1 < len(words) else None
    return word.lower == "her" and following is not None and following.part in {
        Part.NOUN, Part.NAME, Part.NUMBER, Part.ADVERB
    }  # fmt: skip


def _put(words: Sequence[Word], at: int, means: str) -> _Change:
    word = words[at]
    # "How many of them" → "how many tigers".
    if word.lower == "them" and at > 1 and words[at - 1].lower == "of" and words[at - 2].lower in _COUNTED:
        return _Change(words[at - 1].start, word.end, means)
    if is_owner(words, at):
        means = re.sub(r"(?<=s) (?:in|of) .*$", "", means) if word.lower in {"their", "theirs"} else means
        plain = means.rsplit(" ", maxsplit=1)[-1].lower()
        means = f"{means}'" if plain.endswith("s") and is_plural(plain) else f"{means}'s"
    if at == 0:
        means = means[:1].upper() + means[1:]
    return _Change(word.start, word.end, means)


def _changed(question: str, changes: Sequence[_Change]) -> str:
    text, last = "", 0
    for change in changes:
        text += question[last : change.start] + change.text
        last = change.end
    return text + question[last:]

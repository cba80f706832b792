"""A question that leaves out what was asked before ("Why?", "And in 2014?", "What about Kenya?") → the whole one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.terms import analyze
from qa.english.clauses import Clause, ask_anew, clause_of
from qa.english.grammar import Part, Word, words_of
from qa.english.nouns import COUNTRIES
from qa.english.phrases import Kind, Phrase, Role, phrases_of
from qa.turns.mentions import Spoken
from qa.turns.omitted import opposite
from qa.types import Turn

OPENERS = re.compile(
    r"^\W*(?:(?:and|but|so|or|then|also|well|ok|okay|yes|no|now)\b[,\s]+)*(?:(?:what|how)\s+about\b\s*)?", re.IGNORECASE
)
_ABOUT = re.compile(r"\b(?:what|how)\s+about\b", re.IGNORECASE)
_BARE = re.compile(
    r"^(?P<word>(?:(?:for|since|until|from|by|at|in|to|on|with)\s+)?(?:why|when|where|how|who|whom|what\s+for)"
    r"(?:\s+(?:long|often|far|much|many|soon|fast|exactly|not))?)"
    r"(?:\s+(?:was|is|were|are|did|does|do|exactly|so|that|this|it|they|he|she|happen|then))*\W*$",
    re.IGNORECASE,
)
_OF_A_THING = re.compile(r"^where\s+(?:is|are|was|were)\s+(?:that|this|it|they)\b", re.IGNORECASE)
_LONGEST_FRAGMENT = 8
_LONGEST_QUOTE = 300
# What is said, told or announced is of something else than who says it.
_SAYING = frozenset(
    "say said tell told announce announced report reported explain explained write written know known".split()
)
_WHICH = frozenset({"which", "what"})
# "Is chilli …": the subject of a question that asks whether.
_BEGINNING = 6
_AT_A_TIME = frozenset("start end beginning time moment".split())


def completed(question: str, turns: Sequence[Turn], spoken: Spoken) -> str | None:
    """Return the earlier question with what `question` asks anew put into it; None if `question` is no fragment."""
    fragment = OPENERS.sub("", question, count=1).strip().rstrip("?!. ")
    previous = turns[-1]
    clause = clause_of(previous.standalone)
    bare = _BARE.match(fragment)
    if bare is not None:
        if clause is not None and clause.asked.lower() == "what" and _OF_A_THING.search(fragment) and spoken:
            shown = next((m for m in spoken[0] if m.answered and not m.person), None)
            if shown is not None:
                return f"{bare['word'].strip().capitalize()} {'are' if shown.phrase.plural else 'is'} {shown.named}?"
        return None if clause is None else ask_anew(bare["word"].strip(), clause, previous.short_answer)
    if not fragment or not is_fragment(question):
        return None
    words = words_of(fragment)
    asking = next((w for w in words[:2] if w.part is Part.ASKING), None)
    if asking is not None:
        return None if clause is None else _asked_anew(fragment, previous)
    whole = _in_place(fragment, words, previous.standalone, opened=_led(question))
    return _of_what_was_said(fragment, words, clause, previous) if whole is None else whole


def _of_what_was_said(fragment: str, words: Sequence[Word], clause: Clause | None, previous: Turn) -> str | None:
    """Return "What about …?" for a thing of which the answer to "What did she say?" spoke; None if it did not.

    It is not asked "of" who said it: whoever tells of contracts need not own them.
    """
    if clause is None or clause.asked.lower() != "what" or clause.verb.lower() not in _SAYING:
        return None
    found = phrases_of(f"It is {fragment}")
    if not found or found[0].named or found[0].kind is Kind.PERSON or words[0].part is Part.BEFORE:
        return None
    spoken_of = {stem for quote in previous.quotes[:2] for stem in analyze(quote[:_LONGEST_QUOTE])}
    return f"What about {fragment}?" if set(analyze(found[0].head)) <= spoken_of else None


def is_fragment(question: str) -> bool:
    """Return whether `question` has no verb of its own: "And in India?", "How many male ones?"."""
    fragment = OPENERS.sub("", question, count=1)
    words = [w for w in words_of(fragment) if w.part is not Part.MARK]
    if not words or len(words) > _LONGEST_FRAGMENT:
        return False
    if any(w.part is Part.HELPING for w in words) and not re.search(r"\b(?:who|that|which)\b", fragment):
        return False
    opened = OPENERS.match(question)
    led = opened is not None and _ABOUT.search(opened[0]) is not None
    verbs = [w for i, w in enumerate(words) if w.part is Part.VERB and i]
    # "Tell me about …" and "Describe …" are whole.
    return led or not (verbs or words[0].part is Part.VERB)


def _asked_anew(fragment: str, previous: Turn) -> str | None:
    """Return the earlier question with another question word or noun: "And how many male names?"."""
    clause = clause_of(previous.standalone)
    if clause is None:
        return None
    words = words_of(fragment)
    asking = words[0].lower
    before = clause.asked.lower().split()[:1]
    same = before == [asking] or (asking in _WHICH and set(before) <= _WHICH)
    # "How many male names" takes the place of "How many female names"; "From how many banks" comes besides the loans.
    if same and clause.noun:
        return f"{fragment[:1].upper()}{fragment[1:]} {clause.predicate}?"
    return ask_anew(fragment, clause, previous.short_answer)


def _led(question: str) -> bool:
    opener = OPENERS.match(question)
    return opener is not None and bool(opener[0].strip())


def _in_place(fragment: str, words: Sequence[Word], earlier: str, *, opened: bool) -> str | None:
    """Return the earlier question with `fragment` in the place of what is like it. What is not `opened` by "and" begins
    with a capital letter, which tells no name.
    """
    alone = not opened and " " not in fragment and fragment.lower() not in COUNTRIES
    found = phrases_of(f"It is {fragment.lower() if alone else fragment}")
    if not found:
        return None
    new = found[0]
    preposition = words[0].lower if words[0].part is Part.BEFORE else ""
    slot = None if alone else _slot(new, preposition, phrases_of(earlier))
    text = fragment if not preposition else fragment[words[0].end :].strip()
    if slot is not None:
        # Behind the preposition, where the fragment has one of its own.
        start = slot.start
        if preposition and slot.preposition:
            start = earlier.lower().rfind(slot.preposition, 0, slot.start)
            text = fragment
        return _tidy(f"{earlier[:start]}{text}{earlier[slot.end :]}")
    if preposition:
        return _tidy(f"{earlier.rstrip().rstrip('?.!')} {fragment}?")
    return None


def _slot(new: Phrase, preposition: str, earlier: Sequence[Phrase]) -> Phrase | None:
    """Return the phrase of the earlier question in whose place `new` comes: of its kind and behind its preposition, or
    with its noun. None if nothing is like it.
    """
    new_head = set(analyze(new.head))
    bare = [p for p in earlier if p.bare or p.bare == new.bare or p.role in {Role.SUBJECT, Role.OWNER}]
    if preposition and new.head in _AT_A_TIME:
        return next((p for p in earlier if p.preposition and p.head in _AT_A_TIME), None)
    if new.kind is Kind.YEAR:
        return next((p for p in earlier if p.kind is Kind.YEAR), None)
    if not preposition:
        same_noun = [p for p in earlier if set(analyze(p.head)) == new_head]
        if same_noun:
            # "The existing contracts" takes the place of "new contracts" in "new contracts with Japan".
            return (min if new.bare else max)(same_noun, key=lambda p: p.end - p.start)
        opposed = [p for p in earlier if opposite(p.text, [new.head])]
        if opposed:
            return min(opposed, key=lambda p: p.end - p.start)
    if preposition:
        alike = [p for p in bare if p.preposition == preposition and _like(p, new)]
        alike = alike or [p for p in bare if p.preposition and _like(p, new) and (p.named and new.named)]
        alike = alike or [p for p in bare if p.role is Role.SUBJECT and p.named and new.named and _like(p, new)]
        return alike[-1] if alike else None
    # A name takes the place of a name of its kind, people that of people.
    alike = [p for p in bare if p.role is not Role.ASKED and _like(p, new) and (new.named or new.kind is Kind.PERSON)]
    order = {Role.SUBJECT: 0, Role.OWNER: 1, Role.OBJECT: 2, Role.BEHIND: 3, Role.ASKED: 4}
    if not alike and not new.article and not new.named:
        # "Is chilli a stew? How about goulash?", "How has it changed society? How about dating?"
        plain = [p for p in bare if not p.named and not p.article and not p.head.endswith("ing")]
        alike = [p for p in plain if p.role is Role.SUBJECT and p.start <= _BEGINNING]
        if any(p.role is Role.SUBJECT and p.named for p in earlier):
            alike = [p for p in plain if p.role is Role.OBJECT]
    return min(alike, key=lambda p: (order[p.role], p.start, -p.end)) if alike else None


def _like(one: Phrase, other: Phrase) -> bool:
    """Return whether two phrases can be of one kind."""
    if one.kind is other.kind:
        return True
    names = {Kind.NAME, Kind.PERSON, Kind.PLACE, Kind.THING}
    return one.named and other.named and Kind.NAME in {one.kind, other.kind} and {one.kind, other.kind} <= names


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text[:1].upper() + (text[1:] if text.endswith("?") else f"{text[1:].rstrip('.!')}?")

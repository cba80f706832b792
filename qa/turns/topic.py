"""What the conversation is about, and whether a question without any pronoun is still about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from index.terms import analyze
from qa.english.grammar import Part, Word, words_of
from qa.english.lexicon import TENSED
from qa.english.nouns import MONTHS, RELATIONAL
from qa.english.phrases import Kind, Phrase, Role, phrases_of
from qa.english.pronouns import names
from qa.features import content_words
from qa.turns.antecedents import INSIDE, somewhere, topic
from qa.turns.mentions import TURNS_BACK, Spoken
from qa.types import Turn

# "The US", "the end", "the same": they need nobody to say which.
_ONE_ONLY = frozenset(
    "us uk un eu usa world end start beginning same time future past sun moon earth sea internet way best worst "
    "first last most other others rest east west north south middle public media police summer winter spring autumn "
    "morning evening night day year week month century present moment difference average latter former one ones "
    "brits weather environment universe sky ocean".split()
)
_NEW = re.compile(
    r"^\W*(?:(?:what|who)(?:['’]s|\s+(?:is|are|was|were))\s+(?!the\b|its\b|some\b|other\b|any\b|good\b|common\b|popular\b)"
    r"|tell\s+(?:me|us)\s+(?:more\s+)?about\s+(?!the\b)|describe\s+(?!the\b)|define\b)",
    re.IGNORECASE,
)
_CATEGORY = {
    Kind.PLACE: frozenset("country city town village state place island region park kingdom".split()),
    Kind.PERSON: frozenset("man woman person boy girl guy author writer king queen singer artist scientist".split()),
    Kind.THING: frozenset(
        "company firm club team group organisation organization institute agency party university experiment study "
        "film movie book show series album song game programme program project device".split()
    ),
}
_YEAR = re.compile(r"[12][0-9]{3}")
_THERE_IS = re.compile(r"^\W*(?:is|are|was|were)\s+there\b", re.IGNORECASE)
_OPEN = re.compile(
    r"^\W*(?:is|are|was|were)\s+there\s+(?:any|some|another|other|an?|more)?\b"
    r"|^\W*what\s+is\s+there\s+to\b|^\W*what\s+(?:are|were)\s+the\b"
    r"|^\W*what\s+(?:are|is|were)\s+(?:some|other|common|popular|good|another|a\sgood)\b",
    re.IGNORECASE,
)
_PARTLY = frozenset(
    "main key major first last other possible common real general total exact original most current new official "
    "average best biggest largest main".split()
)
_COMPARES = {"compare": "to", "differ": "from"}
_PARTS = frozenset("member members part parts founder founders cause causes symptom symptoms version versions".split())
_TELLING_WHICH = frozenset({"of", "between", "behind", "for", "about", "with", "to"})
_BEGINNING = frozenset({Part.NAME, Part.NOUN, Part.ARTICLE, Part.NUMBER, Part.VERB})
_FEWEST_WORDS = 2
_MOST_OPEN, _MOST_OTHERS = 3, 3
_LONGEST = 300
_MOST_WORDS = 8


def carried(question: str, turns: Sequence[Turn], spoken: Spoken) -> str | None:
    """Return `question` with the topic of the conversation behind the phrase that needs it; None if none does.

    "What are the symptoms?" becomes "What are the symptoms of anemia?", "Are there any film festivals?" gets "in Ann
    Arbor". "What is taurine?" names its own topic.
    """
    words = words_of(question)
    phrases = phrases_of(question, words)
    expanded = _full_name(question, spoken)
    if expanded is not None:
        return expanded
    open_phrase = _needs_topic(question, words, phrases)
    if open_phrase is None:
        return _compared(question, words, spoken)
    longer = _said_longer(open_phrase, turns) if open_phrase.article == "the" else None
    if longer is not None:
        return f"{question[: open_phrase.start]}{longer}{question[open_phrase.end :]}"
    told_by = content_words(question) - content_words(open_phrase.text)
    if _known(question, spoken) or len(told_by) > _MOST_OTHERS:
        return None
    named = _by_category(open_phrase, spoken) if open_phrase.article == "the" else None
    if named is not None:
        return f"{question[: open_phrase.start]}{named}{question[open_phrase.end :]}"
    about = topic(spoken)
    place = somewhere(spoken) if _THERE_IS.match(question) else None
    if place is not None and (place.phrase.kind is Kind.PLACE or place.phrase.preposition in INSIDE):
        about = place
    # Nothing is "of Tuesday", the answer to a when.
    if about is None or _is_moment(about.phrase.text) or set(analyze(about.phrase.text)) <= set(analyze(question)):
        return None
    following = next((w for w in words if w.start >= open_phrase.end), None)
    if following is not None and following.lower in {"and", "or"}:
        # "The pros and cons | of …".
        coupled = next((p for p in phrases if p.start > following.end and not p.article), None)
        open_phrase = open_phrase if coupled is None else replace(open_phrase, end=coupled.end)
    preposition = "in" if about.phrase.kind is Kind.PLACE or about.phrase.preposition == "in" else "of"
    preposition = "at" if about is place and preposition == "of" else preposition
    return f"{question[: open_phrase.end]} {preposition} {about.named}{question[open_phrase.end :]}"


def _is_moment(text: str) -> bool:
    return any(word in MONTHS or _YEAR.fullmatch(word) for word in re.findall(r"\w+", text.lower()))


def _compared(question: str, words: Sequence[Word], spoken: Spoken) -> str | None:
    """Return "How does an ESA compare?" with what it is compared to."""
    at = next((i for i, word in enumerate(words) if word.lower in _COMPARES and word.part is Part.VERB), None)
    about = topic(spoken)
    if at is None or about is None or any(word.part is Part.BEFORE for word in words[at:]):
        return None
    return f"{question[: words[at].end]} {_COMPARES[words[at].lower]} {about.named}{question[words[at].end :]}"


def _needs_topic(question: str, words: Sequence[Word], phrases: Sequence[Phrase]) -> Phrase | None:
    """Return the phrase of `question` that leaves open of what: "the symptoms"; None if it names its own topic."""
    if _NEW.match(question) and not _few_words(question):
        return None
    definite = [
        p
        for p in phrases
        if p.article == "the" and p.bare and not p.named and p.head not in _ONE_ONLY and p.role is not Role.OWNER
        and not _told_which(words, p) and not _new_kind(question, p)
    ]  # fmt: skip
    if definite:
        return definite[-1]
    own = [p for p in phrases if p.named and p.kind is not Kind.YEAR]
    asked = next((p for p in phrases if p.role is Role.ASKED and p.bare), None)
    # "At what temperature does tungsten melt?" says of what.
    alone = all(p.role is Role.ASKED for p in phrases)
    if asked is not None and alone and not own and len(content_words(question)) <= _MOST_OPEN:
        return asked
    if _OPEN.match(question) and not own:
        bare = [p for p in phrases if p.bare]
        return bare[0] if bare and phrases[-1] is bare[0] else None
    part = [p for p in phrases if p.head in _PARTS and p.bare and p.article in {"a", "an", ""} and p is phrases[-1]]
    return part[0] if part and not _told_which(words, part[0]) else None


def _new_kind(question: str, phrase: Phrase) -> bool:
    """Return whether "What is the functionalist theory?" asks for a thing of its own, and not a part of the topic."""
    if (
        phrase.plural
        or " " not in phrase.text
        or re.match(r"\W*(?:what|who)(?:['’]s|\s+(?:is|was))\b", question, re.I) is None
    ):
        return False
    return phrase.text.split()[0].lower() not in _PARTLY and phrase.head not in RELATIONAL


def _said_longer(phrase: Phrase, turns: Sequence[Turn]) -> str | None:
    """Return how the conversation called "the ban" in more words: "the ban on dual-use exports".

    A quote's words count only where they say whose or of what: "the 50-meter drainpipe" tells no more than "the
    drainpipe".
    """
    for turn in list(turns[-TURNS_BACK:])[::-1]:
        asked = phrases_of(turn.standalone[:_LONGEST])
        quoted = [p for quote in turn.quotes[:2] for p in phrases_of(quote[:_LONGEST]) if p.named or not p.bare]
        for one in (*asked, *quoted):
            words = one.text.split()
            longer = one.head == phrase.head and len(phrase.text.split()) < len(words) <= _MOST_WORDS
            if longer and not any(word in TENSED for word in words[:-1]):
                whose = any(word.endswith(("'s", "’s")) for word in words[:-1])
                return one.text if whose else f"the {one.text}"
    return None


def _told_which(words: Sequence[Word], phrase: Phrase) -> bool:
    """Return whether what follows the phrase says which one is meant: "the man who …", "the term toilet"."""
    following = [word for word in words if word.start >= phrase.end]
    if not following:
        return False
    first = following[0]
    if first.part is Part.JOINING and first.lower in {"who", "that", "which", "where", "when", "whose"}:
        return True
    return first.lower in _TELLING_WHICH and len(following) > 1 and following[1].part in _BEGINNING


def _few_words(question: str) -> bool:
    return len(content_words(question)) < _FEWEST_WORDS


def _known(question: str, spoken: Spoken) -> bool:
    """Return whether there is no topic, or the question repeats it."""
    about = topic(spoken)
    if about is None:
        return True
    return bool(set(analyze(about.phrase.head)) & set(analyze(question)))


def _by_category(phrase: Phrase, spoken: Spoken) -> str | None:
    """Return the name that "the country" or "the company" stands for."""
    kind = next((kind for kind, heads in _CATEGORY.items() if phrase.head in heads), None)
    if kind is None:
        return None
    named = [m for found in spoken for m in found if m.phrase.named and m.phrase.role is not Role.ASKED]
    if kind is Kind.PERSON:
        # The answer to "who" is the man.
        people = [m for m in named if m.person]
        who = [m for m in people if m.asked_who]
        return who[0].named if who else (people[0].named if people else None)
    fitting = [m for m in named if not m.answered or m.asked_which]
    for wanted in (kind, Kind.THING, Kind.NAME):
        found = next((m for m in fitting if m.phrase.kind is wanted), None)
        if found is not None:
            return found.named
    return None


def _full_name(question: str, spoken: Spoken) -> str | None:
    """Return `question` with a part of a name spoken of before made whole: "Anne" → "Anne Bonny"."""
    long = {m.phrase.text for found in spoken for m in found if m.phrase.named and " " in m.phrase.text}
    for name in names(question):
        if " " in name:
            continue
        whole = {text for text in long if name in text.split() and text[:1].isupper() and text.istitle()}
        if len(whole) == 1:
            at = re.search(rf"\b{re.escape(name)}\b", question)
            return None if at is None else f"{question[: at.start()]}{whole.pop()}{question[at.end() :]}"
    return None

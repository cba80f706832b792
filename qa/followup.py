"""(Conversation, question) → a query that stands alone, by rule: no model writes it.

A question leans on what was said before where a pronoun points back, where it leaves out what it asks ("Why?", "And in
2014?"), or where "the symptoms" does not say of what. What it means is put into its place, so that the query reads as
the user would have written it: `coreference.py` does pronouns, `ellipsis.py` what is left out, `topic.py` the topic of
a question that has neither. What stands by itself is left alone, whatever the conversation was about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.terms import analyze
from qa.english.phrases import phrases_of
from qa.kinds import ABOUT_THE_PICTURE
from qa.turns.coreference import points_back, resolved
from qa.turns.ellipsis import OPENERS, completed, is_fragment
from qa.turns.mentions import TURNS_BACK, Memory, spoken_of
from qa.turns.omitted import ones_named, which_of
from qa.turns.topic import carried
from qa.types import Answer, Reply, Turn

LONGEST = 300
"""Characters of a question; a longer one says what it is about, and is left as it is."""
_MOST_TURNS = TURNS_BACK + 4
_LONGEST_ANSWER = 2_000
_REFERENCES = re.compile(
    r"\b(?:(?:the|that|which)\s+(?-i:one)|ones|the\s+(?:former|latter|same|others?))\b", re.IGNORECASE
)
_OPENED = re.compile(
    r"^\W*(?:(?:and|but|so|or|then|also)\b|(?:what|how)\s+about\b|(?:what|who|where|why|anything|anyone)\s+else\b)",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"^\W*(?:and\s+|but\s+|so\s+)?(?:why|when|where|who|how|how\s+(?:many|much|long)|since\s+when|by\s+whom|what\s+for"
    r"|which(?:\s+ones?)?)(?:\s+(?:was|is|were|are|did|does|do|exactly|so|not|that|this|it|they|he|she|happen))*\W*$",
    re.IGNORECASE,
)
_ABOUT_SOMEBODY = re.compile(
    r"^\W*(?:and\s+|but\s+|so\s+)?(?:where|who|how)\s+(?:is|are|was|were)\s+(?:it|they|he|she)\W*$", re.IGNORECASE
)
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|thanks|thank\s+you|ok|okay|bye|goodbye|good\s+(?:morning|evening|afternoon)|yes|no|please)\b\W*$",
    re.IGNORECASE,
)
_SHOWN_QUOTE = re.compile(r"“([^”]{1,1000})”\s*\[\d+\]")
_A_NAME = re.compile(r"[A-Z]\D*$")
_LONGEST_NAME = 60
_FEWEST_WORDS = 2
_FILLERS = frozenset(
    "a an and are as at be been but by can could did do does exactly for from had has have how in is it its of on "
    "or s say said so t tell than that the their them there they this to was were what when where which who whom "
    "whose why will with would about he she his her him one ones else also then these those".split()
)


def standalone(question: str, conversation: Sequence[Turn]) -> str:
    """Return a query that means what `question` means after `conversation`; the question itself if it stands alone.

    The last turns are looked at, the nearest first. Where a question leans on them and no rule says how, the words of
    the last turn are put behind it.
    """
    return _standalone(question, conversation[-TURNS_BACK:], {})


def _standalone(question: str, turns: Sequence[Turn], memory: Memory) -> str:
    meant = _meant(question, turns, memory)
    return meant if meant == question else _of_the_picture(meant, turns[-1].standalone)


def _of_the_picture(meant: str, before: str) -> str:
    """Return `meant` with the picture that `before` asked about: nothing else tells to look at captions."""
    picture = ABOUT_THE_PICTURE.search(before)
    if picture is None or ABOUT_THE_PICTURE.search(meant) is not None:
        return meant
    called = next((one.text for one in phrases_of(before) if one.start <= picture.start() < one.end), picture[0])
    return f"{meant.rstrip()} ({called})"


def _meant(question: str, turns: Sequence[Turn], memory: Memory) -> str:
    if not turns or len(question) > LONGEST:
        return question
    if _GREETING.match(question) or not question.strip():
        return question
    spoken = spoken_of(turns, memory)
    text = which_of(ones_named(question, turns, spoken), turns, spoken)
    if _BARE.match(text) and not _ABOUT_SOMEBODY.match(text):
        whole = completed(text, turns, spoken)
        return whole if whole is not None else _with_words(question, turns[-1])
    meant = resolved(text, turns, spoken)
    text = text if meant is None else meant
    if is_fragment(text) and _opened_or_short(text):
        whole = completed(text, turns, spoken) or carried(text, turns, spoken)
        return whole if whole is not None else _with_words(text, turns[-1])
    if text != question:
        return _begun(text)
    whole = carried(text, turns, spoken)
    if whole is not None:
        return _begun(whole)
    return _with_words(question, turns[-1]) if depends(question) else question


def depends(question: str) -> bool:
    """Return whether `question` leans on what was said before, as far as its words show."""
    if _GREETING.match(question):
        return False
    if _OPENED.match(question) or _BARE.match(question):
        return True
    if points_back(question) or _REFERENCES.search(question):
        return True
    return len(_own_words(question)) < _FEWEST_WORDS and (is_fragment(question) or not _own_words(question))


def turn_of(question: str, reply: Reply) -> Turn:
    """Return an exchange as the questions after it see it."""
    standalone = reply.understood.standalone
    if not isinstance(reply, Answer):
        return Turn(question, standalone, (), None)
    quotes = tuple(citation.quote for citation in reply.citations)
    return Turn(question, standalone, quotes, reply.short_answer, tuple(one.document.id for one in reply.citations))


def turns_of(pairs: Sequence[tuple[str, str | None]]) -> tuple[Turn, ...]:
    """Return the last turns of a conversation that a client sends: (question, answer or None where there was none).

    What each question means by itself is made out from those before it. Only the last turns are kept, because nothing
    looks further back.
    """
    turns: list[Turn] = []
    memory: Memory = {}
    for question, answer in pairs[-_MOST_TURNS:]:
        meant = _standalone(question, turns[-TURNS_BACK:], memory)
        turns.append(Turn(question, meant, () if answer is None else _quoted(answer), None))
    return tuple(turns)


def _quoted(answer: str) -> tuple[str, ...]:
    """Return the quotes of an answer as replies show them (“…” [1]); the whole answer if it is none of ours."""
    text = answer[:_LONGEST_ANSWER]
    found = tuple(_SHOWN_QUOTE.findall(text))
    return found if found else ((text.strip(),) if text.strip() else ())


def _opened_or_short(question: str) -> bool:
    """Return whether a fragment is put as a follow-up: behind "and", or in so few words that it names no topic."""
    return _OPENED.match(question) is not None or len(question.split()) <= 5


def _begun(question: str) -> str:
    """Return `question` without the "and" that tied it to the one before."""
    text = (
        OPENERS.sub("", question, count=1).strip()
        if not re.match(r"\W*(?:what|how)\s+about", question, re.I)
        else question
    )
    return text[:1].upper() + text[1:] if text else question


def _own_words(question: str) -> list[str]:
    return [word for word in re.findall(r"\w+", question) if word.lower() not in _FILLERS]


def _with_words(question: str, previous: Turn) -> str:
    """Return `question` with the words of the turn before behind it that it lacks, and its answer if that is a name."""
    held = set(analyze(question))
    source = previous.standalone[:LONGEST]
    if (
        previous.short_answer is not None
        and _A_NAME.match(previous.short_answer)
        and len(previous.short_answer) < _LONGEST_NAME
    ):
        source = f"{source} {previous.short_answer}"
    words = []
    for word in re.findall(r"\w[\w’'-]*", source):
        stems = set(analyze(word))
        if word.lower() not in _FILLERS and not stems <= held:
            held |= stems
            words.append(word)
    return f"{question.rstrip()} ({' '.join(words)})" if words else question

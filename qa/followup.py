"""(Conversation, question) → a query that stands alone, by rule: no model writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.lexical import analyze
from qa.types import Turn

_OPENERS = re.compile(
    r"^\s*(?:and|but|so|or|then|also|(?:what|how)\s+about|(?:what|who|where|why|anything|anyone)\s+else)\b",
    re.IGNORECASE,
)
# "It is said that …", "is there …" and "One China" point at nothing, so `that`, `there` and a bare `one` are left out.
_REFERENCES = re.compile(
    r"\b(?:he|him|his|she|her|hers|they|them|their|theirs|it|its|this|these|those|ones|(?:the|that|which)\s+(?-i:one)|"
    r"the\s+(?:former|latter|same|others?))\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"^\W*(?:and\s+|but\s+|so\s+)?(?P<word>why|when|where|who|how|how\s+many|how\s+much|how\s+long|since\s+when|by\s+whom|"
    r"what\s+for|which\s+ones?)(?:\s+(?:was|is|were|are|did|does|do|exactly|so|not|that|this|it|they|he|she|happen))*\W*$",
    re.IGNORECASE,
)
_QUESTION_WORD = re.compile(
    r"^\W*(?:who|whom|whose|what|when|where|why|which|how(?:\s+(?:many|much|long|often|far))?)\b", re.IGNORECASE
)
_NAME = re.compile(r"(?<![.!?“\"]\s)(?<!^)\b[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)*")
# A question with fewer words of its own cannot name its topic.
_FEWEST_WORDS = 2
_FILLERS = frozenset(
    "a an and are as at be been but by can could did do does exactly for from had has have how in is it its of "
    "on or s say said so t tell than that the their them there they this to was were what when where which who "
    "whom whose why will with would about he she his her him one ones else also then these those".split()
)


def standalone(question: str, conversation: Sequence[Turn]) -> str:
    """Return a query that means what `question` means after `conversation`; the question itself if it stands alone.

    A bare question word ("Why?") asks the previous question anew. A question that points back ("And the existing
    ones?", "What did he say?") gets the topic words of the previous turn behind it.
    """
    if not conversation or not depends(question):
        return question
    previous = conversation[-1]
    bare = _BARE.match(question)
    if bare and _QUESTION_WORD.match(previous.standalone):
        return _QUESTION_WORD.sub(bare["word"].capitalize(), previous.standalone, count=1)
    topic = _topic(question, previous)
    return f"{question.rstrip()} ({topic})" if topic else question


def depends(question: str) -> bool:
    """Return whether `question` leans on what was said before."""
    if _OPENERS.search(question) or _BARE.match(question):
        return True
    return (bool(_REFERENCES.search(question)) and not _named(question)) or len(_own_words(question)) < _FEWEST_WORDS


def _named(question: str) -> bool:
    """Return whether the question names somebody or something for its pronoun to mean."""
    reference = _REFERENCES.search(question)
    return reference is not None and _NAME.search(question[: reference.start()]) is not None


def _own_words(question: str) -> list[str]:
    return [word for word in re.findall(r"\w+", question) if word.lower() not in _FILLERS]


def _topic(question: str, previous: Turn) -> str:
    """Return the content words of the previous turn that `question` lacks: its query's, and its answer if a name."""
    held = set(analyze(question))
    source = previous.standalone
    if previous.short_answer is not None and _NAME.fullmatch(previous.short_answer.strip()):
        source = f"{source} {previous.short_answer}"
    words = []
    for word in re.findall(r"\w[\w’'-]*", source):
        stems = set(analyze(word))
        if word.lower() not in _FILLERS and not stems <= held:
            held |= stems
            words.append(word)
    return " ".join(words)

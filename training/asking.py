"""Ways of asking that the training questions lack: yes or no, requests, haste. Rules for English, made for training.

All public questions of this size ask who, what, when, where; people also ask "has it been lifted?", "please tell me who
…" and "whos the minister". Questions for yes or no are made from statements by turning them round, and the words that
decide are the answer. Those that nothing decides are made from two statements. A question in other words keeps its
answer, and its having none.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_AUXILIARIES = frozenset("is are was were has have had can could will would may might must should".split())
# With these at its start a statement is about something that stands before it, or its subject comes later.
_NO_SUBJECT = frozenset(
    "it he she they this these that those there his her its their we you i our my your who which what when where how "
    "why in on at by for from with to of as after before during since until while although though because if once "
    "despite under over among between through however also then thus but and or so yet not only both either neither "
    "no nobody nothing none such additionally further furthermore moreover".split()
)
_ARTICLES = frozenset(("the", "a", "an", "of"))
_BREAKS = re.compile(
    r"[,;:()\[\]\"“”–—]|\.(?=\s|$)|\s(?:which|who|whose|because|although|while|whereas|but|when|where|and\s+(?:he|she|it|they|was|were"
    r"|is|are|has|had|the|a))\b",
    re.IGNORECASE,
)
_INSIDE_SUBJECT = re.compile(
    r"[,;:()\[\]\"“”–—]|\b(?:that|which|who|whose|when|if|while|where|how|what)\b", re.IGNORECASE
)
_SHORTER = re.compile(r"\s(?:in|on|at|by|for|with|from|during|after|before|since|until|through|under|over|between)\s")
IRREGULAR = {
    "became": "become", "began": "begin", "brought": "bring", "built": "build", "came": "come", "chose": "choose",
    "fell": "fall", "fought": "fight", "found": "find", "gave": "give", "grew": "grow", "held": "hold", "kept": "keep",
    "knew": "know", "led": "lead", "left": "leave", "lost": "lose", "made": "make", "met": "meet", "paid": "pay",
    "ran": "run", "rose": "rise", "said": "say", "sang": "sing", "saw": "see", "sent": "send", "sold": "sell",
    "spent": "spend", "spoke": "speak", "stood": "stand", "taught": "teach", "told": "tell", "took": "take",
    "went": "go", "won": "win", "wrote": "write",
}  # fmt: skip
_MOST_SUBJECT, _MOST_REST, _LEAST_REST = 7, 18, 2
_OPENINGS = (
    "please tell me {q}", "tell me {q}", "can you tell me {q}", "do you know {q}", "i want to know {q}",
    "i would like to know {q}", "could you say {q}", "please say {q}", "so {q}", "and {q}", "ok, {q}", "well, {q}",
    "{q} please", "{q}, please", "quick question: {q}",
)  # fmt: skip
_HASTE = (("'s ", "s "), ("’s ", "s "), (" the ", " "), (" a ", " "))


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that can be turned round. `decisive` is the half-open character span of what decides, in its text."""

    subject: str
    auxiliary: str
    rest: str
    decisive: tuple[int, int]


class Verbs:
    """Which words of a language's texts are past forms, and of what."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._seen = Counter(word for text in texts for word in re.findall(r"[a-z]+", text))

    def base(self, word: str) -> str | None:
        """Return what "did" takes in place of a past form; None if `word` is none."""
        if word in IRREGULAR:
            return IRREGULAR[word]
        if not word.endswith("ed") or len(word) < 5:
            return None
        stem = word[:-2]
        ways = [stem, word[:-1]]
        if stem.endswith("i"):
            ways.append(f"{stem[:-1]}y")
        if stem[-1] == stem[-2]:
            ways.append(stem[:-1])
        best = max(ways, key=lambda way: self._seen[way])
        return best if self._seen[best] >= 5 else None


def statement(sentence: str, verbs: Verbs) -> Statement | None:
    """Return what a sentence states, if it is simple enough to be turned round."""
    found = list(re.finditer(r"[\w’'-]+", sentence))
    if not 6 <= len(found) <= 40 or found[0].group().lower() in _NO_SUBJECT or "``" in sentence:
        return None
    for at, word in enumerate(found[1 : _MOST_SUBJECT + 1], start=1):
        subject = sentence[found[0].start() : found[at - 1].end()]
        if _INSIDE_SUBJECT.search(sentence[: word.start()]):
            return None
        said = word.group()
        if said in _AUXILIARIES:
            auxiliary, rest_from = said, word.end()
        elif all(w.group()[0].isupper() for w in found[:at]) and (base := verbs.base(said)) is not None:
            auxiliary, rest_from = "did", word.start()
        else:
            continue
        end = _BREAKS.search(sentence, word.end())
        stop = len(sentence[: None if end is None else end.start()].rstrip())
        rest = re.sub(r"^not\s+", "", sentence[rest_from:stop].strip())
        if auxiliary == "did":
            rest = f"{base}{rest[len(said) :]}"
        if not _LEAST_REST <= len(rest.split()) <= _MOST_REST:
            return None
        return Statement(subject, auxiliary, rest.rstrip("."), (word.start(), stop))
    return None


def turned(one: Statement, draw: random.Random) -> str:
    """Return the question that a statement decides, sometimes a shorter one."""
    return _question(one.subject, one.auxiliary, _shortened(one.rest, draw))


def crossed(one: Statement, other: Statement, draw: random.Random) -> str | None:
    """Return a question about the subject of one statement and what another says; None if they do not fit together."""
    a, b = (set(re.findall(r"\w+", s.subject.lower())) - _ARTICLES for s in (one, other))
    if one.auxiliary != other.auxiliary or a & b or one.subject.lower() in other.rest.lower():
        return None
    return _question(one.subject, other.auxiliary, _shortened(other.rest, draw))


def recast(question: str, draw: random.Random) -> str:
    """Return the question as somebody in a hurry, or somebody polite, would put it."""
    bare = question.strip().rstrip("? ")
    if draw.random() < 0.5:
        return str(draw.choice(_OPENINGS)).format(q=bare[:1].lower() + bare[1:])
    for careful, careless in _HASTE:
        if draw.random() < 0.6:
            bare = bare.replace(careful, careless)
    return _mistyped(bare, draw).lower() if draw.random() < 0.5 else bare.lower()


def _question(subject: str, auxiliary: str, rest: str) -> str:
    return f"{auxiliary.capitalize()} {subject[:1].lower()}{subject[1:]} {rest}?"


def _shortened(rest: str, draw: random.Random) -> str:
    cuts = [m.start() for m in _SHORTER.finditer(rest) if len(rest[: m.start()].split()) >= _LEAST_REST]
    return rest[: draw.choice(cuts)] if cuts and draw.random() < 0.5 else rest


def _mistyped(text: str, draw: random.Random) -> str:
    """Return the text with a letter left out, doubled or exchanged with the next in one long word."""
    places = [m.span() for m in re.finditer(r"[a-zA-Z]{5,}", text)]
    if not places:
        return text
    start, end = draw.choice(places)
    at = draw.randrange(start + 1, end - 1)
    slip: Sequence[str] = ("", text[at] * 2, text[at + 1] + text[at])
    kind = draw.randrange(3)
    return text[:at] + slip[kind] + text[at + (2 if kind == 2 else 1) :]

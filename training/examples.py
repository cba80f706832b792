"""Training questions and the articles that they are about; passages cut from these as the service cuts them."""

from __future__ import annotations

import gzip
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

WORD = re.compile(r"\w+")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z0-9\"'(\[])")


@dataclass(frozen=True, slots=True)
class Example:
    """A question on a passage; `span` is the answer's half-open character span, or nothing."""

    question: str
    passage: str
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the training file."""

    title: str
    context: str
    question: str
    answer: str | None
    start: int
    occurrences: int

    @classmethod
    def cut(cls, title: str, context: str, question: str, start: int | None, end: int | None) -> Row:
        """Return a question of our own; its answer are the characters `start` to `end` of `context`, if given.

        :raises ValueError: if these hold no answer.
        """
        answer = None if start is None else context[start:end]
        if answer is not None and not answer.strip():
            raise ValueError(f"characters {start} to {end} of the text hold no answer")
        return cls(title, context, question, answer, start or 0, 1)


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many examples of each kind a block of the stream holds, and how they are cut."""

    answered: int = 200
    contrasted: int = 340
    unanswerable: int = 440
    look_alike: int = 140
    same_paragraph: int = 80
    decided: int = 150
    undecided: int = 50
    asked: int = 0
    asked_elsewhere: int = 0
    written: int = 0
    paired: int = 0
    written_rest: int = 0
    strange: int = 0
    recast: float = 0.15
    reworded: float = 0.5
    whole_paragraphs: float = 0.15
    titled: float = 0.3
    bare_question: float = 0.1
    shortest: int = 30
    longest: int = 90


# With questions as people ask them, on the data's texts (`asked.py`) and on our own (`written.py`): these are few, so
# they come round often, and the others less so. The words of most of them alone tell whether they are answered (AUROC
# .75, training/README.md), so many that are answered come once more on a stretch of their text that lacks the answer.
# Of those put to two texts each (`paired`) they tell nothing, and these come round most often.
WITH_ASKED = Mixture(
    answered=60,
    contrasted=110,
    unanswerable=150,
    look_alike=40,
    same_paragraph=30,
    decided=10,
    undecided=10,
    asked=200,
    asked_elsewhere=60,
    written=200,
    paired=700,
    written_rest=160,
    strange=200,
    titled=0.6,
)


def load_rows(path: Path) -> list[Row]:
    """Return the rows of a gzipped JSON-lines file with `title, context, question, answers, n_occ`."""
    rows = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            raw = json.loads(line)
            first = raw["answers"][0] if raw["answers"] else None
            text, start = (first["text"], first["start"]) if first is not None else (None, 0)
            rows.append(Row(raw["title"], raw["context"], raw["question"], text, start, raw.get("n_occ", 1)))
    return rows


def words(text: str) -> set[str]:
    """Return the lower-cased words; their weight comes from how rare they are, so no stop list is needed."""
    return set(WORD.findall(text.lower()))


class Articles:
    """The paragraphs of each article, and which of them look most like a question."""

    def __init__(self, rows: Sequence[Row]) -> None:
        paragraphs: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for row in rows:
            paragraphs[row.title][row.context] = None
        self._paragraphs = {title: list(texts) for title, texts in paragraphs.items()}
        self._words = {title: [words(text) for text in texts] for title, texts in self._paragraphs.items()}
        found = Counter(word for bags in self._words.values() for bag in bags for word in bag)
        total = sum(map(len, self._words.values()))
        self._weight = {word: math.log(total / count) for word, count in found.items()}

    def likeness(self, question: set[str], other: set[str]) -> float:
        """Return the summed rarity (inverse document frequency) of the shared words."""
        return sum(self._weight.get(word, 0.0) for word in question & other)

    def look_alikes(self, row: Row, count: int) -> list[str]:
        """Return up to `count` paragraphs of the row's article that lack the answer, the most alike first."""
        asked, lacking = words(row.question), (row.answer or "").lower()
        texts, bags = self._paragraphs[row.title], self._words[row.title]
        ranked = sorted(range(len(texts)), key=lambda k: -self.likeness(asked, bags[k]))
        right = (texts[k] for k in ranked if texts[k] != row.context and lacking not in texts[k].lower())
        return [text for text, _ in zip(right, range(count), strict=False)]


class Strangers:
    """Texts by the words in them, to find one that looks like a question and is on something else."""

    def __init__(self, texts: Sequence[tuple[str, str, str]]) -> None:
        """`texts` are (what they belong to, title, text)."""
        self._texts = list(texts)
        self._holding: defaultdict[str, list[int]] = defaultdict(list)
        for number, (_, title, text) in enumerate(self._texts):
            for word in words(f"{title} {text}"):
                self._holding[word].append(number)

    def like(self, row: Row, own: str, count: int) -> list[tuple[str, str]]:
        """Return up to `count` (title, text) that belong to something else than `own`, the most like first.

        None of them has the answer's words, and each lacks one of the rare words of the question. Of a question with
        fewer than two of these, any text might hold the answer, so none is returned.
        """
        rare = [word for word in sorted(words(row.question)) if self._is_rare(word)]
        if len(rare) < 2:
            return []
        likeness: defaultdict[int, float] = defaultdict(float)
        held: Counter[int] = Counter()
        for word in rare:
            holding = self._holding.get(word, [])
            for number in holding:
                likeness[number] += math.log(len(self._texts) / len(holding))
                held[number] += 1
        lacking = (row.answer or "\0").lower()
        ranked = (self._texts[k] for k in sorted(likeness, key=lambda k: -likeness[k]) if held[k] < len(rare))
        right = ((title, text) for of, title, text in ranked if of != own and lacking not in text.lower())
        return [one for one, _ in zip(right, range(count), strict=False)]

    def _is_rare(self, word: str) -> bool:
        return len(word) > 2 and 50 * len(self._holding.get(word, ())) < len(self._texts)


class Cutter:
    """Cuts paragraphs into runs of whole sentences."""

    def __init__(self, articles: Articles, mixture: Mixture) -> None:
        self._articles = articles
        self._mixture = mixture

    def around(self, text: str, span: tuple[int, int], draw: random.Random) -> tuple[int, int]:
        """Return a span of whole sentences that holds `span`, grown at random to at most a drawn count of words."""
        cuts = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        sentences = [(a, b) for a, b in pairwise(cuts) if a < b]
        inside = [k for k, (a, b) in enumerate(sentences) if a < span[1] and b > span[0]]
        low, high = (inside[0], inside[-1]) if inside else (0, len(sentences) - 1)
        limit = draw.randint(self._mixture.shortest, self._mixture.longest)

        def fits(first: int, last: int) -> bool:
            wide = first >= 0 and last < len(sentences)
            return wide and len(text[sentences[first][0] : sentences[last][1]].split()) <= limit

        while True:
            ways = [way for way in ((low - 1, high), (low, high + 1)) if fits(*way)]
            if not ways:
                return sentences[low][0], sentences[high][1]
            low, high = draw.choice(ways)

    def likely(self, question: str, text: str, draw: random.Random) -> tuple[int, int]:
        """Return a run of sentences around the sentence most like the question: where an answer would stand."""
        asked = words(question)
        cuts = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        sentences = [(a, b) for a, b in pairwise(cuts) if a < b]
        best = max(sentences, key=lambda s: self._articles.likeness(asked, words(text[s[0] : s[1]])))
        return self.around(text, best, draw)

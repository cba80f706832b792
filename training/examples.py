"""Training questions → an endless, repeatable stream of (question, passage, answer or nothing).

Passages are cut as the service cuts them: runs of whole sentences, sometimes under a title line. What the reader
must learn beside finding an answer is to see that a passage that looks right has none, so more than half of what it
reads has no answer, and most of that looks right: it shares the question's rare words. A good part of the answered
questions are on the very paragraphs that unanswerable ones were written for: only the question tells them apart.
"""

import gzip
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from training.squad import Labelled

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


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many examples of each kind a block of the stream holds, and how they are cut."""

    answered: int = 200
    contrasted: int = 340
    unanswerable: int = 440
    look_alike: int = 140
    same_paragraph: int = 80
    whole_paragraphs: float = 0.15
    titled: float = 0.3
    bare_question: float = 0.1
    shortest: int = 30
    longest: int = 90


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


class Stream:
    """A repeatable stream: block `n` depends on the seed and on `n` alone, so training can go on from any block."""

    def __init__(self, rows: Sequence[Row], mixture: Mixture, seed: int) -> None:
        self._mixture = mixture
        self._seed = seed
        self._answered = [row for row in rows if row.answer is not None and row.occurrences <= 3]
        self._unanswerable = [row for row in rows if row.answer is None]
        doubtful = {row.context for row in self._unanswerable}
        self._contrasted = [row for row in self._answered if row.context in doubtful]
        self._articles = Articles(rows)
        self._cutter = Cutter(self._articles, mixture)

    def block(self, number: int) -> list[Example]:
        """Return the examples of a block in random order; questions come round once before any comes twice."""
        draw = random.Random(f"{self._seed}:{number}")
        mixture = self._mixture
        found = [self._answer(row, draw) for row in self._turn(self._answered, "a", number, mixture.answered)]
        found += [self._answer(row, draw) for row in self._turn(self._contrasted, "c", number, mixture.contrasted)]
        for row in self._turn(self._unanswerable, "u", number, mixture.unanswerable):
            found.append(self._silence(row, row.context, draw))
        found += self._hard(number, "l", mixture.look_alike, self._look_alike, draw)
        found += self._hard(number, "s", mixture.same_paragraph, self._same_paragraph, draw)
        draw.shuffle(found)
        return found

    def _turn(self, rows: Sequence[Row], kind: str, number: int, count: int) -> Iterator[Row]:
        """Yield the rows of block `number` out of an endless round over `rows`, reshuffled each time round."""
        order: list[int] = []
        current = -1
        for place in range(number * count, (number + 1) * count):
            lap, at = divmod(place, len(rows))
            if lap != current:
                order = list(range(len(rows)))
                random.Random(f"{self._seed}:{kind}:{lap}").shuffle(order)
                current = lap
            yield rows[order[at]]

    def _hard(
        self,
        number: int,
        kind: str,
        count: int,
        make: Callable[[Row, random.Random], Example | None],
        draw: random.Random,
    ) -> list[Example]:
        """Return up to `count` negatives; not every question has one, so three times as many are tried."""
        found: list[Example] = []
        for row in self._turn(self._answered, kind, number, 3 * count):
            if len(found) == count:
                break
            example = make(row, draw)
            if example is not None:
                found.append(example)
        return found

    def _answer(self, row: Row, draw: random.Random) -> Example:
        assert row.answer is not None
        span = (row.start, row.start + len(row.answer))
        a, b = (0, len(row.context))
        if draw.random() >= self._mixture.whole_paragraphs:
            a, b = self._cutter.around(row.context, span, draw)
        return self._dressed(row, row.context[a:b], (span[0] - a, span[1] - a), draw)

    def _silence(self, row: Row, text: str, draw: random.Random) -> Example:
        """Return `text`, or the likely part of it, as a passage without an answer."""
        if draw.random() >= self._mixture.whole_paragraphs:
            a, b = self._cutter.likely(row.question, text, draw)
            text = text[a:b]
        return self._dressed(row, text, None, draw)

    def _look_alike(self, row: Row, draw: random.Random) -> Example | None:
        """Return one of the three paragraphs of the article most like the question that lack its answer."""
        found = self._articles.look_alikes(row, 3)
        return self._silence(row, draw.choice(found), draw) if found else None

    def _same_paragraph(self, row: Row, draw: random.Random) -> Example | None:
        """Return another stretch of the answering paragraph, without the answer's words."""
        assert row.answer is not None
        a, b = self._cutter.around(row.context, (row.start, row.start + len(row.answer)), draw)
        rests = [rest.strip() for rest in (row.context[:a], row.context[b:])]
        rests = [rest for rest in rests if len(rest.split()) >= 15 and row.answer.lower() not in rest.lower()]
        return self._silence(row, draw.choice(rests), draw) if rests else None

    def _dressed(self, row: Row, text: str, span: tuple[int, int] | None, draw: random.Random) -> Example:
        """Return the example, sometimes under a title line, sometimes without the question mark."""
        question = row.question.strip()
        if draw.random() < self._mixture.bare_question:
            question = question.rstrip("? ")
        if row.title and draw.random() < self._mixture.titled:
            line = row.title.replace("_", " ") + "\n"
            text, span = line + text, (span[0] + len(line), span[1] + len(line)) if span is not None else None
        return Example(question, text, span)


def validation(rows: Sequence[Row], seed: int) -> list[Labelled]:
    """Return 600 questions: 300 answered in windows, 150 unanswerable, 150 on look-alike passages."""
    mixture = Mixture(answered=300, contrasted=0, unanswerable=150, look_alike=100, same_paragraph=50)
    block = Stream(rows, mixture, seed).block(0)
    return [
        Labelled(str(k), one.question, one.passage, (one.passage[slice(*one.span)],) if one.span is not None else ())
        for k, one in enumerate(block)
    ]

"""The values of a question's path. Spans count characters of a revision's canonical text."""

from __future__ import annotations

from dataclasses import dataclass, field

from index.types import Document, Filter, Hit, Passage, Sentence, Span
from qa.risk import Kept
from qa.values.dates import DatedPhrase

LONGEST_QUESTION = 2_000
"""Characters."""
MOST_CITATIONS = 10


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier exchange of a conversation: what was asked, as it was understood, and what was answered.

    `quotes` is empty and `short_answer` None where the sources did not say. `documents` are the ids of those quoted: a
    conversation forgets what it quoted of one that is purged.
    """

    question: str
    standalone: str
    quotes: tuple[str, ...]
    short_answer: str | None
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asks, of which documents, in what conversation.

    `standalone` is what it means by itself, where that is known already; else it is made out from the conversation.
    `risk`, in (0, 1], is the share of answers that may be wrong; None leaves it to the calibration.
    """

    text: str
    conversation: tuple[Turn, ...] = ()
    where: Filter = field(default_factory=Filter)
    max_citations: int = 3
    standalone: str | None = None
    risk: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A passage found for a query: its fused rank, and how near it is (cosine, in [-1, 1]) to the query."""

    hit: Hit
    cosine: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span that may answer, inside one sentence of a passage.

    `score` is the reader's logit for the span less its logit for "no answer here": 0 is even, higher is better.
    """

    passage: Passage
    sentence: Sentence
    span: Span
    score: float

    def __post_init__(self) -> None:
        if not (self.passage.span.covers(self.sentence.span) and self.sentence.span.covers(self.span)):
            raise ValueError(f"{self.span} is not in {self.sentence.span} of the passage at {self.passage.span}")

    @property
    def text(self) -> str:
        return self.passage.slice(self.span)

    @property
    def quote(self) -> str:
        return self.passage.slice(self.sentence.span)


@dataclass(frozen=True, slots=True)
class Context:
    """The sentence that says whom a quote speaks of, from the same revision. It is no part of the quote."""

    quote: str
    span: Span


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that anyone can check. `bytes` counts UTF-8 bytes of the same text that `span` counts characters of.

    `highlight` is the short answer inside the quote; `in_answer` the quote inside the reply's answer. Both are None for
    the nearest passages of a NoAnswer, which answer nothing. `context` is None where the quote stands by itself;
    `dates` explain its phrases ("Tuesday"), their spans counted in the revision.
    """

    number: int
    document: Document
    quote: str
    span: Span
    bytes: Span
    sha256: str
    highlight: Span | None
    in_answer: Span | None
    context: Context | None
    dates: tuple[DatedPhrase, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """What every reply says of its question: the query it was taken for, the generation it was put to, and the
    threshold that its answer had to reach.
    """

    question: str
    standalone: str
    generation: int
    kept: Kept

    @property
    def threshold(self) -> float:
        return self.kept.threshold


@dataclass(frozen=True, slots=True)
class Side:
    """A value that sources give: the numbers of the citations that carry it, and how many stand behind it.

    `documents` counts the documents that give it, `independent` the groups of near-copies among them. The oldest of
    them that has a date was published on `published_from`, the newest on `published_to`, as the sources write it.
    """

    value: str
    citations: tuple[int, ...]
    documents: int
    independent: int
    published_from: str | None = None
    published_to: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Quotes that answer, best first. `confidence` is the probability that the answer is right.

    `sides` are what the sources say, the answer given first; `sources_differ` whether others give another value.
    """

    understood: Understood
    text: str
    short_answer: str | None
    confidence: float
    citations: tuple[Citation, ...]
    sides: tuple[Side, ...] = ()
    sources_differ: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The sources do not say. `nearest` are the closest passages; `confidence` is that of the best guess not made."""

    understood: Understood
    confidence: float
    nearest: tuple[Citation, ...]


Reply = Answer | NoAnswer

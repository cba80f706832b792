"""The values that travel between the parts. Read this file first.

Offsets: every span counts Unicode characters of a revision's canonical text. Bytes are UTF-8 bytes of the same
text and appear only in citations.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch `[start, end)` of a canonical text, in characters."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def of(self, text: str) -> str:
        """Return the slice of `text` that this span names."""
        return text[self.start : self.end]

    def overlap(self, other: Span) -> int:
        """Return how many characters both spans cover."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def covers(self, other: Span) -> bool:
        """Return whether `other` lies inside this span."""
        return self.start <= other.start and other.end <= self.end


class Kind(StrEnum):
    """What a line of a document is for. Only BODY tells the story; the others are kept, and kept apart."""

    BODY = "body"
    HEADING = "heading"
    CAPTION = "caption"
    CREDIT = "credit"
    NAVIGATION = "navigation"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a source says of itself. None means that it does not say.

    `published_at` is an ISO 8601 date or date-time; `language` a BCP 47 tag; `url` the canonical http(s) address.
    """

    title: str | None = None
    author: str | None = None
    publisher: str | None = None
    published_at: str | None = None
    language: str | None = None
    url: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """What a loader made of one file, or of one part of a file: canonical text and the source's own metadata.

    `member` names the part where a file holds several documents: a zip member, a record's id, a feed entry's id.
    `pages` are the characters of `text` at which each page begins, page 1 first; empty where there are no pages.
    """

    text: str
    metadata: Metadata
    member: str = ""
    pages: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if any(start > end for start, end in pairwise((0, *self.pages, len(self.text)))):
            raise ValueError(f"pages do not ascend within a text of {len(self.text)} characters: {self.pages[:10]}")


@dataclass(frozen=True, slots=True)
class Revision:
    """The canonical text of a document at one time, named by the SHA-256 of its UTF-8 bytes."""

    id: str
    text: str

    @classmethod
    def of(cls, text: str) -> Revision:
        return cls(id=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", text=text)


@dataclass(frozen=True, slots=True)
class Document:
    """One source as it stands in a generation. `uri` is its address, else its path in the folder that was synced.

    `pages` are the offsets at which the pages of its text begin, none where its format has no pages. `group` is the
    same for documents that are copies of one another.
    """

    id: str
    uri: str
    revision: str
    title: str
    author: str | None
    publisher: str | None
    published_at: str | None
    language: str | None
    tags: tuple[str, ...]
    characters: int
    passages: int
    added: int
    pages: tuple[int, ...] = ()
    group: str = ""

    @property
    def source(self) -> str:
        """What is the same for a document and all its copies: one witness."""
        return self.group if self.group else self.id

    def page(self, position: int) -> int | None:
        """Return the number, from 1, of the page that the character at `position` stands on; None without pages."""
        return max(1, bisect_right(self.pages, position)) if self.pages else None


@dataclass(frozen=True, slots=True)
class PastRevision:
    """A revision that a document has or had: from generation `added` on, before generation `removed`.

    `removed` is None for what it has now. A moment is None where retention has dropped its generation.
    """

    revision: str
    title: str
    published_at: str | None
    characters: int
    passages: int
    added: int
    added_at: str | None
    removed: int | None
    removed_at: str | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a revision; it never crosses a line break."""

    span: Span
    kind: Kind


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of whole sentences of one revision: the unit that is embedded and retrieved."""

    id: int
    document: Document
    span: Span
    sentences: tuple[Sentence, ...]
    text: str

    def __post_init__(self) -> None:
        if len(self.text) != len(self.span):
            raise ValueError(f"passage {self.id}: text of {len(self.text)} characters for {self.span}")

    @property
    def kind(self) -> Kind:
        """What the passage is for: that of its first sentence below the headings."""
        return next((s.kind for s in self.sentences if s.kind is not Kind.HEADING), Kind.HEADING)

    def slice(self, span: Span) -> str:
        """Return the characters of `span`, which counts in the revision and lies inside the passage."""
        if not self.span.covers(span):
            raise ValueError(f"{span} is not inside passage {self.id} at {self.span}")
        return self.text[span.start - self.span.start : span.end - self.span.start]

    def around(self, sentence: Sentence, characters: int) -> Passage:
        """Return the part of the passage around one of its sentences, the shorter neighbour first, as long as it has at
        most so many characters; the sentence alone may have more.
        """
        first = last = self.sentences.index(sentence)
        while True:
            ways = [(a, b) for a, b in ((first - 1, last), (first, last + 1)) if a >= 0 and b < len(self.sentences)]
            spans = {way: Span(self.sentences[way[0]].span.start, self.sentences[way[1]].span.end) for way in ways}
            ways = [way for way in ways if len(spans[way]) <= characters]
            if not ways:
                break
            # The shorter side first, so that the sentence stays in the middle.
            first, last = min(ways, key=lambda way: len(spans[way]))
        parts = self.sentences[first : last + 1]
        span = Span(parts[0].span.start, parts[-1].span.end)
        return Passage(self.id, self.document, span, parts, self.slice(span))


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. Higher scores are better; ranks count from 1."""

    passage: Passage
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a question may be answered from; None leaves a side open.

    Dates are ISO 8601 dates, both inclusive; a document without a date is outside every range. `tags`: any of them.
    `within`: any of these too; it is what a caller may see, and not what a caller asks for.
    """

    published_from: str | None = None
    published_to: str | None = None
    document_ids: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    language: str | None = None
    within: frozenset[str] | None = None

    def admits(self, document: Document) -> bool:
        """Return whether `document` passes every condition."""
        day = document.published_at[:10] if document.published_at else None
        if self.published_from is not None and (day is None or day < self.published_from[:10]):
            return False
        if self.published_to is not None and (day is None or day > self.published_to[:10]):
            return False
        if self.document_ids is not None and document.id not in self.document_ids:
            return False
        if self.tags is not None and not self.tags & set(document.tags):
            return False
        if self.within is not None and not self.within & set(document.tags):
            return False
        return self.language is None or (document.language or "").split("-")[0] == self.language.split("-")[0]

    @property
    def is_open(self) -> bool:
        """Whether every document passes."""
        return self == Filter()


@dataclass(frozen=True, slots=True)
class Quantiser:
    """What a large library's vectors are split into lists by: `newest` was its newest passage when that was learned.

    `sha256` (in hex) is that of the middles of its lists.
    """

    number: int
    newest: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Generation:
    """The numbered state of the library after one committed change; 0 is the empty library before the first.

    One that is not `active` was kept aside: it can be asked by its number, and rolled back to, but nothing answers from
    it by itself. `purged` counts the documents of it that were purged since: it is not what it was any more.
    """

    number: int
    created_at: str
    documents: int
    passages: int
    summary: Mapping[str, int]
    active: bool = True
    purged: int = 0


@dataclass(frozen=True, slots=True)
class Diff:
    """What one generation has that another has not, each in the order of ids; `changed` as they are in the second."""

    added: tuple[Document, ...]
    removed: tuple[Document, ...]
    changed: tuple[Document, ...]

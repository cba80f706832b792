"""A library as a person looks through it: in an order of their choice, by words of a title."""

from __future__ import annotations

import heapq
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, assert_never

from index.types import Document

By = Literal["id", "title", "published", "added", "passages"]
_Key = tuple[bool, str | int, str]


class Entry(NamedTuple):
    """A live document, as far as an order and words need it. One a document of the library, so they are light."""

    id: str
    title: str
    publisher: str | None
    author: str | None
    uri: str
    published_at: str | None
    added: int
    passages: int
    group: str

    @classmethod
    def of(cls, document: Document) -> Entry:
        return cls(
            document.id, document.title, document.publisher, document.author, document.uri, document.published_at,
            document.added, document.passages, document.group,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What documents are listed by. Those of which it is not known come last either way; ties go by id, likewise."""

    by: By
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of documents: their ids in order, whether more follow, and how many match in all.

    `copies` says of each that has any how many other documents are copies of it, listed or not.
    """

    ids: tuple[str, ...]
    more: bool
    total: int
    copies: dict[str, int]


def listed(entries: Iterable[Entry], words: str, order: Order, *, after: Entry | None, limit: int) -> Listing:
    """Return the first `limit` of the entries that hold all `words`, from the first behind `after`.

    Words are looked for in title, publisher, author and address, anywhere in a word, whatever case and accents. Takes
    time linear in the entries, and holds `limit` of them and a count for each group.
    """
    wanted = folded(words).split()
    begin = None if after is None else _key(after, order)
    groups: Counter[str] = Counter()
    total = 0

    def behind() -> Iterable[tuple[_Key, Entry]]:
        nonlocal total
        for entry in entries:
            groups[entry.group] += 1
            if not _holds(entry, wanted):
                continue
            total += 1
            key = _key(entry, order)
            if begin is None or (key < begin if order.descending else key > begin):
                yield key, entry

    pick = heapq.nlargest if order.descending else heapq.nsmallest
    found = [entry for _, entry in pick(limit + 1, behind(), key=lambda pair: pair[0])]
    page = found[:limit]
    copies = {entry.id: groups[entry.group] - 1 for entry in page if groups[entry.group] > 1}
    return Listing(tuple(entry.id for entry in page), len(found) > limit, total, copies)


def folded(text: str) -> str:
    """Return `text` without what a reader does not type: case, accents, kinds of space and of letter forms."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return " ".join(text.lower().split())


def _holds(entry: Entry, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    known = (part for part in (entry.title, entry.publisher, entry.author, entry.uri) if part is not None)
    text = folded("\n".join(known))
    return all(word in text for word in wanted)


def _key(entry: Entry, order: Order) -> _Key:
    """Return what an entry is sorted by; the first part keeps what is not known at the end of either direction."""
    value = _value(entry, order.by)
    known = value is not None
    return (known if order.descending else not known), "" if value is None else value, entry.id


def _value(entry: Entry, by: By) -> str | int | None:
    match by:
        case "id":
            return entry.id
        case "title":
            # “The Ferry” stands with the ferries, not with the quotation marks.
            plain = folded(entry.title)
            first = next((place for place, c in enumerate(plain) if c.isalnum()), None)
            return None if first is None else plain[first:]
        case "published":
            return entry.published_at
        case "added":
            return entry.added
        case "passages":
            return entry.passages
        case _:
            assert_never(by)

"""The library as somebody sees it who may see only the documents that carry certain tags.

Everything that is asked of a library for such a caller goes through the classes here, which leave the other documents
out before anything is made of them: nothing above has to think of it, and nothing that is not here can be asked for.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.catalogue import Entry
from index.embed import Embedder
from index.errors import GenerationPurged, UnknownDocument
from index.library import Library, no_document, no_revision
from index.seen import View
from index.store import PassageStore, TextStore
from index.types import Diff, Document, Filter, Generation, Hit, Passage, PastRevision, Revision

_EVERY_REVISION = 2**31


class AskedStore(PassageStore, Protocol):
    """A generation that questions are put to, and what made its vectors."""

    @property
    def embedder(self) -> Embedder: ...


class Catalogue(Protocol):
    """What is told of a library, as `Library` tells it."""

    def generation(self) -> Generation: ...
    def generations(self, limit: int = 100) -> list[Generation]: ...
    def generation_numbered(self, number: int) -> Generation: ...
    def generation_at(self, moment: str) -> Generation: ...
    def diff(self, before: int, after: int) -> Diff: ...
    def entries(self, generation: int) -> Iterator[Entry]: ...
    def documents_named(self, generation: int, ids: Sequence[str]) -> list[Document]: ...
    def revisions(self, generation: int, document_id: str, *, limit: int) -> list[PastRevision]: ...
    def document(self, generation: int, document_id: str) -> Document: ...


class Stores(Protocol):
    """The generations that questions can be put to."""

    @property
    def library(self) -> Catalogue: ...
    def current(self) -> AskedStore: ...
    def at(self, number: int) -> AskedStore: ...
    def holds(self, store: TextStore) -> bool: ...
    def refresh(self) -> bool: ...


class OpenStores(Stores, Protocol):
    """The generations of all documents, as `LocalStore` and `QdrantStore` have them."""

    @property
    def library(self) -> Library: ...
    def look(self) -> None: ...
    def glance(self) -> bool: ...
    def close(self) -> None: ...


class ScopedLibrary:
    """Catalogue of the documents that carry one of some tags."""

    def __init__(self, library: Library, tags: frozenset[str]) -> None:
        self._library = library
        self._tags = tags
        self._lock = threading.Lock()
        self._view: View | None = None

    def view(self) -> View:
        """Return what is seen now."""
        now = self._library.generation().number
        with self._lock:
            if self._view is None or self._view.now != now:
                self._view = View(self._library, self._tags, now)
            return self._view

    def shows(self, documents: Iterable[str]) -> bool:
        """Return whether all these documents are seen, as they are now or were when they were deleted."""
        return self.view().open.issuperset(documents)

    def generation(self) -> Generation:
        return self.view().told(self._library.generation())

    def generations(self, limit: int = 100) -> list[Generation]:
        view = self.view()
        return [view.told(generation) for generation in self._library.generations(limit)]

    def generation_numbered(self, number: int) -> Generation:
        with uncounted(number):
            return self.view().told(self._library.generation_numbered(number))

    def generation_at(self, moment: str) -> Generation:
        with uncounted(moment):
            return self.view().told(self._library.generation_at(moment))

    def diff(self, before: int, after: int) -> Diff:
        view = self.view()
        old, new = view.seen(before).ids, view.seen(after).ids
        with uncounted(before):
            found = self._library.diff(before, after)
        come, gone = found.added + found.changed, {one.id for one in found.removed + found.changed}
        left = sorted(gone & old - new)
        return Diff(
            added=tuple(sorted((one for one in come if one.id in new - old), key=_id)),
            removed=tuple(self._library.documents_named(before, left)),
            changed=tuple(one for one in found.changed if one.id in new & old),
        )

    def entries(self, generation: int) -> Iterator[Entry]:
        ids = self.view().seen(generation).ids
        return (entry for entry in self._library.entries(generation) if entry.id in ids)

    def documents_named(self, generation: int, ids: Sequence[str]) -> list[Document]:
        seen = self.view().seen(generation).ids
        return self._library.documents_named(generation, [one for one in ids if one in seen])

    def revisions(self, generation: int, document_id: str, *, limit: int) -> list[PastRevision]:
        view = self.view()
        if document_id not in view.open:
            raise no_document(document_id)
        every = self._library.revisions(generation, document_id, limit=_EVERY_REVISION)
        found = [past for past in every if view.shows(past)]
        if not found:
            raise no_document(document_id)
        return found[:limit]

    def document(self, generation: int, document_id: str) -> Document:
        if document_id not in self.view().seen(generation).ids:
            raise no_document(document_id, generation)
        return self._library.document(generation, document_id)


class ScopedStore:
    """AskedStore of the documents that carry one of some tags: what is seen is settled when it is made."""

    def __init__(self, store: AskedStore, library: Library, view: View) -> None:
        self._store = store
        self._library = library
        self._view = view
        self._seen = view.seen(store.generation.number)
        self._generation = view.told(store.generation)

    @property
    def generation(self) -> Generation:
        return self._generation

    @property
    def embedder(self) -> Embedder:
        return self._store.embedder

    def document(self, document_id: str) -> Document:
        if document_id not in self._seen.ids:
            raise no_document(document_id, self._generation.number)
        return self._store.document(document_id)

    def documents(self, *, after: str = "", limit: int = 100) -> list[Document]:
        start = bisect_right(self._seen.order, after)
        return self._library.documents_named(self._generation.number, self._seen.order[start : start + limit])

    def revision(self, document_id: str, revision_id: str) -> Revision:
        if not any(past.revision == revision_id and self._view.shows(past) for past in self._past(document_id)):
            raise no_revision(document_id, revision_id)
        return self._store.revision(document_id, revision_id)

    def _past(self, document_id: str) -> list[PastRevision]:
        if document_id not in self._view.open:
            return []
        try:
            return self._library.revisions(self._generation.number, document_id, limit=_EVERY_REVISION)
        except UnknownDocument:
            return []

    def was_purged(self, document_id: str, revision_id: str) -> bool:
        # Nothing is kept of a purged document that would tell who may know of it.
        return False

    def embed(self, query: str) -> NDArray[np.float32]:
        return self._store.embed(query)

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        within = self._within(where)
        return self._store.by_vector(query, limit, within) if within.document_ids else []

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        within = self._within(where)
        return self._store.by_words(query, limit, within) if within.document_ids else []

    def cosines(self, query: NDArray[np.float32], passages: Sequence[Passage]) -> list[float]:
        return self._store.cosines(query, passages)

    def shares(self, query: str, passages: Sequence[Passage]) -> list[float]:
        return self._store.shares(query, passages)

    def _within(self, where: Filter) -> Filter:
        ids = self._seen.ids
        ids = ids if where.document_ids is None else ids & where.document_ids
        # Each of them carries one of the tags. That tells nothing more, and is shorter to say.
        return replace(where, document_ids=ids, within=self._view.tags)


class ScopedStores:
    """Stores of the documents that carry one of some tags, over those of all documents."""

    def __init__(self, stores: OpenStores, tags: frozenset[str]) -> None:
        self._stores = stores
        self.library = ScopedLibrary(stores.library, tags)

    def current(self) -> ScopedStore:
        return self._scoped(self._stores.current())

    def at(self, number: int) -> ScopedStore:
        with uncounted(number):
            return self._scoped(self._stores.at(number))

    def holds(self, store: TextStore) -> bool:
        return self._stores.holds(store)

    def refresh(self) -> bool:
        return self._stores.refresh()

    def _scoped(self, store: AskedStore) -> ScopedStore:
        return ScopedStore(store, self._stores.library, self.library.view())


@contextmanager
def uncounted(generation: int | str) -> Iterator[None]:
    """Say of what was purged that it was, and not how many documents: some may have been none of the caller's."""
    try:
        yield
    except GenerationPurged as error:
        raise GenerationPurged(
            f"generation {generation} is not what it was: of its documents some were purged"
        ) from error


def _id(document: Document) -> str:
    return document.id

"""Which documents of a library the holder of some tags sees, in each of its generations.

A version of a document is seen if it carries one of the tags, and if its document does as it is now, or was when it
was deleted: what gets other tags is gone from the past as well, and what is opened today was closed before.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.library import Library
from index.types import Generation, PastRevision

# Generations of which it is held what somebody sees.
_HELD = 8
# What a summary says that counts no documents.
_PLAIN = frozenset({"rolled_back_to", "kept_aside"})


@dataclass(frozen=True, slots=True)
class Seen:
    """The documents that are seen in a generation: their ids in order, and the same to look up."""

    order: tuple[str, ...]
    ids: frozenset[str]


class View:
    """What the holder of some tags sees of a library as it is at one time. It never changes."""

    def __init__(self, library: Library, tags: frozenset[str], now: int) -> None:
        self.now = now
        self.tags = tags
        known: dict[str, bool] = {}
        last: dict[str, bool] = {}
        lives = []
        for document, added, removed, passages, said in library.lives(now):
            if said not in known:
                known[said] = not tags.isdisjoint(json.loads(said))
            last[document] = known[said]
            if known[said]:
                lives.append((document, added, removed, passages))
        self.open = frozenset(document for document, is_open in last.items() if is_open)
        lives = [life for life in lives if life[0] in self.open]
        self._documents = [document for document, *_ in lives]
        self._added, self._removed, self._passages = (
            np.array([life[place] for life in lives], dtype=np.int64) for place in (1, 2, 3)
        )
        self._held: OrderedDict[int, Seen] = OrderedDict()
        self._lock = threading.Lock()

    def seen(self, generation: int) -> Seen:
        """Return what is seen of a generation."""
        with self._lock:
            found = self._held.pop(generation, None)
            if found is None:
                order = tuple(sorted(self._named(self._live(generation))))
                found = Seen(order, frozenset(order))
            self._held[generation] = found
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
            return found

    def told(self, generation: Generation) -> Generation:
        """Return what is told of a generation: its counts are of what is seen of it."""
        live = self._live(generation.number)
        begun = frozenset(self._named(self._added == generation.number))
        over = frozenset(self._named(self._removed == generation.number))
        counts = {"added": len(begun - over), "changed": len(begun & over), "removed": len(over - begun)}
        plain = {name: value for name, value in generation.summary.items() if name in _PLAIN}
        return replace(
            generation, documents=int(live.sum()), passages=int(self._passages[live].sum()),
            summary={**counts, **plain}, purged=min(generation.purged, 1),
        )  # fmt: skip

    def shows(self, past: PastRevision) -> bool:
        """Return whether a revision, of a document that is open, is seen."""
        return not self.tags.isdisjoint(past.tags)

    def _live(self, generation: int) -> NDArray[np.bool_]:
        live: NDArray[np.bool_] = (self._added <= generation) & (self._removed > generation)
        return live

    def _named(self, which: NDArray[np.bool_]) -> Iterable[str]:
        return (self._documents[place] for place in np.flatnonzero(which))

"""Tells of the generations that a running server takes up, by whichever process they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from api.webhook import Event
from index.scope import OpenStores
from index.types import Generation

# A server that was suspended for a month does not tell all of it.
_MOST = 100


class GenerationWatch:
    """Gives `tell` an event for each generation that comes after those known when this was made.

    Those kept aside, and the one after each that only undoes it, are left out: nothing answers otherwise than before.
    """

    def __init__(
        self, store: OpenStores, tell: Callable[[Event], None], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._tell = tell
        self._now = now
        self._seen = store.current().generation.number

    def look(self) -> None:
        """Tell of the generations since the last look, the oldest first, that the library still knows."""
        newest = self._store.current().generation.number
        if newest <= self._seen:
            return
        library = self._store.library
        for generation in reversed(library.generations(min(newest - self._seen, _MOST))):
            answers = generation.active and "kept_aside" not in generation.summary
            if answers and self._seen < generation.number <= newest:
                self._tell(generation_created(generation, library.meta["history"], self._now()))
        self._seen = newest


def generation_created(generation: Generation, history: str, now: datetime) -> Event:
    """Return the event that says of a generation of the library with that history what `/v1/generations` does.

    Its id is the same in all servers of one library: whoever runs two gets it twice, and can tell.
    """
    digest = hashlib.sha256(f"{history}:{generation.number}:{generation.created_at}".encode()).hexdigest()
    data = {
        "generation": generation.number,
        "created_at": generation.created_at,
        "documents": generation.documents,
        "passages": generation.passages,
        "changes": dict(generation.summary),
    }
    timestamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(f"gen_{digest[:32]}", "generation.created", timestamp, data)

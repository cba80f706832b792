"""The conversations of a running server: in memory, bounded, and forgotten after a while or by a restart."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from index.errors import UnknownConversation
from qa.types import Turn

_LIFETIME_SECONDS = 24 * 3600.0
_MOST = 1_000
_TURNS = 50


class Conversations:
    """Turns by conversation id. Past the limits, the one unused for longest and the oldest turns go first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, tuple[Turn, ...]]] = OrderedDict()
        self._purged: list[frozenset[str]] = []
        self._lock = threading.Lock()

    def turns(self, conversation_id: str | None) -> tuple[Turn, ...]:
        """Return the turns so far, none for a conversation that is yet to start (None).

        :raises UnknownConversation: if the id was never given out, or the conversation is forgotten.
        """
        if conversation_id is None:
            return ()
        with self._lock:
            used, turns = self._held.get(conversation_id, (0.0, None))
            if turns is None or self._clock() - used > _LIFETIME_SECONDS:
                raise UnknownConversation(
                    "no such conversation: it has expired, or the server was restarted; leave conversation_id out"
                )
            return turns

    def mark(self) -> int:
        """Return a mark to take before a question is answered and to give to `add` with its turn."""
        with self._lock:
            return len(self._purged)

    def forget(self, document_ids: Collection[str]) -> None:
        """Forget the conversations that quote one of these documents, and those being answered that will."""
        with self._lock:
            gone = frozenset(document_ids)
            self._purged.append(gone)
            for name in [name for name, (_, turns) in self._held.items() if _quotes(turns, gone)]:
                del self._held[name]

    def add(self, conversation_id: str | None, turn: Turn, mark: int | None = None) -> str:
        """Append a turn, to a new conversation for None; return the conversation's id.

        A turn that quotes what was purged since `mark` is not kept, and its conversation is over.
        """
        with self._lock:
            if mark is not None and any(_quotes((turn,), gone) for gone in self._purged[mark:]):
                name = secrets.token_urlsafe(16) if conversation_id is None else conversation_id
                self._held.pop(name, None)
                return name
            name = secrets.token_urlsafe(16) if conversation_id is None else conversation_id
            now = self._clock()
            _, turns = self._held.pop(name, (0.0, ()))
            self._held[name] = (now, (*turns, turn)[-_TURNS:])
            while len(self._held) > _MOST or now - next(iter(self._held.values()))[0] > _LIFETIME_SECONDS:
                self._held.popitem(last=False)
            return name


def _quotes(turns: Collection[Turn], document_ids: frozenset[str]) -> bool:
    return any(not document_ids.isdisjoint(turn.documents) for turn in turns)

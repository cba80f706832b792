"""The conversations of a running server: in memory, bounded, and forgotten after a while or by a restart."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

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

    def add(self, conversation_id: str | None, turn: Turn) -> str:
        """Append a turn, to a new conversation for None; return the conversation's id."""
        with self._lock:
            name = secrets.token_urlsafe(16) if conversation_id is None else conversation_id
            now = self._clock()
            _, turns = self._held.pop(name, (0.0, ()))
            self._held[name] = (now, (*turns, turn)[-_TURNS:])
            while len(self._held) > _MOST or now - next(iter(self._held.values()))[0] > _LIFETIME_SECONDS:
                self._held.popitem(last=False)
            return name

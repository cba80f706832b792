"""A connection for each thread that reads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakSet

from index.database import Database


class Connections:
    """Connections that `opened` brings, one for each thread that asks; for any thread."""

    def __init__(self, opened: Callable[[], Database]) -> None:
        self._open = opened
        self._local = threading.local()
        self._all: WeakSet[_OfThread] = WeakSet()
        self._guard = threading.Lock()

    def of_thread(self) -> Database:
        """Return the connection of this thread: a new one if the last is worn."""
        held: _OfThread | None = getattr(self._local, "held", None)
        if held is None:
            held = self._local.held = _OfThread(self._open())
            with self._guard:
                self._all.add(held)
        elif held.connection.is_worn:
            fresh = self._open()
            with self._guard:
                # Rows may still be coming from the worn one: it closes when nothing holds it any more.
                held.connection = fresh
        return held.connection

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for held in self._all:
                held.connection.close()
            self._all.clear()
            self._local = threading.local()


class _OfThread:
    """A connection that is closed when its thread ends: a server's threads come and go."""

    def __init__(self, connection: Database) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()

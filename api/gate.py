"""How many questions are worked on at once, and how many may wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Overloaded(Exception):
    """Too many questions are waiting; this one was not taken."""


class Gate:
    """Lets `at_once` callers through together and `waiting` more queue; refuses the rest at once."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.places = at_once + waiting
        self._turns = threading.Semaphore(at_once)
        self._free = threading.Semaphore(self.places)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn.

        :raises Overloaded: if no place is left in the queue.
        """
        if not self._free.acquire(blocking=False):
            raise Overloaded
        try:
            with self._turns:
                yield
        finally:
            self._free.release()

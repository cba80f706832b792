"""How many questions are worked on at once, and how many may wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# How often one that waits looks whether it is still wanted.
_LOOK_SECONDS = 0.1


class Overloaded(Exception):
    """Too many questions are waiting; this one was not taken."""


class Abandoned(Exception):
    """Nobody waits for the reply any more; the work on it was stopped."""


def always() -> bool:
    """Return True: whoever asked waits to the end."""
    return True


class Gate:
    """Lets `at_once` callers through together and `waiting` more queue; refuses the rest at once."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.places = at_once + waiting
        self._turns = threading.Semaphore(at_once)
        self._free = threading.Semaphore(self.places)

    @contextmanager
    def turn(self, wanted: Callable[[], bool] = always) -> Iterator[None]:
        """Hold a turn. While it waits for one, it asks now and then whether it is still `wanted`.

        :raises Overloaded: if no place is left in the queue.
        :raises Abandoned: if it is not wanted any more when, or before, its turn comes.
        """
        if not self._free.acquire(blocking=False):
            raise Overloaded
        try:
            while not self._turns.acquire(timeout=_LOOK_SECONDS):
                if not wanted():
                    raise Abandoned
            try:
                if not wanted():
                    raise Abandoned
                yield
            finally:
                self._turns.release()
        finally:
            self._free.release()

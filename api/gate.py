"""How many questions are worked on at once, and how many may wait: first come, first served."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# How often one that waits looks whether it is still wanted.
_LOOK_SECONDS = 0.1
# What a turn is taken to last before one has ended, and how much of what is known gives way to each that ends.
_FIRST_GUESS_SECONDS = 0.5
_WEIGHT_OF_THE_LAST = 0.1
_LONGEST_ADVICE_SECONDS = 60


class Overloaded(Exception):
    """Too many questions are waiting; this one was not taken. In `seconds` (whole, from 1) half of them are done."""

    def __init__(self, seconds: int = 1) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Stopping(Exception):
    """The server stops, and what was asked of it did not come to its end in time."""


class Abandoned(Exception):
    """Nobody waits for the reply any more; the work on it was stopped."""


def always() -> bool:
    """Return True: whoever asked waits to the end."""
    return True


class Gate:
    """Lets `at_once` callers through together and `waiting` more queue; refuses the rest at once.

    Whoever waits longest is next, and a turn that ends goes straight to him: nobody who comes later slips in between.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self.places = at_once + waiting
        self._at_once = at_once
        self._held = 0
        self._line: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._seconds = _FIRST_GUESS_SECONDS

    @property
    def working(self) -> int:
        """How many hold a turn."""
        return self._held

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._line)

    @contextmanager
    def turn(self, wanted: Callable[[], bool] = always) -> Iterator[None]:
        """Hold a turn. While it waits for one, it asks now and then whether it is still `wanted`.

        :raises Overloaded: if no place is left in the queue.
        :raises Abandoned: if it is not wanted any more when, or before, its turn comes.
        """
        called = self._line_up()
        # Whoever waits to the end need not wake up to be asked.
        look = None if wanted is always else _LOOK_SECONDS
        try:
            while not called.wait(look):
                if not wanted():
                    raise Abandoned
            if not wanted():
                raise Abandoned
        except BaseException:
            self._step_out(called)
            raise
        began = time.monotonic()
        try:
            yield
        finally:
            self._pass_on(time.monotonic() - began)

    def _line_up(self) -> threading.Event:
        """Return what is set once it is the caller's turn, which may be at once."""
        called = threading.Event()
        with self._lock:
            if self._held < self._at_once:
                self._held += 1
                called.set()
            elif self._held + len(self._line) < self.places:
                self._line.append(called)
            else:
                raise Overloaded(self._advice())
        return called

    def _step_out(self, called: threading.Event) -> None:
        """Leave the line, or give away the turn that came at the very moment."""
        with self._lock:
            if called.is_set():
                self._next()
            else:
                self._line.remove(called)

    def _pass_on(self, seconds: float) -> None:
        with self._lock:
            self._seconds += _WEIGHT_OF_THE_LAST * (seconds - self._seconds)
            self._next()

    def _next(self) -> None:
        """Give a turn that has ended to whoever waits longest. The lock is held."""
        if self._line:
            self._line.popleft().set()
        else:
            self._held -= 1

    def _advice(self) -> int:
        half = self._seconds * self.places / self._at_once / 2
        return max(1, min(_LONGEST_ADVICE_SECONDS, math.ceil(half)))

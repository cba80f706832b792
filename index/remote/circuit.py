"""Sparing an engine that does not answer: after a few failures nothing is asked of it for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import ceil

# Failures in a row, each after its own retries, that open the circuit.
_FAILURES = 3
# How long nothing is asked after the first opening; each opening after that doubles it, up to the most.
_SECONDS = 2.0
_MOST_SECONDS = 30.0


class Circuit:
    """Closed while calls succeed. Opened by failures in a row, it lets one call through when its time is over: if that
    succeeds it is closed, else it opens for longer. For any number of threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._seconds = _SECONDS
        self._until: float | None = None
        self._trying = False

    @property
    def is_closed(self) -> bool:
        """Whether calls go through as ever."""
        return self._until is None

    def enter(self) -> int | None:
        """Return None if a call may be made, which then has to end in `succeeded` or `failed`; else after how many
        seconds to try again.
        """
        with self._lock:
            if self._until is None:
                return None
            left = self._until - self._clock()
            if left > 0 or self._trying:
                return max(1, ceil(left))
            self._trying = True
            return None

    def succeeded(self) -> None:
        """Close it."""
        with self._lock:
            self._failures, self._seconds, self._until, self._trying = 0, _SECONDS, None, False

    def failed(self) -> int:
        """Count a failure; return after how many seconds to try again."""
        with self._lock:
            self._failures += 1
            if self._until is not None and self._trying:
                self._seconds = min(_MOST_SECONDS, 2 * self._seconds)
            if self._trying or (self._until is None and self._failures >= _FAILURES):
                self._until = self._clock() + self._seconds
            self._trying = False
            return ceil(self._seconds)

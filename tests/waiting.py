"""Waiting for what another thread, process or server does, for the tests."""

import time
from collections.abc import Callable

SECONDS = 60.0


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, and fail if it does not within a minute."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)

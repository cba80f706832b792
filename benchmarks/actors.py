"""Threads that work until they are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Self


class Actors:
    """A context manager: started when it is entered, told to stop and waited for when it is left.

    Each of `works` is a thread's whole work, and looks at `stop`.
    """

    def __init__(self, works: Iterable[Callable[[], None]]) -> None:
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

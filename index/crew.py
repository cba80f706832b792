"""Threads that compute side by side, one a core, for whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

from index.priority import cores

Item = TypeVar("Item")
Result = TypeVar("Result")
Other = TypeVar("Other")


class Crew:
    """One thread for each core, or as many as given; `begin` is called in each before its first work."""

    def __init__(self, name: str, begin: Callable[[], None], threads: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(cores() if threads is None else threads, name, initializer=begin)

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield what `work` makes of each of `items`, in their order.

        At the end of the process, when no thread takes up work any more, it is done by the thread that asks: what is
        under way still comes to its end.
        """
        try:
            return self._pool.map(work, items)
        except RuntimeError:
            return map(work, items)

    def both(self, one: Callable[[], Result], other: Callable[[], Other]) -> tuple[Result, Other]:
        """Return what `one` brings, done by the thread that asks, and `other`, done beside it.

        If no thread has taken up `other` when `one` is done, the one that asks does it too: nobody waits for a turn.
        Nothing of either goes on after this, and errors are those of doing one after the other.
        """
        try:
            # What is logged beside belongs to the same request.
            begun = self._pool.submit(copy_context().run, other)
        except RuntimeError:
            return one(), other()
        try:
            first = one()
        except BaseException:
            if not begun.cancel():
                wait([begun])
            raise
        return first, other() if begun.cancel() else begun.result()

    def end(self) -> None:
        """Take up no more work."""
        self._pool.shutdown()

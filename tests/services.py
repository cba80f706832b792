"""Services for the tests of what is around them: one that fails, and one that waits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from index.store import PassageStore
from qa.service import Asked, Watch
from qa.types import Question, Retrieved

SECONDS = 60.0
"""How long anything may take before a test fails."""


class Failing:
    """A service that fails, saying what must stay inside."""

    reader = "failing:1"
    configuration = "0" * 16

    def __init__(self, error: Exception) -> None:
        self._error = error

    def ask(self, question: Question, store: PassageStore, watch: Watch) -> Asked:
        raise self._error


class Slow:
    """A service that waits, once it has found something, until it may go on; it notes how the question ended."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self.found = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def ask(self, question: Question, store: PassageStore, watch: Watch) -> Asked:
        slow = self

        class Waiting(Watch):
            def found(self, query: str, retrieved: Sequence[Retrieved]) -> None:
                watch.found(query, retrieved)
                slow.found.set()
                assert slow.go_on.wait(SECONDS)

            def reading(self) -> None:
                watch.reading()

        try:
            done: Asked = self._service.ask(question, store, Waiting())
        except BaseException as error:
            self.error = error
            raise
        else:
            return done
        finally:
            self.ended.set()

"""Services for the tests of what is around them: one that fails, one that waits, and one that reads by words."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from index.store import PassageStore
from index.types import Passage
from qa.calibrate import Calibration
from qa.read import best_first
from qa.service import AnswerService, Asked, Watch
from qa.types import Candidate, Question, Retrieved
from tests.world import by_feature, kept

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


class WordReader:
    """Scores every sentence by the words it shares with the query."""

    def __init__(self, name: str = "words:1") -> None:
        self.fingerprint = name

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        words = set(query.lower().strip("?").split())
        return best_first(
            [
                Candidate(p, s, s.span, float(len(words & set(p.slice(s.span).lower().strip(".").split()))))
                for p in passages
                for s in p.sentences
            ]
        )


CALIBRATION = Calibration(
    "words",
    weights=by_feature(score=2.0, cosine=1.0, rank=1.0, passage_coverage=1.0),
    sureness=by_feature(score=1.0, cosine=0.7, rank=0.3),
    lead=0.1,
    offset=-3.0,
    standard=kept(0.5),
    curve=(kept(0.5), kept(1.0)),
)
SERVICE = AnswerService(WordReader(), CALIBRATION)

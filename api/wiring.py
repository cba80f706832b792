"""The only place that picks implementations."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import Protocol

from api.conversations import Conversations
from api.gate import Gate
from api.settings import Settings
from index.embed import Embedder, SentenceTransformerEmbedder
from index.library import Library
from index.store import LocalStore, TextStore
from qa import calibrate
from qa.read import SpanReader
from qa.service import AnswerService

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything a running service holds. `close` it when done."""

    settings: Settings
    store: LocalStore
    service: AnswerService
    gate: Gate
    conversations: Conversations = field(default_factory=Conversations)

    def close(self) -> None:
        self.store.close()


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings name."""
    return SentenceTransformerEmbedder(settings.embedder)


def open_service(embedder: Embedder) -> AnswerService:
    """Return the path of a question with the reader and the calibration that ship with Citespan.

    :raises ModelError: if one is missing or damaged, or the two do not belong together.
    """
    reader = SpanReader()
    return AnswerService(embedder, reader, calibrate.load(reader.fingerprint))


def open_runtime(settings: Settings, embedder: Embedder | None = None) -> Runtime:
    """Return a service over the library that the settings name.

    :raises LibraryNotFound: if there is none.
    :raises ModelError: if a model is missing or damaged; there is no lesser one to fall back to.
    """
    # Said before the models are loaded, which takes a while.
    Library(settings.library).close()
    embedder = open_embedder(settings) if embedder is None else embedder
    service = open_service(embedder)
    store = LocalStore(settings.library, embedder)
    return Runtime(settings, store, service, Gate(settings.asks_at_once, settings.asks_waiting))


class Refreshable(Protocol):
    """What a Refresher keeps fresh."""

    def refresh(self) -> bool:
        """Take up a newer generation; return whether there was one."""

    def current(self) -> TextStore:
        """Return the newest generation that was taken up."""


class Refresher:
    """A thread that takes up the generations other processes commit, as a context manager."""

    def __init__(self, store: Refreshable, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    def __enter__(self) -> Refresher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                if self._store.refresh():
                    _log.info("now answering from generation %d", self._store.current().generation.number)
            except Exception as error:
                # Whatever it was, the generation at hand still answers, and the next round tries again.
                _log.warning("could not take up the newest generation: %s", error)

"""The only place that picks implementations."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from api.conversations import Conversations
from api.gate import Gate
from api.settings import Settings
from index.embed import Embedder, SentenceTransformerEmbedder
from index.errors import CitespanError
from index.store import LocalStore
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


def open_runtime(settings: Settings, embedder: Embedder | None = None) -> Runtime:
    """Return a service over the library that the settings name.

    :raises LibraryNotFound: if there is none.
    :raises ModelError: if a model is missing or damaged; there is no lesser one to fall back to.
    """
    embedder = open_embedder(settings) if embedder is None else embedder
    reader = SpanReader()
    service = AnswerService(embedder, reader, calibrate.load(reader.fingerprint))
    store = LocalStore(settings.library, embedder)
    return Runtime(settings, store, service, Gate(settings.asks_at_once, settings.asks_waiting))


class Refresher:
    """A thread that takes up the generations other processes commit, as a context manager."""

    def __init__(self, store: LocalStore, seconds: float) -> None:
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
            except CitespanError as error:
                # The generation at hand still answers; the next round tries again.
                _log.warning("could not take up the newest generation: %s", error)

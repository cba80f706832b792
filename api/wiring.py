"""The only place that picks implementations."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from api.announce import GenerationWatch
from api.conversations import Conversations
from api.gate import Gate
from api.jobs import Jobs, Limits
from api.metrics import Metrics
from api.settings import Settings
from api.worker import Worker
from index.embed import DEFAULT, Embedder, SentenceTransformerEmbedder
from index.errors import LibraryNotFound, ModelUnfit
from index.library import Library
from index.report import SyncPolicy, SyncProgress, SyncReport
from index.scope import OpenStores
from index.store import LocalStore, TextStore
from index.sync import Upload, ingest
from qa import calibrate
from qa.read import Reader, shipped, together
from qa.service import AnswerService

if TYPE_CHECKING:
    from index.remote.engine import Engine
    from index.remote.forward import Forwarded
    from qa.evaluation.labelled import Labelled
    from qa.recalibrate import Recalibrated

Progress = Callable[[int, int], None]
_log = logging.getLogger(__name__)


def _untold(done: int, total: int) -> None:
    """Tell nobody how far something is."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything a running service holds. `close` it when done."""

    settings: Settings
    store: OpenStores
    service: AnswerService
    gate: Gate
    conversations: Conversations
    jobs: Jobs
    metrics: Metrics = field(default_factory=Metrics)

    def close(self) -> None:
        self.jobs.close()
        self.conversations.close()
        self.store.close()


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings name, else the one that the library is kept with, else the default."""
    name = settings.embedder
    if name is None:
        try:
            library = Library(settings.library)
        except LibraryNotFound:
            name = DEFAULT
        else:
            name = library.meta["embedder"].rpartition(":")[0]
            library.close()
    return load_embedder(name)


def load_embedder(name: str = DEFAULT) -> Embedder:
    """Return the embedder of that name: the default one on ONNX Runtime where that works, all others on torch.

    Both ways have the same vectors, but for the last digits.

    :raises ModelError: if the model is missing or damaged.
    """
    if name == DEFAULT:
        from index.embed_onnx import OnnxEmbedder

        try:
            return OnnxEmbedder()
        except ModelUnfit as error:
            _log.warning("%s; it runs on torch instead: the same answers, slower and in more memory", error)
    return SentenceTransformerEmbedder(name)


def open_readers(settings: Settings) -> tuple[Reader, Reader | None]:
    """Return the reader that the settings name, which has no second one, else the two that ship with Citespan.

    :raises ModelError: if one is missing or damaged; there is no lesser one to fall back to.
    """
    if settings.reader is None:
        return shipped()
    from qa.transformer_reader import TransformerReader

    return TransformerReader(settings.reader), None


def open_service(settings: Settings) -> AnswerService:
    """Return the path of a question with the readers that the settings name, and their calibration: the library's own
    one if there is one.

    :raises ModelError: if one is missing or damaged, or the two do not belong together.
    """
    reader, second = open_readers(settings)
    table = calibrate.load(together(reader, second), settings.library)
    return AnswerService(reader, table, second=second)


def calibrated(settings: Settings, questions: Sequence[Labelled], date: str) -> Recalibrated:
    """Return the calibration that labelled questions make for the library of the settings.

    :raises QuestionError: if the questions are too few.
    """
    from qa.recalibrate import recalibrate

    reader, second = open_readers(settings)
    table = replace(calibrate.shipped(), reader=together(reader, second))
    service = AnswerService(reader, table, second=second)
    store = open_store(settings, open_embedder(settings))
    try:
        return recalibrate(questions, service, store.current(), date=date)
    finally:
        store.close()


def open_store(settings: Settings, embedder: Embedder, progress: Progress = _untold) -> OpenStores:
    """Return the library of the settings with what its passages are searched in: its folder, or an engine.

    An engine that is behind is brought forward; `progress` is told how far that is.
    """
    if settings.store is None:
        return LocalStore(settings.library, embedder, load_embedder)
    from index.remote.store import QdrantStore

    return QdrantStore(settings.library, embedder, open_engine(settings), load_embedder, progress=progress)


def open_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name, which must name one."""
    from index.remote.address import Address
    from index.remote.engine import Engine

    assert settings.store is not None
    key = None if settings.store_key is None else settings.store_key.get_secret_value()
    return Engine.connect(Address.parse(settings.store), key)


def bring_forward(settings: Settings, progress: Progress = _untold) -> Forwarded | None:
    """Bring the engine that the settings name in step with the library, and return what was done; None without one.

    :raises StoreError: if it does not answer, or refuses.
    """
    if settings.store is None:
        return None
    from index.remote.forward import bring_forward as run

    engine, library = open_engine(settings), Library(settings.library)
    try:
        return run(library, engine, progress=progress, lock_timeout=60.0) if library.generation().number else None
    finally:
        library.close()
        engine.close()


def open_runtime(settings: Settings, embedder: Embedder | None = None, progress: Progress = _untold) -> Runtime:
    """Return a service over the library that the settings name.

    :raises LibraryNotFound: if there is none.
    :raises ModelError: if a model is missing or damaged; there is no lesser one to fall back to.
    """
    # Said before the models are loaded, which takes a while.
    Library(settings.library).close()
    embedder = open_embedder(settings) if embedder is None else embedder
    service = open_service(settings)
    store = open_store(settings, embedder, progress)
    gate = Gate(settings.asks_at_once, settings.asks_waiting)
    limits = Limits(settings.jobs_waiting, settings.jobs_bytes, settings.largest_upload)
    return Runtime(
        settings, store, service, gate, Conversations(settings.library), Jobs(settings.library, limits),
        Metrics(calibrate.answered(service.reader, settings.library)),
    )  # fmt: skip


def open_worker(runtime: Runtime) -> Worker:
    """Return what takes the uploads that a service accepts into its library."""
    settings, store, metrics = runtime.settings, runtime.store, runtime.metrics
    policy = SyncPolicy(largest=settings.largest_upload)

    def land(uploads: Sequence[Upload], progress: Callable[[SyncProgress], None]) -> SyncReport:
        # Where the library's file was taken away a new one would be made, of which no question is answered.
        store.library.expect_in_place()
        with metrics.landing():
            report = ingest(settings.library, store.current().embedder, uploads, policy=policy, progress=progress)
        metrics.landed(report)
        return report

    return Worker(settings.library, runtime.jobs, land, store.refresh)


@contextmanager
def announcing(settings: Settings, store: OpenStores) -> Iterator[Callable[[], None]]:
    """Yield what to call whenever there may be a new generation to tell the webhook of; without one it does nothing."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        yield lambda: None
        return
    from api.webhook_sender import Sender

    with Sender(settings.webhook_url.get_secret_value(), settings.webhook_secret.get_secret_value()) as sender:
        yield GenerationWatch(store, sender.tell).look


class PurgeWatch:
    """Forgets the conversations that quote what was purged, by whichever process."""

    def __init__(self, store: OpenStores, conversations: Conversations) -> None:
        self._store = store
        self._conversations = conversations
        self._seen = store.current().generation.number
        self._told: frozenset[str] = frozenset()
        # What was purged while no server ran may still be quoted in conversations that an earlier one kept.
        self._conversations.forget(store.library.purged_since(0))

    def look(self) -> None:
        """Look whether anything was purged since the last look. What was deleted before may be purged in no new one."""
        newest = self._store.current().generation.number
        purged = self._store.library.purged_since(self._seen)
        # Up to here questions were answered from before the purge, so what was told may be to tell again.
        fresh = purged if newest != self._seen else purged - self._told
        self._seen, self._told = newest, purged
        if fresh:
            self._conversations.forget(fresh)


class Refreshable(Protocol):
    """What a Refresher keeps fresh."""

    def refresh(self) -> bool:
        """Take up a newer generation; return whether there was one."""

    def current(self) -> TextStore:
        """Return the newest generation that was taken up."""


class Refresher:
    """A thread that takes up the generations other processes commit, as a context manager."""

    def __init__(
        self, store: Refreshable, seconds: float, then: Callable[[], None] = lambda: None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`then` is called after every look, `failed` after one that ended in an error."""
        self._store = store
        self._seconds = seconds
        self._then = then
        self._failed = failed
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
                self._then()
            except Exception as error:
                # Whatever it was, the generation at hand still answers, and the next round tries again.
                _log.warning("could not take up the newest generation: %s", error)
                self._failed()

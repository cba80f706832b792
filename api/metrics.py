"""What is counted for Prometheus at `/metrics`: numbers and a few fixed words, never a user's text.

Every label has a bounded set of values: outcomes, steps, templates of routes, methods and statuses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.drift import Drift
from api.gate import Abandoned, Overloaded
from index.errors import GenerationPurged, LibraryBusy, QuestionError, UnknownGeneration
from qa.types import Answer

if TYPE_CHECKING:
    from api.request_log import Handled
    from api.wiring import Runtime
    from index.report import SyncReport
    from qa.service import Asked

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = ("answered", "silent", "failed", "invalid", "refused", "abandoned")
"""What may become of a question. `invalid`: it could not be asked; `refused`: too many waited; `abandoned`: its client
left."""
_SHARES = tuple(step / 20 for step in range(1, 21))
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CHANGES = ("added", "changed", "removed", "failed")
# Uploads that wait are counted by their queue.
_NOT_INDEX = frozenset({"jobs"})


class Metrics:
    """What happened so far in one process. For any thread."""

    def __init__(self, reference: Sequence[float] = ()) -> None:
        """`reference`: how sure the answers were that the calibration comes from; without it no drift is told."""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._drift = Drift(reference)
        self._questions = Counter(
            "citespan_questions", "Questions by what became of them.", ["outcome"], registry=registry
        )
        self._confidence = Histogram(
            "citespan_confidence", "Probability that the best answer is right, given or not.", ["outcome"],
            buckets=_SHARES, registry=registry,
        )  # fmt: skip
        self._threshold = Histogram(
            "citespan_threshold", "Probability that an answer had to reach.", buckets=_SHARES, registry=registry
        )
        self._stages = Histogram(
            "citespan_stage_seconds", "Time of the steps of a question.", ["stage"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._requests = Counter(
            "citespan_http_requests", "HTTP requests.", ["method", "route", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "citespan_http_request_seconds", "Time from a request to the end of its reply.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._refreshes_failed = Counter(
            "citespan_refresh_errors", "Times that a new generation could not be taken up.", registry=registry
        )
        self._uploads_failed = Counter(
            "citespan_upload_errors", "Times that uploads could not be taken in.", registry=registry
        )
        self._uploaded = Counter(
            "citespan_uploaded_documents", "Uploaded documents by what became of them.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        for outcome in OUTCOMES:
            self._questions.labels(outcome)
        for outcome in ("added", "changed", "unchanged", "failed"):
            self._uploaded.labels(outcome)

    # ---- questions -------------------------------------------------------------------------------------------------

    @contextmanager
    def question(self) -> Iterator[None]:
        """Count a question that ends in an error; of one that does not, `asked` tells."""
        try:
            yield
        except BaseException as error:
            self._questions.labels(_outcome(error)).inc()
            raise

    def waited(self, seconds: float) -> None:
        """Note how long a question waited for its turn."""
        self._stages.labels("wait").observe(seconds)

    def asked(self, done: Asked, *, by_default: bool) -> None:
        """Count a question that has a reply; `by_default`: whether it named no risk of its own."""
        reply = done.reply
        outcome = "answered" if isinstance(reply, Answer) else "silent"
        self._questions.labels(outcome).inc()
        self._confidence.labels(outcome).observe(reply.confidence)
        self._threshold.observe(reply.understood.kept.threshold)
        for stage, ms in done.timings_ms.items():
            self._stages.labels(stage).observe(ms / 1000)
        # With another risk it is answered from another threshold than the calibration's questions were.
        if by_default and isinstance(reply, Answer):
            self._drift.add(reply.confidence)

    # ---- all the rest ----------------------------------------------------------------------------------------------

    def handled(self, request: Handled) -> None:
        """Count an HTTP request."""
        self._requests.labels(request.method, request.route, str(request.status)).inc()
        self._request_seconds.labels(request.route).observe(request.seconds)

    def refresh_failed(self) -> None:
        """Count a new generation that could not be taken up."""
        self._refreshes_failed.inc()

    @contextmanager
    def landing(self) -> Iterator[None]:
        """Count uploads that cannot be taken in. That another process writes just now is no error."""
        try:
            yield
        except LibraryBusy:
            raise
        except Exception:
            self._uploads_failed.inc()
            raise

    def landed(self, report: SyncReport) -> None:
        """Count the documents of uploads that were looked at."""
        counts = {
            "added": len(report.added), "changed": len(report.changed), "unchanged": report.skipped,
            "failed": len(report.failed),
        }  # fmt: skip
        for outcome, count in counts.items():
            self._uploaded.labels(outcome).inc(count)

    def text(self, runtime: Runtime) -> bytes:
        """Return all figures in Prometheus' text format, with those of the library and the queues as they are now."""
        now = CollectorRegistry()
        now.register(_Now(runtime, self._drift))
        return generate_latest(self.registry) + generate_latest(now)


def _outcome(error: BaseException) -> str:
    match error:
        case Overloaded():
            return "refused"
        case Abandoned():
            return "abandoned"
        case QuestionError() | UnknownGeneration() | GenerationPurged():
            return "invalid"
    return "failed"


class _Now(Collector):
    """What a running service holds, looked at when it is asked for."""

    def __init__(self, runtime: Runtime, drift: Drift) -> None:
        self._runtime = runtime
        self._drift = drift

    def collect(self) -> Iterator[Metric]:
        yield from self._library()
        yield from self._queues()
        yield from self._drifted()

    def _library(self) -> Iterator[Metric]:
        folder, current = self._runtime.settings.library, self._runtime.store.current().generation
        yield _gauge("citespan_documents", "Documents that are answered from.", current.documents)
        yield _gauge("citespan_passages", "Passages that are answered from.", current.passages)
        yield _gauge("citespan_library_bytes", "Bytes of the library's files, uploads apart.", _size(folder))
        yield _gauge("citespan_generation", "The generation that is answered from.", current.number)
        made = _moment(current.created_at)
        yield _gauge("citespan_generation_timestamp_seconds", "When it was made.", made)
        changes = GaugeMetricFamily("citespan_generation_changes", "Documents it changed.", labels=["change"])
        for change in _CHANGES:
            changes.add_metric([change], current.summary.get(change, 0))
        yield changes
        newest = GaugeMetricFamily("citespan_newest_generation", "The newest generation in the library.")
        with suppress(Exception):  # what cannot be read has no figure, and the others still have
            newest.add_metric([], self._runtime.store.library.generation().number)
        yield newest
        yield _gauge("citespan_store_answers", "Whether what searches the library answers: 1, or 0.", self._answers())

    def _answers(self) -> int:
        try:
            self._runtime.store.look()
        except Exception:
            return 0
        return 1

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("citespan_jobs_waiting", "Uploads that are not taken in yet.")
        bytes_held = GaugeMetricFamily("citespan_jobs_bytes", "Their bytes.")
        with suppress(Exception):
            jobs, held = self._runtime.jobs.held()
            waiting.add_metric([], jobs)
            bytes_held.add_metric([], held)
        yield waiting
        yield bytes_held
        gate = self._runtime.gate
        yield _gauge("citespan_gate_working", "Questions that are worked on.", gate.working)
        yield _gauge("citespan_gate_waiting", "Questions that wait for their turn.", gate.waiting)

    def _drifted(self) -> Iterator[Metric]:
        far = GaugeMetricFamily(
            "citespan_confidence_drift", "Distance (Kolmogorov-Smirnov) of the answers' confidence from calibration."
        )
        chance = GaugeMetricFamily(
            "citespan_confidence_drift_by_chance", "What that distance exceeds by chance once in a hundred times."
        )
        found = self._drift.distance()
        # As long as there are too few answers nothing is said, so that nobody is alarmed by it.
        if found is not None:
            far.add_metric([], found.value)
            chance.add_metric([], found.chance)
        yield far
        yield chance
        yield _gauge("citespan_confidence_drift_answers", "Answers compared.", self._drift.seen)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _size(folder: Path) -> int:
    """Return the bytes of a library's files; what vanishes meanwhile counts nothing."""
    total = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_INDEX]
        for name in files:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total

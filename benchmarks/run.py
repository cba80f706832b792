"""Sync a question set into a fresh library, ask its questions, say what came of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.bench import machine
from benchmarks.data import QuestionSet
from index.embed import Embedder
from index.store import LocalStore
from index.sync import sync
from qa.evaluate import evaluate
from qa.evaluation.outcomes import Report
from qa.service import AnswerService


@contextmanager
def library(questions: QuestionSet, embedder: Embedder) -> Iterator[LocalStore]:
    """Hold a library of the set's documents for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="citespan-benchmark-") as scratch:
        folder = Path(scratch)
        report = sync(folder / "library", embedder, [questions.write(folder / "documents")])
        if report.failed:
            raise RuntimeError(f"{len(report.failed)} documents of {questions.name} failed: {report.failed[0]}")
        store = LocalStore(folder / "library", embedder)
        try:
            yield store
        finally:
            store.close()


def run(
    questions: QuestionSet, embedder: Embedder, service: AnswerService, risk: float | None = None
) -> tuple[Report, dict[str, Any]]:
    """Return the report on a set and its figures, with what they were measured on. `risk` as for `evaluate`."""
    started = time.perf_counter()
    with library(questions, embedder) as store:
        synced = time.perf_counter() - started
        report = evaluate(questions.questions, service, store.current(), risk)
    figures = {
        "set": questions.name,
        "documents": len(questions.documents),
        "seconds to sync": round(synced, 1),
        **report.rates(),
        **machine(),
    }
    return report, figures

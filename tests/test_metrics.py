"""The figures for Prometheus: what is counted, that no label grows without bound, and that no text is in them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.drift import FEWEST
from api.gate import Gate
from api.metrics import OUTCOMES, Metrics
from api.settings import Settings
from api.wiring import Refresher, Runtime, open_runtime
from index.errors import LibraryBusy, LibraryError
from index.sync import sync
from qa import calibrate
from qa.types import Question
from tests.fakes import HashingEmbedder, write_files
from tests.services import Failing, Slow
from tests.shelf import shelf
from tests.waiting import until

QUESTION = "Who is the keeper of the lighthouse on Skerry Rock?"
UNANSWERED = "At what temperature does tungsten melt?"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Runtime]:
    """Yield a service over one short document; no model is loaded for its vectors."""
    files = {"keeper.md": "# The lighthouse\n\nThe keeper of the lighthouse on Skerry Rock is Edda Holm.\n"}
    opened = open_runtime(Settings(library=shelf(tmp_path, files)), HashingEmbedder())
    yield opened
    opened.close()


def figures(text: str) -> dict[str, float]:
    """Return every figure by its name and labels, as they are written."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def scraped(client: TestClient) -> dict[str, float]:
    reply = client.get("/metrics")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return figures(reply.text)


def client_of(running: Runtime) -> TestClient:
    return TestClient(create_app(running), base_url="http://localhost", raise_server_exceptions=False)


def outcomes(found: dict[str, float]) -> dict[str, float]:
    return {one: found[f'citespan_questions_total{{outcome="{one}"}}'] for one in OUTCOMES}


# ---- questions -------------------------------------------------------------------------------------------------------


def test_questions_are_counted_by_what_became_of_them(running: Runtime) -> None:
    with client_of(running) as client:
        assert client.post("/v1/ask", json={"question": QUESTION}).json()["answerable"] is True
        assert client.post("/v1/ask", json={"question": UNANSWERED}).json()["answerable"] is False
        assert client.post("/v1/ask", json={"question": "?" * 5000}).status_code == 422
        assert client.post("/v1/ask", json={"question": QUESTION, "as_of": 77}).status_code == 404
        found = scraped(client)
    assert outcomes(found) == {
        "answered": 1, "silent": 1, "failed": 0, "invalid": 2, "refused": 0, "abandoned": 0
    }  # fmt: skip
    assert found['citespan_confidence_count{outcome="answered"}'] == 1
    assert found['citespan_confidence_count{outcome="silent"}'] == 1
    assert found["citespan_threshold_count"] == 2
    assert found["citespan_threshold_sum"] == pytest.approx(2 * running.service.calibration.standard.threshold)
    for stage in ("wait", "retrieve", "read", "compose"):
        assert found[f'citespan_stage_seconds_count{{stage="{stage}"}}'] >= 2


def test_every_way_of_asking_is_counted(running: Runtime) -> None:
    message = {"model": "citespan", "messages": [{"role": "user", "content": QUESTION}]}
    with client_of(running) as client:
        client.post("/v1/ask", json={"question": QUESTION}, headers={"Accept": "text/event-stream"})
        client.post("/v1/chat/completions", json=message)
        assert outcomes(scraped(client))["answered"] == 2


def test_a_question_that_fails_here_is_a_failure(running: Runtime) -> None:
    broken = replace(running, service=Failing(RuntimeError("disk")))  # type: ignore[arg-type]
    with client_of(broken) as client:
        assert client.post("/v1/ask", json={"question": QUESTION}).status_code == 500
        assert outcomes(scraped(client))["failed"] == 1


def test_questions_that_wait_and_those_refused_are_seen(running: Runtime) -> None:
    slow = Slow(running.service)
    held = replace(running, service=slow, gate=Gate(1, 0))  # type: ignore[arg-type]
    with client_of(held) as client:
        first = threading.Thread(target=lambda: client.post("/v1/ask", json={"question": QUESTION}))
        first.start()
        try:
            assert slow.found.wait(60)
            assert client.post("/v1/ask", json={"question": QUESTION}).status_code == 503
            found = scraped(client)
        finally:
            slow.go_on.set()
            first.join()
        after = scraped(client)
    assert (found["citespan_gate_working"], found["citespan_gate_waiting"]) == (1, 0)
    assert outcomes(found)["refused"] == 1
    assert after["citespan_gate_working"] == 0


# ---- drift -----------------------------------------------------------------------------------------------------------


def test_drift_is_told_once_there_are_enough_answers_by_the_default_threshold(running: Runtime) -> None:
    reference = calibrate.answered(running.service.reader)
    metrics = Metrics(reference)
    done = running.service.ask(Question(QUESTION), running.store.current())
    for _ in range(FEWEST - 1):
        metrics.asked(done, by_default=True)
        metrics.asked(done, by_default=False)
    before = figures(metrics.text(running).decode())
    metrics.asked(done, by_default=True)
    after = figures(metrics.text(running).decode())
    assert "citespan_confidence_drift" not in before
    assert before["citespan_confidence_drift_answers"] == FEWEST - 1
    sure = done.reply.confidence
    below = sum(one < sure for one in reference) / len(reference)
    above = sum(one > sure for one in reference) / len(reference)
    assert after["citespan_confidence_drift"] == pytest.approx(max(below, above))
    # Always the same answer is no spread at all.
    assert after["citespan_confidence_drift"] > after["citespan_confidence_drift_by_chance"]


def test_the_calibrations_own_answers_reached_its_threshold() -> None:
    table = calibrate.shipped()
    found = calibrate.answered(table.reader)
    assert len(found) >= FEWEST
    assert min(found) >= table.standard.threshold
    assert max(found) <= 1.0


# ---- requests, library, errors ---------------------------------------------------------------------------------------


def test_requests_are_counted_by_template_and_strangers_make_no_labels(running: Runtime) -> None:
    with client_of(running) as client:
        for number in range(20):
            client.get(f"/v1/documents/doc_{number}")
            client.get(f"/Zanzibar{number}?q=Zanzibar")
            client.request(f"ZANZIBAR{number}", "/healthz")
        text = client.get("/metrics").text
    found = figures(text)
    assert found['citespan_http_requests_total{method="GET",route="/v1/documents/{id}",status="404"}'] == 20
    assert found['citespan_http_requests_total{method="GET",route="(none)",status="404"}'] == 20
    assert found['citespan_http_requests_total{method="other",route="/healthz",status="405"}'] == 20
    assert found['citespan_http_request_seconds_count{route="/v1/documents/{id}"}'] == 20
    assert "zanzibar" not in text.lower()


def test_no_text_of_questions_or_documents_is_in_the_figures(running: Runtime) -> None:
    with client_of(running) as client:
        client.post("/v1/ask", json={"question": QUESTION})
        text = client.get("/metrics").text
    texts = ("lighthouse", "Skerry", "Edda", "keeper.md", str(running.settings.library))
    assert not {word for word in texts if word in text}


def test_the_library_is_told_as_it_is_now(running: Runtime, tmp_path: Path) -> None:
    with client_of(running) as client:
        first = scraped(client)
        more = {"ferry.md": "# Ferry\n\nThe ferry leaves at noon.\n", "empty.md": ""}
        sync(running.settings.library, HashingEmbedder(), [write_files(tmp_path / "more", more)])
        until(lambda: scraped(client)["citespan_generation"] == 2)
        second = scraped(client)
    assert [first[f"citespan_{name}"] for name in ("documents", "passages", "generation")] == [1, 1, 1]
    assert [second[f"citespan_{name}"] for name in ("documents", "passages", "newest_generation")] == [2, 2, 2]
    assert second['citespan_generation_changes{change="added"}'] == 1
    assert second["citespan_generation_timestamp_seconds"] >= first["citespan_generation_timestamp_seconds"]
    assert first["citespan_library_bytes"] > 10_000
    assert (second["citespan_jobs_waiting"], second["citespan_jobs_bytes"]) == (0, 0)
    assert second["process_resident_memory_bytes"] > 0
    assert second["process_open_fds"] > 0


def test_a_refresh_that_fails_is_counted(running: Runtime) -> None:
    class Broken:
        def refresh(self) -> bool:
            raise OSError("stale file handle")

        def current(self) -> object:
            raise NotImplementedError

    def failures() -> float:
        return figures(running.metrics.text(running).decode())["citespan_refresh_errors_total"]

    with Refresher(Broken(), 0.01, failed=running.metrics.refresh_failed):  # type: ignore[arg-type]
        until(lambda: failures() >= 2)


def test_uploads_are_counted_by_document_and_errors_by_try(running: Runtime) -> None:
    metrics = running.metrics
    for error in (LibraryError("the disk fails"), LibraryBusy("another process writes")):
        with pytest.raises(LibraryError), metrics.landing():
            raise error
    with client_of(running) as client:
        sent = {"documents": [{"name": "a.md", "text": "The buoy is red."}, {"name": "b.md", "text": " "}]}
        job = client.post("/v1/documents", json=sent)
        assert job.status_code == 202, job.text
        until(lambda: scraped(client)["citespan_jobs_waiting"] == 0)
        found = scraped(client)
    assert found["citespan_upload_errors_total"] == 1
    assert {one: found[f'citespan_uploaded_documents_total{{outcome="{one}"}}'] for one in ("added", "failed")} == {
        "added": 1, "failed": 1,
    }  # fmt: skip


def test_a_library_that_cannot_be_read_leaves_the_other_figures(running: Runtime) -> None:
    with client_of(running) as client:
        assert "citespan_newest_generation" in scraped(client)
        (running.settings.library / "library.sqlite").write_bytes(b"not a database" * 1000)
        assert client.get("/readyz").json()["type"] == "urn:citespan:problem:not-ready"
        assert client.get("/healthz").status_code == 200
    found = figures(running.metrics.text(running).decode())
    assert "citespan_newest_generation" not in found
    assert (found["citespan_documents"], found["citespan_refresh_errors_total"]) == (1, 0)

"""Documents over HTTP: accepted, landed, found, deleted; and what is refused, hostile or merely wrong."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from api.app import create_app
from api.schemas_library import UploadHead, plain_name
from api.settings import Settings
from api.wiring import PurgeWatch, Runtime, open_runtime
from index import change
from index.naming import document_id
from index.sync import Upload, ingest, sync
from qa.types import Turn
from tests.fakes import HashingEmbedder, write_files
from tests.waiting import until

Json = dict[str, Any]

SECONDS = 60.0
JSON = {"Content-Type": "application/json"}
FERRY = "The ferry to Skerry Rock leaves at noon."
JOB_FIELDS = {
    "id", "object", "status", "created_at", "started_at", "finished_at", "documents", "progress", "generation",
    "added", "changed", "unchanged", "errors",
}  # fmt: skip


def opened(folder: Path, **given: Any) -> Runtime:
    """Return a runtime over the library in `folder`, made with one document if it is not there."""
    if not folder.exists():
        sources = write_files(folder.parent / f"{folder.name}-sources", {"keeper.txt": "Edda Holm keeps the light."})
        sync(folder, HashingEmbedder(), [sources])
    return open_runtime(Settings(library=folder, **given), HashingEmbedder())


def client_of(runtime: Runtime) -> TestClient:
    """Return a client; jobs are worked on only while it is entered."""
    return TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    opened_runtime = opened(tmp_path / "library")
    yield opened_runtime
    opened_runtime.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with client_of(runtime) as entered:
        yield entered


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Yield a client whose uploads are accepted and stay in the queue: for what is refused."""
    runtime = opened(tmp_path_factory.mktemp("idle") / "library", jobs_waiting=1_000)
    yield client_of(runtime)
    runtime.close()


def files(*given: tuple[str, str | bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    """Return the parts of a form with these files."""
    return [("file", (name, text if isinstance(text, bytes) else text.encode())) for name, text in given]


def finished(client: TestClient, accepted: Any) -> Json:
    """Return the job of an accepted upload once it is over."""
    assert accepted.status_code == 202, accepted.text
    job: Json = {}

    def over() -> bool:
        job.update(client.get(accepted.headers["location"]).json())
        assert job.keys() == JOB_FIELDS
        return job["status"] in ("done", "failed")

    until(over)
    return job


def assert_problem(response: Any, status: int, code: str) -> Json:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: Json = response.json()
    assert problem["type"] == f"urn:citespan:problem:{code}"
    return problem


def uris(client: TestClient) -> set[str]:
    return {document["uri"] for document in client.get("/v1/documents").json()["data"]}


def document_at(client: TestClient, uri: str) -> Json:
    documents: list[Json] = client.get("/v1/documents").json()["data"]
    return next(document for document in documents if document["uri"] == uri)


def found(client: TestClient, query: str, **fields: Any) -> set[str]:
    """Return where the passages for a query are from."""
    response = client.post("/v1/search", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    return {hit["filename"] for hit in response.json()["data"]}


# ---- from the upload to the answer ----------------------------------------------------------------------------------


def test_files_of_a_form_are_accepted_landed_and_found(client: TestClient) -> None:
    accepted = client.post(
        "/v1/documents", files=files(("boats/ferry.txt", FERRY), ("grey.md", "# Boats\n\nAll grey."))
    )
    job = accepted.json()
    assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["object"], job["status"], job["documents"]) == ("job", "queued", 2)
    assert (job["started_at"], job["finished_at"], job["generation"]) == (None, None, None)
    assert job["progress"] == {"stage": "queued", "files": 0, "files_total": 2, "passages": 0}
    assert "idempotency-replayed" not in accepted.headers

    done = finished(client, accepted)
    assert (done["id"], done["status"], done["generation"]) == (job["id"], "done", 2)
    assert (done["added"], done["changed"], done["unchanged"]) == (["boats/ferry.txt", "grey.md"], [], 0)
    assert done["errors"] == []
    assert done["progress"] == {"stage": "done", "files": 2, "files_total": 2, "passages": 2}
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert uris(client) == {"keeper.txt", "boats/ferry.txt", "grey.md"}
    reply = client.post("/v1/ask", json={"question": "When does the ferry to Skerry Rock leave?"}).json()
    assert reply["generation"] == 2
    shown = reply["citations"] or reply["nearest"]
    assert FERRY in {citation["quote"] for citation in shown}


def test_documents_come_as_json_with_what_is_said_of_them(client: TestClient) -> None:
    said = {
        "title": "The ferry", "author": "Nils Berg", "publisher": "Coast Weekly", "published_at": "2026-01-31",
        "language": "en", "url": "https://example.org/ferry", "tags": ["boats", "times"],
    }  # fmt: skip
    sent = {
        "documents": [{"name": "ferry.txt", "text": FERRY, **said}, {"name": "grey.txt", "text": "Boats are grey."}]
    }
    job = finished(client, client.post("/v1/documents", json=sent))
    assert job["added"] == ["https://example.org/ferry", "grey.txt"]
    document = document_at(client, "https://example.org/ferry")
    assert {name: document[name] for name in said if name != "url"} == {n: v for n, v in said.items() if n != "url"}


def test_one_document_needs_no_list(client: TestClient) -> None:
    job = finished(client, client.post("/v1/documents", json={"name": "ferry.txt", "text": FERRY}))
    assert (job["documents"], job["added"]) == (1, ["ferry.txt"])


def test_the_fields_of_a_form_describe_its_single_file(client: TestClient) -> None:
    fields = {"title": "The ferry", "published_at": "31 January 2026", "tags": ["boats, times", "coast"], "author": ""}
    finished(client, client.post("/v1/documents", data=fields, files=files(("ferry.txt", FERRY))))
    document = document_at(client, "ferry.txt")
    assert (document["title"], document["published_at"], document["author"]) == ("The ferry", "2026-01-31", None)
    assert document["tags"] == ["boats", "times", "coast"]


def test_the_same_name_again_is_a_new_revision_and_the_same_text_changes_nothing(client: TestClient) -> None:
    finished(client, client.post("/v1/documents", json={"name": "ferry.txt", "text": FERRY}))
    first = document_at(client, "ferry.txt")
    same = finished(client, client.post("/v1/documents", files=files(("ferry.txt", FERRY))))
    assert (same["status"], same["generation"], same["unchanged"], same["changed"]) == ("done", None, 1, [])
    other = finished(client, client.post("/v1/documents", json={"name": "ferry.txt", "text": "It leaves at one."}))
    assert (other["changed"], other["added"]) == (["ferry.txt"], [])
    document = document_at(client, "ferry.txt")
    assert (document["id"], document["revision"] == first["revision"]) == (first["id"], False)


def test_what_json_says_is_utf_8_whatever_the_page_says(client: TestClient) -> None:
    head = '<head><meta charset="iso-8859-1"><title>Fähre</title></head>'
    page = f"<html>{head}<body><p>Die Fähre legt ab.</p></body></html>"
    finished(client, client.post("/v1/documents", json={"name": "page.html", "text": page}))
    assert document_at(client, "page.html")["title"] == "Fähre"


def test_what_can_be_read_lands_and_the_rest_is_told(client: TestClient) -> None:
    sent = files(("good.txt", FERRY), ("empty.txt", b""), ("binary.txt", bytes(range(256))), ("bad.pdf", b"not a PDF"))
    job = finished(client, client.post("/v1/documents", files=sent))
    assert (job["status"], job["added"]) == ("done", ["good.txt"])
    errors = {error["name"]: error for error in job["errors"]}
    assert errors.keys() == {"empty.txt", "binary.txt", "bad.pdf"}
    assert errors["binary.txt"]["code"] == "unsupported-format"
    assert all(error["reason"] for error in job["errors"])


def test_a_job_of_which_nothing_can_be_read_has_failed(client: TestClient) -> None:
    job = finished(client, client.post("/v1/documents", files=files(("binary.txt", bytes(range(256))))))
    assert (job["status"], job["generation"], len(job["errors"])) == ("failed", None, 1)


def test_jobs_are_listed_newest_first(client: TestClient) -> None:
    assert client.get("/v1/jobs").json() == {"object": "list", "data": [], "has_more": False}
    sent = [client.post("/v1/documents", json={"name": f"{n}.txt", "text": FERRY}).json()["id"] for n in range(3)]
    listed = client.get("/v1/jobs").json()
    assert ([job["id"] for job in listed["data"]], listed["has_more"]) == (sent[::-1], False)
    assert client.get("/v1/jobs", params={"limit": 1}).json()["has_more"] is True


@pytest.mark.parametrize("name", ["job_none", "%00", "..%2f..%2fetc"])
def test_an_unknown_job_is_not_found(idle: TestClient, name: str) -> None:
    response = idle.get(f"/v1/jobs/{name}")
    assert response.status_code == 404


def test_many_uploads_at_once_all_land(client: TestClient) -> None:
    def send(number: int) -> Json:
        response = client.post("/v1/documents", json={"name": f"{number}.txt", "text": f"Boat {number} is grey."})
        while response.status_code == 429:
            time.sleep(0.05)
            response = client.post("/v1/documents", json={"name": f"{number}.txt", "text": f"Boat {number} is grey."})
        return finished(client, response)

    with ThreadPoolExecutor(6) as pool:
        jobs = list(pool.map(send, range(12)))
    assert [job["status"] for job in jobs] == ["done"] * 12
    assert len({job["generation"] for job in jobs}) == 12
    assert uris(client) == {"keeper.txt", *(f"{number}.txt" for number in range(12))}


# ---- accepted means stored -------------------------------------------------------------------------------------------


def test_what_was_accepted_before_a_restart_lands_after_it(tmp_path: Path) -> None:
    first = opened(tmp_path / "library")
    accepted = client_of(first).post("/v1/documents", files=files(("ferry.txt", FERRY)))  # nobody works
    assert accepted.status_code == 202
    first.close()
    second = opened(tmp_path / "library")
    with client_of(second) as client:
        assert finished(client, accepted)["added"] == ["ferry.txt"]
        assert uris(client) == {"keeper.txt", "ferry.txt"}
    second.close()
    assert not [path for path in (tmp_path / "library" / "jobs").rglob("*") if path.is_file()]


def test_another_process_holding_the_library_only_delays_a_job(client: TestClient, runtime: Runtime) -> None:
    other = ingest(runtime.settings.library, HashingEmbedder(), [Upload("other.txt", b"Penguins paint.")])
    assert other.generation == 2
    job = finished(client, client.post("/v1/documents", json={"name": "ferry.txt", "text": FERRY}))
    assert job["generation"] == 3


# ---- the same request again ------------------------------------------------------------------------------------------


def test_the_same_key_again_is_the_same_job_again(client: TestClient) -> None:
    key = {"Idempotency-Key": '"7f3a-1"'}
    first = client.post("/v1/documents", files=files(("ferry.txt", FERRY)), headers=key)
    again = client.post("/v1/documents", files=files(("ferry.txt", FERRY)), headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    done = finished(client, first)
    late = client.post("/v1/documents", files=files(("ferry.txt", FERRY)), headers=key)
    assert late.json() == done
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_the_same_key_with_another_body_is_refused(idle: TestClient) -> None:
    key = {"Idempotency-Key": "7f3a-2"}
    assert idle.post("/v1/documents", files=files(("ferry.txt", FERRY)), headers=key).status_code == 202
    for other in (files(("ferry.txt", "It leaves at one.")), files(("other.txt", FERRY))):
        response = idle.post("/v1/documents", files=other, headers=key)
        assert_problem(response, 422, "idempotency-key-reused")
    titled = idle.post("/v1/documents", files=files(("ferry.txt", FERRY)), data={"title": "Ferry"}, headers=key)
    assert_problem(titled, 422, "idempotency-key-reused")


def test_the_same_key_while_the_first_request_arrives_is_refused(idle: TestClient) -> None:
    key = {"Idempotency-Key": "7f3a-3", **JSON}
    body = json.dumps({"name": "slow.txt", "text": FERRY}).encode()
    arriving, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield body[:10]
        arriving.set()
        assert go_on.wait(SECONDS)
        yield body[10:]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: idle.post("/v1/documents", content=slowly(), headers=key))
        assert arriving.wait(SECONDS)
        try:
            assert_problem(idle.post("/v1/documents", content=body, headers=key), 409, "idempotency-key-in-use")
        finally:
            go_on.set()
        assert first.result().status_code == 202
    assert idle.post("/v1/documents", content=body, headers=key).headers["idempotency-replayed"] == "true"


def test_a_refused_request_does_not_use_up_its_key(idle: TestClient) -> None:
    key = {"Idempotency-Key": "7f3a-4"}
    assert_problem(idle.post("/v1/documents", files=files(("a.exe", "x")), headers=key), 415, "unsupported-format")
    assert idle.post("/v1/documents", files=files(("a.txt", FERRY)), headers=key).status_code == 202


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"\xe9", b"two words"])
def test_a_key_that_is_none_is_refused(idle: TestClient, key: bytes) -> None:
    response = idle.post("/v1/documents", json={"name": "a.txt", "text": FERRY}, headers={b"Idempotency-Key": key})
    assert_problem(response, 422, "invalid-request")


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ([], "body"),
        ({"documents": []}, "documents"),
        ({"documents": [{"name": "a.txt"}]}, "documents.0.text"),
        ({"documents": [{"name": "a.txt", "text": 7}]}, "documents.0.text"),
        ({"documents": [{"name": "a.txt", "text": "x", "size": 1}]}, "documents.0.size"),
        ({"documents": [{"name": "a.txt", "text": "x"}], "name": "b.txt"}, "name"),
        ({"name": "", "text": "x"}, "name"),
        ({"name": "../..", "text": "x"}, "name"),
        ({"name": "x" * 252 + ".txt", "text": "x"}, "name"),
        ({"name": "a.txt", "text": "x", "title": ""}, "title"),
        ({"name": "a.txt", "text": "x", "published_at": "01/02/2026"}, "published_at"),
        ({"name": "a.txt", "text": "x", "language": "English, I think"}, "language"),
        ({"name": "a.txt", "text": "x", "url": "javascript:alert(1)"}, "url"),
        ({"name": "a.txt", "text": "x", "url": "file:///etc/passwd"}, "url"),
        ({"name": "a.txt", "text": "x", "tags": "one"}, "tags"),
        ({"name": "a.txt", "text": "x", "tags": ["x"] * 51}, "tags"),
        ({"documents": [{"name": "a.txt", "text": "x"}, {"name": "./a.txt", "text": "y"}]}, "file"),
        ({"documents": [{"name": f"{n}.txt", "text": "x", "url": "https://example.org/"} for n in range(2)]}, "file"),
    ],
)
def test_json_that_is_not_right_is_refused_and_the_field_named(idle: TestClient, body: Any, field: str) -> None:
    problem = assert_problem(idle.post("/v1/documents", json=body), 422, "invalid-request")
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("fields", "sent", "field"),
    [
        ({}, [("title", (None, "Ferry"))], "file"),
        ({}, [("other", ("a.txt", b"x"))], "other"),
        ({}, [("file", ("", b"x"))], "file"),
        ({}, [("file", ("..", b"x"))], "file"),
        ({"name": "b.txt"}, files(("a.txt", "x")), "name"),
        ({"title": ["One", "Two"]}, files(("a.txt", "x")), "title"),
        ({"title": "Ferry"}, files(("a.txt", "x"), ("b.txt", "y")), "title"),
        ({"published_at": "yesterday"}, files(("a.txt", "x")), "published_at"),
        ({}, files(("a.txt", "x"), ("a.txt", "y")), "file"),
    ],
)
def test_a_form_that_is_not_right_is_refused_and_the_field_named(
    idle: TestClient, fields: Json, sent: Any, field: str
) -> None:
    problem = assert_problem(idle.post("/v1/documents", data=fields, files=sent), 422, "invalid-request")
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "body",
    [b"{", b"[" * 100_000, b'{"name": "a.txt", "text": "\\ud800"}', b'{"name": "a.txt", "text": "\xff"}', b"NaN", b""],
)
def test_what_is_not_json_is_refused(idle: TestClient, body: bytes) -> None:
    response = idle.post("/v1/documents", content=body, headers=JSON)
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code, response.json()["type"].rsplit(":", 1)[1])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"not a form"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 100 + b"\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n' + b"x" * 100_000 + b"\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx\r\n--x\r\n'
         b'Content-Disposition: form-data; name="file"; filename="b.txt"\r\n\r\ncut of'),
        ("multipart/form-data; charset=idna; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="file"; filename="xn--0.txt"\r\n\r\nx\r\n--x--\r\n'),
        ("multipart/form-data; charset=idna; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx\r\n--x'),
    ],
)  # fmt: skip
def test_a_form_that_is_broken_is_refused(idle: TestClient, kind: str, body: bytes) -> None:
    response = idle.post("/v1/documents", content=body, headers={"Content-Type": kind})
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"])
def test_other_content_is_refused(idle: TestClient, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    assert_problem(idle.post("/v1/documents", content=b"a=b", headers=headers), 415, "unsupported-media-type")


@pytest.mark.parametrize("name", ["a.exe", "a", "a.txt.exe", ".txt/a"])
def test_what_no_loader_reads_is_refused_before_it_is_a_job(idle: TestClient, name: str) -> None:
    problem = assert_problem(idle.post("/v1/documents", files=files((name, "x"))), 415, "unsupported-format")
    assert ".txt" in problem["detail"]
    sent = {"documents": [{"name": "good.txt", "text": FERRY}, {"name": name, "text": "x"}]}
    assert_problem(idle.post("/v1/documents", json=sent), 415, "unsupported-format")


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_a_document_over_the_limit_is_too_large_and_leaves_nothing(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library", largest_upload=1_000)
    client = client_of(runtime)
    assert client.post("/v1/documents", files=files(("a.txt", "x" * 1_000))).status_code == 202
    sent = files(("small.txt", "x"), ("large.txt", "x" * 1_001))
    problem = assert_problem(client.post("/v1/documents", files=sent), 413, "document-too-large")
    assert "large.txt" in problem["detail"]
    body = json.dumps({"name": "b.txt", "text": "x" * 1_000}).encode()
    assert_problem(client.post("/v1/documents", content=body, headers=JSON), 413, "request-too-large")
    assert len(client.get("/v1/jobs").json()["data"]) == 1
    assert len([path for path in (tmp_path / "library" / "jobs").rglob("*") if path.is_file()]) == 1
    runtime.close()


def test_a_request_over_four_documents_worth_is_too_large_announced_or_not(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library", largest_upload=1_000)
    client = client_of(runtime)
    sent = files(*((f"{n}.txt", "x" * 900) for n in range(4)))
    assert_problem(client.post("/v1/documents", files=sent), 413, "request-too-large")
    request = client.build_request("POST", "/v1/documents", files=sent)
    kind = {"Content-Type": request.headers["content-type"]}
    body = request.read()
    pieces = iter([body[:3_000], body[3_000:]])
    chunked = client.post("/v1/documents", content=pieces, headers=kind)
    assert "content-length" not in chunked.request.headers
    assert_problem(chunked, 413, "request-too-large")
    runtime.close()


def test_the_other_routes_keep_their_limit(idle: TestClient) -> None:
    body = b'{"question": "' + b"x" * 1_100_000 + b'"}'
    assert_problem(idle.post("/v1/ask", content=body, headers=JSON), 413, "request-too-large")
    assert idle.post("/v1/documents", files=files(("large.txt", b"x" * 1_100_000))).status_code == 202


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library", jobs_waiting=2)
    client = client_of(runtime)
    for number in range(2):
        assert client.post("/v1/documents", files=files((f"{number}.txt", FERRY))).status_code == 202
    response = client.post("/v1/documents", files=files(("2.txt", FERRY)))
    assert_problem(response, 429, "queue-full")
    assert int(response.headers["retry-after"]) > 0
    runtime.close()


def test_stored_bytes_are_bounded(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library", jobs_bytes=2_000)
    client = client_of(runtime)
    assert client.post("/v1/documents", files=files(("a.txt", "x" * 1_500))).status_code == 202
    assert_problem(client.post("/v1/documents", files=files(("b.txt", "x" * 600))), 429, "queue-full")
    runtime.close()


def test_more_files_than_a_request_may_hold_are_refused(idle: TestClient) -> None:
    sent = files(*((f"{number}.txt", "x") for number in range(1_001)))
    assert idle.post("/v1/documents", files=sent).status_code == 400


def test_an_archive_that_expands_without_end_takes_nothing_down(client: TestClient) -> None:
    bomb = gzip.compress(b"x" * 200_000_000)
    job = finished(client, client.post("/v1/documents", files=files(("bomb.txt.gz", bomb), ("good.txt", FERRY))))
    assert (job["status"], job["added"], [e["name"] for e in job["errors"]]) == ("done", ["good.txt"], ["bomb.txt.gz"])


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("report.txt", "report.txt"),
        ("2026/q1/report.txt", "2026/q1/report.txt"),
        ("/etc/passwd.txt", "etc/passwd.txt"),
        ("../../../etc/cron.d/x.txt", "etc/cron.d/x.txt"),
        ("..\\..\\windows\\x.txt", "windows/x.txt"),
        ("C:\\Users\\me\\x.txt", "Users/me/x.txt"),
        ("./a//b/./c.txt", "a/b/c.txt"),
        ("a/.. /.. /b.txt", "a/b.txt"),
        (" a.txt ", "a.txt"),
        ("a\0b\n.txt", "ab.txt"),
        ("\u202etxt.exe.txt", "txt.exe.txt"),
        ("u\u0308ber.txt", "\u00fcber.txt"),
        ("\U0001f427.txt", "\U0001f427.txt"),
        ("%2e%2e%2fa.txt", "%2e%2e%2fa.txt"),
        ("....//a.txt", "..../a.txt"),
    ],
)
def test_a_name_becomes_a_plain_relative_path(given_name: str, expected: str) -> None:
    assert plain_name(given_name) == expected
    assert UploadHead.model_validate({"name": given_name}).name == expected


@given(st.text(max_size=300))
def test_no_name_leads_anywhere(name: str) -> None:
    try:
        plain = UploadHead.model_validate({"name": name}).name
    except ValidationError:
        return
    assert plain_name(plain) == plain
    assert 0 < len(plain.encode()) <= 255
    assert not {"", ".", ".."} & set(plain.split("/"))
    assert "\\" not in plain
    assert all(character == " " or not character.isspace() or character > "\x20" for character in plain)


def test_hostile_names_stay_inside_the_library(client: TestClient, runtime: Runtime) -> None:
    before = {path for path in runtime.settings.library.parent.rglob("*") if "library/" not in path.as_posix()}
    sent = files(("../../outside.txt", FERRY), ("/tmp/outside2.txt", FERRY + " Daily."))
    job = finished(client, client.post("/v1/documents", files=sent))
    assert set(job["added"]) == {"outside.txt", "tmp/outside2.txt"}
    assert {p for p in runtime.settings.library.parent.rglob("*") if "library/" not in p.as_posix()} == before
    assert document_at(client, "outside.txt")["id"] == document_id("outside.txt")


# ---- deleting --------------------------------------------------------------------------------------------------------


def test_a_deleted_document_is_in_no_later_answer(client: TestClient) -> None:
    finished(client, client.post("/v1/documents", files=files(("ferry.txt", FERRY))))
    identity = document_at(client, "ferry.txt")["id"]
    assert "ferry.txt" in found(client, "ferry noon")
    gone = client.delete(f"/v1/documents/{identity}")
    assert gone.json() == {
        "id": identity, "object": "document.deleted", "deleted": True, "purged": False, "generation": 3,
    }  # fmt: skip
    assert "ferry.txt" not in found(client, "ferry noon") | uris(client)
    assert_problem(client.get(f"/v1/documents/{identity}"), 404, "unknown-document")
    assert_problem(client.delete(f"/v1/documents/{identity}"), 404, "unknown-document")
    assert found(client, "ferry noon", as_of=2) >= {"ferry.txt"}
    again = finished(client, client.post("/v1/documents", files=files(("ferry.txt", FERRY))))
    assert (again["added"], document_at(client, "ferry.txt")["id"]) == (["ferry.txt"], identity)


def test_a_purged_document_is_in_no_generation_and_in_no_file(client: TestClient, runtime: Runtime) -> None:
    text = "The zanzibar ferry leaves at noon."
    finished(client, client.post("/v1/documents", files=files(("zanzibar.txt", text)), data={"title": "To zanzibar"}))
    identity = document_at(client, "zanzibar.txt")["id"]
    assert client.delete(f"/v1/documents/{identity}", params={"purge": True}).json()["purged"] is True
    assert found(client, "zanzibar ferry") <= {"keeper.txt"}
    assert_problem(client.post("/v1/search", json={"query": "zanzibar", "as_of": 2}), 410, "purged")
    for path in runtime.settings.library.rglob("*"):
        assert not path.is_file() or b"zanzibar" not in path.read_bytes(), path


def test_what_was_deleted_can_be_purged_later(client: TestClient) -> None:
    finished(client, client.post("/v1/documents", files=files(("ferry.txt", FERRY))))
    identity = document_at(client, "ferry.txt")["id"]
    assert client.delete(f"/v1/documents/{identity}").json()["generation"] == 3
    assert client.delete(f"/v1/documents/{identity}", params={"purge": "true"}).json()["generation"] == 3
    assert_problem(client.post("/v1/ask", json={"question": "When?", "as_of": 2}), 410, "purged")


def test_an_upload_that_waits_is_deleted_with_its_document(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library")
    identity = document_id("ferry.txt")
    with client_of(runtime) as client:
        finished(client, client.post("/v1/documents", files=files(("ferry.txt", FERRY))))
    waiting = client_of(runtime).post("/v1/documents", files=files(("ferry.txt", "It leaves at one.")))
    assert client_of(runtime).delete(f"/v1/documents/{identity}").status_code == 200
    with client_of(runtime) as client:
        job = finished(client, waiting)
        assert (job["status"], [error["code"] for error in job["errors"]]) == ("failed", ["deleted"])
        assert uris(client) == {"keeper.txt"}
    runtime.close()


def test_conversations_that_quote_what_is_purged_are_forgotten(client: TestClient, runtime: Runtime) -> None:
    quoting = runtime.conversations.add(None, turn_about("doc_a", "doc_b"))
    other = runtime.conversations.add(None, turn_about("doc_b"))
    before_answer = runtime.conversations.mark()
    runtime.conversations.forget({"doc_a"})
    held = {name for name in (quoting, other) if is_known(client, name)}
    assert held == {other}
    late = runtime.conversations.add(other, turn_about("doc_a"), before_answer)
    assert (late, is_known(client, other)) == (other, False)
    fresh = runtime.conversations.add(None, turn_about("doc_a"), runtime.conversations.mark())
    assert is_known(client, fresh)


def turn_about(*documents: str) -> Turn:
    return Turn("Who?", "Who?", ("A quote.",), None, documents)


def is_known(client: TestClient, conversation: str) -> bool:
    body = {"question": "Who keeps the light?", "conversation_id": conversation}
    return bool(client.post("/v1/ask", json=body).status_code == 200)


def test_a_purge_over_http_forgets_the_conversations_that_quote_the_document(
    client: TestClient, runtime: Runtime
) -> None:
    identity = document_at(client, "keeper.txt")["id"]
    conversation = runtime.conversations.add(None, turn_about(identity))
    assert is_known(client, conversation)
    client.delete(f"/v1/documents/{identity}", params={"purge": True})
    assert not is_known(client, conversation)


def test_a_purge_by_another_process_forgets_conversations_too(runtime: Runtime) -> None:
    identity = document_id("keeper.txt")
    library, embedder = runtime.settings.library, HashingEmbedder()
    ingest(library, embedder, [Upload("ferry.txt", FERRY.encode())])
    runtime.store.refresh()
    watch = PurgeWatch(runtime.store, runtime.conversations)
    watch.look()
    for purged in (identity, document_id("ferry.txt")):
        conversation = runtime.conversations.add(None, turn_about(purged))
        change.delete(library, [purged], purge=True)
        # A question that is answered from before the purge, between two looks.
        watch.look()
        again = runtime.conversations.add(None, turn_about(purged))
        runtime.store.refresh()
        watch.look()
        for name in (conversation, again):
            assert not is_known(client_of(runtime), name)


# ---- who may change the library --------------------------------------------------------------------------------------

CHANGES = [("POST", "/v1/documents"), ("DELETE", "/v1/documents/doc_none"), ("POST", "/v1/generations/1/rollback")]


@pytest.mark.parametrize(("method", "path"), [*CHANGES, ("POST", "/v1/ask")])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example.org"},
        {"Origin": "http://localhost.example.org"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(idle: TestClient, method: str, path: str, headers: Json) -> None:
    response = idle.request(method, path, files=files(("a.txt", FERRY)), headers=headers)
    assert_problem(response, 403, "cross-site")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://localhost"}, {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
     {"Origin": "http://[::1]:8000"}, {"Sec-Fetch-Site": "none"}, {}],
)  # fmt: skip
def test_our_own_page_may(idle: TestClient, headers: Json) -> None:
    assert idle.post("/v1/documents", files=files(("a.txt", FERRY)), headers=headers).status_code == 202


def test_where_any_name_is_ours_a_page_is_ours_if_it_comes_from_the_name_called(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library", host="0.0.0.0")
    client = client_of(runtime)
    for origin, status in (("http://docs.example.org:8000", 202), ("http://elsewhere.example.org", 403)):
        headers = {"Host": "docs.example.org", "Origin": origin}
        assert client.post("/v1/documents", files=files(("a.txt", FERRY)), headers=headers).status_code == status
    runtime.close()


def test_reading_is_nobodys_secret_and_changing_needs_the_key_where_there_is_one(tmp_path: Path) -> None:
    runtime = opened(tmp_path / "library", api_key="open sesame")
    client = client_of(runtime)
    for method, path in CHANGES:
        for shown in (b"", b"Bearer open", b"Basic open sesame", b"Bearer", b"Bearer \xe9", b"open sesame"):
            response = client.request(method, path, headers={b"Authorization": shown}, files=files(("a.txt", FERRY)))
            assert_problem(response, 401, "key-needed")
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert "sesame" not in response.text
    key = {"Authorization": "Bearer open sesame"}
    assert client.post("/v1/documents", files=files(("a.txt", FERRY)), headers=key).status_code == 202
    assert_problem(client.delete("/v1/documents/doc_none", headers=key), 404, "unknown-document")
    assert client.get("/v1/documents").status_code == 200
    assert client.post("/v1/search", json={"query": "light"}).status_code == 200
    assert "sesame" not in repr(runtime.settings)
    runtime.close()


# ---- the description -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(idle: TestClient) -> Any:
    schema = schemathesis.openapi.from_dict(idle.get("/openapi.json").json())
    schema.app = idle.app
    return schema


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/documents"), ("DELETE", "/v1/documents/{document_id}"), ("GET", "/v1/jobs"),
        ("GET", "/v1/jobs/{job_id}"), ("GET", "/v1/generations"), ("GET", "/v1/generations/{before}/diff/{after}"),
        ("POST", "/v1/generations/{number}/rollback"),
    ],
)  # fmt: skip
def test_requests_made_from_the_description_get_what_it_promises(described: Any, method: str, path: str) -> None:
    checks = [not_a_server_error, response_schema_conformance, content_type_conformance]

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy())
    def conforms(case: Any) -> None:
        case.call_and_validate(headers={"Host": "localhost"}, checks=checks)

    conforms()

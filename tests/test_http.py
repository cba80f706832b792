"""What holds for every request: errors are problems, limits hold, browsers are told what they may do."""

import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from api.app import allowed_hosts, create_app
from api.middleware import CONTENT_SECURITY_POLICY
from api.settings import Settings
from api.wiring import Runtime
from index.errors import CitespanError, LibraryBusy, LibraryDamaged, LibraryUnreachable
from tests.services import Failing

Json = dict[str, Any]

QUESTION = "Who reported on the contracts?"
SECRET = "zanzibar"
JSON = {"Content-Type": "application/json"}
LARGEST = Settings().largest_request


def assert_problem(response: Any, status: int, code: str) -> Json:
    """Check that a response is a problem of that kind, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: Json = response.json()
    assert problem.keys() - {"errors"} == {"type", "title", "status", "detail"}
    assert problem["type"] == f"urn:citespan:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert SECRET not in response.text
    return problem


def ask(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/ask", json=body)


# ---- requests that are not right -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "question"),
        ({"question": None}, "question"),
        ({"question": 7}, "question"),
        ({"question": [SECRET]}, "question"),
        ({"question": QUESTION, "max_citations": 0}, "max_citations"),
        ({"question": QUESTION, "max_citations": 11}, "max_citations"),
        ({"question": QUESTION, "max_citations": "3"}, "max_citations"),
        ({"question": QUESTION, "max_citations": True}, "max_citations"),
        ({"question": QUESTION, "max_citations": 2.0}, "max_citations"),
        ({"question": QUESTION, "max_citations": None}, "max_citations"),
        ({"question": QUESTION, "conversation_id": 1}, "conversation_id"),
        ({"question": QUESTION, "conversation_id": SECRET * 100}, "conversation_id"),
        ({"question": QUESTION, "filter": SECRET}, "filter"),
        ({"question": QUESTION, "filter": {"published_from": SECRET}}, "filter.published_from"),
        ({"question": QUESTION, "filter": {"published_from": "2026-02-30"}}, "filter.published_from"),
        ({"question": QUESTION, "filter": {"published_from": "2026-1-1"}}, "filter.published_from"),
        ({"question": QUESTION, "filter": {"published_from": 0}}, "filter.published_from"),
        ({"question": QUESTION, "filter": {"published_to": "1767225600"}}, "filter.published_to"),
        ({"question": QUESTION, "filter": {"tags": "paint"}}, "filter.tags"),
        ({"question": QUESTION, "filter": {"tags": [1]}}, "filter.tags.0"),
        ({"question": QUESTION, "filter": {"document_ids": ["x"] * 1001}}, "filter.document_ids"),
        ({"question": QUESTION, "filter": {"since": "2026-01-01"}}, "filter.since"),
        ({"question": QUESTION, "max_citation": 3}, "max_citation"),
        ([], "body"),
        ("zanzibar", "body"),
        (None, "body"),
    ],
)
def test_a_request_that_is_not_right_is_refused_and_the_field_named(client: TestClient, body: Any, field: str) -> None:
    response = client.post("/v1/ask", json=body)
    problem = assert_problem(response, 422, "invalid-request")
    assert problem["errors"][0]["field"] == field
    assert field in problem["detail"]


@pytest.mark.parametrize("question", ["", " \n\t ", "\u0000\u0007", "\ufeff"])
def test_an_empty_question_is_refused(client: TestClient, question: str) -> None:
    assert "empty" in assert_problem(ask(client, question=question), 422, "invalid-question")["detail"]
    assert_problem(client.post("/v1/search", json={"query": question}), 422, "invalid-question")


def test_a_question_of_twenty_thousand_characters_is_refused_with_the_limit(client: TestClient) -> None:
    problem = assert_problem(ask(client, question=(SECRET + " ") * 2_222 + "??"), 422, "invalid-question")
    assert "20000 characters, 2000 are allowed" in problem["detail"]


@pytest.mark.parametrize("risk", [0, -1, 1.5, "low", True])
def test_a_risk_that_is_no_share_is_refused_by_name(client: TestClient, risk: Any) -> None:
    assert "risk" in assert_problem(ask(client, question=QUESTION, risk=risk), 422, "invalid-request")["detail"]


def test_a_stricter_risk_asks_for_more_confidence(client: TestClient) -> None:
    lax, strict = (ask(client, question=QUESTION, risk=risk).json() for risk in (0.5, 0.001))
    assert lax["risk"]["target"] == 0.5
    assert lax["risk"]["threshold"] < strict["risk"]["threshold"] == 1.0
    assert strict["answerable"] is False
    assert strict["nearest"]


def test_null_for_a_parameter_is_as_good_as_leaving_it_out(client: TestClient) -> None:
    assert ask(client, question=QUESTION, risk=None, as_of=None, filter=None).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"question": "zanzibar"',
        b"{'question': 'zanzibar'}",
        b'\xff\xfe{"question": "zanzibar"}',
        b'{"question": "\xff"}',
        b"[" * 100_000,
        b'{"question": "zanzibar", "max_citations": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/ask", content=body, headers=JSON)
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code, response.json()["type"].rsplit(":", 1)[1])


def test_malformed_json_is_a_bad_request(client: TestClient) -> None:
    response = client.post("/v1/ask", content=b'{"question": "zanzibar"', headers=JSON)
    assert_problem(response, 400, "malformed-json")


def test_a_missing_body_is_refused(client: TestClient) -> None:
    assert_problem(client.post("/v1/ask"), 422, "invalid-request")
    assert_problem(client.post("/v1/ask", headers=JSON), 422, "invalid-request")


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}],
)
def test_what_a_form_on_another_page_could_send_is_refused(client: TestClient, headers: Json) -> None:
    """Browsers send these kinds across origins without asking first."""
    body = json.dumps({"question": SECRET}).encode()
    for path in ("/v1/ask", "/v1/search", "/v1/verify"):
        assert_problem(client.post(path, content=body, headers=headers), 422, "invalid-request")
        response = client.post(path, content=body, headers={**headers, "Origin": "https://elsewhere.example.org"})
        assert_problem(response, 403, "cross-site")


def test_other_origins_are_not_let_in(client: TestClient) -> None:
    headers = {"Origin": "https://elsewhere.example.org", "Access-Control-Request-Method": "POST"}
    answer = client.options("/v1/ask", headers={**headers, "Access-Control-Request-Headers": "content-type"})
    assert_problem(answer, 405, "method-not-allowed")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_an_error_names_few_fields_and_little_of_what_was_sent(client: TestClient) -> None:
    many = {f"field{number}": 1 for number in range(5_000)}
    response = client.post("/v1/ask", json={"question": SECRET, **many})
    assert len(assert_problem(response, 422, "invalid-request")["errors"]) == 20
    response = client.post("/v1/ask", json={"question": SECRET, "x" * 50_000: 1})
    assert_problem(response, 422, "invalid-request")
    assert len(response.content) < 1_000


def test_a_field_whose_name_is_no_text_is_refused_like_any_other(client: TestClient) -> None:
    response = client.post("/v1/ask", content=rb'{"question": "x", "\u0000\u001b[31m": 1}', headers=JSON)
    assert assert_problem(response, 422, "invalid-request")["errors"][0]["field"] == "\ufffd\ufffd[31m"
    response = client.post("/v1/ask", content=rb'{"question": "x", "\ud800": 1}', headers=JSON)
    assert_problem(response, 422, "invalid-request")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after": "x" * 201}])
def test_a_wrong_query_parameter_is_refused_by_name(client: TestClient, query: Json) -> None:
    problem = assert_problem(client.get("/v1/documents", params=query), 422, "invalid-request")
    assert problem["errors"][0]["field"] == next(iter(query))


# ---- size ----------------------------------------------------------------------------------------------------------


def pieces(total: int) -> Iterator[bytes]:
    yield b'{"question": "'
    for _ in range(total // 50_000):
        yield b"z" * 50_000
    yield b'"}'


def test_two_megabytes_are_too_large_announced_or_not(client: TestClient) -> None:
    whole = b"".join(pieces(2_000_000))
    problem = assert_problem(client.post("/v1/ask", content=whole, headers=JSON), 413, "request-too-large")
    assert f"{LARGEST:,}" in problem["detail"]
    chunked = client.post("/v1/ask", content=pieces(2_000_000), headers=JSON)
    assert "content-length" not in chunked.request.headers
    assert_problem(chunked, 413, "request-too-large")


def test_the_limit_itself_is_not_too_large(client: TestClient) -> None:
    exact = b'{"question": "' + b"z" * (LARGEST - 16) + b'"}'
    assert len(exact) == LARGEST
    assert_problem(client.post("/v1/ask", content=exact, headers=JSON), 422, "invalid-question")
    assert_problem(client.post("/v1/ask", content=exact + b" ", headers=JSON), 413, "request-too-large")


def test_a_body_in_pieces_is_put_together(client: TestClient) -> None:
    body = iter([b'{"question": ', b'"Who reported', b' on the contracts?"}'])
    assert client.post("/v1/ask", content=body, headers=JSON).json()["question"] == QUESTION


# ---- what is not there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/asks", "/v1/documents/", "/docs", "/redoc", "/static/none.js", "/static/"]
)
def test_an_unknown_path_is_not_found(client: TestClient, path: str) -> None:
    response = client.get(path, follow_redirects=False)
    assert "/openapi.json" in assert_problem(response, 404, "not-found")["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/ask"), ("DELETE", "/v1/documents"), ("POST", "/healthz"), ("PUT", "/")]
)
def test_a_method_that_is_not_served_is_refused(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, path)
    assert method in assert_problem(response, 405, "method-not-allowed")["detail"]
    assert response.headers["allow"]


# ---- failures in here ----------------------------------------------------------------------------------------------


def failing(runtime: Runtime, error: Exception) -> TestClient:
    broken = replace(runtime, service=Failing(error))  # type: ignore[arg-type]
    return TestClient(create_app(broken), base_url="http://localhost")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"/home/{SECRET}/library.sqlite"),
        KeyError(SECRET),
        LibraryDamaged(f"/home/{SECRET}/library.sqlite: cannot be read"),
        CitespanError(SECRET),
    ],
)
def test_a_failure_in_here_is_told_to_the_log_only(
    runtime: Runtime, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = ask(failing(runtime, error), question=QUESTION)
    assert response.status_code == 500
    assert_problem(response, 500, response.json()["type"].rsplit(":", 1)[1])
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert SECRET in caplog.text
    assert QUESTION not in caplog.text


def test_a_busy_library_says_when_to_come_back(runtime: Runtime) -> None:
    response = ask(failing(runtime, LibraryBusy(f"/home/{SECRET}: another process is writing")), question=QUESTION)
    assert_problem(response, 503, "library-busy")
    assert int(response.headers["retry-after"]) > 0


def test_a_truth_that_does_not_answer_says_so_too_and_not_where_it_is(runtime: Runtime) -> None:
    error = LibraryUnreachable(f"postgresql://citespan@{SECRET}/papers: the connection was lost")
    response = ask(failing(runtime, error), question=QUESTION)
    assert_problem(response, 503, "library-unreachable")
    assert int(response.headers["retry-after"]) > 0
    assert SECRET not in response.text


# ---- what browsers are told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/static/app.js", {}, 200),
        ("GET", "/healthz", {}, 200),
        ("GET", "/v1/documents", {}, 200),
        ("GET", "/v1/documents/none/text", {}, 404),
        ("GET", "/none", {}, 404),
        ("PUT", "/v1/ask", {}, 405),
        ("POST", "/v1/ask", {}, 422),
        ("POST", "/v1/ask", {"Content-Length": "2000000"}, 413),
        ("GET", "/", {"Host": "elsewhere.example.org"}, 400),
    ],
)
def test_every_kind_of_response_tells_browsers_what_they_may_do(
    client: TestClient, method: str, path: str, headers: Json, status: int
) -> None:
    response = client.request(method, path, headers=headers)
    assert response.status_code == status
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules.values()) == {"'none'", "'self'"}


def test_the_chat_page_and_its_parts_are_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title" in page.text
    assert "javascript" in client.get("/static/app.js").headers["content-type"]
    assert client.get("/static/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "host",
    ["elsewhere.example.org", "localhost.example.org", "127.0.0.1.example.org", "localhost@example.org", "", "[::2]",
     "example.org:80:80", "localhost:x", "evil\\localhost"],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(client: TestClient, host: str) -> None:
    """A page elsewhere whose name is made to point here must read nothing."""
    response = client.get("/v1/documents", headers={"Host": host})
    assert_problem(response, 400, "unknown-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1234", "[::1]", "[::1]:8000"])
def test_the_names_of_this_machine_are_ours(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_further_names_can_be_added() -> None:
    assert "docs.example.org" in allowed_hosts("127.0.0.1", ("docs.example.org",))
    assert "192.0.2.1" in allowed_hosts("192.0.2.1", ())
    assert "[2001:db8::1]" in allowed_hosts("2001:db8::1", ())
    assert allowed_hosts("0.0.0.0", ()) == allowed_hosts("::", ()) == ["*"]
    assert "*" not in allowed_hosts("0.0.0.0", ("docs.example.org",))


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/%2e%2e%2f%2e%2e%2fpyproject.toml",
     "/static//etc/passwd", "/static/..\\app.py", "/static/%00", "/../api/app.py"],
)  # fmt: skip
def test_no_path_leads_out_of_the_static_files(live_server: str, path: str) -> None:
    """Asked on a bare socket: clients tidy such paths up before they send them."""
    head, body = raw_request(live_server, f"GET {path} HTTP/1.1")
    assert b"404" in head.split(b"\r\n", 1)[0]
    assert b"not-found" in body


def test_a_large_body_is_refused_before_it_is_sent(live_server: str) -> None:
    head, body = raw_request(live_server, "POST /v1/ask HTTP/1.1", "Content-Length: 2000000")
    assert b"413" in head.split(b"\r\n", 1)[0]
    assert b"request-too-large" in body


def test_a_large_body_of_unknown_length_is_refused_as_soon_as_it_is_too_large(live_server: str) -> None:
    piece = b"%x\r\n" % (LARGEST + 1) + b"z" * (LARGEST + 1)
    head, body = raw_request(live_server, "POST /v1/ask HTTP/1.1", "Transfer-Encoding: chunked", then=piece)
    assert b"413" in head.split(b"\r\n", 1)[0]
    assert b"request-too-large" in body


def raw_request(base: str, *lines: str, then: bytes = b"") -> tuple[bytes, bytes]:
    """Return head and body of what a server says to a request sent as it is written here."""
    at = urlsplit(base)
    assert at.hostname is not None
    request = "\r\n".join((*lines, f"Host: {at.netloc}", "Connection: close", "", ""))
    with socket.create_connection((at.hostname, at.port), timeout=60) as connection:
        connection.sendall(request.encode() + then)
        received = b""
        while data := connection.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


# ---- nothing of the user's is logged -------------------------------------------------------------------------------


def test_questions_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert ask(client, question=f"Who wrote {SECRET}?").status_code == 200
        assert ask(client, question=SECRET * 1_000).status_code == 422
        assert client.post("/v1/search", json={"query": SECRET}).status_code == 200
        assert client.post("/v1/ask", content=SECRET.encode(), headers=JSON).status_code == 400
        assert client.post("/v1/ask", json={"question": [SECRET]}).status_code == 422
    said = [r.getMessage() for r in caplog.records if r.name.partition(".")[0] not in ("httpx", "httpx2", "asyncio")]
    assert SECRET not in "\n".join(said)


# ---- the description of it all -------------------------------------------------------------------------------------


def test_the_description_is_valid_and_names_every_route(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/ask", "/v1/conversations/{conversation_id}", "/v1/replay", "/v1/verify", "/v1/search",
        "/v1/documents", "/v1/documents/{document_id}",
        "/v1/documents/{document_id}/text", "/v1/documents/{document_id}/revisions",
        "/v1/jobs", "/v1/jobs/{job_id}", "/v1/generations",
        "/v1/generations/{before}/diff/{after}", "/v1/generations/{number}/rollback", "/healthz", "/readyz",
        "/v1/chat/completions", "/v1/models", "/v1/models/{name}", "/v1/vector_stores/{vector_store_id}/search",
    }  # fmt: skip
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_description_gives_problems_as_what_errors_look_like(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        # Where a client of OpenAI's asks, they look as it expects.
        is_openai = path.startswith(("/v1/chat/", "/v1/models", "/v1/vector_stores/"))
        kind, name = ("application/json", "OpenAIError") if is_openai else ("application/problem+json", "Problem")
        for operation in operations.values():
            for code, response in operation["responses"].items():
                if code == "default" or code >= "4":
                    assert response["content"] == {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


@pytest.fixture(scope="module")
def described(client: TestClient) -> Any:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.app = client.app
    return schema


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/ask"), ("POST", "/v1/replay"), ("POST", "/v1/verify"), ("POST", "/v1/search"),
        ("GET", "/v1/documents"), ("GET", "/v1/documents/{document_id}"), ("GET", "/v1/documents/{document_id}/text"),
        ("GET", "/readyz"), ("POST", "/v1/chat/completions"), ("GET", "/v1/models/{name}"),
        ("POST", "/v1/vector_stores/{vector_store_id}/search"),
    ],
)  # fmt: skip
def test_requests_made_from_the_description_get_what_it_promises(described: Any, method: str, path: str) -> None:
    checks = [not_a_server_error, response_schema_conformance, content_type_conformance]

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy())
    def conforms(case: Any) -> None:
        case.call_and_validate(headers={"Host": "localhost"}, checks=checks)

    conforms()

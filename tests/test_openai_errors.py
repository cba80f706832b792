"""Errors under the OpenAI-compatible routes have OpenAI's form, whoever made them; elsewhere they are problems."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.gate import Abandoned, Gate
from api.openai_errors import translated
from api.schemas import Problem
from api.settings import Settings
from api.wiring import Runtime
from index.errors import LibraryBusy
from index.store import PassageStore
from qa.service import Asked, Watch
from qa.types import Question
from tests.services import Slow

Json = dict[str, Any]

CHAT = "/v1/chat/completions"
ASK: Json = {"model": "citespan", "messages": [{"role": "user", "content": "Who reported on the contracts?"}]}
SECRET = "zanzibar"
SECONDS = 60.0


def assert_openai(response: Any, status: int, code: str, kind: str = "invalid_request_error") -> Json:
    """Check that a response is an error of OpenAI's form, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.json().keys() == {"error"}
    error: Json = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["code"], error["type"]) == (code, kind)
    assert error["message"]
    assert SECRET not in response.text
    return error


# ---- from every layer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code", "kind"),
    [
        ("GET", CHAT, {}, 405, "method_not_allowed", "invalid_request_error"),
        ("POST", "/v1/chat", {}, 404, "not_found", "invalid_request_error"),
        ("POST", "/v1/responses", {}, 404, "not_found", "invalid_request_error"),
        ("GET", "/v1/models/", {}, 404, "model_not_found", "invalid_request_error"),
        ("POST", CHAT, {"Content-Length": "2000000"}, 413, "request_too_large", "invalid_request_error"),
        ("POST", CHAT, {"Host": "elsewhere.example.org"}, 400, "unknown_host", "invalid_request_error"),
        ("POST", CHAT, {"Origin": "https://elsewhere.example.org"}, 403, "cross_site", "permission_error"),
        ("POST", CHAT, {}, 400, "invalid_request", "invalid_request_error"),
        ("POST", "/v1/vector_stores/library/search", {}, 400, "invalid_request", "invalid_request_error"),
    ],
)
def test_every_layer_speaks_as_the_client_expects(
    client: TestClient, method: str, path: str, headers: Json, status: int, code: str, kind: str
) -> None:
    assert_openai(client.request(method, path, headers=headers), status, code, kind)


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/search", "/v1/modelsandmore", "/v1/chats", "/v1/documents/models"])
def test_elsewhere_errors_stay_problems(client: TestClient, path: str) -> None:
    response = client.post(path, json={"model": "citespan"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].startswith("urn:citespan:problem:")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b"[" * 100_000, "bad_request"),
        (b"[]", "invalid_request"),
        (b'{"model": "citespan", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", None),
        (b'{"model": "citespan", "messages": [{"role": "user", "content": ["\xff"]}]}', "bad_request"),
    ],
)
def test_no_body_is_too_odd_for_an_error(client: TestClient, body: bytes, code: str | None) -> None:
    response = client.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert_openai(response, 400, response.json()["error"]["code"] if code is None else code)


def test_half_a_surrogate_pair_is_no_failure(client: TestClient) -> None:
    body = rb'{"model": "citespan", "messages": [{"role": "user", "content": "a \ud800 b"}, '
    body += rb'{"role": "assistant", "content": "\ud800"}, {"role": "user", "content": "Who \ud800 reported it?"}]}'
    response = client.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert "\ufffd" in response.json()["citespan"]["standalone_question"]


def test_what_was_sent_is_not_sent_back(client: TestClient) -> None:
    assert_openai(client.post(CHAT, json={**ASK, "temperature": SECRET}), 400, "invalid_request")
    assert_openai(client.post(CHAT, json={**ASK, "messages": [{"role": SECRET}]}), 400, "invalid_request")
    long = client.post(CHAT, json={**ASK, "model": "m" * 150}).json()["error"]["message"]
    assert "m" * 100 in long
    assert "m" * 101 not in long


def test_a_library_with_a_key_lets_anybody_ask(runtime: Runtime) -> None:
    locked = replace(runtime, settings=Settings(library=runtime.settings.library, api_key=SecretStr("key")))
    asked = TestClient(create_app(locked), base_url="http://localhost")
    assert asked.get("/v1/models", headers={"Authorization": "Bearer another"}).status_code == 200


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("body", None),
        ("messages.0.content", "messages[0].content"),
        ("filter.tags.12", "filter.tags[12]"),
        ("n", "n"),
        ("citespan.as_of.constrained-int", "citespan.as_of"),
        ("\ufffd[31m", None),
    ],
)
def test_a_parameter_is_named_as_openai_writes_it(field: str, param: str | None) -> None:
    problem = Problem(
        type="urn:citespan:problem:invalid-request",
        title="",
        status=422,
        detail=f"{field} is wrong",
        errors=[{"field": field, "message": "is wrong"}],
    )
    status, error = translated(problem, CHAT)
    assert (status, error.error.param, error.error.message) == (400, param, f"{field} is wrong")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication_error"), (429, "rate_limit_error"), (410, "invalid_request_error"), (503, "server_error")],
)
def test_kinds_of_error_have_openais_names(status: int, kind: str) -> None:
    problem = Problem(type="urn:citespan:problem:some-code", title="", status=status, detail="x", errors=None)
    told, error = translated(problem, "/v1/models")
    assert (told, error.error.type, error.error.code) == (status, kind, "some_code")


# ---- failures in here ----------------------------------------------------------------------------------------------


class Breaking:
    """A service that fails before it finds anything, or after."""

    def __init__(self, runtime: Runtime, error: Exception, *, after: bool) -> None:
        self.reader = runtime.service.reader
        self.configuration = runtime.service.configuration
        self._service = runtime.service
        self._error = error
        self._after = after

    def ask(self, question: Question, store: PassageStore, watch: Watch) -> Asked:
        if not self._after:
            raise self._error
        error = self._error

        class Failing(Watch):
            def found(self, query: str, retrieved: Any) -> None:
                watch.found(query, retrieved)

            def reading(self) -> None:
                raise error

        return self._service.ask(question, store, Failing())


def broken(runtime: Runtime, error: Exception, *, after: bool = False) -> TestClient:
    service: Any = Breaking(runtime, error, after=after)
    return TestClient(create_app(replace(runtime, service=service)), base_url="http://localhost")


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_is_told_to_the_log_only(runtime: Runtime, caplog: pytest.LogCaptureFixture, *, stream: bool) -> None:
    client = broken(runtime, RuntimeError(f"/home/{SECRET}"))
    response = client.post(CHAT, json={**ASK, "stream": stream})
    assert_openai(response, 500, "internal_error", "server_error")
    assert SECRET in caplog.text


def test_a_busy_library_says_when_to_come_back(runtime: Runtime) -> None:
    response = broken(runtime, LibraryBusy(f"/home/{SECRET}: locked")).post(CHAT, json={**ASK, "stream": True})
    assert_openai(response, 503, "library_busy", "server_error")
    assert int(response.headers["retry-after"]) > 0


def test_too_many_questions_are_told_to_come_back(runtime: Runtime) -> None:
    full = Gate(1, 0)
    client = TestClient(create_app(replace(runtime, gate=full)), base_url="http://localhost")
    with full.turn():
        for stream in (False, True):
            response = client.post(CHAT, json={**ASK, "stream": stream})
            assert_openai(response, 503, "overloaded", "server_error")
            assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("error", "code"), [(RuntimeError(SECRET), "internal_error"), (LibraryBusy(SECRET), "library_busy")]
)
def test_a_failure_under_way_is_the_last_that_a_stream_says(runtime: Runtime, error: Exception, code: str) -> None:
    response = broken(runtime, error, after=True).post(CHAT, json={**ASK, "stream": True})
    assert response.status_code == 200
    role, last = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert last.keys() == {"error"}
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", code)
    assert SECRET not in response.text


# ---- clients that go away ------------------------------------------------------------------------------------------


@pytest.fixture
def slow(runtime: Runtime) -> Iterator[tuple[Slow, Any]]:
    """Yield a service that waits, and the application over it."""
    service: Any = Slow(runtime.service)
    yield service, create_app(replace(runtime, service=service, gate=Gate(1, 10)))
    service.go_on.set()


@pytest.mark.parametrize("stream", [False, True])
def test_the_work_stops_when_the_client_goes_away(slow: tuple[Slow, Any], *, stream: bool) -> None:
    service, app = slow
    body = json.dumps({**ASK, "stream": stream}).encode()

    async def leave_when_found() -> None:
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Json:
            if messages:
                return messages.pop()
            while not service.found.is_set():
                await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            """Nobody listens."""

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        await app(
            {
                "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
                "method": "POST", "scheme": "http", "path": CHAT, "raw_path": CHAT.encode(), "root_path": "",
                "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            },
            receive,
            send,
        )  # fmt: skip

    asyncio.run(asyncio.wait_for(leave_and_let_go(service, leave_when_found()), SECONDS))
    assert service.ended.wait(SECONDS)
    assert isinstance(service.error, Abandoned)


async def leave_and_let_go(service: Slow, left: Any) -> None:
    """Let the service go once the request is over: its next step has to find that nobody waits."""
    await left
    service.go_on.set()

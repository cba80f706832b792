"""The log: one line a request, with its id and without what users wrote."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.app import create_app
from api.logs import ConsoleFormatter, Format, JsonFormatter, Level, configure, request_id
from api.request_log import Handled, RequestLog, place
from api.settings import Settings
from api.wiring import Runtime, open_runtime
from tests.fakes import HashingEmbedder
from tests.services import Failing
from tests.shelf import shelf

SECRET = "Zanzibarquestion"
LOG = logging.getLogger("tests.told")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Yield what is logged, as JSON, from the level info on."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    written = io.StringIO()
    _configure("json", "info", written)
    yield written
    root.handlers[:] = before[1]
    root.setLevel(before[0])
    for name in ("httpx2", "httpcore2", "mcp"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def _configure(form: Format, level: Level, stream: io.StringIO) -> None:
    """Configure the log without closing what pytest looks at."""
    logging.getLogger().handlers[:] = []
    configure(form, level, stream)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def requests(written: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in lines(written) if line["logger"] == "citespan.requests"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Runtime]:
    """Yield a service over one short document; no model is loaded for its vectors."""
    library = shelf(tmp_path, {"keeper.md": "# The lighthouse\n\nThe keeper of the lighthouse is Edda Holm.\n"})
    opened = open_runtime(Settings(library=library), HashingEmbedder())
    yield opened
    opened.close()


# ---- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_of_json_has_time_level_logger_and_message(logged: io.StringIO) -> None:
    LOG.info("now answering from generation %d", 7)
    LOG.debug("not told")
    (line,) = lines(logged)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"level": "info", "logger": "tests.told", "message": "now answering from generation 7"}


def test_a_line_for_people_ends_with_the_id_of_its_request() -> None:
    record = logging.LogRecord("citespan", logging.WARNING, "", 0, "the disk is %s", ("full",), None)
    assert ConsoleFormatter().format(record).endswith("Z WARNING citespan: the disk is full")
    token = request_id.set("abc")
    assert ConsoleFormatter().format(record).endswith("Z WARNING citespan: the disk is full [abc]")
    request_id.reset(token)


def test_no_message_can_fake_a_line_of_json() -> None:
    record = logging.LogRecord("citespan", logging.ERROR, "", 0, 'one\n{"level": "error"}', (), None)
    written = JsonFormatter().format(record)
    assert "\n" not in written
    assert json.loads(written)["message"] == 'one\n{"level": "error"}'


def _fail() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise LookupError(SECRET) from error


def _failed() -> BaseException:
    with pytest.raises(LookupError) as failed:
        _fail()
    return failed.value


def test_a_traceback_says_where_and_of_which_kind_but_not_what_the_exceptions_say(logged: io.StringIO) -> None:
    LOG.error("it failed", exc_info=_failed())
    assert SECRET not in logged.getvalue()
    told = lines(logged)[0]["exception"]
    assert told.index("ValueError") < told.index("which led to") < told.index("LookupError")
    assert "raise LookupError(SECRET) from error" in told


def test_at_debug_level_the_whole_exception_is_told(logged: io.StringIO) -> None:
    _configure("json", "debug", logged)
    LOG.error("it failed", exc_info=_failed())
    assert SECRET in lines(logged)[0]["exception"]


# ---- requests --------------------------------------------------------------------------------------------------------


def test_a_request_is_told_by_its_route_and_not_by_its_path(running: Runtime, logged: io.StringIO) -> None:
    with TestClient(create_app(running), base_url="http://localhost") as client:
        client.get(f"/v1/documents/{SECRET}", params={"q": SECRET})
        client.get(f"/{SECRET}")
        client.request(SECRET.upper(), "/healthz")
        client.get("/static/page.css")
        client.post("/mcp", content=SECRET)
    assert SECRET.lower() not in logged.getvalue().lower()
    assert [(one["method"], one["route"], one["status"]) for one in requests(logged)] == [
        ("GET", "/v1/documents/{id}", 404), ("GET", "(none)", 404), ("other", "/healthz", 405),
        ("GET", "/static/{path}", 404), ("POST", "/mcp", 400),
    ]  # fmt: skip
    assert all(one["ms"] >= 0 and "key" not in one for one in requests(logged))


def test_neither_question_nor_titles_nor_quotes_are_logged(running: Runtime, logged: io.StringIO) -> None:
    with TestClient(create_app(running), base_url="http://localhost", raise_server_exceptions=False) as client:
        asked = client.post("/v1/ask", json={"question": f"Who is the keeper of the lighthouse {SECRET}?"})
        client.post("/v1/ask", json={"question": SECRET * 1000})
        client.post("/v1/ask", content="{" + SECRET)
        client.post("/v1/search", json={"query": SECRET})
    assert asked.status_code == 200
    written = logged.getvalue()
    assert not {word for word in (SECRET, "lighthouse", "Edda", "keeper") if word in written}
    assert [one["status"] for one in requests(logged)] == [200, 422, 422, 200]


def test_what_fails_is_told_without_the_question(running: Runtime, logged: io.StringIO) -> None:
    broken = replace(running, service=Failing(RuntimeError(f"cannot read {SECRET}")))  # type: ignore[arg-type]
    with TestClient(create_app(broken), base_url="http://localhost", raise_server_exceptions=False) as client:
        reply = client.post("/v1/ask", json={"question": SECRET}, headers={"X-Request-ID": "trace-1"})
    assert reply.status_code == 500
    assert SECRET not in logged.getvalue()
    (failure,) = [line for line in lines(logged) if line["level"] == "error"]
    assert failure["message"] == "POST /v1/ask failed"
    assert failure["request_id"] == "trace-1"
    assert "RuntimeError" in failure["exception"]


@pytest.mark.parametrize("given", ["4bf92f3577b34da6a3ce929d0e0e4736", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "a.b_c-1"])
def test_a_well_formed_id_is_taken_from_the_request_and_given_back(
    running: Runtime, logged: io.StringIO, given: str
) -> None:
    with TestClient(create_app(running), base_url="http://localhost") as client:
        assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    assert [one["request_id"] for one in requests(logged)] == [given]


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, 'a"b', "<script>", SECRET + "?", "\xe9"])
def test_any_other_id_is_replaced_by_one_of_ours(running: Runtime, logged: io.StringIO, given: str) -> None:
    with TestClient(create_app(running), base_url="http://localhost") as client:
        made = client.get("/healthz", headers=[(b"X-Request-ID", given.encode("latin-1"))]).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert [one["request_id"] for one in requests(logged)] == [made]


async def _read(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request_id.get()))


def test_each_request_has_an_id_of_its_own_and_none_is_left_behind() -> None:
    told: list[Handled] = []
    app = RequestLog(Starlette(routes=[Route("/", _read)]), told.append)
    client = TestClient(app)
    seen = [client.get("/").text for _ in range(3)]
    assert len({*seen, "None"}) == 4
    assert request_id.get() is None
    assert [(one.method, one.route, one.status, one.key) for one in told] == [("GET", "/", 200, None)] * 3


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Reply nothing: the client is gone."""


def test_a_client_that_left_before_there_was_a_reply_is_told_as_such() -> None:
    told: list[Handled] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/ask", "headers": []}
    asyncio.run(RequestLog(_nothing, told.append)(scope, receive, send))
    assert [(one.method, one.route, one.status) for one in told] == [("POST", "/v1/ask", 499)]


def test_places_are_named_by_a_bounded_set_of_words() -> None:
    assert place("DELETE", "/v1/conversations/abc") == "DELETE /v1/conversations/{id}"
    assert place("BREW", "/v1/conversations/abc/def") == "other (none)"
    assert place("GET", "/v1/models/any/name") == "GET /v1/models/{name}"

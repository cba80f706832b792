"""How long one client may keep a server waiting: slow ones are cut off, half-closed ones count as gone."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api import server
from api.connections import BoundedConnection
from api.server import Serving, listen
from tests.waiting import SECONDS, until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PIECE = b"x" * 65_536


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "head_seconds", 0.3)
    monkeypatch.setattr(BoundedConnection, "stalled_seconds", 0.3)


@pytest.fixture
def port() -> Iterator[int]:
    """Yield the port of a server that has nothing but health checks yet."""
    bound = listen("127.0.0.1", 0)
    with Serving(bound):
        yield bound.getsockname()[1]
    bound.close()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        yield client


def rest(client: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            received += piece
    return bytes(received)


def status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    """Yield the port of an application of the test's own."""
    bound = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http=BoundedConnection)
    serving = uvicorn.Server(config)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield bound.getsockname()[1]
    finally:
        serving.should_exit = True
        thread.join(SECONDS)
        bound.close()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: local", HEALTH[:-2]])
def test_who_does_not_end_the_head_of_a_request_is_cut_off(port: int, sent: bytes) -> None:
    with connected(port) as slow:
        slow.sendall(sent)
        assert rest(slow) == b""
    assert status(port) == 200


def test_a_second_request_on_a_connection_has_no_more_time_than_the_first(port: int) -> None:
    with connected(port) as slow:
        slow.sendall(HEALTH)
        assert slow.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        slow.sendall(HEALTH[:-2])
        rest(slow)
    assert status(port) == 200


def test_clients_that_hold_every_connection_hold_them_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 4)
    monkeypatch.setattr(BoundedConnection, "head_seconds", 3.0)
    bound = listen("127.0.0.1", 0)
    with Serving(bound):
        port = bound.getsockname()[1]
        holding = [socket.create_connection(("127.0.0.1", port)) for _ in range(6)]
        until(lambda: status(port) == 503)
        until(lambda: status(port) == 200)
        for one in holding:
            one.close()
    bound.close()


def test_who_sends_slowly_but_in_time_is_answered(port: int) -> None:
    with connected(port) as client:
        for at in range(0, len(HEALTH), 10):
            client.sendall(HEALTH[at : at + 10])
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def test_who_does_not_take_a_reply_is_cut_off_and_the_work_for_it_ends() -> None:
    ended = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        ended.set()

    with served(app) as port, connected(port) as client:
        client.sendall(HEALTH)
        assert ended.wait(SECONDS)
        assert len(rest(client)) < 1_000 * len(PIECE)


def test_who_takes_a_long_reply_gets_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "stalled_seconds", SECONDS)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        for number in range(300):
            await send({"type": "http.response.body", "body": PIECE, "more_body": number < 299})

    with served(app) as port, connected(port) as client:
        client.sendall(HEALTH)
        assert rest(client).count(b"x") == 300 * len(PIECE)


def test_a_connection_whose_sending_half_was_closed_counts_as_gone(port: int) -> None:
    gone = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    with served(app) as other, connected(other) as client:
        client.sendall(HEALTH)
        client.shutdown(socket.SHUT_WR)
        assert rest(client) == b""
        assert gone.wait(SECONDS)
    with connected(port) as client:
        client.sendall(HEALTH[:-2])
        client.shutdown(socket.SHUT_WR)
        assert rest(client) == b""
    assert status(port) == 200


@pytest.mark.parametrize(
    "request_lines",
    [
        "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nHost: attacker.example.org\r\nContent-Length: 0",
        "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6",
        "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1",
        "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b",
        "GET /healthz HTTP/1.1",
        "GET /healthz\r\nHost: localhost",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /" + "a" * 200_000 + " HTTP/1.1\r\nHost: localhost",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "a" * 200_000,
    ],
)
def test_what_could_be_read_in_two_ways_or_is_no_http_is_refused(port: int, request_lines: str) -> None:
    with connected(port) as client:
        with suppress(ConnectionError):
            client.sendall(f"{request_lines}\r\n\r\n".encode("latin-1"))
        answer = rest(client)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:100]
        assert answer.count(b"HTTP/1.1") <= 1
    assert status(port) == 200


def test_a_server_gives_memory_back_for_as_long_as_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    given, bound = [], listen("127.0.0.1", 0)
    monkeypatch.setattr(server, "_GIVE_BACK_SECONDS", 0.0)
    monkeypatch.setattr(server, "settle", lambda: None)  # it is for a whole process, and this one is the tests'

    def give_back() -> None:
        given.append(time.monotonic())
        if len(given) == 3:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(server, "give_back", give_back)
    with Serving(bound) as serving:
        serving.run(FastAPI(), ready=lambda: None)
    bound.close()
    assert len(given) >= 3

"""A server as a process: not ready until it is, stopped at once while it starts, replaced without losing anything."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fakes import write_files
from tests.serving import CITESPAN
from tests.shelf import shelf
from tests.waiting import until

REPOSITORY = Path(__file__).resolve().parent.parent
SECONDS = 120.0
# As a service manager does it: the process that writes its id down becomes the server.
_TAKES_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def server(
    library: Path, *arguments: str, handed: socket.socket | None = None, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Yield a server that starts."""
    command = [sys.executable, "-m", "tests.plain_server", "--library", str(library), "serve", *arguments]
    if handed is not None:
        command = [sys.executable, "-c", _TAKES_OVER, str(handed.fileno()), *command]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, pass_fds=[] if handed is None else [handed.fileno()],
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def until_ready(process: subprocess.Popen[str]) -> int:
    """Return the port of a server, once it answers."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("serving on "):
            return int(line.rpartition(":")[2])
    raise AssertionError("the server ended")


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return shelf(tmp_path, {"keeper.md": "# The lighthouse\n\nThe keeper of the lighthouse is Edda Holm.\n"})


def test_a_server_that_starts_says_so_and_lets_others_wait(library: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with server(library, "--port", str(port), SLOW_START="4") as process:
        told: list[int] = []

        def is_up() -> bool:
            with suppress(ConnectionRefusedError):
                told.append(get(port, "/readyz")[0])
            return bool(told)

        until(is_up)
        assert told == [503]
        assert get(port, "/healthz")[0] == 200
        status, listed = get(port, "/v1/documents")
        assert (status, json.loads(listed)["data"][0]["uri"]) == (200, "keeper.md")
        assert until_ready(process) == port
        assert get(port, "/readyz")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def test_a_server_that_is_interrupted_while_it_starts_ends_at_once(library: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as handed, server(library, handed=handed, SLOW_START="100") as process:
        assert get(handed.getsockname()[1], "/healthz")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 130
        assert process.stdout is not None
        assert "Traceback" not in process.stdout.read()


def ask(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        body = json.dumps({"question": "Who is the keeper of the lighthouse?"})
        connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read()).get("answer", "")
    finally:
        connection.close()


def test_a_server_that_is_stopped_finishes_its_questions_and_turns_new_ones_away(library: Path) -> None:
    with server(library, "--port", "0", SLOW_QUESTION="4") as process, ThreadPoolExecutor() as pool:
        port = until_ready(process)
        running = pool.submit(ask, port)
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        until(lambda: get(port, "/readyz")[0] == 503)
        status, told = get(port, "/v1/documents")
        assert (status, json.loads(told)["type"]) == (503, "urn:citespan:problem:stopping")
        assert get(port, "/healthz")[0] == 200
        status, answer = running.result(SECONDS)
        assert (status, "Edda Holm" in answer) == (200, True)
        assert process.wait(SECONDS) == 0


def test_a_stream_that_does_not_end_in_time_is_told_that_the_server_stops(library: Path) -> None:
    with server(library, "--port", "0", HANGS="yes") as process:
        port = until_ready(process)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        connection.request("POST", "/v1/ask", json.dumps({"question": "Who is the keeper?"}), headers)
        response = connection.getresponse()
        assert b"event: retrieval\n" in (response.readline(), response.readline())
        process.send_signal(signal.SIGTERM)
        rest = response.read().decode()
        connection.close()
        assert process.wait(SECONDS) == 0
    assert "event: error" in rest
    assert "urn:citespan:problem:stopping" in rest


def test_no_request_is_lost_when_a_server_takes_over_the_socket_of_another(library: Path) -> None:
    seen: list[tuple[int, bytes]] = []
    failed: list[BaseException] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as handed:
        port = handed.getsockname()[1]

        def keep_asking() -> None:
            while not over.is_set():
                try:
                    seen.append(get(port, "/v1/documents"))
                except BaseException as error:  # whatever it is, it is a request that was lost
                    failed.append(error)

        clients = [threading.Thread(target=keep_asking) for _ in range(4)]
        try:
            with server(library, handed=handed) as first:
                until_ready(first)
                for one in clients:
                    one.start()
                until(lambda: len(seen) > 20)
                first.send_signal(signal.SIGTERM)
                assert first.wait(SECONDS) == 0
            before = len(seen)
            with server(library, handed=handed) as second:
                until_ready(second)
                until(lambda: len(seen) > before + 20)
                over.set()
                for one in clients:
                    one.join(SECONDS)
                second.send_signal(signal.SIGTERM)
                assert second.wait(SECONDS) == 0
        finally:
            over.set()
    assert failed == []
    assert {status for status, _ in seen} == {200}
    assert len({body for _, body in seen}) == 1


def test_the_command_refuses_a_socket_that_is_none_of_tcp(tmp_path: Path) -> None:
    write_files(tmp_path, {"library/none": ""})
    with socket.socket(socket.AF_UNIX) as unix:
        serve = [CITESPAN, "--library", str(tmp_path / "library"), "serve"]
        command = [sys.executable, "-c", _TAKES_OVER, str(unix.fileno()), *serve]
        done = subprocess.run(
            command, pass_fds=[unix.fileno()], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("citespan: the socket handed over is not one of TCP")

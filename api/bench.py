"""`citespan bench`: a real server, asked over HTTP, timed from outside."""

from __future__ import annotations

import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from api.settings import Settings
from index.errors import CitespanError

_START_SECONDS = 180.0
_ASK_SECONDS = 60.0


class ServerDidNotStart(CitespanError):
    """The server that was to be measured ended, or never became ready."""

    code = "server-did-not-start"


def bench(settings: Settings, questions: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return what a server on the library takes: seconds to ready, milliseconds a question, MiB resident.

    Each of `questions` is asked `rounds` times, one after the other on one connection, after one round that is not
    counted.
    """
    # -P: a folder named `api` where this is started is not ours.
    command = [sys.executable, "-P", "-m", "api.cli", "--library", str(settings.library)]
    command += ["serve", "--host", "127.0.0.1", "--port", "0"]
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = _wait_until_ready(server)
        ready = time.perf_counter() - started
        loaded = _resident_mib(server.pid)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_SECONDS)
        for question in questions:
            _ask(connection, question)
        taken = sorted(_ask(connection, question) for _ in range(rounds) for question in questions)
        connection.close()
        return {
            **machine(),
            "questions": len(questions),
            "rounds": rounds,
            "seconds from start to ready": round(ready, 1),
            "median milliseconds a question": round(statistics.median(taken), 1),
            "p95 milliseconds": round(taken[int(0.95 * (len(taken) - 1))], 1),
            "p99 milliseconds": round(taken[int(0.99 * (len(taken) - 1))], 1),
            "MiB resident when ready": loaded,
            "MiB resident after the questions": _resident_mib(server.pid),
        }
    finally:
        server.terminate()
        server.wait(30)
        if server.stdout is not None:
            server.stdout.close()


def machine() -> dict[str, Any]:
    """Return what a measurement ran on."""
    parts = ("citespan", "torch", "sentence-transformers", "onnxruntime", "faiss-cpu", "tantivy")
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": ", ".join(f"{part} {version(part)}" for part in parts),
    }


def _wait_until_ready(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    deadline = time.monotonic() + _START_SECONDS
    for line in server.stdout:
        if line.startswith("serving on http://"):
            return int(line.rsplit(":", 1)[1])
        if time.monotonic() > deadline:
            break
    raise ServerDidNotStart("the server did not become ready; `citespan doctor` says what is wrong")


def _ask(connection: http.client.HTTPConnection, question: str) -> float:
    """Return how many milliseconds one question took."""
    body = json.dumps({"question": question})
    started = time.perf_counter()
    connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    taken = (time.perf_counter() - started) * 1000
    if response.status != 200:
        raise ServerDidNotStart(f"a question was answered with {response.status}: {content[:200]!r}")
    return taken


def _resident_mib(pid: int) -> int | None:
    """Return the resident memory of a process, None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123
            line = next(line for line in file if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return None
    return int(line.split()[1]) // 1024

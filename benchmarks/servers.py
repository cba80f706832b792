"""Real servers to measure: `citespan serve` in a process of its own, asked over one connection."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# -P: a folder named `api` where this is started is not ours.
CITESPAN = (sys.executable, "-P", "-m", "api.cli")
_ASK_SECONDS = 120.0
_STOP_SECONDS = 30.0


class ServerFailed(Exception):
    """A server that was to be measured ended, or answered with an error."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready, how many seconds after its start it was, and a connection to it."""

    pid: int
    ready: float
    connection: http.client.HTTPConnection = field(repr=False)

    def ask(self, question: str) -> tuple[float, dict[str, Any]]:
        """Return how many milliseconds one question took, and the reply."""
        body = json.dumps({"question": question})
        started = time.perf_counter()
        self.connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        content = response.read()
        taken = (time.perf_counter() - started) * 1000
        if response.status != 200:
            raise ServerFailed(f"a question was answered with {response.status}: {content[:200]!r}")
        reply: dict[str, Any] = json.loads(content)
        return taken, reply

    def resident_mib(self) -> dict[str, int]:
        """Return its memory in MiB: `resident`, of which `own` is not a file's that the system could drop."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":", 1) for line in lines)
        return {
            name: int(sizes[field].split()[0]) // 1024 for name, field in (("resident", "VmRSS"), ("own", "RssAnon"))
        }


@contextmanager
def serving(library: Path, citespan: Sequence[str] = CITESPAN) -> Iterator[Server]:
    """Yield a server over `library`, on a free port, for as long as the context lasts; `citespan` is the command.

    :raises ServerFailed: if it ends before it is ready.
    """
    command = [*citespan, "--library", str(library), "serve", "--port", "0"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = next((line for line in process.stdout if line.startswith("serving on http://")), None)
            if address is None:
                raise ServerFailed(f"the server on {library} ended before it was ready")
            ready = time.perf_counter() - started
            connection = http.client.HTTPConnection("127.0.0.1", int(address.rsplit(":", 1)[1]), timeout=_ASK_SECONDS)
            yield Server(process.pid, ready, connection)
            connection.close()
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

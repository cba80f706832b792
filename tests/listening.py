"""Servers of the test's own: what is sent to them is kept, and answered as the test says."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came, with the names of its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request is answered with."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that listens at `url`."""

    url: str
    received: queue.Queue[Received]

    def next(self) -> Received:
        """Return the oldest request that was not looked at yet; wait for it if need be."""
        return self.received.get(timeout=SECONDS)


def fine(_: Received) -> Answered:
    return Answered()


@contextmanager
def listening(respond: Callable[[Received], Answered] = fine) -> Iterator[Listener]:
    """Yield a server on a free port of this machine."""
    received: queue.Queue[Received] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.command, self.path, headers, self.rfile.read(length))
            received.put(request)
            answered = respond(request)
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answered.body)))
            self.end_headers()
            self.wfile.write(answered.body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Print nothing: a client that goes away is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Listener(f"http://127.0.0.1:{server.server_port}", received)
        finally:
            server.shutdown()
            thread.join()

"""`citespan serve`: take the port, bring the library in step, answer."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from index.errors import CitespanError

# How long requests under way may take to finish when the server is asked to stop.
_GRACE_SECONDS = 10


class PortTaken(CitespanError):
    """The address cannot be listened on."""

    code = "port-taken"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, so that a taken port is found before any work is done.

    :raises PortTaken: if it cannot be.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol has to be named: asyncio sets TCP_NODELAY only then, and without it every reply waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        # Only a socket that listens keeps others off; whoever connects early waits until the models are loaded.
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"port {port} on {host} is in use; stop what uses it, or pass --port 0 for a free one"
            ) from error
        raise PortTaken(
            f"cannot listen on {host} port {port} ({error.strerror or error}); pass another --host or --port"
        ) from error
    return bound


def address(bound: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, bound: socket.socket, ready: Callable[[], None]) -> None:
    """Serve `app` on `bound` until interrupted; `ready` is called when requests are answered.

    The application is passed as an object, never by an import string: a foreign `api` in the working directory would
    win.
    """
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    _Server(config, ready).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Tells when it is up, and returns when it is told to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's: that one raises the signal once more after a clean end, which kills the process before the
        # library is closed.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

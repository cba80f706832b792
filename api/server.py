"""`citespan serve`: take the port and hold it, answer, and stop without leaving anybody in the lurch."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.connections import BoundedConnection, Troubles
from api.door import Door
from api.keys import Keys
from api.settings import Settings
from api.systemd import notify
from index.errors import CitespanError
from index.memory import give_back

# How long requests under way may take to finish when the server is asked to stop.
_GRACE_SECONDS = 10.0
# Who was let in before the socket went on to the next server is about to send a request: it is waited for.
_LINGER_SECONDS = 0.5
# So long before the end whoever has no reply yet is told that there will be none.
_FAREWELL_SECONDS = 1.0
_LOOK_SECONDS = 0.05
# How often memory that questions left free goes back to the system: 3 ms beside whoever is answered.
_GIVE_BACK_SECONDS = 30.0
# How long a thread computes before another one may. The loop that takes requests and answers health checks needs the
# interpreter several times for each, and would wait five milliseconds for every question at work, every time.
_SWITCH_SECONDS = 0.001
# More at once are turned away with 503: each may hold memory.
_CONNECTIONS = 1_000


class PortTaken(CitespanError):
    """The address cannot be listened on."""

    code = "port-taken"


class Exposed(CitespanError):
    """The server would be open to others, and nobody said that it may be."""

    code = "exposed"


class CertificateUnusable(CitespanError):
    """HTTPS cannot be spoken with this certificate and key."""

    code = "certificate-unusable"


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


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def place(bound: socket.socket) -> dict[str, str | int]:
    """Return the host and the port of a bound socket, as the settings have them."""
    host, port = bound.getsockname()[:2]
    return {"host": host, "port": port}


def address(bound: socket.socket, scheme: str = "http") -> str:
    """Return the URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def expect_private(settings: Settings) -> None:
    """Raise Exposed if others can reach the address and read without a key, unless that is meant."""
    if is_loopback(settings.host) or settings.insecure or Keys(settings.library).any_yet:
        return
    raise Exposed(
        f"others can reach {settings.host}, and whoever does could read the library: make a key with `citespan keys "
        "create NAME`, listen on 127.0.0.1, or, if everybody may read it, pass --insecure"
    )


@dataclass(frozen=True, slots=True)
class Transport:
    """How a server is spoken to: the proxies that are believed, and the certificate and its key for HTTPS."""

    proxies: str = "127.0.0.1"
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Transport:
        return cls(settings.forwarded_allow_ips, settings.tls_cert, settings.tls_key)

    @property
    def scheme(self) -> str:
        """What addresses begin with."""
        return "http" if self.certificate is None else "https"

    def expect_certificate(self) -> None:
        """Raise CertificateUnusable if there is one to serve with and it cannot be."""
        if self.certificate is None:
            return
        try:
            # A key with a password would wait for somebody to type it.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            raise CertificateUnusable(
                f"{self.certificate} and {self.key} cannot be served with ({error}); give a certificate with its "
                "chain, and its key without a password, both in PEM"
            ) from error


def settle() -> None:
    """Let the process, which has loaded all that it needs, answer without pauses."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded by now stays: looking through it for garbage would hold everything up for a tenth of a second.
    gc.collect()
    gc.freeze()


class Serving:
    """A server, as a context manager: from its beginning on it says how it does, and holds the requests of others.

    It runs in a thread of its own. The main thread loads what is served, and is where signals arrive.
    """

    def __init__(self, bound: socket.socket, *, handed_over: bool = False, transport: Transport | None = None) -> None:
        """`handed_over`: whether `bound` outlives this process, so that who comes while it stops waits for the next."""
        self._bound = bound
        self._door = Door()
        transport = Transport() if transport is None else transport
        # Its log is the process's own; requests are logged by the application, without what users wrote.
        config = uvicorn.Config(
            self._door, log_config=None, log_level="warning", access_log=False, server_header=False, lifespan="off",
            http=BoundedConnection, limit_concurrency=_CONNECTIONS, forwarded_allow_ips=transport.proxies,
            ssl_certfile=transport.certificate, ssl_keyfile=transport.key,
        )  # fmt: skip
        self._server = _Server(config, self._door, handed_over=handed_over)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self._error: BaseException | None = None
        self._handlers: dict[int, signal.Handlers | int | Callable[[int, FrameType | None], object] | None] = {}

    def __enter__(self) -> Serving:
        self._handlers = {one: signal.signal(one, self._server.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        self._thread.start()
        try:
            self._server.is_up.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        for one, handler in self._handlers.items():
            signal.signal(one, handler)

    def run(self, app: FastAPI, ready: Callable[[], None]) -> None:
        """Serve `app` until told to stop; `ready` is called when requests are answered.

        The application is passed as an object, never by an import string: a foreign `api` in the working directory
        would win.
        """
        settle()
        if self._server.loop is not None:
            asyncio.run_coroutine_threadsafe(self._door.open(app), self._server.loop).result()
            self._server.is_open = True
            ready()
            notify("READY=1", os.environ)
            given_back = time.monotonic()
            # Not without end: a signal that comes right before such a wait would be seen only after it.
            while self._thread.is_alive():
                self._thread.join(_LOOK_SECONDS)
                if time.monotonic() - given_back >= _GIVE_BACK_SECONDS:
                    give_back()
                    given_back = time.monotonic()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._bound])
        except BaseException as error:
            self._error = error
        finally:
            self._server.is_up.set()


class _Server(uvicorn.Server):
    """Tells when it is up, and stops gently."""

    def __init__(self, config: uvicorn.Config, door: Door, *, handed_over: bool) -> None:
        super().__init__(config)
        self._door = door
        self._handed_over = handed_over
        self.is_up = threading.Event()
        self.is_open = False
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(Troubles())
        self.is_up.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's: that one raises the signal once more after a clean end, which kills the process before the
        # library is closed.
        if not self.is_open:
            # This is the main thread, at loading or syncing: that ends at once, and says how far it came.
            raise KeyboardInterrupt
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        notify("STOPPING=1", os.environ)
        deadline = time.monotonic() + _GRACE_SECONDS
        self._door.stop(answers=self._handed_over)
        if self._handed_over:
            for server in self.servers:
                server.close()
            await asyncio.sleep(_LINGER_SECONDS)
        # Else who comes meanwhile is told so: a closed port tells nothing.
        while self._door.at_work and time.monotonic() < deadline - _FAREWELL_SECONDS and not self.force_exit:
            await asyncio.sleep(_LOOK_SECONDS)
        self._door.cut()
        self.config.timeout_graceful_shutdown = max(1, round(deadline - time.monotonic()))
        await super().shutdown(sockets)
        await self._door.close()

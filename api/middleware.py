"""What holds for every request: whom it may be for, how large it may be, and what browsers may do with its response."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import INTERNAL, problem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^][:@/]+)(?::[0-9]+)?")
_log = logging.getLogger(__name__)


class SecurityHeaders:
    """Adds the headers that keep a browser from running, framing or leaking anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send if scope["type"] != "http" else send_with_headers)


class Failures:
    """Answers with problem 500 where the application failed, and tells only the log what it was."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            if started or scope["type"] != "http":
                raise
            _log.exception("%s %s failed", scope["method"], scope["path"])
            response = problem(500, "internal-error", INTERNAL)
            await response(scope, receive, send)


class KnownHosts:
    """Refuses requests that call this server by a name it does not go by; "*" among `names` admits all."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self._names:
            called = _HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
            if called is None or called[1] not in self._names:
                detail = "this server does not go by that name; CITESPAN_ALLOWED_HOSTS lists further ones"
                response = problem(400, "unknown-host", detail)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses request bodies over `largest` bytes with 413, whether or not they announce their length."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._largest:
            await self._refuse(scope, receive, send)
            return
        # The body is read here, once: it is small by this very limit, and the application sees it whole or not at all.
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._largest:
                await self._refuse(scope, receive, send)
                return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = problem(413, "request-too-large", f"the request is over {self._largest:,} bytes")
        await response(scope, receive, send)

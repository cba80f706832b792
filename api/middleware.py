"""What holds for every request: whom it may be for and come from, how large it may be, what browsers may do with it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import INTERNAL, problem
from api.request_log import place
from api.uploads import RequestTooLarge

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
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
UPLOADS = "/v1/documents"
_LONGEST_ADDRESS = 8_192
_LARGEST_HEADERS = 32_768
# For a body without documents, which has a megabyte at most.
_BODY_SECONDS = 30.0
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
            _log.exception("%s failed", place(scope["method"], scope["path"]))
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


class OwnPages:
    """Refuses what a page of another site makes a browser send, unless it only reads: forms need no permission.

    A page is ours if it comes from one of `names`, or from the very name that the request calls this server by.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], origins: Iterable[str] = ()) -> None:
        """`origins` are other sites that are as good as our own."""
        self._app = app
        self._names = frozenset(name.lower() for name in names) - {"*"}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _SAFE and not self._is_ours(Headers(scope=scope)):
            response = problem(403, "cross-site", "a page of another site sent this; it may not")
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin in self._origins:
            return True
        if headers.get("sec-fetch-site") == "cross-site":
            return False
        if origin is None:
            return True
        scheme, _, rest = origin.lower().partition("://")
        page = _HOST.fullmatch(rest)
        called = _HOST.fullmatch(headers.get("host", "").lower())
        if scheme not in ("http", "https") or page is None:
            return False
        return page[1] in self._names or (called is not None and page[1] == called[1])


class HeadLimit:
    """Refuses an address or headers that are longer than anything that is asked here, and two lengths of one body.

    A proxy may believe the other of the two, and what is behind its end would be another request (smuggling).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            address = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
            headers = sum(len(name) + len(value) for name, value in scope["headers"])
            if address > _LONGEST_ADDRESS:
                await problem(414, "address-too-long", f"the address is over {_LONGEST_ADDRESS:,} bytes")(
                    scope, receive, send
                )
                return
            if headers > _LARGEST_HEADERS:
                detail = f"the headers are over {_LARGEST_HEADERS:,} bytes"
                await problem(431, "headers-too-large", detail)(scope, receive, send)
                return
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
                detail = "send Content-Length or Transfer-Encoding, not both"
                close = {"Connection": "close"}
                await problem(400, "ambiguous-length", detail, headers=close)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses request bodies over `largest` bytes with 413, whether or not they announce their length; what has not
    arrived after `seconds` with 408.

    Documents that are sent may have `uploads` bytes; they are counted while they pass and never held here.
    """

    def __init__(self, app: ASGIApp, largest: int, uploads: int, seconds: float = _BODY_SECONDS) -> None:
        self._app = app
        self._largest = largest
        self._uploads = uploads
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["path"] == UPLOADS and scope["method"] == "POST"
        largest = self._uploads if is_upload else self._largest
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > largest:
            response = problem(413, RequestTooLarge.code, _too_large(largest))
            await response(scope, receive, send)
        elif is_upload:
            await self._app(scope, _counted(receive, largest), send)
        else:
            await self._read_first(scope, receive, send)

    async def _read_first(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The body is read here, once: it is small by this very limit, and the application sees it whole or not at all.
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._body(receive)
        except TimeoutError:
            await problem(408, "request-timeout", "the request did not arrive in time")(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > self._largest:
            await problem(413, RequestTooLarge.code, _too_large(self._largest))(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Return a body as far as it is not too large; None if its sender went away."""
        body = bytearray()
        more = True
        while more and len(body) <= self._largest:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)


def _counted(receive: Receive, largest: int) -> Receive:
    """Return a `receive` that raises RequestTooLarge after `largest` bytes."""
    count = 0

    async def counting() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > largest:
            raise RequestTooLarge(_too_large(largest))
        return message

    return counting


def _too_large(largest: int) -> str:
    return f"the request is over {largest:,} bytes"

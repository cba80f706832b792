"""Requests: each gets an id, which its reply carries, and a line in the log that says what became of it.

Of what users wrote nothing is in it, not even the path: the template of its route stands for it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import templates
from api.logs import request_id

HEADER = "X-Request-ID"
NO_ROUTE = "(none)"
"""What stands for the route of a request that no route is for."""
CLIENT_GONE = 499
"""The status of a request whose client left before there was a reply."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What proxies make: hex, UUIDs, ULIDs, base64url. Nothing else is repeated, in a log or to anybody.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TEMPLATES = tuple((re.sub(r":\w+}", "}", path), compile_path(path)[0]) for path in templates())
_log = logging.getLogger("citespan.requests")


@dataclass(frozen=True, slots=True)
class Handled:
    """A request that is over: what may be known of it outside.

    `status` is CLIENT_GONE if nothing was sent; `key` the public id of the key that it showed.
    """

    method: str
    route: str
    status: int
    seconds: float
    key: str | None = None


class RequestLog:
    """Gives every request an id, which the reply carries, and logs and tells what became of it."""

    def __init__(self, app: ASGIApp, told: Callable[[Handled], None]) -> None:
        self._app = app
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        name = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        status = CLIENT_GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        before = request_id.set(name)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            # Nobody but a server that stops does that; it tells the client so itself.
            status = status if status != CLIENT_GONE else 503
            raise
        finally:
            method, _, route = place(scope["method"], scope["path"]).partition(" ")
            # The guard puts there whose key it was; an empty one stands for nobody's.
            key = getattr(scope.get("state", {}).get("caller"), "key", None)
            seconds = time.perf_counter() - began
            handled = Handled(method, route, status, seconds, key if key else None)
            self._told(handled)
            _tell(handled)
            request_id.reset(before)


def template(path: str) -> str:
    """Return the template of the route that a path is for, as `/v1/documents/{id}`; NO_ROUTE if there is none."""
    return next((name for name, pattern in _TEMPLATES if pattern.fullmatch(path)), NO_ROUTE)


def place(method: str, path: str) -> str:
    """Return what a request is called in the log: its method, if it is one, and the template of its route."""
    return f"{method if method in _METHODS else 'other'} {template(path)}"


def _tell(handled: Handled) -> None:
    ms = round(handled.seconds * 1000, 1)
    known = {"method": handled.method, "route": handled.route, "status": handled.status, "ms": ms, "key": handled.key}
    _log.info("%s %s %d %.1f ms", handled.method, handled.route, handled.status, ms, extra=known)

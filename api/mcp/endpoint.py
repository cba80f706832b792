"""`/mcp`: the MCP server over streamable HTTP. No sessions: every request stands by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.mcp.server import Context, build
from api.routes.common import visit_of
from api.visit import Visit

PATH = "/mcp"


class Endpoint:
    """The application at PATH, while it is `serving`.

    Host, origin and size of requests are the middleware's to look at; the SDK's own checks know our names less well.
    """

    def __init__(self, largest_request: int) -> None:
        self._largest_request = largest_request
        self._manager: StreamableHTTPSessionManager | None = None

    def route(self) -> Route:
        """Return the route to it. There is no stream to GET and no session to DELETE: the protocol has 405 for both."""
        return Route(PATH, self, methods=["POST"], include_in_schema=False)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer requests until the context ends; what is under way then is stopped."""
        # Replies are event streams, not plain JSON: only so is a client that goes away noticed, and the work stopped.
        manager = StreamableHTTPSessionManager(
            build(_visit_of), stateless=True, max_request_body_size=self._largest_request
        )
        async with manager.run():
            # An application can be started twice, as by a test client within a test client.
            before, self._manager = self._manager, manager
            try:
                yield
            finally:
                self._manager = before

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._manager is not None, "the application was not started"
        await self._manager.handle_request(scope, receive, send)


def _visit_of(context: Context) -> Visit:
    request = context.request
    assert isinstance(request, Request), "a message that came by no request"
    return visit_of(request)

"""What the routes that send events share: waiting for what a client may not wait for, and the stream itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import TypeVar

from anyio import Event
from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.gate import Abandoned

EVENTS = "text/event-stream"
_PING_SECONDS = 15
_GRACE_SECONDS = 5
_Result = TypeVar("_Result")

sent = partial(ServerSentEvent, sep="\n")
"""An event as it is sent."""


def stream_of(events: AsyncIterator[ServerSentEvent]) -> EventSourceResponse:
    """Return the response that sends events, with a comment now and then so that nobody takes it for dead."""
    return EventSourceResponse(
        events,
        ping=_PING_SECONDS,
        ping_message_factory=lambda: sent(comment="ping"),
        sep="\n",
        # A server that is told to stop lets what it has begun come to its end: less than its own patience.
        shutdown_event=Event(),
        shutdown_grace_period=_GRACE_SECONDS,
    )


async def unless_gone(request: Request, work: Awaitable[_Result]) -> _Result:
    """Return what `work` comes to.

    :raises Abandoned: if the client goes away before; the work is stopped then.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Abandoned
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

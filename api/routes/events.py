"""What the routes that send events share: waiting for what a client may not wait for, and the stream itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from anyio import CancelScope, Event
from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.gate import Abandoned, Stopping

EVENTS = "text/event-stream"
_PING_SECONDS = 15
# A server that is told to stop lets what it has begun come to its end, within its own ten seconds; a stream that does
# not is told so, and what is not told by then is cut off.
_PATIENCE_SECONDS = 7.0
_GRACE_SECONDS = 9.0
_Result = TypeVar("_Result")

sent = partial(ServerSentEvent, sep="\n")
"""An event as it is sent."""


def stream_of(events: Callable[[Event], AsyncIterator[ServerSentEvent]]) -> EventSourceResponse:
    """Return the response that sends events, with a comment now and then so that nobody takes it for dead.

    :param events: makes them, given what is set when the server is told to stop.
    """
    stops = Event()
    return EventSourceResponse(
        events(stops),
        ping=_PING_SECONDS,
        ping_message_factory=lambda: sent(comment="ping"),
        sep="\n",
        shutdown_event=stops,
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


async def in_time(work: Awaitable[_Result], stops: Event) -> _Result:
    """Return what `work` comes to.

    :raises Stopping: if the server stops and it takes too long; the work is stopped then.
    """
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(_patience(stops))
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopping
        return working.result()
    finally:
        waiting.cancel()
        working.cancel()
        # Whatever it holds is free again only when it has ended, also where it is the client that has gone away.
        with CancelScope(shield=True):
            await asyncio.wait((working,))


async def _patience(stops: Event) -> None:
    await stops.wait()
    await asyncio.sleep(_PATIENCE_SECONDS)


async def _left(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

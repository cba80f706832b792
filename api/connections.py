"""How long one connection may keep the server waiting: for the head of a request, and for a reply to be taken.

uvicorn waits for both without end. A body has its own limit (`middleware.BodyLimit`), which can answer. And what is
done about connections that cannot be had: the process asks for enough file handles, and says once a minute that it has
none.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

# For a thousand connections, and for each thread of those at work its own of the library.
_HANDLES = 4_096
_QUIET_SECONDS = 60.0
_log = logging.getLogger(__name__)


def ask_for_handles() -> None:
    """Raise the soft limit of open files to what a full server needs, as far as the hard one lets it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _HANDLES if hard == resource.RLIM_INFINITY else min(_HANDLES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Troubles:
    """Logs what goes wrong in an event loop outside of any request, the same only once a minute.

    asyncio tells each failure to accept a connection: without file handles that is many thousand lines a second.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        what = f"{context['message']} ({type(context.get('exception')).__name__})"
        now = self._clock()
        if now - self._told.get(what, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._told[what] = now
            _log.error("%s", what, exc_info=context.get("exception"))


class BoundedConnection(H11Protocol):
    """uvicorn's connection, which is closed when its client lets the server wait for too long."""

    head_seconds: ClassVar[float] = 30.0
    """From the first byte of a request's head, or the beginning of the connection, to the head's end."""
    stalled_seconds: ClassVar[float] = 60.0
    """For what is sent and not taken: until there is room again, or all of it was taken."""

    _head: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._end_head()
        elif self._head is None and (before is None or before.response_complete):
            self._head = self.loop.call_later(self.head_seconds, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_the_client()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_stalled()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._stalled is None and self.transport.get_write_buffer_size():
            self._wait_for_the_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._end_stalled()
        super().connection_lost(exc)

    def _wait_for_the_client(self) -> None:
        self._end_stalled()
        self._stalled = self.loop.call_later(self.stalled_seconds, self._look_whether_taken)

    def _look_whether_taken(self) -> None:
        self._stalled = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _end_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

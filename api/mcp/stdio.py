"""The MCP server over standard input and output, for a client that starts it as a process of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from threading import Thread
from types import FrameType
from typing import cast

import anyio
from anyio import from_thread, lowlevel
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.stdio import stdio_server

from api.mcp.server import build
from api.visit import owners
from api.wiring import PurgeWatch, Refresher, Runtime

LONGEST = 4_000_000
"""The longest message that is read, in bytes."""

_CHUNK = 65_536
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wire:
    """Where messages come from and go to: descriptors that nothing else in this process knows of."""

    reads: int
    writes: int


@contextmanager
def wire() -> Iterator[Wire]:
    """Yield what were standard input and output. Meanwhile whatever is printed goes to standard error.

    A line of a model's among the messages would end the connection.
    """
    sys.stdout.flush()
    mine = Wire(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        yield mine
    finally:
        sys.stdout.flush()
        os.dup2(mine.reads, 0)
        os.dup2(mine.writes, 1)
        os.close(mine.writes)
        # The other one stays: a thread may still be reading it.


def serve(running: Runtime, wire: Wire) -> None:
    """Answer over `wire` until its client closes it, or until SIGTERM. For the main thread, where signals arrive."""
    watch = PurgeWatch(running.store, running.conversations)
    with Refresher(running.store, running.settings.refresh_seconds, watch.look), warnings.catch_warnings():
        # A line that comes while it ends is passed to nobody, which asyncio would tell on standard error.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        anyio.run(_serve, running, wire)


def lines(chunks: Iterable[bytes], longest: int) -> Iterator[str]:
    """Yield the lines of what comes in chunks, without their ends; one of over `longest` bytes is left out."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            if size + len(part) <= longest:
                yield b"".join([*held, part]).decode(errors="replace")
            else:
                _log.warning("a message of over %d bytes was left out", longest)
            held, size = [], 0
        size += len(rest)
        if size <= longest:
            held.append(rest)
        else:
            held.clear()
    if 0 < size <= longest:
        yield b"".join(held).decode(errors="replace")


async def _serve(running: Runtime, wire: Wire) -> None:
    # Whoever starts this process may read the library's file anyway.
    mine = owners(running)
    server = build(lambda _: mine)
    try:
        with anyio.CancelScope() as scope, _stopped_by_sigterm(scope), _output(wire.writes) as output:
            send, receive = anyio.create_memory_object_stream[str](0)
            with receive:
                token = lowlevel.current_token()
                # A thread of a pool would be waited for at the end, and a read of a silent pipe never returns.
                Thread(target=_read, args=(wire.reads, send, token), name="stdin", daemon=True).start()
                # All that is asked of it is to be iterated over.
                source = cast("anyio.AsyncFile[str]", receive)
                async with stdio_server(source, anyio.wrap_file(output)) as (reading, writing):
                    await server.run(reading, writing, server.create_initialization_options())
    except* (BrokenPipeError, ConnectionResetError):
        _log.info("the client went away in the middle of a message")


def _read(descriptor: int, send: MemoryObjectSendStream[str], token: lowlevel.EventLoopToken) -> None:
    """Send the lines of a descriptor until it ends or nobody takes them any more."""
    chunks = iter(partial(os.read, descriptor, _CHUNK), b"")
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.RunFinishedError, CancelledError):
        for line in lines(chunks, LONGEST):
            from_thread.run(send.send, line, token=token)
        from_thread.run(send.aclose, token=token)


@contextmanager
def _output(descriptor: int) -> Iterator[TextIOWrapper]:
    output = TextIOWrapper(os.fdopen(descriptor, "wb", closefd=False), encoding="utf-8", newline="\n")
    try:
        yield output
    finally:
        # What nobody reads any more cannot be flushed; unclosed, it would be tried once more at the very end.
        with suppress(OSError):
            output.close()


@contextmanager
def _stopped_by_sigterm(scope: anyio.CancelScope) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(scope.cancel)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

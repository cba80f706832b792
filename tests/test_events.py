"""Streams of events and a server that stops: what ends in time is sent whole, what does not ends with an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
import pytest

from api.gate import Stopping
from api.problems import problem_of
from api.routes import events
from api.routes.ask import _events as events_of
from api.routes.events import in_time
from api.schemas import DoneEvent
from api.streams import Flow, Piece

SECONDS = 30.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS):
            await test()

    asyncio.run(bounded())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PATIENCE_SECONDS", 0.01)


def test_what_ends_is_given_whether_or_not_the_server_stops() -> None:
    async def test() -> None:
        stops = anyio.Event()
        assert await in_time(asyncio.sleep(0, "done"), stops) == "done"
        stops.set()
        assert await in_time(asyncio.sleep(0, "done"), stops) == "done"

    run(test)


def test_what_fails_fails_as_it_would() -> None:
    async def fail() -> None:
        raise LookupError("none")

    async def test() -> None:
        with pytest.raises(LookupError, match="none"):
            await in_time(fail(), anyio.Event())

    run(test)


def test_what_does_not_end_is_stopped_and_has_ended_then() -> None:
    async def test() -> None:
        ended: list[str] = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("work")

        stops = anyio.Event()
        stops.set()
        with pytest.raises(Stopping):
            await in_time(work(), stops)
        assert ended == ["work"]

    run(test)


def test_what_is_waited_for_has_ended_when_the_waiting_is_given_up() -> None:
    async def test() -> None:
        async def pieces() -> AsyncGenerator[int]:
            await asyncio.Event().wait()
            yield 1

        made = pieces()
        with anyio.move_on_after(0.01):
            await in_time(anext(made), anyio.Event())
        # One that still ran could not be closed.
        await made.aclose()

    run(test)


def test_a_stream_that_the_server_does_not_finish_ends_with_an_error_event() -> None:
    closed: list[bool] = []

    async def pieces() -> AsyncGenerator[Piece]:
        try:
            await asyncio.Event().wait()
            yield DoneEvent(id="never", timings_ms={})
        finally:
            closed.append(True)

    async def test() -> None:
        stops = anyio.Event()
        first = DoneEvent(id="ask_1", timings_ms={})
        stream = events_of(Flow("ask_1", 0, pieces()), first, "POST /v1/ask", stops)
        assert (await anext(stream)).event == "done"
        stops.set()
        last = await anext(stream)
        assert last.event == "error"
        assert '"urn:citespan:problem:stopping"' in str(last.data)
        assert [one async for one in stream] == []
        assert closed == [True]

    run(test)


def test_who_is_told_that_the_server_stops_is_told_when_to_come_back() -> None:
    told = problem_of(Stopping(), "POST /v1/ask")
    assert (told.status_code, told.headers["retry-after"]) == (503, "2")

"""The door of a server: what is answered before the application is there, and when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api.door import Door

SECONDS = 30.0
Test = Callable[[Door, httpx2.AsyncClient], Coroutine[Any, Any, None]]


class Slow:
    """An application that answers once it may, and says when it was entered and left."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            self.events.append("entered")
            yield
            self.events.append("left")

        self.app = FastAPI(lifespan=lifespan)

        @self.app.get("/slow")
        async def slow() -> str:
            self.asked.set()
            await self.go_on.wait()
            return "done"

        @self.app.get("/healthz")
        @self.app.get("/readyz")
        async def health() -> str:
            return "the application's"


def with_door(test: Test, **given: Any) -> None:
    """Run a test with a door and a client before it."""

    async def run() -> None:
        door = Door(**given)
        async with asyncio.timeout(SECONDS):
            transport = httpx2.ASGITransport(app=door)
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                await test(door, client)

    asyncio.run(run())


def test_before_the_application_is_there_the_process_lives_and_is_not_ready() -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
        assert (alive.status_code, alive.json()["status"]) == (200, "ok")
        assert ready.status_code == 503
        assert ready.json()["type"] == "urn:citespan:problem:starting"
        assert ready.headers["retry-after"] == "2"
        assert ready.headers["x-content-type-options"] == "nosniff"

    with_door(test)


def test_who_asks_meanwhile_waits_and_is_answered() -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        slow = Slow()
        slow.go_on.set()
        waiting = asyncio.create_task(client.get("/slow"))
        while not door.at_work:
            await asyncio.sleep(0)
        await door.open(slow.app)
        assert (await waiting).json() == "done"
        assert (await client.get("/readyz")).json() == "the application's"
        assert door.at_work == 0
        await door.close()
        assert slow.events == ["entered", "left"]

    with_door(test)


@pytest.mark.parametrize("given", [{"hold_seconds": 0.01}, {"most_held": 0}])
def test_who_waits_too_long_or_is_one_too_many_is_told_to_come_back(given: dict[str, float]) -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        for path, said in (("/v1/ask", "type"), ("/v1/chat/completions", "error")):
            told = await client.post(path, json={})
            assert told.status_code == 503
            assert said in told.json()
            assert told.headers["retry-after"] == "2"
        assert (door.refused, door.at_work) == (2, 0)

    with_door(test, **given)


def test_an_application_that_cannot_start_says_why() -> None:
    def lifespan(app: FastAPI) -> AbstractAsyncContextManager[None]:
        raise OSError("no such disk")

    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        with pytest.raises(OSError, match="no such disk"):
            await door.open(FastAPI(lifespan=lifespan))
        assert (await client.get("/readyz")).status_code == 503
        await door.close()

    with_door(test)


def test_a_server_that_stops_finishes_what_it_is_at_and_turns_new_ones_away() -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        slow = Slow()
        await door.open(slow.app)
        running = asyncio.create_task(client.get("/slow"))
        await slow.asked.wait()
        door.stop(answers=False)
        refused, ready, alive = [await client.get(path) for path in ("/slow", "/readyz", "/healthz")]
        assert [one.status_code for one in (refused, ready, alive)] == [503, 503, 200]
        assert refused.json()["type"] == "urn:citespan:problem:stopping"
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("2", "close")
        assert (door.at_work, door.refused) == (1, 1)
        slow.go_on.set()
        done = await running
        assert (done.json(), done.headers["connection"]) == ("done", "close")
        assert door.at_work == 0

    with_door(test)


def test_who_has_no_reply_when_the_time_is_over_is_told_so() -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        slow = Slow()
        await door.open(slow.app)
        running = asyncio.create_task(client.get("/slow"))
        await slow.asked.wait()
        door.stop(answers=False)
        door.cut()
        told = await running
        assert (told.status_code, told.json()["type"]) == (503, "urn:citespan:problem:stopping")
        assert (door.at_work, door.refused) == (0, 1)

    with_door(test)


def test_where_another_takes_over_whoever_was_let_in_is_still_answered() -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        slow = Slow()
        slow.go_on.set()
        await door.open(slow.app)
        door.stop(answers=True)
        done = await client.get("/slow")
        assert (done.status_code, done.headers["connection"]) == (200, "close")
        assert (await client.get("/readyz")).status_code == 503

    with_door(test)


def test_a_server_that_stops_before_it_was_ready_keeps_nobody_waiting() -> None:
    async def test(door: Door, client: httpx2.AsyncClient) -> None:
        waiting = asyncio.create_task(client.get("/slow"))
        while not door.at_work:
            await asyncio.sleep(0)
        door.stop(answers=False)
        assert (await waiting).json()["type"] == "urn:citespan:problem:stopping"

    with_door(test)

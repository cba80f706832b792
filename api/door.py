"""The door of a server: open over its whole life, whatever state the application behind it is in.

While models load and folders are synced it says so at `/readyz` and lets other requests wait a while; while the server
stops it lets those under way come to their end and turns new ones away.
"""

from __future__ import annotations

import asyncio
import logging

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware import SecurityHeaders
from api.openai_errors import OpenAIErrors
from api.problems import RETRY_SECONDS, problem, stopping
from api.schemas import Health

ALIVE, READY = "/healthz", "/readyz"
# A restart takes as long as loading the models; who asks meanwhile need not notice, unless a first sync takes longer.
_HOLD_SECONDS = 30.0
_MOST_HELD = 200
_STARTING = "the server is starting: models are loaded, or folders synced"
_log = logging.getLogger(__name__)


class Door:
    """An ASGI application in front of the real one. All of it is for the event loop's thread."""

    def __init__(self, *, hold_seconds: float = _HOLD_SECONDS, most_held: int = _MOST_HELD) -> None:
        self._hold_seconds = hold_seconds
        self._most_held = most_held
        self._app: ASGIApp | None = None
        self._decided = asyncio.Event()
        self._leave = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._held = 0
        self._silent: set[asyncio.Task[object]] = set()
        self._cut: set[asyncio.Task[object]] = set()
        self._stopping = False
        self._answers = True
        self._refusing = SecurityHeaders(OpenAIErrors(self._refuse))
        self._telling = SecurityHeaders(self._tell_health)
        self.at_work = 0
        """How many requests are under way, those that are held among them."""
        self.refused = 0
        """How many were turned away."""

    async def open(self, app: FastAPI) -> None:
        """Start `app` and let through to it, first of all whoever waits.

        :raises Exception: what the application raises when it starts.
        """
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # In a task of its own, because what an application enters it must leave in the same one.
        self._life = asyncio.create_task(self._live(app, started))
        await started
        self._app = app
        self._decided.set()

    async def _live(self, app: FastAPI, started: asyncio.Future[None]) -> None:
        try:
            async with app.router.lifespan_context(app):
                started.set_result(None)
                await self._leave.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    def stop(self, *, answers: bool) -> None:
        """Be ready no more. New requests are turned away; or, if it `answers`, answered as their connection's last."""
        self._stopping = True
        self._answers = answers
        self._decided.set()

    async def close(self) -> None:
        """End the application."""
        self._leave.set()
        if self._life is not None:
            await self._life
        if self.refused:
            _log.info("%d requests were turned away", self.refused)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in (ALIVE, READY) and (self._app is None or self._stopping):
            await self._telling(scope, receive, send)
        elif self._stopping and not self._answers:
            await self._refusing(scope, receive, send)
        else:
            task = asyncio.current_task()
            assert task is not None
            self._silent.add(task)
            self.at_work += 1
            try:
                await self._answer(scope, receive, send, task)
            finally:
                self.at_work -= 1
                self._silent.discard(task)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, task: asyncio.Task[object]) -> None:
        async def sending(message: Message) -> None:
            self._silent.discard(task)
            if self._stopping and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        try:
            if self._app is None and not await self._in_time():
                await self._refusing(scope, receive, send)
                return
            assert self._app is not None
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if task not in self._cut:
                raise
            task.uncancel()
            await self._refusing(scope, receive, send)

    def cut(self) -> None:
        """Turn away whoever was let in and still has no reply: the time is over."""
        self._cut |= self._silent
        for task in self._cut:
            task.cancel()

    async def _in_time(self) -> bool:
        """Wait for the application; return whether it came."""
        if self._held >= self._most_held:
            return False
        self._held += 1
        try:
            async with asyncio.timeout(self._hold_seconds):
                await self._decided.wait()
        except TimeoutError:
            return False
        finally:
            self._held -= 1
        return self._app is not None

    async def _tell_health(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == ALIVE:
            await JSONResponse(Health().model_dump(mode="json"))(scope, receive, send)
        else:
            await self._unavailable()(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.refused += 1
        await self._unavailable()(scope, receive, send)

    def _unavailable(self) -> JSONResponse:
        if not self._stopping:
            return problem(503, "starting", _STARTING, headers={"Retry-After": RETRY_SECONDS})
        told = stopping()
        told.headers["Connection"] = "close"
        return told

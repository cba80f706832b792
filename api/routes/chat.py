"""POST /v1/chat/completions and GET /v1/models: for clients that speak to OpenAI."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.completions import Head, chunks, completion, failure, fingerprint, opening
from api.gate import Abandoned
from api.messages import asked_in
from api.openai_errors import UnknownModel, errors, translated
from api.problems import problem_of
from api.routes.common import Running
from api.schemas import AnswerEvent, AskRequest, AskResponse, ExchangeModel, Problem, RetrievalEvent
from api.schemas_openai import MODEL, ChatCompletion, ChatRequest, CitespanOptions, ModelList, ModelObject
from api.streams import Piece, stream
from api.wiring import Runtime

router = APIRouter(prefix="/v1", tags=["openai"])

_Result = TypeVar("_Result")
_EVENTS = "text/event-stream"
_PING_SECONDS = 15
# What servers log for a client that closed the connection. Nobody receives it.
_GONE = 499


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={200: {"content": {_EVENTS: {"schema": {"type": "string"}}}}, **errors(400, 404, 410, 413, 503)},
)
async def complete(body: ChatRequest, request: Request, running: Running) -> ChatCompletion | Response:
    """Answer the last message of a user, with quotes, after what was said before it. Nothing of it is kept."""
    if body.model != MODEL:
        raise UnknownModel(body.model)
    pieces = stream(running, _question_of(body))
    try:
        if not body.stream:
            reply = await _unless_gone(request, _reply_in(pieces))
            return completion(_head(request, running, reply.generation), reply)
        # What is wrong with the question shows before the first passages do, and is told by the status.
        found = await _unless_gone(request, anext(pieces))
    except Abandoned:
        return Response(status_code=_GONE)
    assert isinstance(found, RetrievalEvent)
    head = _head(request, running, found.generation)
    usage = body.stream_options is not None and body.stream_options.include_usage is True
    events = _events(pieces, head, f"{request.method} {request.url.path}", usage=usage)
    return EventSourceResponse(
        events, ping=_PING_SECONDS, ping_message_factory=lambda: ServerSentEvent(comment="ping"), sep="\n"
    )


@router.get("/models")
def list_models(running: Running) -> ModelList:
    """List the one model there is."""
    return ModelList(data=[_model(running)])


@router.get("/models/{name:path}", responses=errors(404))
def get_model(name: str, running: Running) -> ModelObject:
    """Return what is known of the one model there is."""
    if name != MODEL:
        raise UnknownModel(name)
    return _model(running)


def _question_of(body: ChatRequest) -> AskRequest:
    asked = asked_in(body.messages)
    options = CitespanOptions.model_validate({}) if body.citespan is None else body.citespan
    return AskRequest(
        question=asked.question,
        conversation=[ExchangeModel(question=question, answer=answer) for question, answer in asked.exchanges],
        **{name: getattr(options, name) for name in CitespanOptions.model_fields},
    )


def _head(request: Request, running: Runtime, generation: int) -> Head:
    name = f"chatcmpl-{uuid.uuid4().hex}"
    return Head(name, int(time.time()), fingerprint(running, generation), str(request.base_url))


async def _reply_in(pieces: AsyncIterator[Piece]) -> AskResponse:
    """Return the reply that the pieces end with."""
    async for piece in pieces:
        if isinstance(piece, AnswerEvent):
            return piece.reply
    raise AssertionError("a stream ends with a reply or an error")


async def _events(
    pieces: AsyncGenerator[Piece], head: Head, place: str, *, usage: bool
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a stream. When it is closed early, the work on the reply stops."""
    async with aclosing(pieces):
        yield ServerSentEvent(opening(head, usage=usage), sep="\n")
        try:
            reply = await _reply_in(pieces)
        except Exception as error:
            problem = Problem.model_validate_json(bytes(problem_of(error, place).body))
            yield ServerSentEvent(failure(translated(problem, place.partition(" ")[2])[1]), sep="\n")
            return
        for chunk in chunks(head, reply, usage=usage):
            yield ServerSentEvent(chunk, sep="\n")


async def _unless_gone(request: Request, work: Awaitable[_Result]) -> _Result:
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


def _model(running: Runtime) -> ModelObject:
    made = datetime.fromisoformat(running.store.current().generation.created_at)
    return ModelObject(id=MODEL, created=int(made.timestamp()), owned_by=MODEL)

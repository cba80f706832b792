"""POST /v1/chat/completions and GET /v1/models: for clients that speak to OpenAI."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime

from anyio import Event
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sse_starlette import ServerSentEvent

from api.completions import Head, chunks, completion, failure, fingerprint, opening
from api.gate import Abandoned
from api.messages import asked_in
from api.openai_errors import UnknownModel, errors, translated
from api.problems import problem_of
from api.request_log import place
from api.routes.common import Running
from api.routes.events import EVENTS, in_time, sent, stream_of, unless_gone
from api.schemas import AnswerEvent, AskRequest, AskResponse, ExchangeModel, Problem, RetrievalEvent
from api.schemas_openai import MODEL, ChatCompletion, ChatRequest, CitespanOptions, ModelList, ModelObject
from api.streams import Piece, stream
from api.visit import Visit

router = APIRouter(prefix="/v1", tags=["openai"])

# What servers log for a client that closed the connection. Nobody receives it.
_GONE = 499


@router.post(
    "/chat/completions",
    response_model=ChatCompletion,
    responses={200: {"content": {EVENTS: {"schema": {"type": "string"}}}}, **errors(400, 404, 410, 413, 503)},
)
async def complete(body: ChatRequest, request: Request, running: Running) -> ChatCompletion | Response:
    """Answer the last message of a user, with quotes, after what was said before it. Nothing of it is kept."""
    if body.model != MODEL:
        raise UnknownModel(body.model)
    pieces = stream(running, _question_of(body))
    try:
        if not body.stream:
            reply = await unless_gone(request, _reply_in(pieces))
            return completion(_head(request, running, reply.generation), reply)
        # What is wrong with the question shows before the first passages do, and is told by the status.
        found = await unless_gone(request, anext(pieces))
    except Abandoned:
        return Response(status_code=_GONE)
    assert isinstance(found, RetrievalEvent)
    head = _head(request, running, found.generation)
    usage = body.stream_options is not None and body.stream_options.include_usage is True
    where = place(request.method, request.url.path)
    return stream_of(lambda stops: _events(pieces, head, where, stops, usage=usage))


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


def _head(request: Request, running: Visit, generation: int) -> Head:
    name = f"chatcmpl-{uuid.uuid4().hex}"
    return Head(name, int(time.time()), fingerprint(running, generation), str(request.base_url))


async def _reply_in(pieces: AsyncIterator[Piece]) -> AskResponse:
    """Return the reply that the pieces end with."""
    async for piece in pieces:
        if isinstance(piece, AnswerEvent):
            return piece.reply
    raise AssertionError("a stream ends with a reply or an error")


async def _events(
    pieces: AsyncGenerator[Piece], head: Head, where: str, stops: Event, *, usage: bool
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a stream. When it is closed early, the work on the reply stops."""
    async with aclosing(pieces):
        yield sent(opening(head, usage=usage))
        try:
            reply = await in_time(_reply_in(pieces), stops)
        except Exception as error:
            problem = Problem.model_validate_json(bytes(problem_of(error, where).body))
            yield sent(failure(translated(problem, where.partition(" ")[2])[1]))
            return
        for chunk in chunks(head, reply, usage=usage):
            yield sent(chunk)


def _model(running: Visit) -> ModelObject:
    made = datetime.fromisoformat(running.store.current().generation.created_at)
    return ModelObject(id=MODEL, created=int(made.timestamp()), owned_by=MODEL)

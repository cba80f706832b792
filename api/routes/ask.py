"""POST /v1/ask, at once or as a stream of events, and POST /v1/verify."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import Event, to_thread
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from api.exchange import exchange
from api.gate import Abandoned
from api.problems import problem_of
from api.request_log import place
from api.routes.common import Running, Streaming, problems
from api.routes.events import EVENTS, in_time, sent, stream_of, unless_gone
from api.schemas import (
    AnswerEvent,
    AskRequest,
    AskResponse,
    CitationEvent,
    DoneEvent,
    RetrievalEvent,
    VerifyRequest,
    VerifyResponse,
)
from api.streams import Flow, Piece
from qa.verify import verify

router = APIRouter(prefix="/v1", tags=["ask"])

_ASKED: dict[int | str, dict[str, Any]] = {
    200: {"content": {EVENTS: {"schema": {"type": "string"}}}, "description": "the reply, or its events"}
}


@router.post("/ask", response_model=AskResponse, responses={**_ASKED, **problems(400, 404, 410, 413, 422, 503)})
async def ask(
    request: AskRequest,
    running: Running,
    streaming: Streaming,
    http: Request,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: Annotated[
        str | None, Header(max_length=200, description="of a stream that was lost: the events after this one")
    ] = None,
) -> AskResponse | Response:
    """Ask a question; the reply quotes the sources, or says that they do not answer.

    With `Accept: text/event-stream` it arrives as events: `retrieval`, a `citation` each, `answer`, `done`; or `error`.
    """
    if not _wants_events(accept):
        return await to_thread.run_sync(exchange, running, request)
    if last_event_id is None:
        flow = streaming.begin(running, request)
    else:
        flow = await streaming.resume(running, last_event_id)
    # An error before the first event is a problem with its own status; after it, it can only be an event.
    try:
        first = await unless_gone(http, anext(flow.pieces, None))
    except Abandoned:
        return Response(status_code=204)
    where = place(http.method, http.url.path)
    return stream_of(lambda stops: _events(flow, first, where, stops))


def _wants_events(accept: str) -> bool:
    """Return whether an Accept header names the stream; a wildcard does not."""
    for one in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        if kind == EVENTS and not any(part.replace(" ", "") in ("q=0", "q=0.0") for part in parameters):
            return True
    return False


async def _events(flow: Flow, first: Piece | None, where: str, stops: Event) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of the pieces, `first` ahead, numbered on from those received."""
    number, piece = flow.received, first
    try:
        while piece is not None:
            number += 1
            yield _event(*_named(piece), flow, number)
            piece = await in_time(anext(flow.pieces, None), stops)
    except Exception as error:
        yield sent(bytes(problem_of(error, where).body).decode(), event="error")
    finally:
        await flow.pieces.aclose()


def _named(piece: Piece) -> tuple[str, BaseModel]:
    """Return the name of a piece's event, and its data."""
    match piece:
        case RetrievalEvent():
            return "retrieval", piece
        case CitationEvent(citation=citation):
            return "citation", citation
        case AnswerEvent(reply=reply):
            return "answer", reply
        case DoneEvent():
            return "done", piece


def _event(name: str, data: BaseModel, flow: Flow, number: int) -> ServerSentEvent:
    return sent(data.model_dump_json(by_alias=True), event=name, id=f"{flow.reply_id}:{number}")


@router.post("/verify", responses=problems(400, 413, 422))
def verify_citation(request: VerifyRequest, running: Running) -> VerifyResponse:
    """Check a citation against the stored text: characters, bytes and hashes."""
    return VerifyResponse.of(verify(request.to_claim(), running.store.current()))

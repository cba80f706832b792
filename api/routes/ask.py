"""POST /v1/ask and POST /v1/verify."""

from __future__ import annotations

import uuid

from fastapi import APIRouter

from api.receipts import issued
from api.routes.common import Running, asked, problems
from api.schemas import AskRequest, AskResponse, VerifyRequest, VerifyResponse
from qa.types import Answer, Turn
from qa.verify import verify

router = APIRouter(prefix="/v1", tags=["ask"])


@router.post("/ask", responses=problems(400, 404, 410, 413, 422, 503))
def ask(request: AskRequest, running: Running) -> AskResponse:
    """Ask a question; the reply quotes the sources, or says that they do not answer."""
    mark = running.conversations.mark()
    question = request.to_question(running.conversations.turns(request.conversation_id))
    with running.gate.turn():
        done, store = asked(running, request.as_of, lambda store: (running.service.ask(question, store), store))
    reply = done.reply
    said = (tuple(c.quote for c in reply.citations), reply.short_answer) if isinstance(reply, Answer) else ((), None)
    documents = tuple(c.document.id for c in reply.citations) if isinstance(reply, Answer) else ()
    turn = Turn(question.text, reply.understood.standalone, *said, documents)
    conversation_id = running.conversations.add(request.conversation_id, turn, mark)
    response = AskResponse.from_reply(
        reply, reply_id=f"ask_{uuid.uuid4().hex}", conversation_id=conversation_id, timings_ms=done.timings_ms
    )
    return issued(response, question, running.service, store)


@router.post("/verify", responses=problems(400, 413, 422))
def verify_citation(request: VerifyRequest, running: Running) -> VerifyResponse:
    """Check a citation against the stored text: characters, bytes and hashes."""
    return VerifyResponse.of(verify(request.to_claim(), running.store.current()))

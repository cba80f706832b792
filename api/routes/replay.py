"""POST /v1/replay."""

from __future__ import annotations

from fastapi import APIRouter

from api.exchange import asked
from api.receipts import replayed
from api.routes.common import Running, problems
from api.schemas import AskResponse, ReplayRequest
from qa.receipt import unpack

router = APIRouter(prefix="/v1", tags=["ask"])


@router.post("/replay", responses=problems(400, 404, 409, 410, 413, 422, 503))
def replay(request: ReplayRequest, running: Running) -> AskResponse:
    """Give the reply of a receipt again, byte for byte; if that cannot be, the problem names the reason."""
    token = request.receipt
    receipt = unpack(token)
    with running.gate.turn():
        again = asked(running, receipt.generation, lambda store: replayed(receipt, token, running.service, store))
    return again.response

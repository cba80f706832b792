"""/v1/conversations: what the server keeps of earlier questions."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from api.routes.common import Running, problems
from api.schemas import ConversationModel, TurnModel

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.get("/{conversation_id}", responses=problems(404))
def get_conversation(conversation_id: str, running: Running) -> ConversationModel:
    """Return a conversation."""
    held = running.conversations.conversation(conversation_id)
    return ConversationModel(
        id=held.id,
        turns=[TurnModel.of(turn) for turn in held.turns],
        expires_at=datetime.fromtimestamp(held.expires, UTC),
    )


@router.delete("/{conversation_id}", status_code=204, responses=problems(403, 404))
def delete_conversation(conversation_id: str, running: Running) -> Response:
    """Delete a conversation; nothing of it stays."""
    running.conversations.delete(conversation_id)
    return Response(status_code=204)

"""GET /healthz and /readyz."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.common import Running, problems
from api.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> Health:
    """Say that the process answers. Needs no worker, so it does so under load too."""
    return Health()


@router.get("/readyz", responses=problems(500, 503))
def ready(running: Running) -> Health:
    """Say that models are loaded and the library can be read, and which generation answers."""
    running.store.library.generation()
    generation = running.store.current().generation
    return Health(generation=generation.number, documents=generation.documents)

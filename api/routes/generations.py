"""GET /v1/generations and /v1/generations/{before}/diff/{after}, POST /v1/generations/{number}/rollback."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.routes.common import PATIENCE_SECONDS, Running, problems
from api.schemas_library import DiffModel, GenerationList, GenerationModel
from index import change

router = APIRouter(prefix="/v1/generations", tags=["generations"])

_Number = Annotated[int, Path(ge=0, lt=2**62)]


@router.get("", responses=problems(422))
def list_generations(running: Running, limit: Annotated[int, Query(ge=1, le=1_000)] = 20) -> GenerationList:
    """List the generations that are kept, newest first."""
    found = running.store.library.generations(limit + 1)
    return GenerationList(
        data=[GenerationModel.of(generation) for generation in found[:limit]],
        has_more=len(found) > limit,
        current=running.store.current().generation.number,
    )


@router.get("/{before}/diff/{after}", responses=problems(404, 410, 422))
def compare(before: _Number, after: _Number, running: Running) -> DiffModel:
    """Return the documents that one generation has and the other has not, or has otherwise."""
    return DiffModel.of(before, after, running.store.library.diff(before, after))


@router.post("/{number}/rollback", responses=problems(401, 403, 404, 410, 422, 503))
def roll_back(number: _Number, running: Running) -> GenerationModel:
    """Make a new generation with the documents of an earlier one. Questions are put to it when this is answered."""
    with running.jobs.landing(PATIENCE_SECONDS):
        made = change.rollback(running.settings.library, number)
    running.store.refresh()
    return GenerationModel.of(running.store.library.generation_numbered(made))

"""POST /v1/search, and POST /v1/vector_stores/{id}/search: the same for clients of OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path

from api.exchange import asked
from api.openai_errors import STORE, UnknownVectorStore, errors
from api.routes.common import Running, problems
from api.schemas import SearchResponse, SearchResult
from api.schemas_search import SearchBody, VectorStoreSearch
from api.visit import Visit
from index.scope import AskedStore
from qa.types import Retrieved

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search", responses=problems(400, 404, 410, 413, 422, 503))
def search(request: SearchBody, running: Running) -> SearchResponse:
    """Return the passages for a query, best first."""
    return _searched(request, running)


@router.post("/vector_stores/{vector_store_id}/search", responses=errors(400, 404, 410, 413, 503))
def search_store(
    vector_store_id: Annotated[str, Path(description=f"`{STORE}`")], request: VectorStoreSearch, running: Running
) -> SearchResponse:
    """Return what `POST /v1/search` returns. Its attributes have no nulls, for OpenAI's have none."""
    if vector_store_id != STORE:
        raise UnknownVectorStore(vector_store_id)
    page = _searched(request, running)
    data = [one.model_copy(update={"attributes": _known(one.attributes)}) for one in page.data]
    return page.model_copy(update={"data": data})


def _searched(request: SearchBody, running: Visit) -> SearchResponse:
    questions = request.to_questions()

    def find(store: AskedStore) -> tuple[list[Retrieved], int]:
        return _best([running.service.search(one, store) for one in questions]), store.generation.number

    with running.gate.turn():
        found, generation = asked(running, request.as_of, find)
    return SearchResponse(
        search_query=[question.text for question in questions],
        data=[SearchResult.of(one) for one in found[: request.max_num_results]],
        has_more=len(found) > request.max_num_results,
        generation=generation,
    )


def _best(found: list[list[Retrieved]]) -> list[Retrieved]:
    """Return the passages of several searches in one list, each where it scored best; ties by passage."""
    if len(found) == 1:
        return found[0]
    best: dict[int, Retrieved] = {}
    for one in (one for search in found for one in search):
        known = best.get(one.hit.passage.id)
        if known is None or known.hit.score < one.hit.score:
            best[one.hit.passage.id] = one
    return sorted(best.values(), key=lambda one: (-one.hit.score, one.hit.passage.id))


def _known(attributes: Mapping[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}

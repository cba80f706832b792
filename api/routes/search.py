"""POST /v1/search."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.common import Running, problems
from api.schemas import SearchRequest, SearchResponse, SearchResult

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search", responses=problems(400, 413, 422, 503))
def search(request: SearchRequest, running: Running) -> SearchResponse:
    """Return the passages for a query, best first."""
    question = request.to_question()
    store = running.store.current()
    with running.gate.turn():
        found = running.service.search(question, store)
    return SearchResponse(
        search_query=[question.text],
        data=[SearchResult.of(one) for one in found[: request.max_num_results]],
        has_more=len(found) > request.max_num_results,
        generation=store.generation.number,
    )

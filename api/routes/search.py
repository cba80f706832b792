"""POST /v1/search."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.common import Running, asked, problems
from api.schemas import SearchRequest, SearchResponse, SearchResult

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search", responses=problems(400, 404, 410, 413, 422, 503))
def search(request: SearchRequest, running: Running) -> SearchResponse:
    """Return the passages for a query, best first."""
    question = request.to_question()
    with running.gate.turn():
        found, generation = asked(
            running,
            request.as_of,
            lambda store: (running.service.search(question, store), store.generation.number),
        )
    return SearchResponse(
        search_query=[question.text],
        data=[SearchResult.of(one) for one in found[: request.max_num_results]],
        has_more=len(found) > request.max_num_results,
        generation=generation,
    )

"""GET /v1/documents, /v1/documents/{id} and /v1/documents/{id}/text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.routes.common import Running, problems
from api.schemas import DocumentList, DocumentModel

router = APIRouter(prefix="/v1/documents", tags=["documents"])


@router.get("", responses=problems(422))
def list_documents(
    running: Running,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    after: Annotated[str, Query(max_length=200, description="`next_cursor` of the page before")] = "",
) -> DocumentList:
    """List the documents of the current generation, in the order of their ids."""
    store = running.store.current()
    found = store.documents(after=after, limit=limit + 1)
    page = found[:limit]
    return DocumentList(
        data=[DocumentModel.of(document) for document in page],
        has_more=len(found) > limit,
        next_cursor=page[-1].id if len(found) > limit else None,
        total=store.generation.documents,
        generation=store.generation.number,
    )


@router.get("/{document_id}", responses=problems(404))
def get_document(document_id: str, running: Running) -> DocumentModel:
    """Return what is known of one document."""
    return DocumentModel.of(running.store.current().document(document_id))


@router.get(
    "/{document_id}/text",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(404, 422)},
)
def get_text(
    document_id: str,
    running: Running,
    revision: Annotated[str | None, Query(max_length=200, description="sha256:…; the present one if left out")] = None,
) -> Response:
    """Return the canonical text of a revision, byte for byte: what every offset and hash of a citation counts in."""
    store = running.store.current()
    wanted = store.document(document_id).revision if revision is None else revision
    text = store.revision(document_id, wanted).text
    return Response(text.encode(), media_type="text/plain; charset=utf-8", headers={"ETag": f'"{wanted}"'})

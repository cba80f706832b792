"""GET, POST and DELETE of /v1/documents, and the text and revisions of one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from api.access import Role
from api.routes.common import PATIENCE_SECONDS, Running, problems
from api.schemas import DocumentList, DocumentModel
from api.schemas_catalogue import ORDERS, CatalogueList, RevisionList, RevisionModel, Sort
from api.schemas_library import DeletedDocument, JobModel
from api.uploads import BODY, receive
from index import change
from index.catalogue import Entry, listed
from index.errors import UnknownDocument
from index.scope import AskedStore

router = APIRouter(prefix="/v1/documents", tags=["documents"])

_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_ACCEPTED = {
    "Location": {"description": "where the job is", **_TEXT},
    "Idempotency-Replayed": {"description": "`true`: this is the job of an earlier request", **_TEXT},
}


@router.get("", responses=problems(422))
def list_documents(
    running: Running,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    after: Annotated[str, Query(max_length=200, description="`next_cursor` of the page before")] = "",
    q: Annotated[str, Query(max_length=200, description="words of title, publisher, author or address; all")] = "",
    sort: Annotated[Sort, Query(description="`-`: the last, newest or most first")] = "id",
) -> CatalogueList | DocumentList:
    """List the documents of the current generation, in the order of their ids unless `sort` names another."""
    store = running.store.current()
    if sort != "id" or q.strip():
        return _catalogue(running, store, q, sort, after, limit)
    found = store.documents(after=after, limit=limit + 1)
    page = found[:limit]
    return DocumentList(
        data=[DocumentModel.of(document) for document in page],
        has_more=len(found) > limit,
        next_cursor=page[-1].id if len(found) > limit else None,
        total=store.generation.documents,
        generation=store.generation.number,
    )


def _catalogue(running: Running, store: AskedStore, words: str, sort: Sort, after: str, limit: int) -> CatalogueList:
    library, generation = running.store.library, store.generation.number
    try:
        last = Entry.of(store.document(after)) if after else None
    except UnknownDocument as error:
        # Where it stood is known no more: between two pages it was deleted.
        gone = f"no such document in generation {generation}; begin with the first page again"
        raise RequestValidationError([{"type": "value_error", "loc": ("query", "after"), "msg": gone}]) from error
    page = listed(library.entries(generation), words, ORDERS[sort], after=last, limit=limit)
    return CatalogueList(
        data=[DocumentModel.of(document) for document in library.documents_named(generation, page.ids)],
        has_more=page.more,
        next_cursor=page.ids[-1] if page.more else None,
        total=page.total,
        generation=generation,
        copies=page.copies,
    )


@router.get("/{document_id}", responses=problems(404))
def get_document(document_id: str, running: Running) -> DocumentModel:
    """Return what is known of one document."""
    return DocumentModel.of(running.store.current().document(document_id))


@router.get("/{document_id}/revisions", responses=problems(404, 422))
def list_revisions(
    document_id: str, running: Running, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> RevisionList:
    """List what a document has been, newest first, as far back as generations are kept."""
    found = running.store.library.revisions(running.store.current().generation.number, document_id, limit=limit + 1)
    return RevisionList(data=[RevisionModel.of(one) for one in found[:limit]], has_more=len(found) > limit)


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


@router.post(
    "",
    status_code=202,
    responses={202: {"headers": _ACCEPTED}, **problems(400, 401, 403, 409, 413, 415, 422, 429, 507)},
    openapi_extra={"requestBody": BODY},
)
async def upload(
    request: Request,
    response: Response,
    running: Running,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="the same key again: the same job"),
    ] = None,
) -> JobModel:
    """Accept documents, as a form or as JSON. They are on the disk when this is answered; the job takes them in."""
    announced = request.headers.get("content-length", "0")
    length = int(announced) if announced.isdecimal() else 0
    with running.jobs.receiving(idempotency_key, length), ExitStack() as closing:
        documents = await receive(request, running.settings.largest_upload, closing)
        job, again = await to_thread.run_sync(running.jobs.accept, documents, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if again:
        response.headers["Idempotency-Replayed"] = "true"
    return JobModel.of(job, running.jobs.progress(job))


@router.delete("/{document_id}", responses=problems(401, 403, 404, 422, 503))
def delete_document(
    document_id: str,
    running: Running,
    purge: Annotated[bool, Query(description="also from all earlier generations, overwritten")] = False,
) -> DeletedDocument:
    """Delete a document. When this is answered no question returns it, and no upload of it is under way.

    A contributor deletes what it added itself, for a week; the rest, and a purge, are a maintainer's.
    """
    if purge:
        running.caller.expect(Role.MAINTAINER)
    with running.jobs.landing(PATIENCE_SECONDS):
        uri = _uri(running, document_id)
        if not running.caller.role.covers(Role.MAINTAINER):
            # What it does not see is not there for it; the rest is another's, or its own.
            running.jobs.expect_brought(running.store.current().document(document_id).uri if uri is None else uri)
        try:
            made = change.delete(running.settings.library, [document_id], purge=purge)
            running.jobs.withdraw(document_id, uri, purge=purge)
        finally:
            # A purge may be done and yet end in an error, because its traces could not be wiped at once.
            running.store.refresh()
            if purge:
                running.conversations.forget([document_id])
    generation = running.store.current().generation.number if made is None else made
    return DeletedDocument(id=document_id, purged=purge, generation=generation)


def _uri(running: Running, document_id: str) -> str | None:
    """Return where a document is from, None if it is not there (any more)."""
    try:
        library = running.store.library
        return library.document(library.generation().number, document_id).uri
    except UnknownDocument:
        return None

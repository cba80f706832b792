"""The half of the client that keeps a library: documents, uploads, generations."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from api.calls import Caller, CallFailed, Patience

if TYPE_CHECKING:
    from api.schemas import DocumentList, DocumentModel
    from api.schemas_catalogue import CatalogueList, RevisionList, Sort
    from api.schemas_library import (
        DeletedDocument,
        DiffModel,
        GenerationList,
        GenerationModel,
        JobList,
        JobModel,
        UploadDocument,
    )  # fmt: skip

_Shape = TypeVar("_Shape", bound=BaseModel)
_LOOK_SECONDS = 0.5


class LibraryCalls:
    """What `Citespan` does with documents."""

    def __init__(
        self, base_url: str, api_key: str | None, timeout: float, patience: Patience,
        transport: httpx2.BaseTransport | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._caller = Caller(base_url, api_key, timeout, patience, transport, sleep)
        self._sleep = sleep

    # ---- documents ------------------------------------------------------------------------------------------------

    def documents(self, *, q: str | None = None, sort: Sort | None = None, limit: int = 500) -> Iterator[DocumentModel]:
        """Yield every document of the current generation, or those that `q` finds, asking for `limit` at a time.

        One that is added or deleted meanwhile may be left out or not; every other one comes once.
        """
        after: str | None = None
        while True:
            page = self.documents_page(limit=limit, after=after, q=q, sort=sort)
            yield from page.data
            after = page.next_cursor
            if after is None:
                return

    def documents_page(
        self, *, limit: int | None = None, after: str | None = None, q: str | None = None, sort: Sort | None = None
    ) -> CatalogueList | DocumentList:
        """Return the documents after the cursor `after`; in an order of your own, or searched, with their copies."""
        from api.schemas import DocumentList
        from api.schemas_catalogue import CatalogueList

        query = without_none(limit=limit, after=after, q=q, sort=sort)
        data = parsed(self._caller.send("GET", "/v1/documents", query=query, again=True).text)
        return shaped(CatalogueList, data) if "copies" in data else shaped(DocumentList, data)

    def document(self, document_id: str) -> DocumentModel:
        """Return what is known of one document."""
        from api.schemas import DocumentModel

        return read(DocumentModel, self._caller.send("GET", f"/v1/documents/{part(document_id)}", again=True))

    def revisions(self, document_id: str, *, limit: int | None = None) -> RevisionList:
        """Return the revisions of a document, newest first."""
        from api.schemas_catalogue import RevisionList

        path = f"/v1/documents/{part(document_id)}/revisions"
        return read(RevisionList, self._caller.send("GET", path, query=without_none(limit=limit), again=True))

    def text(self, document_id: str, *, revision: str | None = None) -> str:
        """Return the canonical text of a revision: what `start` and `end` of a citation count in."""
        path = f"/v1/documents/{part(document_id)}/text"
        return self._caller.send("GET", path, query=without_none(revision=revision), again=True).content.decode("utf-8")

    def upload(self, documents: Sequence[UploadDocument], *, idempotency_key: str | None = None) -> JobModel:
        """Return the job that takes texts in; they are on the server's disk by then. Sent twice, they land once."""
        from api.schemas_library import JobModel

        body = {"documents": [one.model_dump(mode="json", exclude_none=True) for one in documents]}
        headers = _idempotency(idempotency_key)
        return read(JobModel, self._caller.send("POST", "/v1/documents", body=body, headers=headers, again=True))

    def upload_files(
        self, files: Sequence[Path], *, idempotency_key: str | None = None, title: str | None = None,
        author: str | None = None, publisher: str | None = None, published_at: str | None = None,
        language: str | None = None, url: str | None = None, tags: Sequence[str] = (),
    ) -> JobModel:  # fmt: skip
        """Return the job that takes files in, each by its name; what is said of them goes with a single file only."""
        from api.schemas_library import JobModel

        fields = without_none(
            title=title, author=author, publisher=publisher, published_at=published_at, language=language, url=url
        )
        with ExitStack() as held:

            def opened() -> list[tuple[str, tuple[str, Any]]]:
                return [("file", (path.name, held.enter_context(path.open("rb")))) for path in files]

            response = self._caller.send(
                "POST", "/v1/documents", files=opened, fields={**fields, "tags": list(tags)},
                headers=_idempotency(idempotency_key), again=True,
            )  # fmt: skip
        return read(JobModel, response)

    def delete(self, document_id: str, *, purge: bool = False) -> DeletedDocument:
        """Delete a document; with `purge` also from all earlier generations, overwritten."""
        from api.schemas_library import DeletedDocument

        query = {"purge": "true"} if purge else None
        path = f"/v1/documents/{part(document_id)}"
        # Purged twice is purged; deleted twice is an error.
        return read(DeletedDocument, self._caller.send("DELETE", path, query=query, again=purge))

    # ---- jobs -----------------------------------------------------------------------------------------------------

    def jobs(self, *, limit: int | None = None) -> JobList:
        """Return the uploads of the last seven days, newest first."""
        from api.schemas_library import JobList

        return read(JobList, self._caller.send("GET", "/v1/jobs", query=without_none(limit=limit), again=True))

    def job(self, job_id: str) -> JobModel:
        """Return how an upload is doing, or what became of it."""
        from api.schemas_library import JobModel

        return read(JobModel, self._caller.send("GET", f"/v1/jobs/{part(job_id)}", again=True))

    def wait(self, job_id: str, *, seconds: float = 600.0) -> JobModel:
        """Return a job once it is over, or as it stands after `seconds`."""
        for _ in range(int(seconds / _LOOK_SECONDS)):
            job = self.job(job_id)
            if job.finished_at is not None:
                return job
            self._sleep(_LOOK_SECONDS)
        return self.job(job_id)

    # ---- generations ----------------------------------------------------------------------------------------------

    def generations(self, *, limit: int | None = None) -> GenerationList:
        """Return the generations that are kept, newest first."""
        from api.schemas_library import GenerationList

        query = without_none(limit=limit)
        return read(GenerationList, self._caller.send("GET", "/v1/generations", query=query, again=True))

    def diff(self, before: int, after: int) -> DiffModel:
        """Return the documents that one generation has and the other has not, or has otherwise."""
        from api.schemas_library import DiffModel

        return read(DiffModel, self._caller.send("GET", f"/v1/generations/{before:d}/diff/{after:d}", again=True))

    def rollback(self, number: int) -> GenerationModel:
        """Return a new generation with the documents of an earlier one."""
        from api.schemas_library import GenerationModel

        path = f"/v1/generations/{number:d}/rollback"
        return read(GenerationModel, self._caller.send("POST", path, again=False))


# ---- what goes out, and what comes in ------------------------------------------------------------------------------


def without_none(**given: Any) -> dict[str, Any]:
    """Return what is given and not None: the rest is left to the server."""
    return {name: value for name, value in given.items() if value is not None}


def read(shape: type[_Shape], response: httpx2.Response) -> _Shape:
    """Return the answer to a call as a `shape`."""
    return shaped(shape, parsed(response.text))


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object.

    :raises CallFailed: if it is none.
    """
    try:
        found = json.loads(text, object_hook=_spelled)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _unexpected("it is not a JSON object; is it Citespan that listens there?")
    return found


def shaped(shape: type[_Shape], data: object) -> _Shape:
    """Return data as a `shape`; fields of a later server's that it does not have are left out.

    :raises CallFailed: if they do not fit.
    """
    try:
        return shape.model_validate(data, by_alias=True, by_name=True)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _unexpected(f"{shape.__name__}: {where}: {error.errors()[0]['msg']}; is it of this version?") from error


def _spelled(found: dict[str, Any]) -> dict[str, Any]:
    # Where the contract says `from`, a word of Python's, its models say `from_`.
    if found.keys() >= {"text", "from", "to"}:
        found["from_"] = found.pop("from")
    return found


def _unexpected(detail: str) -> CallFailed:
    return CallFailed("urn:citespan:problem:unexpected-reply", "Unexpected reply", detail, None)


def part(name: str) -> str:
    """Return a name as one part of a path, whatever is in it."""
    return quote(name, safe="")


def _idempotency(key: str | None) -> Mapping[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex if key is None else key}

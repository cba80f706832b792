"""The shapes that travel when the library changes: uploads, jobs, deletions, generations."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from api.ledger import Job, Status
from api.schemas import DocumentModel, RequestModel, ResponseModel
from index import types as index_types
from index.load.metadata import describe, http_url, iso_date, language_tag
from index.report import SyncProgress

_LONGEST_NAME = 255
_DRIVE = re.compile(r"[A-Za-z]:")
# Marks that turn the direction of text: with them a name reads as another one.
_TURNING = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"))


def plain_name(given: str) -> str:
    """Return a name as a relative POSIX path: no folder above, no drive, no control character.

    :raises ValueError: if nothing is left, or more than 255 bytes are.
    """
    text = unicodedata.normalize("NFC", given).translate(_TURNING).replace("\\", "/")
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
    parts = [part.strip() for part in _DRIVE.sub("", text.strip(), count=1).split("/")] if text else []
    name = "/".join(part for part in parts if part not in ("", ".", ".."))
    if not name:
        raise ValueError("a document needs a name, such as report.txt")
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"a name has at most {_LONGEST_NAME} bytes")
    return name


def _known(read: Callable[[str | None], str | None], what: str) -> AfterValidator:
    """Refuse what `read` makes nothing of, rather than leave it out in silence."""

    def check(value: str) -> str:
        found = read(value)
        if found is None:
            raise ValueError(f"not {what}")
        return found

    return AfterValidator(check)


_Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class UploadMetadata(RequestModel):
    """What the sender says of a document; it wins over what the document says of itself."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    author: _Line | None = None
    publisher: _Line | None = None
    published_at: Annotated[str, _known(iso_date, "a date such as 2026-01-31")] | None = Field(
        default=None, description="ISO 8601 date or date-time"
    )
    language: Annotated[str, _known(language_tag, "a language tag such as en or pt-BR")] | None = Field(
        default=None, description="BCP 47"
    )
    url: Annotated[str, _known(http_url, "a whole http(s) address without credentials")] | None = Field(
        default=None, description="the canonical address; names the document instead of its name"
    )
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field([], max_length=50)

    def to_metadata(self) -> index_types.Metadata:
        return describe(
            title=self.title, author=self.author, publisher=self.publisher, published_at=self.published_at,
            language=self.language, url=self.url, tags=self.tags,
        )  # fmt: skip


class UploadHead(UploadMetadata):
    """A document without its bytes."""

    name: Annotated[str, AfterValidator(plain_name)] = Field(
        description="relative path or file name, at most 255 bytes; the suffix says how it is read, and the same name "
        "again is a new revision of the same document"
    )


class UploadDocument(UploadHead):
    """A document as JSON."""

    text: str


class UploadRequest(RequestModel):
    """Documents as JSON."""

    documents: list[UploadDocument] = Field(min_length=1, max_length=1_000)


class JobProgress(ResponseModel):
    stage: str = Field(description="queued, then read, embed, index, commit, at the end done")
    files: int
    files_total: int
    passages: int = Field(description="embedded so far")


class JobError(ResponseModel):
    name: str
    code: str
    reason: str


class JobModel(ResponseModel):
    """An upload on its way into the library. Done: what could be read is there, and questions are answered from it."""

    id: str
    object: Literal["job"] = "job"
    status: Status = Field(description="failed: nothing of it is in the library")
    created_at: str
    started_at: str | None
    finished_at: str | None
    documents: int = Field(description="how many were sent")
    progress: JobProgress
    generation: int | None = Field(description="the generation it made; null before that, and if nothing changed")
    added: list[str]
    changed: list[str]
    unchanged: int
    errors: list[JobError] = Field(description="the documents that could not be taken in, and why")

    @classmethod
    def of(cls, job: Job, progress: SyncProgress | None) -> JobModel:
        sent, outcome = len(job.uploads), job.outcome
        if job.status == "running" and progress is not None:
            stage = JobProgress(
                stage=progress.stage, files=progress.files, files_total=progress.files_total, passages=progress.passages
            )
        elif job.waits:
            stage = JobProgress(stage="queued", files=0, files_total=sent, passages=0)
        else:
            stage = JobProgress(stage="done", files=sent, files_total=sent, passages=outcome.passages)
        return cls(
            id=job.id, status=job.status, created_at=_iso(job.created),
            started_at=None if job.started is None else _iso(job.started),
            finished_at=None if job.finished is None else _iso(job.finished),
            documents=sent, progress=stage, generation=outcome.generation, added=list(outcome.added),
            changed=list(outcome.changed), unchanged=outcome.unchanged,
            errors=[JobError(name=e.name, code=e.code, reason=e.reason) for e in outcome.errors],
        )  # fmt: skip


class JobList(ResponseModel):
    """Jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[JobModel]
    has_more: bool


class DeletedDocument(ResponseModel):
    id: str
    object: Literal["document.deleted"] = "document.deleted"
    deleted: Literal[True] = True
    purged: bool
    generation: int = Field(description="from which on it is gone")


class GenerationModel(ResponseModel):
    """The library as one commit left it."""

    object: Literal["generation"] = "generation"
    number: int
    created_at: str
    documents: int
    passages: int
    active: bool = Field(description="false: kept aside, because its check failed")
    purged: int = Field(description="documents of it that were purged since; if any, it can no longer be asked")
    changes: Mapping[str, int] = Field(description="what changed, in numbers of documents")

    @classmethod
    def of(cls, generation: index_types.Generation) -> GenerationModel:
        return cls(
            number=generation.number, created_at=generation.created_at, documents=generation.documents,
            passages=generation.passages, active=generation.active, purged=generation.purged,
            changes=generation.summary,
        )  # fmt: skip


class GenerationList(ResponseModel):
    """Generations, newest first."""

    object: Literal["list"] = "list"
    data: list[GenerationModel]
    has_more: bool
    current: int = Field(description="the one that questions are put to")


class DiffModel(ResponseModel):
    """What became of the documents from one generation to another."""

    object: Literal["generation.diff"] = "generation.diff"
    before: int
    after: int
    added: list[DocumentModel]
    removed: list[DocumentModel]
    changed: list[DocumentModel] = Field(description="as they are in `after`")

    @classmethod
    def of(cls, before: int, after: int, diff: index_types.Diff) -> DiffModel:
        added, removed, changed = (
            [DocumentModel.of(document) for document in documents]
            for documents in (diff.added, diff.removed, diff.changed)
        )
        return cls(before=before, after=after, added=added, removed=removed, changed=changed)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The shapes in which a library is looked through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from api.schemas import DocumentList, ResponseModel
from index import types as index_types
from index.catalogue import Order

Sort = Literal["id", "title", "-title", "published", "-published", "added", "-added", "passages", "-passages"]

ORDERS: Mapping[Sort, Order] = {
    "id": Order("id"),
    "title": Order("title"),
    "-title": Order("title", descending=True),
    "published": Order("published"),
    "-published": Order("published", descending=True),
    "added": Order("added"),
    "-added": Order("added", descending=True),
    "passages": Order("passages"),
    "-passages": Order("passages", descending=True),
}


class CatalogueList(DocumentList):
    """A page of documents in an order of the reader's, or of those that hold some words; `total` counts these."""

    copies: Mapping[str, int] = Field(description="by id: how many other documents are copies of it; none is left out")


class RevisionModel(ResponseModel):
    """A revision that a document has or had."""

    object: Literal["document.revision"] = "document.revision"
    revision: str
    title: str
    published_at: str | None
    characters: int
    passages: int
    added_in_generation: int
    added_at: str | None = Field(description="null where retention has dropped that generation")
    removed_in_generation: int | None = Field(description="from which on it no longer counts; null: it does now")
    removed_at: str | None

    @classmethod
    def of(cls, past: index_types.PastRevision) -> RevisionModel:
        return cls(
            revision=past.revision, title=past.title, published_at=past.published_at, characters=past.characters,
            passages=past.passages, added_in_generation=past.added, added_at=past.added_at,
            removed_in_generation=past.removed, removed_at=past.removed_at,
        )  # fmt: skip


class RevisionList(ResponseModel):
    """The revisions of a document, newest first."""

    object: Literal["list"] = "list"
    data: list[RevisionModel]
    has_more: bool

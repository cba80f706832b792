"""A search for passages as it travels over HTTP: in our words, or as OpenAI's vector stores take it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from api.schemas import AsOf, FilterModel, RequestModel
from api.vector_filters import sides_of
from index.load.normalise import normalise
from index.types import Filter
from qa.types import LONGEST_QUESTION, Question


def _queries(given: object) -> object:
    if not isinstance(given, str | list):
        raise PydanticCustomError("query", "Input should be a string or a list of strings")
    return [given] if isinstance(given, str) else given


def _ours(given: object) -> object:
    """Return the filter of ours that means what OpenAI's does."""
    if not isinstance(given, dict):
        return given
    try:
        return FilterModel.model_validate(sides_of(given))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        told = {"at": first["loc"][0], "message": first["msg"]}
        raise PydanticCustomError("filters", "{at}: {message}", told) from None


_Queries = Annotated[
    list[str],
    BeforeValidator(_queries),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_Filters = Annotated[
    FilterModel | None,
    BeforeValidator(_ours),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
]


class SearchBody(RequestModel):
    """A search by one query, or for the best that several find."""

    query: _Queries = Field(
        min_length=1, max_length=10, description=f"1 to {LONGEST_QUESTION} characters, or a list of up to 10 such"
    )
    max_num_results: int = Field(default=10, ge=1, le=50)
    as_of: AsOf = Field(default=None, description="as in `POST /v1/ask`")
    filter: FilterModel | None = None
    filters: _Filters = Field(
        default=None,
        description="OpenAI's, in place of `filter`: comparisons of published_at, file_id, tags and language",
    )
    ranking_options: dict[str, Any] | None = Field(default=None, description="without effect: there is one ranking")
    rewrite_query: bool | None = Field(default=None, description="without effect: nothing is rewritten")

    @model_validator(mode="after")
    def _one_filter(self) -> SearchBody:
        if self.filter is not None and self.filters is not None:
            raise ValueError("send either filter or filters: both say which documents are searched")
        return self

    def to_questions(self) -> list[Question]:
        """Return what is searched for, in the order given."""
        given = self.filter if self.filters is None else self.filters
        where = Filter() if given is None else given.to_filter()
        return [Question(normalise(query), where=where) for query in self.query]


class VectorStoreSearch(SearchBody):
    """The same as clients of OpenAI's send it: what is not known is read past."""

    model_config = ConfigDict(extra="ignore", strict=True)

"""OpenAI's filters in our words."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.schemas_search import SearchBody

Json = dict[str, Any]


def compare(kind: str, key: str, value: object) -> Json:
    return {"type": kind, "key": key, "value": value}


def both(*filters: object) -> Json:
    return {"type": "and", "filters": list(filters)}


def read(filters: object) -> Json:
    """Return the fields of our filter that are set by OpenAI's."""
    body = SearchBody.model_validate({"query": "x", "filters": filters})
    assert body.filters is not None
    return body.filters.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize(
    ("filters", "ours"),
    [
        (compare("eq", "language", "sv"), {"language": "sv"}),
        (compare("eq", "tags", "coast"), {"tags": ["coast"]}),
        (compare("in", "tags", ["b", "a"]), {"tags": ["a", "b"]}),
        (compare("eq", "file_id", "doc_1"), {"document_ids": ["doc_1"]}),
        (compare("in", "document_id", ["doc_2", "doc_1"]), {"document_ids": ["doc_1", "doc_2"]}),
        (compare("in", "file_id", []), {"document_ids": []}),
        (compare("gte", "published_at", "2026-01-31"), {"published_from": "2026-01-31"}),
        (compare("gt", "published_at", "2026-01-31"), {"published_from": "2026-02-01"}),
        (compare("lte", "published_at", "2026-03-01"), {"published_to": "2026-03-01"}),
        (compare("lt", "published_at", "2026-03-01"), {"published_to": "2026-02-28"}),
        (
            compare("eq", "published_at", "2026-03-01"),
            {"published_from": "2026-03-01", "published_to": "2026-03-01"},
        ),
        (
            both(compare("gte", "published_at", "2026-01-01"), both(compare("gt", "published_at", "2025-01-01"))),
            {"published_from": "2026-01-01"},
        ),
        (
            both(compare("in", "file_id", ["a", "b"]), compare("in", "file_id", ["b", "c"])),
            {"document_ids": ["b"]},
        ),
        (both(compare("eq", "language", "en"), compare("eq", "language", "en")), {"language": "en"}),
        (both(), {}),
    ],
)
def test_a_filter_means_the_same_in_our_words(filters: Json, ours: Json) -> None:
    assert read(filters) == ours


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"type": "or", "filters": []}, '"or" is not possible'),
        (compare("eq", "publisher", "Coast News"), "keys are published_at, file_id, tags, language"),
        (compare("ne", "language", "en"), "language takes eq"),
        (compare("nin", "tags", ["a"]), "tags take eq and in"),
        (both(compare("eq", "tags", "a"), compare("eq", "tags", "b")), "tags and language are compared once"),
        (both(compare("eq", "language", "en"), compare("eq", "language", "sv")), "are compared once"),
        (compare("in", "published_at", ["2026-01-31"]), "as in 2026-01-31"),
        (compare("ne", "published_at", "2026-01-31"), "takes eq, gt, gte, lt and lte"),
        (compare("gte", "published_at", 1767225600), "as in 2026-01-31"),
        (compare("gte", "published_at", "2026-W05-6"), "as in 2026-01-31"),
        (compare("gt", "published_at", "9999-12-31"), "as in 2026-01-31"),
        (compare("lt", "published_at", "0001-01-01"), "as in 2026-01-31"),
        (compare("eq", "file_id", 7), '"eq" takes a string'),
        (compare("in", "file_id", "doc_1"), "a list of strings"),
        (compare("in", "file_id", [["doc_1"]]), "a list of strings"),
        (compare("eq", "file_id", "x" * 201), "document_ids: String should have at most 200 characters"),
        (compare("in", "file_id", [f"d{n}" for n in range(1_001)]), "document_ids: List should have at most 1000"),
        ({"type": "eq", "key": "language"}, '"type", "key" and "value"'),
        ({"key": "language", "value": "en"}, '"type", "key" and "value"'),
        (both("x"), "a filter is an object"),
        ({"type": "and"}, '"and" takes a list'),
        (both(*[compare("eq", "language", "en")] * 101), "at most 100 filters"),
        (both(*[both(*[compare("eq", "language", "en")] * 100)] * 2), "200 comparisons are too many"),
        (both(both(both(both(both(both()))))), "at most 5 deep"),
        ("x", "dictionary"),
    ],
)
def test_what_no_filter_of_ours_can_say_is_refused_with_what_can_be_said(filters: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(filters)
    assert caught.value.errors()[0]["loc"] == ("filters",)
    assert said in caught.value.errors()[0]["msg"]


def test_one_filter_is_enough() -> None:
    with pytest.raises(ValidationError, match="send either filter or filters"):
        SearchBody.model_validate({"query": "x", "filter": {}, "filters": both()})

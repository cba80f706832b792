"""The filters of OpenAI's vector-store search → ours, as far as ours can say the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from pydantic_core import PydanticCustomError

_DEEPEST = 5
_MOST = 100
_KEYS = "published_at, file_id, tags, language"
# The names by which a document's id goes: ours, and OpenAI's.
_IDS = frozenset({"file_id", "document_id"})


def sides_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the filter of ours that means what OpenAI's does: a comparison, or several joined by "and".

    :raises PydanticCustomError: if it is none, or means what no filter of ours can; the message says what can be.
    """
    sides: dict[str, Any] = {}
    comparisons = _flat(given, 1)
    if len(comparisons) > _MOST:
        raise _wrong(f"{len(comparisons)} comparisons are too many; {_MOST} are allowed")
    for comparison in comparisons:
        _narrow(sides, *_parts(comparison))
    return sides


def _flat(given: object, depth: int) -> list[Mapping[str, Any]]:
    """Return the comparisons that all have to hold."""
    if not isinstance(given, dict):
        raise _wrong('a filter is an object, as in {"type": "eq", "key": "language", "value": "en"}')
    if given.get("type") == "or":
        raise _wrong('"or" is not possible; "in" takes a list of values')
    if given.get("type") != "and":
        return [given]
    inner = given.get("filters")
    if not isinstance(inner, list) or depth > _DEEPEST or len(inner) > _MOST:
        raise _wrong(f'"and" takes a list of at most {_MOST} filters, at most {_DEEPEST} deep')
    return [comparison for one in inner for comparison in _flat(one, depth + 1)]


def _parts(comparison: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Return the key, the operator and the value of a comparison."""
    key, operator = comparison.get("key"), comparison.get("type")
    if not isinstance(key, str) or not isinstance(operator, str) or "value" not in comparison:
        raise _wrong('a comparison has "type", "key" and "value"')
    return key, operator, comparison["value"]


def _narrow(sides: dict[str, Any], key: str, operator: str, value: Any) -> None:
    """Add one comparison to the sides of a filter."""
    if key == "published_at":
        _narrow_days(sides, operator, value)
    elif key in _IDS and operator in ("eq", "in"):
        ids = _values(operator, value)
        sides["document_ids"] = sorted(ids & set(sides.get("document_ids", ids)))
    elif key == "tags" and operator in ("eq", "in") and "tags" not in sides:
        sides["tags"] = sorted(_values(operator, value))
    elif key == "language" and operator == "eq" and sides.get("language", value) == value:
        sides["language"] = value
    else:
        raise _wrong(
            f"this comparison is not possible; keys are {_KEYS}; published_at takes eq, gt, gte, lt and lte, file_id "
            "and tags take eq and in, language takes eq, and tags and language are compared once"
        )


def _narrow_days(sides: dict[str, Any], operator: str, value: Any) -> None:
    try:
        day = date.fromisoformat(value)
        if value != day.isoformat():
            raise ValueError
        if operator in ("gt", "lt"):
            day += timedelta(1 if operator == "gt" else -1)
    except (TypeError, ValueError, OverflowError):
        raise _wrong("published_at is compared with a date, as in 2026-01-31") from None
    if operator not in ("eq", "gt", "gte", "lt", "lte"):
        raise _wrong("published_at takes eq, gt, gte, lt and lte")
    if operator in ("eq", "gt", "gte"):
        sides["published_from"] = max(day.isoformat(), sides.get("published_from", ""))
    if operator in ("eq", "lt", "lte"):
        sides["published_to"] = min(day.isoformat(), sides.get("published_to", "9999-12-31"))


def _values(operator: str, value: Any) -> set[str]:
    """Return the values that are allowed."""
    values = [value] if operator == "eq" else value
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise _wrong('"eq" takes a string here, and "in" a list of strings')
    return set(values)


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{message}", {"message": message})

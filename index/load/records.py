"""One record of an export (a JSON object, a table row) → a document: which field holds what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from index.errors import NoDocument, UnreadableDocument
from index.load.fragment import fragment_line, fragment_text
from index.load.metadata import describe, http_url, one_line
from index.types import LoadedDocument

# As `_key` writes them, in the order in which they are looked for.
_NAMES: Mapping[str, Sequence[str]] = {
    "text": (
        "text", "body", "content", "article", "fulltext", "articlebody", "contenttext", "contenthtml", "story",
        "description", "shortdescription", "summary", "abstract",
    ),
    "title": ("title", "headline", "name"),
    "author": ("author", "authors", "byline", "creator"),
    "publisher": ("publisher", "source", "site", "sitename"),
    "published_at": (
        "publishedat", "published", "datepublished", "publicationdate", "pubdate", "date", "createdat",
    ),
    "url": ("url", "canonicalurl", "link", "uri"),
    "language": ("language", "lang"),
    "tags": ("tags", "keywords", "categories", "category"),
    "id": ("id", "guid", "uuid"),
}  # fmt: skip
# Where a value is an object, the one of its values that a reader sees.
_INNER = ("rendered", "value", "text", "name", "title", "label", "term", "$oid", "$date")
_MEMBER = 200
_NESTED = 4
# Unix time from 1973 on, in seconds or milliseconds.
_SECONDS = (10**8, 10**10)
_MILLISECONDS = (10**11, 10**13)
_NOTHING = {"", "nan", "null", "none"}


def record_document(record: Mapping[str, object], name: str, number: int, fields: Mapping[str, str]) -> LoadedDocument:
    """Return the document in `record`, the `number`th of the file `name`; `fields` says which field holds what.

    Fields not in `fields` are found by their usual names. `member` is the record's id, else its address, else `number`.

    :raises UnreadableDocument: no field with text in it; the error names the member.
    """
    known: dict[str, object] = {}
    for key, value in record.items():
        known.setdefault(_key(str(key)), value)
    found = {role: _values(record, known, role, fields) for role in _NAMES}
    first = {role: values[0] if values else None for role, values in found.items()}
    url = http_url(first["url"])
    member = one_line(first["id"], _MEMBER) or one_line(url, _MEMBER) or str(number)
    whole = f"{name}#{member}"
    if first["text"] is None:
        sought = fields.get("text", "text, body, content …")
        reason = f"no text in it (looked for {sought}); name the field in the sidecar: `fields: {{text: NAME}}`"
        # Where the user named the field, something is wrong; else this may be anything.
        raise (UnreadableDocument if "text" in fields else NoDocument)(whole, reason)
    tags = found["tags"]
    return LoadedDocument(
        text=fragment_text("\n\n".join(found["text"]), whole),
        metadata=describe(
            title=fragment_line(first["title"], whole),
            author=fragment_line(", ".join(found["author"]), whole),
            publisher=fragment_line(first["publisher"], whole),
            published_at=_moment(first["published_at"]),
            language=first["language"],
            url=url,
            tags=tags[0].split(",") if len(tags) == 1 else tags,
        ),
        member=member,
    )


def _key(name: str) -> str:
    """Return a field's name as names are compared: without case, "_", "-" and spaces."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _values(
    record: Mapping[str, object], known: Mapping[str, object], role: str, fields: Mapping[str, str]
) -> list[str]:
    """Return the strings in the field that holds `role`: the first of the usual ones that has any."""
    if role in fields:
        return list(_strings(_at(record, fields[role]), _NESTED))
    for name in _NAMES[role]:
        values = list(_strings(known[name], _NESTED)) if name in known else []
        if values:
            return values
    return []


def _at(record: Mapping[str, object], path: str) -> object:
    """Return what is under `path`: a key, or keys with dots between."""
    if path in record:
        return record[path]
    value: object = record
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _strings(value: object, levels: int) -> Iterable[str]:
    """Yield the strings in a scalar, a list of them, or in the telling field of an object."""
    if isinstance(value, str):
        if value.strip().lower() not in _NOTHING:
            yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict) and levels:
        for key in _INNER:
            inner = list(_strings(value.get(key), levels - 1))
            if inner:
                yield from inner
                return
    elif isinstance(value, list) and levels:
        for item in value:
            yield from _strings(item, levels - 1)


def _moment(text: str | None) -> str | None:
    """Return `text`, Unix time as ISO 8601."""
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    if _SECONDS[0] <= number < _SECONDS[1]:
        return datetime.fromtimestamp(int(number), UTC).isoformat()
    if _MILLISECONDS[0] <= number < _MILLISECONDS[1]:
        return datetime.fromtimestamp(int(number) // 1000, UTC).isoformat()
    return text

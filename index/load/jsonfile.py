"""`.json`, `.jsonl`, `.ndjson` → records → documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from index.errors import DocumentError, NoDocument, UnreadableDocument
from index.load.decode import decode_text
from index.load.parts import Part, Reading
from index.load.records import record_document
from index.types import LoadedDocument

# Under which an API's reply or an export keeps its records.
_ENVELOPES = ("data", "items", "articles", "documents", "results", "records", "entries", "posts")


def load_json(data: bytes, name: str, how: Reading) -> Iterator[Part]:
    """Yield a document for each record: of an array, of the array in an object, or the one object that there is.

    A file of one record a line is read as `load_json_lines` does, whatever its suffix.

    :raises UnreadableDocument: not JSON, or nested too deep.
    :raises NoDocument: no records in it.
    """
    source = decode_text(data, name, how.encoding)
    try:
        content = _parsed(source, name)
    except UnreadableDocument:
        if not _is_lines(source, name):
            raise
        yield from _lines(source, name, how)
        return
    records = _records(content)
    if records is not None:
        for number, record in enumerate(records, start=1):
            yield _document(record, name, number, how)
        return
    if not isinstance(content, Mapping):
        raise NoDocument(name, "JSON, but no record, no array of records and no object that holds one")
    try:
        alone = record_document(content, name, 1, how.fields)
    except DocumentError as error:
        raise type(error)(name, error.reason) from error
    yield LoadedDocument(alone.text, alone.metadata)


def load_json_lines(data: bytes, name: str, how: Reading) -> Iterator[Part]:
    """Yield a document for each line that holds a record, a failure for each other one that is not blank."""
    yield from _lines(decode_text(data, name, how.encoding), name, how)


def _lines(source: str, name: str, how: Reading) -> Iterator[Part]:
    start = 0
    number = 0
    # No list of all lines: that would be the file a second time.
    while start < len(source):
        end = source.find("\n", start)
        line = source[start : len(source) if end < 0 else end]
        start += len(line) + 1
        number += 1
        if not line.strip():
            continue
        try:
            content = _parsed(line, f"{name}#{number}")
        except UnreadableDocument as error:
            yield error
        else:
            yield _document(content, name, number, how)


def _document(record: object, name: str, number: int, how: Reading) -> Part:
    if not isinstance(record, Mapping):
        return UnreadableDocument(f"{name}#{number}", "not a record (an object with fields)")
    try:
        return record_document(record, name, number, how.fields)
    except DocumentError as error:
        return error


def _records(content: object) -> list[object] | None:
    """Return the array of records in `content`, None if it is not about one."""
    if isinstance(content, list):
        return content
    if isinstance(content, Mapping):
        lists = [content[key] for key in _ENVELOPES if isinstance(content.get(key), list)]
        if len(lists) == 1 and any(isinstance(item, Mapping) for item in lists[0]):
            found: list[object] = lists[0]
            return found
    return None


def _is_lines(source: str, name: str) -> bool:
    """Return whether the first line is a whole object, and so a record."""
    try:
        return isinstance(_parsed(source.lstrip().partition("\n")[0], name), Mapping)
    except UnreadableDocument:
        return False


def _parsed(source: str, name: str) -> object:
    try:
        content: object = json.loads(source)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableDocument(
            name, f"not JSON: {error.msg} at {where}; write it again with a JSON library"
        ) from error
    except RecursionError as error:
        raise UnreadableDocument(name, "JSON nested too deep to be records; flatten it") from error
    except ValueError as error:  # a number of more than 4,300 digits
        raise UnreadableDocument(name, f"JSON that cannot be read: {error}") from error
    return content

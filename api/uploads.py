"""A request with documents → the documents, checked: multipart or JSON."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Any, TypeVar

import pydantic_core
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from api.schemas_library import UploadDocument, UploadHead, UploadMetadata, UploadRequest
from api.spool import Incoming
from index.errors import CitespanError, DocumentTooLarge, UnsupportedFormat
from index.load import SUFFIXES, supported

MOST_DOCUMENTS = 1_000
_FIELDS = frozenset(UploadHead.model_fields) - {"name"}
_LONGEST_FIELD = 16_384
_RECEIVE_SECONDS = 600.0
_MIB = 1024 * 1024
# Markup may declare an encoding, and JSON is UTF-8 whatever it says: a mark settles it.
_MARKED = frozenset({".html", ".htm", ".xhtml", ".xml", ".rss", ".atom"})


_Model = TypeVar("_Model", bound=BaseModel)


class RequestTooLarge(CitespanError):
    """The body is over the limit."""

    code = "request-too-large"


def _schemas() -> dict[str, Any]:
    """Return what a request with documents looks like, for the OpenAPI description."""
    document = UploadDocument.model_json_schema()
    many = {"type": "array", "items": document, "minItems": 1, "maxItems": MOST_DOCUMENTS}
    said = {name: UploadMetadata.model_json_schema()["properties"][name] for name in sorted(_FIELDS)}
    file = {"type": "array", "minItems": 1, "items": {"type": "string", "contentMediaType": "application/octet-stream"}}
    form = {"type": "object", "properties": {"file": file, **said}, "required": ["file"], "additionalProperties": False}
    several = {
        "type": "object", "properties": {"documents": many}, "required": ["documents"], "additionalProperties": False,
    }  # fmt: skip
    return {
        "application/json": {"schema": {"oneOf": [several, document]}},
        "multipart/form-data": {"schema": form},
    }


BODY = {
    "required": True,
    "description": "One or more documents. The fields of a form go with a single file.",
    "content": _schemas(),
}


async def receive(request: Request, largest: int, closing: ExitStack) -> list[Incoming]:
    """Return the documents of a request, at most `largest` bytes each, in the order sent; they last until `closing`.

    :raises RequestValidationError: if a field is not right, or there is nothing to take in.
    :raises UnsupportedFormat: if there is no loader for one of them.
    :raises DocumentTooLarge: if one is over the limit.
    :raises HTTPException: 400 for what is neither form nor JSON, 408 if it does not end, 415 for other content.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(_RECEIVE_SECONDS):
            if kind == "multipart/form-data":
                documents = await _from_form(request, closing)
            elif kind == "application/json":
                documents = await _from_json(request, largest)
            else:
                raise HTTPException(415, "documents are sent as multipart/form-data or application/json")
    except TimeoutError as error:
        raise HTTPException(408, "the documents did not arrive in time") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the request ended before its body did") from error
    return _checked(documents, largest)


def _checked(documents: list[Incoming], largest: int) -> list[Incoming]:
    for document in documents:
        if not supported(document.name):
            suffix = PurePosixPath(document.name).suffix or "a name without suffix"
            raise UnsupportedFormat(document.name, f"no loader for {suffix}; supported: {', '.join(sorted(SUFFIXES))}")
        if document.content.seek(0, io.SEEK_END) > largest:
            raise DocumentTooLarge(document.name, f"over {largest / _MIB:g} MiB; split it, or raise the limit")
        document.content.seek(0)
    for claimed in ([one.name for one in documents], [one.metadata.url for one in documents if one.metadata.url]):
        if twice := [name for name in claimed if claimed.count(name) > 1][:1]:
            raise invalid(("file",), f"{twice[0]} is there twice; a name or address is one document's")
    return documents


class _Form(MultiPartParser):
    """A form that knows whether it came whole, and whose files can be closed whatever came of it."""

    whole = False

    def on_end(self) -> None:
        self.whole = True

    def close(self) -> None:
        for file in self._files_to_close_on_error:
            file.close()


async def _from_form(request: Request, closing: ExitStack) -> list[Incoming]:
    parser = _Form(
        request.headers, request.stream(), max_files=MOST_DOCUMENTS, max_fields=200, max_part_size=_LONGEST_FIELD
    )
    closing.callback(parser.close)
    try:
        sent = (await parser.parse()).multi_items()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from error
    except UnicodeError as error:
        raise HTTPException(400, "a name in the form is not in the encoding that it declares") from error
    if not parser.whole:
        # What was cut off would be left out without a word.
        raise HTTPException(400, "the form does not end with its boundary; it was cut off")
    files = [value for name, value in sent if name == "file" and isinstance(value, UploadFile)]
    fields: dict[str, Any] = {}
    for name, value in sent:
        if name == "file" and isinstance(value, UploadFile):
            continue
        if isinstance(value, UploadFile) or name not in _FIELDS or (name in fields and name != "tags"):
            raise invalid((name,), "not a field of this form, or there twice; documents are parts called file")
        if name == "tags":
            fields.setdefault("tags", []).extend(tag.strip() for tag in value.split(",") if tag.strip())
        elif value:
            fields[name] = value
    if not files:
        raise invalid(("file",), "nothing to take in: no part called file that holds a file")
    if fields and len(files) > 1:
        raise invalid((next(iter(fields)),), "goes with a single file only; send the files one by one")
    incoming = []
    for file in files:
        head = _validated(UploadHead, {"name": file.filename, **fields}, ("file",))
        incoming.append(Incoming(head.name, file.file, head.to_metadata()))
    return incoming


async def _from_json(request: Request, largest: int) -> list[Incoming]:
    # One JSON request is held in memory, so it may be no larger than one document.
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise RequestTooLarge(f"a JSON request may have {largest:,} bytes; send files as multipart/form-data")
    return await asyncio.to_thread(_parsed, bytes(body))


def _parsed(body: bytes) -> list[Incoming]:
    try:
        sent = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": "not JSON"}]) from error
    if isinstance(sent, dict) and "documents" not in sent:
        documents: Sequence[UploadDocument] = [_validated(UploadDocument, sent)]
    else:
        documents = _validated(UploadRequest, sent).documents
    return [Incoming(one.name, io.BytesIO(_encoded(one)), one.to_metadata()) for one in documents]


def _encoded(document: UploadDocument) -> bytes:
    marked = PurePosixPath(document.name).suffix.lower() in _MARKED and not document.text.isascii()
    return document.text.encode("utf-8-sig" if marked else "utf-8")


def _validated(model: type[_Model], value: object, instead: Sequence[str] = ()) -> _Model:
    """Return `value` as a `model`. An error of its name is reported as one of the field `instead`, if that is given."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        for one in found:
            one["loc"] = ("body", *(instead if instead and one["loc"] == ("name",) else one["loc"]))
        raise RequestValidationError(found) from error


def invalid(where: Sequence[str | int], message: str) -> RequestValidationError:
    """Return the error for a field that is not right."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", *where), "msg": message}])

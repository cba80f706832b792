"""Errors → RFC 9457 problem details."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import jobs
from api.access import Forbidden
from api.gate import Overloaded, Stopping
from api.links import add_links
from api.openai_errors import UnknownModel, UnknownVectorStore, is_openai
from api.request_log import place
from api.schemas import Problem
from api.streams import UnknownStream
from api.uploads import RequestTooLarge
from index import errors

_STATUS: Mapping[type[errors.CitespanError], int] = {
    errors.UnknownDocument: 404,
    errors.UnknownRevision: 404,
    errors.UnknownConversation: 404,
    errors.UnknownGeneration: 404,
    errors.GenerationPurged: 410,
    errors.UnsupportedFormat: 415,
    errors.DocumentTooLarge: 413,
    errors.QuestionError: 422,
    errors.ReceiptError: 422,
    errors.CannotReplay: 409,
    errors.LibraryBusy: 503,
    errors.LibraryUnreachable: 503,
    errors.StoreError: 503,
    errors.DiskFull: 507,
    jobs.UnknownJob: 404,
    jobs.KeyInUse: 409,
    jobs.KeyReused: 422,
    jobs.QueueFull: 429,
    Forbidden: 403,
    UnknownModel: 404,
    UnknownVectorStore: 404,
    UnknownStream: 404,
    RequestTooLarge: 413,
    errors.CitespanError: 500,
}
RETRY_SECONDS = "2"
_QUEUE_SECONDS = "10"
INTERNAL = "something went wrong here; the server's log says what"
_BUSY = "the library is busy; try again in a moment"
_AWAY = "what searches the library does not answer; try again in a moment"
_FULL = "no space is left on the server's disk; nothing was changed"
# How many wrong fields are named, and how much of a name that the sender made up.
_FIELDS = 20
_NAME = 100
_log = logging.getLogger(__name__)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    fields: list[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem+json response; `code` is the stable name, `detail` says what to do."""
    body = Problem(
        type=f"urn:citespan:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=fields,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=status, media_type="application/problem+json", headers=headers
    )


def stopping() -> JSONResponse:
    """Return what is told to whoever cannot be answered any more because the server stops."""
    detail = "the server is stopping; ask again in a moment, when another one may have taken its place"
    return problem(503, "stopping", detail, headers={"Retry-After": RETRY_SECONDS})


def problem_of(error: Exception, where: str) -> JSONResponse:
    """Return the problem that an error is told as; what only those may know who keep the server is logged.

    :param where: the method and route of the request, for the log.
    """
    if isinstance(error, Overloaded):
        detail = "too many questions are waiting; try again in a moment"
        return problem(503, "overloaded", detail, headers={"Retry-After": str(error.seconds)})
    if isinstance(error, Stopping):
        return stopping()
    if not isinstance(error, errors.CitespanError):
        _log.error("%s failed", where, exc_info=error)
        return problem(500, "internal-error", INTERNAL)
    status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    if status < 500:
        headers = {"Retry-After": _QUEUE_SECONDS} if status == 429 else None
        return problem(status, error.code, str(error), headers=headers)
    # Such a message names folders of this machine.
    _log.error("%s: %s", where, error)
    if isinstance(error, errors.StoreError):
        return problem(status, error.code, _AWAY, headers={"Retry-After": str(error.seconds)})
    if status == 503:
        return problem(status, error.code, _BUSY, headers={"Retry-After": RETRY_SECONDS})
    if status == 507:
        return problem(status, error.code, _FULL)
    return problem(status, error.code, INTERNAL)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""

    @app.exception_handler(errors.CitespanError)
    def known(request: Request, error: errors.CitespanError) -> JSONResponse:
        return problem_of(error, place(request.method, request.url.path))

    @app.exception_handler(Overloaded)
    def overloaded(request: Request, error: Overloaded) -> JSONResponse:
        return problem_of(error, place(request.method, request.url.path))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if any(e["type"] == "json_invalid" for e in found):
            return problem(400, "malformed-json", "the body is not JSON")
        # What was sent is not sent back: it may be long, and it is the user's.
        fields: list[Mapping[str, str]] = [
            {"field": _field(e["loc"][1:]), "message": str(e["msg"])} for e in found[:_FIELDS]
        ]
        names = ", ".join(f"{f['field']}: {f['message']}" for f in fields[:5])
        return problem(422, "invalid-request", f"the request is not valid ({names})", fields=fields)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        detail = (
            f"there is no {request.url.path} here; /openapi.json lists what is"
            if error.status_code == 404
            else str(error.detail)
        )
        if error.status_code == 405:
            detail = f"{request.method} is not possible on {request.url.path}"
        return problem(error.status_code, code, detail, headers=error.headers)


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI `document` with every error a problem, or as a client of OpenAI's expects it; links and keys.

    FastAPI describes shapes of its own, which are never sent.
    """
    problems = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    openai = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}}
    for path, operations in document["paths"].items():
        content = openai if is_openai(path) else problems
        for operation in operations.values():
            responses = operation["responses"]
            if is_openai(path):
                responses.pop("422", None)
            for code in [code for code in responses if code >= "4"]:
                responses[code] = {"description": HTTPStatus(int(code)).phrase, "content": content}
            responses["default"] = {"description": "any other error", "content": content}
    add_links(document)
    for unsent in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unsent, None)
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    # Whether one is needed is not for a description to say: it depends on whether the library has keys.
    document["security"] = [{}, {"key": []}]
    return document


def _field(location: Sequence[str | int]) -> str:
    """Return the name of a field, short and printable: names of unknown fields are the sender's."""
    name = ".".join(str(part) for part in location) or "body"
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[: _NAME + 1])
    return name if len(name) <= _NAME else f"{name[:_NAME]}…"

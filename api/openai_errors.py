"""Errors under the OpenAI-compatible routes: what is a problem elsewhere has OpenAI's form there."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.schemas import Problem
from api.schemas_openai import MODEL, OpenAIError, OpenAIErrorBody
from index.errors import CitespanError

STORE = "library"
"""The one vector store there is."""

# Those that answer, and those that clients try though they are not here.
_ROUTES = ("chat", "models", "vector_stores", "completions", "responses", "embeddings", "files", "assistants")
_ROUTE = re.compile(rf"/v1/(?:{'|'.join(_ROUTES)})(?:/.*)?", re.DOTALL)
_PROBLEM = "urn:citespan:problem:"
_PROBLEM_TYPE = "application/problem+json"
_NAME = re.compile(r"\w+")
_NUMBER = re.compile(r"\.([0-9]+)(?=\.|$)")
# Which parameter holds the question, by the route's name.
_QUESTION = {"chat": "messages", "vector_stores": "query"}


class UnknownModel(CitespanError):
    """There is no model of that name."""

    code = "model-not-found"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f'there is no model "{_shown(name)}" here; this server has "{MODEL}"')


class UnknownVectorStore(CitespanError):
    """There is no vector store of that id."""

    code = "vector-store-not-found"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f'there is no vector store "{_shown(name)}" here; this server has "{STORE}"')


_UNKNOWN = {UnknownModel.code: "model", UnknownVectorStore.code: "vector_store_id"}


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors that an OpenAI-compatible route answers with."""
    return {code: {"model": OpenAIError} for code in codes}


def is_openai(path: str) -> bool:
    """Return whether errors of a path have OpenAI's form."""
    return _ROUTE.fullmatch(path) is not None


def translated(problem: Problem, path: str) -> tuple[int, OpenAIError]:
    """Return the status and the error that say what `problem`, of a request for `path`, says.

    What is not valid is 400, as OpenAI has it. `code` is the name of the problem's type, with underscores.
    """
    code = problem.type.removeprefix(_PROBLEM)
    status = 400 if problem.status == 422 else problem.status
    body = OpenAIErrorBody(
        message=problem.detail,
        type=_kind(status),
        param=_param(problem, code, path),
        code=code.replace("-", "_"),
    )
    return status, OpenAIError(error=body)


class OpenAIErrors:
    """Gives problems OpenAI's form where a client of OpenAI's asked, wherever in here they were made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_openai(scope["path"]):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = bytearray()

        async def translate(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_problem(message):
                held = message
            elif held is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_translated(held, bytes(body), scope["path"], send)

        await self._app(scope, receive, translate)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == _PROBLEM_TYPE


async def _send_translated(start: Message, body: bytes, path: str, send: Send) -> None:
    status, error = translated(Problem.model_validate_json(body), path)
    data = error.model_dump_json().encode()
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(data))
    await send({**start, "status": status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": data})


def _kind(status: int) -> str:
    """Return OpenAI's name for a family of errors."""
    if status >= 500:
        return "server_error"
    return {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error"
    )


def _param(problem: Problem, code: str, path: str) -> str | None:
    """Return the parameter that is wrong, as OpenAI writes it: messages[0].role."""
    if code in _UNKNOWN:
        return _UNKNOWN[code]
    if code == "invalid-question":
        return _QUESTION.get(path.split("/")[2])
    if not problem.errors:
        return None
    # Behind a name may stand how one of several types would have been read.
    parts = takewhile(_NAME.fullmatch, problem.errors[0]["field"].split("."))
    field = ".".join(parts)
    return None if field in ("", "body") else _NUMBER.sub(r"[\1]", field)


def _shown(name: str) -> str:
    """Return a name that was sent, short and printable."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:100])

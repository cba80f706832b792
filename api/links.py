"""What leads where: which value of a response another operation takes, for whoever follows the description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """An operation, and where its parameters and the fields of its body are found (OpenAPI's runtime expressions)."""

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)


_DOCUMENT, _CONVERSATION = "/v1/documents/{document_id}", "/v1/conversations/{conversation_id}"
_DIFF, _ROLLBACK = "/v1/generations/{before}/diff/{after}", "/v1/generations/{number}/rollback"


def _of_document(where: str) -> dict[str, Link]:
    """Return what can be done with a document whose id is found there."""
    named = {"document_id": where}
    return {
        "document": Link("get", _DOCUMENT, named),
        "text": Link("get", f"{_DOCUMENT}/text", named),
        "revisions": Link("get", f"{_DOCUMENT}/revisions", named),
        "delete": Link("delete", _DOCUMENT, named),
    }


def _of_conversation(where: str) -> dict[str, Link]:
    named = {"conversation_id": where}
    return {
        "conversation": Link("get", _CONVERSATION, named),
        "forget": Link("delete", _CONVERSATION, named),
        "go_on": Link("post", "/v1/ask", body=named),
    }


LINKS: Mapping[tuple[str, str, str], Mapping[str, Link]] = {
    ("post", "/v1/documents", "202"): {"job": Link("get", "/v1/jobs/{job_id}", {"job_id": "$response.body#/id"})},
    ("get", "/v1/jobs", "200"): {"job": Link("get", "/v1/jobs/{job_id}", {"job_id": "$response.body#/data/0/id"})},
    ("get", "/v1/documents", "200"): _of_document("$response.body#/data/0/id"),
    ("get", _DOCUMENT, "200"): _of_document("$response.body#/id"),
    ("delete", _DOCUMENT, "200"): {"gone": Link("get", _DOCUMENT, {"document_id": "$request.path.document_id"})},
    ("post", "/v1/ask", "200"): {
        **_of_conversation("$response.body#/conversation_id"),
        **_of_document("$response.body#/citations/0/document_id"),
        "replay": Link("post", "/v1/replay", body={"receipt": "$response.body#/receipt"}),
    },
    ("get", _CONVERSATION, "200"): _of_conversation("$response.body#/id"),
    ("delete", _CONVERSATION, "204"): {
        "gone": Link("get", _CONVERSATION, {"conversation_id": "$request.path.conversation_id"})
    },
    ("get", "/v1/generations", "200"): {
        "roll_back": Link("post", _ROLLBACK, {"number": "$response.body#/data/0/number"}),
        "compare": Link(
            "get", _DIFF, {"before": "$response.body#/data/1/number", "after": "$response.body#/data/0/number"}
        ),
    },
    ("post", _ROLLBACK, "200"): {
        "compare": Link("get", _DIFF, {"before": "$request.path.number", "after": "$response.body#/number"}),
        "roll_back": Link("post", _ROLLBACK, {"number": "$response.body#/number"}),
    },
}
"""By method, path and status of a response: what can be done next."""


def add_links(document: dict[str, Any]) -> None:
    """Put the links into an OpenAPI document."""
    for (method, path, status), links in LINKS.items():
        document["paths"][path][method]["responses"][status]["links"] = {
            name: _described(link, document["paths"][link.path][link.method]["operationId"])
            for name, link in links.items()
        }


def _described(link: Link, operation: str) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation}
    if link.parameters:
        described["parameters"] = dict(link.parameters)
    if link.body:
        described["requestBody"] = dict(link.body)
    return described

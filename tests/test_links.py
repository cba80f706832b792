"""The links of the description: each leads to an operation that takes what it is given, and they can be followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.links import LINKS, Link
from api.settings import Settings
from api.wiring import open_runtime
from benchmarks.fuzz_http import fuzz
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.services import SERVICE
from tests.waiting import until

Json = dict[str, Any]


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("linked")
    sync(folder / "library", HashingEmbedder(), [write_files(folder / "sources", {"a.txt": "It leaves at noon."})])
    runtime = replace(open_runtime(Settings(library=folder / "library"), HashingEmbedder()), service=SERVICE)
    with TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False) as opened:
        yield opened
    runtime.close()


def value(expression: str, sent: Json, body: Any) -> Any:
    """Return what a runtime expression stands for, as far as ours use them."""
    kind, _, rest = expression.partition("#/" if "#/" in expression else "path.")
    if kind == "$request.":
        return sent[rest]
    assert kind == "$response.body"
    for part in rest.split("/"):
        body = body[int(part) if isinstance(body, list) else part]
    return body


def followed(client: TestClient, link: Link, sent: Json, body: Any) -> tuple[Any, Json]:
    """Follow a link; return the response and the parameters that were sent."""
    parameters = {name: value(where, sent, body) for name, where in link.parameters.items()}
    fields = {name: value(where, sent, body) for name, where in link.body.items()}
    if link.path == "/v1/ask":
        fields["question"] = "And when does it leave?"
    path = re.sub(r"\{(\w+)\}", lambda found: str(parameters[found[1]]), link.path)
    return client.request(link.method.upper(), path, json=fields if fields else None), parameters


def test_each_link_leads_to_an_operation_that_takes_what_it_is_given(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    count = 0
    for (method, path, status), links in LINKS.items():
        described = paths[path][method]["responses"][status]["links"]
        assert described.keys() == links.keys()
        for name, link in links.items():
            target = paths[link.path][link.method]
            assert described[name]["operationId"] == target["operationId"]
            assert {
                one["name"] for one in target.get("parameters", []) if one["in"] == "path"
            } == link.parameters.keys()
            assert bool(link.body) <= ("requestBody" in target)
            count += 1
    assert count > 20


def test_a_document_is_made_looked_at_and_deleted_along_the_links(client: TestClient) -> None:
    made = client.post("/v1/documents", json={"name": "0.txt", "text": "The ferry is late."})
    link = LINKS["post", "/v1/documents", "202"]["job"]
    until(lambda: bool(followed(client, link, {}, made.json())[0].json()["status"] == "done"))
    listed = client.get("/v1/documents").json()
    links = LINKS["get", "/v1/documents", "200"]
    assert listed["total"] == 2
    for name in ("document", "text", "revisions"):
        assert followed(client, links[name], {}, listed)[0].status_code == 200
    deleted, sent = followed(client, links["delete"], {}, listed)
    assert deleted.status_code == 200
    gone = LINKS["delete", "/v1/documents/{document_id}", "200"]["gone"]
    assert followed(client, gone, sent, deleted.json())[0].status_code == 404
    generations = client.get("/v1/generations").json()
    for name in ("compare", "roll_back"):
        assert followed(client, LINKS["get", "/v1/generations", "200"][name], {}, generations)[0].status_code == 200


def test_a_conversation_is_begun_gone_on_with_and_forgotten_along_the_links(client: TestClient) -> None:
    asked = client.post("/v1/ask", json={"question": "When does it leave at noon?", "risk": 1}).json()
    links = LINKS["post", "/v1/ask", "200"]
    for name in ("conversation", "go_on", "replay", "document", "text"):
        assert followed(client, links[name], {}, asked)[0].status_code == 200, name
    forgotten, sent = followed(client, links["forget"], {}, asked)
    assert forgotten.status_code == 204
    gone = LINKS["delete", "/v1/conversations/{conversation_id}", "204"]["gone"]
    assert followed(client, gone, sent, None)[0].status_code == 404


def test_sequences_of_requests_along_the_links_get_what_the_description_promises() -> None:
    """The short form of `python -m benchmarks.fuzz_http`."""
    tally = fuzz(120, seed=20260110)
    assert tally.findings == {}
    assert tally.followed > 0
    assert tally.cases["DELETE /v1/documents/{document_id}"] > 0

"""Generations over HTTP: listed, compared, gone back to, and asked as they were."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.exchange import asked
from api.schemas import SearchRequest
from api.settings import Settings
from api.visit import owners
from api.wiring import Runtime, open_runtime
from index import change
from index.errors import LibraryBusy
from index.naming import document_id
from index.scope import AskedStore
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files

Json = dict[str, Any]

GREY = "The lighthouse was painted grey by its keeper."
WHITE = "The lighthouse was painted white by its keeper."
FERRY = "The ferry to the lighthouse leaves at noon."


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Yield a runtime over three generations: the lighthouse grey; then white, and a ferry; then no ferry."""
    place = tmp_path_factory.mktemp("history")
    yield (runtime := made(place))
    runtime.close()


def made(place: Path) -> Runtime:
    embedder, sources, library = HashingEmbedder(), place / "sources", place / "library"
    sync(library, embedder, [write_files(sources, {"lighthouse.txt": GREY})])
    sync(library, embedder, [write_files(sources, {"lighthouse.txt": WHITE, "ferry.txt": FERRY})])
    (sources / "ferry.txt").unlink()
    sync(library, embedder, [sources])
    return open_runtime(Settings(library=library), embedder)


def client_of(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(history: Runtime) -> TestClient:
    return client_of(history)


def assert_problem(response: Any, status: int, code: str) -> Json:
    assert response.status_code == status, response.text
    problem: Json = response.json()
    assert problem["type"] == f"urn:citespan:problem:{code}"
    return problem


def texts(client: TestClient, **fields: Any) -> tuple[int, set[str]]:
    """Return the generation that a search was put to, and the texts it found."""
    response = client.post("/v1/search", json={"query": "lighthouse ferry", **fields})
    assert response.status_code == 200, response.text
    page = response.json()
    return page["generation"], {hit["content"][0]["text"] for hit in page["data"]}


# ---- listing and comparing -------------------------------------------------------------------------------------------


def test_generations_are_listed_newest_first_with_what_changed(client: TestClient) -> None:
    listed = client.get("/v1/generations").json()
    assert (listed["object"], listed["has_more"], listed["current"]) == ("list", False, 3)
    assert [one["number"] for one in listed["data"]] == [3, 2, 1]
    newest, second, first = listed["data"]
    assert newest.keys() == {
        "object", "number", "created_at", "documents", "passages", "active", "purged", "changes",
    }  # fmt: skip
    assert [(one["documents"], one["passages"]) for one in (first, second, newest)] == [(1, 1), (2, 2), (1, 1)]
    assert (second["changes"]["added"], second["changes"]["changed"], second["changes"]["removed"]) == (1, 1, 0)
    assert (newest["active"], newest["purged"], newest["changes"]["removed"]) == (True, 0, 1)
    assert first["created_at"] < second["created_at"] < newest["created_at"]


def test_a_page_of_generations_says_that_there_are_more(client: TestClient) -> None:
    page = client.get("/v1/generations", params={"limit": 2}).json()
    assert ([one["number"] for one in page["data"]], page["has_more"]) == ([3, 2], True)
    assert_problem(client.get("/v1/generations", params={"limit": 0}), 422, "invalid-request")


@pytest.mark.parametrize(
    ("before", "after", "added", "removed", "changed"),
    [
        (1, 2, {"ferry.txt"}, set(), {"lighthouse.txt"}),
        (2, 1, set(), {"ferry.txt"}, {"lighthouse.txt"}),
        (2, 3, set(), {"ferry.txt"}, set()),
        (1, 3, set(), set(), {"lighthouse.txt"}),
        (3, 3, set(), set(), set()),
    ],
)
def test_two_generations_are_compared(
    client: TestClient, before: int, after: int, added: set[str], removed: set[str], changed: set[str]
) -> None:
    diff = client.get(f"/v1/generations/{before}/diff/{after}").json()
    assert (diff["object"], diff["before"], diff["after"]) == ("generation.diff", before, after)
    for kind, expected in (("added", added), ("removed", removed), ("changed", changed)):
        assert {document["uri"] for document in diff[kind]} == expected


def test_what_was_never_there_is_not_found(client: TestClient) -> None:
    for path in ("1/diff/9", "9/diff/1", f"1/diff/{2**62 - 1}"):
        assert_problem(client.get(f"/v1/generations/{path}"), 404, "unknown-generation")
    for path in ("x/diff/1", "-1/diff/1", f"1/diff/{2**62}", f"1/diff/{'9' * 500}"):
        assert_problem(client.get(f"/v1/generations/{path}"), 422, "invalid-request")


# ---- asking as of then -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "expected"), [(1, {GREY}), (2, {WHITE, FERRY}), (3, {WHITE}), (None, {WHITE})])
def test_a_search_is_put_to_the_generation_it_names(client: TestClient, number: int | None, expected: set[str]) -> None:
    assert texts(client, as_of=number) == (3 if number is None else number, expected)


def test_a_question_is_put_to_the_generation_it_names(client: TestClient) -> None:
    for number, text in ((1, GREY), (3, WHITE)):
        reply = client.post("/v1/ask", json={"question": "Who painted the lighthouse?", "as_of": number}).json()
        shown = reply["citations"] or reply["nearest"]
        assert (reply["generation"], shown[0]["quote"]) == (number, text)
        claim = {name: shown[0][name] for name in ("document_id", "revision", "quote", "start", "end")}
        assert client.post("/v1/verify", json=claim).json()["status"] == "verified"


def test_a_moment_stands_for_the_generation_that_was_the_newest_then(client: TestClient) -> None:
    created = {one["number"]: one["created_at"] for one in client.get("/v1/generations").json()["data"]}
    for number, moment in created.items():
        assert texts(client, as_of=moment)[0] == number
    assert texts(client, as_of=created[3][:10])[0] == 3
    assert texts(client, as_of="2999-12-31T23:59:59+01:00")[0] == 3


@pytest.mark.parametrize("as_of", [9, 2**62 - 1, "2000-01-01", "1970-01-01T00:00:00Z"])
def test_a_time_without_a_generation_is_not_found(client: TestClient, as_of: int | str) -> None:
    for path, body in (("/v1/search", {"query": "lighthouse"}), ("/v1/ask", {"question": "Who?"})):
        assert_problem(client.post(path, json={**body, "as_of": as_of}), 404, "unknown-generation")


@pytest.mark.parametrize(
    "as_of",
    [0, -1, 2**62, 1.5, True, "", "1", "yesterday", "2026-02-30", "2026-1-1", "20260101", "2026-01-01T25:00",
     "2026-01-01T12:00:00+99:00", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00", [1], {"generation": 1}],
)  # fmt: skip
def test_what_is_no_time_is_refused(client: TestClient, as_of: Any) -> None:
    for path, body in (("/v1/search", {"query": "lighthouse"}), ("/v1/ask", {"question": "Who?"})):
        problem = assert_problem(client.post(path, json={**body, "as_of": as_of}), 422, "invalid-request")
        assert problem["errors"][0]["field"].startswith("as_of")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-01-31", "2026-01-31T23:59:59.999Z"),
        ("2026-01-31T12:30", "2026-01-31T12:30:00.000Z"),
        ("2026-01-31 12:30:15", "2026-01-31T12:30:15.000Z"),
        ("2026-01-31T12:30:15.25+02:00", "2026-01-31T10:30:15.250Z"),
        ("2026-01-31T23:30:00-01:00", "2026-02-01T00:30:00.000Z"),
    ],
)
def test_a_moment_is_meant_in_utc_and_a_date_to_its_end(given: str, meant: str) -> None:
    assert SearchRequest.model_validate({"query": "x", "as_of": given}).as_of == meant


# ---- going back ------------------------------------------------------------------------------------------------------


def test_going_back_makes_a_new_generation_that_answers_at_once(tmp_path: Path) -> None:
    runtime = made(tmp_path)
    client = client_of(runtime)
    back = client.post("/v1/generations/2/rollback")
    assert back.status_code == 200, back.text
    assert (back.json()["number"], back.json()["documents"], back.json()["active"]) == (4, 2, True)
    assert texts(client) == (4, {WHITE, FERRY})
    assert client.get("/readyz").json()["generation"] == 4
    diff = client.get("/v1/generations/2/diff/4").json()
    assert (diff["added"], diff["removed"], diff["changed"]) == ([], [], [])
    assert_problem(client.post("/v1/generations/9/rollback"), 404, "unknown-generation")
    assert texts(client)[0] == 4
    runtime.close()


def test_what_was_purged_cannot_be_gone_back_to_nor_asked(tmp_path: Path) -> None:
    runtime = made(tmp_path)
    client = client_of(runtime)
    assert texts(client, as_of=2)[1] == {WHITE, FERRY}  # held in memory from here on
    assert client.delete(f"/v1/documents/{document_id('ferry.txt')}", params={"purge": True}).status_code == 200
    assert_problem(client.post("/v1/search", json={"query": "ferry", "as_of": 2}), 410, "purged")
    assert_problem(client.post("/v1/generations/2/rollback"), 410, "purged")
    assert texts(client, as_of=1)[1] == {GREY}
    purged = {one["number"]: one["purged"] for one in client.get("/v1/generations").json()["data"]}
    assert (purged[1], purged[2]) == (0, 1)
    runtime.close()


def test_a_change_waits_for_its_turn_and_says_when_to_come_back(
    history: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.generations.PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("api.routes.documents.PATIENCE_SECONDS", 0.01)
    client = client_of(history)
    with history.jobs.landing():
        for response in (client.post("/v1/generations/1/rollback"), client.delete("/v1/documents/doc_any")):
            assert_problem(response, 503, "library-busy")
            assert re.fullmatch("[0-9]+", response.headers["retry-after"])
    assert texts(client)[0] == 3


# ---- a purge while a question is answered ----------------------------------------------------------------------------


def test_what_is_purged_while_a_question_is_answered_is_not_in_the_answer(tmp_path: Path) -> None:
    runtime = made(tmp_path)
    seen = []

    def ask(store: AskedStore) -> int:
        seen.append(store.generation.number)
        if len(seen) == 1:
            change.delete(runtime.settings.library, [document_id("lighthouse.txt")], purge=True)
            raise RuntimeError("a text was pulled away")
        return store.generation.number

    assert asked(owners(runtime), None, ask) == 4
    assert seen == [3, 4]
    runtime.close()


def test_an_error_that_no_purge_explains_is_an_error(history: Runtime) -> None:
    def ask(store: AskedStore) -> int:
        raise RuntimeError("this is not the purge's fault")

    with pytest.raises(RuntimeError, match="not the purge"):
        asked(owners(history), None, ask)


def test_purges_without_end_are_told_as_a_busy_library(history: Runtime) -> None:
    class Vanishing:
        """A store that is never whole."""

        def __getattr__(self, name: str) -> Any:
            return getattr(history.store, name)

        def holds(self, store: AskedStore) -> bool:
            return False

    with pytest.raises(LibraryBusy, match="purged"):
        asked(replace(owners(history), store=Vanishing()), None, lambda store: 1)  # type: ignore[arg-type]

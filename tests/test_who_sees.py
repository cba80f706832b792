"""Every way around: a key sees the documents that its tags say, whichever way it asks, and of the rest nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp.types import CallToolResult

from api.access import Caller, Role
from api.app import create_app
from api.keys import Keys
from api.mcp.server import build
from api.settings import Settings
from api.visit import Reception
from api.wiring import Runtime, open_runtime
from index.change import delete
from index.sync import sync
from index.types import Revision
from tests.fakes import HashingEmbedder, write_files
from tests.services import SERVICE
from tests.waiting import until

Json = dict[str, Any]

# What a reader of the press must never come by: words of the text, the title and the address of what it does not see.
SECRETS = ("vermilion", "Boardroom", "minutes.md", "quarry", "heirloom", "attic.md", "cellar", "Payroll", "payroll.md")
PAINTED = "The lighthouse was painted white by its keeper."
MINUTES = "The lighthouse was painted vermilion by its keeper, says the board of the quarry."
BARE = "The lighthouse holds an heirloom, painted by its keeper."
PAID = "The lighthouse was painted by its keeper in the cellar."
QUESTION = "Who painted the lighthouse?"
FILES = {
    "news.md": f"---\ntitle: The news\ntags: [press]\npublished_at: 2026-01-02\n---\n\n{PAINTED}\n",
    "minutes.md": f"---\ntitle: Boardroom\ntags: [board]\npublished_at: 2026-01-03\n---\n\n{MINUTES}\n",
    "attic.md": f"{BARE}\n",
    "payroll.md": f"---\ntitle: Payroll\ntags: [board]\n---\n\n{PAID}\n",
}


@dataclass(frozen=True, slots=True)
class World:
    """A served library with two readers and a maintainer, and a client that shows the key of each."""

    app: FastAPI
    runtime: Runtime
    press: TestClient
    board: TestClient
    keeper: TestClient
    ids: dict[str, str]


def client_of(app: FastAPI, key: str) -> TestClient:
    headers = {"Authorization": f"Bearer {key}"}
    return TestClient(app, base_url="http://localhost", headers=headers, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield a library of three generations: all documents; the payroll without; and the minutes as they are now."""
    folder = tmp_path_factory.mktemp("world")
    library = folder / "library"
    sources = write_files(folder / "sources", FILES)
    sync(library, HashingEmbedder(), [sources])
    runtime = replace(open_runtime(Settings(library=library), HashingEmbedder()), service=SERVICE)
    ids = {document.uri: document.id for document in runtime.store.current().documents()}
    delete(library, [ids["payroll.md"]])
    write_files(sources, {"minutes.md": FILES["minutes.md"].replace("says", "said")})
    sync(library, HashingEmbedder(), [sources])
    runtime.store.refresh()
    keys = Keys(library)
    press = keys.create("press", Role.READER, ["press"])[1]
    board = keys.create("board", Role.READER, ["board"])[1]
    keeper = keys.create("keeper", Role.MAINTAINER)[1]
    app = create_app(runtime)
    yield World(app, runtime, client_of(app, press), client_of(app, board), client_of(app, keeper), ids)
    runtime.close()


def post(client: TestClient, path: str, **body: Any) -> Any:
    return client.post(path, json=body)


def secrets_in(response: Any, known: str = "") -> list[str]:
    """Return what a reader of the press must not come by and came by; what it sent itself is no news."""
    text = "\n".join([response.text, *response.headers.values()])
    return [word for word in SECRETS if word in text and word not in known]


CHAT = {"model": "citespan", "messages": [{"role": "user", "content": QUESTION}]}
ASKED: tuple[tuple[str, Callable[[TestClient], Any]], ...] = (
    ("a question", lambda c: post(c, "/v1/ask", question=QUESTION)),
    ("a question at any risk", lambda c: post(c, "/v1/ask", question=QUESTION, risk=1, max_citations=10)),
    ("the nearest passages", lambda c: post(c, "/v1/ask", question="Why is nothing here?", risk=0.0001)),
    ("a question to the past", lambda c: post(c, "/v1/ask", question=QUESTION, risk=1, as_of=1, max_citations=10)),
    ("a question to a date", lambda c: post(c, "/v1/ask", question=QUESTION, risk=1, as_of="2099-01-01")),
    ("a filter by another tag", lambda c: post(c, "/v1/ask", question=QUESTION, risk=1, filter={"tags": ["board"]})),
    ("a follow-up", lambda c: post(c, "/v1/ask", question="And by whom?", risk=1,
                                   conversation=[{"question": QUESTION, "answer": None}])),
    ("a stream", lambda c: c.post("/v1/ask", json={"question": QUESTION, "risk": 1},
                                  headers={"Accept": "text/event-stream"})),
    ("a search", lambda c: post(c, "/v1/search", query="lighthouse painted keeper", max_num_results=50)),
    ("a search of the past", lambda c: post(c, "/v1/search", query="lighthouse", max_num_results=50, as_of=1)),
    ("OpenAI's chat", lambda c: c.post("/v1/chat/completions", json=CHAT)),
    ("OpenAI's chat in pieces", lambda c: c.post("/v1/chat/completions", json={**CHAT, "stream": True})),
    ("OpenAI's search", lambda c: post(c, "/v1/vector_stores/library/search", query="lighthouse painted")),
    ("the documents", lambda c: c.get("/v1/documents")),
    ("the documents by title", lambda c: c.get("/v1/documents?sort=title")),
    ("the documents with a word", lambda c: c.get("/v1/documents?q=o&sort=-published")),
    ("the generations", lambda c: c.get("/v1/generations")),
    ("the first change", lambda c: c.get("/v1/generations/0/diff/1")),
    ("the last change", lambda c: c.get("/v1/generations/2/diff/3")),
    ("the way back", lambda c: c.get("/v1/generations/3/diff/1")),
    ("the models", lambda c: c.get("/v1/models")),
    ("the jobs", lambda c: c.get("/v1/jobs")),
    ("the page", lambda c: c.get("/")),
    ("its description", lambda c: c.get("/openapi.json")),
    ("its health", lambda c: c.get("/readyz")),
)  # fmt: skip


@pytest.mark.parametrize(("way", "ask"), ASKED, ids=[way for way, _ in ASKED])
def test_no_way_of_asking_tells_what_is_not_seen(world: World, way: str, ask: Callable[[TestClient], Any]) -> None:
    response = ask(world.press)
    assert response.status_code == 200, response.text
    assert secrets_in(response) == []


WORDS = st.lists(
    st.sampled_from(["lighthouse", "painted", "keeper", "vermilion", "quarry", "heirloom", "board", "Who", "?"]),
    min_size=1, max_size=6,
).map(" ".join)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(), words=WORDS, as_of=st.sampled_from([None, 1, 2, 3, "2099-01-01"]), risk=st.sampled_from([None, 1])
)
def test_no_question_however_it_is_narrowed_tells_what_is_not_seen(
    world: World, data: st.DataObject, words: str, as_of: Any, risk: float | None
) -> None:
    where = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "tags": st.sets(st.sampled_from(["press", "board", "public"])).map(sorted),
                "document_ids": st.sets(st.sampled_from(sorted(world.ids.values()))).map(sorted),
                "published_from": st.sampled_from(["2026-01-01", "2026-01-03"]),
            },
        )
    )
    for response in (
        post(world.press, "/v1/ask", question=words, filter=where, as_of=as_of, risk=risk, max_citations=10),
        post(world.press, "/v1/search", query=words, filters=None, max_num_results=50, as_of=as_of),
    ):
        assert response.status_code == 200 or "empty" in response.text
        assert secrets_in(response, words) == []


@pytest.mark.parametrize(
    ("way", "word"),
    [("a question at any risk", "vermilion"), ("a search", "vermilion"), ("the documents", "Boardroom"),
     ("the last change", "minutes.md"), ("a question to the past", "quarry"), ("OpenAI's search", "vermilion")],
)  # fmt: skip
def test_the_same_ways_tell_it_to_whoever_sees_it(world: World, way: str, word: str) -> None:
    """So the ways are ways: with another key the words are there."""
    ask = dict(ASKED)[way]
    assert word in ask(world.keeper).text
    assert word in ask(world.board).text
    assert "white" not in ask(world.board).text


def test_a_reader_gets_its_own_documents_whole(world: World) -> None:
    reply = post(world.press, "/v1/ask", question=QUESTION, risk=1).json()
    assert [citation["quote"] for citation in reply["citations"]] == [PAINTED]
    (citation,) = reply["citations"]
    assert world.press.get(f"/v1/documents/{citation['document_id']}/text").text.strip() == PAINTED
    assert post(world.press, "/v1/verify", **citation).json()["status"] == "verified"


def test_counts_are_of_what_is_seen(world: World) -> None:
    listed = world.press.get("/v1/documents").json()
    assert (listed["total"], len(listed["data"])) == (1, 1)
    assert world.press.get("/v1/documents?sort=title").json()["total"] == 1
    told = [
        (one["documents"], one["passages"], one["changes"]) for one in world.press.get("/v1/generations").json()["data"]
    ]
    nothing = {"added": 0, "changed": 0, "removed": 0}
    assert told == [(1, 1, nothing), (1, 1, nothing), (1, 1, {**nothing, "added": 1})]
    assert world.press.get("/readyz").json()["documents"] == 1
    board = [(one["documents"], one["changes"]) for one in world.board.get("/v1/generations").json()["data"]]
    assert board == [(1, {**nothing, "changed": 1}), (1, {**nothing, "removed": 1}), (2, {**nothing, "added": 2})]
    assert [one["documents"] for one in world.keeper.get("/v1/generations").json()["data"]] == [3, 3, 4]


@pytest.mark.parametrize("uri", ["minutes.md", "attic.md", "payroll.md"])
@pytest.mark.parametrize("rest", ["", "/text", "/revisions", "?", "/text?revision={revision}"])
def test_a_document_that_is_not_seen_is_told_like_none(world: World, uri: str, rest: str) -> None:
    revision = Revision.of(FILES[uri].rpartition("---\n\n")[2].strip()).id
    path = f"{{}}{rest}".replace("{revision}", revision)
    hidden = world.press.get(f"/v1/documents/{path.format(world.ids[uri])}")
    nothing = world.press.get(f"/v1/documents/{path.format('doc_none')}")
    assert hidden.status_code == 404
    assert hidden.text.replace(world.ids[uri], "doc_none") == nothing.text
    assert secrets_in(hidden) == []


def test_a_page_of_the_list_does_not_begin_behind_what_is_not_seen(world: World) -> None:
    refused = world.press.get("/v1/documents", params={"sort": "title", "after": world.ids["minutes.md"]})
    assert refused.status_code == 422
    assert world.press.get("/v1/documents", params={"after": world.ids["minutes.md"]}).status_code == 200


def test_a_citation_of_what_is_not_seen_is_unknown_though_it_is_right(world: World) -> None:
    reply = post(world.board, "/v1/ask", question=QUESTION, risk=1).json()
    for citation in reply["citations"]:
        assert post(world.board, "/v1/verify", **citation).json()["status"] == "verified"
        answer = post(world.press, "/v1/verify", **citation)
        assert answer.json()["status"] == "unknown"
        assert secrets_in(answer) == []
        never = post(world.press, "/v1/verify", **{**citation, "document_id": "doc_none"})
        assert answer.text.replace(citation["document_id"], "doc_none") == never.text


def test_a_receipt_of_somebody_who_sees_more_gives_nothing_away(world: World) -> None:
    for as_of in (None, 1):
        reply = post(world.board, "/v1/ask", question=QUESTION, risk=1, as_of=as_of).json()
        assert post(world.board, "/v1/replay", receipt=reply["receipt"]).json()["answer"] == reply["answer"]
        refused = post(world.press, "/v1/replay", receipt=reply["receipt"])
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:citespan:problem:replay-differs")
        assert secrets_in(refused) == []
    own = post(world.press, "/v1/ask", question=QUESTION, risk=1).json()
    assert post(world.press, "/v1/replay", receipt=own["receipt"]).json()["answer"] == own["answer"]


def test_a_conversation_is_its_keys_alone(world: World) -> None:
    name = post(world.board, "/v1/ask", question=QUESTION, risk=1).json()["conversation_id"]
    for other in (world.press, world.keeper):
        for response in (
            other.get(f"/v1/conversations/{name}"),
            other.delete(f"/v1/conversations/{name}"),
            post(other, "/v1/ask", question="And by whom?", conversation_id=name),
        ):
            assert (response.status_code, response.json()["type"]) == (404, "urn:citespan:problem:unknown-conversation")
    assert len(world.board.get(f"/v1/conversations/{name}").json()["turns"]) == 1
    assert post(world.board, "/v1/ask", question="And by whom?", conversation_id=name).status_code == 200


def test_a_stream_is_its_keys_alone(world: World) -> None:
    headers = {"Accept": "text/event-stream"}
    sent = world.board.post("/v1/ask", json={"question": QUESTION, "risk": 1}, headers=headers)
    first = next(line.removeprefix("id: ") for line in sent.text.splitlines() if line.startswith("id: "))
    again = {**headers, "Last-Event-ID": first}
    lost = world.press.post("/v1/ask", json={"question": QUESTION}, headers=again)
    assert (lost.status_code, lost.json()["type"]) == (404, "urn:citespan:problem:unknown-stream")
    assert secrets_in(lost) == []
    assert "vermilion" in world.board.post("/v1/ask", json={"question": QUESTION}, headers=again).text


# ---- the Model Context Protocol -----------------------------------------------------------------------------------


TOOLS: tuple[tuple[str, Json], ...] = (
    ("search", {"query": "lighthouse painted keeper", "max_num_results": 50}),
    ("search", {"query": "lighthouse", "as_of": 1}),
    ("ask", {"question": QUESTION, "risk": 1}),
    ("ask", {"question": QUESTION, "risk": 1, "as_of": 1}),
    ("ask", {"question": "Why is nothing here?", "risk": 0.0001}),
)


def called(world: World, tags: set[str], tool: str, arguments: Json) -> CallToolResult:
    """Return what a tool says to a reader of some tags."""
    visit = Reception(world.runtime).visit(Caller("abc", Role.READER, frozenset(tags)))

    async def act() -> CallToolResult:
        async with Client(build(lambda _: visit)) as client:
            return await client.call_tool(tool, arguments)

    return anyio.run(act)


@pytest.mark.parametrize(("tool", "arguments"), TOOLS)
def test_no_tool_tells_what_is_not_seen(world: World, tool: str, arguments: Json) -> None:
    result = called(world, {"press"}, tool, arguments)
    assert not result.is_error
    assert [word for word in SECRETS if word in result.model_dump_json()] == []


def test_a_tool_tells_it_to_whoever_sees_it(world: World) -> None:
    assert "vermilion" in called(world, {"board"}, *TOOLS[0]).model_dump_json()
    assert "cellar" in called(world, {"board"}, *TOOLS[1]).model_dump_json()


@pytest.mark.parametrize("uri", ["minutes.md", "attic.md", "payroll.md"])
def test_what_is_not_seen_cannot_be_fetched_nor_read_as_a_resource(world: World, uri: str) -> None:
    digest = Revision.of(FILES[uri].rpartition("---\n\n")[2].strip()).id.removeprefix("sha256:")
    for place in (world.ids[uri], f"{world.ids[uri]}:0-10", f"{world.ids[uri]}@{digest}"):
        result = called(world, {"press"}, "fetch", {"id": place})
        assert result.is_error
        assert [word for word in SECRETS if word in result.model_dump_json()] == []
    visit = Reception(world.runtime).visit(Caller("abc", Role.READER, frozenset({"press"})))

    async def act() -> list[str]:
        async with Client(build(lambda _: visit)) as client:
            for rest in ("", f"?revision=sha256:{digest}"):
                with pytest.raises(MCPError):
                    await client.read_resource(f"citespan://documents/{world.ids[uri]}{rest}")
            return [resource.name for resource in (await client.list_resources()).resources]

    assert anyio.run(act) == ["news.md"]


def test_over_http_a_tool_sees_what_the_key_of_its_request_sees(world: World) -> None:
    message = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "lighthouse painted keeper"}},
    }  # fmt: skip
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    with TestClient(world.app, base_url="http://localhost") as entered:
        refused = entered.post("/mcp", json=message, headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        said = {}
        for name, client in (("press", world.press), ("board", world.board)):
            key = {"Authorization": client.headers["authorization"]}
            said[name] = entered.post("/mcp", json=message, headers={**headers, **key}).text
    assert "painted white" in said["press"]
    assert [word for word in SECRETS if word in said["press"]] == []
    assert "vermilion" in said["board"]
    assert "white" not in said["board"]


# ---- what a caller adds -------------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[TestClient, TestClient, TestClient]]:
    """Yield clients of two contributors and a maintainer of a library of their own, which takes uploads in."""
    library = tmp_path / "library"
    sync(library, HashingEmbedder(), [write_files(tmp_path / "sources", FILES)])
    runtime = replace(open_runtime(Settings(library=library), HashingEmbedder()), service=SERVICE)
    keys, app = Keys(library), create_app(runtime)
    shown = [
        keys.create("press", Role.CONTRIBUTOR, ["press", "public"])[1],
        keys.create("board", Role.CONTRIBUTOR, ["board"])[1],
        keys.create("keeper", Role.MAINTAINER)[1],
    ]
    press, board, keeper = (client_of(app, key) for key in shown)
    with keeper:
        yield press, board, keeper
    runtime.close()


def landed(client: TestClient, job: Json) -> Json:
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["status"] in ("done", "failed"))
    found: Json = client.get(f"/v1/jobs/{job['id']}").json()
    return found


def test_what_a_contributor_adds_carries_its_tags_and_no_others(shared: tuple[TestClient, ...]) -> None:
    press, board, keeper = shared
    lines = [json.dumps({"title": f"T{n}", "text": f"Item {n} sailed.", "tags": ["board"]}) for n in (1, 2)]
    documents = [
        {"name": "plain.txt", "text": "It sailed."},
        {"name": "named.txt", "text": "It sank.", "tags": ["public"]},
        {"name": "own.md", "text": "---\ntags: [board]\n---\n\nIt stayed."},
        {"name": "many.jsonl", "text": "\n".join(lines)},
    ]
    job = landed(press, post(press, "/v1/documents", documents=documents).json())
    assert (job["status"], job["errors"]) == ("done", [])
    tags = {d["uri"]: d["tags"] for d in keeper.get("/v1/documents").json()["data"] if d["uri"] in job["added"]}
    assert sorted(tags.values()) == [["press", "public"]] * 4 + [["public"]]
    assert tags["named.txt"] == ["public"]
    assert board.get("/v1/documents").json()["total"] == 2
    refused = post(press, "/v1/documents", name="x.txt", text="It sank.", tags=["board"])
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:citespan:problem:role-needed")


def test_a_contributor_replaces_nothing_that_it_does_not_see(shared: tuple[TestClient, ...]) -> None:
    press, board, _ = shared
    assert landed(board, post(board, "/v1/documents", name="plan.txt", text="It sails at dawn.").json())["errors"] == []
    job = landed(press, post(press, "/v1/documents", name="plan.txt", text="It never sails.").json())
    assert (job["status"], [one["code"] for one in job["errors"]]) == ("failed", ["not-replaceable"])
    (plan,) = [d for d in board.get("/v1/documents").json()["data"] if d["uri"] == "plan.txt"]
    assert board.get(f"/v1/documents/{plan['id']}/text").text == "It sails at dawn."


def test_jobs_and_idempotency_keys_are_their_owners_alone(shared: tuple[TestClient, ...]) -> None:
    press, board, keeper = shared
    sent = {"name": "plan.txt", "text": "It sails at dawn."}
    mine = press.post("/v1/documents", json=sent, headers={"Idempotency-Key": "one"}).json()
    theirs = board.post("/v1/documents", json={**sent, "name": "other.txt"}, headers={"Idempotency-Key": "one"}).json()
    assert mine["id"] != theirs["id"]
    assert board.get(f"/v1/jobs/{mine['id']}").status_code == 404
    assert [one["id"] for one in press.get("/v1/jobs").json()["data"]] == [mine["id"]]
    assert [one["id"] for one in keeper.get("/v1/jobs").json()["data"]] == [theirs["id"], mine["id"]]


def test_a_contributor_takes_back_what_it_added_and_nothing_else(shared: tuple[TestClient, ...]) -> None:
    press, board, keeper = shared
    landed(press, post(press, "/v1/documents", name="plan.txt", text="It sails at dawn.").json())
    listed = {d["uri"]: d["id"] for d in keeper.get("/v1/documents").json()["data"]}
    assert board.delete(f"/v1/documents/{listed['plan.txt']}").status_code == 404
    not_its_own = press.delete(f"/v1/documents/{listed['news.md']}")
    assert (not_its_own.status_code, not_its_own.json()["type"]) == (403, "urn:citespan:problem:role-needed")
    assert "maintainer" in press.delete(f"/v1/documents/{listed['plan.txt']}?purge=true").json()["detail"]
    assert press.delete(f"/v1/documents/{listed['plan.txt']}").json()["purged"] is False
    assert "plan.txt" not in {d["uri"] for d in keeper.get("/v1/documents").json()["data"]}
    assert keeper.delete(f"/v1/documents/{listed['news.md']}?purge=true").json()["purged"] is True


def test_a_conversation_that_quotes_what_is_seen_no_longer_is_gone(
    shared: tuple[TestClient, ...], tmp_path: Path
) -> None:
    press, _, _ = shared
    name = post(press, "/v1/ask", question=QUESTION, risk=1).json()["conversation_id"]
    assert PAINTED in press.get(f"/v1/conversations/{name}").text
    moved = {**FILES, "news.md": FILES["news.md"].replace("press", "board")}
    sync(tmp_path / "library", HashingEmbedder(), [write_files(tmp_path / "sources", moved)])
    assert press.get(f"/v1/conversations/{name}").status_code == 404

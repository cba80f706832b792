"""The MCP server as clients meet it: the SDK's own client, over HTTP and over standard input and output."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import jsonschema
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import CallToolResult, ReadResourceResult, TextResourceContents

from api.schemas import AskResponse
from tests.libraries import ids, texts
from tests.mcp_calls import text_of
from tests.serving import CITESPAN, READY_SECONDS

Json = dict[str, Any]
_Result = TypeVar("_Result")

SECONDS = READY_SECONDS
QUESTION = "Who reported that no new contracts will be signed?"
NOWHERE = "What is the boiling point of tungsten?"
REPORT = "kyodo-rare-earths.md"


class Spoken:
    """A connected client, for tests that are not coroutines."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self.client = client

    def do(self, action: Callable[[Client], Awaitable[_Result]]) -> _Result:
        async def act() -> _Result:
            with anyio.fail_after(SECONDS):
                return await action(self.client)

        return self._portal.call(act)

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        return self.do(lambda client: client.call_tool(tool, arguments))

    def value(self, tool: str, **arguments: Any) -> Json:
        """Return what a tool gives, checked against its schema by the client."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        value: Json = result.structured_content
        return value

    def read(self, uri: str) -> ReadResourceResult:
        return self.do(lambda client: client.read_resource(uri))

    def refused(self, tool: str, **arguments: Any) -> str:
        result = self.call(tool, **arguments)
        assert result.is_error
        assert result.structured_content is None
        return text_of(result)


@contextmanager
def speaking(client: Client) -> Iterator[Spoken]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(client) as opened:
        yield Spoken(portal, opened)


@contextmanager
def speaking_over_pipes(library: Path, log: Path, mode: str) -> Iterator[Spoken]:
    """Yield a client of the real command; whatever the command prints beside its messages fails the test."""
    command = StdioServerParameters(command=CITESPAN, args=["--library", str(library), "mcp"])
    with (
        log.open("w", encoding="utf-8") as errors,
        speaking(Client(stdio_client(command, errlog=errors), mode=mode)) as spoken,
    ):
        yield spoken
    assert log.read_text(encoding="utf-8") == ""


@pytest.fixture(scope="module", params=["http", "http-before-2026", "stdio"])
def spoken(
    request: pytest.FixtureRequest, seeds_library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Spoken]:
    """Yield a client of the library of the seeds, by each way there is."""
    if request.param == "stdio":
        log = tmp_path_factory.mktemp("mcp") / "stderr"
        with speaking_over_pipes(seeds_library, log, "auto") as opened:
            yield opened
    else:
        mode = "auto" if request.param == "http" else "legacy"
        with speaking(Client(f"{request.getfixturevalue('live_server')}/mcp", mode=mode)) as opened:
            yield opened


# ---- every tool, every way -----------------------------------------------------------------------------------------


def test_it_says_who_it_is_and_how_to_quote(spoken: Spoken) -> None:
    info = spoken.client.server_info
    assert info is not None
    assert (info.name, info.title) == ("citespan", "Citespan")
    assert info.version
    assert spoken.client.instructions is not None
    assert "word for word" in spoken.client.instructions
    assert "The sources do not say" in spoken.client.instructions


def test_it_lists_four_tools_that_only_read(spoken: Spoken) -> None:
    tools = spoken.do(lambda client: client.list_tools()).tools
    assert [tool.name for tool in tools] == ["search", "fetch", "ask", "verify_citation"]
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema is not None
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)


def test_search_finds_passages_that_fetch_takes(spoken: Spoken, seeds_library: Path) -> None:
    kept = texts(seeds_library)
    found = spoken.call("search", query="rare earth contracts", max_num_results=3)
    value: Json = found.structured_content
    assert json.loads(text_of(found)) == value
    assert [len(value["results"]), value["has_more"], value["query"]] == [3, True, "rare earth contracts"]
    for result in value["results"]:
        assert result["text"] == kept[result_uri(result, seeds_library)][result["start"] : result["end"]]
        assert result["url"] == f"citespan://documents/{result['document_id']}?revision={result['revision']}"
        again = spoken.value("fetch", id=result["id"])
        same = ("id", "title", "url", "text", "document_id", "revision", "start", "end")
        assert {name: again[name] for name in same} == {name: result[name] for name in same}
        assert result["page"] is None


def result_uri(result: Json, library: Path) -> str:
    return {name: uri for uri, name in ids(library).items()}[result["document_id"]]


def test_fetch_gives_the_canonical_text_with_its_hashes(spoken: Spoken, seeds_library: Path) -> None:
    kept = texts(seeds_library)[REPORT]
    result = spoken.call("fetch", id=ids(seeds_library)[REPORT])
    value: Json = result.structured_content
    assert json.loads(text_of(result)) == value
    assert value["text"] == kept
    assert value["revision"] == value["text_sha256"] == f"sha256:{hashlib.sha256(kept.encode()).hexdigest()}"
    assert (value["start"], value["end"], value["byte_end"]) == (0, len(kept), len(kept.encode()))
    assert value["metadata"]["uri"] == REPORT
    assert (value["current"], value["previous"], value["next"]) == (True, None, None)


def test_ask_gives_the_whole_reply_and_says_it_in_words(spoken: Spoken, live_server: str) -> None:
    result = spoken.call("ask", question=QUESTION)
    value: Json = result.structured_content
    assert value["answerable"] is True
    assert value["citations"][0]["page"] is None
    mine = AskResponse.model_validate_json(json.dumps(value).replace('"from":', '"from_":'))
    over_http = AskResponse.model_validate_json(
        json.dumps(post(live_server, "/v1/ask", {"question": QUESTION})).replace('"from":', '"from_":')
    )
    assert mine.canonical() == over_http.canonical()
    text = text_of(result)
    assert text.startswith(f"{value['answer']}\n")
    assert f"\n[1] {value['citations'][0]['title']}, " in text


def post(base: str, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Any:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=SECONDS)
    try:
        sent = {"Content-Type": "application/json", **({} if headers is None else headers)}
        connection.request("POST", path, json.dumps(body), sent)
        response = connection.getresponse()
        assert response.status == 200, response.status
        return json.loads(response.read())
    finally:
        connection.close()


def test_the_sources_of_an_answer_can_be_fetched_by_what_it_says(spoken: Spoken) -> None:
    result = spoken.call("ask", question=QUESTION)
    source = next(line for line in text_of(result).splitlines() if line.startswith("[1] "))
    named = source.rpartition("(id ")[2].removesuffix(")")
    assert spoken.value("fetch", id=named)["text"] == result.structured_content["citations"][0]["quote"]


def test_that_the_sources_do_not_say_is_an_ordinary_result(spoken: Spoken) -> None:
    result = spoken.call("ask", question=NOWHERE)
    assert not result.is_error
    assert result.structured_content["answerable"] is False
    assert result.structured_content["citations"] == []
    assert text_of(result).startswith("The sources do not say.\n")


def test_a_conversation_goes_on_by_its_id(spoken: Spoken) -> None:
    first = spoken.value("ask", question=QUESTION)
    second = spoken.value("ask", question="When?", conversation_id=first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert second["standalone_question"] != "When?"


def test_a_citation_is_verified_and_an_altered_one_is_not(spoken: Spoken) -> None:
    (citation, *_) = spoken.value("ask", question=QUESTION)["citations"]
    sound = spoken.call("verify_citation", **citation)
    assert sound.structured_content["status"] == "verified"
    assert text_of(sound) == "verified: the quote stands there word for word"
    altered = spoken.value("verify_citation", **{**citation, "quote": citation["quote"].replace("no new", "new")})
    assert altered["status"] == "drifted"
    unknown = spoken.value("verify_citation", **{**citation, "revision": f"sha256:{'0' * 64}"})
    assert (unknown["status"], unknown["current"]) == ("unknown", False)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("ask", {}, "question: Field required"),
        ("ask", {"question": ""}, "the question is empty"),
        ("ask", {"question": "z" * 2_001}, "2001 characters, 2000 are allowed"),
        ("ask", {"question": 7}, "question: Input should be a valid string"),
        ("ask", {"question": QUESTION, "max_citations": 11}, "max_citations"),
        ("ask", {"question": QUESTION, "speed": 9}, "speed: Extra inputs are not permitted"),
        ("ask", {"question": QUESTION, "as_of": 99}, "no generation 99"),
        ("ask", {"question": QUESTION, "conversation_id": "none"}, "no such conversation"),
        ("search", {"query": " "}, "the question is empty"),
        ("search", {"query": "z" * 2_001}, "2001 characters"),
        ("search", {"query": "a", "max_num_results": 51}, "max_num_results"),
        ("fetch", {}, "id: Field required"),
        ("fetch", {"id": "doc_none"}, "no document 'doc_none'"),
        ("fetch", {"id": "../../etc/passwd"}, "no id"),
        ("fetch", {"id": "z" * 301}, "id: String should have at most 300 characters"),
        ("verify_citation", {"document_id": "doc_none"}, "quote: Field required"),
        ("verify_citation", {"document_id": "a" * 201}, "document_id: String should have at most 200 characters"),
    ],
)
def test_what_a_caller_gets_wrong_is_told_as_an_error_of_the_tool(
    spoken: Spoken, tool: str, arguments: Json, says: str
) -> None:
    told = spoken.refused(tool, **arguments)
    assert says in told
    assert len(told) < 1_000


def test_a_tool_that_is_not_there_is_an_error_of_the_protocol(spoken: Spoken) -> None:
    with pytest.raises(MCPError, match="there are search, fetch, ask, verify_citation"):
        spoken.call("delete_everything\x1b[31m")


def test_documents_are_resources(spoken: Spoken, seeds_library: Path) -> None:
    listed = spoken.do(lambda client: client.list_resources())
    assert listed.next_cursor is None
    assert {resource.name: resource.uri for resource in listed.resources} == {
        uri: f"citespan://documents/{name}" for uri, name in ids(seeds_library).items()
    }
    (template,) = spoken.do(lambda client: client.list_resource_templates()).resource_templates
    assert template.uri_template == "citespan://documents/{id}{?revision}"
    kept = texts(seeds_library)
    for resource in listed.resources:
        assert resource.meta is not None
        for uri in (resource.uri, f"{resource.uri}?revision={resource.meta['citespan/revision']}"):
            (contents,) = spoken.read(uri).contents
            assert isinstance(contents, TextResourceContents)
            assert (contents.uri, contents.text) == (uri, kept[resource.name])
            assert contents.mime_type == "text/plain"


def test_a_resource_that_is_not_there_is_not_found(spoken: Spoken) -> None:
    for uri in (
        "citespan://documents/none",
        "file:///etc/passwd",
        f"citespan://documents/none?revision=sha256:{'0' * 64}",
    ):
        with pytest.raises(MCPError) as caught:
            spoken.read(uri)
        modern = spoken.client.protocol_version == "2026-07-28"
        assert caught.value.code == (-32602 if modern else -32002)
        assert caught.value.data == {"uri": uri}


def test_a_cursor_that_no_list_gave_is_refused(spoken: Spoken) -> None:
    with pytest.raises(MCPError, match="no cursor") as caught:
        spoken.do(lambda client: client.list_resources(cursor="\n"))
    assert caught.value.code == -32602


def test_two_clients_at_once_get_their_own_replies(live_server: str) -> None:
    asked: dict[str, list[bool]] = {}

    async def ask(question: str, mode: str) -> None:
        async with Client(f"{live_server}/mcp", mode=mode) as client:
            replies = [(await client.call_tool("ask", {"question": question})).structured_content for _ in range(3)]
        assert {reply["question"] for reply in replies} == {question}
        asked[question] = [reply["answerable"] for reply in replies]

    async def both() -> None:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, QUESTION, "auto")
                tasks.start_soon(ask, NOWHERE, "legacy")

    anyio.run(both)
    assert asked == {QUESTION: [True] * 3, NOWHERE: [False] * 3}

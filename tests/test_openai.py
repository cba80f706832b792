"""The OpenAI-compatible routes, as the `openai` client sees them: against a real server, whole and streaming."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import urlopen

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import Model, VectorStoreSearchResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import TypeAdapter

from index.embed import Embedder
from index.sync import sync
from tests.fakes import write_files
from tests.serving import serving

Json = dict[str, Any]

LIGHTHOUSE = """---
title: The lighthouse
publisher: Coast News
published_at: 2026-02-03
language: en
tags: [coast]
---

The lighthouse on Skerry Rock was painted white by its keeper Edda Holm [1]. 🐧 The penguins “watched” the painter.
"""
FERRY = """---
title: The ferry
url: https://coast.example.org/ferry?line=2
published_at: 2025-06-01
language: en
---

The ferry to Skerry Rock leaves at noon. Captain Olaf Berg has steered the ferry for thirty years.
"""
PAINTER = "Who painted the lighthouse on Skerry Rock?"
CAPTAIN = "Who has steered the ferry to Skerry Rock for thirty years?"
NOWHERE = "At what temperature does tungsten melt?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[str]:
    """Yield the URL of a server over two documents, one of which has an address on the web."""
    place = tmp_path_factory.mktemp("openai")
    write_files(place / "sources", {"lighthouse.md": LIGHTHOUSE, "ferry.md": FERRY})
    sync(place / "library", embedder, [place / "sources"])
    with serving(place / "library") as url:
        yield url


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server}/v1", api_key="anything", max_retries=0) as opened:
        yield opened


def user(content: str) -> ChatCompletionMessageParam:
    return {"role": "user", "content": content}


def assistant(content: str) -> ChatCompletionMessageParam:
    return {"role": "assistant", "content": content}


def asked(client: OpenAI, *messages: ChatCompletionMessageParam, **options: Any) -> ChatCompletion:
    """Return a completion, checked strictly against the client's own types."""
    raw = client.chat.completions.with_raw_response.create(model="citespan", messages=messages, **options)
    checked: ChatCompletion = TypeAdapter(ChatCompletion).validate_json(raw.http_response.text, strict=True)
    assert checked.to_dict() == raw.parse().to_dict()
    return checked


def extras(completion: ChatCompletion | ChatCompletionChunk) -> Json:
    """Return what a completion has beside what OpenAI's have."""
    assert completion.model_extra is not None
    return completion.model_extra


def streamed(client: OpenAI, *messages: ChatCompletionMessageParam, **options: Any) -> list[ChatCompletionChunk]:
    """Return the chunks of a completion, each checked strictly against the client's own types."""
    chunks = list(client.chat.completions.create(model="citespan", messages=messages, stream=True, **options))
    for chunk in chunks:
        TypeAdapter(ChatCompletionChunk).validate_python(chunk.model_dump(exclude_unset=True), strict=True)
    return chunks


def content(completion: ChatCompletion) -> str:
    said = completion.choices[0].message.content
    assert said is not None
    return said


# ---- whole ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_a_completion_with_its_citations(client: OpenAI, server: str) -> None:
    completion = asked(client, user(PAINTER))
    (choice,) = completion.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert completion.id.startswith("chatcmpl-")
    assert completion.model == "citespan"
    said = content(completion)
    first = extras(completion)["citations"][0]
    assert said.startswith("Edda Holm\n\n“The lighthouse on Skerry Rock was painted white by its keeper Edda Holm [1].")
    assert said.endswith("\n\nSources:\n[1] The lighthouse, Coast News, 2026-02-03")
    assert said[first["answer_start"] : first["answer_end"]] == first["quote"]
    reply = extras(completion)["citespan"]
    assert (reply["answerable"], reply["short_answer"], reply["nearest"]) == (True, "Edda Holm", [])
    # The citation is one of ours: anybody can check it, and /v1/verify does.
    text = urlopen(first["url"]).read().decode()
    assert text[first["start"] : first["end"]] == first["quote"]
    assert first["url"].startswith(server)


def test_annotations_point_at_the_marks_and_not_at_what_looks_like_one_in_a_quote(client: OpenAI) -> None:
    completion = asked(client, user(PAINTER))
    said, annotations = content(completion), completion.choices[0].message.annotations
    assert annotations is not None
    assert [one.type for one in annotations] == ["url_citation"] * len(extras(completion)["citations"])
    mark = annotations[0].url_citation
    assert said[mark.start_index : mark.end_index] == "[1]"
    assert said[: mark.start_index].endswith("Edda Holm [1].” ")
    assert mark.title == "The lighthouse"


def test_a_source_from_the_web_keeps_its_address(client: OpenAI) -> None:
    completion = asked(client, user(CAPTAIN))
    annotations = completion.choices[0].message.annotations
    assert annotations is not None
    assert annotations[0].url_citation.url == "https://coast.example.org/ferry?line=2"
    (source, *_) = extras(completion)["search_results"]
    assert (source["title"], source["url"], source["date"]) == (
        "The ferry", "https://coast.example.org/ferry?line=2", "2025-06-01",
    )  # fmt: skip
    assert source["snippet"] == extras(completion)["citations"][0]["quote"]
    assert source["number"] == 1


def test_silence_is_an_ordinary_message_without_citations(client: OpenAI) -> None:
    completion = asked(client, user(NOWHERE))
    assert content(completion).startswith("The sources do not say.")
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.annotations == []
    found = extras(completion)
    assert (found["citations"], found["citespan"]["answerable"]) == ([], False)
    assert {one["title"] for one in found["search_results"]} == {"The lighthouse", "The ferry"}
    assert {one["number"] for one in found["search_results"]} == {None}


def test_earlier_messages_are_the_conversation(client: OpenAI) -> None:
    first = content(asked(client, user(CAPTAIN)))
    alone = asked(client, user("And the painter of the lighthouse?"))
    after = asked(client, user(CAPTAIN), assistant(first), user("Since when has he steered it?"))
    assert extras(alone)["citespan"]["standalone_question"] == "And the painter of the lighthouse?"
    assert "ferry" in extras(after)["citespan"]["standalone_question"]


def test_instructions_and_tools_change_nothing(client: OpenAI) -> None:
    plain = content(asked(client, user(PAINTER)))
    told: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Say that it was Olaf."},
        {"role": "developer", "content": [{"type": "text", "text": "Answer in French."}]},
        user(PAINTER),
    ]
    tool = {"type": "function", "function": {"name": "paint", "parameters": {"type": "object", "properties": {}}}}
    completion = asked(
        client, *told, tools=[tool], tool_choice="auto", temperature=1.5, top_p=0.1, max_tokens=1, seed=7,
        stop=["Edda"], presence_penalty=1, logit_bias={"50256": -100}, user="u",
        metadata={"a": "b"}, response_format={"type": "text"},
        extra_body={"not_known_to_anybody": [1], "num_ctx": 4096},
    )  # fmt: skip
    assert content(completion) == plain
    assert completion.choices[0].message.tool_calls is None


def test_usage_counts_words_that_were_asked_and_said(client: OpenAI) -> None:
    usage = asked(client, user(NOWHERE)).usage
    assert usage is not None
    # "The sources do not say." and "Nearest, though they do not answer:", then the two titles with their words.
    assert usage.prompt_tokens == 6
    assert usage.completion_tokens == usage.total_tokens - 6 >= 11


def test_the_same_question_has_the_same_answer_and_fingerprint(client: OpenAI) -> None:
    once, again = asked(client, user(PAINTER)), asked(client, user(PAINTER))
    assert (content(once), once.system_fingerprint) == (content(again), again.system_fingerprint)
    assert once.system_fingerprint is not None
    assert once.system_fingerprint.startswith("fp_")
    assert once.id != again.id


def test_what_only_we_have_is_asked_for_in_the_extra_body(client: OpenAI) -> None:
    only_ferry = {"filter": {"published_to": "2025-12-31"}, "max_citations": 1, "risk": 0.5, "as_of": 1}
    completion = asked(client, user(PAINTER), extra_body={"citespan": only_ferry})
    shown = [*extras(completion)["citations"], *extras(completion)["citespan"]["nearest"]]
    assert {one["title"] for one in shown} == {"The ferry"}
    assert extras(completion)["citespan"]["risk"]["target"] == 0.5
    assert extras(completion)["citespan"]["generation"] == 1


def test_a_thousand_messages_are_answered_like_few(client: OpenAI) -> None:
    many = [message for n in range(500) for message in (user(f"What is number {n}?"), assistant(f"Number {n}."))]
    assert content(asked(client, *many, user(PAINTER))) == content(asked(client, user(PAINTER)))


# ---- streaming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [PAINTER, NOWHERE])
def test_a_stream_says_the_same_in_pieces(client: OpenAI, question: str) -> None:
    whole, chunks = asked(client, user(question)), streamed(client, user(question))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert "".join(delta.content for delta in deltas if delta.content is not None) == content(whole)
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk.id, chunk.created, chunk.system_fingerprint) for chunk in chunks}) == 1
    assert chunks[0].system_fingerprint == whole.system_fingerprint
    last = extras(chunks[-1])
    for name in ("citations", "search_results"):
        assert last[name] == extras(whole)[name]
    annotations = whole.choices[0].message.annotations
    assert annotations is not None
    assert deltas[-1].model_extra == {"annotations": [one.model_dump() for one in annotations]}
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_comes_last_where_it_is_asked_for(client: OpenAI) -> None:
    *chunks, last = streamed(client, user(PAINTER), stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage == asked(client, user(PAINTER)).usage
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in chunks)


def test_the_clients_own_helper_puts_a_stream_together(client: OpenAI) -> None:
    with client.chat.completions.stream(model="citespan", messages=[user(PAINTER)]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content == content(asked(client, user(PAINTER)))


def test_the_asynchronous_client_streams_too(server: str) -> None:
    async def said() -> str:
        async with AsyncOpenAI(base_url=f"{server}/v1", api_key="x", max_retries=0) as client:
            chunks = await client.chat.completions.create(model="citespan", messages=[user(PAINTER)], stream=True)
            return "".join([text async for chunk in chunks if (text := chunk.choices[0].delta.content)])

    assert asyncio.run(said()).startswith("Edda Holm\n\n“The lighthouse")


def test_a_stream_is_made_of_events_and_ends_with_done(server: str) -> None:
    body = json.dumps({"model": "citespan", "messages": [user(PAINTER)], "stream": True})
    head, rest = raw(server, body)
    assert b"text/event-stream" in head
    lines = [line for line in rest.decode("ascii").splitlines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    assert {json.loads(line.removeprefix("data: "))["object"] for line in lines[:-1]} == {"chat.completion.chunk"}


def test_a_connection_that_is_dropped_disturbs_nobody(client: OpenAI, server: str) -> None:
    for streams in (True, False):
        for _ in range(4):
            raw(server, json.dumps({"model": "citespan", "messages": [user(NOWHERE)], "stream": streams}), read=False)
    assert content(asked(client, user(PAINTER))).startswith("Edda Holm")
    with client.chat.completions.create(model="citespan", messages=[user(PAINTER)], stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.role == "assistant"
    assert content(asked(client, user(PAINTER))).startswith("Edda Holm")


def raw(server: str, body: str, *, read: bool = True) -> tuple[bytes, bytes]:
    """Return head and body of what a server says to a chat, or nothing if the connection is closed at once."""
    at = urlsplit(server)
    assert at.hostname is not None
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    received = b""
    with socket.create_connection((at.hostname, at.port), timeout=120) as connection:
        connection.sendall(head.encode() + body.encode())
        while read and (data := connection.recv(65536)):
            received += data
    head_received, _, rest = received.partition(b"\r\n\r\n")
    return head_received, rest


# ---- models and vector stores --------------------------------------------------------------------------------------


def test_there_is_one_model(client: OpenAI) -> None:
    (model,) = client.models.list()
    assert model == client.models.retrieve("citespan")
    assert (model.id, model.object, model.owned_by) == ("citespan", "model", "citespan")
    TypeAdapter(Model).validate_python(model.model_dump(), strict=True)


def test_the_library_is_searched_as_a_vector_store(client: OpenAI) -> None:
    page = client.vector_stores.search(vector_store_id="library", query="the keeper of the lighthouse")
    found = [TypeAdapter(VectorStoreSearchResponse).validate_python(one.model_dump(), strict=True) for one in page]
    assert [one.filename for one in found] == ["lighthouse.md", "https://coast.example.org/ferry?line=2"]
    assert found[0].score > found[1].score
    assert found[0].attributes is not None
    assert found[0].attributes["title"] == "The lighthouse"
    assert "publisher" not in (found[1].attributes or {})
    assert "Edda Holm" in found[0].content[0].text


def test_several_queries_find_the_best_of_each(client: OpenAI) -> None:
    page = client.vector_stores.search(
        "library", query=["the painter of the lighthouse", "the captain of the ferry"], max_num_results=2,
        rewrite_query=True, ranking_options={"ranker": "auto", "score_threshold": 0.5},
    )  # fmt: skip
    alone = {
        one.filename: one.score
        for query in ("the painter of the lighthouse", "the captain of the ferry")
        for one in client.vector_stores.search("library", query=query, max_num_results=1)
    }
    assert {one.filename: one.score for one in page} == alone
    assert len(alone) == 2


def test_a_vector_store_is_searched_within_a_filter(client: OpenAI) -> None:
    filters = {"type": "and", "filters": [{"type": "gte", "key": "published_at", "value": "2026-01-01"}]}
    page = client.vector_stores.search("library", query="Skerry Rock", filters=cast(Any, filters))
    assert [one.filename for one in page] == ["lighthouse.md"]


# ---- what is refused -----------------------------------------------------------------------------------------------

Call = Callable[[OpenAI], object]
ASK: Json = {"model": "citespan", "messages": [{"role": "user", "content": PAINTER}]}


def chat(**changed: Any) -> Call:
    return lambda client: client.chat.completions.create(**{**ASK, **changed})


def one(content: Any, role: str = "user") -> list[Json]:
    return [{"role": role, "content": content}]


@pytest.mark.parametrize(
    ("call", "status", "param", "said"),
    [
        (chat(model="gpt-4o"), 404, "model", 'no model "gpt-4o" here; this server has "citespan"'),
        (lambda client: client.models.retrieve("org/other"), 404, "model", 'this server has "citespan"'),
        (chat(messages=[]), 400, "messages", "messages"),
        (chat(messages=one("x", "system")), 400, "messages", "no message of a user"),
        (chat(messages=one("x", "boss")), 400, "messages[0].role", "'user'"),
        (chat(messages=[*ASK["messages"], {"content": "x"}]), 400, "messages[1].role", "required"),
        (chat(messages=one(None)), 400, "messages", "message 0 is a user's and has no content"),
        (chat(messages=one(" \n")), 400, "messages", "the question is empty"),
        (chat(messages=one("x" * 2_001)), 400, "messages", "2001 characters, 2000 are allowed"),
        (chat(messages=one(7)), 400, "messages[0].content", "a string or a list of text parts"),
        (
            chat(messages=one([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "x"}}])),
            400, "messages[0].content", 'part 1 is of type "image_url"; only text',
        ),
        (chat(messages=one([{"type": "text"}])), 400, "messages[0].content", 'part 0 has no "text"'),
        (chat(messages=one(["x"])), 400, "messages[0].content", "part 0 is no object"),
        (chat(messages=one("x") * 2_049), 400, "messages", "at most 2048"),
        (chat(temperature="hot"), 400, "temperature", "number"),
        (chat(max_tokens="3"), 400, "max_tokens", "integer"),
        (chat(stream="yes"), 400, "stream", "boolean"),
        (chat(stop=[1]), 400, "stop", "a list of strings"),
        (chat(n=2), 400, "n", "n is 1"),
        (chat(response_format={"type": "json_object"}), 400, "response_format", "never JSON"),
        (chat(extra_body={"citespan": {"max_citations": 11}}), 400, "citespan.max_citations", "less than or equal"),
        (chat(extra_body={"citespan": {"since": 1}}), 400, "citespan.since", "not permitted"),
        (chat(extra_body={"citespan": {"risk": 2}}), 400, "citespan.risk", "less than or equal to 1"),
        (chat(extra_body={"citespan": {"filter": {"tags": "x"}}}), 400, "citespan.filter.tags", "list"),
        (chat(extra_body={"citespan": {"as_of": 99}}), 404, None, "99"),
        (
            lambda client: client.vector_stores.search("other", query="x"),
            404, "vector_store_id", 'this server has "library"',
        ),
        (lambda client: client.vector_stores.search("library", query=""), 400, "query", "empty"),
        (lambda client: client.vector_stores.search("library", query=[]), 400, "query", "at least 1"),
        (
            lambda client: client.vector_stores.search("library", query="x", max_num_results=51),
            400, "max_num_results", "50",
        ),
        (
            lambda client: client.vector_stores.search(
                "library", query="x", filters={"type": "ne", "key": "language", "value": "en"}
            ),
            400, "filters", "language takes eq",
        ),
        (lambda client: client.responses.create(model="citespan", input="x"), 404, None, "no /v1/responses here"),
        (lambda client: client.embeddings.create(model="citespan", input="x"), 404, None, "no /v1/embeddings here"),
        (lambda client: client.models.delete("citespan"), 405, None, "DELETE is not possible"),
    ],
)  # fmt: skip
def test_what_is_not_right_is_an_error_that_names_it(
    client: OpenAI, call: Call, status: int, param: str | None, said: str
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        call(client)
    error = caught.value
    assert (error.status_code, error.param, error.type) == (status, param, "invalid_request_error")
    body = cast(Json, error.body)
    assert body.keys() == {"message", "type", "param", "code"}
    assert said in body["message"]
    assert error.response.json() == {"error": body}


def test_the_clients_own_kinds_of_error_are_raised(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="citespan", messages=[], stream=True)


# ---- requests by the client's own types ----------------------------------------------------------------------------

VALID: list[Json] = [
    {"messages": one("x"), "temperature": None, "n": 1, "stop": None, "stream_options": None},
    {"messages": one("x"), "stop": "a", "tool_choice": "none", "reasoning_effort": "low", "store": False},
    {"messages": [{"role": "user", "content": "x", "name": "n"}], "logprobs": True, "top_logprobs": 3},
    {
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "content": [{"type": "text", "text": "42"}], "tool_call_id": "1"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    },
    {
        "messages": one("x"), "max_completion_tokens": 5, "service_tier": "auto", "modalities": ["text"],
        "web_search_options": {}, "verbosity": "low", "prediction": {"type": "content", "content": "x"},
    },
]  # fmt: skip


@pytest.mark.parametrize("fields", VALID)
def test_what_the_clients_types_allow_is_answered(client: OpenAI, fields: Json) -> None:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    body = {"model": "citespan", **fields}
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(body, strict=True)
    completion = client.chat.completions.create(**body)
    assert completion.object == "chat.completion"


def test_what_is_not_json_is_refused(server: str) -> None:
    head, body = raw(server, '{"model": "citespan"')
    assert b" 400 " in head.split(b"\r\n", 1)[0]
    assert json.loads(body) == {
        "error": {
            "message": "the body is not JSON", "type": "invalid_request_error", "param": None, "code": "malformed_json",
        }
    }  # fmt: skip

"""Replies as a stream of events: their order, what each says, taking up again, and stopping when nobody listens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.gate import Abandoned, Gate
from api.schemas import AnswerEvent, AskRequest, AskResponse, RetrievalEvent
from api.streams import RESUME_SECONDS, Streams, UnknownStream, stream
from api.visit import owners
from api.wiring import Runtime
from index.store import PassageStore
from qa.service import Asked, Watch
from qa.types import Question
from tests.services import Slow
from tests.serving import serving

QUESTION = "When did China announce the ban on exports to Japan?"
NOWHERE = "What does a ticket for the museum of clocks cost?"
EVENTS = {"accept": "text/event-stream"}
SECONDS = 60.0


@dataclass(frozen=True)
class Sent:
    """An event as it arrived."""

    name: str
    id: str
    data: Any


def events(text: str) -> list[Sent]:
    """Return the events of a stream, by the rules of the HTML standard as far as they are used here."""
    found = []
    for block in text.split("\n\n"):
        fields = [line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":")]
        if fields:
            held = dict(fields)
            found.append(Sent(held["event"], held.get("id", ""), json.loads(held["data"])))
    return found


def wanted(question: str) -> AskRequest:
    return AskRequest.model_validate({"question": question})


def streamed(client: TestClient, body: dict[str, Any], **headers: str) -> list[Sent]:
    response = client.post("/v1/ask", json=body, headers={**EVENTS, **headers})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    return events(response.text)


def same(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name not in ("id", "conversation_id", "timings_ms")}


def test_a_stream_says_what_was_found_then_each_citation_then_the_reply(client: TestClient) -> None:
    plain = client.post("/v1/ask", json={"question": QUESTION}).json()
    found, *cited, answered, done = streamed(client, {"question": QUESTION})
    assert found.name == "retrieval"
    assert (found.data["question"], found.data["standalone_question"]) == (QUESTION, QUESTION)
    assert found.data["generation"] == plain["generation"]
    search = client.post("/v1/search", json={"query": QUESTION, "max_num_results": len(found.data["hits"])}).json()
    assert found.data["hits"] == search["data"]
    assert [one.name for one in cited] == ["citation"] * len(plain["citations"])
    assert [one.data for one in cited] == plain["citations"]
    assert answered.name == "answer"
    assert same(answered.data) == same(plain)
    assert (done.name, done.data["id"]) == ("done", answered.data["id"])
    assert done.data["timings_ms"] == answered.data["timings_ms"]
    ids = [one.id for one in (found, *cited, answered, done)]
    assert ids == [f"{answered.data['id']}:{number}" for number in range(1, len(ids) + 1)]


def test_silence_is_streamed_too(client: TestClient) -> None:
    names = [(one.name, one.data) for one in streamed(client, {"question": NOWHERE})]
    assert [name for name, _ in names] == ["retrieval", "answer", "done"]
    assert names[1][1]["answerable"] is False
    assert names[1][1]["nearest"] != []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": " "}, 422, "invalid-question"),
        ({"question": QUESTION, "as_of": 99}, 404, "unknown-generation"),
        ({"question": QUESTION, "conversation_id": "nobody"}, 404, "unknown-conversation"),
        ({"question": 3}, 422, "invalid-request"),
    ],
)
def test_what_is_wrong_from_the_start_is_an_ordinary_problem(
    client: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    response = client.post("/v1/ask", json=body, headers=EVENTS)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["type"]) == (status, f"urn:citespan:problem:{code}")


@pytest.mark.parametrize(
    ("accept", "is_stream"),
    [
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream;q=0.5", True),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream;q=0, */*", False),
        ("text/event-stream-not", False),
    ],
)
def test_only_who_asks_for_events_gets_them(client: TestClient, accept: str, is_stream: bool) -> None:
    response = client.post("/v1/ask", json={"question": QUESTION}, headers={"accept": accept})
    assert response.headers["content-type"].startswith("text/event-stream" if is_stream else "application/json")


# ---- taking up again ------------------------------------------------------------------------------------------------


def test_a_lost_stream_is_taken_up_after_the_last_event_received(client: TestClient) -> None:
    whole = streamed(client, {"question": QUESTION})
    for received in range(1, len(whole) + 1):
        rest = streamed(client, {"question": QUESTION}, **{"last-event-id": whole[received - 1].id})
        assert [(one.name, one.id) for one in rest] == [(one.name, one.id) for one in whole[received:]]
        for one, other in zip(rest, whole[received:], strict=True):
            if one.name == "answer":
                assert same(one.data) == same(other.data)
                assert one.data["conversation_id"] == other.data["conversation_id"]
            elif one.name == "citation":
                assert one.data == other.data


def test_taking_up_again_adds_no_turn_to_the_conversation(client: TestClient) -> None:
    first = streamed(client, {"question": QUESTION})
    conversation = first[-2].data["conversation_id"]
    second = streamed(client, {"question": "And the existing ones?", "conversation_id": conversation})
    streamed(client, {"question": "And the existing ones?"}, **{"last-event-id": second[0].id})
    turns = client.get(f"/v1/conversations/{conversation}").json()["turns"]
    assert [turn["question"] for turn in turns] == [QUESTION, "And the existing ones?"]


@pytest.mark.parametrize("last", ["ask_nobody:1", "", ":", "x:y", "ask_1:-1", "ask_1:99999", "é:1"])
def test_an_unknown_stream_cannot_be_taken_up(client: TestClient, last: str) -> None:
    headers = {**EVENTS, "last-event-id": last.encode()}
    response = client.post("/v1/ask", json={"question": QUESTION}, headers=headers)  # type: ignore[arg-type]
    assert (response.status_code, response.json()["type"]) == (404, "urn:citespan:problem:unknown-stream")
    assert "leave Last-Event-ID out" in response.json()["detail"]


def test_a_stream_is_forgotten_after_a_minute(runtime: Runtime) -> None:
    now = [0.0]
    streams = Streams(lambda: now[0])

    async def listen() -> None:
        flow = streams.begin(owners(runtime), wanted(QUESTION))
        whole = [piece async for piece in flow.pieces]
        now[0] += RESUME_SECONDS
        again = await streams.resume(owners(runtime), f"{flow.reply_id}:1")
        assert again.received == 1
        assert [type(piece) for piece in whole[1:]] == [type(piece) async for piece in again.pieces]
        now[0] += RESUME_SECONDS + 1
        with pytest.raises(UnknownStream):
            await streams.resume(owners(runtime), f"{flow.reply_id}:1")

    asyncio.run(listen())


# ---- stopping -------------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(runtime: Runtime) -> Iterator[tuple[Slow, Runtime]]:
    service = Slow(runtime.service)
    try:
        yield service, replace(runtime, service=service, gate=Gate(1, 10))  # type: ignore[arg-type]
    finally:
        service.go_on.set()


def test_the_work_stops_when_nobody_listens_any_more(slow: tuple[Slow, Runtime]) -> None:
    service, runtime = slow

    async def listen_a_little() -> None:
        pieces = stream(owners(runtime), wanted(QUESTION))
        assert isinstance(await anext(pieces), RetrievalEvent)
        await pieces.aclose()

    asyncio.run(listen_a_little())
    service.go_on.set()
    assert service.ended.wait(SECONDS)
    assert isinstance(service.error, Abandoned)


def test_who_waits_for_a_turn_and_goes_away_leaves_the_queue(slow: tuple[Slow, Runtime]) -> None:
    service, runtime = slow
    answered: list[AskResponse] = []

    async def listen() -> None:
        first = stream(owners(runtime), wanted(QUESTION))
        await anext(first)
        second = stream(owners(runtime), wanted(NOWHERE))
        waits = asyncio.ensure_future(anext(second))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        await second.aclose()
        service.go_on.set()
        answered.extend([piece.reply async for piece in first if isinstance(piece, AnswerEvent)])

    asyncio.run(listen())
    assert [reply.question for reply in answered] == [QUESTION]
    assert service.ended.wait(SECONDS)
    assert service.error is None


def test_taking_up_a_stream_that_is_still_worked_on_answers_once(slow: tuple[Slow, Runtime]) -> None:
    service, runtime = slow
    streams = Streams()

    async def listen() -> list[Any]:
        flow = streams.begin(owners(runtime), wanted(QUESTION))
        assert isinstance(await anext(flow.pieces), RetrievalEvent)
        # The connection is dead, and the server has not noticed.
        threading.Timer(0.05, service.go_on.set).start()
        again = await streams.resume(owners(runtime), f"{flow.reply_id}:1")
        rest = [piece async for piece in again.pieces]
        await flow.pieces.aclose()
        return rest

    answer = asyncio.run(listen())[-2]
    assert isinstance(answer, AnswerEvent)
    assert [turn.question for turn in runtime.conversations.turns(answer.reply.conversation_id)] == [QUESTION]


def test_a_failure_under_way_is_the_last_event(runtime: Runtime) -> None:
    class Broken(Slow):
        def ask(self, question: Question, store: PassageStore, watch: Watch) -> Asked:
            class Breaking(Watch):
                def found(self, query: str, retrieved: Any) -> None:
                    watch.found(query, retrieved)
                    raise RuntimeError("a secret of the machine")

            done: Asked = self._service.ask(question, store, Breaking())
            return done

    broken = replace(runtime, service=Broken(runtime.service))  # type: ignore[arg-type]
    with TestClient(create_app(broken), base_url="http://localhost") as client:
        found, error = streamed(client, {"question": QUESTION})
    assert (found.name, error.name) == ("retrieval", "error")
    assert (error.data["status"], error.data["type"]) == (500, "urn:citespan:problem:internal-error")
    assert "secret" not in json.dumps(error.data)


def test_a_live_server_streams_while_it_works_and_outlives_who_hangs_up(live_server: str) -> None:
    address = urlsplit(live_server)
    body = json.dumps({"question": QUESTION})
    headers = {**EVENTS, "content-type": "application/json"}
    for _ in range(5):
        left = HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
        left.request("POST", "/v1/ask", body, headers)
        assert left.getresponse().read(8) == b"id: ask_"
        left.close()
    stayed = HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
    stayed.request("POST", "/v1/ask", body, headers)
    names = [one.name for one in events(stayed.getresponse().read().decode())]
    stayed.close()
    assert (names[0], names[-2:]) == ("retrieval", ["answer", "done"])


def test_a_server_that_is_stopped_ends_its_streams(seeds_library: Path) -> None:
    with serving(seeds_library) as url:
        address = urlsplit(url)
        held = HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
        held.request(
            "POST", "/v1/ask", json.dumps({"question": QUESTION}), {**EVENTS, "content-type": "application/json"}
        )
        assert held.getresponse().status == 200
    # `serving` asserts a clean and quick end.
    held.close()

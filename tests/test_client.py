"""The Python client: it can what the server offers, and what goes wrong on the way is mended or told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx2
import pytest
from fastapi.testclient import TestClient

from api import client as client_module
from api import client_library, schemas, schemas_catalogue, schemas_library, schemas_openai
from api.calls import CallFailed, Patience
from api.client import Citespan
from api.schemas import (
    AnswerEvent,
    CitationEvent,
    CitationModel,
    ExchangeModel,
    FilterModel,
    RetrievalEvent,
)
from api.schemas_library import UploadDocument
from index.embed import Embedder
from index.sync import sync
from tests.fakes import write_files
from tests.serving import serving

Json = dict[str, Any]
REPOSITORY = Path(__file__).resolve().parent.parent
KEY = "the-key-of-the-library"
KEEPER = "Who is the keeper of the lighthouse on Skerry Rock?"


# ---- everything the server offers ----------------------------------------------------------------------------------

CITATION = CitationModel(
    number=1, document_id="doc_1", revision="sha256:1", title="A", uri="a.txt", publisher=None, author=None,
    published_at=None, page=None, quote="Boats.", start=0, end=6, byte_start=0, byte_end=6, quote_sha256="1",
    highlight=None, answer_start=None, answer_end=None, context=None, dates=[],
)  # fmt: skip


def document_of(name: str, text: str) -> UploadDocument:
    return UploadDocument.model_validate({"name": name, "text": text})


UPLOAD = document_of("a.txt", "Boats.")

# The method of the client for each operation, and how it is called.
METHODS: dict[str, tuple[str, Callable[[Citespan], object]]] = {
    "POST /v1/ask": ("ask", lambda c: c.ask("?")),
    "POST /v1/search": ("search", lambda c: c.search("boats")),
    "POST /v1/verify": ("verify", lambda c: c.verify(CITATION)),
    "POST /v1/replay": ("replay", lambda c: c.replay("a")),
    "GET /v1/conversations/{conversation_id}": ("conversation", lambda c: c.conversation("a/b")),
    "DELETE /v1/conversations/{conversation_id}": ("forget", lambda c: c.forget("a/b")),
    "GET /v1/documents": ("documents_page", lambda c: c.documents_page()),
    "POST /v1/documents": ("upload", lambda c: c.upload([UPLOAD])),
    "GET /v1/documents/{document_id}": ("document", lambda c: c.document("../ä?")),
    "DELETE /v1/documents/{document_id}": ("delete", lambda c: c.delete("../ä?")),
    "GET /v1/documents/{document_id}/text": ("text", lambda c: c.text("a")),
    "GET /v1/documents/{document_id}/revisions": ("revisions", lambda c: c.revisions("a")),
    "GET /v1/jobs": ("jobs", lambda c: c.jobs()),
    "GET /v1/jobs/{job_id}": ("job", lambda c: c.job("a")),
    "GET /v1/generations": ("generations", lambda c: c.generations()),
    "GET /v1/generations/{before}/diff/{after}": ("diff", lambda c: c.diff(1, 2)),
    "POST /v1/generations/{number}/rollback": ("rollback", lambda c: c.rollback(1)),
    "GET /v1/models": ("models", lambda c: c.models()),
    "GET /v1/models/{name}": ("model", lambda c: c.model("a")),
}  # fmt: skip
# What OpenAI's own client is for; and what only that client sends.
OPENAI = {"POST /v1/chat/completions", "POST /v1/vector_stores/{vector_store_id}/search"}
OPENAI_FIELDS = {"filters", "ranking_options", "rewrite_query"}
# The client's own doing, or of its bodies.
ELSEWHERE = {"last_event_id"}
TYPES = {"string": str, "integer": int, "number": float, "boolean": bool}


@pytest.fixture(scope="module")
def document(client: TestClient) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def operations(document: Json) -> dict[str, Json]:
    """Return the operations below /v1 by method and path."""
    return {
        f"{method.upper()} {path.replace(':path', '')}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/")
    }


def test_every_operation_has_a_method(document: Json) -> None:
    assert set(operations(document)) - OPENAI == set(METHODS)


def resolved(document: Json, schema: Json) -> Json:
    """Return a schema itself, for one that may be a reference."""
    found: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def parameters(document: Json, operation: Json) -> dict[str, Json]:
    """Return what an operation takes, wherever in the request, as name → schema."""
    taken = {one["name"].lower().replace("-", "_"): one["schema"] for one in operation.get("parameters", [])}
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        body = resolved(document, content["application/json"]["schema"])
        taken |= resolved(document, body["oneOf"][0])["properties"] if "oneOf" in body else body["properties"]
    return {name: schema for name, schema in taken.items() if name not in OPENAI_FIELDS | ELSEWHERE}


def hints(method: str) -> dict[str, Any]:
    """Return the types of a method's parameters, which the client itself knows only while it is checked."""
    names: dict[str, Any] = {}
    for module in (schemas, schemas_library, schemas_catalogue, schemas_openai, client_library, client_module):
        names |= vars(module)
    return get_type_hints(getattr(Citespan, method), names)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_takes_what_its_operation_takes(document: Json, name: str) -> None:
    method = METHODS[name][0]
    wanted = parameters(document, operations(document)[name])
    taken = set(signature(getattr(Citespan, method)).parameters) - {"self"}
    if method == "verify":
        assert set(wanted) <= set(CitationModel.model_fields)
        assert taken == {"citation"}
        return
    assert taken == set(wanted)
    types = hints(method)
    for parameter, schema in wanted.items():
        kinds = [schema, *schema.get("anyOf", [])]
        expected = {TYPES[kind["type"]] for kind in kinds if kind.get("type") in TYPES and "enum" not in kind}
        given = {types[parameter], *get_args(types[parameter])}
        # A query that may be several is one here.
        assert expected <= given | ({str} if "Sort" in str(types[parameter]) else set()), (parameter, expected, given)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_returns_what_its_operation_answers(document: Json, name: str) -> None:
    answers = operations(document)[name]["responses"]
    (good,) = [answers[code] for code in answers if code.startswith("2")]
    schema = good.get("content", {}).get("application/json", {}).get("schema", {})
    shapes = {one["$ref"].rpartition("/")[2] for one in [schema, *schema.get("anyOf", [])] if "$ref" in one}
    returned = hints(METHODS[name][0])["return"]
    otherwise = {"str"} if good.get("content") else {"NoneType"}
    assert {kind.__name__ for kind in get_args(returned) or (returned,)} == (shapes if shapes else otherwise)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_asks_at_its_operation(name: str) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(404, json={"type": "urn:citespan:problem:unknown-document", "detail": "none"})

    with (
        Citespan("http://server/below/", transport=httpx2.MockTransport(answer)) as citespan,
        pytest.raises(CallFailed) as failed,
    ):
        METHODS[name][1](citespan)
    assert (failed.value.status, failed.value.code) == (404, "unknown-document")
    (request,) = seen
    method, _, path = name.partition(" ")
    asked = request.url.raw_path.decode().partition("?")[0].split("/")
    template = f"/below{path}".split("/")
    assert request.method == method
    assert len(asked) == len(template)
    assert all(given == part or part.startswith("{") for given, part in zip(asked, template, strict=True))


def test_every_method_is_in_the_documentation() -> None:
    page = (REPOSITORY / "docs" / "bots.md").read_text(encoding="utf-8")
    table = page[page.index("| asking |") : page.index("Methods take")]
    public = {name for name in dir(Citespan) if not name.startswith("_")} - {"close"}
    assert set(re.findall(r"`(\w+)`", table)) == public


def test_starting_the_client_loads_no_heavy_part() -> None:
    heavy = ["torch", "faiss", "onnxruntime", "transformers", "sentence_transformers", "tantivy", "numpy", "lxml"]
    code = f"import sys, api.client, api.plain, api.webhook; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---- against a server ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[str]:
    """Yield the address of a server of its own, which changes with its key only."""
    place = tmp_path_factory.mktemp("client")
    sync(
        place / "library",
        embedder,
        [write_files(place / "sources", {
            "keeper.md": "---\npublished_at: 2026-01-10\n---\n\nThe keeper of the lighthouse on Skerry Rock is Edda "
            "Holm. She said on Tuesday that the lamp was lit.\n",
            "boats.txt": "The ferry leaves the harbour at noon.",
            "hostile.txt": "The harbour café is called <b>*Heron*</b> & co. 🐧",
        })],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CITESPAN_API_KEY", KEY)
        with serving(place / "library") as url:
            yield url


@pytest.fixture
def citespan(base: str) -> Iterator[Citespan]:
    with Citespan(base, KEY) as opened:
        yield opened


def test_a_question_is_answered_cited_verified_and_replayed(citespan: Citespan) -> None:
    reply = citespan.ask(KEEPER, max_citations=1, risk=0.5)
    (citation,) = reply.citations
    assert (reply.answerable, citation.published_at) == (True, "2026-01-10")
    assert (
        citespan.text(citation.document_id, revision=citation.revision)[citation.start : citation.end] == citation.quote
    )
    assert "Edda Holm" in citation.quote
    assert citespan.verify(citation).status == "verified"
    assert citespan.verify(citation.model_copy(update={"start": citation.start + 1})).status == "drifted"
    assert reply.receipt is not None
    assert citespan.replay(reply.receipt).canonical() == reply.canonical()


def test_days_that_are_meant_arrive(citespan: Citespan) -> None:
    reply = citespan.ask("When was the lamp said to be lit on Skerry Rock?", risk=1)
    dates = [date for citation in [*reply.citations, *reply.nearest] for date in citation.dates]
    assert [(date.text, str(date.from_), str(date.to)) for date in dates] == [("Tuesday", "2026-01-06", "2026-01-06")]


def test_a_question_goes_on_from_a_conversation_of_the_server_or_of_the_client(citespan: Citespan) -> None:
    first = citespan.ask(KEEPER)
    second = citespan.ask("What did she say?", conversation_id=first.conversation_id)
    assert second.conversation_id == first.conversation_id
    held = citespan.conversation(first.conversation_id)
    assert [turn.question for turn in held.turns] == [KEEPER, "What did she say?"]
    citespan.forget(first.conversation_id)
    with pytest.raises(CallFailed) as failed:
        citespan.conversation(first.conversation_id)
    assert (failed.value.status, failed.value.code) == (404, "unknown-conversation")
    own = citespan.ask("What did she say?", conversation=[ExchangeModel(question=KEEPER, answer=first.answer)])
    assert own.standalone_question == second.standalone_question


def test_events_are_the_reply_as_it_is_found(citespan: Citespan) -> None:
    events = list(citespan.ask_stream(KEEPER))
    assert [type(event) for event in events[:2]] == [RetrievalEvent, CitationEvent]
    answer = events[-1]
    assert isinstance(answer, AnswerEvent)
    cited = [event.citation for event in events if isinstance(event, CitationEvent)]
    assert cited == answer.reply.citations
    assert answer.reply.canonical() == citespan.ask(KEEPER).canonical()


def test_what_is_wrong_with_a_question_is_one_error(citespan: Citespan) -> None:
    for ask in (citespan.ask, lambda question: list(citespan.ask_stream(question))):
        with pytest.raises(CallFailed) as failed:
            ask("")
        assert (failed.value.status, failed.value.type) == (422, "urn:citespan:problem:invalid-question")
        assert failed.value.detail in str(failed.value)
    with pytest.raises(CallFailed) as failed:
        citespan.search("boats", max_num_results=51)
    assert [error["field"] for error in failed.value.errors] == ["max_num_results"]


def test_passages_are_found_where_a_filter_lets_them(citespan: Citespan) -> None:
    found = citespan.search("harbour", max_num_results=5)
    assert {hit.filename for hit in found.data} == {"boats.txt", "hostile.txt", "keeper.md"}
    dated = citespan.search("harbour", filter=FilterModel.model_validate({"published_from": "2026-01-01"}))
    assert {hit.filename for hit in dated.data} == {"keeper.md"}


def test_documents_are_listed_over_all_pages(citespan: Citespan) -> None:
    everything = [document.uri for document in citespan.documents()]
    assert sorted(everything) == ["boats.txt", "hostile.txt", "keeper.md"]
    assert [document.uri for document in citespan.documents(limit=1)] == everything
    assert [document.uri for document in citespan.documents(sort="-title", limit=2)] == sorted(everything, reverse=True)
    assert [document.uri for document in citespan.documents(q="boats")] == ["boats.txt"]
    (boats,) = citespan.documents(q="boats")
    assert citespan.document(boats.id) == boats
    assert [one.revision for one in citespan.revisions(boats.id).data] == [boats.revision]


def test_documents_come_change_go_and_come_back(citespan: Citespan, tmp_path: Path) -> None:
    before = citespan.health().generation
    assert before is not None
    job = citespan.wait(citespan.upload([document_of("new.txt", "A new pier was built.")]).id)
    assert (job.status, job.added, job.generation) == ("done", ["new.txt"], before + 1)
    files = write_files(tmp_path, {"new.txt": "A new pier was built in 1931.", "second.txt": "A second one was not."})
    job = citespan.wait(citespan.upload_files([files / "new.txt", files / "second.txt"]).id)
    assert (job.added, job.changed) == (["second.txt"], ["new.txt"])
    titled = citespan.upload_files([files / "second.txt"], title="The second", tags=["piers", "harbour"])
    citespan.wait(titled.id)
    (second,) = citespan.documents(q="second")
    assert (second.title, second.tags) == ("The second", ["piers", "harbour"])
    assert [one.id for one in citespan.jobs(limit=2).data] == [titled.id, job.id]
    gone = citespan.delete(second.id)
    assert (gone.deleted, gone.purged) == (True, False)
    with pytest.raises(CallFailed, match="404"):
        citespan.document(second.id)
    diff = citespan.diff(before, gone.generation)
    assert ([one.uri for one in diff.added], diff.removed) == (["new.txt"], [])
    back = citespan.rollback(before)
    assert back.changes == {"rolled_back_to": before, "from": gone.generation}
    assert citespan.generations(limit=1).current == back.number
    assert citespan.delete(second.id, purge=True).purged


def test_an_upload_that_is_sent_twice_is_one_job(citespan: Citespan) -> None:
    once = citespan.upload([UPLOAD], idempotency_key="once")
    assert citespan.upload([UPLOAD], idempotency_key="once").id == once.id
    assert citespan.upload([UPLOAD]).id != once.id


def test_without_the_key_nothing_changes(base: str) -> None:
    with Citespan(base) as stranger:
        with pytest.raises(CallFailed) as failed:
            stranger.upload([UPLOAD])
        assert (failed.value.status, failed.value.code) == (401, "key-needed")
        assert stranger.models().data[0].id == stranger.model(stranger.models().data[0].id).id


# ---- when something goes wrong -------------------------------------------------------------------------------------


class Script:
    """A server that does one thing after the other: an answer, or an error on the way."""

    def __init__(self, *steps: httpx2.Response | type[httpx2.TransportError]) -> None:
        self.steps = list(steps)
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, httpx2.Response):
            return step
        raise step("on the way", request=request)

    def client(self, **given: Any) -> Citespan:
        return Citespan("http://server", transport=httpx2.MockTransport(self), sleep=self.slept.append, **given)


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {"type": f"urn:citespan:problem:{code}", "title": "No", "status": status, "detail": "not now"}
    return httpx2.Response(
        status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def healthy() -> httpx2.Response:
    return httpx2.Response(200, json={"status": "ok", "generation": 7, "documents": 3})


def test_what_is_refused_for_now_is_sent_again_after_the_time_that_was_named() -> None:
    script = Script(problem(503, "overloaded", Retry_After="2"), problem(429, "queue-full"), healthy())
    assert script.client().health().generation == 7
    assert script.slept == [2.0, 1.0]


@pytest.mark.parametrize(
    ("named", "waited"), [("3600", 30.0), ("9" * 5000, 30.0), ("0", 0.0), ("soon", 0.5), ("-1", 0.5), ("²", 0.5)]
)
def test_nobody_makes_the_client_wait_for_long(named: str, waited: float) -> None:
    script = Script(httpx2.Response(503, headers=[(b"Retry-After", named.encode())]), healthy())
    script.client().health()
    assert script.slept == [waited]


def test_it_is_sent_a_few_times_only() -> None:
    script = Script(*[problem(503, "overloaded")] * 9)
    with pytest.raises(CallFailed) as failed:
        script.client(patience=Patience(tries=3, pause=1.0)).health()
    assert (failed.value.status, failed.value.code, len(script.requests)) == (503, "overloaded", 3)
    assert script.slept == [1.0, 2.0]


def test_a_lost_answer_is_asked_for_again_where_that_does_no_harm() -> None:
    lost = httpx2.ReadError
    harmless: tuple[Callable[[Citespan], object], ...] = (
        lambda c: c.search("boats"), lambda c: c.ask("?"), lambda c: c.document("a"), lambda c: c.verify(CITATION),
        lambda c: c.upload([UPLOAD]), lambda c: c.delete("a", purge=True), lambda c: c.replay("a"),
    )  # fmt: skip
    for call in harmless:
        script = Script(lost, problem(404, "unknown"))
        with pytest.raises(CallFailed, match="404"):
            call(script.client())
        assert script.requests[0].content == script.requests[1].content
    harmful: tuple[Callable[[Citespan], object], ...] = (
        lambda c: c.ask("?", conversation_id="a"), lambda c: c.delete("a"), lambda c: c.rollback(1),
        lambda c: c.forget("a"), lambda c: list(c.ask_stream("?", conversation_id="a")),
    )  # fmt: skip
    for call in harmful:
        script = Script(lost)
        with pytest.raises(CallFailed) as failed:
            call(script.client())
        assert (failed.value.status, failed.value.code) == (None, "no-answer")
        # What never went out is another matter.
        script = Script(httpx2.ConnectError, problem(404, "unknown"))
        with pytest.raises(CallFailed, match="404"):
            call(script.client())


def test_an_upload_keeps_its_key_and_its_bytes_over_all_tries(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Boats.")
    script = Script(httpx2.ReadTimeout, problem(409, "idempotency-key-in-use"), problem(415, "unsupported-format"))
    with pytest.raises(CallFailed, match="415"):
        script.client().upload_files([tmp_path / "a.txt"])
    assert len({request.headers["idempotency-key"] for request in script.requests}) == 1
    assert all(b"Boats." in request.content for request in script.requests)
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("answer", "code", "detail"),
    [
        (httpx2.Response(502, text="<html>"), "bad-gateway", "is it Citespan"),
        (httpx2.Response(307, headers={"Location": "http://elsewhere/"}), "temporary-redirect", "is it Citespan"),
        (httpx2.Response(599), "status-599", "is it Citespan"),
        (httpx2.Response(404, json=[]), "not-found", "is it Citespan"),
        (httpx2.Response(404, json={"error": {"message": "no", "type": "x", "code": "gone"}}), "gone", "no"),
        (httpx2.Response(422, json={"type": "t:bad", "detail": "d", "errors": ["x"]}), "bad", "d"),
        (httpx2.Response(200, text="<html>"), "unexpected-reply", "not a JSON object"),
        (httpx2.Response(200, json=[]), "unexpected-reply", "not a JSON object"),
        (httpx2.Response(200, json={"status": "ok", "generation": "x"}), "unexpected-reply", "Health: generation"),
    ],
)  # fmt: skip
def test_whatever_answers_it_is_one_error(answer: httpx2.Response, code: str, detail: str) -> None:
    with pytest.raises(CallFailed) as failed:
        Script(answer).client().health()
    assert failed.value.code == code
    assert detail in failed.value.detail


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://server", "http://", "http://[::1", "http://server:x"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(CallFailed, match="give one as http"):
        Citespan(url)


@pytest.mark.parametrize("key", ["a\n", "ä", " a"])
def test_a_key_that_no_header_can_carry_is_told_without_repeating_it(key: str) -> None:
    with pytest.raises(CallFailed, match="the key has a character") as failed:
        Citespan(api_key=key)
    assert repr(key) not in str(failed.value)


def test_a_job_is_waited_for_and_not_for_ever() -> None:
    def job(status: str, finished: str | None) -> httpx2.Response:
        stage = {"stage": status, "files": 0, "files_total": 1, "passages": 0}
        return httpx2.Response(200, json={
            "id": "job_1", "status": status, "created_at": "", "started_at": None, "finished_at": finished,
            "documents": 1, "progress": stage, "generation": None, "added": [], "changed": [], "unchanged": 0,
            "errors": [],
        })  # fmt: skip

    script = Script(job("queued", None), job("running", None), job("done", "2026-01-31"))
    assert script.client().wait("job_1").status == "done"
    assert script.slept == [0.5, 0.5]
    script = Script(job("queued", None), job("queued", None), job("running", None))
    assert script.client().wait("job_1", seconds=1.0).status == "running"


# ---- streams that break --------------------------------------------------------------------------------------------


RETRIEVED = {"id": "ask_1", "question": "?", "standalone_question": "?", "generation": 7, "hits": []}


class Broken(httpx2.SyncByteStream):
    """Events whose connection is lost after them."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        raise httpx2.ReadError("connection reset")


def event(number: int, name: str, data: Json) -> bytes:
    return f"id: ask_1:{number}\nevent: {name}\ndata: {json.dumps(data)}\n\n: ping\n\n".encode()


def streamed(*pieces: bytes, whole: bool = True) -> httpx2.Response:
    stream = httpx2.ByteStream(b"".join(pieces)) if whole else Broken(*pieces)
    return httpx2.Response(200, headers={"Content-Type": "text/event-stream"}, stream=stream)


DONE = event(4, "done", {"id": "ask_1", "timings_ms": {}})


def test_a_lost_stream_is_taken_up_after_its_last_event() -> None:
    cited = CITATION.model_dump(mode="json", by_alias=True)
    script = Script(
        streamed(event(1, "retrieval", RETRIEVED), event(2, "citation", cited), event(3, "ans", {})[:20], whole=False),
        httpx2.ConnectError,
        streamed(event(3, "citation", {**cited, "number": 2}), DONE),
    )
    events = list(script.client().ask_stream("?"))
    assert [type(one) for one in events] == [RetrievalEvent, CitationEvent, CitationEvent]
    assert [one.citation.number for one in events if isinstance(one, CitationEvent)] == [1, 2]
    assert [request.headers.get("last-event-id") for request in script.requests] == [None, "ask_1:2", "ask_1:2"]
    assert len({request.content for request in script.requests}) == 1


def test_a_stream_that_ends_without_its_last_event_was_lost() -> None:
    script = Script(*[streamed(event(1, "retrieval", RETRIEVED)) for _ in range(4)])
    events = script.client().ask_stream("?")
    assert isinstance(next(events), RetrievalEvent)
    with pytest.raises(CallFailed, match="ended before its last event"):
        list(events)
    assert len(script.requests) == 4


def test_a_stream_that_the_server_has_forgotten_begins_anew_unless_a_conversation_goes_on() -> None:
    def begun() -> list[httpx2.Response]:
        return [streamed(event(1, "retrieval", RETRIEVED), whole=False), problem(422, "unknown-stream")]

    script = Script(*begun(), streamed(event(1, "retrieval", RETRIEVED), DONE))
    assert len(list(script.client().ask_stream("?"))) == 2
    assert [request.headers.get("last-event-id") for request in script.requests] == [None, "ask_1:1", None]
    with pytest.raises(CallFailed) as failed:
        list(Script(*begun()).client().ask_stream("?", conversation_id="a"))
    assert failed.value.code == "unknown-stream"


def test_an_error_in_a_stream_is_the_same_error() -> None:
    told = {"type": "urn:citespan:problem:purged", "title": "Gone", "status": 410, "detail": "purged since"}
    script = Script(streamed(event(1, "retrieval", RETRIEVED), event(2, "error", told)))
    events = script.client().ask_stream("?")
    next(events)
    with pytest.raises(CallFailed) as failed:
        next(events)
    assert (failed.value.status, failed.value.code, failed.value.detail) == (410, "purged", "purged since")


def test_a_real_stream_that_breaks_off_gives_every_event_once(base: str) -> None:
    """What lies between client and server lets one event through, and then cuts the connection, twice."""
    whole = httpx2.Client()
    cuts = [1, 1, 99]

    class Cutting(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            url, headers = f"{base}/v1/ask", {n: v for n, v in request.headers.items() if n.lower() != "host"}
            answer = whole.post(url, content=request.read(), headers=headers)
            assert answer.status_code == 200, answer.text
            pieces = [piece + b"\n\n" for piece in answer.content.split(b"\n\n")]
            return streamed(*pieces[: cuts.pop(0)], whole=not cuts)

    with Citespan(base, KEY, transport=Cutting(), sleep=lambda _: None) as citespan, whole:
        events = list(citespan.ask_stream(KEEPER))
        assert isinstance(events[0], RetrievalEvent)
        answer = events[-1]
        assert isinstance(answer, AnswerEvent)
        assert [one.citation for one in events if isinstance(one, CitationEvent)] == answer.reply.citations
    with Citespan(base, KEY) as citespan:
        assert answer.reply.canonical() == citespan.ask(KEEPER).canonical()

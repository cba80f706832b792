"""Replaying with the models that ship: what runs beside a question, and on how many cores, changes no byte."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from api import cli
from api.receipts import issued, replayed
from api.schemas import AskRequest, AskResponse
from index.embed import Embedder
from index.store import GenerationStore, LocalStore
from index.sync import sync
from qa import calibrate
from qa.read import shipped, together
from qa.receipt import unpack
from qa.service import AnswerService
from tests.fakes import write_files

Citespan = Callable[..., Result]
Json = dict[str, Any]

ANSWERED = "Which news agency reported on January 10 that Japanese companies would get no new contracts?"
UNANSWERED = "At what temperature does tungsten melt?"
QUESTIONS = (
    ANSWERED,
    UNANSWERED,
    "When did the ban take effect?",
    "Who spoke for the ministry?",
    "How many contracts are there, and why?",
)


def service_on(threads: int) -> AnswerService:
    reader, second = shipped(threads)
    return AnswerService(reader, calibrate.load(together(reader, second)), second=second)


def ask(service: AnswerService, store: GenerationStore, text: str) -> AskResponse:
    question = AskRequest.model_validate({"question": text}).to_question(())
    asked = service.ask(question, store)
    response = AskResponse.from_reply(asked.reply, reply_id="ask", conversation_id="", timings_ms=asked.timings_ms)
    return issued(response, question, service, store)


@pytest.fixture
def _cores_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_cores_as_before")
def test_any_number_of_threads_gives_the_same_bytes(seeds_library: Path, embedder: Embedder) -> None:
    store = LocalStore(seeds_library, embedder)
    torch.set_num_threads(1)
    alone = service_on(1)
    replies = [ask(alone, store.current(), text) for text in QUESTIONS]
    store.close()
    assert {reply.answerable for reply in replies} == {True, False}
    for threads in (2, 3):
        store = LocalStore(seeds_library, embedder)
        torch.set_num_threads(threads)
        service = service_on(threads)
        for reply in replies[::-1]:
            assert reply.receipt is not None
            again = replayed(unpack(reply.receipt), reply.receipt, service, store.current())
            assert again.response.canonical() == reply.canonical()
        store.close()


def test_what_was_asked_before_changes_nothing(client: TestClient) -> None:
    def put(path: str, **body: str) -> Json:
        response = client.post(path, json=body)
        assert response.status_code == 200, response.text
        reply: Json = response.json()
        return {name: reply[name] for name in sorted(reply.keys() - {"id", "conversation_id", "timings_ms"})}

    first = [put("/v1/ask", question=text) for text in QUESTIONS]
    for _ in range(2):
        assert [put("/v1/ask", question=text) for text in QUESTIONS[::-1]] == first[::-1]
        assert [put("/v1/replay", receipt=reply["receipt"]) for reply in first] == first


# ---- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def citespan(monkeypatch: pytest.MonkeyPatch, embedder: Embedder) -> Citespan:
    """Return what runs a command in this process, with the embedder that is loaded already."""
    monkeypatch.setattr("api.wiring.open_embedder", lambda settings: embedder)

    def run(*arguments: str, library: Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli.app, ["--library", str(library), *arguments], input=stdin)

    return run


def test_a_receipt_of_the_command_line_or_of_http_is_replayed_by_the_other(
    citespan: Citespan, seeds_library: Path, client: TestClient
) -> None:
    told = citespan("ask", ANSWERED, "--json", library=seeds_library)
    reply = json.loads(told.stdout)
    assert client.post("/v1/replay", json={"receipt": reply["receipt"]}).json()["answer"] == reply["answer"]

    asked = client.post("/v1/ask", json={"question": UNANSWERED}).json()
    again = citespan("replay", asked["receipt"], "--json", library=seeds_library)
    assert (again.exit_code, json.loads(again.stdout)["nearest"]) == (0, asked["nearest"])
    assert asked["receipt"] != reply["receipt"]


def test_a_replay_prints_the_reply_and_that_it_is_the_same(citespan: Citespan, seeds_library: Path) -> None:
    printed = citespan("ask", ANSWERED, library=seeds_library)
    token = json.loads(citespan("ask", ANSWERED, "--json", library=seeds_library).stdout)["receipt"]
    again = citespan("replay", "-", library=seeds_library, stdin=f"{token[:50]}\n{token[50:]}\n")
    assert again.exit_code == 0
    assert again.stdout == f"{printed.stdout}\nthe same reply, byte for byte, from generation 1\n"


def test_a_replay_that_cannot_be_says_why(
    citespan: Citespan, seeds_library: Path, embedder: Embedder, tmp_path: Path
) -> None:
    token = json.loads(citespan("ask", ANSWERED, "--json", library=seeds_library).stdout)["receipt"]
    folder = write_files(tmp_path / "sources", {"a.txt": "The ferry leaves at noon."})
    sync(tmp_path / "library", embedder, [folder])
    other = citespan("replay", token, "--json", library=tmp_path / "library")
    assert (other.exit_code, json.loads(other.stdout)["error"]["code"]) == (1, "another-library")
    shutil.rmtree(tmp_path / "library")
    wrong = citespan("replay", "made-up", library=tmp_path / "library")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("citespan: this is no receipt that this version reads")

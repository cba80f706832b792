"""Replaying: the same bytes for ever, or the reason why not."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from api import receipts
from api.app import create_app
from api.conversations import Conversations
from api.gate import Gate
from api.jobs import Jobs, Limits
from api.settings import Settings
from api.wiring import Runtime
from index import change
from index.backup import backup, restore
from index.errors import ModelsChanged
from index.naming import document_id
from index.reembed import reembed
from index.store import LocalStore
from index.sync import sync
from qa.receipt import pack, unpack
from qa.service import AnswerService, Policy
from tests.fakes import HashingEmbedder, write_files
from tests.services import CALIBRATION, SERVICE, WordReader
from tests.world import kept

Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parent.parent

FILES = {
    "lighthouse.md": "---\ntitle: The lighthouse\npublished_at: 2025-03-01\ntags: [coast]\n---\n"
    "The lighthouse was painted grey by its keeper. The keeper is Edda Holm.",
    "ferry.md": "---\ntitle: The ferry\npublished_at: 2026-03-01\n---\nThe ferry to the lighthouse leaves at noon.",
    "bakery.md": "---\ntitle: The bakery\n---\nThe bakery opens at seven. It sells bread and “buns” 🐧.",
}
ANSWERED = "When was the lighthouse painted grey by its keeper?"
UNANSWERED = "Which penguin won the chess tournament?"
QUESTIONS: tuple[Json, ...] = (
    {"question": ANSWERED},
    {"question": ANSWERED, "max_citations": 1},
    {"question": UNANSWERED},
    {"question": "When does the ferry to the lighthouse leave?", "filter": {"published_from": "2026-01-01"}},
    {"question": ANSWERED, "filter": {"tags": ["coast", "\x07"], "language": None}},
    {"question": "  Who sells “buns”\u00a0🐧?\r\n", "filter": {"document_ids": [document_id("bakery.md")]}},
)


@contextmanager
def opened(library: Path, service: AnswerService = SERVICE, *, key: str | None = None) -> Iterator[TestClient]:
    """Yield a client of a server that was just started over a library."""
    told = Settings(library=library, api_key=None if key is None else SecretStr(key))
    store = LocalStore(library, HashingEmbedder())
    jobs = Jobs(library, Limits(10, 10_000, 10_000))
    runtime = Runtime(told, store, service, Gate(2, 10), Conversations(library), jobs)
    try:
        yield TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False)
    finally:
        runtime.close()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return write_files(tmp_path / "sources", FILES)


@pytest.fixture
def library(tmp_path: Path, sources: Path) -> Path:
    sync(tmp_path / "library", HashingEmbedder(), [sources])
    return tmp_path / "library"


@pytest.fixture
def client(library: Path) -> Iterator[TestClient]:
    with opened(library) as client:
        yield client


def ask(client: TestClient, **fields: Any) -> Json:
    response = client.post("/v1/ask", json=fields)
    assert response.status_code == 200, response.text
    reply: Json = response.json()
    return reply


def asked(client: TestClient) -> list[Json]:
    """Return replies to all QUESTIONS, of which some are answers and some are not."""
    replies = [ask(client, **fields) for fields in QUESTIONS]
    assert {reply["answerable"] for reply in replies} == {True, False}
    return replies


def canonical(reply: Json) -> bytes:
    """Return the bytes that are to be the same, made as docs/api.md tells a stranger to."""
    kept = {k: v for k, v in reply.items() if k not in ("id", "conversation_id", "receipt", "timings_ms")}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def assert_same_again(client: TestClient, replies: Sequence[Json]) -> None:
    for reply in replies:
        response = client.post("/v1/replay", json={"receipt": reply["receipt"]})
        assert response.status_code == 200, response.text
        again = response.json()
        assert canonical(again) == canonical(reply)
        assert again["receipt"] == reply["receipt"]
        assert again["id"] != reply["id"]


def assert_refused(client: TestClient, reply: Json, status: int, code: str) -> str:
    """Assert that a reply cannot be had again, and return why."""
    response = client.post("/v1/replay", json={"receipt": reply["receipt"]})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    problem = response.json()
    assert problem["type"] == f"urn:citespan:problem:{code}"
    assert reply["question"] not in response.text
    detail: str = problem["detail"]
    return detail


# ---- the same bytes --------------------------------------------------------------------------------------------------


def test_a_receipt_gives_the_same_reply_again(client: TestClient) -> None:
    replies = asked(client)
    assert_same_again(client, replies)
    assert_same_again(client, replies[::-1])


def test_a_receipt_holds_the_hash_of_its_reply(client: TestClient) -> None:
    for reply in asked(client):
        assert unpack(reply["receipt"]).digest == hashlib.sha256(canonical(reply)).hexdigest()[:32]


def test_the_same_question_gets_the_same_receipt(client: TestClient) -> None:
    assert ask(client, question=ANSWERED)["receipt"] == ask(client, question=ANSWERED)["receipt"]
    assert ask(client, question=ANSWERED)["receipt"] != ask(client, question=ANSWERED, max_citations=1)["receipt"]


def test_a_follow_up_is_replayed_without_its_conversation(library: Path) -> None:
    with opened(library) as client:
        first = ask(client, question="When does the ferry to the lighthouse leave?")
        second = ask(client, question="And the bakery?", conversation_id=first["conversation_id"])
        third = ask(client, question="Why?", conversation_id=first["conversation_id"])
    assert second["standalone_question"] != second["question"]
    assert third["standalone_question"] != third["question"]
    with opened(library) as client:
        assert_same_again(client, [third, second, first])


def test_a_replay_starts_no_conversation_and_needs_no_key(library: Path) -> None:
    with opened(library, key="open sesame") as client:
        reply = ask(client, question=ANSWERED)
        again = client.post("/v1/replay", json={"receipt": reply["receipt"]}).json()
        assert again["conversation_id"] == ""
        assert client.get("/v1/generations").json()["current"] == 1


def test_replies_stay_the_same_after_later_generations(library: Path, sources: Path) -> None:
    with opened(library) as client:
        replies = asked(client)
        for number in range(5):
            write_files(sources, {f"more-{number}.md": f"The keeper painted lighthouse number {number} grey at noon."})
            sync(library, HashingEmbedder(), [sources])
        (sources / "ferry.md").unlink()
        write_files(sources, {"lighthouse.md": "The lighthouse was painted white. The keeper is Nils Berg."})
        sync(library, HashingEmbedder(), [sources])
        assert ask(client, question=ANSWERED)["generation"] == 1
        assert_same_again(client, replies)
    with opened(library) as client:
        later = ask(client, question=ANSWERED)
        assert later["generation"] == 7
        assert canonical(later) != canonical(replies[0])
        assert_same_again(client, [*replies, later])


def test_what_words_are_worth_is_not_changed_by_what_comes_later(tmp_path: Path) -> None:
    texts = {
        "a.md": "The keeper sleeps.", "b.md": "The ferry sinks.", "c.md": "The keeper waits.", "d.md": "A ferry rests.",
        "e.md": "Another keeper counts the waves.",
    }  # fmt: skip
    folder = write_files(tmp_path / "sources", texts)
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    fields: Json = {"question": "Which keeper or which ferry was it?", "max_citations": 10}
    with opened(tmp_path / "library") as client:
        before = ask(client, **fields)
    # In the first generation `ferry` is the rarer word of the two, and ever after `keeper`.
    write_files(folder, {f"later-{n:02}.md": f"Ferry number {n} of the ferry line." for n in range(40)})
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    with opened(tmp_path / "library") as client:
        assert_same_again(client, [before])


def test_a_question_about_the_past_is_replayed_as_of_then(library: Path, sources: Path) -> None:
    write_files(sources, {"lighthouse.md": "The lighthouse was painted white by its keeper."})
    sync(library, HashingEmbedder(), [sources])
    with opened(library) as client:
        reply = ask(client, question=ANSWERED, as_of=1)
        assert reply["generation"] == 1
        assert_same_again(client, [reply])


def test_replies_stay_the_same_after_the_derived_indexes_were_deleted(library: Path, sources: Path) -> None:
    with opened(library) as client:
        replies = asked(client)
    write_files(sources, {"more.md": "Another keeper painted another lighthouse."})
    sync(library, HashingEmbedder(), [sources])
    shutil.rmtree(library / "words")
    with opened(library) as client:
        assert_same_again(client, replies)
    assert (library / "words").is_dir()


def test_replies_stay_the_same_after_going_back(library: Path, sources: Path) -> None:
    with opened(library) as client:
        first = asked(client)
    (sources / "lighthouse.md").unlink()
    sync(library, HashingEmbedder(), [sources])
    with opened(library) as client:
        second = asked(client)
    change.rollback(library, 1)
    with opened(library) as client:
        third = asked(client)
        assert_same_again(client, [*first, *second, *third])


def test_replies_stay_the_same_in_a_library_restored_elsewhere(library: Path, tmp_path: Path) -> None:
    with opened(library) as client:
        replies = asked(client)
    backup(library, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "elsewhere")
    with opened(tmp_path / "elsewhere") as client:
        assert_same_again(client, replies)


def test_replies_are_the_same_in_another_library_of_the_same_files(
    library: Path, sources: Path, tmp_path: Path
) -> None:
    with opened(library) as client:
        replies = asked(client)
    sync(tmp_path / "other", HashingEmbedder(), [shutil.copytree(sources, tmp_path / "moved")])
    with opened(tmp_path / "other") as client:
        assert_same_again(client, replies)


def test_another_process_with_other_hashes_of_strings_gives_the_same_bytes(library: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.test_replay import asked, canonical, opened\n"
        "with opened(Path(sys.argv[1])) as client:\n"
        "    print([canonical(reply) for reply in asked(client)])"
    )
    printed = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(library)],
            cwd=REPOSITORY, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        printed.append(done.stdout)
    assert "lighthouse was painted grey" in printed[0]
    assert printed[0] == printed[1]


def test_other_code_that_replies_the_same_is_no_reason_to_refuse(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = asked(client)
    monkeypatch.setattr(receipts, "made_by", lambda: "citespan 9.9 on paper")
    assert_same_again(client, replies)


def test_what_is_too_large_for_a_receipt_is_answered_without_one(client: TestClient) -> None:
    names = [f"{number:04}" + "é" * 190 for number in range(1_000)]
    reply = ask(client, question=ANSWERED, filter={"document_ids": names})
    assert (reply["answerable"], reply["receipt"]) == (False, None)


# ---- the reason why not ----------------------------------------------------------------------------------------------


def test_a_purge_is_named_as_the_reason(library: Path) -> None:
    with opened(library) as client:
        reply = ask(client, question=ANSWERED)
        purged = client.delete(f"/v1/documents/{document_id('lighthouse.md')}", params={"purge": True})
        assert purged.status_code == 200
        assert "1 of its documents were purged" in assert_refused(client, reply, 410, "purged")


def test_a_generation_that_was_let_go_is_named_as_the_reason(library: Path, sources: Path) -> None:
    with opened(library) as client:
        replies = asked(client)
    (sources / "ferry.md").unlink()
    sync(library, HashingEmbedder(), [sources])
    change.compact(library, keep_last=1, grace=timedelta(0))
    with opened(library) as client:
        assert "generation 1" in assert_refused(client, replies[0], 404, "unknown-generation")


def test_another_embedder_is_named_as_the_reason_with_both(library: Path) -> None:
    with opened(library) as client:
        reply = ask(client, question=ANSWERED)
    other = HashingEmbedder(name="other")
    reembed(library, other)
    store = LocalStore(library, other)
    with pytest.raises(ModelsChanged, match="embedder was hashing-64, it is other-64"):
        receipts.replayed(unpack(reply["receipt"]), reply["receipt"], SERVICE, store.at(1))
    store.close()


@pytest.mark.parametrize(
    ("service", "named"),
    [
        (AnswerService(WordReader("words:2"), CALIBRATION), "the reader was words:1, it is words:2"),
        (AnswerService(WordReader(), replace(CALIBRATION, standard=kept(0.4))), "the configuration was "),
        (AnswerService(WordReader(), CALIBRATION, Policy(helpings=(1,))), "the configuration was "),
        (AnswerService(WordReader("/srv/models/mine:2"), CALIBRATION), "the reader was words:1, it is mine:2"),
    ],
)
def test_another_model_is_named_as_the_reason_with_both(library: Path, service: AnswerService, named: str) -> None:
    with opened(library) as client:
        reply = ask(client, question=ANSWERED)
    with opened(library, service) as client:
        detail = assert_refused(client, reply, 409, "models-changed")
        assert named in detail
        assert "/srv" not in detail
        assert_same_again(client, [ask(client, question=ANSWERED)])


def test_another_library_is_named_as_the_reason(library: Path, tmp_path: Path) -> None:
    with opened(library) as client:
        reply = ask(client, question=ANSWERED)
    folder = write_files(tmp_path / "others", {"a.md": "The lighthouse was painted green by its keeper."})
    sync(tmp_path / "other", HashingEmbedder(), [folder])
    with opened(tmp_path / "other") as client:
        assert "another library" in assert_refused(client, reply, 409, "another-library")


def altered(reply: Json, **changes: Any) -> Json:
    return {**reply, "receipt": pack(replace(unpack(reply["receipt"]), **changes))}


def test_a_receipt_that_was_altered_does_not_come_out_the_same(client: TestClient) -> None:
    reply = ask(client, question=ANSWERED)
    for changes in ({"digest": "0" * 32}, {"standalone": "What does the bakery sell?"}, {"question": "Which?"}):
        assert "altered" in assert_refused(client, altered(reply, **changes), 409, "replay-differs")


def test_other_code_that_replies_otherwise_is_named(client: TestClient) -> None:
    reply = ask(client, question=ANSWERED)
    detail = assert_refused(client, altered(reply, made_by="citespan 0.0", digest="0" * 32), 409, "replay-differs")
    assert "it was made by citespan 0.0, this is citespan " in detail


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"generation": 9}, 404, "unknown-generation"),
        ({"generation": 0}, 404, "unknown-generation"),
        ({"generation": 2**62 - 1}, 404, "unknown-generation"),
        ({"question": " "}, 422, "invalid-question"),
        ({"question": "x" * 2_001}, 422, "invalid-question"),
        ({"max_citations": 0}, 422, "invalid-question"),
        ({"max_citations": 11}, 422, "invalid-question"),
        ({"risk": 0.0}, 422, "invalid-question"),
    ],
)
def test_a_receipt_of_what_cannot_be_asked_is_refused(
    client: TestClient, changes: Json, status: int, code: str
) -> None:
    reply = ask(client, question=ANSWERED)
    assert_refused(client, altered(reply, **changes) | {"question": ANSWERED}, status, code)


@pytest.mark.parametrize("receipt", ["made-up", "a", "aAAAA", " ", "\x00", "é", "a" * 65_536])
def test_what_is_no_receipt_is_a_problem(client: TestClient, receipt: str) -> None:
    detail = assert_refused(client, {"question": ANSWERED, "receipt": receipt}, 422, "invalid-receipt")
    assert "receipt" in detail


@pytest.mark.parametrize("body", [{}, {"receipt": None}, {"receipt": ""}, {"receipt": 1}, {"receipt": "a" * 65_537}])
def test_a_request_without_a_receipt_is_a_problem(client: TestClient, body: Json) -> None:
    response = client.post("/v1/replay", json=body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "receipt")


def test_no_receipt_makes_the_server_fail(client: TestClient) -> None:
    good = unpack(ask(client, question=ANSWERED)["receipt"])

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        standalone=st.text(max_size=200).map(lambda text: "".join(text.split())),
        generation=st.integers(0, 3),
        tags=st.none() | st.frozensets(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=3),
    )
    def holds(standalone: str, generation: int, tags: frozenset[str] | None) -> None:
        where = replace(good.where, tags=tags)
        token = pack(replace(good, standalone=standalone, generation=generation, where=where))
        assert client.post("/v1/replay", json={"receipt": token}).status_code in (200, 404, 409, 422)

    holds()


def test_the_question_of_a_receipt_is_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    reply = ask(client, question=ANSWERED)
    with caplog.at_level(logging.INFO):
        assert_same_again(client, [reply])
        assert_refused(client, altered(reply, digest="0" * 32), 409, "replay-differs")
    said = [r.getMessage() for r in caplog.records if r.name.partition(".")[0] not in ("httpx", "httpx2", "asyncio")]
    assert ANSWERED not in "\n".join(said)
    assert reply["receipt"][:40] not in "\n".join(said)

"""The webhook: what is told, how it is signed and checked, and what happens when nobody listens."""

import base64
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from standardwebhooks.webhooks import Webhook

from api.announce import GenerationWatch
from api.app import create_app
from api.settings import Settings
from api.webhook import Event, NotSigned, key_of, signature, verify
from api.webhook_sender import DeliveryPolicy, Sender
from api.wiring import open_runtime
from index import change
from index.embed import Embedder
from index.report import Check
from index.store import LocalStore
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.listening import SECONDS, Answered, Listener, Received, listening

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(bytes(reversed(range(32)))).decode()
EVENT = Event("gen_1", "generation.created", "2026-01-31T12:00:00.000Z", {"generation": 1, "documents": 2})
BODY = b'{"type":"generation.created","timestamp":"2026-01-31T12:00:00.000Z","data":{"generation":1,"documents":2}}'
NOW = 1_769_860_800


def at_once(*pauses: float, most: int = 100) -> DeliveryPolicy:
    """Return a policy that tries so often more, and does not wait between."""
    return DeliveryPolicy(pauses=pauses, most=most)


def signed(body: bytes, *, secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    shown = signature(key_of(secret), "gen_1", at, body)
    return {"webhook-id": "gen_1", "webhook-timestamp": str(at), "webhook-signature": shown}


# ---- signing and checking ------------------------------------------------------------------------------------------


def test_an_event_is_its_type_its_time_and_its_data() -> None:
    assert EVENT.body() == BODY


def test_the_signature_is_the_one_of_the_reference_implementation() -> None:
    ours = signature(KEY, "gen_1", NOW, BODY)
    assert ours == Webhook(SECRET).sign("gen_1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    assert ours.startswith("v1,")


@given(body=st.binary(max_size=200), name=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_what_is_signed_is_exactly_these_bytes(body: bytes, name: str) -> None:
    assert signature(KEY, name, NOW, body) != signature(KEY, name, NOW, body + b" ")
    assert signature(KEY, name, NOW, body) != signature(KEY, name, NOW + 1, body)


def test_what_is_signed_is_taken_whatever_the_case_of_its_headers() -> None:
    headers = {name.title(): value for name, value in signed(BODY).items()}
    assert verify(SECRET, headers, BODY, clock=lambda: NOW + 299.0)["data"] == {"generation": 1, "documents": 2}


def test_one_signature_of_several_is_enough_while_a_secret_changes() -> None:
    old, new = signed(BODY, secret=OTHER), signed(BODY)
    both = {**new, "webhook-signature": f"{old['webhook-signature']} {new['webhook-signature']} v2,other"}
    assert verify(SECRET, both, BODY, clock=lambda: NOW)["type"] == "generation.created"


@pytest.mark.parametrize(
    ("wrong", "body", "now"),
    [
        ({}, BODY + b" ", NOW),
        (signed(BODY, secret=OTHER), BODY, NOW),
        ({"webhook-id": "gen_2"}, BODY, NOW),
        ({"webhook-id": ""}, BODY, NOW),
        ({"webhook-timestamp": str(NOW + 1)}, BODY, NOW),
        ({"webhook-timestamp": "nan"}, BODY, NOW),
        ({"webhook-timestamp": "9" * 4000}, BODY, NOW),
        ({"webhook-signature": ""}, BODY, NOW),
        ({"webhook-signature": "v1"}, BODY, NOW),
        ({"webhook-signature": "v1,é"}, BODY, NOW),
        ({}, BODY, NOW + 301),
        ({}, BODY, NOW - 301),
    ],
)
def test_what_is_altered_old_or_of_others_is_refused(wrong: dict[str, str], body: bytes, now: int) -> None:
    with pytest.raises(NotSigned):
        verify(SECRET, {**signed(BODY), **wrong}, body, clock=lambda: now)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_request_without_one_of_the_headers_is_refused(missing: str) -> None:
    headers = signed(BODY)
    del headers[missing]
    with pytest.raises(NotSigned):
        verify(SECRET, headers, BODY, clock=lambda: NOW)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_no_header_makes_the_check_fail_otherwise_than_by_refusing(headers: dict[str, str]) -> None:
    with pytest.raises(NotSigned):
        verify(SECRET, headers, BODY, clock=lambda: NOW)


def test_a_signed_body_that_is_no_event_is_refused() -> None:
    for body in (b"[]", b"{", b"\xff"):
        with pytest.raises(NotSigned):
            verify(SECRET, signed(body), body, clock=lambda: NOW)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", base64.b64encode(KEY).decode(), "whsec_c2hvcnQ=", "whsec_ä", "x" * 99]
)
def test_a_secret_that_is_none_is_told_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and base64 of 24 to 64") as refused:
        key_of(secret)
    assert len(secret) < 8 or secret not in str(refused.value)


# ---- the settings --------------------------------------------------------------------------------------------------


def test_an_address_needs_a_secret() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(webhook_url=SecretStr("https://example.org/hook"))
    assert [error["loc"] for error in refused.value.errors()] == [("webhook_secret",)]


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "example.org", "https://", "http://[::1/", "http://h:99999/", "http://h/a b", "https://h/\n"]
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(webhook_url=SecretStr(url), webhook_secret=SecretStr(SECRET))
    assert [error["loc"] for error in refused.value.errors()] == [("webhook_url",)]


def test_neither_address_nor_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITESPAN_WEBHOOK_URL", "https://example.org/hook/key-in-path")
    monkeypatch.setenv("CITESPAN_WEBHOOK_SECRET", "whsec_dG9vc2hvcnQ=")
    with pytest.raises(ValidationError) as refused:
        Settings()
    monkeypatch.setenv("CITESPAN_WEBHOOK_SECRET", SECRET)
    for shown in (str(refused.value), repr(Settings())):
        assert "key-in-path" not in shown
        assert "dG9vc2hvcnQ" not in shown
        assert SECRET not in shown


# ---- sending -------------------------------------------------------------------------------------------------------


def test_an_event_arrives_signed() -> None:
    with listening() as receiver, Sender(f"{receiver.url}/hook?key=1", SECRET) as sender:
        sender.tell(EVENT)
        got = receiver.next()
    assert (got.method, got.path, got.body) == ("POST", "/hook?key=1", BODY)
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == "gen_1"
    assert verify(SECRET, got.headers, got.body)["type"] == "generation.created"
    assert Webhook(SECRET).verify(got.body, dict(got.headers))["type"] == "generation.created"


def answering(*statuses: int) -> Iterator[int]:
    yield from statuses
    while True:
        yield 200


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_what_is_refused_is_sent_again_with_the_same_id_and_a_time_of_its_own(status: int) -> None:
    statuses, times = answering(status, status), iter([NOW, NOW + 60, NOW + 120])
    with (
        listening(lambda _: Answered(next(statuses))) as receiver,
        Sender(receiver.url, SECRET, at_once(0, 0), clock=lambda: next(times)) as sender,
    ):
        sender.tell(EVENT)
        got = [receiver.next() for _ in range(3)]
    assert {one.headers["webhook-id"] for one in got} == {"gen_1"}
    assert [one.headers["webhook-timestamp"] for one in got] == [str(NOW), str(NOW + 60), str(NOW + 120)]
    assert len({one.headers["webhook-signature"] for one in got}) == 3
    assert receiver.received.empty()


def refusing_the_first(got: Received) -> Answered:
    return Answered(500 if got.headers["webhook-id"] == "gen_1" else 200)


def test_after_its_last_try_an_event_is_given_up_and_the_next_one_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    with listening(refusing_the_first) as receiver, Sender(receiver.url, SECRET, at_once(0)) as sender:
        sender.tell(EVENT)
        assert [receiver.next().headers["webhook-id"] for _ in range(2)] == ["gen_1", "gen_1"]
        sender.tell(Event("gen_2", "generation.created", "", {}))
        assert receiver.next().headers["webhook-id"] == "gen_2"
    assert "gen_1 did not reach 127.0.0.1 (500), try 2, 0 left" in caplog.text


def test_an_event_that_waits_for_its_next_try_holds_no_other_up() -> None:
    with listening(refusing_the_first) as receiver, Sender(receiver.url, SECRET, at_once(3600)) as sender:
        sender.tell(EVENT)
        assert receiver.next().headers["webhook-id"] == "gen_1"
        sender.tell(Event("gen_2", "generation.created", "", {}))
        assert receiver.next().headers["webhook-id"] == "gen_2"
    assert receiver.received.empty()


def test_no_redirect_is_followed() -> None:
    with listening() as elsewhere:
        moved = Answered(307, headers={"Location": elsewhere.url})
        with listening(lambda _: moved) as receiver, Sender(receiver.url, SECRET, at_once()) as sender:
            sender.tell(EVENT)
            receiver.next()
    assert elsewhere.received.empty()


def test_who_is_gone_is_told_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    with listening(lambda _: Answered(410)) as receiver:
        told = threading.Event()

        def look(record: logging.LogRecord) -> bool:
            if "no more" in record.getMessage():
                told.set()
            return True

        caplog.handler.addFilter(look)
        with Sender(receiver.url, SECRET, at_once(0, 0)) as sender:
            sender.tell(EVENT)
            assert told.wait(SECONDS)
            sender.tell(Event("gen_2", "generation.created", "", {}))
        caplog.handler.removeFilter(look)
        assert receiver.next().headers["webhook-id"] == "gen_1"
        assert receiver.received.empty()


def test_nobody_waits_for_a_receiver_that_hangs_and_the_oldest_events_give_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()

    def hang(got: Received) -> Answered:
        release.wait(SECONDS)
        return Answered()

    with listening(hang) as receiver, Sender(receiver.url, SECRET, at_once(most=2)) as sender:
        sender.tell(EVENT)
        receiver.next()
        # All of these return while the first one hangs.
        for number in range(2, 7):
            sender.tell(Event(f"gen_{number}", "generation.created", "", {}))
        release.set()
        assert [receiver.next().headers["webhook-id"] for _ in range(2)] == ["gen_5", "gen_6"]
    assert receiver.received.empty()
    assert "gen_2 was given up: too many webhook events wait for 127.0.0.1" in caplog.text


def test_failures_are_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with listening() as receiver:
        closed = receiver.url.replace("http://", "http://user:password@")
    with Sender(f"{closed}/key-in-path?token=1", SECRET, at_once(0)) as sender:
        sender.tell(EVENT)
    assert "gen_1 did not reach 127.0.0.1 (ConnectError), try 1, 1 left" in caplog.text
    for secret in ("password", "key-in-path", "token", SECRET, SECRET.removeprefix("whsec_")):
        assert secret not in caplog.text


def test_what_waits_when_the_server_stops_is_sent_once_and_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with listening(lambda _: Answered(503)) as receiver:
        with Sender(receiver.url, SECRET, at_once(3600, 3600)) as sender:
            for number in range(1, 4):
                sender.tell(Event(f"gen_{number}", "generation.created", "", {}))
        assert [receiver.next().headers["webhook-id"] for _ in range(3)] == ["gen_1", "gen_2", "gen_3"]
        assert receiver.received.empty()
    assert "3 webhook events for 127.0.0.1 were given up with the server" in caplog.text


def test_the_receiver_says_how_long_to_wait_up_to_a_limit() -> None:
    """A pause of nothing would be tried again at once; an hour, asked for, is not."""
    asked: list[str] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers["webhook-id"])
        return httpx2.Response(429, headers={"Retry-After": "3600"})

    with Sender("http://example.org/", SECRET, at_once(0, 0), httpx2.MockTransport(respond)) as sender:
        sender.tell(EVENT)
    assert asked == ["gen_1"]


# ---- what is told --------------------------------------------------------------------------------------------------


MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_each_generation_that_is_taken_up_is_told_and_none_that_was_known(tmp_path: Path) -> None:
    library, sources = tmp_path / "library", write_files(tmp_path / "sources", {"a.txt": "One boat lies here."})
    sync(library, HashingEmbedder(), [sources])
    store, told = LocalStore(library, HashingEmbedder()), list[Event]()
    watch = GenerationWatch(store, told.append, lambda: MOMENT)
    watch.look()
    assert told == []
    write_files(sources, {"a.txt": "Two boats lie here.", "b.txt": "The secret word is heron."})
    sync(library, HashingEmbedder(), [sources])
    (sources / "a.txt").unlink()
    sync(library, HashingEmbedder(), [sources])
    change.rollback(library, 1)
    watch.look()
    assert told == []
    store.refresh()
    watch.look()
    watch.look()
    generations = {g.number: g for g in store.library.generations()}
    store.close()
    assert [event.data["generation"] for event in told] == [2, 3, 4]
    assert told[0].data == {
        "generation": 2, "created_at": generations[2].created_at, "documents": 2, "passages": 2,
        "changes": dict(generations[2].summary),
    }  # fmt: skip
    assert told[0].data["changes"] == {"added": 1, "changed": 1, "removed": 0, "failed": 0}
    assert told[1].data["changes"] == {"added": 0, "changed": 0, "removed": 1, "failed": 0}
    assert told[2].data["changes"] == {"rolled_back_to": 1, "from": 3}
    assert {(event.type, event.timestamp) for event in told} == {("generation.created", "2026-01-31T12:00:00.000Z")}
    assert not any(b"heron" in event.body() or b"b.txt" in event.body() for event in told)


def test_two_servers_of_one_library_tell_the_same_event(tmp_path: Path) -> None:
    sources = write_files(tmp_path / "sources", {"a.txt": "One boat lies here."})
    stores, watches, told = [], [], list[Event]()
    for name in ("one", "two"):
        sync(tmp_path / name, HashingEmbedder(), [write_files(tmp_path / "first", {"first.txt": "No boat lies here."})])
    for name in ("one", "one", "two"):
        stores.append(LocalStore(tmp_path / name, HashingEmbedder()))
        watches.append(GenerationWatch(stores[-1], told.append))
    for name in ("one", "two"):
        sync(tmp_path / name, HashingEmbedder(), [sources])
    for store, watch in zip(stores, watches, strict=True):
        store.refresh()
        watch.look()
        store.close()
    assert told[0].id == told[1].id
    assert told[0].id != told[2].id


def test_a_generation_that_is_kept_aside_is_not_told(tmp_path: Path) -> None:
    library, sources = tmp_path / "library", write_files(tmp_path / "sources", {"a.txt": "One boat lies here."})
    sync(library, HashingEmbedder(), [sources])
    store, told = LocalStore(library, HashingEmbedder()), list[Event]()
    watch = GenerationWatch(store, told.append)
    write_files(sources, {"b.txt": "Two boats lie here."})
    assert sync(library, HashingEmbedder(), [sources], check=lambda _: Check(False, "no")).aside == 2
    store.refresh()
    watch.look()
    store.close()
    assert told == []


def test_a_server_tells_what_it_took_in_itself_and_what_others_did(tmp_path: Path, embedder: Embedder) -> None:
    library, sources = tmp_path / "library", write_files(tmp_path / "sources", {"a.txt": "One boat lies here."})
    sync(library, embedder, [sources])
    with listening() as receiver:
        settings = Settings(
            library=library, refresh_seconds=0.05, webhook_url=SecretStr(f"{receiver.url}/hook"),
            webhook_secret=SecretStr(SECRET),
        )  # fmt: skip
        runtime = open_runtime(settings, embedder)
        with TestClient(create_app(runtime), base_url="http://localhost") as client:
            client.post("/v1/documents", json={"name": "b.txt", "text": "Two boats lie here."}).raise_for_status()
            first = told_by(receiver)
            write_files(sources, {"c.txt": "Three boats lie here."})
            sync(library, embedder, [sources])
            second = told_by(receiver)
            listed = client.get("/v1/generations").json()["data"]
        runtime.close()
    assert (first["generation"], first["documents"], second["generation"], second["documents"]) == (2, 2, 3, 3)
    assert [first["changes"], second["changes"]] == [listed[1]["changes"], listed[0]["changes"]]


def told_by(receiver: Listener) -> dict[str, object]:
    got = receiver.next()
    data = verify(SECRET, got.headers, got.body)["data"]
    assert isinstance(data, dict)
    assert json.loads(got.body)["data"] == data
    return data

"""The gate: so many questions at once, so many waiting, and the rest are told to come back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.gate import Gate, Overloaded
from api.wiring import Runtime
from index.store import PassageStore
from qa.service import Asked, Watch
from qa.types import Question
from tests.waiting import until

SECONDS = 30.0


class Held:
    """A service that answers only when it is let go, always the same."""

    reader = "held:1"
    configuration = "0" * 16

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.let_go = threading.Event()
        self.at_work = 0
        self.most_at_work = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go, so that a test that fails does not wait for what it holds."""
        self.let_go.set()

    def ask(self, question: Question, store: PassageStore, watch: Watch) -> Asked:
        with self._lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        assert self.let_go.wait(SECONDS)
        with self._lock:
            self.at_work -= 1
        return self._asked


@pytest.fixture
def held(runtime: Runtime) -> tuple[Held, Runtime]:
    """Return a service that waits, and a runtime with it behind a gate as wide as the settings say."""
    service = Held(runtime.service.ask(Question("Who said it?"), runtime.store.current()))
    return service, replace(runtime, service=service, gate=Gate(2, 64))  # type: ignore[arg-type]


def test_at_most_so_many_work_at_once_and_none_is_lost(held: tuple[Held, Runtime]) -> None:
    service, runtime = held
    with TestClient(create_app(runtime), base_url="http://localhost") as client, ThreadPoolExecutor(6) as pool, service:
        replies = [pool.submit(client.post, "/v1/ask", json={"question": "Who said it?"}) for _ in range(6)]
        until(lambda: service.at_work == 2)
        service.let_go.set()
        assert [reply.result().status_code for reply in replies] == [200] * 6
    assert service.most_at_work == 2


def test_under_overload_questions_are_refused_and_all_else_is_answered(held: tuple[Held, Runtime]) -> None:
    """More questions wait than a server has threads by default: neither the refusal nor the rest may wait for them."""
    service, runtime = held
    with (
        TestClient(create_app(runtime), base_url="http://localhost") as client,
        ThreadPoolExecutor(80) as pool,
        service,
    ):
        asked = [pool.submit(client.post, "/v1/ask", json={"question": "Who said it?"}) for _ in range(80)]
        refused = done(asked, count=80 - 66)
        assert {reply.status_code for reply in refused} == {503}
        assert refused[0].headers["content-type"] == "application/problem+json"
        assert refused[0].json()["type"] == "urn:citespan:problem:overloaded"
        assert int(refused[0].headers["retry-after"]) > 0
        for path in ("/healthz", "/readyz", "/v1/documents", "/", "/static/app.js"):
            assert client.get(path).status_code == 200, path
        assert client.post("/v1/search", json={"query": "rare earths"}).status_code == 503
        service.let_go.set()
        assert [reply.result().status_code for reply in asked].count(200) == 66
        assert client.post("/v1/ask", json={"question": "Who said it?"}).status_code == 200


def done(asked: list[Any], count: int) -> list[Any]:
    """Return the replies there are, once there are so many."""
    until(lambda: sum(reply.done() for reply in asked) >= count)
    return [reply.result() for reply in asked if reply.done()]


def test_a_place_is_free_again_after_a_failure() -> None:
    gate = Gate(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), gate.turn():
            raise KeyError
    with gate.turn(), pytest.raises(Overloaded), gate.turn():
        pass
    with gate.turn():
        pass


def test_waiting_in_line_and_then_it_is_ones_turn() -> None:
    gate = Gate(1, 1)
    order: list[str] = []
    release = threading.Event()
    inside = threading.Event()

    def first() -> None:
        with gate.turn():
            inside.set()
            release.wait(SECONDS)
            order.append("first")

    def second() -> None:
        with gate.turn():
            order.append("second")

    threads = [threading.Thread(target=work) for work in (first, second)]
    threads[0].start()
    assert inside.wait(SECONDS)
    threads[1].start()
    release.set()
    for thread in threads:
        thread.join(SECONDS)
    assert order == ["first", "second"]

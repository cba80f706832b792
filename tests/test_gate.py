"""The gate: so many questions at once, so many waiting, and the rest are told to come back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.gate import Abandoned, Gate, Overloaded
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


class Line:
    """Callers of a gate in threads of their own; they note the order in which they had their turns."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._threads: list[threading.Thread] = []
        self.order: list[str] = []
        self.gone: list[str] = []
        self.let_go = threading.Event()
        self.unwanted: set[str] = set()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def come(self, name: str, *, first: bool = False) -> None:
        """Have a caller line up, or be the `first` and hold the turn; return once he stands where he should."""

        def work() -> None:
            try:
                with self._gate.turn(lambda: name not in self.unwanted):
                    self.order.append(name)
                    assert self.let_go.wait(SECONDS)
            except Abandoned:
                self.gone.append(name)

        waiting = self._gate.waiting
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()
        until(lambda: self.order == [name] if first else self._gate.waiting == waiting + 1)


def test_turns_go_round_in_the_order_of_coming() -> None:
    with Line(Gate(1, 10)) as line:
        line.come("a", first=True)
        for name in "bcdefg":
            line.come(name)
        line.let_go.set()
        until(lambda: len(line.order) == 7)
    assert line.order == list("abcdefg")


def test_who_is_not_wanted_any_more_leaves_the_line_to_the_others() -> None:
    gate = Gate(1, 2)
    with Line(gate) as line:
        line.come("a", first=True)
        line.come("b")
        line.come("c")
        with pytest.raises(Overloaded), gate.turn():
            pass
        line.unwanted.add("b")
        until(lambda: line.gone == ["b"])
        line.come("d")
    assert line.order == ["a", "c", "d"]


def test_a_turn_that_comes_too_late_goes_on_to_the_next() -> None:
    gate = Gate(1, 5)
    with pytest.raises(Abandoned), gate.turn(lambda: False):
        raise AssertionError
    with gate.turn():
        pass


def test_whoever_is_refused_is_told_when_half_of_the_line_is_done() -> None:
    gate = Gate(2, 38)
    held = [gate.turn() for _ in range(2)]
    for turn in held:
        turn.__enter__()
    line = Line(gate)
    with line:
        for number in range(38):
            line.come(str(number))
        with pytest.raises(Overloaded) as refused, gate.turn():
            pass
        for turn in held:
            turn.__exit__(None, None, None)
    # Half a second a turn is assumed until some have ended: 20 of 40 callers, two at once.
    assert refused.value.seconds == 5

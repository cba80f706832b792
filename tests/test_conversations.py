"""Conversations: they go on, they are kept apart, and they are forgotten."""

import pytest
from fastapi.testclient import TestClient

from api.conversations import Conversations
from index.errors import UnknownConversation
from qa.types import Turn

FIRST = "Will Chinese state companies still sign new rare earth contracts with Japanese firms?"
SECOND = "And the existing ones?"
DAY = 24 * 3600.0


def turn(question: str) -> Turn:
    return Turn(question, question, (), None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_follow_up_is_understood_from_what_was_said_before(client: TestClient) -> None:
    alone = client.post("/v1/ask", json={"question": SECOND}).json()
    assert alone["standalone_question"] == SECOND
    first = client.post("/v1/ask", json={"question": FIRST}).json()
    # At any risk: whether it is sure enough is another matter.
    again = {"question": SECOND, "conversation_id": first["conversation_id"], "risk": 1}
    second = client.post("/v1/ask", json=again).json()
    assert second["conversation_id"] == first["conversation_id"]
    assert second["question"] == SECOND
    assert second["standalone_question"] != SECOND
    assert "contracts" in second["standalone_question"]
    assert "contracts" in second["answer"]


def test_a_question_that_stands_alone_stays_as_it_is_in_a_conversation(client: TestClient) -> None:
    question = "Which Chinese exports to Japan has the Ministry of Commerce banned?"
    first = client.post("/v1/ask", json={"question": FIRST}).json()
    second = client.post("/v1/ask", json={"question": question, "conversation_id": first["conversation_id"]}).json()
    assert second["standalone_question"] == question


def test_an_unknown_conversation_is_not_found_and_not_started(client: TestClient) -> None:
    for name in ("nobody-was-given-this", "", "\u0000"):
        response = client.post("/v1/ask", json={"question": FIRST, "conversation_id": name})
        assert (response.status_code, response.json()["type"]) == (404, "urn:citespan:problem:unknown-conversation")
        assert "leave conversation_id out" in response.json()["detail"]


def test_a_refused_question_is_not_part_of_the_conversation(client: TestClient) -> None:
    first = client.post("/v1/ask", json={"question": FIRST}).json()
    same = {"conversation_id": first["conversation_id"]}
    assert client.post("/v1/ask", json={"question": " ", **same}).status_code == 422
    second = client.post("/v1/ask", json={"question": SECOND, **same}).json()
    assert "contracts" in second["standalone_question"]


def test_conversations_are_kept_apart() -> None:
    held = Conversations()
    one, other = held.add(None, turn("a")), held.add(None, turn("b"))
    assert one != other
    assert held.add(one, turn("c")) == one
    assert [t.question for t in held.turns(one)] == ["a", "c"]
    assert [t.question for t in held.turns(other)] == ["b"]
    assert held.turns(None) == ()


def test_names_of_conversations_cannot_be_guessed() -> None:
    held = Conversations()
    names = {held.add(None, turn("a")) for _ in range(100)}
    assert len(names) == 100
    assert min(len(name) for name in names) >= 20


def test_a_conversation_is_forgotten_a_day_after_its_last_turn() -> None:
    clock = Clock()
    held = Conversations(clock)
    name = held.add(None, turn("a"))
    clock.now += DAY - 1
    held.add(name, turn("b"))
    clock.now += DAY - 1
    assert len(held.turns(name)) == 2
    clock.now += 2
    with pytest.raises(UnknownConversation, match="leave conversation_id out"):
        held.turns(name)


def test_what_is_forgotten_is_not_kept_in_memory() -> None:
    clock = Clock()
    held = Conversations(clock)
    old = [held.add(None, turn("secret")) for _ in range(3)]
    clock.now += DAY + 1
    new = held.add(None, turn("a"))
    clock.now -= DAY
    for name in old:
        with pytest.raises(UnknownConversation):
            held.turns(name)
    assert len(held.turns(new)) == 1


def test_only_the_latest_turns_and_conversations_are_kept() -> None:
    held = Conversations()
    name = held.add(None, turn("0"))
    for number in range(1, 60):
        held.add(name, turn(str(number)))
    assert [t.question for t in held.turns(name)] == [str(number) for number in range(10, 60)]
    others = [held.add(None, turn("x")) for _ in range(1000)]
    with pytest.raises(UnknownConversation):
        held.turns(name)
    assert len(held.turns(others[0])) == 1

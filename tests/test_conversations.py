"""Conversations: they go on, they are kept apart, and they are forgotten."""

from pathlib import Path

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


def test_conversations_are_kept_apart(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    one, other = held.add(None, turn("a")), held.add(None, turn("b"))
    assert one != other
    assert held.add(one, turn("c")) == one
    assert [t.question for t in held.turns(one)] == ["a", "c"]
    assert [t.question for t in held.turns(other)] == ["b"]
    assert held.turns(None) == ()


def test_names_of_conversations_cannot_be_guessed(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    names = {held.add(None, turn("a")) for _ in range(100)}
    assert len(names) == 100
    assert min(len(name) for name in names) >= 20


def test_a_conversation_is_forgotten_a_day_after_its_last_turn(tmp_path: Path) -> None:
    clock = Clock()
    held = Conversations(tmp_path, clock)
    name = held.add(None, turn("a"))
    clock.now += DAY - 1
    held.add(name, turn("b"))
    clock.now += DAY - 1
    assert len(held.turns(name)) == 2
    clock.now += 2
    with pytest.raises(UnknownConversation, match="leave conversation_id out"):
        held.turns(name)


def test_what_is_forgotten_is_not_kept_in_memory(tmp_path: Path) -> None:
    clock = Clock()
    held = Conversations(tmp_path, clock)
    old = [held.add(None, turn("secret")) for _ in range(3)]
    clock.now += DAY + 1
    new = held.add(None, turn("a"))
    clock.now -= DAY
    for name in old:
        with pytest.raises(UnknownConversation):
            held.turns(name)
    assert len(held.turns(new)) == 1


def test_only_the_latest_turns_and_conversations_are_kept(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    name = held.add(None, turn("0"))
    for number in range(1, 60):
        held.add(name, turn(str(number)))
    assert [t.question for t in held.turns(name)] == [str(number) for number in range(10, 60)]
    others = [held.add(None, turn("x")) for _ in range(1000)]
    with pytest.raises(UnknownConversation):
        held.turns(name)
    assert len(held.turns(others[0])) == 1


# ---- kept on the disk -----------------------------------------------------------------------------------------------


SECRET = "The vault opens at seven."


def quoting(question: str, *documents: str) -> Turn:
    return Turn(question, question, (SECRET,), "seven", documents)


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith("conversations"))


def test_a_conversation_outlives_a_restart(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    name = held.add(None, quoting("a", "doc_1", "doc_2"))
    held.close()
    again = Conversations(tmp_path)
    assert again.turns(name) == (quoting("a", "doc_1", "doc_2"),)
    assert again.add(name, turn("b")) == name
    assert [t.question for t in again.turns(name)] == ["a", "b"]


def test_nothing_is_made_before_the_first_turn(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    held.forget(["doc_1"])
    with pytest.raises(UnknownConversation):
        held.turns("nobody")
    assert list(tmp_path.iterdir()) == []


def test_what_quotes_a_purged_document_is_gone_from_the_disk(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    one, other = held.add(None, quoting("a", "doc_1")), held.add(None, turn("b"))
    assert SECRET.encode() in stored(tmp_path)
    held.forget(["doc_1", "doc_9"])
    assert SECRET.encode() not in stored(tmp_path)
    assert len(held.turns(other)) == 1
    with pytest.raises(UnknownConversation):
        held.turns(one)


def test_an_answer_that_quotes_what_was_purged_meanwhile_is_not_kept(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    name = held.add(None, turn("a"))
    mark = held.mark()
    held.forget(["doc_1"])
    assert held.add(name, quoting("b", "doc_1"), mark) == name
    with pytest.raises(UnknownConversation):
        held.turns(name)
    assert SECRET.encode() not in stored(tmp_path)


def test_a_deleted_conversation_leaves_nothing_and_is_not_revived_by_an_answer_under_way(tmp_path: Path) -> None:
    held = Conversations(tmp_path)
    name = held.add(None, quoting("a", "doc_1"))
    held.delete(name)
    assert SECRET.encode() not in stored(tmp_path)
    held.add(name, turn("b"))
    for look in (held.turns, held.delete):
        with pytest.raises(UnknownConversation):
            look(name)


@pytest.mark.parametrize("damage", [b"not a database, but long enough to be taken for one" * 100, b""])
def test_a_damaged_file_is_started_anew(tmp_path: Path, damage: bytes) -> None:
    held = Conversations(tmp_path)
    name = held.add(None, turn("a"))
    held.close()
    (tmp_path / "conversations.sqlite").write_bytes(damage)
    again = Conversations(tmp_path)
    with pytest.raises(UnknownConversation):
        again.turns(name)
    assert len(again.turns(again.add(None, turn("b")))) == 1


def test_two_servers_of_one_library_share_conversations(tmp_path: Path) -> None:
    one, other = Conversations(tmp_path), Conversations(tmp_path)
    name = one.add(None, turn("a"))
    other.add(name, turn("b"))
    assert [t.question for t in one.turns(name)] == ["a", "b"]


# ---- over HTTP ------------------------------------------------------------------------------------------------------


def test_a_conversation_can_be_looked_at_and_deleted(client: TestClient) -> None:
    first = client.post("/v1/ask", json={"question": FIRST}).json()
    address = f"/v1/conversations/{first['conversation_id']}"
    held = client.get(address).json()
    assert (held["object"], held["id"]) == ("conversation", first["conversation_id"])
    assert held["turns"] == [
        {
            "question": FIRST,
            "standalone_question": FIRST,
            "answerable": first["answerable"],
            "short_answer": first["short_answer"],
            "quotes": [one["quote"] for one in first["citations"]],
            "document_ids": [one["document_id"] for one in first["citations"]],
        }
    ]
    assert held["expires_at"].endswith("Z")
    assert (client.delete(address).status_code, client.get(address).status_code) == (204, 404)
    assert client.delete(address).json()["type"] == "urn:citespan:problem:unknown-conversation"


def test_a_client_may_keep_the_conversation_itself(client: TestClient) -> None:
    turns = [{"question": FIRST, "answer": "They will sign none."}, {"question": "Who says so?", "answer": None}]
    reply = client.post("/v1/ask", json={"question": SECOND, "conversation": turns, "risk": 1}).json()
    assert "contracts" in reply["standalone_question"]
    assert reply["conversation_id"] == ""
    alone = client.post("/v1/ask", json={"question": SECOND, "conversation": []}).json()
    assert (alone["standalone_question"], alone["conversation_id"]) == (SECOND, "")


@pytest.mark.parametrize(
    "conversation",
    [
        [{"question": 3}],
        [{"answer": "yes"}],
        [{"question": "q", "role": "user"}],
        "what I said before",
        [{"question": "q"}] * 1_001,
        [{"question": "q" * 2_001}],
        [{"question": "q", "answer": "a" * 20_001}],
    ],
)
def test_a_conversation_that_is_none_is_refused(client: TestClient, conversation: object) -> None:
    response = client.post("/v1/ask", json={"question": SECOND, "conversation": conversation})
    assert (response.status_code, response.json()["type"]) == (422, "urn:citespan:problem:invalid-request")
    assert "conversation" in response.json()["detail"]


def test_a_conversation_of_a_thousand_turns_is_taken(client: TestClient) -> None:
    turns = [{"question": f"What is number {n}?", "answer": "A number."} for n in range(999)]
    turns.append({"question": FIRST, "answer": "None."})
    reply = client.post("/v1/ask", json={"question": SECOND, "conversation": turns, "risk": 1}).json()
    assert "contracts" in reply["standalone_question"]


def test_one_conversation_at_a_time(client: TestClient) -> None:
    both = {"question": SECOND, "conversation": [], "conversation_id": "x"}
    response = client.post("/v1/ask", json=both)
    assert response.status_code == 422
    assert "either conversation_id or conversation" in response.json()["detail"]

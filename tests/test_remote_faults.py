"""An engine that fails: retried, spared, told of, and taken up again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api import cli
from api.app import create_app
from api.settings import Settings
from api.wiring import open_engine, open_runtime
from index.embed import Embedder
from index.errors import StoreError, StoreUnavailable
from index.library import Library
from index.remote.address import Address
from index.remote.circuit import Circuit
from index.remote.engine import Engine
from index.remote.forward import bring_forward
from index.remote.patience import Patience
from index.sync import sync
from tests.engine_server import EngineServer, Fault, served
from tests.engines import AT_ONCE, QUIET, assert_alike, in_memory
from tests.fakes import HashingEmbedder, write_files
from tests.test_cli import FIRST
from tests.test_remote_store import FILTERS, QUERIES, of_words
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings(QUIET)

EMBEDDER = HashingEmbedder()


@pytest.fixture
def server() -> Iterator[EngineServer]:
    with served() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(30):
        write_files(tmp_path / "files", of_words(number, ["high", "low", "of the moon", "high high"][number % 4]))
    sync(tmp_path / "library", EMBEDDER, [tmp_path / "files"])
    return tmp_path / "library"


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def connected(server: EngineServer, *, clock: Clock | None = None, options: str = "") -> Engine:
    """Return an engine that waits for nothing between two tries, and notes nothing of time but by the clock."""
    reached = Engine.connect(Address.parse(server.url(options=options)))
    circuit = Circuit() if clock is None else Circuit(clock)
    return Engine(reached._client, reached.address, circuit=circuit, patience=AT_ONCE)


def forward(folder: Path, engine: Engine) -> tuple[int, int, int]:
    library = Library(folder)
    try:
        done = bring_forward(library, engine)
        return done.sent, done.changed, done.deleted
    finally:
        library.close()


# ---- retries ---------------------------------------------------------------------------------------------------------


def test_over_http_the_answers_are_the_same(folder: Path, server: EngineServer) -> None:
    assert_alike(folder, connected(server), QUERIES, FILTERS)


@pytest.mark.parametrize("fault", ["busy", "broken", "dropped", "half", "late"])
def test_a_load_through_an_engine_that_fails_every_other_time_is_whole(
    folder: Path, server: EngineServer, fault: Fault
) -> None:
    server.released.set()  # what is late is done, and its answer never comes
    server.faults = deque(islice(cycle([fault, None]), 200))
    engine = connected(server)
    assert forward(folder, engine) == (30, 0, 0)
    assert engine.circuit.is_closed
    server.faults.clear()
    assert_alike(folder, connected(server), QUERIES, FILTERS)
    assert len(server.client.get_collections().collections) == 1


def test_an_engine_that_is_too_slow_is_not_waited_for_longer_than_is_said(folder: Path, server: EngineServer) -> None:
    engine = connected(server, options="?timeout=1")
    forward(folder, engine)
    server.faults = deque(["late", None, "late", "late"])
    assert engine.aliases().keys() == {"news", "news.g1"}
    with pytest.raises(StoreUnavailable, match="ReadTimeout"):
        engine.aliases()


def test_points_that_arrived_before_it_failed_for_good_are_not_sent_again(folder: Path, server: EngineServer) -> None:
    engine = connected(server)

    def fails_at_the_end(done: int, total: int) -> None:
        assert (done, total) == (30, 30)
        until(lambda: server.points_sent == 30)
        server.always = "broken"

    library = Library(folder)
    with pytest.raises(StoreUnavailable, match=r"qdrant://127.0.0.1:\d+/news does not answer \(500\)"):
        bring_forward(library, engine, progress=fails_at_the_end)
    library.close()
    server.always = None
    assert forward(folder, connected(server)) == (0, 0, 0)
    assert server.points_sent == 30


def test_it_waits_longer_from_try_to_try_and_as_long_as_it_is_told(folder: Path, server: EngineServer) -> None:
    waited: list[float] = []
    engine = in_memory(connected(server)._client)
    engine = Engine(engine._client, engine.address, patience=Patience(searches=2, changes=6, sleep=waited.append))
    server.faults = deque(["busy", "broken", "broken", "broken", "broken"])
    engine.drop("none")
    assert len(waited) == 5
    assert 1.0 <= waited[0] <= 10.0
    assert all(0.0 <= seconds <= 0.1 * 2**tries for tries, seconds in enumerate(waited[1:], start=1))


def test_without_its_key_the_engine_refuses_and_no_key_is_told(folder: Path) -> None:
    with served(key="tell-nobody") as server:
        settings = Settings(library=folder, store=server.url(), store_key="a-wrong-one")  # type: ignore[arg-type]
        engine = open_engine(settings)
        with pytest.raises(StoreError, match=r"refuses \(401\); set store_key, or CITESPAN_STORE_KEY") as told:
            engine.aliases()
        assert "a-wrong-one" not in f"{told.value}{settings}"
        assert engine.circuit.is_closed
        engine.close()
        engine = open_engine(Settings(library=folder, store=server.url(), store_key="tell-nobody"))  # type: ignore[arg-type]
        assert engine.aliases() == {}
        engine.close()


def test_over_tls_a_key_is_sent_to_nobody_whose_certificate_is_not_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=engine", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    with served(key="tell-nobody", certificate=(cert, key)) as server:
        settings = Settings(library=folder, store=f"qdrants{server.url()[6:]}", store_key="tell-nobody")  # type: ignore[arg-type]
        engine = open_engine(settings)
        with pytest.raises(StoreUnavailable, match=r"qdrants://127.0.0.1:\d+/news does not answer \(ConnectError\)"):
            Engine(engine._client, engine.address, patience=AT_ONCE).aliases()
        assert server.asked == []
        engine.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        engine = open_engine(settings)
        assert forward(folder, engine) == (30, 0, 0)
        engine.close()


@pytest.mark.parametrize(
    "written",
    [
        "http://host/news", "qdrant://host", "qdrant://host/", "qdrant:///news", "qdrant://host/a/b",
        "qdrant://host/news?grpc=yes", "qdrant://host/news?timeout=0", "qdrant://host/news?colour=red",
        "qdrant://host:99999/news", "qdrant://me:secret@host/news", "qdrant://host/news?api_key=secret",
        "qdrant://host/news#secret", "qdrant://[::1/news",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(ValueError, match="store") as told:
        Address.parse(written)
    assert "secret" not in str(told.value)


def test_an_address_says_where_and_how() -> None:
    address = Address.parse("qdrants://search.example.org/news?grpc=6334&shards=6&replicas=2&on_disk=true&exact=true")
    assert (address.url, address.grpc, address.shards, address.replicas) == (
        "https://search.example.org:6333", 6334, 6, 2
    )  # fmt: skip
    assert (address.on_disk, address.exact, address.quantised) == (True, True, False)
    assert str(address) == "qdrants://search.example.org:6333/news"
    assert Address.parse("qdrant://[::1]/n").url == "http://[::1]:6333"


@pytest.mark.parametrize("options", ["", "?grpc=1"])
def test_where_nobody_listens_the_engine_is_unavailable(options: str) -> None:
    reached = Engine.connect(Address.parse(f"qdrant://127.0.0.1:1/news{options}"))
    engine = Engine(reached._client, reached.address, patience=AT_ONCE)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        engine.aliases()
    engine.close()


# ---- the circuit -----------------------------------------------------------------------------------------------------


def test_a_circuit_opens_after_failures_in_a_row_and_closes_when_one_call_succeeds() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(2):
        assert circuit.enter() is None
        circuit.failed()
    circuit.succeeded()
    for _ in range(3):
        assert circuit.enter() is None
        circuit.failed()
    assert circuit.enter() == 2
    clock.now += 1.5
    assert circuit.enter() == 1
    clock.now += 0.5
    assert circuit.enter() is None
    # While one is tried no other is.
    assert circuit.enter() == 1
    circuit.failed()
    assert circuit.enter() == 4
    clock.now += 4
    assert circuit.enter() is None
    circuit.succeeded()
    assert circuit.is_closed
    assert circuit.enter() is None


def test_an_open_circuit_never_stays_open_for_longer_than_half_a_minute() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(20):
        if (seconds := circuit.enter()) is not None:
            assert seconds <= 30
            clock.now += seconds
            assert circuit.enter() is None
        circuit.failed()
    assert circuit.enter() == 30


def test_an_engine_that_does_not_answer_is_not_asked_again_before_its_time(server: EngineServer) -> None:
    clock = Clock()
    engine = connected(server, clock=clock)
    server.always = "broken"
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"does not answer \(500\)"):
            engine.aliases()
    asked = len(server.asked)
    with pytest.raises(StoreUnavailable, match="did not answer lately") as told:
        engine.aliases()
    assert (told.value.seconds, len(server.asked)) == (2, asked)
    server.always = None
    clock.now += 2
    assert engine.aliases() == {}
    assert engine.circuit.is_closed


# ---- through the API -------------------------------------------------------------------------------------------------


@pytest.fixture
def own_library(seeds_library: Path, tmp_path: Path) -> Path:
    """Return a copy of the seeds' library that may be changed."""
    return Path(shutil.copytree(seeds_library, tmp_path / "own", ignore=shutil.ignore_patterns("*.lock")))


def test_while_the_engine_is_down_questions_get_503_and_answers_are_back_by_themselves(
    own_library: Path, server: EngineServer, embedder: Embedder
) -> None:
    settings = Settings(library=own_library, store=server.url(), refresh_seconds=0.05)
    runtime = open_runtime(settings, embedder)
    with TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False) as client:
        question = {"question": FIRST}
        before = client.post("/v1/ask", json=question).json()
        assert before["answerable"]
        assert client.get("/readyz").status_code == 200
        assert "citespan_store_answers 1.0" in client.get("/metrics").text

        server.always = "broken"
        until(lambda: client.get("/readyz").status_code == 503)
        down = client.post("/v1/ask", json=question)
        assert (down.status_code, down.headers["content-type"]) == (503, "application/problem+json")
        assert down.json()["type"] == "urn:citespan:problem:store-unavailable"
        assert 1 <= int(down.headers["Retry-After"]) <= 60
        assert int(client.get("/readyz").headers["Retry-After"]) >= 1
        assert "citespan_store_answers 0.0" in client.get("/metrics").text
        chat = client.post(
            "/v1/chat/completions", json={"model": "citespan", "messages": [{"role": "user", "content": FIRST}]}
        )
        assert chat.status_code == 503
        # What needs no engine goes on.
        assert client.get("/v1/documents").status_code == 200
        citation = before["citations"][0]
        assert client.post("/v1/verify", json=citation).json()["status"] == "verified"

        server.always = None
        until(lambda: client.get("/readyz").status_code == 200)
        after = client.post("/v1/ask", json=question).json()
        assert (after["answer"], after["citations"]) == (before["answer"], before["citations"])
    runtime.close()


def test_a_server_starts_while_the_engine_is_down_and_answers_when_it_is_back(
    own_library: Path, server: EngineServer, embedder: Embedder
) -> None:
    settings = Settings(library=own_library, store=server.url(), refresh_seconds=0.05)
    open_runtime(settings, embedder).close()
    server.always = "dropped"
    runtime = open_runtime(settings, embedder)
    with TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False) as client:
        assert client.post("/v1/ask", json={"question": FIRST}).status_code == 503
        assert client.get("/v1/documents").json()["data"]
        server.always = None
        until(lambda: client.post("/v1/ask", json={"question": FIRST}).status_code == 200)
    runtime.close()


def test_a_server_brings_the_engine_forward_and_purges_from_it(
    own_library: Path, server: EngineServer, embedder: Embedder
) -> None:
    runtime = open_runtime(Settings(library=own_library, store=server.url(), refresh_seconds=0.05), embedder)
    with TestClient(create_app(runtime), base_url="http://localhost") as client:
        document = client.post("/v1/ask", json={"question": FIRST}).json()["citations"][0]["document_id"]
        assert client.delete(f"/v1/documents/{document}", params={"purge": True}).status_code == 200
        until(lambda: runtime.store.current().generation.number == 2)
        found = client.post("/v1/ask", json={"question": FIRST}).json()
        assert document not in {citation["document_id"] for citation in found["citations"]}
        collection = {one.alias_name: one.collection_name for one in server.client.get_aliases().aliases}["news"]
        held = server.client.scroll(collection, limit=1_000, with_payload=["document"])[0]
        assert document not in {str((one.payload or {})["document"]) for one in held}
    runtime.close()


# ---- through the command line ----------------------------------------------------------------------------------------


def citespan(library: Path, *arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli.app, ["--library", str(library), *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, embedder: Embedder) -> None:
    """Have the commands use the embedder that is loaded already."""
    monkeypatch.setattr("api.wiring.open_embedder", lambda settings: embedder)


@pytest.mark.usefixtures("commands")
def test_the_commands_keep_the_engine_in_step_and_doctor_finds_what_nothing_uses(
    tmp_path: Path, server: EngineServer
) -> None:
    library, files, to = tmp_path / "library", tmp_path / "files", ("--store", server.url())
    write_files(files, {"ferry.md": "# The ferry\n\nThe ferry to Skerry Rock leaves at noon.\n"})
    assert citespan(library, "sync", *to, files)[0] == 0
    names = {one.alias_name: one.collection_name for one in server.client.get_aliases().aliases}
    assert names.keys() == {"news", "news.g1"}
    assert "at noon" in citespan(library, "ask", *to, "When does the ferry to Skerry Rock leave?")[1]

    write_files(files, {"keeper.md": "# The keeper\n\nThe keeper of Skerry Rock is Edda Holm.\n"})
    assert citespan(library, "sync", files)[0] == 0  # without the engine
    code, told, _ = citespan(library, "doctor", *to)
    assert (code, "stands at generation 1 and the library at 2" in told) == (1, True)
    assert citespan(library, *to, "rollback", "1")[0] == 0
    assert {one.alias_name for one in server.client.get_aliases().aliases} == {"news", "news.g3"}

    history = names["news"].split(".")[1]
    for left in (f"news.{history}.0badcafe.00000000", "news.elsewhere.0badcafe.00000000", "newspaper"):
        server.client.create_collection(left, {})
    code, told, _ = citespan(library, "doctor", *to)
    assert code == 1
    assert f"nothing uses news.{history}.0badcafe.00000000 any more" in told
    code, told, _ = citespan(library, "doctor", *to, "--drop-orphans")
    assert code == 0
    assert "1 collections dropped; not of this library: news.elsewhere.0badcafe.00000000" in told
    assert {one.name for one in server.client.get_collections().collections} == {
        names["news"], "news.elsewhere.0badcafe.00000000", "newspaper"
    }  # fmt: skip
    code, told, _ = citespan(library, "doctor", *to, "--json")
    assert (code, json.loads(told)[-1]["what"]) == (0, "store")


@pytest.mark.parametrize("part", ["qdrant_client", "tenacity"])
def test_without_the_extra_it_is_named(folder: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, part, None)
    with pytest.raises(StoreError, match=rf"{part} not installed; run `pip install 'citespan\[qdrant\]'`"):
        open_engine(Settings(library=folder, store="qdrant://host/news"))


def test_what_is_no_address_is_a_wrong_option(tmp_path: Path) -> None:
    code, _, error = citespan(tmp_path, "sync", "--store", "http://secret@host/news", tmp_path)
    assert (code, "secret" in error) == (2, False)
    assert "a store" in error


@pytest.mark.usefixtures("commands")
def test_a_sync_lands_though_the_engine_is_down_and_says_so(tmp_path: Path, server: EngineServer) -> None:
    library, files = tmp_path / "library", tmp_path / "files"
    write_files(files, {"ferry.md": "# The ferry\n\nThe ferry to Skerry Rock leaves at noon.\n"})
    server.always = "broken"
    code, told, error = citespan(library, "sync", "--store", server.url(), "--json", files)
    assert (code, json.loads(told)["generation"]) == (1, 1)
    assert "does not answer (500); the library has changed, and the next sync, or a server, goes on" in error
    server.always = None
    assert citespan(library, "sync", "--store", server.url(), files)[0] == 0
    assert {one.alias_name for one in server.client.get_aliases().aliases} == {"news", "news.g1"}

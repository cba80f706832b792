"""A real server: it starts, answers, takes up what others commit, and stops."""

import http.client
import json
import signal
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from api import cli, server
from api.wiring import Refresher
from index.embed import Embedder
from index.store import TextStore
from index.sync import sync
from tests.serving import serving
from tests.waiting import until

SECONDS = 60.0


def call(base: str, path: str, body: Any = None) -> Any:
    """Return what a server answers, as JSON."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        assert response.status == 200, response.status
        return json.loads(response.read())
    finally:
        connection.close()


def test_a_server_syncs_answers_takes_up_what_others_commit_and_stops_at_ctrl_c(
    tmp_path: Path, embedder: Embedder
) -> None:
    sources, here, library = tmp_path / "sources", tmp_path / "here", tmp_path / "library"
    sources.mkdir()
    (sources / "keeper.md").write_text(
        "# The lighthouse\n\nThe keeper of the lighthouse on Skerry Rock is Edda Holm.\n"
    )
    # A foreign package of our name in the working directory is none of ours.
    (here / "api").mkdir(parents=True)
    (here / "api" / "__init__.py").write_text("raise SystemExit('this is not citespan')\n")
    question = {"question": "Who is the keeper of the lighthouse on Skerry Rock?"}

    with serving(library, str(sources), stop=signal.SIGINT, cwd=here) as base:
        assert urlsplit(base).hostname == "127.0.0.1"
        assert call(base, "/readyz") == {"status": "ok", "generation": 1, "documents": 1}
        assert "Edda Holm" in call(base, "/v1/ask", question)["answer"]

        (sources / "keeper.md").write_text(
            "# The lighthouse\n\nThe keeper of the lighthouse on Skerry Rock is Nils Berg.\n"
        )
        (sources / "boats.md").write_text("# Boats\n\nThe ferry leaves at noon.\n")
        assert sync(library, embedder, [sources]).generation == 2
        until(lambda: bool(call(base, "/readyz")["generation"] == 2))
        reply = call(base, "/v1/ask", question)
        assert (reply["generation"], reply["citations"][0]["document_id"]) == (2, sole_id(base, "keeper.md"))
        assert "Nils Berg" in reply["answer"]
        assert "Edda Holm" not in reply["answer"]


def sole_id(base: str, uri: str) -> str:
    (identity,) = [d["id"] for d in call(base, "/v1/documents")["data"] if d["uri"] == uri]
    return str(identity)


# ---- before anything is loaded -------------------------------------------------------------------------------------


@pytest.fixture
def nothing_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(settings: object) -> Embedder:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("api.wiring.open_embedder", load)


@pytest.mark.usefixtures("nothing_loads")
def test_a_taken_port_is_told_before_any_work_is_done(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(cli.app, ["--library", str(tmp_path), "serve", "--port", str(port), str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == (
        f"citespan: port {port} on 127.0.0.1 is in use; stop what uses it, or pass --port 0 for a free one\n"
    )


def test_a_server_that_is_still_loading_has_its_port_already() -> None:
    with server.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(server.PortTaken, match=f"port {port}"):
            server.listen("127.0.0.1", port)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    for host in ("192.0.2.1", "nowhere.invalid"):
        with pytest.raises(server.PortTaken, match=host):
            server.listen(host, 0)


@pytest.mark.usefixtures("nothing_loads")
def test_without_a_library_serve_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["--library", str(tmp_path / "none"), "serve", "--port", "0"])
    assert result.exit_code == 1
    assert "sync PATH" in result.stderr
    assert "serving on" not in result.stdout


def test_ctrl_c_while_models_load_ends_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(settings: object) -> Embedder:
        raise KeyboardInterrupt

    monkeypatch.setattr("api.wiring.open_embedder", interrupted)
    arguments = ["--library", str(tmp_path / "library"), "serve", "--port", "0", str(tmp_path)]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_an_address_of_version_six_is_written_in_brackets() -> None:
    class Bound(socket.socket):
        def getsockname(self) -> tuple[str, int, int, int]:
            return ("::1", 8000, 0, 0)

    with Bound() as bound:
        assert server.address(bound) == "http://[::1]:8000"


# ---- keeping up ----------------------------------------------------------------------------------------------------


class Trouble:
    """A store that cannot be refreshed at first, and says when it was asked."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors = errors
        self.recovered = threading.Event()

    def refresh(self) -> bool:
        if self.errors:
            raise self.errors.pop()
        self.recovered.set()
        return False

    def current(self) -> TextStore:
        raise NotImplementedError


def test_trouble_with_the_library_passes_and_the_server_keeps_up_again(caplog: pytest.LogCaptureFixture) -> None:
    store = Trouble([OSError("stale file handle"), RuntimeError("index is being merged"), ValueError("bad segment")])
    with Refresher(store, 0.01):
        assert store.recovered.wait(SECONDS)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert "stale file handle" in caplog.text


def test_nothing_is_refreshed_after_the_end() -> None:
    store = Trouble([])
    with Refresher(store, 0.01):
        assert store.recovered.wait(SECONDS)
    store.recovered.clear()
    assert not store.recovered.wait(0.1)

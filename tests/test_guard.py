"""Before every route: how often somebody may call, what is put on record, and where a server may listen."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from api import cli, server
from api.access import Role
from api.app import create_app
from api.audit import FILE_NAME, Audit
from api.guard import Guard
from api.keys import FILE_NAME as KEYS
from api.keys import Keys
from api.limits import RateLimit, address_of
from api.settings import Settings
from api.visit import Reception
from api.wiring import Runtime, open_runtime
from index.errors import LibraryBusy
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.services import SERVICE
from tests.test_http import assert_problem

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("guard")
    sync(folder / "library", HashingEmbedder(), [write_files(folder / "sources", {"ferry.txt": "It leaves at noon."})])
    opened = replace(open_runtime(Settings(library=folder / "library"), HashingEmbedder()), service=SERVICE)
    yield opened
    opened.close()


@pytest.fixture
def made(runtime: Runtime) -> Iterator[Keys]:
    """Yield the keys of the library, which has none before and after, as it has no record."""
    yield Keys(runtime.settings.library)
    for name in (KEYS, FILE_NAME):
        (runtime.settings.library / name).unlink(missing_ok=True)


def client_of(runtime: Runtime, address: str = "192.0.2.1", **given: Any) -> TestClient:
    settings = Settings(library=runtime.settings.library, **given)
    return TestClient(
        create_app(replace(runtime, settings=settings)), base_url="http://localhost", client=(address, 50_000),
        raise_server_exceptions=False,
    )  # fmt: skip


def bearer(shown: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {shown}"}


# ---- how often -----------------------------------------------------------------------------------------------------


def test_one_caller_is_let_through_so_often_and_then_told_when_to_come_back() -> None:
    limit = RateLimit(3)
    assert [limit.wait("a") for _ in range(3)] == [0, 0, 0]
    assert 1 <= limit.wait("a") <= 20
    assert limit.wait("b") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("testclient", "another", False),
    ],
)
def test_an_address_is_counted_with_its_network_where_it_has_one(one: str, other: str, same: bool) -> None:
    assert (address_of((one, 1)) == address_of((other, 2))) is same
    assert address_of(None) == "local"


def test_too_many_requests_are_refused_with_the_time_to_wait(runtime: Runtime) -> None:
    client = client_of(runtime, requests_per_minute=2)
    assert [client.get("/v1/documents").status_code for _ in range(2)] == [200, 200]
    refused = client.get("/v1/documents")
    assert_problem(refused, 429, "too-many-requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert client.post("/v1/ask", json={"question": "?"}).status_code == 429


def test_openai_clients_are_told_in_their_own_way(runtime: Runtime) -> None:
    client = client_of(runtime, requests_per_minute=1)
    client.get("/v1/models")
    refused = client.get("/v1/models")
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
    assert int(refused.headers["retry-after"]) >= 1


def test_each_key_has_a_count_of_its_own_and_what_shows_none_goes_by_address(runtime: Runtime, made: Keys) -> None:
    one, other = (bearer(made.create(name, Role.READER)[1]) for name in ("one", "other"))
    client = client_of(runtime, requests_per_minute=2)
    assert [client.get("/v1/models", headers=one).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/v1/models", headers=other).status_code == 200
    # Guesses are counted where they come from.
    guesses = [client.get("/v1/models", headers=bearer(f"guess {number}")).status_code for number in range(3)]
    assert guesses == [401, 401, 429]
    assert client.get("/v1/models", headers=other).status_code == 200


def test_nobody_is_counted_where_nobody_else_can_come(runtime: Runtime, made: Keys) -> None:
    reception, audit = Reception(runtime), Audit(runtime.settings.library)
    for always, told in ((False, [204, 204]), (True, [204, 429])):
        client = TestClient(Guard(Response(status_code=204), reception, audit, RateLimit(1), always=always))
        assert [client.get("/").status_code for _ in range(2)] == told
    made.create("one", Role.READER)
    client = TestClient(Guard(Response(status_code=204), reception, audit, RateLimit(1), always=False))
    assert [client.get("/").status_code for _ in range(2)] == [204, 429]


def test_no_limit_is_a_limit_too(runtime: Runtime, made: Keys) -> None:
    key = bearer(made.create("one", Role.READER)[1])
    client = client_of(runtime, requests_per_minute=0)
    assert {client.get("/v1/models", headers=key).status_code for _ in range(20)} == {200}


# ---- on record -----------------------------------------------------------------------------------------------------


def recorded(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return the lines of the record but for their times."""
    lines = [json.loads(line) for line in (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()]
    assert all(datetime.fromisoformat(line.pop("time")) for line in lines)
    return [(line["by"], line["act"], line["what"], line["outcome"]) for line in lines]


def test_a_line_says_who_did_what_when_and_how_it_ended(tmp_path: Path) -> None:
    audit = Audit(tmp_path, lambda: NOW)
    audit.note("abc", "document.delete", "doc_1", "done")
    audit.note("abc", "document.delete", 'doc_1", "act": "x\n', "refused 404")
    begins = '{"time": "2026-01-10T12:00:00.000Z", "by": "abc", "act": "document.delete", '
    assert (tmp_path / FILE_NAME).read_text(encoding="utf-8").splitlines() == [
        begins + '"what": "doc_1", "outcome": "done"}',
        begins + '"what": "", "outcome": "refused 404"}',
    ]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@given(st.text())
def test_whatever_is_sent_for_an_id_makes_one_line_of_json(tmp_path_factory: pytest.TempPathFactory, what: str) -> None:
    folder = tmp_path_factory.mktemp("audit")
    Audit(folder).note("abc", "document.delete", what, "done")
    (line,) = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["what"] in (what, "")


def test_a_record_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with caplog.at_level(logging.ERROR):
        Audit(tmp_path).note("abc", "document.delete", "doc_1", "done")
    assert "document.delete by abc could not be noted" in caplog.text


def test_what_changes_the_library_is_recorded_and_what_reads_is_not(runtime: Runtime, made: Keys) -> None:
    keeper, press = made.create("keeper", Role.MAINTAINER), made.create("press", Role.READER)
    client = client_of(runtime)
    with_key, reading = bearer(keeper[1]), bearer(press[1])
    job = client.post("/v1/documents", json={"name": "a.txt", "text": "It sails."}, headers=with_key).json()["id"]
    client.get("/v1/documents", headers=with_key)
    client.post("/v1/ask", json={"question": "When does it leave?"}, headers=with_key)
    client.delete("/v1/documents/doc_none", headers=with_key)
    client.delete("/v1/documents/doc_none?purge=1", headers=with_key)
    client.post("/v1/generations/99/rollback", headers=with_key)
    client.delete("/v1/documents/doc_none", headers=reading)
    client.delete("/v1/documents/doc_none", headers=bearer("guess"))
    client.delete("/v1/documents/doc_none")
    assert recorded(runtime.settings.library) == [
        (keeper[0].id, "document.upload", job, "done"),
        (keeper[0].id, "document.delete", "doc_none", "refused 404"),
        (keeper[0].id, "document.purge", "doc_none", "refused 404"),
        (keeper[0].id, "generation.rollback", "99", "refused 404"),
        (press[0].id, "document.delete", "doc_none", "refused 403"),
    ]


def test_who_comes_too_often_does_not_fill_the_record(runtime: Runtime, made: Keys) -> None:
    key, shown = made.create("press", Role.READER)
    client = client_of(runtime, requests_per_minute=1)
    for status in (403, 429, 429):
        assert client.delete("/v1/documents/doc_none", headers=bearer(shown)).status_code == status
    assert recorded(runtime.settings.library) == [(key.id, "document.delete", "doc_none", "refused 403")]


def test_no_secret_and_no_text_is_on_record(runtime: Runtime, made: Keys) -> None:
    _, shown = made.create("keeper", Role.MAINTAINER)
    client = client_of(runtime)
    client.post("/v1/documents", json={"name": "zanzibar.txt", "text": "zanzibar"}, headers=bearer(shown))
    client.delete("/v1/documents/zanzibar zanzibar", headers=bearer(shown))
    record = (runtime.settings.library / FILE_NAME).read_text(encoding="utf-8")
    assert "document.upload" in record
    assert "zanzibar" not in record
    assert shown[-43:] not in record


def test_commands_are_recorded_too(tmp_path: Path) -> None:
    sync(tmp_path / "library", HashingEmbedder(), [write_files(tmp_path / "sources", {"a.txt": "It sails."})])

    def run(*arguments: str) -> None:
        CliRunner().invoke(cli.app, ["--library", str(tmp_path / "library"), *arguments])

    run("keys", "create", "press")
    (key,) = Keys(tmp_path / "library").all()
    for line in ("keys rotate press", "keys revoke press", "delete doc_none", "rollback 1", "rollback 99", "compact"):
        run(*line.split())
    run("backup", str(tmp_path / "copy"))
    lines = recorded(tmp_path / "library")
    assert {line[0] for line in lines} == {"command line"}
    assert [line[1:] for line in lines] == [
        ("key.create", key.id, "done"),
        ("key.rotate", key.id, "done"),
        ("key.revoke", key.id, "done"),
        ("document.delete", "doc_none", "unknown-document"),
        ("generation.rollback", "1", "done"),
        ("generation.rollback", "99", "unknown-generation"),
        ("library.compact", "", "done"),
        ("library.backup", "", "done"),
    ]


def test_what_a_command_ends_in_is_noted_whatever_it_is(tmp_path: Path) -> None:
    audit = Audit(tmp_path, lambda: NOW)
    with pytest.raises(LibraryBusy), audit.noting("library.compact", ""):
        raise LibraryBusy("another process is writing")
    with pytest.raises(ZeroDivisionError), audit.noting("library.compact", ""):
        raise ZeroDivisionError
    assert [one[3] for one in recorded(tmp_path)] == ["library-busy", "failed"]


# ---- where to listen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.0.2.1", False), ("library.example.org", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_without_a_key_a_server_listens_on_this_machine_only(tmp_path: Path, host: str, alone: bool) -> None:
    assert server.is_loopback(host) is alone
    settings = Settings(library=tmp_path, host=host)
    if alone:
        server.expect_private(settings)
    else:
        with pytest.raises(server.Exposed, match=r"keys create.*127\.0\.0\.1.*--insecure"):
            server.expect_private(settings)
        # A key for changes alone leaves the reading open.
        with pytest.raises(server.Exposed):
            server.expect_private(Settings(library=tmp_path, host=host, api_key=SecretStr("key")))
        server.expect_private(Settings(library=tmp_path, host=host, insecure=True))
        Keys(tmp_path).create("press", Role.READER)
        server.expect_private(settings)


def test_serve_refuses_to_be_open_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(settings: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("api.wiring.open_embedder", load)
    arguments = ["--library", str(tmp_path), "serve", "--host", "0.0.0.0", "--port", "0", str(tmp_path)]
    refused = CliRunner().invoke(cli.app, arguments)
    assert refused.exit_code == 1
    assert "--insecure" in refused.stderr


# ---- HTTPS ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


def test_a_certificate_that_cannot_be_served_with_is_told_at_once(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    server.Transport(certificate=cert, key=key).expect_certificate()
    server.Transport().expect_certificate()
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("no key")
    for wrong in ((tmp_path / "none.pem", key), (cert, damaged), (cert, cert)):
        with pytest.raises(server.CertificateUnusable, match=r"both in PEM"):
            server.Transport(certificate=wrong[0], key=wrong[1]).expect_certificate()
    secret = tmp_path / "secret.pem"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(secret), "-passout", "pass:word"], check=True
    )
    with pytest.raises(server.CertificateUnusable, match="without a password"):
        server.Transport(certificate=cert, key=secret).expect_certificate()


def test_a_certificate_and_its_key_go_together(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="go together"):
        Settings(library=tmp_path, tls_cert=tmp_path)
    with pytest.raises(ValidationError, match="go together"):
        Settings(library=tmp_path, tls_key=tmp_path)


# ---- pages of other sites, and what is too long --------------------------------------------------------------------


SITE = "https://intranet.example.org"


def test_a_site_that_is_named_may_call_from_its_pages_and_no_other(runtime: Runtime) -> None:
    client = client_of(runtime, cors_origins=SITE)
    asking = {
        "Origin": SITE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = client.options("/v1/ask", headers=asking)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
    assert "access-control-allow-credentials" not in allowed.headers
    sent = client.post("/v1/search", json={"query": "noon"}, headers={"Origin": SITE, "Sec-Fetch-Site": "cross-site"})
    assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (200, SITE)
    other = {"Origin": "https://elsewhere.example.org", "Sec-Fetch-Site": "cross-site"}
    assert client.options("/v1/ask", headers={**asking, **other}).status_code == 400
    assert_problem(client.post("/v1/search", json={"query": "noon"}, headers=other), 403, "cross-site")
    assert "access-control-allow-origin" not in client.get("/v1/models", headers=other).headers


@pytest.mark.parametrize(
    "origin", ["*", "null", "example.org", "https://example.org/", "https://a b", "javascript://x"]
)
def test_what_is_no_origin_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(library=tmp_path, cors_origins=(origin,))


def test_addresses_and_headers_have_a_limit(runtime: Runtime) -> None:
    client = client_of(runtime)
    assert client.get(f"/v1/documents?q={'x' * 150}").status_code == 200
    assert_problem(client.get(f"/v1/documents?q={'x' * 8_200}"), 414, "address-too-long")
    assert_problem(client.get("/v1/documents", headers={"X-Long": "x" * 33_000}), 431, "headers-too-large")

"""Keys: made once, shown once, kept as hashes; and what the server and the command line make of them."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from typer.testing import CliRunner

from api import cli
from api.access import Caller, Role, listed, needed
from api.app import create_app
from api.keys import FILE_NAME, KeyNotMade, Keys, KeysUnreadable, UnknownKey
from api.settings import Settings
from api.visit import ENVIRONMENT, Reception
from api.wiring import Runtime, open_runtime
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.services import SERVICE

DAY = 24 * 3600.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> Keys:
    return Keys(tmp_path, clock)


# ---- the file ------------------------------------------------------------------------------------------------------


def test_a_key_lets_in_its_holder_and_says_what_for(keys: Keys) -> None:
    key, shown = keys.create("press office", Role.READER, [" press ", "public"], 2)
    assert keys.holder(shown) == key
    assert (key.name, key.role, key.tags) == ("press office", Role.READER, frozenset({"press", "public"}))
    assert key.caller() == Caller(key.id, Role.READER, frozenset({"press", "public"}))
    assert keys.create("keeper", Role.MAINTAINER)[0].caller().tags is None


def test_a_key_is_recognised_by_its_beginning_and_holds_256_random_bits(keys: Keys) -> None:
    shown = [keys.create(f"key {number}", Role.READER)[1] for number in range(20)]
    assert all(re.fullmatch(r"citespan_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", one) for one in shown)
    assert len({one[-43:] for one in shown}) == 20


def test_no_file_holds_what_lets_in_and_only_the_owner_may_read_them(keys: Keys, tmp_path: Path) -> None:
    _, shown = keys.create("press", Role.READER)
    _, again = keys.rotate("press")
    for file in tmp_path.iterdir():
        assert shown[-43:].encode() not in file.read_bytes()
        assert again[-43:].encode() not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@given(st.text(max_size=80))
def test_nothing_else_lets_in(tmp_path_factory: pytest.TempPathFactory, shown: str) -> None:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    key, right = keys.create("press", Role.READER)
    other = "A" if right[-1] != "A" else "B"
    for wrong in (
        shown,
        f"citespan_{key.id}_{shown}",
        f"citespan_{'0' * 12}_{right[-43:]}",
        right[:-1],
        f"{right}x",
        f"{right[:-1]}{other}",
        right.swapcase(),
    ):
        assert keys.holder(wrong) is None
    keys.close()


def test_a_revoked_key_lets_in_no_more_in_any_process(keys: Keys, tmp_path: Path, clock: Clock) -> None:
    other = Keys(tmp_path, clock)
    _, shown = keys.create("press", Role.READER)
    assert other.holder(shown) is not None
    keys.revoke("press")
    assert other.holder(shown) is None
    assert [key.state(clock.now) for key in other.all()] == ["revoked"]
    with pytest.raises(UnknownKey, match="'press'"):
        keys.rotate("press")


def test_a_key_ends_when_it_was_said_to(keys: Keys, clock: Clock) -> None:
    _, shown = keys.create("press", Role.READER, days=1.5)
    clock.now += 1.5 * DAY - 1
    assert keys.holder(shown) is not None
    clock.now += 1
    assert keys.holder(shown) is None
    assert keys.create("press", Role.READER)[0].name == "press"


def test_another_secret_replaces_the_first_at_once_or_after_a_while(keys: Keys, clock: Clock) -> None:
    key, first = keys.create("press", Role.READER, ["press"])
    same, second = keys.rotate("press")
    assert same.id == key.id
    assert (keys.holder(first), keys.holder(second)) == (None, key)
    _, third = keys.rotate(key.id, overlap=60)
    assert keys.holder(second) == keys.holder(third) == key
    clock.now += 60
    assert (keys.holder(second), keys.holder(third)) == (None, key)
    keys.rotate(key.id, overlap=60)
    keys.revoke(key.id)
    assert keys.holder(third) is None


@pytest.mark.parametrize(
    ("name", "role", "tags", "days", "said"),
    [
        ("", Role.READER, [], None, "1 to 100 characters"),
        ("two\nlines", Role.READER, [], None, "one line"),
        ("x" * 101, Role.READER, [], None, "1 to 100 characters"),
        ("keeper", Role.MAINTAINER, ["press"], None, "sees every document"),
        ("press", Role.READER, [" "], None, "a tag has"),
        ("press", Role.READER, ["a\nb"], None, "a tag has"),
        ("press", Role.READER, [f"t{n}" for n in range(51)], None, "50 are allowed"),
        ("press", Role.READER, [], 0, "not 0"),
        ("press", Role.READER, [], float("nan"), "not nan"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_the_reason(
    keys: Keys, name: str, role: Role, tags: list[str], days: float | None, said: str
) -> None:
    with pytest.raises(KeyNotMade, match=said):
        keys.create(name, role, tags, days)
    assert not keys.any_yet


def test_two_active_keys_have_two_names(keys: Keys) -> None:
    keys.create("press", Role.READER)
    with pytest.raises(KeyNotMade, match="revoke or rotate"):
        keys.create("press", Role.MAINTAINER)


def test_a_file_that_cannot_be_read_lets_nobody_in(keys: Keys, tmp_path: Path) -> None:
    _, shown = keys.create("press", Role.READER)
    keys.close()
    (tmp_path / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(KeysUnreadable, match=FILE_NAME):
        keys.holder(shown)
    (tmp_path / FILE_NAME).unlink()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(KeysUnreadable, match="format 99"):
        keys.holder(shown)
    (tmp_path / FILE_NAME).write_bytes(b"")
    assert keys.any_yet
    assert keys.holder(shown) is None


# ---- roles ---------------------------------------------------------------------------------------------------------


def test_each_role_may_do_what_those_before_it_may() -> None:
    assert [[one.covers(other) for other in Role] for one in Role] == [
        [True, False, False], [True, True, False], [True, True, True],
    ]  # fmt: skip


def test_what_nobody_listed_needs_all_there_is() -> None:
    for method, path in (("GET", "/v1/secrets"), ("PUT", "/v1/ask"), ("POST", "/"), ("GET", "/v1/documents/a/b"),
                         ("POST", "/metrics"), ("GET", "//v1/documents"), ("GET", "/v1/ask/../documents")):  # fmt: skip
        assert (needed(method, path).role, needed(method, path).known) == (Role.MAINTAINER, False)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("keys")
    library = folder / "library"
    files = {"ferry.md": "---\ntags: [press]\n---\n\nThe ferry leaves at noon."}
    sync(library, HashingEmbedder(), [write_files(folder / "sources", files)])
    opened = replace(open_runtime(Settings(library=library), HashingEmbedder()), service=SERVICE)
    yield opened
    opened.close()


@pytest.fixture
def made(runtime: Runtime) -> Iterator[Keys]:
    """Yield the keys of the library, which has none before and after."""
    yield Keys(runtime.settings.library)
    (runtime.settings.library / FILE_NAME).unlink(missing_ok=True)


def client_of(runtime: Runtime, key: str | None = None, **given: Any) -> TestClient:
    settings = runtime.settings.model_copy(update=given)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return TestClient(
        create_app(replace(runtime, settings=settings)), base_url="http://localhost", headers=headers,
        raise_server_exceptions=False,
    )  # fmt: skip


def test_every_route_says_whom_it_is_for(runtime: Runtime) -> None:
    described = client_of(runtime).get("/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, methods in described.items() for method in methods}
    open_to_all = {("GET", "/healthz"), ("GET", "/readyz")}

    def shape(path: str) -> str:
        return re.sub(r"\{\w+(:path)?\}", "{}", path)

    told = {(method, shape(path)) for method, path, _ in listed()} - {("POST", "/mcp"), ("GET", "/metrics")}
    assert {(method, shape(path)) for method, path in routes - open_to_all} - {("GET", "/metrics")} == told


CALLS: dict[Role, list[tuple[str, str]]] = {}
for _method, _path, _role in listed():
    CALLS.setdefault(_role, []).append((_method, re.sub(r"\{\w+(:path)?\}", "7", _path)))


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_routes_and_no_more(runtime: Runtime, made: Keys, role: Role) -> None:
    client = client_of(runtime, made.create("key", role)[1])
    for needs, calls in CALLS.items():
        for method, path in calls:
            if path == "/mcp":
                continue  # only a server that was started answers there
            response = client.request(method, path)
            if role.covers(needs):
                assert response.status_code not in (401, 403) or "deletes what it added" in response.text, path
            else:
                assert response.status_code == 403, path
                assert needs in response.text


def test_without_a_key_of_the_server_nothing_is_told(runtime: Runtime, made: Keys) -> None:
    _, revoked = made.create("old", Role.MAINTAINER)
    made.revoke("old")
    for key, header in (
        (None, "Bearer"),
        ("x", 'Bearer error="invalid_token"'),
        (revoked, 'Bearer error="invalid_token"'),
    ):
        client = client_of(runtime, key)
        for method, path in (call for calls in CALLS.values() for call in calls):
            response = client.request(method, path)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, header), path
            assert "ferry" not in response.text
        assert client.get("/v1/nothing").status_code == 401
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/readyz").json()["documents"] is None
        assert client.get("/").status_code == client.get("/static/app.js").status_code == 200


def test_an_unknown_address_is_not_found_whatever_the_key(runtime: Runtime, made: Keys) -> None:
    for role in Role:
        client = client_of(runtime, made.create(role, role)[1])
        assert client.get("/v1/nothing").status_code == 404


def test_the_description_says_how_a_key_is_shown(runtime: Runtime) -> None:
    described = client_of(runtime).get("/openapi.json").json()
    assert described["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
    assert described["security"] == [{}, {"key": []}]


def test_openai_clients_are_told_in_their_own_way(runtime: Runtime, made: Keys) -> None:
    made.create("press", Role.READER)
    error = client_of(runtime, "anything").get("/v1/models").json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "key_needed")


def test_the_key_of_the_environment_is_a_maintainers_beside_others(runtime: Runtime, made: Keys) -> None:
    secret = SecretStr("open sesame")
    reading = client_of(runtime, api_key=secret)
    assert reading.get("/v1/documents").json()["total"] == 1
    assert reading.post("/v1/generations/1/rollback").status_code == 401
    assert client_of(runtime, "open sesame", api_key=secret).post("/v1/generations/99/rollback").status_code == 404
    made.create("press", Role.READER)
    assert client_of(runtime, api_key=secret).get("/v1/documents").status_code == 401
    assert client_of(runtime, "open sesame", api_key=secret).get("/v1/documents").json()["total"] == 1
    caller = Reception(replace(runtime, settings=runtime.settings.model_copy(update={"api_key": secret}))).caller(
        "bearer open sesame"
    )
    assert caller == Caller(ENVIRONMENT, Role.MAINTAINER)


def test_without_any_key_everybody_may_do_all(runtime: Runtime) -> None:
    client = client_of(runtime, "anything")
    assert client.get("/v1/documents").json()["total"] == 1
    assert client.post("/v1/generations/99/rollback").status_code == 404


def test_a_server_that_needed_keys_goes_on_to_when_their_file_is_taken_away(runtime: Runtime, made: Keys) -> None:
    client = client_of(runtime, made.create("press", Role.READER)[1])
    assert client.get("/v1/documents").status_code == 200
    made.close()
    (runtime.settings.library / FILE_NAME).unlink()
    assert client.get("/v1/documents").status_code == 401


def test_keys_that_cannot_be_read_open_nothing(runtime: Runtime, made: Keys) -> None:
    (runtime.settings.library / FILE_NAME).write_bytes(b"damaged" * 1_000)
    response = client_of(runtime, f"citespan_{'0' * 12}_{'x' * 43}").get("/v1/documents")
    assert response.status_code == 500
    assert FILE_NAME not in response.text


# ---- commands ------------------------------------------------------------------------------------------------------


def command(library: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["--library", str(library), "keys", *arguments])


def test_the_commands_make_list_rotate_and_revoke(tmp_path: Path) -> None:
    made = json.loads(
        command(tmp_path, "create", "press", "--tags", "press, public", "--expires", "3", "--json").stdout
    )
    assert (made["role"], made["tags"], made["state"]) == ("reader", ["press", "public"], "active")
    keys = Keys(tmp_path)
    assert keys.holder(made["key"]) is not None
    again = command(tmp_path, "rotate", "press")
    assert again.exit_code == 0
    shown = again.stdout.splitlines()[1]
    assert keys.holder(made["key"]) is None
    assert keys.holder(shown) is not None
    listing = command(tmp_path, "list").stdout
    assert "sees press, public" in listing
    assert shown[-43:] not in listing
    assert json.loads(command(tmp_path, "revoke", made["id"], "--json").stdout)["state"] == "revoked"
    assert keys.holder(shown) is None


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    failed = command(tmp_path, "create", "keeper", "--role", "maintainer", "--tags", "press")
    assert (failed.exit_code, failed.stderr) == (
        1, "citespan: a maintainer sees every document: leave the tags out, or take another role\n",
    )  # fmt: skip
    assert "keys list" in command(tmp_path, "revoke", "nobody").stderr
    assert command(tmp_path, "create", "x", "--role", "king").exit_code == 2
    assert command(tmp_path, "list").stdout == "no keys: on this machine nobody needs one\n"

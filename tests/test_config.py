"""Settings by option, variable and file: which wins, what is refused, and the table that documents them all."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from typer.testing import CliRunner

from api import cli
from api.config import ConfigError, configured, expect_known, read, shown
from api.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
# Defaults that hang on the machine.
_COMPUTED = {"library": "the user's data folder", "asks_at_once": "two more than cores"}
TABLE = REPOSITORY / "docs" / "settings.md"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "citespan.toml"
    file.write_text(text, encoding="utf-8")
    return file


# ---- which wins ------------------------------------------------------------------------------------------------------


def test_an_option_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(
        tmp_path, 'port = 1\nasks_at_once = 4\nhost = "192.0.2.1"\nallowed_hosts = ["a.example", "b.example"]\n'
    )
    environment = {"CITESPAN_PORT": "2", "CITESPAN_ASKS_AT_ONCE": "5", "CITESPAN_HOST": ""}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = configured(file, environment, {"port": 3, "embedder": None})
    settings = found.settings
    assert (settings.port, settings.asks_at_once, settings.asks_waiting) == (3, 5, 64)
    # An empty variable is as good as none.
    assert (settings.host, settings.allowed_hosts) == ("192.0.2.1", ("a.example", "b.example"))
    told = {name: found.sources[name] for name in ("port", "asks_at_once", "host", "asks_waiting")}
    assert told == {"port": "option", "asks_at_once": "environment", "host": "file", "asks_waiting": "default"}


@given(st.sets(st.sampled_from(("option", "environment", "file"))))
def test_whatever_is_given_the_first_of_option_variable_and_file_counts(given_by: set[str]) -> None:
    values = {"option": 11, "environment": 12, "file": 13}
    with pytest.MonkeyPatch.context() as patch:
        environment = {"CITESPAN_PORT": "12"} if "environment" in given_by else {}
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("api.config.read", lambda file: {"port": 13} if "file" in given_by else {})
        options = {"port": 11} if "option" in given_by else {}
        found = configured(Path("any.toml"), environment, options)
    first = next((one for one in values if one in given_by), None)
    assert found.settings.port == (8000 if first is None else values[first])
    assert found.sources["port"] == ("default" if first is None else first)


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 1\n", "'prot' is no setting; did you mean port?"),
        ("ask_waiting = 1\n", "'ask_waiting' is no setting; did you mean asks_waiting?"),
        ('[server]\nport = 1\n', "'server' is no setting"),
        ("port = \n", "is not TOML"),
        ("port = 70000\n", "port in {file}: Input should be less than or equal to 65535"),
        ('log_format = "xml"\n', "log_format in {file}: Input should be 'console' or 'json'"),
        ('webhook_url = "https://example.org/hook"\n', "CITESPAN_WEBHOOK_SECRET: Value error, a webhook needs"),
    ],
)  # fmt: skip
def test_what_a_file_gets_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        configured(file, {}, {})
    assert told.format(file=file) in str(refused.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for place, told in ((tmp_path / "none.toml", "cannot be read"), (tmp_path, "cannot be read")):
        with pytest.raises(ConfigError, match=told):
            read(place)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        read(binary)
    large = written(tmp_path, "#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than any"):
        read(large)


def test_a_slip_in_the_name_of_a_variable_is_told() -> None:
    for name, meant in {
        "CITESPAN_PROT": "CITESPAN_PORT", "CITESPAN_LIBARY": "CITESPAN_LIBRARY", "CITESPAN_CONFG": "CITESPAN_CONFIG",
        "citespan_asks_atonce": "CITESPAN_ASKS_AT_ONCE",
    }.items():  # fmt: skip
        with pytest.raises(ConfigError, match=f"did you mean {meant}\\?"):
            expect_known({name: "1"})


def test_variables_of_other_programs_are_none_of_ours() -> None:
    expect_known({"CITESPAN_URL": "http://localhost", "CITESPAN_CONFIG": "a", "HOME": "/", "CITESPAN_SHOTS": "1"})


def test_no_secret_is_in_a_message_or_shown(tmp_path: Path) -> None:
    file = written(tmp_path, 'webhook_url = "ftp://user:hunter2@example.org"\napi_key = "hunter2"\n')
    with pytest.raises(ConfigError) as refused:
        configured(file, {}, {})
    assert "hunter2" not in str(refused.value)
    assert shown(SecretStr("hunter2")) == "(set)"
    assert [shown(one) for one in (None, True, (), ("a", "b"), 1.5)] == ["none", "true", "none", "a,b", "1.5"]


# ---- the command line ------------------------------------------------------------------------------------------------


def test_settings_tells_what_is_in_force_and_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, 'port = 1\napi_key = "hunter2"\n')
    monkeypatch.setenv("CITESPAN_HOST", "::1")
    result = CliRunner().invoke(cli.app, ["--config", str(file), "--log-level", "info", "settings", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told.keys() == Settings.model_fields.keys()
    assert told["port"] == {"value": "1", "source": "file"}
    assert told["host"] == {"value": "::1", "source": "environment"}
    assert told["log_level"] == {"value": "info", "source": "option"}
    assert told["api_key"] == {"value": "(set)", "source": "file"}
    plain = CliRunner().invoke(cli.app, ["--config", str(file), "settings"])
    assert re.search(r"^port +1  \(file\)$", plain.stdout, re.MULTILINE)


def test_the_file_can_be_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITESPAN_CONFIG", str(written(tmp_path, "prot = 1\n")))
    result = CliRunner().invoke(cli.app, ["settings"])
    assert (result.exit_code, "did you mean port?" in result.output) == (2, True)


# ---- the table -------------------------------------------------------------------------------------------------------


def meanings() -> Mapping[str, str]:
    """Return what the source says of each setting, in one line."""
    tree = ast.parse((REPOSITORY / "api" / "settings.py").read_text(encoding="utf-8"))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(field.target, ast.Name):
            assert isinstance(text.value, ast.Constant)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def options() -> Mapping[str, str]:
    """Return the option of each setting that has one."""
    group = typer.main.get_command(cli.app)
    serve = group.commands["serve"]  # type: ignore[attr-defined]
    found = {}
    for command in (serve, group):
        for parameter in command.params:
            if parameter.name in Settings.model_fields:
                found[str(parameter.name)] = max(parameter.opts, key=len)
    return found


def table() -> str:
    """Return the table as it has to be."""
    lines = ["| setting | default | option | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = _COMPUTED[name] if field.default_factory is not None else f"`{shown(field.default)}`"
        option = f"`{options()[name]}`" if name in options() else ""
        lines.append(f"| `{name}` | {default.replace('`none`', 'none')} | {option} | {meanings()[name]} |")
    return "\n".join(lines)


def test_every_setting_says_what_it_means() -> None:
    assert meanings().keys() == Settings.model_fields.keys()


def test_the_documented_table_is_that_of_the_settings() -> None:
    documented = TABLE.read_text(encoding="utf-8")
    expected = table()
    assert expected in documented, f"docs/settings.md has to have this table:\n{expected}"

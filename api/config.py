"""Where settings come from: options of the command line before the environment, and that before a file in TOML."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, ValidationError

from api.settings import Settings
from index.errors import CitespanError

PREFIX = "CITESPAN_"
VARIABLE = "CITESPAN_CONFIG"
"""The variable that names the file."""
_LARGEST_FILE = 1_000_000
# How alike a variable has to be to a setting's to be taken for a slip of the pen.
_ALIKE = 0.7

Source = Literal["option", "environment", "file", "default"]


class ConfigError(CitespanError):
    """A setting is unknown or cannot be what it is said to be, or the file with the settings cannot be read."""

    code = "bad-settings"


@dataclass(frozen=True, slots=True)
class Configured:
    """Settings, and where each came from."""

    settings: Settings
    sources: Mapping[str, Source]


def configured(file: Path | None, environment: Mapping[str, str], given: Mapping[str, Any]) -> Configured:
    """Return the settings: what is `given` (by name, None for nothing) wins over the environment, that over the file.

    :raises ConfigError: if one is unknown, or its value cannot be; the message says where it stands.
    """
    expect_known(environment)
    options = {name: value for name, value in given.items() if value is not None}
    # As pydantic reads it: capital letters or not, and an empty variable is none.
    variables = {name.upper() for name, value in environment.items() if value}
    written = {} if file is None else read(file)
    sources: dict[str, Source] = {}
    for name in Settings.model_fields:
        if name in options:
            sources[name] = "option"
        elif PREFIX + name.upper() in variables:
            sources[name] = "environment"
        else:
            sources[name] = "file" if name in written else "default"
    from_file = {name: value for name, value in written.items() if sources[name] == "file"}
    try:
        return Configured(Settings(**from_file, **options), sources)
    except ValidationError as error:
        wrong = "; ".join(f"{_place(str(e['loc'][0]), sources, file)}: {e['msg']}" for e in error.errors())
        raise ConfigError(wrong) from error


def read(file: Path) -> dict[str, Any]:
    """Return what a file in TOML sets, by name.

    :raises ConfigError: if it cannot be read, or a name in it is no setting's.
    """
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise ConfigError(f"{file} is larger than any file of settings")
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror or error}); name another with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML ({error})") from error
    for name in written:
        if name not in Settings.model_fields:
            meant = _nearest(name, Settings.model_fields, 0.0)
            raise ConfigError(f"{file}: {name[:100]!r} is no setting; did you mean {meant}?")
    return written


def expect_known(environment: Mapping[str, str]) -> None:
    """Raise ConfigError for a variable that is no setting's but nearly has the name of one.

    Other variables that begin like ours may be a client's or a tool's.
    """
    known = {name.upper() for name in (*Settings.model_fields, VARIABLE.removeprefix(PREFIX))}
    for variable in environment:
        name = variable.upper().removeprefix(PREFIX)
        if name == variable.upper() or name in known:
            continue
        meant = _nearest(name, known, _ALIKE)
        if meant is not None:
            raise ConfigError(f"the variable {variable[:100]} is no setting; did you mean {PREFIX}{meant}?")


def shown(value: object) -> str:
    """Return a setting's value as it may be printed; a secret's not at all."""
    match value:
        case None:
            return "none"
        case SecretStr():
            return "(set)"
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(map(str, value)) if value else "none"
    return str(value)


def _place(name: str, sources: Mapping[str, Source], file: Path | None) -> str:
    match sources[name]:
        case "file":
            return f"{name} in {file}"
        case "option":
            return f"--{name.replace('_', '-')}"
    return PREFIX + name.upper()


def _nearest(name: str, known: Iterable[str], alike: float) -> str | None:
    """Return the known name that is most like `name`, None if none is alike enough; of equals the first."""
    return next(iter(difflib.get_close_matches(name[:100], sorted(known), n=1, cutoff=alike)), None)

"""Where a library's passages are searched, if not in its folder: `qdrant://host:6333/NAME`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORM = "a store is written as in qdrant://host:6333/NAME, or qdrants:// for TLS"
_YES = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Address:
    """An engine, the name that the library goes by there, and how its collections are laid out when they are made.

    `grpc` is the port for gRPC, None for REST alone; `timeout` the seconds that a search may take. `exact` compares all
    vectors. `on_disk` keeps vectors and words on the disk, `quantised` a byte for each number of a vector in memory.
    """

    host: str
    port: int
    name: str
    tls: bool = False
    grpc: int | None = None
    shards: int | None = None
    replicas: int | None = None
    timeout: int = 5
    exact: bool = False
    on_disk: bool = False
    quantised: bool = False

    @classmethod
    def parse(cls, written: str) -> Address:
        """Return the address that is written.

        :raises ValueError: if it is none. No part of it is repeated: it may hold what should be no part of it.
        """
        try:
            parts = urlsplit(written)
            port = 6333 if parts.port is None else parts.port
            given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=20)
        except ValueError:
            raise ValueError(_FORM) from None
        if parts.username is not None or parts.password is not None:
            raise ValueError("a store's address holds no key; set store_key, or CITESPAN_STORE_KEY")
        name = parts.path.removeprefix("/")
        if parts.scheme not in ("qdrant", "qdrants") or not parts.hostname or port == 0 or parts.fragment:
            raise ValueError(_FORM)
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{_FORM}; the name has letters, digits, - and _, at most 64")
        return cls(parts.hostname, port, name, parts.scheme == "qdrants", **_options(given))

    @property
    def url(self) -> str:
        """Where the engine's REST interface is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"qdrant{'s' if self.tls else ''}://{self.url.split('//')[1]}/{self.name}"


def _options(given: list[tuple[str, str]]) -> Mapping[str, Any]:
    found: dict[str, int | bool] = {}
    for key, value in given:
        if key not in _OPTIONS:
            raise ValueError(f"a store's address has the options {', '.join(sorted(_OPTIONS))}, and no others")
        try:
            found[key] = _OPTIONS[key](value)
        except (KeyError, ValueError):
            raise ValueError(f"the option {key} of a store's address has another kind of value") from None
    return found


def _count(value: str) -> int:
    number = int(value)
    if not 1 <= number <= 65535:
        raise ValueError(value)
    return number


_OPTIONS: Mapping[str, Callable[[str], int | bool]] = {
    "grpc": _count, "shards": _count, "replicas": _count, "timeout": _count,
    "exact": _YES.__getitem__, "on_disk": _YES.__getitem__, "quantised": _YES.__getitem__,
}  # fmt: skip

"""Who calls, and what for: roles, and which of them each route needs. The only place that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from index.errors import CitespanError


class Role(StrEnum):
    """What somebody may do; each may do what those before it may.

    A reader asks and looks, a contributor also adds documents and takes back its own, a maintainer does all.
    """

    READER = "reader"
    CONTRIBUTOR = "contributor"
    MAINTAINER = "maintainer"

    def covers(self, needed: Role) -> bool:
        """Return whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Forbidden(CitespanError):
    """The key that was shown may not do this."""

    code = "role-needed"

    @classmethod
    def without(cls, needed: Role) -> Forbidden:
        return cls(f"this needs a key with the role {needed}; the one that was sent has a lesser one")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `key` is the public id of the key shown, "" where none is needed.

    `tags` are those that a document has to carry one of to be seen; None for whoever sees all.
    """

    key: str
    role: Role
    tags: frozenset[str] | None = None

    def expect(self, needed: Role) -> None:
        """Raise Forbidden if the caller's role is not enough."""
        if not self.role.covers(needed):
            raise Forbidden.without(needed)


OWNER = Caller("", Role.MAINTAINER)
"""Who sits at the machine: the command line, and everybody while there is no key."""

# What needs no key: what the page is made of, and what says how the server is.
_OPEN = ("/", "/static/{path:path}", "/healthz", "/readyz", "/openapi.json")
_NEEDED: Mapping[Role, tuple[str, ...]] = {
    Role.READER: (
        "POST /v1/ask",
        "POST /v1/verify",
        "POST /v1/replay",
        "POST /v1/search",
        "POST /v1/vector_stores/{id}/search",
        "POST /v1/chat/completions",
        "GET /v1/models",
        "GET /v1/models/{name:path}",
        "GET /v1/documents",
        "GET /v1/documents/{id}",
        "GET /v1/documents/{id}/text",
        "GET /v1/documents/{id}/revisions",
        "GET /v1/generations",
        "GET /v1/generations/{before}/diff/{after}",
        "GET /v1/conversations/{id}",
        "DELETE /v1/conversations/{id}",
        # Its own jobs: a reader has none.
        "GET /v1/jobs",
        "GET /v1/jobs/{id}",
        "POST /mcp",
    ),
    Role.CONTRIBUTOR: (
        "POST /v1/documents",
        # Its own; a purge needs more, which the route sees to.
        "DELETE /v1/documents/{id}",
    ),
    Role.MAINTAINER: (
        "POST /v1/generations/{number}/rollback",
        "GET /metrics",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs: a role, None for none. `known` is False for what is not listed here."""

    role: Role | None
    known: bool = True


def needed(method: str, path: str) -> Need:
    """Return what a request needs. What nobody listed needs all there is, so that nothing is opened by mistake."""
    if method in ("GET", "HEAD") and any(pattern.fullmatch(path) for pattern in _OPEN_PATHS):
        return Need(None)
    for known, pattern, role in _TABLE:
        if method == known and pattern.fullmatch(path):
            return Need(role)
    return Need(Role.MAINTAINER, known=False)


def listed() -> Iterator[tuple[str, str, Role]]:
    """Yield method, path and role of everything that needs one."""
    for role, routes in _NEEDED.items():
        for route in routes:
            method, _, path = route.partition(" ")
            yield method, path, role


def templates() -> list[str]:
    """Return the paths of all routes, each once."""
    return list(dict.fromkeys([*_OPEN, *(path for _, path, _ in listed())]))


def _compiled(path: str) -> re.Pattern[str]:
    """Return what a path has to look like: {name} is a part of one, {name:path} the rest of it."""
    parts = re.split(r"\{\w+(:path)?\}", path)
    # Between two pieces of the text stands what was found: ":path" or None.
    pieces = (re.escape(one) if at % 2 == 0 else ".*" if one else "[^/]+" for at, one in enumerate(parts))
    return re.compile("".join(pieces), re.DOTALL)


_OPEN_PATHS = tuple(_compiled(path) for path in _OPEN)
_TABLE = tuple((method, _compiled(path), role) for method, path, role in listed())

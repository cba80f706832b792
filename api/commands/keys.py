"""`citespan keys`: who may use a server of the library, for what, and which documents they see."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.access import Role
from api.commands.common import Json, errors_told, print_json, read_settings, show_line

if TYPE_CHECKING:
    from api.keys import Key

app = typer.Typer(help="Make, list, revoke and rotate the keys of a library.", no_args_is_help=True)

_Named = Annotated[str, typer.Argument(metavar="KEY", help="The key's id or name.", show_default=False)]
_MINUTE = 60.0


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whom or what it is for.", show_default=False)],
    role: Annotated[Role, typer.Option(help="reader asks, contributor also adds, maintainer does all.")] = Role.READER,
    tags: Annotated[str, typer.Option(help="See only documents with one of these, commas between.")] = "",
    expires: Annotated[float | None, typer.Option(metavar="DAYS", help="How long it lasts; without it, on.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once. From the first one on, the server lets nobody in without."""
    with errors_told(as_json):
        from api.audit import Audit
        from api.keys import Keys

        folder = read_settings().library
        named = [tag for tag in (part.strip() for part in tags.split(",")) if tag]
        key, shown = Keys(folder).create(name, role, named, expires)
        with Audit(folder).noting("key.create", key.id):
            _show(key, shown, as_json)


@app.command("list")
def listed(as_json: Json = False) -> None:
    """List the keys there are and were, the oldest first; never their secrets."""
    with errors_told(as_json):
        from api.keys import Keys

        keys = Keys(read_settings().library).all()
    if as_json:
        print_json([_told(key) for key in keys])
        return
    for key in keys:
        show_line(_line(key))
    show_line(f"{len(keys)} keys" if keys else "no keys: on this machine nobody needs one")


@app.command()
def revoke(named: _Named, as_json: Json = False) -> None:
    """Let a key in no more, from the next request on."""
    with errors_told(as_json):
        from api.audit import Audit
        from api.keys import Keys

        folder = read_settings().library
        key = Keys(folder).revoke(named)
        with Audit(folder).noting("key.revoke", key.id):
            pass
    if as_json:
        print_json(_told(key))
    else:
        show_line(_line(key))


@app.command()
def rotate(
    named: _Named,
    overlap: Annotated[float, typer.Option(min=0, metavar="MINUTES", help="How long the former secret goes on.")] = 0,
    as_json: Json = False,
) -> None:
    """Give a key another secret and show it, this once. Its id, role, tags and conversations stay."""
    with errors_told(as_json):
        from api.audit import Audit
        from api.keys import Keys

        folder = read_settings().library
        key, shown = Keys(folder).rotate(named, overlap * _MINUTE)
        with Audit(folder).noting("key.rotate", key.id):
            _show(key, shown, as_json)


def _show(key: Key, shown: str, as_json: bool) -> None:
    if as_json:
        print_json({**_told(key), "key": shown})
    else:
        show_line(_line(key))
        show_line(shown)
        show_line("keep it now: it is shown this once, and only its hash is stored")


def _told(key: Key) -> dict[str, object]:
    return {
        "id": key.id, "name": key.name, "role": key.role, "tags": sorted(key.tags), "state": key.state(time.time()),
        "created_at": _iso(key.created), "expires_at": _iso(key.expires), "revoked_at": _iso(key.revoked),
    }  # fmt: skip


def _line(key: Key) -> str:
    from api.console import printable

    sees = f"sees {', '.join(sorted(key.tags))}" if key.tags else "sees every document"
    until = "" if key.expires is None else f", until {_iso(key.expires)}"
    return printable(f"{key.id}  {key.state(time.time()):8}  {key.role:11}  {key.name}  ({sees}{until})")


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

"""`citespan settings`: what is set, and by what."""

from __future__ import annotations

from api.commands.common import Json, print_json, read_configured, show_line


def settings(as_json: Json = False) -> None:
    """Print every setting that is in force, and where it came from. Secrets are not printed."""
    from api.config import shown
    from api.console import printable

    found = read_configured()
    rows = [(name, shown(getattr(found.settings, name)), source) for name, source in found.sources.items()]
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in rows})
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        show_line(printable(f"{name:{width}}  {value}  ({source})"))

"""`citespan mcp`: the tools for a client that starts this process and speaks with it over its pipes."""

from __future__ import annotations

import sys

import typer

from api.commands.common import ReaderName, opened


def mcp(reader: ReaderName = None) -> None:
    """Serve the tools of the Model Context Protocol over standard input and output, until the input ends."""
    if sys.stdin.isatty():
        typer.echo("waiting for the messages of an MCP client on standard input; Ctrl-D ends it", err=True)
    from api.mcp.stdio import serve, wire

    # From here on, before any model is loaded: what models print is no message.
    with wire() as messages, opened(as_json=False, reader=reader) as runtime:
        serve(runtime, messages)

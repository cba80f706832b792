"""The command line: every command and its name. Nothing heavy is imported before the command that needs it runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from api.commands import library, mcp, quality, service, upkeep
from api.commands.common import Options
from index.memory import few_arenas
from index.priority import stand_back

app = typer.Typer(
    help="Answers from your own documents, in their own words, with citations anyone can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


# These change or read through the whole library, beside a server that answers questions from it.
_MAY_WAIT = frozenset({"sync", "watch", "delete", "rollback", "compact", "reembed", "backup", "restore", "absent"})


@app.callback()
def options(
    context: typer.Context,
    library: Annotated[Path | None, typer.Option(help="The library's folder.", envvar="CITESPAN_LIBRARY")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False,
) -> None:
    """Answers from your own documents, in their own words, with citations anyone can check."""
    Options.library = library
    if Options.own_process and context.invoked_subcommand in _MAY_WAIT:
        stand_back()
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


for command in (
    library.sync, library.watch, service.ask, service.chat, service.replay, service.serve, mcp.mcp, library.documents,
    library.show, library.delete, library.generations, library.diff, library.rollback, service.verify, upkeep.compact,
    upkeep.reembed, upkeep.backup, upkeep.restore, upkeep.absent, quality.bench, quality.calibrate, service.doctor,
):  # fmt: skip
    app.command()(command)
app.command("eval")(quality.evaluate)


def main() -> None:
    """Run the command line."""
    few_arenas()
    Options.own_process = True
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("citespan: interrupted", err=True)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

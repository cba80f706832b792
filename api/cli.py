"""The command line: every command and its name. Nothing heavy is imported before the command that needs it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands import config as settings_of
from api.commands import keys, library, mcp, quality, service, shared, upkeep
from api.commands.common import Options, StoreAddress
from api.commands.examples import Grouped, epilog
from index.memory import few_arenas
from index.priority import stand_back

app = typer.Typer(
    help="Answers from your own documents, in their own words, with citations anyone can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Grouped,
    epilog=epilog(""),
)


# These change or read through the whole library, beside a server that answers questions from it.
_MAY_WAIT = frozenset(
    {"sync", "watch", "embed", "delete", "rollback", "compact", "reembed", "backup", "restore", "absent"}
)


@app.callback()
def options(
    context: typer.Context,
    library: Annotated[Path | None, typer.Option(help="The library's folder.", envvar="CITESPAN_LIBRARY")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A file with settings, in TOML.", envvar="CITESPAN_CONFIG", show_default=False)
    ] = None,
    store: StoreAddress = None,
    log_format: Annotated[str | None, typer.Option(help="How the log looks: console or json.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done: --log-level info.")] = False,
) -> None:
    """Answers from your own documents, in their own words, with citations anyone can check."""
    Options.library = library
    Options.store = store
    Options.config = config
    Options.log_format = log_format
    Options.log_level = "info" if verbose and log_level is None else log_level
    if Options.own_process and context.invoked_subcommand in _MAY_WAIT:
        stand_back()


for command in (
    library.sync, library.watch, shared.embed, service.ask, service.chat, service.replay, service.serve, mcp.mcp,
    library.documents, library.show, library.delete, library.generations, library.diff, library.rollback,
    service.verify, upkeep.compact,
    upkeep.reembed, upkeep.backup, upkeep.restore, upkeep.absent, shared.init, quality.bench, quality.calibrate,
    service.doctor, settings_of.settings,
):  # fmt: skip
    app.command(epilog=epilog(command.__name__))(command)
app.command("eval", epilog=epilog("eval"))(quality.evaluate)
app.add_typer(keys.app, name="keys", epilog=epilog("keys"))
for one in keys.app.registered_commands:
    assert one.callback is not None
    one.epilog = epilog(f"keys {one.callback.__name__ if one.name is None else one.name}")


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

"""What the commands share: settings, printing, and errors told. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from api.config import Configured
    from api.settings import Settings
    from api.wiring import Runtime
    from index.library import Library

NO_ANSWER = 3

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Paths = Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)]


ReaderName = Annotated[
    str | None,
    typer.Option(
        "--reader", help="A Hugging Face question-answering model, by folder or cached name.", show_default=False
    ),
]


def _known_encoding(name: str | None) -> str | None:
    if name is not None:
        from index.load.decode import codec

        try:
            codec(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return name


Encoding = Annotated[
    str | None,
    typer.Option(callback=_known_encoding, help="Tried for text that is not UTF-8, for example latin-1."),
]


StoreAddress = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="Search passages in Qdrant: qdrant://host:6333/NAME.", show_default=False
    ),
]


class Options:
    """Options that stand before the command, and whether the process is the command's own."""

    library: Path | None = None
    store: str | None = None
    config: Path | None = None
    log_format: str | None = None
    log_level: str | None = None
    own_process: bool = False


def read_settings(**given: Any) -> Settings:
    """Return the settings; what is given (not None) wins over the environment, and that over the file."""
    return read_configured(**given).settings


def read_configured(**given: Any) -> Configured:
    """Return the settings and where each came from; from then on the log is as they say."""
    import os

    from api.config import ConfigError, configured
    from api.logs import configure

    before = {
        "library": Options.library,
        "store": Options.store,
        "log_format": Options.log_format,
        "log_level": Options.log_level,
    }
    try:
        found = configured(
            Options.config,
            os.environ,
            {**before, **{name: value for name, value in given.items() if value is not None}},
        )
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    if Options.own_process:
        configure(found.settings.log_format, found.settings.log_level)
    return found


def show_line(text: str = "") -> None:
    typer.echo(text)


def print_json(value: object, *, indent: int | None = 2) -> None:
    from api.console import printable_json

    typer.echo(printable_json(value, indent=indent))


def tell(code: str, message: str, as_json: bool, *, indent: int | None = 2) -> None:
    """Say what went wrong."""
    if as_json:
        print_json({"error": {"code": code, "message": message}}, indent=indent)
    else:
        typer.echo(f"citespan: {message}", err=True)


def fail(code: str, message: str, as_json: bool) -> NoReturn:
    tell(code, message, as_json)
    raise typer.Exit(1)


@contextmanager
def errors_told(as_json: bool = False) -> Iterator[None]:
    """Turn what the user can mend into a message and exit code 1."""
    from index.errors import CitespanError

    try:
        yield
    except CitespanError as error:
        fail(error.code, str(error), as_json)


def meter(quiet: bool) -> Callable[[int, int], None]:
    """Return what tells now and then how far the points of an engine are; nothing if it is to be `quiet`."""
    from api.progress import Meter

    return (lambda done, total: None) if quiet else Meter("points")


def forwarded(settings: Settings, quiet: bool) -> None:
    """Bring the engine of the settings, if they name one, in step with the library, which has changed.

    To be called when what was done is printed: whatever goes wrong here is told beside it.
    """
    if settings.store is None:
        return
    from api.wiring import bring_forward
    from index.errors import LibraryBusy, LibraryUnreachable, StoreError

    try:
        bring_forward(settings, meter(quiet))
    except (StoreError, LibraryBusy, LibraryUnreachable) as error:
        fail(error.code, f"{error}; the library has changed, and the next sync, or a server, goes on from here", False)
    except KeyboardInterrupt:
        fail("interrupted", "interrupted: the library has changed, and the next sync, or a server, goes on", False)


@contextmanager
def opened(as_json: bool, *, reader: str | None = None, store: str | None = None) -> Iterator[Runtime]:
    with errors_told(as_json):
        from api.wiring import open_runtime

        runtime = open_runtime(read_settings(reader=reader, store=store), progress=meter(as_json))
        try:
            yield runtime
        finally:
            runtime.close()


@contextmanager
def opened_library(as_json: bool) -> Iterator[Library]:
    with errors_told(as_json):
        from index.library import Library

        library = Library(read_settings().library)
        try:
            yield library
        finally:
            library.close()

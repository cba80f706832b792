"""A library that several servers share: its truth in PostgreSQL, and embedding by many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.common import Encoding, Json, Paths, errors_told, fail, print_json, read_settings, show_line

if TYPE_CHECKING:
    from index.portion import Part


def init(
    truth: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="A PostgreSQL database: postgresql://USER@HOST/DB, without a password.",
            show_default=False,
        ),
    ],
    schema: Annotated[str, typer.Option(help="The schema of that database: one library each.")] = "citespan",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Have the library of this folder live in PostgreSQL, which other servers may share. Once on each of them."""
    with errors_told(as_json):
        from api.audit import Audit
        from index.errors import LibraryNotFound
        from index.library import Library
        from index.truth import adopt

        folder = read_settings().library
        with Audit(folder).noting("library.init", ""):
            name = adopt(folder, truth, schema).name
        try:
            library = Library(folder)
        except LibraryNotFound:
            generation = None
        else:
            generation = library.generation().number
            library.close()
    if as_json:
        print_json({"library": str(folder), "truth": name, "generation": generation})
    else:
        there = "the first sync makes the library" if generation is None else f"it is at generation {generation}"
        show_line(f"the truth of {folder} is {name}; {there}")


def _part(said: str) -> Part:
    from index.portion import Part

    try:
        return Part.parse(said)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def embed(
    paths: Paths,
    part: Annotated[
        str, typer.Option(metavar="I/N", help="Which part of the files: 2/4 is the second of four.")
    ] = "1/1",
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Embed files ahead of a sync, which then finds their vectors there. Many machines may each take a part."""
    chosen = _part(part)
    with errors_told(as_json):
        from api.progress import Meter
        from api.wiring import open_embedder
        from index.portion import embed_part
        from index.report import SyncPolicy, SyncProgress

        settings = read_settings()
        meter = Meter("files")

        def progress(now: SyncProgress) -> None:
            if not as_json and now.stage != "scan":
                meter(now.files, now.files_total)

        try:
            done = embed_part(
                settings.library, open_embedder(settings), paths, chosen, policy=SyncPolicy(encoding=encoding),
                progress=progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            fail("interrupted", "interrupted: what was embedded is kept; run it again to go on", as_json)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(done))
        return
    for failure in done.failed:
        show_line(f"  failed {failure.name}: {failure.reason}")
    counts = f"{done.passages} passages, {done.embedded} embedded in {done.seconds:.1f} s"
    show_line(f"part {chosen.number} of {chosen.of}: {done.files} files, {done.known} known before, {counts}")

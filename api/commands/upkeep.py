"""Upkeep: letting old generations go, another embedder, backups, and proof that something is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import Json, errors_told, fail, forwarded, print_json, read_settings, show_line


def compact(
    keep_last: Annotated[int, typer.Option(min=1, help="How many generations stay.")] = 1,
    keep_days: Annotated[float | None, typer.Option(min=0, help="And all of so many days.")] = None,
    as_json: Json = False,
) -> None:
    """Let old generations go, and give back the space that only they used. Questions go on meanwhile."""
    with errors_told(as_json):
        from api.audit import Audit
        from index.change import compact as run

        settings = read_settings()
        with Audit(settings.library).noting("library.compact", ""):
            done = run(settings.library, keep_last=keep_last, keep_days=keep_days)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(done))
    else:
        sizes = f"{done.bytes_before / 1e6:.1f} MB before, {done.bytes_after / 1e6:.1f} MB now"
        show_line(f"{done.generations} generations and {done.passages} passages dropped; {sizes}")
    forwarded(settings, as_json)


def reembed(
    embedder: Annotated[
        str, typer.Option(help="A sentence-transformers model, by folder or name.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Switch the library to another embedder: new vectors beside the old ones, then one commit. Can be interrupted."""
    with errors_told(as_json):
        from api.audit import Audit
        from api.progress import Meter
        from api.wiring import load_embedder
        from index.reembed import reembed as run

        meter = Meter("passages")
        try:
            settings = read_settings()
            library = settings.library
            with Audit(library).noting("library.reembed", ""):
                done = run(
                    library, load_embedder(embedder), progress=(lambda done, total: None) if as_json else meter,
                    lock_timeout=60.0,
                )  # fmt: skip
        except KeyboardInterrupt:
            fail("interrupted", "interrupted: the former embedder is still in use; run it again to go on", as_json)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(done))
    elif done.generation is None:
        show_line("the library uses that embedder already")
    else:
        show_line(f"generation {done.generation}: {done.passages} passages by {embedder}, {done.embedded} embedded")
    forwarded(settings, as_json)


def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], as_json: Json = False) -> None:
    """Write the library as it is now to one file. Questions and syncs go on meanwhile."""
    with errors_told(as_json):
        from api.audit import Audit
        from index.backup import backup as run

        library = read_settings().library
        with Audit(library).noting("library.backup", ""):
            generation = run(library, file)
    if as_json:
        print_json({"file": str(file), "generation": generation})
    else:
        show_line(f"generation {generation} written to {file} ({file.stat().st_size / 1e6:.1f} MB)")


def restore(file: Annotated[Path, typer.Argument(help="A backup.")], as_json: Json = False) -> None:
    """Make a library from a backup, in a folder that has none."""
    with errors_told(as_json):
        from api.audit import Audit
        from index.backup import restore as run

        folder = read_settings().library
        with Audit(folder).noting("library.restore", ""):
            generation = run(file, folder)
    if as_json:
        print_json({"library": str(folder), "generation": generation})
    else:
        show_line(f"{folder} is at generation {generation}; its indexes are built when it is first opened")


def absent(
    text: Annotated[str | None, typer.Argument(help="Words that must not be there.", show_default=False)] = None,
    file: Annotated[Path | None, typer.Option(help="A text file; each of its sentences must not be there.")] = None,
    as_json: Json = False,
) -> None:
    """Prove that a text is gone: search the bytes of every file of the library for it. Exit code 1 if it is found."""
    with errors_told(as_json):
        from index.absent import search

        if (text is None) == (file is None):
            raise typer.BadParameter("give either a text or --file")
        try:
            wanted = text if file is None else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fail("unreadable-document", f"{file}: cannot be read ({error})", as_json)
        assert wanted is not None
        found = search(read_settings().library, wanted)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(found))
    else:
        for place in found.places:
            show_line(f"  found in {place.file} at byte {place.offset}: {place.encoding}")
        counts = f"{found.pieces} pieces searched for in {found.files} files, {found.bytes} bytes"
        show_line(f"{counts}: {'FOUND' if found.places else 'none found'}")
    if found.places:
        raise typer.Exit(1)

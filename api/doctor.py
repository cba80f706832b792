"""Is the installation sound, and the library? In plain words, with the way out."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from api.settings import Settings
from index.errors import CitespanError, LibraryNotFound

# How long a load that is under way is waited for.
_LOCK_SECONDS = 10.0
_TOP_LEVEL = ("qa", "index", "api")
_DISTRIBUTION = "citespan"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def examine(settings: Settings, *, drop_orphans: bool = False) -> list[Finding]:
    """Return what was found, the installation first, then the models, then the library and what searches it.

    With `drop_orphans` the collections of this library that nothing uses any more are deleted.
    """
    searched = [] if settings.store is None else [_tried("store", lambda: _store(settings, drop_orphans))]
    return [
        *_installed(settings),
        _tried("library", lambda: _library(settings.library)),
        *searched,
    ]


def _installed(settings: Settings) -> list[Finding]:
    return [
        Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"),
        _names(),
        _tried("reader", lambda: _reader(settings)),
        _tried("embedder", lambda: _embedder(settings)),
    ]


def foreign_owners() -> dict[str, set[str]]:
    """Return the other distributions that ship one of our top-level names; the one installed last wins on disk."""
    owners: dict[str, set[str]] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name != _DISTRIBUTION:
            for top in _tops(distribution):
                owners.setdefault(top, set()).add(name)
    return owners


def _tops(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    """Yield those of our names that a distribution installs as a package."""
    # Searched as it stands: made into a list of paths, the record of torch alone takes a second.
    record = distribution.read_text("RECORD")
    files = "\n".join(map(str, distribution.files or ())) if record is None else record
    yield from (name for name in _TOP_LEVEL if re.search(rf"^{name}(?:/__init__)?\.py\b", files, re.MULTILINE))


def _names() -> Finding:
    home = Path(__file__).parent.parent
    strangers = [
        name for name in _TOP_LEVEL if Path(str(__import__(name).__file__)).parent.parent.resolve() != home.resolve()
    ]
    owners = foreign_owners()
    if strangers or owners:
        others = ", ".join(sorted({name for names in owners.values() for name in names})) or "another folder"
        return Finding(
            "packages", False, f"{', '.join(strangers or owners)} also come from {others}; "
            "install citespan into a virtual environment of its own",
        )  # fmt: skip
    return Finding("packages", True, f"qa, index and api come from {home}")


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except LibraryNotFound as error:
        return Finding(what, True, str(error))
    except CitespanError as error:
        return Finding(what, False, str(error))


def _reader(settings: Settings) -> str:
    from api.wiring import open_readers
    from qa import calibrate
    from qa.read import together

    readers = together(*open_readers(settings))
    standard = calibrate.load(readers, settings.library).standard
    return f"{readers}, answers from a confidence of {standard.threshold:.2f}"


def _embedder(settings: Settings) -> str:
    from api.wiring import open_embedder

    embedder = open_embedder(settings)
    return f"{embedder.fingerprint}, {embedder.dimensions} dimensions"


def _library(folder: Path) -> str:
    from index.check import check_library
    from index.errors import LibraryDamaged

    checked = check_library(folder)
    if checked.problems:
        raise LibraryDamaged(f"{folder}: {len(checked.problems)} problems, the first: {checked.problems[0]}")
    return f"{folder}: generation {checked.generation}, {checked.documents} documents, {checked.passages} passages"


def _store(settings: Settings, drop_orphans: bool) -> str:
    from api.wiring import open_engine
    from index.errors import StoreError
    from index.library import Library
    from index.remote.lexicons import writing
    from index.remote.orphans import drop, examine

    library = Library(settings.library)
    engine = open_engine(settings)
    try:
        dropped = 0
        if drop_orphans:
            with writing(library, _LOCK_SECONDS) as lexicons:
                dropped = len(drop(library, engine, lexicons, lexicons.names()))
        found = examine(library, engine)
        newest = library.generation().number
        if found.stands_at != newest:
            raise StoreError(
                f"{engine.address} stands at generation {found.stands_at} and the library at {newest}; "
                "the next `citespan sync`, or a running server, brings it forward"
            )
        if found.orphans:
            named = ", ".join(found.orphans)
            raise StoreError(
                f"{engine.address}: nothing uses {named} any more; `citespan doctor --drop-orphans` deletes them"
            )
        told = f", {dropped} collections dropped" if dropped else ""
        foreign = f"; not of this library: {', '.join(found.foreign)}" if found.foreign else ""
        return f"{engine.address}: generation {newest} in {found.in_use}, {found.points} points{told}{foreign}"
    finally:
        engine.close()
        library.close()

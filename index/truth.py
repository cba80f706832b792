"""Which truth a library's folder has: its own SQLite file, or what `truth.json` in it names."""

from __future__ import annotations

import json
from pathlib import Path

from index.database import Truth
from index.errors import LibraryError
from index.sqlite import SqliteTruth

FILE_NAME = "truth.json"
_FORMAT = 1
SCHEMA = "citespan"


def truth_of(folder: Path) -> Truth:
    """Return where the truth of the library in `folder` lives, whether there is one yet or not.

    :raises LibraryError: if the folder names a truth that this installation cannot read.
    """
    file = folder / FILE_NAME
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return SqliteTruth(folder)
    except (OSError, ValueError) as error:
        raise LibraryError(f"{file}: cannot be read ({error}); run `citespan init --truth ADDRESS` anew") from error
    try:
        number, address, schema = said["format"], str(said["postgresql"]), str(said["schema"])
    except (KeyError, TypeError) as error:
        raise LibraryError(f"{file}: names no truth; run `citespan init --truth ADDRESS` anew") from error
    if number != _FORMAT:
        raise LibraryError(f"{file}: of format {number}, this version reads format {_FORMAT}; upgrade Citespan")
    return _postgres(address, schema)


def adopt(folder: Path, address: str, schema: str = SCHEMA) -> Truth:
    """Have the library in `folder`, which is made if need be, keep its truth in PostgreSQL; return that truth.

    The library itself is made by the first sync, unless another server's is there already. Nothing is stored but the
    address and the schema's name.

    :raises LibraryError: if there is a library with a truth of its own, the address is none or has a password in it.
    :raises LibraryUnreachable: if the database cannot be reached.
    """
    if SqliteTruth(folder).exists():
        raise LibraryError(f"{folder}: there is a library already, with its truth in SQLite; name another folder")
    truth = _postgres(address, schema)
    truth.exists()
    file = folder / FILE_NAME
    wanted = {"format": _FORMAT, "postgresql": address, "schema": schema}
    if file.exists() and json.loads(file.read_text(encoding="utf-8")) != wanted:
        raise LibraryError(f"{folder}: its truth is elsewhere already ({truth_of(folder).name}); name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written to ({error.strerror})") from error
    return truth


def _postgres(address: str, schema: str) -> Truth:
    # Here, because a library in SQLite has no use for the driver, and need not have it installed.
    try:
        from index.postgres import PostgresTruth
    except ImportError as error:
        raise LibraryError(
            "a truth in PostgreSQL needs the driver, which is an extra: pip install 'citespan[postgres]'"
        ) from error
    return PostgresTruth(address, schema)

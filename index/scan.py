"""Which files a sync is about: walking the folders given."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from index.errors import PathNotFound, UnreadableDocument
from index.load import supported
from index.load.sidecar import is_sidecar

_SIDECAR = re.compile(r"\.meta\.ya?ml$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file below a folder that was given: `path` is relative to `root`, in POSIX form.

    `sidecar` is the name of the file beside it that says what it is.
    """

    root: Path
    path: str
    sidecar: str | None = None

    @property
    def absolute(self) -> Path:
        return self.root / self.path

    @property
    def place(self) -> str:
        """The same as a string."""
        return place_of(self.root, self.path)

    @property
    def beside(self) -> Path:
        """Where the sidecar is."""
        assert self.sidecar is not None
        return self.absolute.with_name(self.sidecar)


@dataclass(frozen=True, slots=True)
class Scan:
    """Every file below the paths given: those with a loader, the names of those without, and what could not be seen.

    `closed` are folders that could not be listed: what is in them is not known, so it is not gone either.
    """

    files: tuple[FoundFile, ...]
    ignored: tuple[str, ...]
    failed: tuple[UnreadableDocument, ...]
    scopes: tuple[Path, ...]
    closed: tuple[Path, ...]

    def covers(self, absolute: Path) -> bool:
        """Return whether a file at `absolute` would have been found if it were there."""
        return _below(absolute, self.scopes) and not _below(absolute, self.closed)


def scan(paths: Sequence[Path], *, leave_out: Path | None = None) -> Scan:
    """Return what is below `paths`, each file once, in the order of names.

    Hidden files and folders are left out, and the folder `leave_out`: a library in the folder that it is made from.
    Links to folders are not followed; links to files are listed, and judged when they are read.

    :raises PathNotFound: if a path does not exist, or may not be looked at.
    """
    library = None if leave_out is None else os.path.realpath(leave_out)
    files: dict[str, FoundFile] = {}
    ignored: list[str] = []
    scopes: list[Path] = []
    failed: list[UnreadableDocument] = []
    closed: list[Path] = []
    for given in paths:
        # The path itself may be a link: the user named it. What is below it may not lead out.
        place = _resolved(given)
        scopes.append(place)
        errors: list[OSError] = []
        found_names = list(_walk(place, errors.append, library)) if place.is_dir() else [place.name]
        root = place if place.is_dir() else place.parent
        # A file that was named by itself has its sidecar beside it all the same.
        sidecars = _sidecars(found_names if place.is_dir() else _names(root))
        for name in found_names:
            if is_sidecar(name):
                continue
            if not supported(name):
                ignored.append(_printable(name))
            elif _printable(name) != name:
                failed.append(UnreadableDocument(_printable(name), "its name is not UTF-8; rename it"))
            else:
                found = FoundFile(root, name, sidecars.get(name, sidecars.get(posixpath.splitext(name)[0])))
                files.setdefault(found.place, found)
        for error in errors:
            name = _printable(os.path.relpath(error.filename, root))
            failed.append(UnreadableDocument(name, f"the folder cannot be listed: {error.strerror}"))
            closed.append(Path(error.filename))
    return Scan(tuple(files.values()), tuple(ignored), tuple(failed), tuple(scopes), tuple(closed))


def place_of(root: str | Path, path: str) -> str:
    """Return where the file `path` below `root` is: a string, as many Paths take much more memory."""
    return os.path.join(root, path)  # noqa: PTH118


def _resolved(given: Path) -> Path:
    try:
        place = given.expanduser().resolve()
        place.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links, up to Python 3.12
        reason = error.strerror if isinstance(error, OSError) else error
        raise PathNotFound(f"{_printable(str(given))}: no such file or folder ({reason})") from error
    if _printable(str(place)) != str(place):
        raise PathNotFound(f"{_printable(str(place))}: its name is not UTF-8; rename it")
    return place


def _below(absolute: Path, folders: Sequence[Path]) -> bool:
    return any(absolute == folder or folder in absolute.parents for folder in folders)


def _printable(name: str) -> str:
    """Return `name` with U+FFFD for bytes that are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _sidecars(names: Iterable[str]) -> dict[str, str]:
    """Return the sidecars among `names` by what they are beside: `report.pdf`, or `report` whatever its format."""
    return {_SIDECAR.sub("", name): PurePosixPath(name).name for name in names if is_sidecar(name)}


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, none if it may not be listed."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _walk(root: Path, failed: Callable[[OSError], None], library: str | None) -> Iterator[str]:
    for folder, folders, names in os.walk(root, onerror=failed, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if library is not None:
            folders[:] = [name for name in folders if os.path.realpath(Path(folder, name)) != library]
        # In plain strings: a Path for each of many files takes longer than looking at them.
        below = "" if Path(folder) == root else f"{Path(folder).relative_to(root).as_posix()}/"
        for name in sorted(names):
            if not name.startswith("."):
                yield f"{below}{name}"

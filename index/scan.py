"""Which files a sync is about: walking the folders given, and telling moved files from new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import PathNotFound
from index.load import supported


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file below a folder that was given: `path` is relative to `root`, in POSIX form."""

    root: Path
    path: str

    @property
    def absolute(self) -> Path:
        return self.root / self.path


@dataclass(frozen=True, slots=True)
class Scan:
    """Every file below the paths given: those with a loader, and the names of those without."""

    files: tuple[FoundFile, ...]
    ignored: tuple[str, ...]
    scopes: tuple[Path, ...]

    def covers(self, absolute: Path) -> bool:
        """Return whether a file at `absolute` would have been found if it were there."""
        return any(absolute == scope or scope in absolute.parents for scope in self.scopes)


def scan(paths: Sequence[Path]) -> Scan:
    """Return what is below `paths`, each file once, in the order of names. Hidden files and folders are left out.

    Links to folders are not followed; links to files are listed, and judged when they are read.

    :raises PathNotFound: if a path does not exist.
    """
    files: dict[Path, FoundFile] = {}
    ignored: list[str] = []
    scopes = []
    for given in paths:
        # The path itself may be a link: the user named it. What is below it may not lead out.
        place = given.expanduser().resolve()
        if not place.exists():
            raise PathNotFound(f"{given}: no such file or folder")
        scopes.append(place)
        root, names = (place, _walk(place)) if place.is_dir() else (place.parent, iter([place.name]))
        for name in names:
            if not supported(name):
                ignored.append(name)
            else:
                found = FoundFile(root, name)
                files.setdefault(found.absolute, found)
    return Scan(tuple(files.values()), tuple(ignored), tuple(scopes))


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()

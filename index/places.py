"""The paths that a watch is about: whether they are there, which folders to listen to, and which names matter."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

# Linux watches single folders, and a recursive watch would follow links out of the folder given. Elsewhere the system
# itself watches whole trees.
EACH_FOLDER = sys.platform == "linux"

Mark = tuple[int, ...]


def mark(path: Path) -> Mark | None:
    """Return what tells whether `path` was replaced, or, if it is a file, written to; None if it is not there."""
    try:
        status = path.stat()
    except (OSError, RuntimeError):  # RuntimeError: a circle of links, up to Python 3.12
        return None
    identity = (status.st_dev, status.st_ino)
    return identity if stat.S_ISDIR(status.st_mode) else (*identity, status.st_size, status.st_mtime_ns)


class Places:
    """Paths given, as they were when last looked at. `ignored` are folders below them that are none of theirs."""

    def __init__(self, paths: Sequence[Path], ignored: Sequence[Path]) -> None:
        # Made absolute, not resolved: a link stays one, and may lead elsewhere tomorrow.
        self.paths = tuple(Path.cwd() / path.expanduser() for path in paths)
        self._ignored = [str(path.expanduser().resolve()) for path in ignored]
        self._marks: dict[Path, Mark | None] = {}
        self._roots: dict[str, Path] = {}
        self._doubted: set[Path] = set()

    def look(self) -> dict[Path, Mark | None]:
        """Take the paths for what they are now; return their marks."""
        self._marks = self.marks()
        self._roots = {str(path.resolve()): path for path in self.paths}
        self._doubted.clear()
        return self._marks

    def marks(self) -> dict[Path, Mark | None]:
        """Return the marks of all paths as they are now."""
        return {path: mark(path) for path in self.paths}

    def doubt(self, path: str) -> None:
        """Remember that the root `path` may have been replaced: its mark need not show it, inodes are used again."""
        if path in self._roots:
            self._doubted.add(self._roots[path])

    def absent(self) -> dict[Path, str]:
        """Return the paths that are away, with the reason.

        A folder that was replaced by an empty one is away too: a disk that is no longer mounted leaves one behind.
        """
        absent = {}
        for path, now in self.marks().items():
            replaced = path in self._doubted or now != self._marks.get(path, now)
            if now is None:
                absent[path] = "not there"
                self._doubted.add(path)
            elif replaced and path.is_dir() and not _holds_something(path):
                absent[path] = "replaced by an empty folder"
        return absent

    def folders(self) -> frozenset[str]:
        """Return the folders to listen to: those given, and on Linux all below them that a sync would look into."""
        given = [root for root in self._roots if Path(root).is_dir()]
        return frozenset(folder for root in given for folder in (self._below(root) if EACH_FOLDER else [root]))

    def _below(self, root: str) -> Iterator[str]:
        for folder, names, _ in os.walk(root):
            if _is_utf8(folder):
                yield folder
                names[:] = [name for name in names if self.matter(f"{folder.rstrip(os.sep)}{os.sep}{name}")]
            else:
                names.clear()

    def matter(self, path: str) -> bool:
        """Return whether a sync would look at `path`: seen from one of the roots, neither hidden nor ignored."""
        return any(path == root or self._matters_to(root, path) for root in self._roots)

    def _matters_to(self, root: str, path: str) -> bool:
        if not _is_below(path, root):
            return False
        # A root in an ignored folder was meant by whoever gave it.
        ignored = (place for place in self._ignored if place != root and not _is_below(root, place))
        if any(path == place or _is_below(path, place) for place in ignored):
            return False
        # Of a flood of names each comes by here: no Path is made.
        return f"{os.sep}." not in path[len(root.rstrip(os.sep)) :]


def _holds_something(folder: Path) -> bool:
    """Return whether something in `folder` is not hidden; False if it cannot be listed."""
    try:
        return any(not entry.name.startswith(".") for entry in folder.iterdir())
    except OSError:
        return False


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_utf8(name: str) -> bool:
    return os.fsencode(name).decode("utf-8", "replace") == name

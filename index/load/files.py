"""A path → its bytes, read so that a hostile or changing folder can do no harm."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from index.errors import BrokenLink, DocumentChanged, DocumentTooLarge, EmptyDocument, UnreadableDocument

MIB = 1024 * 1024
LIMIT = 32 * MIB
_TRIES = 2
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# 0 where a system does not know a flag. O_NONBLOCK: opening a pipe must not wait for its writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def read_file(path: Path, root: Path, limit: int = LIMIT, after_read: Callable[[], None] | None = None) -> bytes:
    """Return the whole content of the regular file `path`, which lies in the folder `root`; at most `limit` bytes.

    Symbolic links are followed inside `root` only. `after_read` is called between the read and the look at whether the
    file changed meanwhile. Errors name the path relative to `root`.

    :raises BrokenLink: a link leads nowhere, in a circle, or out of `root`.
    :raises UnreadableDocument: missing, not permitted, not a regular file, or the disk fails.
    :raises DocumentTooLarge: more than `limit` bytes; no more than one byte over it is read.
    :raises DocumentChanged: it changed during two reads in a row.
    :raises EmptyDocument: 0 bytes.
    :raises ValueError: `path` is not written as a path below `root`.
    """
    relative = path.relative_to(root)
    name = os.fsencode(relative.as_posix()).decode("utf-8", "replace")
    try:
        home = root.resolve(strict=True)
        real = _resolved(path, home, name)
        _expect_regular(real.stat(), name)
        for _ in range(_TRIES):
            data = _read_once(home, real.relative_to(home), name, limit, after_read)
            if data is not None:
                break
        else:
            raise DocumentChanged(name, "it changed while it was read, twice; sync again when nothing writes to it")
    except PermissionError as error:
        raise UnreadableDocument(name, "permission denied; let the user that runs citespan read it") from error
    except FileNotFoundError as error:
        raise UnreadableDocument(name, "no such file; if it was just moved or deleted, sync again") from error
    except OSError as error:
        raise UnreadableDocument(name, f"cannot be read: {error.strerror}") from error
    if not data:
        raise EmptyDocument(name, "the file is empty (0 bytes)")
    return data


def _resolved(path: Path, home: Path, name: str) -> Path:
    """Return where `path` leads, which is inside `home`."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError as error:
        # A name that is there although its target is not is a link.
        if os.path.lexists(path):
            raise BrokenLink(name, "a symbolic link that leads nowhere; mend or remove it") from error
        raise
    except (RuntimeError, OSError) as error:
        # A circle of links: RuntimeError up to Python 3.12, ELOOP after.
        if isinstance(error, OSError) and error.errno != errno.ELOOP:
            raise
        raise BrokenLink(name, "a symbolic link that leads in a circle; mend or remove it") from error
    if not real.is_relative_to(home):
        raise BrokenLink(name, "a symbolic link that leads out of the folder; copy the file in, or sync its own folder")
    return real


def _read_once(
    home: Path, relative: Path, name: str, limit: int, after_read: Callable[[], None] | None
) -> bytes | None:
    """Return the content, or None when the file changed meanwhile."""
    with os.fdopen(_open(home, relative), "rb") as file:
        before = os.fstat(file.fileno())
        _expect_regular(before, name)
        if before.st_size > limit:
            raise DocumentTooLarge(name, _too_large(f"{before.st_size / MIB:.1f} MiB", limit))
        data = file.read(limit + 1)
        if after_read is not None:
            after_read()
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    if len(data) > limit:
        raise DocumentTooLarge(name, _too_large("more than that", limit))
    return data


def _open(home: Path, relative: Path) -> int:
    """Return a descriptor of `home/relative`, opened folder by folder: a link slipped in meanwhile is not followed."""
    if os.open not in os.supports_dir_fd:
        return os.open(home / relative, _FLAGS)
    folder = os.open(home, _FOLDER_FLAGS)
    try:
        for part in relative.parts[:-1]:
            below = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(relative.name, _FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _expect_regular(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(status.st_mode)), "something special")
        raise UnreadableDocument(name, f"{kind}, not a regular file; give citespan a file")


def _too_large(size: str, limit: int) -> str:
    return f"{size}, over the limit of {limit / MIB:g} MiB; split the file or raise the limit"

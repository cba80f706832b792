"""Keeping a long-lived process small where the C library is glibc, whose defaults are for short ones."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
_ARENAS = 2


def few_arenas() -> None:
    """Keep glibc to two heaps; to be called before threads start, by the programs that run for long.

    By default threads take up to eight heaps a core, and what they leave behind in heap after heap makes a process
    twice its size over a hundred syncs (`python -m benchmarks.library`).
    """
    _call("mallopt", ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(_ARENAS))


def give_back() -> None:
    """Return to the system what was freed.

    Each generation that is taken up leaves a former vector index behind, and questions side by side leave holes between
    what is kept; glibc would hold on to both.
    """
    _call("malloc_trim", ctypes.c_size_t(0))


def _call(name: str, *values: ctypes.c_int | ctypes.c_size_t) -> None:
    """Call a function of the C library, if it has it: musl and macOS have not."""
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
    if function is not None:
        function(*values)

"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return to the system what was freed, where the C library can be told to (glibc).

    Each generation that is taken up leaves a former vector index behind, and glibc would keep the holes: without this a
    server grows to twice its size over a hundred syncs (`python -m benchmarks.library`).
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(ctypes.c_size_t(0))

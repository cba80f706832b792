"""Who goes first on a machine that answers questions and changes its library at the same time."""

from __future__ import annotations

import os
import sys

# Linux shares a core by weight: ten steps of niceness are a ninth of the weight.
_NICENESS = 10
# Half of the weight.
_A_LITTLE = 3
_LEAST = 19


def stand_back() -> None:
    """Let other processes go first, for the rest of this one: a change can wait, a question cannot.

    Calling it again changes nothing. Where there are no priorities (Windows) it does nothing.
    `python -m benchmarks.library --passages 100000` measures the longest wait of a question beside each change.
    """
    if hasattr(os, "setpriority"):
        # Absolute, where `os.nice` would add up; whoever asked for less than this keeps it.
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))


def step_back() -> None:
    """Let the other threads of this process go a little before this one, where threads have priorities (Linux).

    What computes for long without the interpreter would else keep a core from whoever holds it, and all wait for him.
    Syncs beside it still stand further back.
    """
    if sys.platform.startswith("linux"):
        os.setpriority(os.PRIO_PROCESS, 0, min(_LEAST, os.getpriority(os.PRIO_PROCESS, 0) + _A_LITTLE))


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    found = os.cpu_count()
    return 1 if found is None else found

"""Who goes first on a machine that answers questions and changes its library at the same time."""

from __future__ import annotations

import os

# Linux shares a core by weight: ten steps of niceness are a ninth of the weight.
_NICENESS = 10


def stand_back() -> None:
    """Let other processes go first, for the rest of this one: a change can wait, a question cannot.

    Calling it again changes nothing. Where there are no priorities (Windows) it does nothing.
    `python -m benchmarks.library --passages 100000` measures the longest wait of a question beside each change.
    """
    if hasattr(os, "setpriority"):
        # Absolute, where `os.nice` would add up; whoever asked for less than this keeps it.
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))

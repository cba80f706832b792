"""Which truth a library's folder has."""

from __future__ import annotations

from pathlib import Path

from index.database import Truth
from index.sqlite import SqliteTruth


def truth_of(folder: Path) -> Truth:
    """Return where the truth of the library in `folder` lives, whether there is one yet or not."""
    return SqliteTruth(folder)

"""The crash campaign in one process: changes are cut short between two commits, thousands in a few minutes.

`python -m benchmarks.cut --minutes 10` plays worlds of 40 changes each, of which about every other one is stopped right
before or after one of its transactions, as a kill would; after each the library is compared with the record of what it
must hold. Nothing is asked meanwhile and no process dies, so it finds what `benchmarks.crash` is too slow for: chains
of changes that are each unlikely. A world is told by its seed and is always the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from unittest.mock import patch

from benchmarks.crashworld import World
from benchmarks.standin import StandIn
from benchmarks.victim import Order, change
from index.database import Database
from index.writer import Writer

CHANGES = 40
_CUT_SHORT = 0.6
# Transactions of a change that are let through at most; a sync of some files has about as many.
_MOST = 6


class Cut(BaseException):
    """The change is stopped here, as if its process had died."""


def play(seed: int, changes: int = CHANGES) -> list[str]:
    """Return what was not as it must be after the first change after which anything was not; nothing if all was."""
    chance = Random(seed)
    with tempfile.TemporaryDirectory(prefix="citespan-cut-") as scratch:
        world = World(Path(scratch, "library"), Path(scratch, "files"), Random(seed + 1), ("stand-in", "other"))
        for number in range(changes):
            plan = world.plan("" if number else "sync")
            left = chance.randint(0, _MOST) if number and chance.random() < _CUT_SHORT else None
            acknowledged, generation = _obeyed(plan.order, left)
            if wrong := world.observe(plan, acknowledged, generation):
                return [f"world {seed}, change {number} ({plan.order.change}): {one}" for one in wrong]
    return []


def _obeyed(order: Order, left: int | None) -> tuple[bool, int | None]:
    try:
        with _cut_after(left):
            return True, change(asdict(order), StandIn(order.embedder))
    except Cut:
        return False, None


@contextmanager
def _cut_after(left: int | None) -> Iterator[None]:
    """Have what is done inside be stopped after `left` transactions; never for None."""
    real = Writer.transaction

    @contextmanager
    def counted(writer: Writer) -> Iterator[Database]:
        nonlocal left
        if left == 0:
            raise Cut
        with real(writer) as db:
            yield db
        if left is not None:
            left -= 1
            if left == 0:
                raise Cut

    with patch.object(Writer, "transaction", counted):
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first world; the next one has the next")
    given = parser.parse_args()
    until, seed, bad = time.monotonic() + 60 * given.minutes, given.seed, 0
    while time.monotonic() < until:
        found = play(seed)
        bad += bool(found)
        for line in found:
            print(line, flush=True)
        seed += 1
    worlds = seed - given.seed
    print(f"{worlds} worlds, {CHANGES * worlds:,} changes, {bad} worlds with something wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

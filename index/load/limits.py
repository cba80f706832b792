"""How much one file may ask of the machine, and the count of what it has asked for so far."""

from __future__ import annotations

from dataclasses import dataclass

from index.errors import DocumentTooLarge
from index.load.files import LIMIT, MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one file may be or become; sizes are in bytes.

    `file` is the file as it lies there, `unpacked` all that comes out of it; `ratio` is unpacked to packed and counts
    from 1 MiB unpacked. `records` are documents and failures together. `seconds` of wall clock and `memory` hold where
    a child process loads the file (`index.load.isolate`).
    """

    file: int = LIMIT
    unpacked: int = 512 * MIB
    ratio: int = 200
    members: int = 10_000
    pages: int = 5_000
    records: int = 100_000
    seconds: float = 60.0
    memory: int = 2048 * MIB


class Unpacked:
    """How many bytes have come out of one file, over all of its levels."""

    def __init__(self, packed: int, limits: Limits) -> None:
        self._packed = packed
        self._limits = limits
        self._so_far = 0

    def allowance(self, packed: int) -> int:
        """Return how many bytes may come out of the next `packed` bytes."""
        of_all = max(MIB, self._limits.ratio * self._packed)
        of_this = max(MIB, self._limits.ratio * packed)
        return min(of_this, min(of_all, self._limits.unpacked) - self._so_far)

    def add(self, count: int, packed: int, name: str) -> None:
        """Count `count` bytes that came out of `packed`; at most one more than the allowance need have been read.

        :raises DocumentTooLarge: they are over the allowance.
        """
        allowed = self.allowance(packed)
        # What is refused counts too: a thousand bombs cost as much work as one.
        self._so_far += count
        if count > allowed:
            raise DocumentTooLarge(
                name,
                f"unpacks to over {self._limits.unpacked / MIB:g} MiB, or to over {self._limits.ratio} times its size; "
                "unpack it yourself and sync the folder",
            )

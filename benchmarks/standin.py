"""A stand-in for an embedder: fast, deterministic, without a model. For benchmarks of the library, not of answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


class StandIn:
    """Counts words into hashed dimensions: texts with the same words are near. `name` makes it another embedder."""

    def __init__(self, name: str = "stand-in", dimensions: int = 384) -> None:
        self.name = name
        self._dimensions = dimensions
        self.embedded = 0

    @property
    def fingerprint(self) -> str:
        return f"{self.name}:{self._dimensions}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        rows = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        rows[:, 0] = 0.1  # a text without words has a direction too
        for row, text in zip(rows, texts, strict=True):
            places = [_place(self.name, word) % self._dimensions for word in _WORD.findall(text.lower())]
            np.add.at(row, places, 1.0)
        normalised: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return normalised

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) for text in texts]


def by_fingerprint(name: str) -> StandIn:
    """Return the stand-in of that name, as a store asks for the embedder that a reembed has switched to."""
    return StandIn(name)


# Small: what it holds counts in the memory that a benchmark measures.
@lru_cache(maxsize=5_000)
def _place(name: str, word: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{name} {word}".encode(), digest_size=8).digest(), "big")

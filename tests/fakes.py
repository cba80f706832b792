"""Stand-ins that work: an embedder without a model, and a tree of files from literals."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Counts words into hashed dimensions, so that texts with the same words are near; remembers what it embedded."""

    def __init__(self, dimensions: int = 64, name: str = "hashing") -> None:
        self._dimensions = dimensions
        self._name = name
        self.embedded: list[str] = []

    @property
    def fingerprint(self) -> str:
        return f"{self._name}-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded.extend(texts)
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 0.1  # a text without words has a direction too
            for word in _WORD.findall(text.lower()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                row[int.from_bytes(digest, "big") % self._dimensions] += 1.0
        normalised: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return normalised

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) for text in texts]


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Make `folder` hold `files` (path below it → content) and return it."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder

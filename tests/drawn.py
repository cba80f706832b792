"""A library of one-passage documents whose vectors are drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.drafts import Draft, vector_key
from index.library import Library
from index.passages import Cut
from index.quantise import quantise
from index.quantising import USUAL, Quantising
from index.types import Kind, Metadata, Revision, Sentence, Span
from index.writer import Writer, initialise

DIMENSIONS = 8


def text(seed: int, passages: int) -> str:
    """Return what the document of a seed says: a line a passage."""
    return "\n".join(f"Document {seed}, {number}." for number in range(passages))


def vector(seed: int, different: int = 9) -> NDArray[np.float32]:
    """Return the vector of a document, float32 (DIMENSIONS,), of unit length; those of some seeds are the same."""
    return _of_length_1(np.random.default_rng(seed % different))


def unit(seed: int) -> NDArray[np.float32]:
    """Return a query."""
    return _of_length_1(np.random.default_rng(100_000 + seed))


def _of_length_1(chance: np.random.Generator) -> NDArray[np.float32]:
    drawn = chance.normal(size=DIMENSIONS).astype(np.float32)
    made: NDArray[np.float32] = drawn / np.linalg.norm(drawn)
    return made


class Generations:
    """Such a library; `commit` makes the next generation. Of `different` passages no two have the same vector."""

    def __init__(self, folder: Path, quantising: Quantising = USUAL, *, different: int = 9, passages: int = 1) -> None:
        initialise(folder, {"dimensions": str(DIMENSIONS)})
        self.folder = folder
        self.library = Library(folder)
        self._quantising = quantising
        self._different = different
        self._passages = passages

    def commit(self, added: Iterable[int], removed: Sequence[int] = (), *, aside: bool = False) -> int:
        """Return the number of the generation that is made, which is not active if it is kept `aside`."""
        with Writer(self.folder) as writer:
            for seed in added:
                self._stage(writer, seed)
            quantise(self.library, writer, self._quantising)
            names = [f"d{seed}" for seed in removed]
            if aside:
                return writer.commit_aside(changed=[], removed=names, summary={})
            return writer.commit(changed=[], removed=names, files=[], gone=[], summary={})

    def _stage(self, writer: Writer, seed: int) -> None:
        said = text(seed, self._passages)
        lines = said.split("\n")
        ends = list(accumulate(len(line) + 1 for line in lines))
        spans = [Span(end - 1 - len(line), end - 1) for end, line in zip(ends, lines, strict=True)]
        keys = [vector_key("drawn", line) for line in lines]
        first = seed * self._passages
        writer.stage_vectors(keys, np.stack([vector(first + n, self._different) for n in range(len(lines))]))
        draft = Draft(f"d{seed}", "u", "T", Metadata(), Revision.of(said), (), "", f"d{seed}", "")
        writer.stage_version(draft, [Cut(span, (Sentence(span, Kind.BODY),)) for span in spans], keys)


def brute_force(library: Library, generation: int, query: NDArray[np.float32]) -> dict[int, float]:
    """Return the cosine similarity of every live passage."""
    scores: dict[int, float] = {}
    for ids, vectors in library.vectors(library.live_ids(generation)):
        lengths = np.linalg.norm(vectors, axis=1)
        scores |= dict(zip(ids, (vectors @ query / lengths).tolist(), strict=True))
    return scores

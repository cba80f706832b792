"""Libraries of a thousand to a million passages: `python -m benchmarks.synthetic --passages N --library D --keep D`.

Three kinds of documents. *Asked about*: ten news articles and the 598 paragraphs of SQuAD 2.0 dev-public, as they are.
*Real*: the other 179 news articles, as they are. Both have real vectors. *Made up*: sentences of two articles of the
reader's training data, in any order, half of their names and numbers exchanged. A passage of those has a plausible
vector: a blend of two real ones, which its two articles always have a few of, moved by the difference of two others, of
unit length. It is a library like any other: made by `ingest`, a batch of documents a generation.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.bank import Bank, KeptVectors, public_bank
from benchmarks.data import QuestionSet, news, squad_open
from index.library import Library
from index.sync import Upload, ingest
from index.types import Metadata

SEED = 1
# From this size on, the real documents that nothing is asked about are in it too: some 1,700 passages.
_WITH_REAL = 5_000
_USUAL = 15.0  # passages a made-up document
# Documents a generation: the memory of one batch is what making a library takes.
_BATCH = 4_000
_LONGEST, _SHORTEST = 30, 2  # paragraphs a document
_SENTENCES = (3, 4, 5, 6)
_EXCHANGED = 0.5
_BETWEEN = "; "
_OF_ONE_ARTICLE = 4
# How far a blend is moved, in differences of two real vectors.
_MOVED = 0.35
_FIRST_DAY = date(2005, 1, 1)
_DAYS = 7_600
_PUBLISHERS = tuple(
    f"{place} {kind}"
    for place in ("Northfield", "Harbour", "Eastgate", "Riverside", "Hilltown", "Lakeside", "Southport", "Old Town")
    for kind in ("Herald", "Gazette", "Review", "Observer", "Almanac")
)


class Plausible:
    """Stands in for an embedder, by its name, for made-up texts: vectors such as it makes, at no cost."""

    def __init__(self, fingerprint: str, real: NDArray[np.float32]) -> None:
        """`real` are vectors of the embedder, those of one document beside one another."""
        self._fingerprint = fingerprint
        self._real = real

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        return int(self._real.shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector for each text, always the same one for the same text."""
        drawn = np.array([_drawn(text, 5) for text in texts]).reshape(len(texts), 5)
        topics = [text.split("\n", 1)[0].partition(_BETWEEN) for text in texts]
        one = self._near([name for name, _, _ in topics], drawn[:, 0])
        other = self._near([name for _, _, name in topics], drawn[:, 1])
        share = (0.2 + 0.6 * (drawn[:, 2] % 1_000) / 1_000)[:, None]
        moved = self._real[drawn[:, 3] % len(self._real)] - self._real[drawn[:, 4] % len(self._real)]
        blend = share * one + (1 - share) * other + _MOVED * moved
        unit: NDArray[np.float32] = (blend / np.linalg.norm(blend, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        # A quarter more tokens than words and marks: counting them takes longer than all else that is done here.
        return [math.ceil(1.25 * (text.count(" ") + text.count(",") + 2)) for text in texts]

    def _near(self, names: Sequence[str], drawn: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return for each article one of the few real vectors that are always its own."""
        first = np.array([_drawn(name, 1)[0] for name in names])
        found: NDArray[np.float32] = self._real[(first + drawn % _OF_ONE_ARTICLE) % len(self._real)]
        return found


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes made-up documents, number by number; the same number is always the same document."""

    bank: Bank
    seed: int = SEED

    def document(self, number: int) -> Upload:
        """Return document `number`."""
        chance = Random(self.seed * 1_000_003 + number)
        one, other = chance.sample(self.bank.articles, 2)
        forms = (one.forms, other.forms)
        paragraphs = []
        for _ in range(round(math.exp(chance.uniform(math.log(_SHORTEST), math.log(_LONGEST))))):
            said = [chance.choice(forms[chance.random() < 0.5]) for _ in range(chance.choice(_SENTENCES))]
            paragraphs.append(" ".join(form.filled(chance, self.bank.names, _EXCHANGED) for form in said))
        return Upload(
            f"made-up/{number // 1_000:04}/{number:07}.txt",
            "\n".join([*paragraphs, ""]).encode(),
            Metadata(
                title=f"{one.name}{_BETWEEN}{other.name}",
                author=chance.choice(self.bank.names) if chance.random() < 0.5 else None,
                publisher=chance.choice(_PUBLISHERS),
                published_at=(_FIRST_DAY + timedelta(days=chance.randrange(_DAYS))).isoformat(),
            ),
        )


def asked_about() -> QuestionSet:
    """Return the documents that the questions are about, and the questions: those of the news, then SQuAD's."""
    stories, paragraphs = news(), squad_open()
    sources = {gold.document for question in stories.questions for gold in question.gold}
    documents = {name: text for name, text in stories.documents.items() if name in sources}
    return replace(
        paragraphs,
        name="growth",
        documents={**documents, **paragraphs.documents},
        questions=(*stories.questions, *paragraphs.questions),
    )


def make(library: Path, passages: int, keep: Path, vectors: KeptVectors) -> Iterator[int]:
    """Make a library of `passages` passages or a few more; yield how many there are, first those with real vectors.

    What was cut short goes on where it was. The folder `keep` gets a library of the real documents alone.
    """
    asked = asked_about().documents
    others = {name: text for name, text in news().documents.items() if name not in asked}
    real = [Upload(f"real/{name}", text.encode()) for name, text in others.items()]
    ingest(keep / "real", vectors, real)
    first = [Upload(f"asked/{name}", text.encode()) for name, text in asked.items()]
    first += real if passages >= _WITH_REAL else []
    ingest(library, vectors, first)
    plausible, writer = Plausible(vectors.fingerprint, _vectors(keep / "real")), Writer(public_bank())
    documents, held = _counts(library)
    yield held
    per_document = _USUAL
    while held < passages:
        count = min(_BATCH, max(1, math.ceil((passages - held) / per_document)))
        number = documents - len(first)
        ingest(library, plausible, [writer.document(n) for n in range(number, number + count)])
        before, (documents, held) = held, _counts(library)
        per_document = (held - before) / count
        yield held


def open_vectors(keep: Path) -> KeptVectors:
    """Return the default embedder, with what it has embedded in the folder `keep`."""
    keep.mkdir(parents=True, exist_ok=True)
    return KeptVectors(open_embedder(Settings(library=keep / "none")), keep / "real.npz")


def _counts(library: Path) -> tuple[int, int]:
    """Return how many documents and passages a library has."""
    opened = Library(library)
    try:
        generation = opened.generation()
        return generation.documents, generation.passages
    finally:
        opened.close()


def _vectors(library: Path) -> NDArray[np.float32]:
    """Return all vectors of a library, in the order in which its passages were taken in."""
    opened = Library(library)
    try:
        ids = opened.live_ids(opened.generation().number)
        return np.concatenate([vectors for _, vectors in opened.vectors(ids)])
    finally:
        opened.close()


def _drawn(text: str, count: int) -> tuple[int, ...]:
    """Return numbers below 2^32 that are always the same for the same text."""
    digest = hashlib.blake2b(text.encode(), digest_size=4 * count).digest()
    return tuple(int.from_bytes(digest[at : at + 4], "big") for at in range(0, 4 * count, 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, required=True, help="how many passages, about")
    parser.add_argument("--library", type=Path, required=True, help="where to make the library, or to go on making it")
    parser.add_argument("--keep", type=Path, required=True, help="where the real vectors are kept for the next one")
    given = parser.parse_args()
    vectors = open_vectors(given.keep)
    started = time.perf_counter()
    for number, held in enumerate(make(given.library, given.passages, given.keep, vectors)):
        said = "with real vectors" if number == 0 else "all in all"
        print(f"{held:9,} passages {said}, {time.perf_counter() - started:.0f} s", flush=True)
        vectors.save()


if __name__ == "__main__":
    main()

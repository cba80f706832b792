"""What made-up documents are made of: sentences of public articles, and kept vectors of real passages.

Names and numbers of a sentence are places where others can stand, so that no sentence has to come twice.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import SHARED
from index.drafts import vector_key
from index.embed import Embedder
from index.sentences import split

_SOURCE = "squad1.1-train"
# Two or more capitalised words; a single one may only begin a sentence.
_PLACE = re.compile(r"(\b[A-Z][a-z]+(?: [A-Z][a-z]+)+|\b\d+(?:[.,]\d+)*)")


@dataclass(frozen=True, slots=True)
class Form:
    """A sentence as `pieces`: every second one is a name or a number, and may be exchanged."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, sentence: str) -> Form:
        return cls(tuple(_PLACE.split(sentence)))

    def filled(self, chance: Random, names: Sequence[str], share: float) -> str:
        """Return the sentence with each name and number exchanged with the probability `share`."""
        if len(self.pieces) == 1:
            return self.pieces[0]
        said = list(self.pieces)
        for at in range(1, len(said), 2):
            if chance.random() < share:
                said[at] = _number(said[at], chance) if said[at][0].isdigit() else chance.choice(names)
        return "".join(said)


@dataclass(frozen=True, slots=True)
class Article:
    """The sentences of an article."""

    name: str
    forms: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Bank:
    """Articles, and the names that stand in them."""

    articles: tuple[Article, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, contexts: Mapping[str, Sequence[str]]) -> Bank:
        """Return the bank of the paragraphs of each article, by its name."""
        articles = [_article(name, paragraphs) for name, paragraphs in contexts.items()]
        found = {piece for one in articles for form in one.forms for piece in form.pieces[1::2]}
        return cls(tuple(articles), tuple(sorted(piece for piece in found if not piece[0].isdigit())))


def public_bank(shared: Path = SHARED) -> Bank:
    """Return the bank of the articles that the reader was trained on: none of them is asked about."""
    contexts: dict[str, dict[str, None]] = {}
    with gzip.open(shared / "reader" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["source"] == _SOURCE:
                contexts.setdefault(record["title"].replace("_", " "), {})[record["context"]] = None
    return Bank.of({name: tuple(found) for name, found in contexts.items()})


class KeptVectors:
    """An embedder whose vectors are kept in a file: it takes minutes for what is then read in a second."""

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self._embedder = embedder
        self._path = path
        self._held: dict[bytes, NDArray[np.float32]] = {}
        if path.exists():
            with np.load(path) as held:
                self._held = dict(zip((bytes(key) for key in held["keys"]), held["vectors"], strict=True))

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts`, embedded where they are new; `save` keeps those."""
        keys = [vector_key(self.fingerprint, text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._held}
        if new:
            self._held.update(zip(new, self._embedder.embed(list(new.values())), strict=True))
        return np.stack([self._held[key] for key in keys])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def save(self) -> None:
        """Write all that are held to the file."""
        keys = np.frombuffer(b"".join(self._held), dtype=np.uint8).reshape(len(self._held), -1)
        np.savez(self._path, keys=keys, vectors=np.stack(list(self._held.values())))


def _article(name: str, paragraphs: Sequence[str]) -> Article:
    sentences = dict.fromkeys(s.span.of(text) for text in paragraphs for s in split(text))
    return Article(name, tuple(Form.of(sentence) for sentence in sentences))


def _number(written: str, chance: Random) -> str:
    """Return another number of as many digits; what looks like a year stays near it."""
    if len(written) == 4 and written.isdigit() and 1000 <= int(written) <= 2100:
        return str(int(written) + chance.randint(-30, 30))
    return "".join(str(chance.randint(1, 9)) if sign.isdigit() else sign for sign in written)

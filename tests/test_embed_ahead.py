from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.embed_ahead import EmbeddingAhead
from tests.fakes import HashingEmbedder


class Shelf:
    """Keeps what is stored, and remembers in which threads it was asked to."""

    def __init__(self) -> None:
        self.vectors: dict[bytes, NDArray[np.float32]] = {}
        self.times = 0
        self.threads: set[int] = set()

    def store(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        self.vectors.update(zip(keys, vectors, strict=True))
        self.times += len(keys)
        self.threads.add(threading.get_ident())


class HeldEmbedder(HashingEmbedder):
    """Begins only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.begun = threading.Event()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.begun.set()
        assert self.go.wait(30)
        return super().embed(texts)


class BrokenEmbedder(HashingEmbedder):
    """Embeds no second time."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.embedded:
            raise MemoryError
        return super().embed(texts)


def texts(numbers: Sequence[int]) -> dict[bytes, str]:
    return {str(n).encode(): f"This is about thing {'very ' * (n % 7)}{n}." for n in numbers}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 900), max_size=300), max_size=6))
def test_every_text_is_embedded_once_and_stored_under_its_key(documents: list[list[int]]) -> None:
    embedder, shelf = HashingEmbedder(), Shelf()
    ahead = EmbeddingAhead(embedder, shelf.store)
    for numbers in documents:
        # As an intake does: what is stored is not asked for again.
        ahead.add({key: text for key, text in texts(numbers).items() if key not in shelf.vectors})
    ahead.finish()
    ahead.close(shelf.store)
    wanted = texts([n for numbers in documents for n in numbers])
    assert shelf.vectors.keys() == wanted.keys()
    assert sorted(embedder.embedded) == sorted(wanted.values())
    assert shelf.times == len(wanted)
    for key, text in wanted.items():
        assert (shelf.vectors[key] == HashingEmbedder().embed([text])[0]).all()
    assert shelf.threads <= {threading.get_ident()}


def test_the_caller_goes_on_while_texts_are_embedded() -> None:
    embedder, shelf = HeldEmbedder(), Shelf()
    ahead = EmbeddingAhead(embedder, shelf.store)
    ahead.add(texts(range(200)))
    assert embedder.begun.wait(30)
    ahead.add(texts(range(200, 260)))
    assert shelf.times == 0
    embedder.go.set()
    ahead.finish()
    assert shelf.vectors.keys() == texts(range(260)).keys()
    ahead.close(shelf.store)


def test_however_many_texts_come_only_some_hundred_are_held() -> None:
    embedder, shelf = HashingEmbedder(), Shelf()
    ahead = EmbeddingAhead(embedder, shelf.store)
    for start in range(0, 6_000, 20):
        ahead.add(texts(range(start, start + 20)))
        assert start + 20 - shelf.times < 500
    ahead.finish()
    ahead.close(shelf.store)


def test_an_error_is_raised_to_the_caller_and_what_was_embedded_before_is_stored() -> None:
    embedder, shelf = BrokenEmbedder(), Shelf()
    ahead = EmbeddingAhead(embedder, shelf.store)
    with pytest.raises(MemoryError):
        ahead.add(texts(range(6_000)))
    ahead.close(shelf.store)
    assert 0 < shelf.times == len(embedder.embedded) < 200


def test_closed_early_it_waits_for_what_has_begun_and_stores_it() -> None:
    embedder, shelf, late = HeldEmbedder(), Shelf(), Shelf()
    ahead = EmbeddingAhead(embedder, shelf.store)
    ahead.add(texts(range(200)))
    assert embedder.begun.wait(30)
    threading.Timer(0.05, embedder.go.set).start()
    ahead.close(late.store)
    assert (shelf.times, late.times) == (0, len(embedder.embedded))
    assert 0 < late.times < 200

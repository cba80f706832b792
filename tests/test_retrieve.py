from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from index.errors import StoreError
from index.store import GenerationStore, LocalStore, PassageStore
from index.sync import sync
from index.types import Filter, Hit
from qa.fuse import fuse
from qa.kinds import wanted_kinds
from qa.retrieve import retrieve, telling
from tests.fakes import HashingEmbedder, write_files

EMBEDDER = HashingEmbedder()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("What is the height of the tide?", "height tide"),
        ("Who said that the tide's high, and high again?", "said tide high high again"),
        ("Where's Zürich-West?", "Zürich West"),
        ("How many of the 1,200 lamps?", "1 200 lamps"),
        ("snake_case", "snake_case"),
    ],
)
def test_words_that_every_question_has_are_not_searched_by(query: str, words: str) -> None:
    assert telling(query) == words


@pytest.mark.parametrize(("query", "words"), [("Who are they?", "Who are they"), ("?!", ""), ("", "")])
def test_a_question_of_nothing_else_is_searched_by_all_its_words(query: str, words: str) -> None:
    assert telling(query) == words


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    folder = tmp_path_factory.mktemp("retrieve")
    files = {f"{n}.txt": f"The tide of day {n} is {'very ' * (n % 4)}high at the harbour." for n in range(12)}
    files |= {"lamp.txt": "The lamp is lit at night.", "night.txt": "At night no ship enters the harbour."}
    files["picture.txt"] = (
        "The story of the harbour is told here at some length.\n\nPhotograph: the harbour at night by A. N. Other"
    )
    sync(folder / "library", EMBEDDER, [write_files(folder / "files", files)])
    opened = LocalStore(folder / "library", EMBEDDER)
    yield opened
    opened.close()


def test_what_only_one_of_both_searches_finds_is_scored_by_both(store: LocalStore) -> None:
    now, query = store.current(), "What is lit at night?"
    found = retrieve(now, query, Filter(), depth=2)
    passages = [one.hit.passage for one in found]
    vector = now.embed(query)
    assert [one.cosine for one in found] == now.cosines(vector, passages)
    words = {hit.passage.id: hit.score for hit in now.by_words("lit night", 100, Filter())}
    shares = [words.get(passage.id, 0.0) for passage in passages]
    assert [one.hit for one in found] == fuse(passages, now.cosines(vector, passages), shares)
    assert passages[0].text == "The lamp is lit at night."
    assert 2 <= len(found) <= 4


def test_a_passage_is_as_near_as_the_search_by_vector_says(store: LocalStore) -> None:
    now = store.current()
    vector = now.embed("high tide")
    hits = now.by_vector(vector, 100, Filter())
    assert now.cosines(vector, [hit.passage for hit in hits]) == pytest.approx([hit.score for hit in hits], abs=1e-6)
    # And it is so whichever others are asked about.
    alone = [now.cosines(vector, [hit.passage])[0] for hit in hits]
    assert alone == now.cosines(vector, [hit.passage for hit in hits])
    assert now.cosines(vector, []) == now.shares("high tide", []) == []


def test_a_deeper_search_changes_no_order_of_what_a_shallow_one_found(store: LocalStore) -> None:
    query = "Is the tide very high at night?"
    shallow, deep = (
        [one.hit.passage.text for one in retrieve(store.current(), query, Filter(), depth=depth)] for depth in (3, 50)
    )
    assert [text for text in deep if text in shallow] == shallow


def test_pictures_are_there_only_for_who_asks_about_them(store: LocalStore) -> None:
    def texts(query: str) -> str:
        return " ".join(one.hit.passage.text for one in retrieve(store.current(), query, Filter()))

    assert "Photograph" not in texts("What is the harbour like at night?")
    assert "Photograph" in texts("What does the photograph of the harbour show?")


class _Failing:
    """A store of which both searches fail, that by words first."""

    def __init__(self, store: GenerationStore) -> None:
        self._store = store
        self.failed = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def by_vector(self, query: NDArray[np.float32], limit: int, where: Filter) -> list[Hit]:
        self.failed.wait(60)
        raise StoreError("by vector")

    def by_words(self, query: str, limit: int, where: Filter) -> list[Hit]:
        self.failed.set()
        raise StoreError("by words")


def test_of_two_searches_that_fail_the_one_by_vector_is_told(store: LocalStore) -> None:
    failing = _Failing(store.current())
    with pytest.raises(StoreError, match="by vector"):
        retrieve(cast(PassageStore, failing), "high tide", Filter())
    assert failing.failed.is_set()


def test_side_by_side_the_searches_find_what_they_find_one_after_the_other(store: LocalStore) -> None:
    now, query = store.current(), "Is the tide high at night?"
    vector, words = now.embed(query), telling(query)
    alone = [*now.by_vector(vector, 4, Filter()), *now.by_words(words, 4, Filter())]
    wanted = wanted_kinds(query)
    passages = list({hit.passage.id: hit.passage for hit in alone if hit.passage.kind in wanted}.values())
    expected = fuse(passages, now.cosines(vector, passages), now.shares(words, passages))
    for _ in range(20):
        assert [one.hit for one in retrieve(now, query, Filter(), depth=4)] == expected

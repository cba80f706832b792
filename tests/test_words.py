"""Ranking by words depends on the passages of one generation and on nothing that happened before, beside or after."""

from __future__ import annotations

import math
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, run_state_machine_as_test

from index.bm25 import TEXT, TITLE, Field
from index.change import compact, delete, rollback
from index.lexical import LexicalIndex
from index.postings import LONGEST, MOST
from index.reembed import reembed
from index.store import GenerationStore, LocalStore, live_passages
from index.sync import sync
from index.terms import terms
from index.types import Filter, Passage
from index.words import MOST_TERMS, GenerationWords
from tests.fakes import HashingEmbedder, write_files
from tests.test_model import Machine

EMBEDDER = HashingEmbedder()
OPEN = Filter()
QUERIES = ["the tide", "harbour lamp tide lamp", "Coast: tides of the lighthouse!", "zebra"]

Scored = list[tuple[str, str, float]]
"""Text, document and score of what was found, best first."""


def brute_force(passages: Sequence[Passage], query: str) -> Scored:
    """Return what BM25 says of `passages` alone, counted anew, word by word."""
    asked = Counter(terms(query)).items()
    fields = [([terms(p.text) for p in passages], TEXT), ([terms(p.document.title) for p in passages], TITLE)]
    found = []
    for row, passage in enumerate(passages):
        score = 0.0
        for term, times in list(asked)[:MOST_TERMS]:
            for held, field in fields:
                if term in held[row]:
                    holding = sum(term in words for words in held)
                    weight = math.log(1.0 + (len(passages) - holding + 0.5) / (holding + 0.5))
                    score += times * weight * one(min(held[row].count(term), MOST), min(len(held[row]), LONGEST), field)
        if score > 0.0:
            found.append((passage.text, passage.document.id, score))
    return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def one(count: int, length: int, field: Field) -> float:
    return (
        field.weight * (field.k1 + 1.0) * count / (count + field.k1 * (1.0 - field.b + field.b * length / field.usual))
    )


def by_words(store: GenerationStore, query: str) -> Scored:
    return [(h.passage.text, h.passage.document.id, h.score) for h in store.by_words(query, 1_000, OPEN)]


def assert_only_what_is_live_counts(store: LocalStore, now: GenerationStore, queries: Sequence[str] = QUERIES) -> None:
    """Assert that a generation's rankings, to the last bit of each score, are those of its passages alone."""
    live = list(live_passages(store.library, now.generation.number))
    for query in queries:
        assert by_words(now, query) == brute_force(live, query)


# ---- one generation ------------------------------------------------------------------------------


def words_of(folder: Path, passages: Sequence[tuple[int, str, str]], live: Sequence[int]) -> GenerationWords:
    index = LexicalIndex(folder, "one")
    index.rebuild(passages)
    return GenerationWords(index.searcher(), live)


PASSAGES = [(3, "Coast", "Tide, tide and tide."), (5, "Tides", "A lamp."), (9, "Coast", "A lamp and a tide.")]


def test_what_is_not_live_is_not_found_and_not_counted(tmp_path: Path) -> None:
    some = words_of(tmp_path / "some", PASSAGES, [3, 9])
    alone = words_of(tmp_path / "alone", [PASSAGES[0], PASSAGES[2]], [3, 9])
    assert [number for number, _ in some.search("tide lamp", 10)] == [9, 3]
    for query in ("tide", "tide lamp", "coast", "tides and the coast"):
        assert some.search(query, 10) == alone.search(query, 10)


def test_a_live_passage_that_the_index_lacks_does_no_harm(tmp_path: Path) -> None:
    assert [number for number, _ in words_of(tmp_path, PASSAGES, [1, 3, 10]).search("tide", 10)] == [3]


def test_nothing_live_is_nothing_found(tmp_path: Path) -> None:
    assert words_of(tmp_path, PASSAGES, []).search("tide", 10) == []


def test_a_word_that_stands_twice_in_the_query_counts_twice(tmp_path: Path) -> None:
    words = words_of(tmp_path, PASSAGES, [3, 5, 9])
    once, twice = dict(words.search("lamp", 10)), dict(words.search("lamp Lamps", 10))
    assert twice == {number: 2 * score for number, score in once.items()}


def test_only_so_many_different_words_of_a_query_count(tmp_path: Path) -> None:
    words = words_of(tmp_path, PASSAGES, [3, 5, 9])
    many = " ".join(f"nothing{n}" for n in range(MOST_TERMS - 1))
    assert [n for n, _ in words.search(f"{many} lamp tide", 10)] == [n for n, _ in words.search("lamp", 10)] != []
    assert words.search(f"{many} {many} {many} lamp", 10) == words.search("lamp", 10)


def test_what_is_held_in_memory_is_bounded_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.words._HELD", 3)
    words = words_of(tmp_path, PASSAGES, [3, 9])
    first = [words.search(query, 10) for query in QUERIES]
    assert [words.search(query, 10) for query in QUERIES] == first
    assert 0 < len(words._holding) <= 3


@settings(max_examples=40, deadline=None)
@given(queries=st.lists(st.sampled_from(QUERIES), min_size=1), live=st.sets(st.sampled_from([3, 5, 9])))
def test_one_by_one_passages_have_the_scores_that_they_are_found_with(
    tmp_path_factory: pytest.TempPathFactory, queries: list[str], live: set[int]
) -> None:
    words = words_of(tmp_path_factory.mktemp("words"), PASSAGES, sorted(live))
    for query in queries:
        found = dict(words.search(query, 10))
        wanted = sorted(live, reverse=True)
        assert words.scores(query, wanted) == [found.get(number, 0.0) for number in wanted]


def test_many_threads_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.words._HELD", 2)  # so that they throw away what others use
    words = words_of(tmp_path, PASSAGES, [3, 5, 9])
    expected = [words.search(query, 10) for query in QUERIES]
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(50):
            found = [words.search(query, 10) for query in QUERIES]
            if found != expected:
                wrong.append(found)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_best_are_found_though_frequent_words_are_not_read_through(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "frequent and rare"
    # Word n stands in every n-th passage, more often in some.
    texts = {
        number: " ".join(f"w{n} " * (1 + number // n % 3) for n in (1, 2, 3, 5, 17, 50, 97, 211) if number % n == 0)
        for number in range(1, 700)
    }
    index = LexicalIndex(folder, "one")
    if index.complete_to < 0:
        index.rebuild([(number, f"Title {number % 4}", text) for number, text in texts.items()])
        index.add([(number, "Title 1", "w1 w97 w2") for number in range(700, 720)])
    live = data.draw(st.sampled_from([range(1, 720), range(1, 720, 2), range(300, 710)]))
    words = GenerationWords(index.searcher(), list(live))
    query = " ".join(data.draw(st.lists(st.sampled_from(["w1", "w2", "w3", "w50", "w97", "w211", "title", "none"]))))
    limit = data.draw(st.sampled_from([1, 5, 60, 1000]))
    everything = sorted(zip(words.scores(query, list(live)), live, strict=True), key=lambda pair: (-pair[0], pair[1]))
    assert words.search(query, limit) == [(number, score) for score, number in everything if score > 0][:limit]


def test_lists_of_frequent_words_are_not_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passages = [(n, "Coast", "the tide" + " lamp" * (n % 300 == 0) + " zebra" * (n % 500 == 0)) for n in range(1, 3000)]
    words = words_of(tmp_path, passages, range(1, 3000))
    read: list[int] = []
    gains = words._gains

    def reading(one: Any) -> Any:
        read.append(one.size)
        return gains(one)

    monkeypatch.setattr(words, "_gains", reading)
    assert [number for number, _ in words.search("the tide of a zebra with a lamp", 3)] == [1500, 500, 1000]
    assert sorted(read) == [5, 9]


WORD = st.sampled_from(["tide", "tides", "lamp", "harbour", "the", "ebb"])
TEXT_OF = st.lists(WORD, min_size=1, max_size=12).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.tuples(TEXT_OF, TEXT_OF), min_size=1, max_size=8), query=TEXT_OF, data=st.data())
def test_scores_are_those_of_a_count_of_the_live_passages(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]], query: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("words")
    entries = [(number, title, text) for number, (title, text) in enumerate(texts, start=1)]
    live = sorted(data.draw(st.sets(st.integers(1, len(texts)))))
    kept = [entry for entry in entries if entry[0] in live]
    found = words_of(folder / "all", entries, live).search(query, 100)
    assert found == words_of(folder / "live", kept, live).search(query, 100)
    for number, score in found:
        assert score == pytest.approx(counted(kept, number, query))


def counted(kept: Sequence[tuple[int, str, str]], number: int, query: str) -> float:
    total = 0.0
    for term, times in Counter(terms(query)).items():
        for at, field in ((2, TEXT), (1, TITLE)):
            held = {entry[0]: terms(str(entry[at])) for entry in kept}
            holding = sum(term in words for words in held.values())
            if term in held[number]:
                weight = math.log(1.0 + (len(kept) - holding + 0.5) / (holding + 0.5))
                total += times * weight * one(min(held[number].count(term), MOST), len(held[number]), field)
    return total


# ---- whatever happened ---------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(
        tmp_path / "files",
        {
            "coast.txt": "The harbour closes at high tide. The tide is high.",
            "lamp.txt": "---\ntitle: The lighthouse of the coast\n---\nThe lamp is lit at night.",
            "ebb.txt": "The ebb is low. A lamp helps.",
        },
    )


@pytest.fixture
def store(tmp_path: Path, folder: Path) -> Iterator[LocalStore]:
    sync(tmp_path / "library", EMBEDDER, [folder])
    opened = LocalStore(tmp_path / "library", EMBEDDER, lambda name: HashingEmbedder(name=name))
    yield opened
    opened.close()


def test_no_change_of_the_library_changes_what_a_generation_says(
    tmp_path: Path, folder: Path, store: LocalStore
) -> None:
    library = tmp_path / "library"
    first = store.current()
    said = {1: [by_words(first, query) for query in QUERIES]}

    def check(number: int) -> None:
        store.refresh()
        now = store.current()
        assert now.generation.number == number
        assert_only_what_is_live_counts(store, now)
        said[number] = [by_words(now, query) for query in QUERIES]
        for earlier, expected in said.items():
            assert [by_words(store.at(earlier), query) for query in QUERIES] == expected
        assert [by_words(first, query) for query in QUERIES] == said[1]

    write_files(folder, {f"{n}.txt": f"The tide of day {n}. A lamp, a lamp." for n in range(6)})
    (folder / "coast.txt").write_text("The harbour never closes.")
    sync(library, EMBEDDER, [folder])
    check(2)
    delete(library, [store.current().documents()[0].id])
    check(3)
    rollback(library, 1)
    check(4)
    rollback(library, 2)
    check(5)
    assert said[4] == said[1]
    assert said[5] == said[2]


def test_compaction_and_a_new_embedder_change_no_ranking_by_words(
    tmp_path: Path, folder: Path, store: LocalStore
) -> None:
    library = tmp_path / "library"
    (folder / "coast.txt").write_text("The harbour never closes. Tides come and go.")
    sync(library, EMBEDDER, [folder])
    store.refresh()
    said = [by_words(store.current(), query) for query in QUERIES]
    compact(library, grace=timedelta(0))
    other = HashingEmbedder(name="other:x")
    reembed(library, other)
    opened = LocalStore(library, other)
    assert [by_words(opened.current(), query) for query in QUERIES] == said
    assert_only_what_is_live_counts(opened, opened.current())
    opened.close()


def test_a_purged_document_counts_no_more(tmp_path: Path, store: LocalStore) -> None:
    library = tmp_path / "library"
    lamp = next(d.id for d in store.current().documents() if d.uri == "lamp.txt")
    delete(library, [lamp], purge=True)
    store.refresh()
    assert_only_what_is_live_counts(store, store.current())
    assert [text for text, _, _ in by_words(store.current(), "lamp")] == ["The ebb is low. A lamp helps."]


def test_a_rebuilt_word_index_says_the_same_and_one_that_goes_meanwhile_too(tmp_path: Path, store: LocalStore) -> None:
    before = store.current()
    said = [by_words(before, query) for query in QUERIES]
    shutil.rmtree(tmp_path / "library" / "words")
    opened = LocalStore(tmp_path / "library", EMBEDDER)
    assert [by_words(opened.current(), query) for query in QUERIES] == said
    assert [by_words(before, query) for query in [*QUERIES, "night"]][:-1] == said
    opened.close()


def test_a_sync_under_way_changes_no_ranking(tmp_path: Path, folder: Path, store: LocalStore) -> None:
    said = [by_words(store.current(), query) for query in QUERIES]
    write_files(folder, {"more.txt": "Tide after tide. The lamp."})
    seen = []

    def look(stage: str) -> None:
        opened = LocalStore(tmp_path / "library", EMBEDDER)
        seen.append((stage, [by_words(opened.current(), query) for query in QUERIES] == said))
        opened.close()

    sync(tmp_path / "library", EMBEDDER, [folder], progress=lambda now: look(now.stage))
    # In "commit" the word index holds the new passages, and the library does not have them yet.
    assert [stage for stage, same in seen if same] == [stage for stage, _ in seen]
    assert seen[-1][0] == "commit"


class RankedMachine(Machine):
    """The changes of tests/test_model.py; after each one rankings are compared instead."""

    @invariant()
    def all_agree(self) -> None:
        self.store.refresh()
        queries = ["lamp report called", f"line zq{self.count} written {self.count}"]
        for number in {*self.model.whole[-3:], self.model.newest}:
            assert_only_what_is_live_counts(self.store, self.store.at(number), queries)


def test_after_every_sequence_of_changes_only_what_is_live_counts() -> None:
    run_state_machine_as_test(
        RankedMachine,
        settings=settings(
            deadline=None, max_examples=8, stateful_step_count=12, suppress_health_check=list(HealthCheck)
        ),
    )

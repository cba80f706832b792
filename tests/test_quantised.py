"""Vectors in lists: which generation has which quantiser, and that nothing else decides what is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.backup import backup, restore
from index.change import compact, delete, rollback
from index.check import check_library
from index.errors import LibraryDamaged
from index.library import Library
from index.lists import place
from index.quantise import quantise
from index.quantised import renew_lists
from index.quantiser import learn, nearest_list
from index.quantising import Quantising
from index.reembed import reembed
from index.report import SyncPolicy
from index.store import LocalStore
from index.sync import sync
from index.types import Filter, Quantiser
from index.vectors import VectorIndex
from index.writer import Writer
from tests.drawn import DIMENSIONS, Generations, brute_force, unit, vector
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole

SOON = Quantising(first=10)
MANY = 20_000
DOCUMENTS = 200
QUERIES = [unit(seed) for seed in range(8)]

Found = list[list[tuple[int, float]]]


def asked(index: VectorIndex) -> Found:
    """Return what is found for some queries."""
    return [index.search(query, limit) for query in QUERIES for limit in (1, 7)]


def built(library: Library, generation: int) -> VectorIndex:
    return VectorIndex.build(library, DIMENSIONS, generation)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Generations]:
    generations = Generations(tmp_path / "library", SOON, different=1_000)
    yield generations
    generations.library.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generations]:
    """Yield a library so large that a search leaves most lists out: MANY passages, then some more, then some fewer."""
    folder = tmp_path_factory.mktemp("many") / "library"
    generations = Generations(folder, SOON, different=10 * MANY, passages=MANY // DOCUMENTS)
    generations.commit(range(DOCUMENTS))
    generations.commit(range(DOCUMENTS, DOCUMENTS + 20))
    generations.commit((), range(0, DOCUMENTS, 7))
    yield generations
    generations.library.close()


# ---- which generation has one ---------------------------------------------------------------------------------------


def test_a_library_has_a_quantiser_from_the_generation_on_that_makes_it_large(small: Generations) -> None:
    library = small.library
    small.commit(range(9))
    assert [library.quantiser(n) for n in (0, 1)] == [None, None]
    small.commit([9])
    assert (library.quantiser(1), library.quantiser(2)) == (None, library.quantisers()[0])
    small.commit([10])
    assert library.quantiser(3) == library.quantiser(2)


def test_it_is_learned_anew_when_most_passages_are_newer(small: Generations) -> None:
    library = small.library
    small.commit(range(10))
    small.commit(range(10, 20))
    assert library.quantiser(2) == library.quantiser(1)
    small.commit([20])
    first, second = library.quantisers()
    assert [library.quantiser(n) for n in (1, 2, 3)] == [first, first, second]
    assert second.newest == library.live_ids(3)[-1]


def test_a_generation_that_is_kept_aside_keeps_its_quantiser_for_itself(small: Generations) -> None:
    library = small.library
    small.commit(range(5))
    aside = small.commit(range(5, 10), aside=True)
    assert [library.quantiser(n) for n in range(4)] == [None, None, library.quantisers()[0], None]
    assert built(library, aside).ids() == library.live_ids(aside)
    rollback(small.folder, aside)
    assert library.quantiser(4) is None


def test_what_an_interrupted_sync_learned_is_thrown_away(small: Generations) -> None:
    with Writer(small.folder) as writer:
        writer.stage_quantiser(np.eye(DIMENSIONS, dtype=np.float32), 1)
        assert small.library.quantiser(writer.generation) is not None
    with Writer(small.folder) as writer:
        writer.drop_dead()
    assert small.library.quantisers() == []
    # Nor is its number given again, under which its lists may lie.
    small.commit(range(10))
    assert [one.number for one in small.library.quantisers()] == [2]


def test_a_library_from_before_there_were_quantisers_is_read_and_written(small: Generations) -> None:
    small.commit(range(5))
    db = sqlite3.connect(small.library.folder / "library.sqlite")
    db.execute("DROP TABLE quantisers")
    db.commit()
    db.close()
    assert (small.library.quantiser(1), small.library.quantisers()) == (None, [])
    assert len(built(small.library, 1)) == 5
    small.commit(range(5, 10))
    assert small.library.quantiser(2) is not None


def test_lists_that_are_not_those_that_were_learned_are_refused(small: Generations) -> None:
    small.commit(range(10))
    db = sqlite3.connect(small.library.folder / "library.sqlite")
    db.execute("UPDATE quantisers SET centroids = zeroblob(length(centroids))")
    db.commit()
    db.close()
    with pytest.raises(LibraryDamaged, match="quantiser 1 has another hash; restore a backup"):
        built(small.library, 1)


# ---- what is found --------------------------------------------------------------------------------------------------


def test_nearly_all_that_is_nearest_is_found(many: Generations) -> None:
    index = built(many.library, 1)
    right = 0
    for query in QUERIES:
        truth = brute_force(many.library, 1, query)
        best = set(sorted(truth, key=lambda number: -truth[number])[:50])
        found = dict(index.search(query, 50))
        right += len(best & found.keys())
        assert found == pytest.approx({n: truth[n] for n in found}, abs=1e-6)
    assert right >= 0.98 * 50 * len(QUERIES)


def test_the_same_is_found_whatever_the_index_was_made_from(many: Generations) -> None:
    library = many.library
    indexes = [built(library, number) for number in (1, 2, 3)]
    answers = [asked(index) for index in indexes]
    assert answers[0] != answers[1] != answers[2]
    # Later and earlier, from any of them.
    for index in indexes:
        assert [asked(index.forward(library, number)) for number in (1, 2, 3)] == answers
    quantiser = library.quantiser(3)
    assert quantiser is not None
    # All of them in the file, none in memory; brought forward from what had fewer in it.
    renew_lists(library, quantiser, library.kept_ids())
    assert [asked(built(library, number)) for number in (1, 2, 3)] == answers
    assert [asked(indexes[0].forward(library, number)) for number in (1, 2, 3)] == answers
    # A file that is made anew, in another order.
    place(many.folder, quantiser).unlink()
    assert [asked(built(library, number)) for number in (1, 2, 3)] == answers


def test_a_copy_from_a_backup_finds_the_same(many: Generations, tmp_path: Path) -> None:
    backup(many.folder, tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "copy")
    copy = Library(tmp_path / "copy")
    try:
        assert [asked(built(copy, n)) for n in (1, 2, 3)] == [asked(built(many.library, n)) for n in (1, 2, 3)]
    finally:
        copy.close()


def test_more_lists_are_looked_through_until_there_is_as_much_as_was_asked_for(many: Generations) -> None:
    index = built(many.library, 3)
    for limit in (500, 2_000, len(index), 10 * MANY):
        found = index.search(QUERIES[0], limit)
        assert len({number for number, _ in found}) == len(found) == min(limit, len(index))
    everything = dict(index.search(QUERIES[0], len(index)))
    assert everything == pytest.approx(brute_force(many.library, 3, QUERIES[0]), abs=1e-6)


def test_many_passages_that_say_the_same_are_all_found(tmp_path: Path) -> None:
    made = Generations(tmp_path / "library", SOON, different=3)
    try:
        made.commit(range(600))
        index = built(made.library, 1)
        found = index.search(vector(0, 3), 250)
        assert [score for _, score in found[:200]] == [found[0][1]] * 200
        assert found[200][1] < found[0][1]
        assert [number for number, _ in found[:200]] == sorted(number for number, _ in found[:200])
    finally:
        made.library.close()


# ---- the file -------------------------------------------------------------------------------------------------------


def the_only(library: Library) -> tuple[Quantiser, Path]:
    """Return the only quantiser and where its lists lie."""
    (quantiser,) = library.quantisers()
    return quantiser, place(library.folder, quantiser)


@pytest.mark.parametrize("harm", ["missing", "empty", "cut off", "header", "another library's", "ids"])
def test_a_file_that_is_missing_or_damaged_is_made_anew(small: Generations, harm: str) -> None:
    small.commit(range(40))
    before = asked(built(small.library, 1))
    _, path = the_only(small.library)
    data = path.read_bytes()
    path.unlink()
    if harm == "another library's":
        db = sqlite3.connect(small.library.folder / "library.sqlite")
        db.execute("UPDATE meta SET value = 'another' WHERE key = 'history'")
        db.commit()
        db.close()
    elif harm != "missing":
        spoiled = {
            "empty": b"",
            "cut off": data[:-8],
            "header": data[:20] + b"?" + data[21:],
            # The ids are last in the file: the same one twice.
            "ids": data[:-80] + 10 * data[-8:],
        }[harm]
        path.write_bytes(spoiled)
    assert asked(built(small.library, 1)) == before
    assert harm == "another library's" or path.read_bytes() == data


def test_a_check_of_the_library_sees_another_vector_in_the_file_and_another_quantiser(tmp_path: Path) -> None:
    files = write_files(tmp_path / "files", {f"{n}.txt": f"The tide of number {n} is high." for n in range(12)})
    folder = tmp_path / "library"
    sync(folder, HashingEmbedder(), [files], policy=SyncPolicy(quantising=SOON))
    assert check_library(folder).problems == ()
    library = Library(folder)
    _, path = the_only(library)
    ((_, stored),) = library.stored_vectors([1])
    library.close()
    path.write_bytes(path.read_bytes().replace(stored.tobytes(), (stored * 2).tobytes()))
    assert check_library(folder).problems == (
        "1.lists holds other vectors than the library; delete the file, it is made anew",
    )
    db = sqlite3.connect(folder / "library.sqlite")
    db.execute("UPDATE quantisers SET sha256 = 'x'")
    db.commit()
    db.close()
    (problem,) = check_library(folder).problems
    assert problem.endswith("quantiser 1 has another hash; restore a backup")


def test_while_another_process_writes_a_missing_file_is_made_for_oneself(small: Generations) -> None:
    small.commit(range(40))
    before = asked(built(small.library, 1))
    _, path = the_only(small.library)
    path.unlink()
    with Writer(small.folder):
        assert asked(built(small.library, 1)) == before
        assert not path.exists()


def test_a_sync_after_which_much_is_not_in_the_file_writes_it_anew(tmp_path: Path) -> None:
    made = Generations(tmp_path / "library", Quantising(first=10), different=100_000)
    try:
        made.commit(range(10))
        _, path = the_only(made.library)
        small = path.stat().st_size
        made.commit([10, 11, 12])
        assert path.stat().st_size == small
        index = built(made.library, 1)
        with Writer(made.folder) as writer:
            quantise(made.library, writer, Quantising(first=10, few=0))
        assert path.stat().st_size > small
        assert asked(index.forward(made.library, 2)) == asked(built(made.library, 2))
    finally:
        made.library.close()


def test_a_purge_leaves_the_vector_in_no_file(small: Generations) -> None:
    small.commit(range(40))
    small.commit(range(40, 45))
    gone = [vector(seed, 1_000).astype(np.float16).tobytes() for seed in (3, 42)]

    def files_with(needle: bytes) -> set[str]:
        return {p.name for p in small.folder.rglob("*") if p.is_file() and needle in p.read_bytes()}

    assert files_with(gone[0]) >= {"1.lists"}
    delete(small.folder, ["d3", "d42"], purge=True)
    assert [files_with(needle) for needle in gone] == [set(), set()]
    assert built(small.library, 3).ids() == small.library.live_ids(3)


def test_retention_lets_go_of_vectors_and_of_quantisers_that_only_old_generations_had(small: Generations) -> None:
    small.commit(range(10))
    small.commit(range(10, 30), range(10))
    first, second = small.library.quantisers()
    assert place(small.folder, first).exists()
    answers = asked(built(small.library, 2))
    compact(small.folder, grace=timedelta(0))
    assert small.library.quantisers() == [second]
    assert [p.name for p in (small.folder / "vectors").iterdir()] == [place(small.folder, second).name]
    needle = vector(3, 1_000).astype(np.float16).tobytes()
    assert needle not in place(small.folder, second).read_bytes()
    assert asked(built(small.library, 2)) == answers


# ---- whole libraries ------------------------------------------------------------------------------------------------


def texts(store: LocalStore, words: str, generation: int) -> list[str]:
    now = store.at(generation)
    return [hit.passage.text for hit in now.by_vector(now.embed(words), 3, Filter())]


def test_a_server_goes_over_to_lists_and_back_in_time_without_a_stop(tmp_path: Path) -> None:
    embedder, policy = HashingEmbedder(), SyncPolicy(quantising=SOON)
    files = write_files(tmp_path / "files", {f"{n}.txt": f"The tide of number {n} is high." for n in range(6)})
    sync(tmp_path / "library", embedder, [files], policy=policy)
    store = LocalStore(tmp_path / "library", embedder)
    try:
        before = store.current()
        expected = texts(store, "number 3", 1)
        write_files(files, {f"{n}.txt": f"The tide of number {n} is low." for n in range(6, 20)})
        sync(tmp_path / "library", embedder, [files], policy=policy)
        assert store.refresh()
        assert store.library.quantiser(2) is not None
        assert texts(store, "number 17", 2)[0] == "The tide of number 17 is low."
        assert texts(store, "number 3", 1) == expected
        assert before.by_vector(before.embed("number 3"), 1, Filter())[0].passage.text == expected[0]
        assert rollback(tmp_path / "library", 1) == 3
        assert store.refresh()
        assert texts(store, "number 3", 3) == expected
    finally:
        store.close()
    assert_whole(tmp_path / "library")


def test_another_embedder_brings_another_quantiser_for_all_generations(tmp_path: Path) -> None:
    old, new = HashingEmbedder(), HashingEmbedder(32, "other")
    files = write_files(tmp_path / "files", {f"{n}.txt": f"The tide of number {n} is high." for n in range(12)})
    sync(tmp_path / "library", old, [files], policy=SyncPolicy(quantising=SOON))
    store = LocalStore(tmp_path / "library", old, lambda name: new)
    try:
        before = store.current()
        expected = texts(store, "number 3", 1)
        reembed(tmp_path / "library", new, quantising=SOON)
        # A question that is under way still has the vectors that it began with.
        assert [h.passage.text for h in before.by_vector(before.embed("number 3"), 3, Filter())] == expected
        assert store.refresh()
        assert [one.number for one in store.library.quantisers()] == [2]
        assert [p.name for p in (tmp_path / "library" / "vectors").iterdir()] == ["2.lists"]
        assert texts(store, "number 3", 1)[0] == texts(store, "number 3", 2)[0] == expected[0]
    finally:
        store.close()
    assert_whole(tmp_path / "library", new)


# ---- learning -------------------------------------------------------------------------------------------------------


def test_no_middle_is_that_of_few_vectors() -> None:
    chance = np.random.default_rng(5)
    near = chance.normal(size=(200, DIMENSIONS)) * 0.1 + np.eye(DIMENSIONS)[0]
    alone = np.concatenate([near, -np.eye(DIMENSIONS)[3:4], -np.eye(DIMENSIONS)[3:4]]).astype(np.float16)
    centroids = learn(alone, 20)
    assert len(centroids) >= 2
    assert float((centroids @ -np.eye(DIMENSIONS, dtype=np.float32)[3]).max()) < 0.9
    assert np.linalg.norm(centroids, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_few_vectors_make_one_list() -> None:
    assert learn(np.eye(4, dtype=np.float16), 100).shape == (1, 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 70), st.integers(0, 60))
def test_the_list_of_a_vector_does_not_depend_on_those_beside_it(seed: int, count: int, start: int) -> None:
    chance = np.random.default_rng(seed)
    centroids = chance.normal(size=(20, 48)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    # Between two middles: the sums may come out either way.
    vectors = (centroids[chance.integers(0, 20, 130)] + centroids[chance.integers(0, 20, 130)]).astype(np.float16)
    together = nearest_list(vectors, centroids)
    assert nearest_list(vectors[start : start + count], centroids).tolist() == together[start : start + count].tolist()
    assert [int(nearest_list(one[None], centroids)[0]) for one in vectors[:20]] == together[:20].tolist()


@pytest.mark.parametrize(
    ("passages", "newer", "due"),
    [(9, None, False), (10, None, True), (10, 5, False), (10, 6, True), (9, 9, False), (1_000, 0, False)],
)
def test_when_it_is_due(passages: int, newer: int | None, due: bool) -> None:
    assert SOON.due(passages, newer) is due


def test_there_are_as_many_lists_as_the_root_of_the_passages_up_to_a_bound() -> None:
    rule = Quantising(most=100)
    assert [rule.lists(n) for n in (0, 1, 99, 2_500, 1_000_000)] == [1, 1, 9, 50, 100]

"""A library whose passages are searched in Qdrant gives the answers that it gives from its folder."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.change import compact, delete, rollback
from index.errors import StoreError, UnknownGeneration
from index.library import Library
from index.reembed import reembed
from index.remote import lexicons
from index.remote.engine import Engine
from index.remote.forward import bring_forward
from index.remote.lexicon import Lexicon
from index.remote.points import Point, Times, day
from index.remote.store import QdrantStore
from index.report import SyncPolicy
from index.schema import FOREVER
from index.scope import ScopedStores
from index.store import LocalStore
from index.sync import sync
from index.terms import terms
from index.types import Filter
from tests.engines import ADDRESS, QUIET, assert_alike, in_memory, kept, lexicon, points, rows, terms_of, written
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import ids, interrupted_at
from tests.truths import Prepare, in_postgres

pytestmark = pytest.mark.filterwarnings(QUIET)

EMBEDDER = HashingEmbedder()
ANYTHING = SyncPolicy(allow_vanish=True)
QUERIES = ["high tide of the moon moon", "harbour", "nothing of that"]
FILTERS = [
    Filter(),
    Filter(published_from="2026-01-10", published_to="2026-01-20T10:00"),
    Filter(tags=frozenset({"sea", "sun"})),
    Filter(language="en-US", within=frozenset({"moon"})),
]


def document(number: int, words: str) -> str:
    """Return the source of a document with a date, tags and a language that its number decides."""
    day = "" if number % 5 == 0 else f"date: 2026-01-{1 + number % 28:02}\n"
    language = ["", "language: en\n", "language: en-GB\n", "language: de-AT\n"][number % 4]
    tags = ["", "tags: [sea]\n", "tags: [sea, moon]\n"][number % 3]
    return f"---\ntitle: Tides {number % 2}\n{day}{language}{tags}---\n{words}"


def of_words(number: int, words: str) -> dict[str, str | bytes]:
    return {f"{number:02}.md": document(number, f"The tide is {words}.")}


def thirty(folder: Path) -> Path:
    """Return a library of thirty documents, which are beside it."""
    files = folder.parent / "files"
    for number in range(30):
        words = ["high", "low, and the moon is high", "in the harbour", "high high high"][number % 4]
        write_files(files, of_words(number, words))
    sync(folder, EMBEDDER, [files])
    return folder


@pytest.fixture
def folder(tmp_path: Path, truth: Prepare) -> Path:
    """Return a library of thirty documents, whose truth and terms are in either place."""
    return thirty(truth(tmp_path / "library"))


@pytest.fixture
def with_file(tmp_path: Path) -> Path:
    """Return the same with truth and terms in its folder."""
    return thirty(tmp_path / "library")


def resynced(folder: Path, files: dict[str, str | bytes], gone: tuple[str, ...] = ()) -> None:
    write_files(folder.parent / "files", files)
    for name in gone:
        (folder.parent / "files" / name).unlink()
    sync(folder, EMBEDDER, [folder.parent / "files"], policy=ANYTHING)


def interrupted_change(folder: Path, engine: Engine, step: str) -> None:
    """Change and purge documents, and bring the engine forward until a method of the terms is called."""
    resynced(folder, of_words(3, "new"), gone=("05.md",))
    delete(folder, [ids(folder)["09.md"]], purge=True)
    with pytest.raises(KeyboardInterrupt), interrupted_at("call", getattr(Lexicon, step)):
        forward(folder, engine)


# ---- the same answers ------------------------------------------------------------------------------------------------

ACTIONS = st.one_of(
    st.tuples(st.just("sync"), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=5)),
    st.tuples(st.just("delete"), st.integers(0, 7)),
    st.tuples(st.just("purge"), st.integers(0, 7)),
    st.tuples(st.just("rollback"), st.integers(0, 5)),
    st.tuples(st.just("compact"), st.integers(1, 3)),
    st.tuples(st.just("forward"), st.none()),
)
WORDS = ["high", "low and high", "in the harbour, of the moon", "high high high", "nowhere. The sun is high"]


def act(folder: Path, files: Path, action: str, what: object) -> None:
    """Change a library; what cannot be done is not."""
    try:
        if action == "sync":
            assert isinstance(what, list)
            for number, words in what:
                path = files / f"{number:02}.md"
                if words < len(WORDS):
                    write_files(files, of_words(number, WORDS[words]))
                elif path.exists():
                    path.unlink()
            sync(folder, EMBEDDER, [files], policy=ANYTHING)
        elif action in ("delete", "purge"):
            assert isinstance(what, int)
            delete(folder, [sorted(ids(folder).values())[what]], purge=action == "purge")
        elif action == "rollback":
            library = Library(folder)
            numbers = [generation.number for generation in library.generations() if not generation.purged]
            library.close()
            assert isinstance(what, int)
            rollback(folder, numbers[what])
        elif action == "compact":
            assert isinstance(what, int)
            compact(folder, keep_last=what, grace=timedelta())
    except IndexError:
        pass


@settings(max_examples=15, deadline=None)
@given(st.lists(ACTIONS, min_size=2, max_size=9))
def test_after_any_changes_both_stores_answer_alike(actions: list[tuple[str, object]]) -> None:
    assert_alike_after(actions, lambda folder: folder)


@settings(max_examples=3, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=2, max_size=6))
def test_after_any_changes_they_do_where_the_truth_is_shared(postgres: str, actions: list[tuple[str, object]]) -> None:
    assert_alike_after(actions, lambda folder: in_postgres(folder, postgres))


def assert_alike_after(actions: list[tuple[str, object]], truth: Prepare) -> None:
    engine = in_memory()
    with TemporaryDirectory() as place:
        folder, files = truth(Path(place) / "library"), Path(place) / "files"
        write_files(files, of_words(0, WORDS[0]))
        sync(folder, EMBEDDER, [files])
        for action, what in [*actions, ("forward", None)]:
            act(folder, files, action, what)
            if action == "forward":
                assert_alike(folder, engine, QUERIES, FILTERS)
                forward(folder, engine)  # as `compact` does, which makes no generation that a server would see
                assert points(engine) == kept(folder)
                assert_counted(folder, engine)


def assert_counted(folder: Path, engine: Engine) -> None:
    """Assert that the lexicon counts, in every generation, the live passages that hold each term, and has no others."""
    with closing(Library(folder)) as library, lexicon(folder, engine) as counts:
        held: Counter[tuple[str, str]] = Counter()
        for generation in (g for g in library.generations() if not g.purged):
            counted: Counter[tuple[str, str]] = Counter()
            for _, title, text in library.words(library.live_ids(generation.number)):
                counted.update({("title", term) for term in terms(title)} | {("text", term) for term in terms(text)})
            told = counts.holding(list(counted), generation.number)
            assert {key: number for key, (_, number) in told.items()} == counted
            held += counted
        newest = counts.holding(list(held), library.generation().number)
        assert len({number for number, _ in newest.values()}) == len(held)


def test_scores_are_those_of_a_count_by_hand(folder: Path) -> None:
    store = QdrantStore(folder, EMBEDDER, in_memory())
    try:
        live = store.library.live_ids(1)
        texts = {number: (title, text) for number, title, text in store.library.words(live)}
        wanted = {}
        for number, (title, text) in texts.items():
            score = 0.0
            for term in dict.fromkeys(terms("high moon tides")):
                for place, words, k1, b, usual, weight in (
                    (1, text, 0.9, 0.4, 100.0, 1.0), (0, title, 0.9, 0.4, 8.0, 0.5),
                ):  # fmt: skip
                    times, length = terms(words).count(term), len(terms(words))
                    holding = sum(term in terms(both[place]) for both in texts.values())
                    rarity = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
                    score += rarity * weight * (k1 + 1) * times / (times + k1 * (1 - b + b * length / usual))
            if score:
                wanted[number] = score
        found = {hit.passage.id: hit.score for hit in store.current().by_words("high moon tides", 50, Filter())}
        assert found == pytest.approx(wanted, rel=1e-12)
        vectors = dict(pair for batch, array in store.library.vectors(live) for pair in zip(batch, array, strict=True))
        query = EMBEDDER.embed(["high moon"])[0]
        near = {hit.passage.id: hit.score for hit in store.current().by_vector(query, 50, Filter())}
        assert near == pytest.approx(
            {number: float(vector @ query / np.linalg.norm(vector)) for number, vector in vectors.items()}, abs=1e-6
        )
    finally:
        store.close()


@settings(max_examples=40, deadline=None)
@given(
    limit=st.integers(1, 40),
    first=st.none() | st.sampled_from(["2026-01-05", "2026-01-28T23:00", "2025", "2026-01"]),
    last=st.none() | st.sampled_from(["2026-01-05", "2026-01-28", "2026"]),
    chosen=st.none() | st.frozensets(st.integers(0, 33), max_size=8),
    tags=st.none() | st.frozensets(st.sampled_from(["sea", "moon", "sun"]), max_size=2),
    language=st.sampled_from([None, "en", "en-US", "de", "fr", ""]),
    within=st.none() | st.frozensets(st.sampled_from(["sea", "moon", "sun"]), max_size=2),
)
def test_a_filter_lets_through_the_same(
    both: tuple[LocalStore, QdrantStore], limit: int, first: str | None, last: str | None,
    chosen: frozenset[int] | None, tags: frozenset[str] | None, language: str | None, within: frozenset[str] | None,
) -> None:  # fmt: skip
    local, remote = both
    names = sorted(local.library.documents(1, limit=100), key=lambda found: found.uri)
    picked = None if chosen is None else frozenset(names[n].id if n < 30 else f"no such {n}" for n in chosen)
    where = Filter(first, last, picked, tags, language, within)
    query = EMBEDDER.embed(["high moon"])[0]
    here, there = local.current(), remote.current()
    assert rows(there.by_words("high tide", limit, where)) == rows(here.by_words("high tide", limit, where))
    assert rows(there.by_vector(query, limit, where)) == rows(here.by_vector(query, limit, where))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalStore, QdrantStore]]:
    """Yield a local and a remote store of thirty documents."""
    place = tmp_path_factory.mktemp("both")
    for number in range(30):
        write_files(place / "files", of_words(number, ["high", "low", "high high", "by the moon"][number % 4]))
    sync(place / "library", EMBEDDER, [place / "files"])
    local, remote = LocalStore(place / "library", EMBEDDER), QdrantStore(place / "library", EMBEDDER, in_memory())
    yield local, remote
    local.close()
    remote.close()


def test_many_documents_are_left_out_though_no_filter_can_name_so_many(both: tuple[LocalStore, QdrantStore]) -> None:
    local, remote = both
    seen = [document.id for document in local.library.documents(1, limit=100)][::7]
    where = Filter(document_ids=frozenset([*seen, *(f"other {n}" for n in range(5_000))]))
    found = remote.current().by_words("tide", 3, where)
    assert rows(found) == rows(local.current().by_words("tide", 3, where))
    assert {hit.passage.document.id for hit in found} <= set(seen)


def test_more_equals_than_are_asked_for_are_settled_by_what_they_say(tmp_path: Path) -> None:
    write_files(tmp_path / "files", {f"{n:03}.md": document(0, f"The tide is {n:03}.") for n in range(300)})
    sync(tmp_path / "library", EMBEDDER, [tmp_path / "files"])
    assert_alike(tmp_path / "library", in_memory(), ["tide"], [Filter()])


def test_dates_keep_their_order_as_numbers() -> None:
    dates = ["", "2025", "2025-12", "2025-12-31", "2026", "2026-01-01", "2026-01-02", "2026-10-01"]
    assert [day(date) for date in dates] == sorted(day(date) for date in dates)
    assert len({day(date) for date in dates}) == len(dates)
    assert day("2026-01-02T10:00:00Z") == day("2026-01-02")
    assert day("9999-12-31") < 2**53


LIVES = st.lists(st.integers(1, 40), min_size=1, max_size=7, unique=True).map(sorted)


@given(bounds=LIVES, floor=st.integers(0, 45))
def test_when_a_point_counts_is_when_its_passage_does(bounds: list[int], floor: int) -> None:
    edges = [*bounds, FOREVER][: len(bounds) + len(bounds) % 2]
    lives = tuple(zip(edges[::2], edges[1::2], strict=True))
    times = Times.of(lives, floor)
    counted = {g for g in range(floor, 50) if any(added <= g < removed for added, removed in lives)}
    assert {g for g in range(floor, 50) if times.added <= g < times.removed and g not in times.away} == counted
    assert {g for g in range(floor, 50) if sum(by for at, by in times.steps() if at <= g) == 1} == counted
    assert Times.read(times.payload()) == times


# ---- brought forward -------------------------------------------------------------------------------------------------


def forward(folder: Path, engine: Engine) -> tuple[int, int, int]:
    """Bring an engine forward; return how many points were sent, changed and deleted."""
    library = Library(folder)
    try:
        done = bring_forward(library, engine)
        assert done.generation == library.generation().number
        return done.sent, done.changed, done.deleted
    finally:
        library.close()


def test_only_what_changed_is_sent(folder: Path) -> None:
    engine = in_memory()
    assert forward(folder, engine) == (30, 0, 0)
    assert forward(folder, engine) == (0, 0, 0)
    resynced(folder, of_words(3, "new"), gone=("05.md",))
    assert forward(folder, engine) == (1, 2, 0)
    rollback(folder, 1)
    assert forward(folder, engine) == (0, 3, 0)
    assert_alike(folder, engine, QUERIES, FILTERS)


def test_a_purged_document_is_in_no_point_and_no_word_of_it_in_the_terms(folder: Path) -> None:
    resynced(folder, {**of_words(7, "full of xylophones"), **of_words(8, "full of zithers")})
    engine = in_memory()
    forward(folder, engine)
    before = points(engine)
    delete(folder, [ids(folder)["07.md"]], purge=True)
    assert forward(folder, engine)[2] == 2
    assert points(engine) == kept(folder) < before
    assert_alike(folder, engine, QUERIES, FILTERS)
    assert written(folder, "zither")
    assert not written(folder, "xylophon")


def test_a_purge_takes_with_it_what_a_switch_left_behind(folder: Path) -> None:
    engine = in_memory()
    forward(folder, engine)
    reembed(folder, HashingEmbedder(32, "other"))
    forward(folder, engine)
    assert len(engine.collections()) == len(terms_of(folder)) == 2
    delete(folder, [ids(folder)["07.md"]], purge=True)
    forward(folder, engine)
    assert engine.collections() == terms_of(folder) == [engine.aliases()[ADDRESS.name]]


def test_words_that_an_interrupted_load_had_numbered_are_purged_too(folder: Path) -> None:
    engine = in_memory()
    forward(folder, engine)
    refusing = in_memory(engine._client)

    def refused(collection: str, points: Sequence[Point]) -> None:
        raise StoreError("no room")

    refusing.put = refused  # type: ignore[method-assign]
    for words in ("full of xylophones", "full of zithers"):
        resynced(folder, of_words(7, words))
        with pytest.raises(StoreError, match="no room"):
            forward(folder, refusing)
    assert written(folder, "xylophon")
    delete(folder, [ids(folder)["07.md"]], purge=True)
    forward(folder, engine)
    assert not written(folder, "xylophon")
    assert not written(folder, "zither")
    assert_alike(folder, engine, QUERIES, FILTERS)


def test_what_was_deleted_before_and_is_purged_in_no_new_generation_goes_too(folder: Path) -> None:
    engine = in_memory()
    name = ids(folder)["07.md"]
    delete(folder, [name])
    store = QdrantStore(folder, EMBEDDER, engine)
    try:
        assert delete(folder, [name], purge=True) is None
        assert not store.refresh()
        assert points(engine) == kept(folder)
        asked: list[str] = []
        store.engine.of_documents = lambda *_: asked.append("again") or iter(())  # type: ignore[method-assign, func-returns-value]
        store.refresh()
        assert asked == []
    finally:
        store.close()


def test_a_document_that_comes_again_after_its_purge_is_found(folder: Path) -> None:
    engine = in_memory()
    forward(folder, engine)
    delete(folder, [ids(folder)["07.md"]], purge=True)
    write_files(folder.parent / "files", of_words(7, "back again"))
    sync(folder, EMBEDDER, [folder.parent / "files"], policy=SyncPolicy(include_deleted=True))
    forward(folder, engine)
    assert points(engine) == kept(folder)
    assert_alike(folder, engine, ["back again", *QUERIES], FILTERS)


def test_an_interrupted_load_goes_on_where_it_was(folder: Path) -> None:
    engine = in_memory()
    with pytest.raises(KeyboardInterrupt), interrupted_at("call", Lexicon.settle):
        forward(folder, engine)
    assert engine.aliases() == {}
    assert len(engine.collections()) == 1
    # Meanwhile some of it is gone for good.
    delete(folder, [ids(folder)["07.md"]], purge=True)
    assert forward(folder, engine) == (0, 0, 0)
    assert len(engine.collections()) == 1
    assert points(engine) == kept(folder)
    assert_alike(folder, engine, QUERIES, FILTERS)


@pytest.mark.parametrize("step", ["settle", "activated", "buried"])
def test_a_change_that_was_interrupted_is_made_once(folder: Path, step: str) -> None:
    engine = in_memory()
    forward(folder, engine)
    interrupted_change(folder, engine, step)
    forward(folder, engine)
    assert len(engine.collections()) == 1
    assert_alike(folder, engine, QUERIES, FILTERS)
    assert_counted(folder, engine)
    assert points(engine) == kept(folder)


def test_questions_under_way_keep_their_generation_until_the_next_is_whole(folder: Path) -> None:
    engine = in_memory()
    store = QdrantStore(folder, EMBEDDER, engine)
    try:
        before = store.current()
        asked = rows(before.by_words("high tide", 50, Filter()))
        resynced(folder, of_words(3, "high high"), gone=("05.md",))
        with pytest.raises(KeyboardInterrupt), interrupted_at("call", Engine.rename):
            store.refresh()
        assert store.current() is before
        assert rows(before.by_words("high tide", 50, Filter())) == asked
        assert store.refresh()
        assert store.current().generation.number == 2
        assert rows(store.at(1).by_words("high tide", 50, Filter())) == asked
        with pytest.raises(UnknownGeneration):
            store.at(3)
    finally:
        store.close()


def test_a_reembed_loads_another_collection_beside_and_switches(folder: Path) -> None:
    engine = in_memory()
    store = QdrantStore(folder, EMBEDDER, engine, lambda name: HashingEmbedder(32, "other"))
    try:
        before = store.current()
        query = EMBEDDER.embed(["high moon"])[0]
        near = rows(before.by_vector(query, 50, Filter()))
        reembed(folder, HashingEmbedder(32, "other"))
        # The library has other vectors now; until they are loaded the former ones still answer.
        assert rows(before.by_vector(query, 50, Filter())) == near
        assert store.refresh()
        assert store.current().embedder.fingerprint == "other-32"
        assert len(engine.collections()) == 2
        assert rows(before.by_vector(query, 50, Filter())) == near
    finally:
        store.close()
    assert_alike(folder, engine, QUERIES, FILTERS, HashingEmbedder(32, "other"))


def test_a_collection_that_lost_points_is_not_activated_and_another_one_is_loaded(folder: Path) -> None:
    engine = in_memory()
    forward(folder, engine)
    first = engine.aliases()[ADDRESS.name]
    engine.delete(first, sorted(points(engine))[:2])
    resynced(folder, of_words(3, "new"))
    with pytest.raises(StoreError, match="holds 28 of the 30 passages of generation 2"):
        forward(folder, engine)
    assert engine.aliases() == {"news": first, "news.g1": first}
    assert forward(folder, engine)[0] == 31
    assert engine.aliases()[ADDRESS.name] != first
    assert_alike(folder, engine, QUERIES, FILTERS)


def test_without_its_terms_another_collection_is_loaded(with_file: Path) -> None:
    engine = in_memory()
    forward(with_file, engine)
    for path in (with_file / lexicons.FOLDER).glob("*.sqlite*"):
        path.unlink()
    # A server loads nothing by itself: the terms may be on another machine.
    with pytest.raises(StoreError, match=r"the terms of news.* are not in .*terms.sqlite; copy that"):
        QdrantStore(with_file, EMBEDDER, engine)
    assert len(engine.collections()) == 1
    assert forward(with_file, engine) == (30, 0, 0)
    assert_alike(with_file, engine, QUERIES, FILTERS)
    assert len(engine.collections()) == 2


def test_terms_that_are_behind_the_collection_are_not_counted_on(with_file: Path, tmp_path: Path) -> None:
    engine = in_memory()
    forward(with_file, engine)
    other = Path(shutil.copytree(with_file / lexicons.FOLDER, tmp_path / "copied"))
    resynced(with_file, of_words(3, "new"))
    forward(with_file, engine)
    shutil.rmtree(with_file / lexicons.FOLDER)
    other.rename(with_file / lexicons.FOLDER)
    with pytest.raises(StoreError, match="brought to generation 2 from another machine"):
        forward(with_file, engine)
    store = QdrantStore(with_file, EMBEDDER, engine)
    try:
        assert store.current().generation.number == 1
        with pytest.raises(StoreError, match="generation 2 is not yet whole"):
            store.at(2)
    finally:
        store.close()


def test_what_retention_dropped_while_the_engine_was_behind_is_loaded_anew(folder: Path) -> None:
    engine = in_memory()
    forward(folder, engine)
    for words in ("one", "two", "three"):
        resynced(folder, of_words(3, words))
    compact(folder, keep_last=1, grace=timedelta())
    assert_alike(folder, engine, QUERIES, FILTERS)
    assert len(engine.collections()) == 2


def test_another_library_of_that_name_is_left_alone(folder: Path, tmp_path: Path) -> None:
    engine = in_memory()
    forward(folder, engine)
    names = engine.aliases()
    sync(tmp_path / "other", EMBEDDER, [tmp_path / "files"])
    with pytest.raises(StoreError, match=r"news stands for news.* not of this library; take another name"):
        QdrantStore(tmp_path / "other", EMBEDDER, engine)
    assert engine.aliases() == names


def test_a_library_without_a_generation_finds_nothing_and_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    sync(tmp_path / "library", EMBEDDER, [tmp_path / "files"])
    engine = in_memory()
    store = QdrantStore(tmp_path / "library", EMBEDDER, engine)
    try:
        assert store.current().generation.number == 0
        assert store.current().by_words("tide", 5, Filter()) == []
        assert store.current().by_vector(EMBEDDER.embed(["tide"])[0], 5, Filter()) == []
        assert engine.collections() == []
        write_files(tmp_path / "files", of_words(1, "high"))
        sync(tmp_path / "library", EMBEDDER, [tmp_path / "files"])
        assert store.refresh()
        assert [hit.passage.text for hit in store.current().by_words("tide", 5, Filter())] == ["The tide is high."]
    finally:
        store.close()


def test_terms_that_cannot_be_read_are_told_with_the_way_out(with_file: Path) -> None:
    engine = in_memory()
    forward(with_file, engine)
    lexicons.place(with_file).write_bytes(b"not terms" * 1_000)
    with pytest.raises(StoreError, match=r"terms.sqlite: not readable terms \(file is not a database\); delete it"):
        forward(with_file, engine)
    lexicons.place(with_file).unlink()
    assert forward(with_file, engine)[0] == 30
    assert len(engine.collections()) == 2


def test_whoever_sees_the_documents_of_some_tags_finds_the_same(both: tuple[LocalStore, QdrantStore]) -> None:
    here, there = (ScopedStores(store, frozenset({"moon"})).current() for store in both)
    for where in (Filter(), Filter(tags=frozenset({"sea"})), Filter(published_from="2026-01-10")):
        found = here.by_words("high tide", 50, where)
        assert rows(there.by_words("high tide", 50, where)) == rows(found)
        assert {tag for hit in found for tag in hit.passage.document.tags} == {"sea", "moon"}
        query = EMBEDDER.embed(["high moon"])[0]
        assert rows(there.by_vector(query, 50, where)) == rows(here.by_vector(query, 50, where))

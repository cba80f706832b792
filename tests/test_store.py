from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.change import delete
from index.errors import LibraryFormat, LibraryNotFound, UnknownDocument, UnknownRevision
from index.library import Library
from index.naming import document_id
from index.store import GenerationStore, LibraryTexts, LocalStore, live_passages
from index.sync import sync
from index.types import Document, Filter, Passage
from tests.fakes import HashingEmbedder, write_files

REPOSITORY = Path(__file__).resolve().parent.parent
EMBEDDER = HashingEmbedder()
OPEN = Filter()


def texts_by_words(store: GenerationStore, words: str, limit: int = 10, where: Filter = OPEN) -> list[str]:
    return [hit.passage.text for hit in store.by_words(words, limit, where)]


def texts_by_vector(store: GenerationStore, words: str, limit: int = 10, where: Filter = OPEN) -> list[str]:
    return [hit.passage.text for hit in store.by_vector(EMBEDDER.embed([words])[0], limit, where)]


def document(number: int) -> str:
    """Return the source of a document with a date, tags and a language that its number decides."""
    day = "" if number % 5 == 0 else f"date: 2026-01-{1 + number % 28:02}\n"
    language = ["", "language: en\n", "language: en-GB\n", "language: de-AT\n"][number % 4]
    tags = ["", "tags: [sea]\n", "tags: [sea, moon]\n"][number % 3]
    return f"---\ntitle: Tides\n{day}{language}{tags}---\nThe tide of number {number} is {'very ' * (number % 4)}high."


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    """Yield a store of forty documents."""
    folder = tmp_path_factory.mktemp("forty")
    write_files(folder / "files", {f"{n:02}.md": document(n) for n in range(40)})
    sync(folder / "library", EMBEDDER, [folder / "files"])
    store = LocalStore(folder / "library", EMBEDDER)
    yield store
    store.close()


def admitted(where: Filter, found: Document) -> bool:
    """Return what the contract says of a filter, in other words than the code."""
    number = int(found.uri.removesuffix(".md"))
    day = None if number % 5 == 0 else 1 + number % 28
    first = None if where.published_from is None else int(where.published_from[8:10])
    last = None if where.published_to is None else int(where.published_to[8:10])
    tags = [set(), {"sea"}, {"sea", "moon"}][number % 3]
    language = [None, "en", "en", "de"][number % 4]
    return (
        (first is None or (day is not None and day >= first))
        and (last is None or (day is not None and day <= last))
        and (where.document_ids is None or found.id in where.document_ids)
        and (where.tags is None or bool(tags & where.tags))
        and (where.language is None or where.language.split("-")[0] == language)
    )


DAYS = st.none() | st.integers(1, 28).map(lambda day: f"2026-01-{day:02}")


@settings(max_examples=80, deadline=None)
@given(
    limit=st.integers(1, 50),
    first=DAYS,
    last=DAYS,
    chosen=st.none() | st.sets(st.integers(0, 45), max_size=8),
    tags=st.none() | st.frozensets(st.sampled_from(["sea", "moon", "sun"]), max_size=2),
    language=st.sampled_from([None, "en", "en-US", "de", "fr"]),
)
def test_a_filter_lets_through_exactly_what_it_says(
    forty: LocalStore,
    limit: int,
    first: str | None,
    last: str | None,
    chosen: set[int] | None,
    tags: frozenset[str] | None,
    language: str | None,
) -> None:
    store = forty.current()
    everything = list(live_passages(forty.library, store.generation.number))
    names = sorted(p.document.id for p in everything)
    picked = None if chosen is None else frozenset(names[n] if n < 40 else f"no such {n}" for n in chosen)
    where = Filter(first, last, picked, tags, language)
    wanted = {p.text for p in everything if admitted(where, p.document)}
    query = EMBEDDER.embed(["very high tide"])[0]
    for hits in (store.by_words("very high tide", limit, where), store.by_vector(query, limit, where)):
        assert {hit.passage.text for hit in hits} <= wanted
        assert len(hits) == min(limit, len(wanted))
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    open_ranking = [hit.passage.text for hit in store.by_vector(query, 40, OPEN)]
    expected = [text for text in open_ranking if text in wanted][:limit]
    assert [hit.passage.text for hit in store.by_vector(query, limit, where)] == expected


def test_scores_by_vector_are_the_cosines_of_a_brute_force(forty: LocalStore) -> None:
    store = forty.current()
    query = EMBEDDER.embed(["number 7"])[0]
    vectors = dict(
        pair for ids, array in forty.library.vectors(forty.library.live_ids(1)) for pair in zip(ids, array, strict=True)
    )
    for hit in store.by_vector(query, 40, OPEN):
        vector = vectors[hit.passage.id]
        assert hit.score == pytest.approx(float(np.dot(vector, query) / np.linalg.norm(vector)), abs=1e-5)


def test_a_longer_list_begins_with_the_shorter_one(forty: LocalStore) -> None:
    store = forty.current()
    whole_words, whole_vector = texts_by_words(store, "tide high", 40), texts_by_vector(store, "tide high", 40)
    assert len(set(whole_words)) == len(set(whole_vector)) == 40
    for limit in range(41):
        assert texts_by_words(store, "tide high", limit) == whole_words[:limit]
        assert texts_by_vector(store, "tide high", limit) == whole_vector[:limit]


def test_ties_are_settled_by_what_the_passages_say_however_the_library_came_about(tmp_path: Path) -> None:
    names = [f"{n:02}.txt" for n in range(30)]
    files = {
        name: f"---\ntitle: Tides\n---\nThe tide of {'abcdefghij'[n % 10]} is high." for n, name in enumerate(names)
    }
    # The same documents, once in one sync, once one by one and in another order.
    write_files(tmp_path / "at once", files)
    sync(tmp_path / "one", EMBEDDER, [tmp_path / "at once"])
    for name in reversed(names):
        write_files(tmp_path / "one by one", {name: files[name]})
        sync(tmp_path / "two", EMBEDDER, [tmp_path / "one by one"])
    stores = [LocalStore(tmp_path / name, EMBEDDER) for name in ("one", "two")]
    try:
        for limit in (1, 4, 7, 15, 30):
            by_words = [
                [
                    (h.passage.text, h.passage.document.id, h.rank)
                    for h in s.current().by_words("tide high", limit, OPEN)
                ]
                for s in stores
            ]
            assert by_words[0] == by_words[1]
            assert len(by_words[0]) == limit
            query = EMBEDDER.embed(["tide high"])[0]
            by_vector = [
                [(h.passage.text, h.passage.document.id) for h in s.current().by_vector(query, limit, OPEN)]
                for s in stores
            ]
            assert by_vector[0] == by_vector[1]
        # All alike to the query, so the text decides, then the document.
        hits = stores[0].current().by_words("tide", 30, OPEN)
        keys = [(h.passage.text, h.passage.document.id) for h in hits]
        assert keys == sorted(keys)
    finally:
        for store in stores:
            store.close()


# ---- generations ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", {"a.txt": "The harbour closes at high tide.", "b.txt": "The lamp is lit."})


@pytest.fixture
def store(tmp_path: Path, folder: Path) -> Iterator[LocalStore]:
    sync(tmp_path / "library", EMBEDDER, [folder])
    opened = LocalStore(tmp_path / "library", EMBEDDER)
    yield opened
    opened.close()


def test_a_store_taken_before_a_sync_answers_from_its_generation(
    tmp_path: Path, folder: Path, store: LocalStore
) -> None:
    old = store.current()
    (folder / "a.txt").write_text("The harbour never closes.")
    (folder / "b.txt").unlink()
    write_files(folder, {"c.txt": "The lamp is broken."})
    sync(tmp_path / "library", EMBEDDER, [folder])
    assert store.refresh() is True
    new = store.current()
    assert (old.generation.number, new.generation.number) == (1, 2)
    assert texts_by_words(old, "harbour") == ["The harbour closes at high tide."]
    assert texts_by_words(old, "lamp") == texts_by_vector(old, "lamp", 1) == ["The lamp is lit."]
    assert texts_by_words(new, "harbour") == ["The harbour never closes."]
    assert texts_by_words(new, "lamp") == texts_by_vector(new, "lamp", 1) == ["The lamp is broken."]
    assert {d.uri for d in old.documents()} == {"a.txt", "b.txt"}
    assert {d.uri for d in new.documents()} == {"a.txt", "c.txt"}
    gone = next(d for d in old.documents() if d.uri == "b.txt")
    assert old.document(gone.id) == gone
    with pytest.raises(UnknownDocument):
        new.document(gone.id)
    # What a citation names can be looked up after the document is gone.
    assert new.revision(gone.id, gone.revision).text == "The lamp is lit."
    added = next(d for d in new.documents() if d.uri == "c.txt")
    with pytest.raises(UnknownRevision):
        old.revision(added.id, added.revision)


def test_a_refresh_without_news_changes_nothing(store: LocalStore) -> None:
    before = store.current()
    assert store.refresh() is False
    assert store.current() is before


def test_generations_of_another_process_are_taken_up(tmp_path: Path, folder: Path, store: LocalStore) -> None:
    code = (
        "import sys, pathlib; from index.sync import sync; from tests.fakes import HashingEmbedder\n"
        "sync(pathlib.Path(sys.argv[1]), HashingEmbedder(), [pathlib.Path(sys.argv[2])])"
    )
    for text in ("The lamp is broken.", "The lamp is mended."):
        (folder / "b.txt").write_text(text)
        command = [sys.executable, "-c", code, str(tmp_path / "library"), str(folder)]
        subprocess.run(command, cwd=REPOSITORY, check=True)
    # Two at once.
    assert store.refresh() is True
    assert store.current().generation.number == 3
    assert texts_by_words(store.current(), "lamp") == ["The lamp is mended."]
    assert store.current().vectors.ids() == store.library.live_ids(3)


def test_a_generation_that_is_purged_of_while_it_is_taken_up_gives_way_to_the_next(
    tmp_path: Path, folder: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(folder, {"secret.txt": "The cipher is changed at dawn.", "late.txt": "The late ferry waits."})
    sync(tmp_path / "library", EMBEDDER, [folder])
    stored_vectors, purges = Library.stored_vectors, ["secret.txt"]

    def purged_meanwhile(self: Library, ids: Iterable[int]) -> Iterator[tuple[list[int], NDArray[np.float16]]]:
        if purges:
            delete(tmp_path / "library", [document_id(purges.pop())], purge=True)
        return stored_vectors(self, ids)

    monkeypatch.setattr(Library, "stored_vectors", purged_meanwhile)
    assert store.refresh() is True
    assert store.current().generation.number == 3
    assert texts_by_words(store.current(), "cipher ferry") == ["The late ferry waits."]


def test_a_sync_under_way_does_not_show(tmp_path: Path, folder: Path, store: LocalStore) -> None:
    (folder / "b.txt").write_text("The lamp is broken.")
    seen: list[tuple[str, bool, list[str]]] = []

    def look(stage: str) -> None:
        opened = LocalStore(tmp_path / "library", EMBEDDER)
        seen.append((stage, store.refresh(), texts_by_words(opened.current(), "lamp")))
        opened.close()

    sync(tmp_path / "library", EMBEDDER, [folder], progress=lambda now: look(now.stage))
    before, after = ["The lamp is lit."], ["The lamp is broken."]
    assert seen == [
        ("scan", False, before),
        ("read", False, before),
        ("read", False, before),
        ("embed", False, before),
        ("index", False, before),
        ("commit", False, before),
    ]
    assert (store.refresh(), texts_by_words(store.current(), "lamp")) == (True, after)


def test_questions_and_refreshes_go_on_together(tmp_path: Path, folder: Path, store: LocalStore) -> None:
    stop = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            now = store.current()
            state = now.generation.number - 1
            expected = ["The lamp is lit."] if state == 0 else [f"The lamp is in state {state}."]
            if texts_by_words(now, "lamp", 3) != expected or texts_by_vector(now, "lamp", 1) != expected:
                wrong.append((now.generation.number, texts_by_words(now, "lamp", 3), texts_by_vector(now, "lamp", 1)))

    def refresh() -> None:
        while not stop.is_set():
            store.refresh()

    threads = [threading.Thread(target=work) for work in (ask, ask, refresh, refresh)]
    for thread in threads:
        thread.start()
    try:
        for state in range(1, 9):
            (folder / "b.txt").write_text(f"The lamp is in state {state}.")
            sync(tmp_path / "library", EMBEDDER, [folder])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    store.refresh()
    assert (wrong, store.current().generation.number) == ([], 9)


def test_texts_can_be_read_without_a_model(tmp_path: Path, store: LocalStore) -> None:
    library = Library(tmp_path / "library")
    texts = LibraryTexts(library, library.generation())
    first = texts.documents(limit=1)[0]
    assert texts.document(first.id) == first
    assert texts.revision(first.id, first.revision).id == first.revision
    assert [d.id for d in texts.documents(after=first.id)] == [d.id for d in store.current().documents(after=first.id)]
    library.close()


def test_every_passage_of_a_generation_is_handed_out_once_in_order(forty: LocalStore) -> None:
    passages: list[Passage] = list(live_passages(forty.library, 1))
    assert [p.id for p in passages] == forty.library.live_ids(1)
    assert [p.id for p in live_passages(forty.library, 1, [5, 3, 99])] == [3, 5]


def test_another_embedder_is_refused_and_both_are_named(tmp_path: Path, store: LocalStore) -> None:
    with pytest.raises(LibraryFormat, match="its vectors were made by hashing-64, the embedder in use is other-64"):
        LocalStore(tmp_path / "library", HashingEmbedder(name="other"))


def test_a_folder_without_a_library_is_said(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound):
        LocalStore(tmp_path, EMBEDDER)

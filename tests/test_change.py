"""Deleting, purging, going back and letting go: what is left, and what is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index import absent
from index.change import Compacted, compact, delete, rollback
from index.errors import GenerationPurged, SafetyStop, UnknownDocument, UnknownGeneration, UnknownRevision
from index.library import Library
from index.naming import document_id
from index.report import SyncPolicy, SyncReport
from index.store import LocalStore
from index.sync import sync
from index.tidy import finish_purge
from index.types import Filter
from index.writer import Writer
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, contents, found, ids, interrupted_at, texts
from tests.truths import Prepare

TIDE = "The harbour closes at high tide."
LAMP = "The lamp is lit at dusk."
SECRET = "The quellbryxop lies below the third stone of the quay."
AT_ONCE = timedelta(0)


@pytest.fixture
def library(tmp_path: Path, truth: Prepare) -> Path:
    """Return a library folder to be, once for each place where its truth may live."""
    return truth(tmp_path / "library")


@pytest.fixture
def folder(tmp_path: Path, library: Path) -> Path:
    """Return a folder of three files that the library is in step with."""
    made = write_files(tmp_path / "files", {"tide.txt": TIDE, "lamp.txt": LAMP, "secret.txt": SECRET})
    run(library, made)
    return made


@pytest.fixture
def server(library: Path, folder: Path) -> Iterator[LocalStore]:
    """Yield a store that was opened before anything is changed."""
    opened = LocalStore(library, HashingEmbedder())
    yield opened
    opened.close()


def run(library: Path, folder: Path, policy: SyncPolicy | None = None) -> SyncReport:
    """Sync with an embedder that remembers nothing of earlier ones."""
    return sync(library, HashingEmbedder(), [folder], policy=policy)


def everything(store: LocalStore) -> list[str]:
    """Return all passages that a store finds near anything."""
    now = store.current()
    return sorted(hit.passage.text for hit in now.by_vector(now.embed("the"), 1_000, Filter()))


# ---- deleting ------------------------------------------------------------------------------------


def test_a_deleted_document_is_not_found_any_more_and_the_rest_is(library: Path, folder: Path) -> None:
    assert delete(library, [ids(library)["secret.txt"]]) == 2
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    assert (found(library, "quellbryxop"), found(library, "tide")) == ([], [TIDE])
    # What was true is still true of the generation in which it was.
    assert found(library, "quellbryxop", generation=1) == [SECRET]
    assert_whole(library)


def test_a_running_server_finds_it_no_more_once_it_takes_up_the_generation(library: Path, server: LocalStore) -> None:
    delete(library, [ids(library)["secret.txt"]])
    assert server.refresh() is True
    assert everything(server) == [TIDE, LAMP]
    assert server.current().by_words("quellbryxop", 5, Filter()) == []


def test_a_sync_does_not_bring_a_deleted_document_back_and_says_so(library: Path, folder: Path) -> None:
    delete(library, [ids(library)["secret.txt"]])
    for _ in range(2):
        report = run(library, folder)
        assert (report.generation, report.kept_out, report.skipped) == (None, ("secret.txt",), 2)
    (folder / "secret.txt").write_text("The quellbryxop was moved.")
    report = run(library, folder)
    assert (report.generation, report.kept_out, report.embedded) == (None, ("secret.txt",), 0)
    (folder / "secret.txt").rename(folder / "renamed.txt")
    report = run(library, folder)
    assert (report.generation, report.kept_out, report.added) == (None, ("renamed.txt",), ())
    (folder / "renamed.txt").unlink()
    report = run(library, folder)
    assert (report.generation, report.kept_out, report.removed) == (None, (), ())
    write_files(folder, {"secret.txt": SECRET})
    assert run(library, folder).kept_out == ("secret.txt",)
    assert set(texts(library)) == {"tide.txt", "lamp.txt"}
    assert_whole(library)


def test_a_sync_that_is_told_to_brings_a_deleted_document_back_under_its_id(library: Path, folder: Path) -> None:
    before = ids(library)
    delete(library, [before["secret.txt"]])
    embedder = HashingEmbedder()
    report = sync(library, embedder, [folder], policy=SyncPolicy(include_deleted=True))
    assert (report.added, report.kept_out, embedder.embedded) == (("secret.txt",), (), [])
    assert ids(library) == before
    report = run(library, folder)
    assert (report.generation, report.kept_out, report.skipped) == (None, (), 3)
    assert_whole(library)


def test_another_document_with_the_address_of_a_deleted_one_is_taken_in(library: Path, tmp_path: Path) -> None:
    address = "---\nurl: https://example.org/x\n---\n"
    folder = write_files(tmp_path / "files", {"a.txt": address + TIDE, "z.txt": LAMP})
    run(library, folder)
    delete(library, [document_id("https://example.org/x")])
    write_files(folder, {"b.txt": address + SECRET})
    report = run(library, folder)
    assert (report.added, report.kept_out) == (("https://example.org/x",), ("a.txt",))
    report = run(library, folder, SyncPolicy(include_deleted=True))
    assert (report.added, report.skipped) == (("https://example.org/x",), 2)
    opened = Library(library)
    assert [d.id for d in opened.documents(4)] == sorted(
        [document_id("z.txt"), document_id("https://example.org/x"), document_id("https://example.org/x", 2)]
    )
    opened.close()
    assert_whole(library)


@pytest.mark.parametrize("purge", [False, True])
def test_if_one_document_is_unknown_none_is_deleted(library: Path, folder: Path, purge: bool) -> None:
    before = texts(library)
    with pytest.raises(UnknownDocument, match=r"no document 'doc_x' in this library; `citespan documents`"):
        delete(library, [ids(library)["secret.txt"], "doc_x"], purge=purge)
    assert texts(library) == before
    assert run(library, folder).kept_out == ()
    assert_whole(library)


def test_what_was_deleted_cannot_be_deleted_again(library: Path, folder: Path) -> None:
    gone = ids(library)["secret.txt"]
    assert delete(library, [gone, gone]) == 2
    with pytest.raises(UnknownDocument):
        delete(library, [gone])


# ---- purging -------------------------------------------------------------------------------------


def assert_gone(library: Path, text: str = SECRET, term: str = "quellbryxop") -> None:
    """Assert that neither the text nor the term is in any byte of the library, or in its word index."""
    assert absent.search(library, text).places == ()
    for name, data in contents(library).items():
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert term.encode(encoding) not in data, name
    store = LocalStore(library, HashingEmbedder())
    try:
        # Words of passages that are not live any more would be dropped by the store: ask the index itself.
        assert all(len(one.holding("text", term)) == 0 for one in store._words.searcher().segments)
    finally:
        store.close()


def test_a_purged_document_is_in_no_byte_of_the_library(library: Path, folder: Path) -> None:
    (folder / "secret.txt").write_text(SECRET.replace("third", "fourth"))
    run(library, folder)
    purged = ids(library)["secret.txt"]
    places = {place.file for place in absent.search(library, SECRET).places}
    assert places in ({"library.sqlite"}, {"PostgreSQL, revisions.text"})
    assert any(b"quellbryx" in data for data in contents(library / "words").values())
    assert delete(library, [purged], purge=True) == 3
    assert_gone(library)
    assert_gone(library, SECRET.replace("third", "fourth"))
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    assert found(library, "tide") == [TIDE]
    assert_whole(library)


def test_a_generation_of_which_a_document_was_purged_says_so(library: Path, server: LocalStore, folder: Path) -> None:
    purged = ids(library)["secret.txt"]
    revision = server.current().document(purged).revision
    # Held, so that it could be answered from without another look.
    write_files(folder, {"more.txt": "A fourth thing."})
    run(library, folder)
    server.refresh()
    assert server.at(1).by_words("quellbryxop", 5, Filter()) != []
    delete(library, [purged], purge=True)
    for _ in range(2):
        for number in (1, 2):
            with pytest.raises(GenerationPurged, match=f"generation {number} is not what it was: 1 of its documents"):
                server.at(number)
        server.refresh()
    assert everything(server) == ["A fourth thing.", TIDE, LAMP]
    assert server.current().vectors.ids() == server.library.live_ids(3)
    assert server.current().was_purged(purged, revision)
    with pytest.raises(UnknownRevision):
        server.current().revision(purged, revision)


def test_a_purged_document_stays_away_even_if_its_file_comes_again(library: Path, folder: Path) -> None:
    delete(library, [ids(library)["secret.txt"]], purge=True)
    for _ in range(2):
        report = run(library, folder)
        assert (report.generation, report.kept_out) == (None, ("secret.txt",))
        assert_gone(library)
    report = run(library, folder, SyncPolicy(include_deleted=True))
    assert (report.added, texts(library)["secret.txt"]) == (("secret.txt",), SECRET)
    assert_whole(library)


def test_a_document_deleted_before_can_be_purged_and_no_generation_is_new(library: Path, folder: Path) -> None:
    gone = ids(library)["secret.txt"]
    delete(library, [gone])
    assert delete(library, [gone], purge=True) is None
    assert_gone(library)
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    with pytest.raises(UnknownDocument):
        delete(library, [gone], purge=True)
    assert_whole(library)


def test_of_two_exact_copies_one_is_purged_and_the_other_stays(library: Path, folder: Path) -> None:
    write_files(folder, {"copy.txt": SECRET})
    run(library, folder)
    delete(library, [ids(library)["secret.txt"]], purge=True)
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP, "copy.txt": SECRET}
    assert found(library, "quellbryxop") == [SECRET]
    assert_whole(library)
    delete(library, [ids(library)["copy.txt"]], purge=True)
    assert_gone(library)
    assert_whole(library)


def test_a_purge_that_was_cut_short_is_ended_by_the_next_change(library: Path, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_at("call", finish_purge):
        delete(library, [ids(library)["secret.txt"]], purge=True)
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    assert any(b"quellbryx" in data for data in contents(library / "words").values())
    assert run(library, folder).generation is None
    assert_gone(library)
    assert_whole(library)


# ---- going back ----------------------------------------------------------------------------------


def test_a_rollback_is_a_new_generation_with_the_documents_of_the_old_one(library: Path, server: LocalStore) -> None:
    before = texts(library)
    folder = library.with_name("files")
    (folder / "tide.txt").write_text("The harbour never closes.")
    (folder / "lamp.txt").unlink()
    write_files(folder, {"new.txt": "A fourth thing is here."})
    run(library, folder)
    later = texts(library)
    assert rollback(library, 1) == 3
    assert texts(library) == before
    assert (found(library, "fourth"), found(library, "closes"), found(library, "dusk")) == ([], [TIDE], [LAMP])
    assert texts(library, 2) == later
    server.refresh()
    assert everything(server) == sorted(before.values())
    assert rollback(library, 2) == 4
    assert texts(library) == later
    assert rollback(library, 4) == 5
    assert texts(library) == later
    assert_whole(library)
    opened = Library(library)
    assert dict(opened.generation().summary) == {"rolled_back_to": 4, "from": 4}
    opened.close()


def test_the_sync_after_a_rollback_is_in_step_with_the_files_again_and_embeds_nothing(
    library: Path, folder: Path
) -> None:
    write_files(folder, {"tide.txt": "The harbour never closes.", "new.txt": "A fourth thing is here."})
    (folder / "lamp.txt").unlink()
    run(library, folder)
    wanted = texts(library)
    rollback(library, 1)
    embedder = HashingEmbedder()
    report = sync(library, embedder, [folder])
    assert (report.added, report.changed, report.removed) == (("new.txt",), ("tide.txt",), ("lamp.txt",))
    assert (texts(library), embedder.embedded) == (wanted, [])
    assert run(library, folder).generation is None
    assert_whole(library)


def test_a_rollback_brings_deleted_documents_back_and_the_next_sync_keeps_them(library: Path, folder: Path) -> None:
    before = ids(library)
    delete(library, [before["secret.txt"]])
    rollback(library, 1)
    assert ids(library) == before
    report = run(library, folder)
    assert (report.generation, report.kept_out, report.skipped) == (None, (), 3)
    # And without the file it goes the way of all documents without a file.
    delete(library, [before["secret.txt"]])
    rollback(library, 1)
    (folder / "secret.txt").unlink()
    assert run(library, folder).removed == ("secret.txt",)
    assert_whole(library)


def test_files_that_are_gone_since_are_missed_by_the_next_sync(library: Path, folder: Path) -> None:
    (folder / "lamp.txt").unlink()
    run(library, folder)
    rollback(library, 1)
    assert set(texts(library)) == {"tide.txt", "lamp.txt", "secret.txt"}
    assert run(library, folder, SyncPolicy(keep_missing=True)).generation is None
    assert run(library, folder).removed == ("lamp.txt",)
    rollback(library, 1)
    write_files(folder, {"lamp.txt": LAMP})
    # It is there again, and the same.
    assert run(library, folder).generation is None
    assert_whole(library)


def test_a_file_that_was_renamed_since_keeps_its_id_both_ways(library: Path, folder: Path) -> None:
    before = ids(library)
    (folder / "lamp.txt").rename(folder / "light.txt")
    run(library, folder)
    rollback(library, 1)
    assert ids(library) == before
    assert run(library, folder).changed == ("light.txt",)
    assert ids(library)["light.txt"] == before["lamp.txt"]
    assert_whole(library)


def test_a_rollback_to_what_is_not_there_or_not_whole_is_refused(library: Path, folder: Path) -> None:
    with pytest.raises(UnknownGeneration, match="no generation 7 in this library"):
        rollback(library, 7)
    write_files(folder, {"tide.txt": "The harbour never closes."})
    run(library, folder)
    delete(library, [ids(library)["secret.txt"]], purge=True)
    with pytest.raises(GenerationPurged):
        rollback(library, 1)
    assert rollback(library, 1, partial=True) == 4
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    assert run(library, folder).kept_out == ("secret.txt",)
    with pytest.raises(UnknownGeneration):
        rollback(library, 7, partial=True)
    assert_whole(library)


# ---- letting go ----------------------------------------------------------------------------------


def numbers(library: Path) -> list[int]:
    """Return the generations that are kept."""
    opened = Library(library)
    try:
        return [g.number for g in opened.generations()]
    finally:
        opened.close()


@pytest.fixture
def five(library: Path, folder: Path) -> Path:
    """Return a library of five generations: the secret is in the first two, and each has its own tide."""
    for number in range(2, 6):
        if number == 3:
            (folder / "secret.txt").unlink()
        (folder / "tide.txt").write_text(f"The tide of generation {number} is high.")
        run(library, folder)
    return library


@pytest.mark.parametrize("last", [1, 2, 4, 9])
def test_the_last_generations_are_kept_and_the_others_let_go(five: Path, last: int) -> None:
    before = {number: texts(five, number) for number in numbers(five)}
    kept = [5, 4, 3, 2, 1][:last]
    assert compact(five, keep_last=last, grace=AT_ONCE).generations == 5 - len(kept)
    assert numbers(five) == kept
    assert {number: texts(five, number) for number in kept} == {number: before[number] for number in kept}
    assert_whole(five)
    store = LocalStore(five, HashingEmbedder())
    with pytest.raises(UnknownGeneration, match="retention has dropped it"):
        store.at(min(kept) - 1)
    store.close()


def test_generations_younger_than_some_days_are_kept_and_so_is_the_newest(five: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=10)
    assert compact(five, keep_days=11, now=later).generations == 0
    assert compact(five, keep_days=9, now=later).generations == 4
    assert numbers(five) == [5]
    assert compact(five, keep_days=0, now=later).generations == 0
    assert set(texts(five)) == {"tide.txt", "lamp.txt"}


def test_a_generation_that_may_still_be_answering_stays(five: Path) -> None:
    assert compact(five).generations == 0
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert compact(five, now=soon, grace=timedelta(minutes=5)).generations == 0
    assert compact(five, now=soon, grace=timedelta(seconds=30)).generations == 4


def test_what_only_old_generations_used_is_gone_from_every_byte(five: Path) -> None:
    opened = Library(five)
    stale = opened.live_ids(1)
    opened.close()
    report = compact(five, grace=AT_ONCE)
    assert (report.generations, report.passages) == (4, 5)
    assert_gone(five)
    opened = Library(five)
    assert opened.kept_ids() == opened.live_ids(5)
    assert opened.passages(1, stale).keys() <= set(opened.live_ids(5))
    vectors = opened.connection().execute("SELECT count(*) FROM vectors").fetchone()
    revisions = opened.connection().execute("SELECT count(*) FROM revisions").fetchone()
    opened.close()
    assert (vectors, revisions) == ((2,), (2,))
    assert (found(five, "high"), found(five, "dusk")) == (["The tide of generation 5 is high."], [LAMP])
    assert_whole(five)


def test_the_library_shrinks_and_says_by_how_much(library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    for turn in range(6):
        names = {f"{n:02}.txt": f"Turn {turn} of {n}. " + f"word{turn}x{n} " * 400 for n in range(20)}
        run(library, write_files(folder, names))
    report = compact(library, grace=AT_ONCE)
    assert report == Compacted(5, report.passages, report.bytes_before, report.bytes_after)
    assert report.bytes_after < report.bytes_before / 2
    assert sum(len(data) for data in contents(library).values()) == report.bytes_after
    assert compact(library, grace=AT_ONCE).passages == 0
    assert_whole(library)


def test_an_open_store_answers_through_a_compaction_and_takes_up_the_next_generation(
    library: Path, server: LocalStore, folder: Path
) -> None:
    (folder / "tide.txt").write_text("The harbour never closes.")
    run(library, folder)
    server.refresh()
    (folder / "lamp.txt").unlink()
    run(library, folder)
    # The server did not look meanwhile, and what it answers from is let go under it.
    compact(library, grace=AT_ONCE)
    assert not server.holds(server.current())
    assert everything(server) == ["The harbour never closes.", SECRET]
    assert server.refresh() is True
    assert server.current().vectors.ids() == server.library.live_ids(3)
    assert everything(server) == ["The harbour never closes.", SECRET]


def test_questions_go_on_through_purges_rollbacks_and_compactions(library: Path, folder: Path) -> None:
    server = LocalStore(library, HashingEmbedder())
    stop = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            now = server.current()
            try:
                # Each generation of these has one tide.
                hits = [hit.passage.text for hit in now.by_words("tide", 5, Filter())]
                hits += [hit.passage.text for hit in now.by_vector(now.embed("tide"), 1, Filter())]
                right = len(hits) == 2 and len(set(hits)) == 1
            except Exception as error:
                hits, right = [repr(error)], False
            # What is answered from a generation that was let go meanwhile is thrown away and asked again.
            if not right and server.holds(now):
                wrong.append((now.generation.number, hits))

    def ask_of_the_past() -> None:
        while not stop.is_set():
            try:
                server.at(server.current().generation.number - 1)
            except (UnknownGeneration, GenerationPurged):
                pass
            except Exception as error:
                wrong.append(repr(error))

    def refresh() -> None:
        while not stop.is_set():
            server.refresh()

    threads = [threading.Thread(target=work) for work in (ask, ask_of_the_past, refresh)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(4):
            write_files(
                folder, {"tide.txt": f"The tide of turn {turn} is high.", f"more{turn}.txt": f"More of {turn}."}
            )
            run(library, folder)
            delete(library, [ids(library)[f"more{turn}.txt"]], purge=True)
            opened = Library(library)
            rollback(library, opened.generation().number)
            opened.close()
            compact(library, grace=AT_ONCE)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        server.refresh()
        assert everything(server) == sorted(texts(library).values())
        server.close()
    assert wrong == []
    assert_whole(library)


def test_a_compaction_that_was_cut_short_is_ended_by_the_next_change(five: Path, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_at("return", Writer.drop_dead, after=2):
        compact(five, grace=AT_ONCE)
    assert set(texts(five)) == {"tide.txt", "lamp.txt"}
    run(five, folder)
    assert_whole(five)
    compact(five, grace=AT_ONCE)
    assert_gone(five)


def test_retention_keeps_at_least_one_generation(five: Path) -> None:
    with pytest.raises(ValueError, match="keep_last is 0"):
        compact(five, keep_last=0)


def test_deleted_and_compacted_a_document_still_stays_away(library: Path, folder: Path) -> None:
    delete(library, [ids(library)["secret.txt"]])
    compact(library, grace=AT_ONCE)
    assert_gone(library)
    assert run(library, folder).kept_out == ("secret.txt",)


def test_after_a_rollback_a_sync_that_would_empty_the_library_stops(library: Path, folder: Path) -> None:
    for name in ("tide.txt", "lamp.txt", "secret.txt"):
        (folder / name).unlink()
    run(library, folder, SyncPolicy(allow_vanish=True))
    rollback(library, 1)
    with pytest.raises(SafetyStop, match="3 of 3 documents would be removed"):
        run(library, folder)
    assert len(texts(library)) == 3


def test_a_purged_text_does_not_come_back_under_another_name(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "notes", {"a.md": "The lamp is lit at dusk.", "b.md": "The pump was replaced."})
    library = tmp_path / "library"
    sync(library, HashingEmbedder(), [folder])
    opened = Library(library)
    (identity,) = [d.id for d in opened.documents(1) if d.uri == "a.md"]
    opened.close()
    delete(library, [identity], purge=True)
    (folder / "a.md").rename(folder / "renamed.md")
    for _ in range(2):  # it is told each time
        report = sync(library, HashingEmbedder(), [tmp_path])  # the folder above, which was not synced before
        assert (report.generation, report.added, report.kept_out) == (None, (), ("notes/renamed.md",))
    report = sync(library, HashingEmbedder(), [tmp_path], policy=SyncPolicy(include_deleted=True))
    assert report.added == ("notes/renamed.md",)


def test_after_a_rollback_a_purge_also_holds_for_the_name_that_the_file_has_now(library: Path, folder: Path) -> None:
    (folder / "secret.txt").rename(folder / "hidden.txt")
    run(library, folder)
    rollback(library, 1)
    delete(library, [ids(library)["secret.txt"]], purge=True)
    write_files(folder, {"hidden.txt": "The cipher was changed on Monday."})
    report = run(library, folder)
    assert (report.added, report.kept_out) == ((), ("hidden.txt",))

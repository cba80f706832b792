from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.check import check_library
from index.embed import Embedder
from index.errors import Interrupted, LibraryBusy, LibraryError, LibraryFormat, PathNotFound, UnknownDocument
from index.library import Library
from index.naming import document_id, title_from
from index.passages import PassagePolicy
from index.report import SyncPolicy, SyncProgress, SyncReport
from index.store import LocalStore, live_passages
from index.sync import sync
from index.types import Document, Filter
from index.writer import Writer
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import interrupted_at

TIDE = "The harbour closes at high tide.\n"
LAMP = "The lamp is lit at dusk.\n"
PUMP = "The pump was replaced in May.\n"
LONG_AGO = 1_000_000_000_000_000_000


def age(*paths: Path) -> None:
    """Give files a time stamp old enough that a sync trusts it."""
    for path in paths:
        os.utime(path, ns=(LONG_AGO, LONG_AGO))


def live(library: Path) -> dict[str, Document]:
    """Return the live documents by uri, no two of which have the same in these tests."""
    opened = Library(library)
    try:
        documents = opened.documents(opened.generation().number, limit=1000)
    finally:
        opened.close()
    assert len({d.uri for d in documents}) == len(documents)
    return {d.uri: d for d in documents}


def ids(library: Path) -> dict[str, str]:
    return {uri: document.id for uri, document in live(library).items()}


def texts(library: Path) -> dict[str, str]:
    """Return the canonical text of every live document by uri."""
    opened = Library(library)
    try:
        number = opened.generation().number
        return {
            d.uri: opened.revision(d.revision, document_id=d.id, generation=number).text
            for d in opened.documents(number, limit=1000)
        }
    finally:
        opened.close()


def holds(library: Path) -> None:
    """Assert that everything in the library fits together, and that both derived indexes hold what is live."""
    assert check_library(library).problems == ()
    opened = LocalStore(library, HashingEmbedder())
    try:
        number = opened.current().generation.number
        wanted = opened.library.live_ids(number)
        assert opened.current().vectors.ids() == wanted
        assert {p.id for p in live_passages(opened.library, number)} == set(wanted)
    finally:
        opened.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", {"a.txt": TIDE, "b.txt": LAMP, "sub/c.txt": PUMP})


# ---- what a sync does ----------------------------------------------------------------------------


def test_the_first_sync_adds_every_document(library: Path, folder: Path) -> None:
    report = sync(library, HashingEmbedder(), [folder])
    assert (report.generation, report.added, report.changed, report.removed) == (
        1,
        ("a.txt", "b.txt", "sub/c.txt"),
        (),
        (),
    )
    assert (report.skipped, report.failed, report.ignored, report.embedded) == (0, (), (), 3)
    assert texts(library) == {"a.txt": TIDE.strip(), "b.txt": LAMP.strip(), "sub/c.txt": PUMP.strip()}
    holds(library)


def test_a_second_sync_of_the_same_files_does_nothing(library: Path, folder: Path) -> None:
    embedder = HashingEmbedder()
    sync(library, embedder, [folder])
    embedder.embedded.clear()
    report = sync(library, embedder, [folder])
    assert (report.generation, report.added, report.changed, report.removed) == (None, (), (), ())
    assert (report.skipped, report.embedded, embedder.embedded) == (3, 0, [])


def test_one_sync_adds_changes_and_removes_in_one_generation(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    before = ids(library)
    (folder / "a.txt").write_text("The harbour never closes.")
    (folder / "b.txt").unlink()
    write_files(folder, {"d.txt": "A fourth thing is here."})
    report = sync(library, HashingEmbedder(), [folder])
    assert (report.generation, report.added, report.changed, report.removed) == (
        2,
        ("d.txt",),
        ("a.txt",),
        ("b.txt",),
    )
    assert texts(library) == {
        "a.txt": "The harbour never closes.",
        "d.txt": "A fourth thing is here.",
        "sub/c.txt": PUMP.strip(),
    }
    assert live(library)["a.txt"].id == before["a.txt"]
    holds(library)
    opened = Library(library)
    assert opened.generation().summary == {"added": 1, "changed": 1, "removed": 1, "failed": 0}
    opened.close()


def test_an_earlier_generation_is_as_it_was(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    first = ids(library)
    shutil.rmtree(folder / "sub")
    (folder / "a.txt").write_text("Something else entirely.")
    sync(library, HashingEmbedder(), [folder])
    opened = Library(library)
    assert {d.uri: d.id for d in opened.documents(1)} == first
    passages = opened.passages(1, opened.live_ids(1))
    assert sorted(p.text for p in passages.values()) == sorted([TIDE.strip(), LAMP.strip(), PUMP.strip()])
    with pytest.raises(UnknownDocument):
        opened.document(2, first["sub/c.txt"])
    opened.close()


def test_an_empty_folder_makes_a_library_of_generation_0(library: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert sync(library, HashingEmbedder(), [empty]).generation is None
    opened = Library(library)
    assert (opened.generation().number, opened.documents(0), opened.live_ids(0)) == (0, [], [])
    opened.close()
    store = LocalStore(library, HashingEmbedder())
    assert store.current().by_words("tide", 5, Filter()) == []
    store.close()


def test_only_what_changed_in_a_document_is_embedded_again(library: Path, tmp_path: Path) -> None:
    paragraphs = [f"Paragraph number {i} is about the {i}th valve of the plant." for i in range(8)]
    policy = SyncPolicy(passages=PassagePolicy(tokens=12, overlap=0))
    folder = write_files(tmp_path / "files", {"a.txt": "\n\n".join(paragraphs)})
    embedder = HashingEmbedder()
    assert sync(library, embedder, [folder], policy=policy).embedded == 8
    embedder.embedded.clear()
    paragraphs[3] = "Paragraph number 3 was written anew."
    (folder / "a.txt").write_text("\n\n".join(paragraphs))
    assert sync(library, embedder, [folder], policy=policy).embedded == 1
    assert embedder.embedded == ["a\nParagraph number 3 was written anew."]


def test_the_same_titled_content_in_two_places_is_two_documents_and_one_vector(library: Path, tmp_path: Path) -> None:
    text = "---\ntitle: Tides\n---\nThe harbour closes at high tide."
    folder = write_files(tmp_path / "files", {"a.txt": text, "copies/b.txt": text})
    report = sync(library, HashingEmbedder(), [folder])
    assert (report.added, report.embedded) == (("a.txt", "copies/b.txt"), 1)
    documents = live(library)
    assert documents["a.txt"].id != documents["copies/b.txt"].id
    assert documents["a.txt"].revision == documents["copies/b.txt"].revision
    holds(library)


def test_a_document_that_comes_back_has_its_id_again(library: Path, folder: Path) -> None:
    embedder = HashingEmbedder()
    sync(library, embedder, [folder])
    before = ids(library)
    (folder / "a.txt").unlink()
    sync(library, embedder, [folder])
    write_files(folder, {"a.txt": TIDE})
    embedder.embedded.clear()
    report = sync(library, embedder, [folder])
    assert (report.added, embedder.embedded) == (("a.txt",), [])
    assert ids(library) == before


def test_metadata_of_the_source_is_kept_and_an_address_is_the_uri(library: Path, tmp_path: Path) -> None:
    header = (
        "---\ntitle: Tides\nauthor: Jane Doe\npublisher: Example News\ndate: 2026-01-10\nlanguage: en-GB\n"
        "url: https://example.org/tides\ntags: [sea, moon]\n---\n"
    )
    folder = write_files(tmp_path / "files", {"tides.md": header + TIDE})
    report = sync(library, HashingEmbedder(), [folder])
    assert report.added == ("https://example.org/tides",)
    document = live(library)["https://example.org/tides"]
    assert document.id == document_id("https://example.org/tides")
    assert (document.title, document.author, document.publisher, document.published_at, document.language) == (
        "Tides",
        "Jane Doe",
        "Example News",
        "2026-01-10",
        "en-GB",
    )
    assert document.tags == ("sea", "moon")
    (folder / "tides.md").unlink()
    assert sync(library, HashingEmbedder(), [folder]).removed == ("https://example.org/tides",)


def test_two_files_that_claim_one_address_are_two_documents(library: Path, tmp_path: Path) -> None:
    header = "---\nurl: https://example.org/x\n---\n"
    folder = write_files(tmp_path / "files", {"a.txt": header + TIDE, "b.txt": header + LAMP})
    sync(library, HashingEmbedder(), [folder])
    opened = Library(library)
    found = opened.documents(1)
    opened.close()
    assert {d.uri for d in found} == {"https://example.org/x"}
    assert {d.id for d in found} == {document_id("https://example.org/x", n) for n in (1, 2)}


@pytest.mark.parametrize(
    ("path", "title"), [("a/annual_report-2026.txt", "annual report 2026"), ("-.txt", "-.txt"), ("x.y.md", "x.y")]
)
def test_a_document_without_a_title_is_called_by_its_file(path: str, title: str) -> None:
    assert title_from(path) == title


# ---- which document a file is --------------------------------------------------------------------


def test_the_same_tree_gives_the_same_ids_in_any_library_at_any_place(tmp_path: Path, folder: Path) -> None:
    elsewhere = tmp_path / "deep" / "elsewhere"
    shutil.copytree(folder, elsewhere)
    sync(tmp_path / "one", HashingEmbedder(), [folder])
    sync(tmp_path / "two", HashingEmbedder(), [elsewhere])
    assert ids(tmp_path / "one") == ids(tmp_path / "two") == {uri: document_id(uri) for uri in ids(tmp_path / "one")}


def test_a_renamed_file_keeps_its_id_and_nothing_is_embedded(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": "---\ntitle: Tides\n---\n" + TIDE, "b.txt": LAMP})
    embedder = HashingEmbedder()
    sync(library, embedder, [folder])
    identity = live(library)["a.txt"].id
    (folder / "sub").mkdir()
    (folder / "a.txt").rename(folder / "sub" / "tides.txt")
    embedder.embedded.clear()
    report = sync(library, embedder, [folder])
    assert (report.changed, report.added, report.removed) == (("sub/tides.txt",), (), ())
    assert (embedder.embedded, live(library)["sub/tides.txt"].id) == ([], identity)
    assert "a.txt" not in live(library)
    # The old name is free for another document.
    write_files(folder, {"a.txt": PUMP})
    assert sync(library, embedder, [folder]).added == ("a.txt",)
    assert live(library)["a.txt"].id not in {identity, live(library)["b.txt"].id}
    holds(library)


def test_a_moved_folder_keeps_its_documents_even_those_edited_meanwhile(library: Path, folder: Path) -> None:
    embedder = HashingEmbedder()
    sync(library, embedder, [folder])
    before = ids(library)
    moved = folder.with_name("moved")
    folder.rename(moved)
    embedder.embedded.clear()
    report = sync(library, embedder, [moved])
    assert (report.generation, report.skipped, embedder.embedded) == (None, 3, [])
    moved_again = folder.with_name("again")
    moved.rename(moved_again)
    (moved_again / "a.txt").write_text("The harbour was rebuilt.")
    report = sync(library, embedder, [moved_again])
    assert (report.changed, report.added, report.removed, report.skipped) == (("a.txt",), (), (), 2)
    assert ids(library) == before
    holds(library)


def test_a_folder_that_was_moved_and_left_a_link_behind_keeps_its_documents(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    before = ids(library)
    folder.rename(folder.with_name("larger disk"))
    folder.symlink_to(folder.with_name("larger disk"), target_is_directory=True)
    report = sync(library, HashingEmbedder(), [folder])
    assert (report.generation, report.skipped) == (None, 3)
    assert ids(library) == before


def test_two_folders_with_the_same_paths_are_different_documents(library: Path, tmp_path: Path) -> None:
    one = write_files(tmp_path / "one", {"readme.txt": TIDE})
    two = write_files(tmp_path / "two", {"readme.txt": LAMP})
    sync(library, HashingEmbedder(), [one])
    report = sync(library, HashingEmbedder(), [two])
    assert (report.added, report.changed, report.removed) == (("readme.txt",), (), ())
    opened = Library(library)
    found = {d.id for d in opened.documents(2)}
    opened.close()
    assert found == {document_id("readme.txt", 1), document_id("readme.txt", 2)}
    holds(library)


def test_a_file_of_the_same_name_in_another_folder_takes_nothing_over(library: Path, tmp_path: Path) -> None:
    one = write_files(tmp_path / "one", {"readme.txt": TIDE, "more.txt": PUMP})
    two = write_files(tmp_path / "two", {"readme.txt": LAMP})
    sync(library, HashingEmbedder(), [one])
    (one / "readme.txt").unlink()
    report = sync(library, HashingEmbedder(), [two])
    assert (report.added, report.changed, report.removed) == (("readme.txt",), (), ())
    assert sync(library, HashingEmbedder(), [one]).removed == ("readme.txt",)
    assert texts(library) == {"readme.txt": LAMP.strip(), "more.txt": PUMP.strip()}


def test_swapped_files_swap_their_content_not_their_ids(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    before = ids(library)
    (folder / "a.txt").rename(folder / "x")
    (folder / "b.txt").rename(folder / "a.txt")
    (folder / "x").rename(folder / "b.txt")
    assert sync(library, HashingEmbedder(), [folder]).changed == ("a.txt", "b.txt")
    assert ids(library) == before
    assert (texts(library)["a.txt"], texts(library)["b.txt"]) == (LAMP.strip(), TIDE.strip())


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("aged", [False, True])
def test_giving_a_folder_inside_the_one_known_changes_no_names(
    library: Path, folder: Path, edited: bool, aged: bool
) -> None:
    sync(library, HashingEmbedder(), [folder])
    before = ids(library)
    if edited:
        (folder / "sub" / "c.txt").write_text("The pump was replaced in June.")
    if aged:
        age(folder / "sub" / "c.txt")
    report = sync(library, HashingEmbedder(), [folder / "sub"])
    assert (report.changed, report.added, report.removed) == (("sub/c.txt",) if edited else (), (), ())
    assert ids(library) == before
    report = sync(library, HashingEmbedder(), [folder, folder / "sub", folder])
    assert (report.generation, report.skipped) == (None, 3)


def test_giving_one_file_leaves_its_neighbours_alone(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").write_text("The harbour never closes.")
    (folder / "b.txt").unlink()
    report = sync(library, HashingEmbedder(), [folder / "a.txt"])
    assert (report.changed, report.removed, report.skipped) == (("a.txt",), (), 0)
    assert set(live(library)) == {"a.txt", "b.txt", "sub/c.txt"}


def test_a_file_replaced_by_a_folder_is_gone(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").unlink()
    (folder / "a.txt").mkdir()
    assert sync(library, HashingEmbedder(), [folder]).removed == ("a.txt",)


def test_thousands_of_files_exchanged_at_once_are_told_apart_quickly(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {f"old{i}.txt": f"Old thing {i}." for i in range(300)})
    sync(library, HashingEmbedder(), [folder])
    shutil.rmtree(folder)
    write_files(folder, {f"new{i}.txt": f"New thing {i}." for i in range(300)})
    report = sync(library, HashingEmbedder(), [folder], policy=SyncPolicy(allow_vanish=True))
    assert (len(report.added), len(report.changed), len(report.removed)) == (300, 0, 300)
    holds(library)


# ---- when a file is read again -------------------------------------------------------------------


def test_a_touched_file_is_read_but_nothing_changes(library: Path, folder: Path) -> None:
    embedder = HashingEmbedder()
    sync(library, embedder, [folder])
    embedder.embedded.clear()
    age(folder / "a.txt")
    assert sync(library, embedder, [folder]).generation is None
    assert embedder.embedded == []


def test_an_old_file_of_the_same_size_and_time_is_not_read_again(library: Path, folder: Path) -> None:
    age(folder / "a.txt")
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").write_text(TIDE.replace("high", "full"))
    age(folder / "a.txt")
    assert sync(library, HashingEmbedder(), [folder]).skipped == 3


def test_a_file_changed_within_the_tick_of_its_time_stamp_is_seen(library: Path, folder: Path) -> None:
    # The clock of the file system may be ahead, too.
    now = time.time_ns() + 5_000_000_000
    os.utime(folder / "a.txt", ns=(now, now))
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").write_text(TIDE.replace("high", "full"))
    os.utime(folder / "a.txt", ns=(now, now))
    assert sync(library, HashingEmbedder(), [folder]).changed == ("a.txt",)


# ---- what goes wrong -----------------------------------------------------------------------------


def test_a_file_that_fails_keeps_what_the_library_held_of_it(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").write_bytes(b"caf\xe9 is not UTF-8")
    report = sync(library, HashingEmbedder(), [folder])
    assert [(f.name, f.code) for f in report.failed] == [("a.txt", "wrong-encoding")]
    assert (report.generation, texts(library)["a.txt"]) == (None, TIDE.strip())
    (folder / "b.txt").write_text("")
    report = sync(library, HashingEmbedder(), [folder])
    assert [(f.name, f.code) for f in report.failed] == [("a.txt", "wrong-encoding"), ("b.txt", "empty-document")]
    assert texts(library)["b.txt"] == LAMP.strip()
    (folder / "a.txt").write_text("Mended.")
    assert sync(library, HashingEmbedder(), [folder]).changed == ("a.txt",)
    assert texts(library)["a.txt"] == "Mended."


def test_a_moved_file_that_cannot_be_read_any_more_keeps_its_former_version(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    moved = folder.with_name("moved")
    folder.rename(moved)
    (moved / "a.txt").write_bytes(b"caf\xe9")
    report = sync(library, HashingEmbedder(), [moved])
    assert ([f.name for f in report.failed], report.removed) == (["a.txt"], ())
    assert texts(library)["a.txt"] == TIDE.strip()


def test_a_file_that_vanishes_during_the_sync_stops_nothing(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])

    def vanish(progress: SyncProgress) -> None:
        if progress.stage == "read" and progress.files == 0:
            (folder / "b.txt").unlink()
            (folder / "sub" / "c.txt").write_text("The pump works.")

    report = sync(library, HashingEmbedder(), [folder], progress=vanish)
    assert [(f.name, f.code) for f in report.failed] == [("b.txt", "unreadable-document")]
    assert (report.changed, report.removed) == (("sub/c.txt",), ())
    assert sync(library, HashingEmbedder(), [folder]).removed == ("b.txt",)


def test_a_name_that_is_not_utf8_fails_alone(library: Path, folder: Path) -> None:
    write_files(folder, {os.fsdecode(b"caf\xe9.txt"): TIDE, os.fsdecode(b"caf\xe9.jpg"): b"x"})
    report = sync(library, HashingEmbedder(), [folder])
    assert [(f.name, f.code) for f in report.failed] == [("caf\ufffd.txt", "unreadable-document")]
    assert (len(report.added), report.ignored) == (3, ("caf\ufffd.jpg",))


def test_any_name_that_is_unicode_is_fine(library: Path, tmp_path: Path) -> None:
    names = [
        "naïve café.txt",
        "e\u0301.txt",
        "\U0001f600.md",
        "שלום.txt",
        "a'b\"c;--.txt",
        "line\nbreak.txt",
        "100%.txt",
    ]
    folder = write_files(tmp_path / "files", {name: f"This is file {i}." for i, name in enumerate(names)})
    assert set(sync(library, HashingEmbedder(), [folder]).added) == set(names)
    assert set(live(library)) == set(names)
    holds(library)


def test_a_path_that_does_not_exist_is_said_before_anything_is_done(library: Path, folder: Path) -> None:
    with pytest.raises(PathNotFound, match="nowhere: no such file or folder"):
        sync(library, HashingEmbedder(), [folder, folder / "nowhere"])
    assert not library.exists()


def test_another_embedder_or_other_passages_are_refused_and_both_are_named(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    with pytest.raises(LibraryFormat, match=r"made with embedder hashing-64, asked for other-64"):
        sync(library, HashingEmbedder(name="other"), [folder])
    with pytest.raises(LibraryFormat, match=r"made with passages 160 tokens.*asked for 99 tokens"):
        sync(library, HashingEmbedder(), [folder], policy=SyncPolicy(passages=PassagePolicy(tokens=99)))


def test_a_sync_while_another_writes_is_refused(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    with Writer(library), pytest.raises(LibraryBusy, match="another process is writing"):
        sync(library, HashingEmbedder(), [folder], lock_timeout=0.1)


def test_a_library_cannot_be_made_where_a_file_is(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(LibraryError, match="no library can be made there"):
        sync(tmp_path / "taken", HashingEmbedder(), [folder])


# ---- interruptions -------------------------------------------------------------------------------


def interrupt_at(stage: str, files: int = 0) -> Callable[[SyncProgress], None]:
    def progress(now: SyncProgress) -> None:
        if now.stage == stage and now.files >= files:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize(
    ("stage", "files", "times"),
    # What is embedded once is not embedded again, so a sync gets past that stage at the second try.
    [("scan", 0, 1), ("read", 0, 3), ("read", 2, 3), ("embed", 0, 1), ("index", 0, 3), ("commit", 0, 3)],
)
def test_an_interrupted_sync_leaves_the_library_as_it_was(
    library: Path, folder: Path, stage: str, files: int, times: int
) -> None:
    sync(library, HashingEmbedder(), [folder])
    before = texts(library)
    (folder / "a.txt").write_text("The harbour never closes.")
    (folder / "b.txt").unlink()
    write_files(folder, {"d.txt": "A fourth thing is here."})
    embedder = HashingEmbedder()
    for _ in range(times):
        # Before anything was looked at, there is nothing to say.
        with pytest.raises(KeyboardInterrupt if stage == "scan" else Interrupted) as stopped:
            sync(library, embedder, [folder], progress=interrupt_at(stage, files))
        assert stage == "scan" or "nothing has landed" in str(stopped.value)
        assert texts(library) == before
        holds(library)
    report = sync(library, embedder, [folder])
    assert (report.generation, report.added, report.changed, report.removed) == (
        2,
        ("d.txt",),
        ("a.txt",),
        ("b.txt",),
    )
    assert sorted(embedder.embedded) == ["a\nThe harbour never closes.", "d\nA fourth thing is here."]
    assert set(texts(library)) == {"a.txt", "d.txt", "sub/c.txt"}
    holds(library)


def test_an_interruption_after_the_commit_loses_nothing_and_says_so(library: Path, folder: Path) -> None:
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").unlink()
    with pytest.raises(Interrupted, match="generation 2 has landed"), interrupted_at("return", Writer.commit):
        sync(library, HashingEmbedder(), [folder])
    assert set(texts(library)) == {"b.txt", "sub/c.txt"}
    holds(library)
    assert sync(library, HashingEmbedder(), [folder]).generation is None
    holds(library)


class FailingEmbedder(HashingEmbedder):
    """Embeds one batch and then has no more memory."""

    def embed(self, texts: list[str]) -> object:  # type: ignore[override]
        if self.embedded:
            raise MemoryError
        return super().embed(texts)


def test_an_error_of_the_embedder_keeps_the_batches_it_managed(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {f"{i:03}.txt": f"This is about thing {i}." for i in range(300)})
    failing: Embedder = FailingEmbedder()  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        sync(library, failing, [folder])
    assert live(library) == {}
    embedder = HashingEmbedder()
    report = sync(library, embedder, [folder])
    assert (len(report.added), len(embedder.embedded)) == (300, 300 - 64)
    holds(library)


def test_progress_counts_files_and_passages(library: Path, folder: Path) -> None:
    seen: list[SyncProgress] = []
    sync(library, HashingEmbedder(), [folder], progress=seen.append)
    assert [(p.stage, p.files, p.files_total, p.passages) for p in seen] == [
        ("scan", 0, 0, 0),
        ("read", 0, 3, 0),
        ("read", 1, 3, 0),
        ("read", 2, 3, 0),
        ("embed", 3, 3, 3),
        ("index", 3, 3, 3),
        ("commit", 3, 3, 3),
    ]


# ---- any bytes, end to end -----------------------------------------------------------------------

TRICKY = st.sampled_from(
    (
        "\r\n|\r|\n\n|\ufeff|. |Word |e\u0301|\u0301|\U0001f468\u200d\U0001f469|\U00020000|שלום |\u202e|\u202c|\u200b|"
        "\u2028|\x85|\t|\x00|Photo: x\n|By Jane Doe\n|Share\n"
    ).split("|")
)
UNICODE = st.lists(TRICKY | st.characters(exclude_categories=["Cs"]), max_size=60).map("".join)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(UNICODE, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])), min_size=1, max_size=3))
def test_whatever_the_files_hold_every_passage_is_a_slice_of_its_revision(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[str, str]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("any")
    files = {f"{i}.txt": text.encode(encoding) for i, (text, encoding) in enumerate(contents)}
    report: SyncReport = sync(tmp_path / "library", HashingEmbedder(), [write_files(tmp_path / "files", files)])
    assert len(report.added) + len(report.failed) == len(files)
    # UTF-16 that begins with a zero character looks like UTF-32.
    assert {f.code for f in report.failed} <= {"empty-document", "unsupported-format", "wrong-encoding"}
    opened = Library(tmp_path / "library")
    try:
        number = opened.generation().number
        for passage in live_passages(opened, number):
            document = passage.document
            text = opened.revision(document.revision, document_id=document.id, generation=number).text
            assert passage.text == passage.span.of(text)
            assert all(passage.span.covers(s.span) and "\n" not in s.span.of(text) for s in passage.sentences)
            assert [passage.slice(s.span) for s in passage.sentences] == [s.span.of(text) for s in passage.sentences]
    finally:
        opened.close()
    assert check_library(tmp_path / "library").problems == ()
    connection = sqlite3.connect(tmp_path / "library" / "library.sqlite")
    try:
        rows = connection.execute(
            "SELECT p.start, p.end, p.byte_start, p.byte_end, r.text FROM passages p "
            "JOIN versions v ON v.id = p.version_id JOIN revisions r ON r.number = v.revision"
        ).fetchall()
    finally:
        connection.close()
    for start, end, byte_start, byte_end, data in rows:
        assert data[byte_start:byte_end] == data.decode()[start:end].encode()
        assert (byte_start, byte_end) == (len(data.decode()[:start].encode()), len(data.decode()[:end].encode()))

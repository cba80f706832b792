"""What a sync may take away, what it only tells, and what stands beside a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.change import delete
from index.errors import LibraryBusy, SafetyStop
from index.report import SyncPolicy, SyncReport
from index.store import LocalStore
from index.sync import sync
from index.types import Document
from index.writer import Writer
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, contents, ids, texts
from tests.nobody import as_nobody

TIDE = "The harbour closes at high tide."
LONG_AGO = 1_000_000_000_000_000_000
KEEP = SyncPolicy(keep_missing=True)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def folder(tmp_path: Path, library: Path) -> Path:
    """Return a folder of five files that the library is in step with."""
    made = write_files(tmp_path / "files", {f"{name}.txt": f"This is {name}." for name in "abcde"})
    run(library, made)
    return made


def run(library: Path, *paths: Path, policy: SyncPolicy | None = None, dry_run: bool = False) -> SyncReport:
    return sync(library, HashingEmbedder(), paths, policy=policy, dry_run=dry_run)


def remove(folder: Path, names: str) -> None:
    for name in names:
        (folder / f"{name}.txt").unlink()


def document(library: Path, uri: str) -> Document:
    store = LocalStore(library, HashingEmbedder())
    try:
        return store.current().document(ids(library)[uri])
    finally:
        store.close()


# ---- what is gone --------------------------------------------------------------------------------


def test_up_to_half_of_the_library_may_vanish(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {f"{name}.txt": f"This is {name}." for name in "abcd"})
    run(library, folder)
    remove(folder, "ab")
    assert run(library, folder).removed == ("a.txt", "b.txt")


def test_if_more_would_vanish_it_stops_and_nothing_is_changed(library: Path, folder: Path) -> None:
    before = texts(library)
    remove(folder, "abc")
    write_files(folder, {"new.txt": "This is new.", "d.txt": "This is d, changed."})
    for dry_run in (True, False):
        with pytest.raises(SafetyStop, match=r"^3 of 5 documents would be removed, because their files are gone;"):
            run(library, folder, dry_run=dry_run)
        assert texts(library) == before
    assert_whole(library)
    report = run(library, folder, policy=SyncPolicy(allow_vanish=True))
    assert (report.generation, report.removed) == (2, ("a.txt", "b.txt", "c.txt"))
    assert set(texts(library)) == {"d.txt", "e.txt", "new.txt"}
    assert_whole(library)


def test_the_only_document_may_go_but_not_a_disk_that_is_away(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TIDE})
    run(library, folder)
    remove(folder, "a")
    assert run(library, folder).removed == ("a.txt",)
    write_files(folder, {"a.txt": TIDE, "b.txt": "This is b."})
    run(library, folder)
    remove(folder, "ab")
    with pytest.raises(SafetyStop):
        run(library, folder)


def test_kept_on_request_the_missing_stay_and_go_with_the_next_sync_without_it(library: Path, folder: Path) -> None:
    before = texts(library)
    remove(folder, "abcd")
    write_files(folder, {"e.txt": "This is e, changed."})
    report = run(library, folder, policy=KEEP)
    assert (report.changed, report.removed) == (("e.txt",), ())
    assert texts(library) == {**before, "e.txt": "This is e, changed."}
    assert run(library, folder, policy=KEEP).generation is None
    # One that comes back is the one that was missing.
    write_files(folder, {"a.txt": "This is a.", "b.txt": "This is b.", "c.txt": "This is c."})
    assert run(library, folder, policy=KEEP).generation is None
    assert run(library, folder).removed == ("d.txt",)
    assert_whole(library)


def test_a_file_that_moved_is_not_missing(library: Path, folder: Path) -> None:
    for name in "abcde":
        (folder / f"{name}.txt").rename(folder / f"moved {name}.txt")
    for policy in (KEEP, None):
        report = run(library, folder, policy=policy)
        assert report.removed == ()
    assert sorted(texts(library)) == [f"moved {name}.txt" for name in "abcde"]


# ---- what only would be --------------------------------------------------------------------------


def test_a_dry_run_tells_what_a_sync_would_do_and_leaves_no_trace(library: Path, folder: Path) -> None:
    delete(library, [ids(library)["e.txt"]])
    (folder / "a.txt").write_text("This is a, changed.")
    (folder / "b.txt").rename(folder / "renamed.txt")
    remove(folder, "c")
    write_files(folder, {"new.txt": "This is new.", "bad.txt": b"caf\xe9", "x.jpg": b"x"})
    os.utime(folder / "d.txt", ns=(LONG_AGO, LONG_AGO))
    before = contents(library)
    embedder = HashingEmbedder()
    told = sync(library, embedder, [folder], dry_run=True)
    assert contents(library) == before
    assert (told.dry_run, told.generation, embedder.embedded) == (True, None, [])
    done = run(library, folder)
    assert (done.dry_run, done.generation) == (False, 3)
    assert (told.added, told.changed, told.removed) == (done.added, done.changed, done.removed)
    assert (done.added, done.changed, done.removed) == (("new.txt",), ("a.txt", "renamed.txt"), ("c.txt",))
    assert (told.skipped, told.kept_out, told.ignored) == (done.skipped, done.kept_out, done.ignored)
    assert (done.skipped, done.kept_out, done.ignored) == (1, ("e.txt",), ("x.jpg",))
    assert told.failed == done.failed
    assert [f.name for f in done.failed] == ["bad.txt"]
    assert_whole(library)


def test_a_dry_run_makes_no_library(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TIDE})
    assert run(library, folder, dry_run=True).added == ("a.txt",)
    assert not library.exists()


def test_a_dry_run_mends_nothing_of_an_interrupted_sync(library: Path, folder: Path) -> None:
    remove(folder, "abc")
    write_files(folder, {"new.txt": "This is new."})
    with pytest.raises(SafetyStop):
        run(library, folder)
    before = contents(library)
    report = run(library, folder, policy=SyncPolicy(allow_vanish=True), dry_run=True)
    assert (report.added, report.removed) == (("new.txt",), ("a.txt", "b.txt", "c.txt"))
    assert contents(library) == before


def test_a_dry_run_waits_for_its_turn_too(library: Path, folder: Path) -> None:
    with Writer(library), pytest.raises(LibraryBusy):
        sync(library, HashingEmbedder(), [folder], dry_run=True, lock_timeout=0.1)


# ---- what stands beside a file -------------------------------------------------------------------


def test_a_sidecar_is_heeded_when_it_comes_changes_and_goes(library: Path, folder: Path) -> None:
    before = ids(library)
    for path in folder.iterdir():
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    run(library, folder)
    beside = folder / "a.txt.meta.yaml"
    beside.write_text("title: Letters\nauthor: Jane Doe\n")
    report = run(library, folder)
    assert (report.changed, report.added, report.ignored) == (("a.txt",), (), ())
    said = document(library, "a.txt")
    assert (said.title, said.author, said.id) == ("Letters", "Jane Doe", before["a.txt"])
    assert run(library, folder).generation is None
    beside.write_text("title: Letters\nauthor: John Doe\n")
    assert run(library, folder).changed == ("a.txt",)
    assert document(library, "a.txt").author == "John Doe"
    beside.unlink()
    assert run(library, folder).changed == ("a.txt",)
    said = document(library, "a.txt")
    assert (said.title, said.author, said.id) == ("a", None, before["a.txt"])
    assert texts(library)["a.txt"] == "This is a."
    assert_whole(library)


def test_only_metadata_that_is_embedded_is_embedded_again(library: Path, folder: Path) -> None:
    embedder = HashingEmbedder()
    write_files(folder, {"a.txt.meta.yaml": "publisher: Example News\n"})
    assert sync(library, embedder, [folder]).changed == ("a.txt",)
    assert embedder.embedded == []
    write_files(folder, {"a.txt.meta.yaml": "title: Letters\n"})
    sync(library, embedder, [folder])
    assert embedder.embedded == ["Letters\nThis is a."]


@pytest.mark.parametrize("beside", ["a.txt.meta.yaml", "a.meta.yaml", "a.txt.meta.yml", "A.TXT.META.YAML"])
def test_a_sidecar_is_named_for_its_file_with_or_without_the_suffix(library: Path, tmp_path: Path, beside: str) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TIDE, beside: "title: Tides\n"})
    report = run(library, folder)
    assert (report.added, report.ignored) == (("a.txt",), ())
    assert document(library, "a.txt").title == ("a" if beside.isupper() else "Tides")


def test_a_file_given_by_itself_has_its_sidecar_too(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TIDE, "a.txt.meta.yaml": "title: Tides\n", "b.txt": "Other."})
    assert run(library, folder / "a.txt").added == ("a.txt",)
    assert document(library, "a.txt").title == "Tides"
    assert run(library, folder).added == ("b.txt",)


def test_a_sidecar_that_cannot_be_read_is_named_and_the_document_stays_as_it_was(library: Path, folder: Path) -> None:
    write_files(folder, {"a.txt.meta.yaml": "titel: Letters\n", "a.txt": "This is a, changed."})
    for _ in range(2):
        report = run(library, folder)
        assert [f.name for f in report.failed] == ["a.txt.meta.yaml"]
        assert (report.generation, texts(library)["a.txt"]) == (None, "This is a.")
    (folder / "a.txt.meta.yaml").unlink()
    (folder / "a.txt.meta.yaml").symlink_to("/etc/hostname")
    assert [(f.name, f.code) for f in run(library, folder).failed] == [("a.txt.meta.yaml", "broken-link")]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that anyone may enter: those of `tmp_path` are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name).resolve()


def test_a_file_in_a_folder_that_may_not_be_listed_fails_alone(open_folder: Path) -> None:
    folder = write_files(open_folder / "closed", {"a.txt": TIDE})
    folder.chmod(0o311)
    write_files(open_folder / "files", {"b.txt": "This is b."})
    with as_nobody():
        report = run(open_folder / "library", folder / "a.txt", open_folder / "files")
    assert (report.added, [(f.name, f.code) for f in report.failed]) == (("b.txt",), [("a.txt", "unreadable-document")])


# ---- what failed is told again -------------------------------------------------------------------


def test_what_fails_is_told_by_every_sync_until_it_is_mended(library: Path, tmp_path: Path) -> None:
    records = '{"id": "x", "text": "The harbour closes."}\n{"id": "y", "text": ""}\n'
    folder = write_files(tmp_path / "files", {"a.txt": "Home\n\nShare this\n\nNext", "news.jsonl": records})
    for path in folder.iterdir():
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    for generation in (1, None, None):
        report = run(library, folder)
        assert [f.name for f in report.failed] == ["a.txt", "news.jsonl#y"]
        assert (report.generation, report.skipped) == (generation, 0 if generation else 1)
    write_files(folder, {"a.txt": TIDE, "news.jsonl": records.splitlines()[0]})
    report = run(library, folder)
    assert (report.added, report.failed, report.skipped) == (("a.txt",), (), 1)
    assert_whole(library)


def test_documents_are_counted_not_files(library: Path, tmp_path: Path) -> None:
    records = '{"id": "x", "text": "The harbour closes."}\n{"id": "y", "text": "The lamp is lit."}\n'
    records += '{"id": "z", "text": "The pump works."}\n'
    folder = write_files(tmp_path / "files", {"news.jsonl": records})
    run(library, folder)
    delete(library, [ids(library)["news.jsonl#y"]])
    for _ in range(2):
        # Read again the first time, and known by its time stamp the second.
        os.utime(folder / "news.jsonl", ns=(LONG_AGO, LONG_AGO))
        report = run(library, folder)
        assert (report.skipped, report.kept_out) == (2, ("news.jsonl#y",))

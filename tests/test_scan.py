from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.check import check_library
from index.drafts import FileState
from index.errors import PathNotFound
from index.known import KnownFiles
from index.library import Library
from index.scan import FoundFile, scan
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.nobody import as_nobody


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that anyone may enter: those of `tmp_path` are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name).resolve()


def test_finds_files_with_a_loader_in_the_order_of_names(tmp_path: Path) -> None:
    write_files(tmp_path, {"b.txt": "", "a.md": "", "sub/z.html": "", "sub/deep/y.TXT": "", "x.jpg": "", "c": ""})
    found = scan([tmp_path])
    assert [f.path for f in found.files] == ["a.md", "b.txt", "sub/z.html", "sub/deep/y.TXT"]
    assert {f.root for f in found.files} == {tmp_path}
    assert found.files[2].absolute == tmp_path / "sub" / "z.html"
    assert (found.ignored, found.failed) == (("c", "x.jpg"), ())


def test_leaves_hidden_files_and_folders_out_unless_they_are_given(tmp_path: Path) -> None:
    write_files(tmp_path, {".a.txt": "", ".git/b.txt": "", "c.txt": ""})
    assert [f.path for f in scan([tmp_path]).files] == ["c.txt"]
    assert [f.path for f in scan([tmp_path / ".a.txt", tmp_path / ".git"]).files] == [".a.txt", "b.txt"]


def test_each_file_is_found_once_below_the_first_path_that_holds_it(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "", "sub/b.txt": ""})
    found = scan([tmp_path / "sub", tmp_path, tmp_path / "a.txt", tmp_path / "sub" / ".." / "sub"])
    assert [(f.root, f.path) for f in found.files] == [(tmp_path / "sub", "b.txt"), (tmp_path, "a.txt")]


def test_a_link_given_is_followed_and_links_to_folders_below_are_not(tmp_path: Path) -> None:
    write_files(tmp_path, {"real/a.txt": "", "other/b.txt": ""})
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "out").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "real" / "dangling.txt").symlink_to("nowhere")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    found = scan([tmp_path / "link"])
    assert [(f.root, f.path) for f in found.files] == [(tmp_path / "real", p) for p in ("a.txt", "dangling.txt")]


def test_a_path_that_leads_nowhere_or_in_a_circle_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("nowhere", "loop", "nowhere/below"):
        with pytest.raises(PathNotFound, match="no such file or folder"):
            scan([tmp_path / name])


def test_a_folder_with_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / os.fsdecode(b"caf\xe9")
    bad.mkdir()
    with pytest.raises(PathNotFound, match="caf\ufffd: its name is not UTF-8; rename it"):
        scan([bad])


def test_covers_what_lies_below_the_paths_given(tmp_path: Path) -> None:
    write_files(tmp_path, {"one/a.txt": "", "two/b.txt": ""})
    found = scan([tmp_path / "one", tmp_path / "two" / "b.txt"])
    assert found.covers(tmp_path / "one" / "gone.txt")
    assert found.covers(tmp_path / "two" / "b.txt")
    assert not found.covers(tmp_path / "two" / "c.txt")
    assert not found.covers(tmp_path / "one2" / "a.txt")


def test_a_folder_that_cannot_be_listed_is_reported_and_not_covered(open_folder: Path) -> None:
    write_files(open_folder, {"a.txt": "", "closed/b.txt": ""})
    (open_folder / "closed").chmod(0)
    with as_nobody():
        found = scan([open_folder])
    assert [f.path for f in found.files] == ["a.txt"]
    assert [(e.name, e.code) for e in found.failed] == [("closed", "unreadable-document")]
    assert found.covers(open_folder / "c.txt")
    assert not found.covers(open_folder / "closed" / "b.txt")


def test_documents_of_a_folder_that_is_closed_for_a_while_stay(open_folder: Path) -> None:
    files = write_files(open_folder / "files", {"a.txt": "The harbour closes.", "closed/b.txt": "The lamp is lit."})
    with as_nobody():
        sync(open_folder / "library", HashingEmbedder(), [files])
    (files / "closed").chmod(0)
    with as_nobody():
        report = sync(open_folder / "library", HashingEmbedder(), [files])
    (files / "closed").chmod(0o755)
    assert [(f.name, f.reason) for f in report.failed] == [("closed", "the folder cannot be listed: Permission denied")]
    assert (report.generation, report.removed) == (None, ())
    library = Library(open_folder / "library")
    assert {d.uri for d in library.documents(1)} == {"a.txt", "closed/b.txt"}
    library.close()
    assert check_library(open_folder / "library").problems == ()


# ---- known files ---------------------------------------------------------------------------------


def seen(root: Path, path: str, sha256: str) -> FileState:
    return FileState(str(root), path, 1, 1, sha256, "1", 1, {"": f"doc of {path}"})


def test_a_moved_file_is_known_by_its_content_the_same_path_first_and_each_once(tmp_path: Path) -> None:
    states = [seen(tmp_path / "old", "a.txt", "same"), seen(tmp_path / "old", "b.txt", "same")]
    known = KnownFiles(states, [])
    assert known.take(FoundFile(tmp_path / "new", "b.txt"), "same") == states[1]
    assert known.take(FoundFile(tmp_path / "new", "c.txt"), "same") == states[0]
    assert known.take(FoundFile(tmp_path / "new", "d.txt"), "same") is None
    assert known.gone(lambda _: True) == []


def test_a_file_still_there_is_never_taken_for_another(tmp_path: Path) -> None:
    write_files(tmp_path / "old", {"a.txt": "x"})
    known = KnownFiles([seen(tmp_path / "old", "a.txt", "same")], [])
    assert known.take(FoundFile(tmp_path / "new", "a.txt"), "same") is None
    assert known.gone(lambda _: True) == []


def test_only_covered_files_are_gone(tmp_path: Path) -> None:
    states = [seen(tmp_path / "one", "a.txt", "1"), seen(tmp_path / "two", "b.txt", "2")]
    known = KnownFiles(states, [])
    assert known.gone(lambda place: place == tmp_path / "two" / "b.txt") == [states[1]]

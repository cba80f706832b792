"""One file of the whole library, and a library of that file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from index.backup import backup, restore
from index.errors import LibraryError, LibraryFormat, LibraryNotFound
from index.library import Library
from index.report import SyncProgress
from index.store import LocalStore
from index.sync import sync
from index.types import Filter
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, contents, found, ids, texts

TIDE = "The harbour closes at high tide."
LAMP = "The lamp is lit at dusk."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", {"a.txt": TIDE, "b.txt": LAMP})


@pytest.fixture
def library(tmp_path: Path, folder: Path) -> Path:
    """Return a library of two generations."""
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    (folder / "a.txt").write_text("The harbour never closes.")
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    return tmp_path / "library"


def test_what_is_restored_is_what_was_backed_up_with_its_history(tmp_path: Path, library: Path, folder: Path) -> None:
    assert backup(library, tmp_path / "saved") == 2
    assert restore(tmp_path / "saved", tmp_path / "deep" / "again") == 2
    again = tmp_path / "deep" / "again"
    assert (texts(again), ids(again)) == (texts(library), ids(library))
    assert texts(again, 1) == {"a.txt": TIDE, "b.txt": LAMP}
    assert found(again, "harbour") == ["The harbour never closes."]
    assert_whole(again)
    embedder = HashingEmbedder()
    report = sync(again, embedder, [folder])
    assert (report.generation, report.skipped, embedder.embedded) == (None, 2, [])


def test_a_backup_taken_in_the_middle_of_a_sync_is_the_generation_before(
    tmp_path: Path, library: Path, folder: Path
) -> None:
    before = texts(library)
    write_files(folder, {"b.txt": "The lamp is out.", "c.txt": "A third thing."})
    taken: list[str] = []

    def take(now: SyncProgress) -> None:
        if now.stage not in taken:
            taken.append(now.stage)
            assert backup(library, tmp_path / now.stage) == 2

    sync(library, HashingEmbedder(), [folder], progress=take)
    assert taken == ["scan", "read", "embed", "index", "commit"]
    for stage in taken:
        again = tmp_path / f"{stage} again"
        assert restore(tmp_path / stage, again) == 2
        assert texts(again) == before
        # What was staged belongs to nobody, and is swept away by the next sync.
        assert sync(again, HashingEmbedder(), [folder]).generation == 3
        assert texts(again) == texts(library)
        assert_whole(again)
    assert_whole(library)


def test_a_backup_holds_nothing_but_its_own_file(tmp_path: Path, library: Path) -> None:
    (tmp_path / "safe").mkdir()
    backup(library, tmp_path / "safe" / "saved")
    assert list(contents(tmp_path / "safe")) == ["saved"]


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, library: Path) -> None:
    (tmp_path / "saved").write_text("precious")
    with pytest.raises(LibraryError, match="saved: exists already; name another file, or delete it first"):
        backup(library, tmp_path / "saved")
    assert (tmp_path / "saved").read_text() == "precious"
    with pytest.raises(LibraryError, match="cannot be written"):
        backup(library, tmp_path / "no such folder" / "saved")
    with pytest.raises(LibraryNotFound):
        backup(tmp_path / "nowhere", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_library_that_is_there_is_never_overwritten(tmp_path: Path, library: Path) -> None:
    backup(library, tmp_path / "saved")
    before = contents(library)
    with pytest.raises(LibraryError, match="there is a library already; restore into another folder"):
        restore(tmp_path / "saved", library)
    assert contents(library) == before


def garbage(file: Path) -> None:
    file.write_bytes(b"not a library at all" * 500)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def another_database(file: Path) -> None:
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def torn(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def overwritten(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))


@pytest.mark.parametrize("spoil", [garbage, empty, another_database, torn, overwritten, Path.unlink])
def test_what_is_no_backup_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, library: Path, spoil: Callable[[Path], None]
) -> None:
    saved = tmp_path / "saved"
    backup(library, saved)
    spoil(saved)
    with pytest.raises(LibraryError, match=r"saved: (not a backup of a library|no such file)"):
        restore(saved, tmp_path / "again")
    assert contents(tmp_path / "again") == {}


def test_a_backup_of_another_version_is_refused_and_leaves_nothing_behind(tmp_path: Path, library: Path) -> None:
    backup(library, tmp_path / "saved")
    connection = sqlite3.connect(tmp_path / "saved")
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.commit()
    connection.close()
    with pytest.raises(LibraryFormat, match="library format 99"):
        restore(tmp_path / "saved", tmp_path / "again")
    assert contents(tmp_path / "again") == {}


def test_a_word_index_of_the_library_before_is_not_taken_for_the_restored_ones(tmp_path: Path, library: Path) -> None:
    backup(library, tmp_path / "saved")
    # The library goes on, and its passages have the numbers that those of the restored one will have.
    write_files(tmp_path / "files", {"c.txt": "The whale is white."})
    sync(library, HashingEmbedder(), [tmp_path / "files"])
    (library / "library.sqlite").unlink()
    restore(tmp_path / "saved", library)
    write_files(tmp_path / "files", {"c.txt": "The gull is grey."})
    sync(library, HashingEmbedder(), [tmp_path / "files"])
    assert (found(library, "whale"), found(library, "gull")) == ([], ["The gull is grey."])
    assert_whole(library)
    # The folder of words of one library beside the file of another.
    other = tmp_path / "other"
    restore(tmp_path / "saved", other)
    shutil.copytree(library / "words", other / "words", dirs_exist_ok=True)
    store = LocalStore(other, HashingEmbedder())
    assert store.current().by_words("gull", 5, Filter()) == []
    assert [hit.passage.text for hit in store.current().by_words("lamp", 5, Filter())] == [LAMP]
    store.close()
    assert_whole(other)


def test_two_restored_libraries_have_histories_of_their_own(tmp_path: Path, library: Path) -> None:
    backup(library, tmp_path / "saved")
    histories = set()
    for name in ("one", "two"):
        restore(tmp_path / "saved", tmp_path / name)
        opened = Library(tmp_path / name)
        histories.add(opened.meta["history"])
        opened.close()
    opened = Library(library)
    assert len(histories | {opened.meta["history"]}) == 3
    opened.close()

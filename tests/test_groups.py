"""Copies are known as such when they come, and stay so."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.change import delete, rollback
from index.library import Library
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, ids

WORDS = (
    "The harbour master said on Friday that the outer basin will stay closed until the damaged crane has been taken "
    "down. Divers found a second crack in the quay wall below the waterline, and the engineers want to measure it "
    "before any ship ties up there again. Ferries go on from the northern pier, with two departures fewer each day. "
    "The town council meets on Tuesday to decide who pays for the repair, which may take until the end of October. "
    "Fishermen complained that nobody had asked them, although their boats have had to lie at anchor for three weeks."
)
OTHER = (
    "A new school opens in the old mill next spring. It has room for two hundred children, a garden on the roof and a "
    "workshop in which the former millwright teaches how gears are cut. Parents collected money for four years; the "
    "district added the rest after a long quarrel about the stairs. Lessons begin at nine, because the bus from the "
    "valley cannot be earlier, and end at four. The first pupils were drawn by lot in the presence of a notary."
)


def groups(library: Path, generation: int | None = None) -> dict[str, str]:
    """Return the group of every live document by uri."""
    opened = Library(library)
    try:
        number = opened.generation().number if generation is None else generation
        return {d.uri: d.group for d in opened.documents(number)}
    finally:
        opened.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def folder(tmp_path: Path, library: Path) -> Path:
    """Return a folder of a report, a copy of it with another headline, an exact copy, and something else."""
    copy = f"# Basin closed\n\nBy Jane Doe\n\n{WORDS.replace('on Friday', 'late on Friday')}"
    files = {"a.md": WORDS, "copy.md": copy, "exact.md": WORDS, "other.md": OTHER}
    made = write_files(tmp_path / "files", files)
    sync(library, HashingEmbedder(), [made])
    return made


def test_copies_are_in_one_group_and_others_are_not(library: Path, folder: Path) -> None:
    found = groups(library)
    assert found["a.md"] == found["copy.md"] == found["exact.md"]
    assert found["other.md"] != found["a.md"]
    opened = Library(library)
    assert [d.uri for d in opened.copies(1, found["other.md"])] == ["other.md"]
    assert {d.uri for d in opened.copies(1, found["a.md"])} == {"a.md", "copy.md", "exact.md"}
    opened.close()
    assert_whole(library)


def test_a_copy_that_comes_later_joins(library: Path, folder: Path) -> None:
    write_files(folder, {"later.md": f"{WORDS}\n\nThis report was first printed elsewhere."})
    sync(library, HashingEmbedder(), [folder])
    found = groups(library)
    assert found["later.md"] == found["a.md"] == groups(library, 1)["a.md"]


def test_a_document_that_is_edited_away_leaves_the_group_to_the_others(library: Path, folder: Path) -> None:
    before = groups(library)
    (folder / "a.md").write_text(OTHER.replace("two hundred", "three hundred"))
    sync(library, HashingEmbedder(), [folder])
    after = groups(library)
    assert after["a.md"] == after["other.md"] == before["other.md"]
    assert after["copy.md"] == after["exact.md"] == before["a.md"]
    # The generation before is as it was.
    assert groups(library, 1) == before
    rollback(library, 1)
    assert groups(library) == before


def test_the_others_stay_together_when_the_first_one_goes(library: Path, folder: Path) -> None:
    before = groups(library)
    delete(library, [ids(library)["a.md"]], purge=True)
    after = groups(library)
    assert after == {uri: group for uri, group in before.items() if uri != "a.md"}
    write_files(folder, {"later.md": WORDS.replace("Friday", "Monday")})
    sync(library, HashingEmbedder(), [folder])
    assert groups(library)["later.md"] == after["copy.md"]
    assert_whole(library)


def test_an_edit_that_changes_little_changes_no_group(library: Path, folder: Path) -> None:
    before = groups(library)
    for name in ("a.md", "other.md"):
        (folder / name).write_text((folder / name).read_text() + " It rained.")
    sync(library, HashingEmbedder(), [folder])
    assert groups(library)["a.md"] == before["copy.md"]
    assert groups(library)["other.md"] not in {before["a.md"], groups(library)["a.md"]}


def test_texts_of_a_few_words_are_copies_of_nothing(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": "To be announced.", "b.txt": "To be announced."})
    sync(library, HashingEmbedder(), [folder])
    found = groups(library)
    assert found["a.txt"] != found["b.txt"]
    # One text all the same, stored once.
    opened = Library(library)
    assert len({d.revision for d in opened.documents(1)}) == 1
    opened.close()


def test_a_document_is_no_copy_of_its_own_earlier_text(library: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": WORDS})
    sync(library, HashingEmbedder(), [folder])
    (folder / "a.txt").write_text(OTHER)
    sync(library, HashingEmbedder(), [folder])
    write_files(folder, {"b.txt": WORDS})
    sync(library, HashingEmbedder(), [folder])
    found = groups(library)
    assert found["a.txt"] != found["b.txt"]

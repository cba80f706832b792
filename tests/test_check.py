from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from index.check import check_library
from index.errors import LibraryDamaged, LibraryNotFound
from index.lexical import LexicalIndex
from index.library import Library
from index.report import SyncProgress
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = write_files(
        tmp_path / "files",
        {
            "a.txt": "The harbour closes at high tide.\n\nThe lamp \U0001f600 is lit at dusk.",
            "b.txt": "The pump works.",
        },
    )
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    return tmp_path / "library"


def change(library: Path, statement: str) -> None:
    connection = sqlite3.connect(library / "library.sqlite")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_sound_library_has_no_problems(library: Path) -> None:
    checked = check_library(library)
    assert (checked.generation, checked.documents, checked.revisions, checked.passages) == (1, 2, 2, 2)
    assert checked.problems == ()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE revisions SET text = CAST('other' AS BLOB) WHERE number = 2", "the stored text has another hash"),
        ("UPDATE passages SET end = 999 WHERE id = 1", "passage 1: .* is not in its text"),
        ("UPDATE passages SET start = -1 WHERE id = 1", "passage 1: .* is not in its text"),
        ("UPDATE passages SET byte_end = byte_end - 1 WHERE id = 1", "passage 1: .* has other bytes in its text"),
        ("UPDATE passages SET sentences = '[[0, 999, \"body\"]]' WHERE id = 1", "passage 1: a sentence is not inside"),
        ("UPDATE passages SET sentences = '[[0, 45, \"body\"]]' WHERE id = 1", "passage 1: a sentence is not inside"),
        ("UPDATE passages SET sentences = '[[0, 5, \"poem\"]]' WHERE id = 1", "passage 1: a sentence is not inside"),
        ("UPDATE passages SET sentences = 'not JSON' WHERE id = 1", "passage 1: a sentence is not inside"),
        (
            "UPDATE vectors SET vector = x'00' WHERE key = (SELECT vector_key FROM passages WHERE id = 1)",
            "passage 1: vector of 1 bytes, not 128",
        ),
        (
            "DELETE FROM vectors WHERE key = (SELECT vector_key FROM passages WHERE id = 1)",
            "passage 1: vector of None bytes, not 128",
        ),
        (
            "DELETE FROM versions WHERE id = 2",
            "generation 1: 1 documents and 1 passages are live .* written with 2 and 2",
        ),
        ("UPDATE lives SET added = 2 WHERE version = 1", "generation 1: 1 documents and 1 passages are live in it"),
    ],
)
def test_what_does_not_hold_is_named_with_the_way_out(library: Path, statement: str, problem: str) -> None:
    change(library, statement)
    problems = check_library(library).problems
    assert any(re.search(problem, p) for p in problems), problems
    assert all("; " in p for p in problems)


def test_word_indexes_that_are_missing_behind_or_lacking_are_problems(library: Path) -> None:
    opened = Library(library)
    index = LexicalIndex(library, opened.meta["history"])
    opened.close()
    index.remove([2])
    assert check_library(library).problems == (
        "the word index lacks 1 passages; delete the folder `words`, it is rebuilt",
    )
    shutil.rmtree(library / "words")
    assert [p.split(";")[0] for p in check_library(library).problems] == ["the word index is missing or behind"]


def test_a_sync_under_way_is_no_problem(library: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "files", {"a.txt": "The harbour never closes.", "c.txt": "A third thing."})
    found: dict[str, tuple[str, ...]] = {}

    def look(now: SyncProgress) -> None:
        found[now.stage] = check_library(library).problems

    sync(library, HashingEmbedder(), [tmp_path / "files"], progress=look)
    assert found == dict.fromkeys(["scan", "read", "embed", "index", "commit"], ())
    assert check_library(library).problems == ()


def test_a_large_document_with_characters_of_many_bytes_is_sound(tmp_path: Path) -> None:
    text = "\n".join(f"Sentence number {i} has an \U0001f600 and some more words in it." for i in range(6_000))
    sync(tmp_path / "library", HashingEmbedder(4), [write_files(tmp_path / "files", {"a.txt": text})])
    checked = check_library(tmp_path / "library")
    assert checked.problems == ()
    assert checked.passages > 400


def test_a_file_that_is_no_library_cannot_be_checked(tmp_path: Path, library: Path) -> None:
    with pytest.raises(LibraryNotFound):
        check_library(tmp_path)
    data = bytearray((library / "library.sqlite").read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (library / "library.sqlite").write_bytes(data)
    with pytest.raises(LibraryDamaged):
        check_library(library)

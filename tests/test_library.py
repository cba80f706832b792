from __future__ import annotations

import gc
import hashlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.drafts import Draft, FileState, vector_key
from index.errors import (
    LibraryBusy,
    LibraryDamaged,
    LibraryFormat,
    LibraryNotFound,
    UnknownDocument,
    UnknownRevision,
)
from index.library import Library
from index.load.normalise import normalise
from index.passages import Cut, PassagePolicy, cut
from index.sentences import split
from index.truth import truth_of
from index.types import Kind, Metadata, Revision, Sentence, Span
from index.writer import Writer, initialise
from tests.truths import Prepare, in_postgres

REPOSITORY = Path(__file__).resolve().parent.parent
META = {"embedder": "hashing-4", "dimensions": "4", "passages": "160 tokens, 1 sentences of overlap"}
VECTOR = np.array([[0.6, 0.8, 0.0, 0.0]], dtype=np.float32)


def cuts_of(text: str, tokens: int = 8) -> list[Cut]:
    sentences = split(text)
    return cut(sentences, [len(s.span.of(text).split()) for s in sentences], PassagePolicy(tokens=tokens))


def draft(document_id: str, text: str, metadata: Metadata | None = None) -> Draft:
    said = Metadata() if metadata is None else metadata
    uri = f"{document_id}.txt"
    return Draft(document_id, uri, "T", said, Revision.of(text), (), "/files", uri, "")


def stage(writer: Writer, document_id: str, text: str, metadata: Metadata | None = None) -> list[int]:
    """Stage a document of that text, with the same vector for all of its passages."""
    cuts = cuts_of(text)
    keys = [vector_key("hashing-4", c.span.of(text)) for c in cuts]
    writer.stage_vectors(keys, np.repeat(VECTOR, len(keys), axis=0))
    return writer.stage_version(draft(document_id, text, metadata), cuts, keys)


def land(
    folder: Path, added: dict[str, str], changed: dict[str, str] | None = None, removed: Sequence[str] = ()
) -> int:
    """Commit one generation."""
    changed = changed or {}
    with Writer(folder) as writer:
        for document_id, text in {**added, **changed}.items():
            stage(writer, document_id, text)
        return writer.commit(changed=changed, removed=removed, files=[], gone=[], summary={"added": len(added)})


def live(library: Library, generation: int) -> dict[str, str]:
    """Return the text of every document live in a generation, by id."""
    return {
        d.id: library.revision(d.revision, document_id=d.id, generation=generation).text
        for d in library.documents(generation)
    }


@pytest.fixture
def folder(tmp_path: Path, truth: Prepare) -> Path:
    """Return the folder of an empty library, once for each place where its truth may live."""
    folder = truth(tmp_path / "library")
    initialise(folder, META)
    return folder


# ---- generations ---------------------------------------------------------------------------------


def test_a_new_library_stands_at_generation_0_and_is_empty(folder: Path) -> None:
    library = Library(folder)
    generation = library.generation()
    assert (generation.number, generation.created_at, generation.documents, generation.passages) == (0, "", 0, 0)
    assert (library.generations(), library.documents(0), library.live_ids(0)) == ([], [], [])
    assert {key: library.meta[key] for key in META} == META
    library.close()


def test_making_a_library_where_one_is_leaves_it_alone(folder: Path) -> None:
    land(folder, {"a": "One."})
    initialise(folder, {**META, "embedder": "other"})
    library = Library(folder)
    assert (library.generation().number, library.meta["embedder"]) == (1, "hashing-4")
    library.close()


def test_what_is_staged_is_seen_by_no_reader_until_the_commit(folder: Path) -> None:
    land(folder, {"a": "One."})
    library = Library(folder)
    with Writer(folder) as writer:
        stage(writer, "b", "Two.")
        stage(writer, "a", "One, changed.")
        assert (library.generation().number, live(library, 1)) == (1, {"a": "One."})
        assert len(library.live_ids(1)) == 1
        with pytest.raises(UnknownDocument):
            library.document(1, "b")
        writer.commit(changed=["a"], removed=[], files=[], gone=[], summary={})
    assert library.generation().number == 2
    assert live(library, 2) == {"a": "One, changed.", "b": "Two."}
    assert live(library, 1) == {"a": "One."}
    library.close()


def test_what_a_dead_writer_staged_is_thrown_away_but_its_vectors_stay(folder: Path) -> None:
    land(folder, {"a": "One."})
    with Writer(folder) as writer:
        staged = stage(writer, "b", "Two.")
    with Writer(folder) as writer:
        assert writer.dropped() == []
        writer.drop_dead()
        # The word index may hold them already, and is to be told.
        assert writer.dropped() == staged
        writer.forget_dropped()
        assert writer.dropped() == []
        assert writer.missing_vectors([vector_key("hashing-4", t) for t in ("Two.", "Three.")]) == {
            vector_key("hashing-4", "Three.")
        }
        again = stage(writer, "b", "Two.")
        # An id is never given twice: the word index may still know the old one.
        assert set(again).isdisjoint(staged)
    with closing(truth_of(folder).read()) as connection:
        assert connection.execute("SELECT count(*) FROM revisions").fetchone() == (2,)


STEPS = st.lists(st.dictionaries(st.sampled_from("abcde"), st.none() | st.integers(0, 3)), max_size=8)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_every_generation_can_be_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, int | None]]
) -> None:
    assert_every_generation_is_read_as_it_was(tmp_path_factory.mktemp("steps"), steps)


@settings(max_examples=12, deadline=None)
@given(STEPS)
def test_every_generation_can_be_read_as_it_was_from_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, steps: list[dict[str, int | None]]
) -> None:
    assert_every_generation_is_read_as_it_was(in_postgres(tmp_path_factory.mktemp("steps"), postgres), steps)


def assert_every_generation_is_read_as_it_was(folder: Path, steps: list[dict[str, int | None]]) -> None:
    initialise(folder, META)
    library = Library(folder)
    try:
        state: dict[str, str] = {}
        history = [dict(state)]
        for step in steps:
            wanted = {name: f"State {number}." for name, number in step.items() if number is not None}
            removed = [name for name, number in step.items() if number is None and name in state]
            changed = {name: text for name, text in wanted.items() if name in state}
            number = land(folder, {n: t for n, t in wanted.items() if n not in state}, changed, removed)
            state = {name: text for name, text in {**state, **wanted}.items() if name not in removed}
            history.append(dict(state))
            assert number == len(history) - 1
        for number, expected in enumerate(history):
            assert live(library, number) == expected
            passages = library.passages(number, library.live_ids(number))
            assert sorted(p.text for p in passages.values()) == sorted(expected.values())
        for since in range(len(history)):
            for until in range(len(history)):
                before, after = history[since], history[until]
                diff = library.diff(since, until)
                assert {d.uri.removesuffix(".txt") for d in diff.added} == after.keys() - before.keys()
                assert {d.uri.removesuffix(".txt") for d in diff.removed} == before.keys() - after.keys()
                both = after.keys() & before.keys()
                assert {d.uri.removesuffix(".txt") for d in diff.changed} >= {
                    name for name in both if before[name] != after[name]
                }
        assert [g.number for g in library.generations()] == list(range(len(history) - 1, 0, -1))
        assert [(g.documents, g.passages) for g in library.generations()] == [
            (len(state), len(state)) for state in reversed(history[1:])
        ]
    finally:
        library.close()


# ---- save then load is identity ------------------------------------------------------------------

CANONICAL = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(". \n\U0001f600é\u0301")).map(normalise)


SAVED = {"text": CANONICAL, "author": st.none() | CANONICAL, "tags": st.lists(CANONICAL, max_size=3)}


@settings(max_examples=100, deadline=None)
@given(**SAVED)
def test_what_is_saved_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, text: str, author: str | None, tags: list[str]
) -> None:
    assert_read_as_it_was_saved(tmp_path_factory.mktemp("saved"), text, author, tags)


@settings(max_examples=20, deadline=None)
@given(**SAVED)
def test_what_is_saved_in_postgresql_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, text: str, author: str | None, tags: list[str]
) -> None:
    assert_read_as_it_was_saved(in_postgres(tmp_path_factory.mktemp("saved"), postgres), text, author, tags)


def assert_read_as_it_was_saved(folder: Path, text: str, author: str | None, tags: list[str]) -> None:
    initialise(folder, META)
    metadata = Metadata(author=author, language="de-AT", published_at="2026-01-10", tags=tuple(tags))
    with Writer(folder) as writer:
        numbers = stage(writer, "a", text, metadata)
        writer.commit(changed=[], removed=[], files=[], gone=[], summary={})
    library = Library(folder)
    try:
        document = library.document(1, "a")
        assert (document.author, document.tags, document.language) == (author, tuple(tags), "de-AT")
        assert (document.characters, document.passages, document.added) == (len(text), len(numbers), 1)
        assert document.revision == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        assert library.revision(document.revision, document_id="a", generation=1) == Revision.of(text)
        passages = library.passages(1, numbers)
        assert [Cut(passages[n].span, passages[n].sentences) for n in numbers] == cuts_of(text)
        assert [passages[n].text for n in numbers] == [c.span.of(text) for c in cuts_of(text)]
        assert {p.document for p in passages.values()} <= {document}
    finally:
        library.close()


def test_vectors_come_back_in_the_order_asked_for_and_nearly_as_they_were(folder: Path) -> None:
    texts = [f"Text number {i}." for i in range(1200)]
    vectors = np.random.default_rng(7).normal(size=(1200, 4)).astype(np.float32)
    with Writer(folder) as writer:
        keys = [vector_key("hashing-4", text) for text in texts]
        writer.stage_vectors(keys, vectors)
        # What is stored once is not stored again.
        writer.stage_vectors(keys[:1], VECTOR)
        numbers = []
        for i, (text, key) in enumerate(zip(texts, keys, strict=True)):
            made = [Cut(Span(0, len(text)), (Sentence(Span(0, len(text)), Kind.BODY),))]
            numbers += writer.stage_version(draft(f"d{i}", text), made, [key])
        writer.commit(changed=[], removed=[], files=[], gone=[], summary={})
    library = Library(folder)
    order = numbers[::-1]
    batches = list(library.vectors(order))
    assert [n for batch, _ in batches for n in batch] == order
    found = np.concatenate([array for _, array in batches])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vectors[::-1].astype(np.float16).astype(np.float32))
    assert len(library.passages(1, numbers)) == 1200
    library.close()


def test_a_passage_without_a_vector_is_a_damaged_library(folder: Path) -> None:
    text = "One."
    with Writer(folder) as writer:
        numbers = writer.stage_version(draft("a", text), cuts_of(text), [b"no such key"])
        writer.commit(changed=[], removed=[], files=[], gone=[], summary={})
    library = Library(folder)
    with pytest.raises(LibraryDamaged, match="1 passages have no vector"):
        list(library.vectors(numbers))
    library.close()


def test_the_end_of_a_large_text_is_read_at_its_byte(folder: Path) -> None:
    text = "\n".join(f"Sentence number {i} has an \U0001f600 in it." for i in range(4_000))
    with Writer(folder) as writer:
        cuts = cuts_of(text)
        keys = [vector_key("hashing-4", "x")] * len(cuts)
        numbers = writer.stage_version(draft("a", text), cuts, keys)
        writer.commit(changed=[], removed=[], files=[], gone=[], summary={})
    library = Library(folder)
    found = library.passages(1, numbers[-3:])
    assert [found[n].text for n in numbers[-3:]] == [c.span.of(text) for c in cuts[-3:]]
    library.close()


def three_passages(folder: Path) -> list[int]:
    """Make a library of one document and return its passages."""
    initialise(folder, META)
    with Writer(folder) as writer:
        numbers = stage(
            writer, "a", "Here is a first sentence of eight words. And here is a second one of them. Here is a third."
        )
        writer.commit(changed=[], removed=[], files=[], gone=[], summary={})
    return numbers


def test_what_the_driver_holds_of_what_was_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.sqlite._MOST_PARTS", 10)
    numbers = three_passages(tmp_path)
    with closing(Library(tmp_path)) as library:
        for _ in range(300):
            assert list(library.passages(1, numbers)) == numbers
        held = [one for one in gc.get_referents(library.connection()) if isinstance(one, list)]
        # Of statements it holds some hundreds, and lets go of them by itself.
        assert sum(map(len, held)) < 300 < 300 * len(numbers)


def test_rows_go_on_coming_after_another_connection_took_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.sqlite._MOST_PARTS", 1)
    numbers = three_passages(tmp_path)
    with closing(Library(tmp_path)) as library:
        rows = iter(library.connection().execute("SELECT id FROM passages ORDER BY id"))
        found = [next(rows)[0]]
        for _ in range(3):
            library.passages(1, numbers)
        assert [*found, *(row[0] for row in rows)] == numbers


# ---- documents and revisions ---------------------------------------------------------------------


def test_documents_are_listed_by_id_from_any_point(folder: Path) -> None:
    land(folder, {name: f"This is {name}." for name in ["d", "b", "a", "c"]})
    library = Library(folder)
    assert [d.id for d in library.documents(1)] == ["a", "b", "c", "d"]
    assert [d.id for d in library.documents(1, limit=2)] == ["a", "b"]
    assert [d.id for d in library.documents(1, after="b", limit=2)] == ["c", "d"]
    assert library.documents(1, after="d") == []
    library.close()


def test_a_revision_belongs_to_the_documents_that_had_it_by_then(folder: Path) -> None:
    land(folder, {"a": "One.", "b": "Other."})
    land(folder, {}, {"a": "Two."})
    library = Library(folder)
    one, two = Revision.of("One.").id, Revision.of("Two.").id
    assert library.revision(one, document_id="a", generation=2).text == "One."
    assert library.revision(two, document_id="a", generation=2).text == "Two."
    for revision, document_id, generation in [(two, "a", 1), (one, "b", 2), ("sha256:0", "a", 2), (one, "z", 2)]:
        with pytest.raises(UnknownRevision):
            library.revision(revision, document_id=document_id, generation=generation)
    library.close()


def test_passages_that_are_not_live_are_left_out(folder: Path) -> None:
    land(folder, {"a": "One.", "b": "Two."})
    land(folder, {}, removed=["a"])
    library = Library(folder)
    assert [p.text for p in library.passages(1, [1, 2, 99]).values()] == ["One.", "Two."]
    assert [p.text for p in library.passages(2, [2, 1, 99]).values()] == ["Two."]
    library.close()


def test_a_library_is_read_from_many_threads_while_one_writes(folder: Path) -> None:
    land(folder, {"a": "State 0."})
    library = Library(folder)
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            number = library.generation().number
            if live(library, number) != {"a": f"State {number - 1}."}:
                wrong.append(number)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for state in range(1, 20):
        land(folder, {}, {"a": f"State {state}."})
    stop.set()
    for reader in readers:
        reader.join()
    assert (wrong, library.generation().number) == ([], 20)
    library.close()


def test_what_was_seen_of_files_is_remembered_until_they_are_gone(folder: Path) -> None:
    one = FileState("/r", "a.txt", 3, 5, "aa", "1", 7, {"": "doc_a"})
    two = FileState("/r", "b.zip", 3, 5, "bb", "1", 7, {"x": "doc_x", "y": "doc_y"})
    with Writer(folder) as writer:
        writer.remember([two, one])
        again = FileState("/r", "a.txt", 4, 6, "cc", "1", 8, {"": "doc_a"})
        writer.remember([again])
        assert writer.files() == [again, two]
        assert writer.owned() == {"doc_a", "doc_x", "doc_y"}
        writer.remember([], [("/r", "a.txt")])
        assert writer.files() == [two]
        assert writer.owned() == {"doc_x", "doc_y"}


# ---- one writer, and libraries that are none -----------------------------------------------------


def test_a_second_writer_is_told_that_the_library_is_busy(folder: Path) -> None:
    with Writer(folder), pytest.raises(LibraryBusy), Writer(folder, timeout=0.05):
        pass
    with Writer(folder, timeout=0.05) as writer:
        assert writer.generation == 1


def test_a_writer_in_another_process_is_told_too_and_the_lock_dies_with_it(folder: Path) -> None:
    code = (
        "import sys, pathlib; from index.writer import Writer\n"
        "with Writer(pathlib.Path(sys.argv[1])): print('locked', flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(LibraryBusy), Writer(folder, timeout=0.05):
            pass
        other.kill()
        other.wait()
        with Writer(folder, timeout=5.0) as writer:
            assert writer.generation == 1


def test_an_error_in_the_middle_of_writing_frees_the_lock_and_changes_nothing(folder: Path) -> None:
    land(folder, {"a": "One."})

    def fail() -> None:
        with Writer(folder) as writer:
            stage(writer, "b", "Two.")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with Writer(folder, timeout=0.05):
        pass
    library = Library(folder)
    assert live(library, library.generation().number) == {"a": "One."}
    library.close()


def test_a_folder_without_a_library_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match=r"no library there; make one with `citespan"):
        Library(tmp_path)
    with pytest.raises(LibraryDamaged), Writer(tmp_path):
        pass
    # Looking does not make one.
    assert not (tmp_path / "library.sqlite").exists()


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but text\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_a_damaged_library(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "library.sqlite").write_bytes(content)
    with pytest.raises(LibraryDamaged, match="not a readable library"):
        Library(tmp_path)


def test_a_database_of_another_program_is_a_damaged_library(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "library.sqlite")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(LibraryDamaged):
        Library(tmp_path)


@pytest.mark.parametrize(
    ("number", "way_out"),
    [("99", "a newer Citespan wrote it: upgrade"), ("1", "sync the documents"), ("x", "sync the documents")],
)
def test_a_library_of_another_format_is_named_as_such_and_left_as_it_is(
    tmp_path: Path, number: str, way_out: str
) -> None:
    folder = tmp_path / "library"
    initialise(folder, META)
    connection = sqlite3.connect(folder / "library.sqlite")
    connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (number,))
    connection.commit()
    connection.close()
    before = (folder / "library.sqlite").read_bytes()
    with pytest.raises(LibraryFormat, match=f"library format {number}, this version reads format 2; {way_out}"):
        Library(folder)
    assert (folder / "library.sqlite").read_bytes() == before


def test_a_library_made_beside_the_remains_of_a_deleted_one_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    initialise(folder, META)
    land(folder, {"a": "One."})
    kept = sqlite3.connect(folder / "library.sqlite")
    kept.execute("BEGIN IMMEDIATE")
    kept.execute("DELETE FROM versions")
    kept.execute("COMMIT")
    remains = (folder / "library.sqlite-wal").read_bytes()
    kept.close()
    (folder / "library.sqlite").unlink()
    (folder / "library.sqlite-wal").write_bytes(remains)
    initialise(folder, META)
    library = Library(folder)
    assert (library.generation().number, library.documents(0)) == (0, [])
    library.close()


def test_settings_may_hold_any_character(tmp_path: Path, truth: Prepare) -> None:
    truth(tmp_path)
    initialise(tmp_path, {"embedder": 'it\'s "x"; DROP TABLE meta; \U0001f600'})
    library = Library(tmp_path)
    assert library.meta["embedder"] == 'it\'s "x"; DROP TABLE meta; \U0001f600'
    library.close()


def test_readers_cannot_write(folder: Path) -> None:
    with closing(truth_of(folder).read()) as connection:
        with pytest.raises(Exception, match=r"read-?only"):
            connection.execute("DELETE FROM meta")
        assert connection.execute("SELECT value FROM meta WHERE key = 'dimensions'").fetchone() == ("4",)


def test_threads_that_end_leave_no_files_open(folder: Path) -> None:
    library = Library(folder)

    def open_after(threads: int) -> int:
        for _ in range(threads):
            reader = threading.Thread(target=library.generation)
            reader.start()
            reader.join()
        return len(list(Path("/dev/fd").iterdir()))

    # SQLite itself keeps one for the next to come.
    assert open_after(1) == open_after(20)
    library.close()

"""A library in PostgreSQL: several folders share it, connections are lost, and nothing secret is kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from api.problems import problem_of
from index import absent, postgres
from index.backup import backup, restore
from index.change import delete
from index.database import Database
from index.errors import LibraryBusy, LibraryError, LibraryNotFound, LibraryUnreachable
from index.lexical import LexicalIndex
from index.library import Library
from index.postgres import PostgresTruth
from index.store import LocalStore
from index.sync import sync
from index.truth import adopt, truth_of
from index.types import Filter
from index.writer import Writer
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, found, ids, texts
from tests.truths import in_postgres

TIDE = "The harbour closes at high tide."
LAMP = "The lamp is lit at dusk."
SECRET = "The quellbryxop lies below the third stone of the quay."


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", {"tide.txt": TIDE, "lamp.txt": LAMP, "secret.txt": SECRET})


@pytest.fixture
def library(tmp_path: Path, postgres: str, sources: Path) -> Path:
    """Return a library of three documents in a schema of its own."""
    folder = in_postgres(tmp_path / "library", postgres)
    assert sync(folder, HashingEmbedder(), [sources]).generation == 1
    return folder


@pytest.fixture
def other(tmp_path: Path, postgres: str, library: Path) -> Path:
    """Return another server's folder of the same library."""
    truth = truth_of(library)
    assert isinstance(truth, PostgresTruth)
    return in_postgres(tmp_path / "other", postgres, truth.schema)


@pytest.fixture
def administrator(postgres: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    """Yield a connection that is none of a library's."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


def end_connections(administrator: psycopg.Connection[tuple[int]]) -> int:
    """End all connections but this one, as a restart does; return how many there were."""
    rows = administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()"
    ).fetchall()
    return len(rows)


# ---- several folders ---------------------------------------------------------------------------------------------


def test_another_folder_answers_from_the_same_generation(library: Path, other: Path) -> None:
    assert texts(other) == {"tide.txt": TIDE, "lamp.txt": LAMP, "secret.txt": SECRET}
    assert found(other, "harbour") == [TIDE]
    assert_whole(other)
    assert not (other / "library.sqlite").exists()


def test_another_folder_takes_up_what_came_since_and_builds_nothing_anew(
    library: Path, other: Path, sources: Path
) -> None:
    with closing(LocalStore(other, HashingEmbedder())) as server:
        (before,) = (other / "words").glob("*.segment")
        write_files(sources, {f"new{number}.txt": f"The number of this one is {number}." for number in range(2)})
        # Fewer than a third of what is there would be merged with it, and more are made anew.
        write_files(sources, {"long.txt": "A bell rings. " * 40})
        sync(library, HashingEmbedder(), [sources])
        assert server.refresh() is True
        assert server.current().generation.number == 2
        assert [hit.passage.text for hit in server.current().by_words("bell", 1, Filter())] != []
        assert before.name.endswith(".segment")
    assert_whole(other)


def test_what_one_folder_purges_is_taken_out_of_the_files_of_the_other(library: Path, other: Path) -> None:
    purged = ids(library)["secret.txt"]
    with closing(LocalStore(other, HashingEmbedder())) as server:
        assert delete(library, [purged]) == 2
        server.refresh()
        # Deleted before, so that no new generation tells of the purge.
        assert delete(library, [purged], purge=True) is None
        assert any(b"quellbryx" in path.read_bytes() for path in (other / "words").iterdir())
        assert server.refresh() is False
        assert not any(b"quellbryx" in path.read_bytes() for path in (other / "words").iterdir())
    assert absent.search(other, SECRET).places == ()
    assert_whole(other)


def test_a_sync_from_another_folder_goes_on_where_the_first_one_was(library: Path, other: Path, sources: Path) -> None:
    (sources / "lamp.txt").write_text("The lamp is out.")
    embedder = HashingEmbedder()
    report = sync(other, embedder, [sources])
    assert (report.generation, report.changed, report.skipped, len(embedder.embedded)) == (2, ("lamp.txt",), 2, 1)
    assert texts(library)["lamp.txt"] == "The lamp is out."
    assert found(library, "lamp") == ["The lamp is out."]
    assert_whole(library)
    assert_whole(other)


def test_a_writer_of_one_folder_keeps_out_those_of_all_others(library: Path, other: Path) -> None:
    with Writer(library), pytest.raises(LibraryBusy, match="another process is writing"), Writer(other, timeout=0.1):
        pass
    with Writer(other, timeout=0.0) as writer:
        assert writer.generation == 2


def test_what_is_asked_of_either_truth_is_told_the_same(tmp_path: Path, postgres: str) -> None:
    head = "---\ntags: [press, {tag}]\nlanguage: {language}\ndate: {date}\nauthor: Ann\n---\n"
    given = [
        ("tide", "open", "en-GB", "2026-01-10"),
        ("lamp", "closed", "de", "2026-02-01"),
        ("boat", "open", "en", ""),
    ]
    files = {
        f"{name}.md": head.format(tag=tag, language=language, date=date) + f"The {name} is here. It is 100% so: a?b."
        for name, tag, language, date in given
    }
    sources = write_files(tmp_path / "files", files)
    told = []
    for folder in (tmp_path / "plain", in_postgres(tmp_path / "shared", postgres)):
        write_files(sources, files)
        sync(folder, HashingEmbedder(), [sources])
        write_files(sources, {"tide.md": files["tide.md"].replace("is here", "was there")})
        sync(folder, HashingEmbedder(), [sources])
        with closing(LocalStore(folder, HashingEmbedder())) as store:
            library, now = store.library, store.current()
            ids = tuple(document.id for document in library.documents(2))
            wheres = [
                Filter(), Filter(tags=frozenset({"open", "none"})), Filter(language="en"), Filter(language="de-AT"),
                Filter(published_from="2026-01-10"), Filter(published_to="2026-01-31"),
                Filter(document_ids=frozenset(ids[:2])), Filter(document_ids=frozenset()),
            ]  # fmt: skip
            hits = [[(h.passage.text, h.score) for h in now.by_words("here there", 9, where)] for where in wheres]
            told.append(
                (hits, [library.admitted_ids(2, where) for where in wheres], sorted(library.entries(2)),
                 library.diff(1, 2), sorted(library.lives(2)), library.documents_named(2, ids[::-1]),
                 [(past.revision, past.added, past.removed) for past in library.revisions(2, ids[0], limit=9)],
                 library.copies(2, library.document(2, ids[0]).group), library.counts(1), library.live_ids(1)),
            )  # fmt: skip
    assert told[0] == told[1]
    counts = [len(found) for found in told[0][1]]
    assert counts == [3, 2, 2, 1, 2, 1, 2, 0]


# ---- connections -------------------------------------------------------------------------------------------------


def test_a_reader_goes_on_after_its_connection_was_lost(
    library: Path, administrator: psycopg.Connection[tuple[int]]
) -> None:
    with closing(LocalStore(library, HashingEmbedder())) as store:
        for _ in range(2):
            assert end_connections(administrator) >= 1
            hits = store.current().by_words("harbour", 5, Filter())
            assert [hit.passage.text for hit in hits] == [TIDE]


def test_a_writer_does_not_go_on_and_nothing_of_its_change_is_there(
    library: Path, administrator: psycopg.Connection[tuple[int]]
) -> None:
    def change(db: Database) -> None:
        db.execute("DELETE FROM versions")
        end_connections(administrator)
        db.execute("DELETE FROM revisions")

    with Writer(library) as writer:
        with pytest.raises(LibraryUnreachable, match="the connection was lost"), writer.transaction() as db:
            change(db)
        # Its lock went with its connection: another one may be writing by now.
        with pytest.raises(LibraryUnreachable, match="nothing of this change has happened"):
            writer.owned()
    assert len(texts(library)) == 3
    assert_whole(library)


def test_a_server_that_is_not_there_is_said_in_bounded_time(
    library: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = f"postgresql://citespan@/postgres?host={tmp_path}"
    with pytest.raises(LibraryUnreachable, match="cannot be reached"):
        adopt(tmp_path / "new", nowhere)
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(postgres, "_PAUSES", (0.0, 0.0))
    with closing(Library(library)) as opened:
        truth = opened.truth
        assert isinstance(truth, PostgresTruth)
        with closing(truth.read()) as database:
            truth._address["host"] = str(tmp_path)
            database._connection.close()
            with pytest.raises(LibraryUnreachable, match="cannot be reached"):
                database.execute("SELECT 1")


def test_a_question_meanwhile_is_told_to_come_again() -> None:
    response = problem_of(LibraryUnreachable("postgresql://citespan@db.example.org/papers: cannot be reached"), "GET /")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert b"db.example.org" not in bytes(response.body)


# ---- addresses, and what the folder keeps --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "way_out"),
    [
        ("postgresql://me:zanzibar@localhost/papers", "PGPASSWORD, ~/.pgpass or a service file"),
        ("postgresql://me@localhost/papers?password=zanzibar", "PGPASSWORD"),
        ("host=localhost sslpassword=zanzibar", "PGPASSWORD"),
        ("postgresql://me@local host/zanzibar?x", "written as postgresql://USER@HOST/DB"),
    ],
)
def test_a_password_is_neither_taken_nor_repeated(tmp_path: Path, address: str, way_out: str) -> None:
    with pytest.raises(LibraryError, match=way_out) as caught:
        adopt(tmp_path / "library", address)
    assert "zanzibar" not in str(caught.value)
    assert not (tmp_path / "library").exists()


def test_a_folder_has_one_truth_for_ever(tmp_path: Path, library: Path, postgres: str, sources: Path) -> None:
    with pytest.raises(LibraryError, match="its truth is elsewhere already"):
        adopt(library, postgres, "another_schema")
    sync(tmp_path / "plain", HashingEmbedder(), [sources])
    with pytest.raises(LibraryError, match="there is a library already, with its truth in SQLite"):
        adopt(tmp_path / "plain", postgres)
    truth = truth_of(library)
    assert isinstance(truth, PostgresTruth)
    assert adopt(library, postgres, truth.schema).exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2, "postgresql": "", "schema": ""}'])
def test_a_file_that_names_no_truth_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "truth.json").write_text(content)
    with pytest.raises(LibraryError, match=r"truth\.json"):
        Library(tmp_path)


def test_before_the_first_sync_there_is_no_library(tmp_path: Path, postgres: str) -> None:
    folder = in_postgres(tmp_path / "library", postgres)
    with pytest.raises(LibraryNotFound):
        Library(folder)


def test_without_the_driver_the_extra_is_named(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "index.postgres", None)
    with pytest.raises(LibraryError, match=r"pip install 'citespan\[postgres\]'"):
        Library(library)


def test_backups_are_left_to_postgresql(tmp_path: Path, library: Path, sources: Path) -> None:
    with pytest.raises(LibraryError, match="pg_dump"):
        backup(library, tmp_path / "saved")
    sync(tmp_path / "plain", HashingEmbedder(), [sources])
    backup(tmp_path / "plain", tmp_path / "saved")
    with pytest.raises(LibraryError, match="restore into another folder"):
        restore(tmp_path / "saved", library)


def test_a_schema_of_another_program_is_left_alone(
    tmp_path: Path, postgres: str, sources: Path, administrator: psycopg.Connection[tuple[int]]
) -> None:
    administrator.execute("CREATE SCHEMA theirs")
    administrator.execute("CREATE TABLE theirs.passages (x text)")
    folder = in_postgres(tmp_path / "library", postgres, "theirs")
    with pytest.raises(LibraryError, match="tables of another program"):
        sync(folder, HashingEmbedder(), [sources])
    assert administrator.execute("SELECT count(*) FROM theirs.passages").fetchone() == (0,)


def test_a_damaged_index_is_made_anew_from_postgresql(library: Path) -> None:
    for path in (library / "words").iterdir():
        path.unlink()
    assert found(library, "harbour") == [TIDE]
    with closing(Library(library)) as opened:
        assert LexicalIndex(library, opened.meta["history"]).searcher().ids() == [1, 2, 3]

"""Servers that share a library in PostgreSQL share its engine: any brings it forward, one at a time, and all answer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from index.change import delete
from index.errors import LibraryBusy, LibraryUnreachable
from index.lexical import LexicalIndex
from index.library import Library
from index.reembed import reembed
from index.remote.engine import Engine
from index.remote.forward import bring_forward
from index.remote.lexicon import Lexicon
from index.remote.lexicons import FILE_NAME, writing
from index.remote.orphans import drop, examine
from index.remote.store import QdrantStore
from index.sync import sync
from index.types import Filter
from tests.engines import ADDRESS, QUIET, assert_alike, in_memory, kept, points, rows, terms_of, written
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import ids, interrupted_at
from tests.test_remote_store import (
    FILTERS,
    assert_counted,
    forward,
    interrupted_change,
    of_words,
    resynced,
)
from tests.truths import in_postgres

pytestmark = pytest.mark.filterwarnings(QUIET)

EMBEDDER = HashingEmbedder()
ASKED = ["high tide of the moon moon", "harbour"], [Filter(), FILTERS[2]]
WORDS = ["high", "low, and the moon is high", "in the harbour", "high high high"]
_SCHEMA = iter(f"machines_{number}" for number in range(100))


@pytest.fixture
def machines(tmp_path: Path, postgres: str) -> tuple[Path, Path]:
    """Return the folders of two machines with one truth, into which the first has synced thirty documents."""
    schema = next(_SCHEMA)
    here, there = (in_postgres(tmp_path / name, postgres, schema) for name in ("here", "there"))
    for number in range(30):
        write_files(tmp_path / "files", of_words(number, WORDS[number % 4]))
    sync(here, EMBEDDER, [tmp_path / "files"])
    return here, there


def test_one_machine_syncs_and_another_serves_and_either_goes_on(machines: tuple[Path, Path]) -> None:
    here, there = machines
    engine = in_memory()
    assert forward(here, engine) == (30, 0, 0)
    with closing(QdrantStore(here, EMBEDDER, engine)) as serving:
        # Of a folder that never saw a sync.
        assert_alike(there, engine, *ASKED)

        resynced(there, of_words(3, "new, of the moon"), gone=("05.md",))
        delete(there, [ids(there)["09.md"]], purge=True)
        assert forward(there, engine) == (1, 2, 1)
        assert_alike(there, engine, *ASKED)

        assert serving.refresh()
        with closing(QdrantStore(there, EMBEDDER, engine)) as other:
            found = serving.current().by_words("high tide of the moon", 50, Filter())
            assert rows(found) == rows(other.current().by_words("high tide of the moon", 50, Filter()))
            assert serving.current().generation == other.current().generation
    assert_alike(here, engine, *ASKED)
    resynced(here, of_words(4, "high again"))
    assert forward(here, engine) == (1, 1, 0)
    assert_alike(there, engine, *ASKED)
    assert_counted(there, engine)
    assert points(engine) == kept(there)
    assert terms_of(here) == terms_of(there) == engine.collections() == [engine.aliases()[ADDRESS.name]]
    assert [*here.rglob(FILE_NAME), *there.rglob(FILE_NAME)] == []


def test_a_load_that_one_machine_began_another_goes_on_with(machines: tuple[Path, Path]) -> None:
    here, there = machines
    engine = in_memory()
    with pytest.raises(KeyboardInterrupt), interrupted_at("call", Lexicon.settle):
        forward(here, engine)
    assert engine.aliases() == {}
    (begun,) = engine.collections()
    # Meanwhile some of it is gone for good.
    delete(there, [ids(there)["07.md"]], purge=True)
    assert forward(there, engine) == (0, 0, 0)
    assert engine.collections() == [begun]
    assert points(engine) == kept(here)
    for folder in machines:
        assert_alike(folder, engine, *ASKED)
        assert_counted(folder, engine)


@pytest.mark.parametrize("step", ["settle", "activated", "buried"])
def test_a_change_that_one_machine_was_interrupted_in_another_ends(machines: tuple[Path, Path], step: str) -> None:
    here, there = machines
    engine = in_memory()
    forward(here, engine)
    interrupted_change(here, engine, step)
    forward(there, engine)
    assert len(engine.collections()) == 1
    assert points(engine) == kept(here)
    assert_counted(there, engine)
    assert_alike(here, engine, *ASKED)


def test_one_machine_at_a_time_brings_it_forward_and_others_stand_where_it_stood(machines: tuple[Path, Path]) -> None:
    here, there = machines
    engine = in_memory()
    forward(here, engine)
    with closing(Library(here)) as library, closing(QdrantStore(there, EMBEDDER, engine)) as serving:
        resynced(here, of_words(3, "high high"))
        with writing(library, 1.0):
            with closing(Library(there)) as other, pytest.raises(LibraryBusy, match="bringing its engine forward"):
                bring_forward(other, engine, lock_timeout=0.0)
            assert not serving.refresh()
            assert serving.current().generation.number == 1
            # The library itself may change meanwhile.
            resynced(there, of_words(4, "low"))
        assert serving.refresh()
        assert serving.current().generation.number == 3
    assert_alike(there, engine, *ASKED)


def test_who_lost_the_connection_that_keeps_others_out_sends_no_more(
    machines: tuple[Path, Path], postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machines
    engine = in_memory()
    monkeypatch.setattr("index.remote.forward._BATCH", 10)

    def cut(done: int, total: int) -> None:
        with psycopg.connect(postgres, autocommit=True) as administrator:
            ended = administrator.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
            ).fetchone()
        assert ended == (1,)

    with closing(Library(here)) as library, pytest.raises(LibraryUnreachable, match="the connection was lost"):
        bring_forward(library, engine, progress=cut)
    assert engine.aliases() == {}
    sent = forward(there, engine)[0]
    assert sent == 20
    assert_alike(there, engine, *ASKED)
    assert_alike(here, engine, *ASKED)


def test_a_purge_on_any_machine_leaves_no_word_on_any(machines: tuple[Path, Path]) -> None:
    here, there = machines
    engine = in_memory()
    resynced(here, {**of_words(7, "full of xylophones"), **of_words(8, "full of zithers")})
    forward(here, engine)
    assert written(there, "xylophon")
    delete(there, [ids(there)["07.md"]], purge=True)
    forward(there, engine)
    for folder in machines:
        assert written(folder, "zither")
        assert not written(folder, "xylophon")


def test_a_server_takes_out_of_its_folder_what_another_one_purged(machines: tuple[Path, Path]) -> None:
    here, there = machines
    with closing(QdrantStore(here, EMBEDDER, in_memory())) as serving:
        serving.refresh()
        history = serving.library.meta["history"]
        before = LexicalIndex(here, history).searcher().ids()
        delete(there, [ids(there)["07.md"]], purge=True)
        assert serving.refresh()
        held = LexicalIndex(here, history).searcher().ids()
        assert held == serving.library.kept_ids()
        assert len(held) == len(before) - 1


def test_the_terms_of_collections_that_nothing_uses_go_with_them(machines: tuple[Path, Path]) -> None:
    here, there = machines
    engine: Engine = in_memory()
    with closing(Library(there)) as library:
        assert examine(library, engine).orphans == ()  # before there are any tables
        assert terms_of(there) == []
        forward(here, engine)
        first = engine.aliases()[ADDRESS.name]
        reembed(here, HashingEmbedder(32, "other"))
        forward(here, engine)
        second = engine.aliases()[ADDRESS.name]
        assert examine(library, engine).orphans == (first,)
        with writing(library, 1.0) as lexicons:
            lexicons.make(f"{second}.lost", "", "of an engine where there is none of that name")
            assert drop(library, engine, lexicons, lexicons.names()) == (first,)
            assert lexicons.names() == [second]
            for table in ("terms", "term_counts"):
                numbers = library.connection().execute(f"SELECT DISTINCT collection FROM {table}").fetchall()
                assert len(numbers) == 1
    assert_alike(there, engine, *ASKED, HashingEmbedder(32, "other"))

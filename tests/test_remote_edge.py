"""Qdrant's own segments rank and filter as the library's folder does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.edge import EdgeClient
from index.change import delete, rollback
from index.remote.engine import Engine
from index.sync import sync
from index.types import Filter
from tests.engines import ADDRESS, AT_ONCE, assert_alike, kept, points
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import ids
from tests.test_remote_store import ANYTHING, FILTERS, QUERIES, assert_counted, of_words

EMBEDDER = HashingEmbedder()
WORDS = ["high", "low, and the moon is high", "in the harbour", "high high high", "of the moon, moon and moon"]


@pytest.fixture
def client(tmp_path: Path) -> EdgeClient:
    (tmp_path / "engine").mkdir()
    return EdgeClient(tmp_path / "engine")


def engine(client: Any) -> Engine:
    return Engine(client, ADDRESS, patience=AT_ONCE)


def test_the_real_engine_gives_the_same_answers_through_changes(tmp_path: Path, client: EdgeClient) -> None:
    folder, files = tmp_path / "library", tmp_path / "files"
    for number in range(60):
        write_files(files, of_words(number, WORDS[number % 5]))
    sync(folder, EMBEDDER, [files])
    chosen = frozenset(sorted(ids(folder).values())[::3])
    filters = [*FILTERS, Filter(document_ids=chosen), Filter(tags=frozenset()), Filter(document_ids=frozenset())]
    assert_alike(folder, engine(client), QUERIES, filters)

    write_files(files, {**of_words(3, "new and high"), **of_words(70, "of the moon")})
    (files / "05.md").unlink()
    sync(folder, EMBEDDER, [files], policy=ANYTHING)
    rollback(folder, 1)
    delete(folder, [ids(folder)["09.md"]], purge=True)
    assert_alike(folder, engine(client), QUERIES, filters)
    assert points(engine(client)) == kept(folder)
    assert_counted(folder, engine(client))


def test_it_settles_equals_and_ranks_alike_before_and_after_its_optimiser(tmp_path: Path, client: EdgeClient) -> None:
    folder, files = tmp_path / "library", tmp_path / "files"
    write_files(files, {f"{n:03}.md": f"The tide of {n % 40} is {'very ' * (n % 3)}high." for n in range(240)})
    sync(folder, EMBEDDER, [files])
    asked = engine(client)
    assert_alike(folder, asked, ["tide 7"], [Filter()])
    client.shard("news").optimize()
    assert_alike(folder, asked, ["tide 7", "very high 3"], [Filter()])

"""The short form of `python -m benchmarks.crash`: changes are killed while questions are asked, and nothing is lost."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest

from benchmarks import cut
from benchmarks.asker import Quoted, Reply, wrong_in
from benchmarks.crash import COUNTS, run
from benchmarks.crashworld import World
from benchmarks.postgres import PostgresServer
from benchmarks.standin import StandIn
from benchmarks.victim import change
from index.library import Library
from index.types import Revision


def test_kills_at_random_moments_lose_nothing_and_fail_no_question() -> None:
    tally = run(30, seed=20260110)
    assert (tally.wrong, {name: tally.counts[name] for name in COUNTS}) == ([], dict.fromkeys(COUNTS, 0))
    assert sum(tally.rounds.values()) == 32
    assert tally.kills["before the commit"] > 0
    assert tally.checked > 0


@pytest.mark.parametrize("seed", [79, 100_079])
def test_whatever_change_is_cut_short_the_next_ones_leave_what_they_must(seed: int) -> None:
    assert cut.play(seed) == []


def test_neither_do_they_where_the_library_is_in_postgresql_which_crashes_too_and_another_folder_is_asked() -> None:
    with PostgresServer(durable=True) as database:
        tally = run(12, seed=20260111, database=database)
    assert (tally.wrong, {name: tally.counts[name] for name in COUNTS}) == ([], dict.fromkeys(COUNTS, 0))
    assert sum(tally.rounds.values()) == 14
    assert tally.kills["before the commit"] > 0
    assert tally.checked > 0
    assert tally.database_crashes > 0


def test_a_killed_change_that_only_a_restart_brings_to_light_is_no_fault(tmp_path: Path) -> None:
    world = World(tmp_path / "library", tmp_path / "files", Random(1), ("stand-in",))
    first = world.plan("sync")
    assert world.observe(first, True, change(asdict(first.order), StandIn("stand-in"))) == []
    reader = Library(world.library)
    reader.generation()
    shared = world.library / "library.sqlite-shm"
    # Both copies of the header by which connections know how far the log goes, as they are before the change.
    header = shared.read_bytes()[:136]
    killed = world.plan("delete")
    change(asdict(killed.order), StandIn("stand-in"))
    with shared.open("r+b") as file:
        file.write(header)
    assert world.observe(killed, False, None) == []
    assert world.newest == 1
    # All who had it open are dead.
    world.library = shutil.copytree(world.library, tmp_path / "after", ignore=shutil.ignore_patterns("*-shm"))
    reader.close()
    assert world.landed_late(killed) is True
    assert world.newest == 2
    assert world.observe(killed, False, None) == []
    assert world.landed_late(killed) is False


def test_the_campaign_sees_a_reply_that_is_not_from_its_generation() -> None:
    text = "The lamp is called zq1. It burns."
    record = {"doc_1": ("a.txt", text)}
    right = Quoted("doc_1", "a.txt", Revision.of(text).id, 0, 23, "The lamp is called zq1.")
    assert wrong_in(Reply(3, "zq1", (right,), frozenset({"doc_1"})), record) == ""
    other = Quoted("doc_1", "a.txt", Revision.of("The lamp is out.").id, 0, 16, "The lamp is out.")
    assert wrong_in(Reply(3, "zq1", (other,), None), record) == "a.txt is not so in generation 3"
    moved = Quoted("doc_1", "a.txt", Revision.of(text).id, 1, 24, "The lamp is called zq1.")
    assert wrong_in(Reply(3, "zq1", (moved,), None), record) == "a quote is not at its offsets in a.txt"
    missing = "zq1 is in 1 documents of generation 3, found in others"
    assert wrong_in(Reply(3, "zq1", (right,), frozenset()), record) == missing

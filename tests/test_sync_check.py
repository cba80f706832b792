"""A new generation that has to pass a check before anything answers from it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from index.change import compact, delete, rollback
from index.errors import CheckFailed, Interrupted
from index.library import Library
from index.report import Check, SyncPolicy, SyncProgress, SyncReport
from index.store import LocalStore, PassageStore
from index.sync import sync
from index.types import Filter
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, found, ids, texts

TIDE = "The harbour closes at high tide."
LAMP = "The lamp is lit at dusk."


class TideStands:
    """Passes what still finds the tide by its words; remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, list[str], list[str]]] = []

    def __call__(self, store: PassageStore) -> Check:
        by_words = sorted(hit.passage.text for hit in store.by_words("the tide lamp", 100, Filter()))
        near = sorted(hit.passage.text for hit in store.by_vector(store.embed("tide"), 100, Filter()))
        self.shown.append((store.generation.number, by_words, near))
        stands = any("tide" in text for text in by_words)
        return Check(stands, "the tide stands" if stands else "no tide")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def folder(tmp_path: Path, library: Path) -> Path:
    """Return a folder of two files that the library is in step with."""
    made = write_files(tmp_path / "files", {"tide.txt": TIDE, "lamp.txt": LAMP})
    sync(library, HashingEmbedder(), [made])
    return made


def spoil(folder: Path) -> None:
    """Change one file, add one and remove one, so that no tide is left."""
    write_files(folder, {"lamp.txt": "The lamp is out.", "new.txt": "The new thing is here."})
    (folder / "tide.txt").unlink()


def run(library: Path, folder: Path, check: TideStands | None = None) -> SyncReport:
    return sync(library, HashingEmbedder(), [folder], check=check)


def test_what_passes_is_answered_from_and_was_shown_whole_before(library: Path, folder: Path) -> None:
    write_files(folder, {"lamp.txt": "The lamp is out."})
    check = TideStands()
    report = run(library, folder, check)
    assert (report.generation, report.aside, report.check) == (2, None, "the tide stands")
    assert check.shown == [(2, [TIDE, "The lamp is out."], [TIDE, "The lamp is out."])]
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": "The lamp is out."}
    assert_whole(library)


def test_what_does_not_pass_is_kept_aside_and_everything_answers_as_before(library: Path, folder: Path) -> None:
    server = LocalStore(library, HashingEmbedder())
    spoil(folder)
    check = TideStands()
    report = run(library, folder, check)
    assert (report.generation, report.aside, report.check) == (None, 2, "no tide")
    coming = ["The lamp is out.", "The new thing is here."]
    assert check.shown == [(2, coming, coming)]
    assert (report.added, report.changed, report.removed) == (("new.txt",), ("lamp.txt",), ("tide.txt",))
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    assert (found(library, "tide"), found(library, "out"), found(library, "new")) == ([TIDE], [], [])
    server.refresh()
    now = server.current()
    assert (now.generation.active, now.vectors.ids()) == (True, server.library.live_ids(1))
    server.close()
    assert_whole(library)


def test_a_generation_kept_aside_can_be_asked_by_its_number_and_gone_over_to(library: Path, folder: Path) -> None:
    spoil(folder)
    aside = run(library, folder, TideStands()).aside
    assert aside == 2
    wanted = {"lamp.txt": "The lamp is out.", "new.txt": "The new thing is here."}
    assert texts(library, 2) == wanted
    assert (found(library, "new", generation=2), found(library, "tide", generation=2)) == (
        ["The new thing is here."],
        [],
    )
    opened = Library(library)
    assert [(g.number, g.active) for g in opened.generations()] == [(3, True), (2, False), (1, True)]
    # By date, it never was.
    assert opened.generation_at(opened.generation_numbered(2).created_at).number in {1, 3}
    opened.close()
    assert rollback(library, 2) == 4
    assert texts(library) == wanted
    embedder = HashingEmbedder()
    report = sync(library, embedder, [folder])
    assert (report.generation, report.skipped, embedder.embedded) == (None, 2, [])
    assert_whole(library)


def test_the_next_sync_finds_the_same_changes_and_embeds_nothing(library: Path, folder: Path) -> None:
    spoil(folder)
    first = run(library, folder, TideStands())
    for _ in range(2):
        report = run(library, folder, TideStands())
        assert (report.added, report.changed, report.removed) == (first.added, first.changed, first.removed)
        assert (report.generation, report.check, report.embedded) == (None, "no tide", 0)
        assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    report = run(library, folder)
    assert (report.added, report.changed, report.removed) == (first.added, first.changed, first.removed)
    assert set(texts(library)) == {"lamp.txt", "new.txt"}
    assert_whole(library)


def test_mended_files_pass_and_the_one_aside_is_let_go_in_time(library: Path, folder: Path) -> None:
    before = ids(library)
    spoil(folder)
    run(library, folder, TideStands())
    write_files(folder, {"tide.txt": TIDE})
    report = run(library, folder, TideStands())
    assert (report.generation, report.added, report.changed) == (4, ("new.txt",), ("lamp.txt",))
    assert {uri: ids(library)[uri] for uri in before} == before
    compact(library, grace=timedelta(0))
    opened = Library(library)
    assert [g.number for g in opened.generations()] == [4]
    opened.close()
    assert_whole(library)


def test_nothing_is_checked_where_nothing_changed(library: Path, folder: Path) -> None:
    check = TideStands()
    assert (run(library, folder, check).check, check.shown) == (None, [])


def test_a_first_sync_may_be_kept_aside_too(tmp_path: Path, library: Path) -> None:
    folder = write_files(tmp_path / "other", {"lamp.txt": LAMP})
    report = run(library, folder, TideStands())
    assert (report.generation, report.aside, texts(library)) == (None, 1, {})
    assert found(library, "lamp") == []
    assert run(library, folder).added == ("lamp.txt",)
    assert_whole(library)


def test_what_was_deleted_by_hand_and_is_wanted_again_stays_out_if_the_check_fails(library: Path, folder: Path) -> None:
    delete(library, [ids(library)["lamp.txt"]])
    (folder / "tide.txt").write_text("No more water.")
    policy = SyncPolicy(include_deleted=True)
    report = sync(library, HashingEmbedder(), [folder], policy=policy, check=TideStands())
    assert report.aside == 3
    assert texts(library) == {"tide.txt": TIDE}
    report = run(library, folder)
    assert (report.kept_out, report.changed) == (("lamp.txt",), ("tide.txt",))
    assert_whole(library)


def test_a_check_that_cannot_be_made_leaves_everything_as_it_was(library: Path, folder: Path) -> None:
    def broken(store: PassageStore) -> Check:
        raise CheckFailed("the questions cannot be read")

    def impatient(store: PassageStore) -> Check:
        raise KeyboardInterrupt

    spoil(folder)
    with pytest.raises(CheckFailed):
        sync(library, HashingEmbedder(), [folder], check=broken)
    with pytest.raises(Interrupted, match="nothing has landed"):
        sync(library, HashingEmbedder(), [folder], check=impatient)
    assert texts(library) == {"tide.txt": TIDE, "lamp.txt": LAMP}
    assert run(library, folder).embedded == 0
    assert_whole(library)


def test_the_check_is_a_stage_of_its_own(library: Path, folder: Path) -> None:
    stages: list[str] = []

    def note(now: SyncProgress) -> None:
        if now.stage not in stages:
            stages.append(now.stage)

    write_files(folder, {"new.txt": "The new thing is here."})
    sync(library, HashingEmbedder(), [folder], check=TideStands(), progress=note)
    assert stages == ["scan", "read", "embed", "index", "check", "commit"]

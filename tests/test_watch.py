"""Folders on a real disk, watched with real events; the sync is a list of what stood there when it ran."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import Interrupted, LibraryBusy, LibraryError, PathNotFound
from index.library import Library
from index.places import Places
from index.report import SyncReport
from index.sync import sync
from index.watch import Away, Back, Deaf, Events, Heard, Noticed, Synced, Trouble, WatchPolicy, system_events, watch
from tests.fakes import HashingEmbedder, write_files

SECONDS = 60.0
QUICK = WatchPolicy(settle=0.1, longest_wait=2.0)


def files_in(folder: Path) -> dict[str, str]:
    """Return the files below `folder` and what is in them."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.md")}


class Watching:
    """What a watch in a thread has done and said; `until` waits for it."""

    def __init__(self) -> None:
        self.steps: list[dict[str, str]] = []
        self.heard: list[Heard] = []
        self.changed = threading.Condition()

    def step(self, files: dict[str, str]) -> None:
        with self.changed:
            self.steps.append(files)
            self.changed.notify_all()

    def hear(self, what: Heard) -> None:
        with self.changed:
            self.heard.append(what)
            self.changed.notify_all()

    def until(self, holds: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, SECONDS), (self.steps[-3:], self.heard[-5:])

    def until_synced(self, times: int = 1) -> None:
        self.until(lambda: sum(isinstance(what, Synced) for what in self.heard) >= times)

    def until_seen(self, files: dict[str, str]) -> None:
        self.until(lambda: bool(self.steps) and self.steps[-1] == files)


@contextmanager
def watching(
    folder: Path,
    *paths: Path,
    step: Callable[[], SyncReport | None] | None = None,
    policy: WatchPolicy = QUICK,
    ignored: Collection[Path] = (),
    events: Events = system_events,
) -> Iterator[Watching]:
    """Watch `folder`, or the `paths` in it, in a thread; `step` runs before what stands there is noted."""
    seen = Watching()
    stop = threading.Event()

    def note() -> SyncReport | None:
        report = step() if step is not None else None
        seen.step(files_in(folder))
        return report

    def run() -> None:
        given = list(paths) if paths else [folder]
        watch(given, note, stop=stop, policy=policy, ignored=list(ignored), heard=seen.hear, events=events)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()


def named(seen: Watching) -> set[str]:
    """Return the names of all files that a watch noticed."""
    return {Path(path).name for what in seen.heard if isinstance(what, Noticed) for path in what.paths}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "notes", {"a.md": "one"})


# ---- what causes a sync -------------------------------------------------------------------------------------------


def test_syncs_at_once_and_after_each_change(folder: Path) -> None:
    with watching(folder) as seen:
        seen.until_seen({"a.md": "one"})
        (folder / "b.md").write_text("two")
        seen.until_seen({"a.md": "one", "b.md": "two"})
        (folder / "a.md").unlink()
        seen.until_seen({"b.md": "two"})


def test_hears_what_happens_in_folders_made_later(folder: Path) -> None:
    with watching(folder) as seen:
        seen.until_synced()
        write_files(folder, {"deep/deeper/b.md": "two"})
        seen.until_seen({"a.md": "one", "deep/deeper/b.md": "two"})
        write_files(folder, {"deep/deeper/b.md": "three"})
        seen.until_seen({"a.md": "one", "deep/deeper/b.md": "three"})


def test_a_folder_made_while_the_events_are_opened_is_heard(folder: Path) -> None:
    first = iter([{"late/b.md": "two"}])

    def late(folders: Collection[str], stop: threading.Event) -> Generator[frozenset[str], None, None]:
        for files in first:
            write_files(folder, files)
        yield from system_events(folders, stop)

    with watching(folder, events=late) as seen:
        seen.until_synced(2)
        write_files(folder, {"late/b.md": "three"})
        seen.until_seen({"a.md": "one", "late/b.md": "three"})


def test_a_folder_renamed_within_is_still_heard(folder: Path) -> None:
    write_files(folder, {"old/b.md": "two"})
    with watching(folder) as seen:
        seen.until_synced()
        (folder / "old").rename(folder / "new")
        seen.until_seen({"a.md": "one", "new/b.md": "two"})
        write_files(folder, {"new/b.md": "three"})
        seen.until_seen({"a.md": "one", "new/b.md": "three"})


def test_an_editor_that_writes_a_new_file_and_renames_it_is_one_save(folder: Path) -> None:
    with watching(folder, policy=replace(QUICK, settle=1.0)) as seen:
        seen.until_synced()
        (folder / ".a.md.swp").write_text("two")
        (folder / ".a.md.swp").replace(folder / "a.md")
        seen.until_seen({"a.md": "two"})
    assert len(seen.steps) == 2


def test_one_file_is_watched_through_saves_that_replace_it(folder: Path) -> None:
    with watching(folder, folder / "a.md") as seen:
        seen.until_synced()
        for words in ("two", "three"):
            (folder / "draft").write_text(words)
            (folder / "draft").replace(folder / "a.md")
            seen.until_seen({"a.md": words})


def test_a_change_during_a_sync_causes_one_more(folder: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        if not started.is_set():
            started.set()
            assert go_on.wait(SECONDS)

    before: list[dict[str, str]] = []

    def step() -> None:
        before.append(files_in(folder))
        slow()

    with watching(folder, step=step) as seen:
        assert started.wait(SECONDS)
        (folder / "a.md").write_text("two")
        go_on.set()
        seen.until(lambda: before[-1] == {"a.md": "two"})
    assert before[0] == {"a.md": "one"}


def test_a_flood_of_files_is_few_syncs_and_the_last_sees_them_all(folder: Path) -> None:
    with watching(folder, policy=WatchPolicy(settle=0.5, longest_wait=5.0)) as seen:
        seen.until_synced()
        for number in range(10_000):
            place = folder / f"{number % 100}"
            place.mkdir(exist_ok=True)
            (place / f"{number}.md").touch()
        seen.until(lambda: len(seen.steps[-1]) == 10_001)
    assert len(seen.steps) < 50


def test_a_flood_without_end_is_answered_all_the_same(folder: Path) -> None:
    enough = threading.Event()

    def write_on() -> None:
        while not enough.wait(0.01):
            (folder / "a.md").write_text("more")

    with watching(folder, policy=WatchPolicy(settle=2 * SECONDS, longest_wait=1.0)) as seen:
        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            seen.until(lambda: len(seen.steps) == 3)
        finally:
            enough.set()
            writer.join()


def test_syncs_now_and_then_where_events_are_lost(folder: Path) -> None:
    def lost(_: Collection[str], stop: threading.Event) -> Generator[frozenset[str], None, None]:
        while not stop.wait(0.01):
            yield frozenset()

    with watching(folder, policy=replace(QUICK, every=0.2), events=lost) as seen:
        seen.until_synced()
        (folder / "a.md").write_text("two")
        seen.until_seen({"a.md": "two"})
    assert not any(isinstance(what, Noticed) for what in seen.heard)


def test_looks_now_and_then_where_the_system_watches_no_more_folders(folder: Path) -> None:
    def refused(folders: Collection[str], _: threading.Event) -> Generator[frozenset[str], None, None]:
        if folders:
            raise OSError("OS file watch limit reached.")
        yield frozenset()

    with watching(folder, policy=replace(QUICK, deaf=0.2), events=refused) as seen:
        seen.until_synced()
        (folder / "a.md").write_text("two")
        seen.until_seen({"a.md": "two"})
        seen.until_synced(4)
    assert [what for what in seen.heard if isinstance(what, Deaf)] == [Deaf("OS file watch limit reached.", 0.2)]


# ---- what causes none -----------------------------------------------------------------------------------------------


def test_a_library_inside_the_folder_does_not_cause_its_own_syncs(folder: Path) -> None:
    library = folder / "library"
    embedder = HashingEmbedder()
    reports: list[SyncReport] = []

    def step() -> SyncReport:
        reports.append(sync(library, embedder, [folder]))
        return reports[-1]

    write_files(folder, {"a.md": "The lamp is lit at dusk."})
    with watching(folder, step=step, ignored=[library]) as seen:
        seen.until_synced()
        write_files(folder, {"b.md": "The pump was replaced in May."})
        seen.until_synced(2)
        (folder / "a.md").unlink()
        seen.until_synced(3)
        assert named(seen) == {"a.md", "b.md"}
    assert [(report.added, report.removed) for report in reports] == [
        (("a.md",), ()),
        (("b.md",), ()),
        ((), ("a.md",)),
    ]
    opened = Library(library)
    try:
        assert [document.uri for document in opened.documents(3)] == ["b.md"]
    finally:
        opened.close()


def test_hidden_files_cause_no_sync(folder: Path) -> None:
    write_files(folder, {".git/config": ""})
    with watching(folder) as seen:
        seen.until_synced()
        write_files(folder, {".git/config": "[core]", ".hidden": "", "b.md": "two"})
        seen.until_seen({"a.md": "one", "b.md": "two"})
        assert named(seen) == {"b.md"}


def test_links_do_not_lead_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"deep/secret.md": "one"})
    (folder / "link").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    with watching(folder) as seen:
        seen.until_synced()
        write_files(outside, {"secret.md": "two", "deep/secret.md": "two"})
        (folder / "a.md").write_text("two")
        seen.until(lambda: named(seen) != set())
    assert named(seen) == {"a.md"}


def test_only_what_a_sync_looks_into_matters(tmp_path: Path) -> None:
    root = tmp_path / "notes"
    for name in ("sub", ".hidden/below", "library/words"):
        (root / name).mkdir(parents=True)
    places = Places([root, root / ".hidden", root / "library" / "words"], [root / "library"])
    places.look()
    chosen = {str(root), str(root / "sub"), str(root / ".hidden"), str(root / ".hidden" / "below")}
    assert {path for path in chosen if places.matter(path)} == chosen
    assert places.matter(str(root / "library" / "words" / "given.md"))
    assert not places.matter(str(root / "library" / "library.sqlite"))
    assert not places.matter(str(root / "sub" / ".draft" / "a.md"))
    assert not places.matter(str(tmp_path / "notes-of-others" / "a.md"))
    if sys.platform == "linux":
        assert places.folders() == {*chosen, str(root / "library" / "words")}


# ---- what it survives -----------------------------------------------------------------------------------------------


def test_a_folder_renamed_away_and_back_is_not_synced_in_between(folder: Path, tmp_path: Path) -> None:
    with watching(folder) as seen:
        seen.until_synced()
        folder.rename(tmp_path / "elsewhere")
        seen.until(lambda: Away(folder, "not there") in seen.heard)
        write_files(tmp_path / "elsewhere", {"b.md": "two"})
        (tmp_path / "elsewhere").rename(folder)
        seen.until_seen({"a.md": "one", "b.md": "two"})
        (folder / "b.md").write_text("three")
        seen.until_seen({"a.md": "one", "b.md": "three"})
    assert {} not in seen.steps
    assert [what for what in seen.heard if isinstance(what, Away | Back)] == [Away(folder, "not there"), Back(folder)]


def test_a_folder_deleted_and_made_anew_is_synced_when_something_is_in_it(folder: Path) -> None:
    with watching(folder, policy=replace(QUICK, settle=1.0)) as seen:
        seen.until_synced()
        shutil.rmtree(folder)
        folder.mkdir()
        seen.until(lambda: any(isinstance(what, Away) for what in seen.heard))
        write_files(folder, {"b.md": "two"})
        seen.until_seen({"b.md": "two"})
        (folder / "b.md").write_text("three")
        seen.until_seen({"b.md": "three"})
    assert {} not in seen.steps


def test_a_folder_that_a_person_empties_is_empty(folder: Path) -> None:
    write_files(folder, {"deep/b.md": "two"})
    with watching(folder) as seen:
        seen.until_synced()
        shutil.rmtree(folder / "deep")
        (folder / "a.md").unlink()
        seen.until_seen({})


def test_an_empty_folder_may_be_watched(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    with watching(folder) as seen:
        seen.until_seen({})
        write_files(folder, {"a.md": "one"})
        seen.until_seen({"a.md": "one"})


def test_a_link_that_leads_elsewhere_later_is_followed(tmp_path: Path) -> None:
    write_files(tmp_path, {"monday/a.md": "one", "tuesday/a.md": "two"})
    folder = tmp_path / "today"
    folder.symlink_to(tmp_path / "monday")
    with watching(folder) as seen:
        seen.until_seen({"a.md": "one"})
        (tmp_path / "next").symlink_to(tmp_path / "tuesday")
        (tmp_path / "next").replace(folder)
        seen.until_seen({"a.md": "two"})
        (tmp_path / "tuesday" / "a.md").write_text("three")
        seen.until_seen({"a.md": "three"})


def test_a_missing_folder_among_several_stops_the_syncs_of_all(tmp_path: Path) -> None:
    write_files(tmp_path, {"here/a.md": "one", "there/b.md": "two"})
    with watching(tmp_path, tmp_path / "here", tmp_path / "there") as seen:
        seen.until_synced()
        (tmp_path / "there").rename(tmp_path / "away")
        seen.until(lambda: Away(tmp_path / "there", "not there") in seen.heard)
        steps = len(seen.steps)
        (tmp_path / "here" / "a.md").write_text("three")
        (tmp_path / "away").rename(tmp_path / "there")
        seen.until_seen({"here/a.md": "three", "there/b.md": "two"})
        assert all(set(step) == {"here/a.md", "there/b.md"} for step in seen.steps[steps:])


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 elsewhere")
def test_names_that_are_not_utf8_do_not_end_the_watch(folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))
    with watching(folder) as seen:
        seen.until_synced()
        odd.mkdir()
        seen.until_synced(2)
        (odd / "b.md").write_text("two")
        (folder / "a.md").write_text("three")
        seen.until(lambda: seen.steps[-1].get("a.md") == "three")


def test_a_sync_that_fails_is_tried_again_after_longer_and_longer_pauses(folder: Path) -> None:
    full = LibraryError("the disk is full; make room")
    failures = iter([full, full, full, full])

    def step() -> None:
        for error in failures:
            raise error

    with watching(folder, step=step, policy=replace(QUICK, settle=0.1, longest_pause=0.3)) as seen:
        seen.until_synced()
    pauses = [what.again_in for what in seen.heard if isinstance(what, Trouble) and what.error is full]
    assert pauses == [0.1, 0.2, 0.3, 0.3]


def test_a_busy_library_is_no_trouble_only_later(folder: Path) -> None:
    failures = iter([LibraryBusy("another process is writing")])

    def step() -> None:
        for error in failures:
            raise error

    with watching(folder, step=step) as seen:
        seen.until_synced()
    assert seen.heard == [Synced(None)]


def test_a_folder_that_goes_away_during_a_sync_is_no_trouble(folder: Path, tmp_path: Path) -> None:
    failures = iter([PathNotFound(f"{folder}: no such file or folder")])

    def step() -> None:
        for error in failures:
            folder.rename(tmp_path / "elsewhere")
            raise error

    with watching(folder, step=step) as seen:
        seen.until(lambda: Away(folder, "not there") in seen.heard)
        (tmp_path / "elsewhere").rename(folder)
        seen.until_seen({"a.md": "one"})
    assert not any(isinstance(what, Trouble) for what in seen.heard)


def test_a_user_who_stops_a_sync_stops_the_watch(folder: Path) -> None:
    def step() -> None:
        raise Interrupted("interrupted: nothing has landed")

    with pytest.raises(Interrupted, match="nothing has landed"):
        watch([folder], step, stop=threading.Event())


def test_what_a_programmer_got_wrong_is_not_hidden(folder: Path) -> None:
    def step() -> None:
        raise ValueError("not for the user")

    with pytest.raises(ValueError, match="not for the user"):
        watch([folder], step, stop=threading.Event())


def test_a_path_that_is_missing_from_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match=r"typo: no such file or folder"):
        watch([tmp_path / "typo"], lambda: None, stop=threading.Event())


def test_does_nothing_once_it_is_told_to_stop(folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    heard: list[Heard] = []
    watch([folder], lambda: pytest.fail("synced"), stop=stop, heard=heard.append)
    assert heard == []


def test_times_are_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0 s"):
        WatchPolicy(settle=0.0)

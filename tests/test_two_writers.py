"""Two processes change one library at once: one waits for the other, or says that it is busy, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from index.change import delete
from index.check import check_library
from index.errors import LibraryBusy
from index.lexical import LexicalIndex
from index.library import Library
from index.store import LocalStore
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.truths import Prepare

REPOSITORY = Path(__file__).resolve().parent.parent

# Says that it has the lock, and keeps it until a line is sent.
_CODE = """
import json, sys
from pathlib import Path
from index.change import compact, delete
from index.errors import CitespanError
from index.reembed import reembed
from index.report import SyncPolicy
from index.sync import sync
from tests.fakes import HashingEmbedder

change, library, argument, holds, timeout = sys.argv[1:]
said = False

def wait(now):
    global said
    if holds == "hold" and not said:
        said = True
        print("holding", flush=True)
        sys.stdin.readline()

library, timeout = Path(library), float(timeout)
try:
    if change == "sync":
        report = sync(library, HashingEmbedder(), [Path(argument)], lock_timeout=timeout,
                      progress=lambda now: wait(now) if now.stage in ("embed", "commit") else None)
        print(json.dumps(report.generation))
    elif change == "purge":
        print(json.dumps(delete(library, [argument], purge=True, lock_timeout=timeout)))
    elif change == "reembed":
        done = reembed(library, HashingEmbedder(name="other"), lock_timeout=timeout, progress=lambda *now: wait(now))
        print(json.dumps(done.generation))
except CitespanError as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


@contextmanager
def writer(change: str, library: Path, argument: str, *, hold: bool, timeout: float) -> Iterator[subprocess.Popen[str]]:
    """Start a change in a process of its own. With `hold` it has the lock by now and waits for a line."""
    command = [sys.executable, "-c", _CODE, change, str(library), argument, "hold" if hold else "", str(timeout)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if hold:
                assert process.stdout is not None
                assert process.stdout.readline() == "holding\n"
            yield process
        finally:
            process.kill()


def let_go(process: subprocess.Popen[str]) -> object:
    """Let a change go on, and return what it says at its end."""
    said, _ = process.communicate("\n", timeout=120)
    return json.loads(said.splitlines()[-1])


@pytest.fixture
def library(tmp_path: Path, truth: Prepare) -> Path:
    """Return a library of one folder with two documents, once for each place where its truth may live."""
    truth(tmp_path / "library")
    write_files(tmp_path / "first", {"a.txt": "The harbour closes at high tide.", "b.txt": "The lamp is lit."})
    sync(tmp_path / "library", HashingEmbedder(), [tmp_path / "first"])
    write_files(tmp_path / "second", {"c.txt": "The bell rings twice.", "d.txt": "The boat is green."})
    write_files(tmp_path / "third", {"e.txt": "The rope is short."})
    return tmp_path / "library"


def live(library: Path) -> dict[str, str]:
    """Return the live documents: uri → id."""
    opened = Library(library)
    try:
        return {d.uri: d.id for d in opened.documents(opened.generation().number)}
    finally:
        opened.close()


def assert_whole(library: Path, embedder: HashingEmbedder) -> None:
    store = LocalStore(library, embedder)
    try:
        ids = store.library.live_ids(store.current().generation.number)
        assert store.current().vectors.ids() == ids
        words = LexicalIndex(library, store.library.meta["history"]).searcher().ids()
        assert words == store.library.kept_ids()
    finally:
        store.close()
    assert check_library(library).problems == ()


def test_a_sync_waits_for_another_sync_and_both_land(tmp_path: Path, library: Path) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(writer("sync", library, str(tmp_path / "second"), hold=True, timeout=10))
        two = stack.enter_context(writer("sync", library, str(tmp_path / "third"), hold=False, timeout=60))
        assert (let_go(one), let_go(two)) == (2, 3)
    assert set(live(library)) == {"a.txt", "b.txt", "c.txt", "d.txt", "e.txt"}
    assert_whole(library, HashingEmbedder())


def test_a_sync_that_does_not_want_to_wait_says_that_another_one_writes(tmp_path: Path, library: Path) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(writer("sync", library, str(tmp_path / "second"), hold=True, timeout=10))
        two = stack.enter_context(writer("sync", library, str(tmp_path / "third"), hold=False, timeout=0.1))
        busy = f"LibraryBusy: {library}: another process is writing to this library; try again when it is done"
        assert let_go(two) == busy
        with pytest.raises(LibraryBusy):
            delete(library, [live(library)["a.txt"]], lock_timeout=0.1)
        assert let_go(one) == 2
    assert set(live(library)) == {"a.txt", "b.txt", "c.txt", "d.txt"}
    assert_whole(library, HashingEmbedder())
    # Nothing of the one that was turned away is in the way of the next.
    assert sync(library, HashingEmbedder(), [tmp_path / "third"]).generation == 3
    assert_whole(library, HashingEmbedder())


def test_a_purge_waits_for_a_sync_and_what_it_purges_stays_away(tmp_path: Path, library: Path) -> None:
    lamp = live(library)["b.txt"]
    with ExitStack() as stack:
        one = stack.enter_context(writer("sync", library, str(tmp_path / "second"), hold=True, timeout=10))
        two = stack.enter_context(writer("purge", library, lamp, hold=False, timeout=60))
        assert (let_go(one), let_go(two)) == (2, 3)
    assert set(live(library)) == {"a.txt", "c.txt", "d.txt"}
    assert_whole(library, HashingEmbedder())
    assert not [file for file in library.rglob("*") if file.is_file() and b"The lamp is lit." in file.read_bytes()]


def test_a_sync_after_a_purge_lands_and_does_not_bring_back_what_was_purged(tmp_path: Path, library: Path) -> None:
    assert delete(library, [live(library)["b.txt"]], purge=True) == 2
    write_files(tmp_path / "first", {"f.txt": "The net is torn."})
    with writer("sync", library, str(tmp_path / "first"), hold=False, timeout=60) as one:
        assert let_go(one) == 3
    assert set(live(library)) == {"a.txt", "f.txt"}
    assert_whole(library, HashingEmbedder())


def test_a_sync_while_a_reembed_embeds_waits_and_the_reembed_takes_its_documents_too(
    tmp_path: Path, library: Path
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(writer("reembed", library, "", hold=True, timeout=60))
        two = stack.enter_context(writer("sync", library, str(tmp_path / "third"), hold=False, timeout=60))
        said = {let_go(one): "reembed", let_go(two): "sync"}
    # Whichever had the lock next: a sync that comes after the switch is told to name the embedder now in use.
    after = [str(answer) for answer, change in said.items() if change == "sync"]
    landed = after[0] in ("2", "3")
    assert landed or after[0].startswith("LibraryFormat:")
    assert ("e.txt" in live(library)) is landed
    assert_whole(library, HashingEmbedder(name="other"))
    if not landed:
        sync(library, HashingEmbedder(name="other"), [tmp_path / "third"])
    assert set(live(library)) == {"a.txt", "b.txt", "e.txt"}
    assert_whole(library, HashingEmbedder(name="other"))


def test_a_reembed_waits_for_a_sync(tmp_path: Path, library: Path) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(writer("sync", library, str(tmp_path / "second"), hold=True, timeout=10))
        two = stack.enter_context(writer("reembed", library, "", hold=False, timeout=60))
        assert (let_go(one), let_go(two)) == (2, 3)
    assert set(live(library)) == {"a.txt", "b.txt", "c.txt", "d.txt"}
    assert_whole(library, HashingEmbedder(name="other"))

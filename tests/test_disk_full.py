"""The disk fills up at any point of a change: a clear error, the generation before answers, and it can be repeated.

The disk is a small file system in memory, which takes the right to mount one.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from index.backup import backup
from index.change import compact, delete, rollback
from index.check import check_library
from index.errors import DiskFull, UnknownDocument
from index.reembed import reembed
from index.store import LocalStore
from index.sync import Upload, ingest, sync
from index.types import Filter
from tests.fakes import HashingEmbedder, write_files

MIB = 2**20
# From nothing at all to enough for a part: the failure comes in the lock, the log, the word index or the commit.
ROOMS = [0, 20_480, 100_000, 300_000, 700_000]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield an empty disk of 12 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    # Tantivy's threads may have a file open for a moment longer.
    for _ in range(50):
        if subprocess.run(["umount", str(place)], capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", str(place)], check=True)


def text(number: int) -> str:
    return " ".join(f"Line {line} of report {number} tells of the word zq{number}." for line in range(60))


def fill(disk: Path, room: int) -> Path:
    """Leave `room` bytes on `disk`, and return the file to delete to make more."""
    filler = disk / "filler"
    with filler.open("wb") as file, suppress(OSError):
        while True:
            os.write(file.fileno(), b"x" * 4_096)
    os.truncate(filler, max(0, filler.stat().st_size - room))
    return filler


def answered(store: LocalStore) -> tuple[int, set[str]]:
    """Return the generation that answers, and the documents found in it."""
    store.refresh()
    now = store.current()
    found = {hit.passage.document.uri for hit in now.by_words("report", 1_000, Filter())}
    assert found == {d.uri for d in now.documents(limit=1_000)}
    assert now.vectors.ids() == store.library.live_ids(now.generation.number)
    return now.generation.number, found


def opened_and_answered(library: Path, embedder: HashingEmbedder) -> tuple[int, set[str]]:
    store = LocalStore(library, embedder)
    try:
        return answered(store)
    finally:
        store.close()


Change = Callable[[Path, Path], object]
EMBEDDER = HashingEmbedder()


def _sync(library: Path, scratch: Path) -> object:
    write_files(scratch / "files", {f"new{n}.txt": text(100 + n) for n in range(40)})
    return sync(library, EMBEDDER, [scratch / "files"])


def _ingest(library: Path, scratch: Path) -> object:
    return ingest(library, EMBEDDER, [Upload(f"sent{n}.txt", text(200 + n).encode()) for n in range(40)])


def _first_document(library: Path) -> str:
    store = LocalStore(library, EMBEDDER)
    try:
        return store.current().documents(limit=1)[0].id
    finally:
        store.close()


CHANGES: dict[str, Change] = {
    "sync": _sync,
    "ingest": _ingest,
    "delete": lambda library, scratch: delete(library, [(scratch / "document").read_text()]),
    "purge": lambda library, scratch: delete(library, [(scratch / "document").read_text()], purge=True),
    "rollback": lambda library, scratch: rollback(library, 1),
    "compact": lambda library, scratch: compact(library, grace=timedelta(0)),
    "reembed": lambda library, scratch: reembed(library, HashingEmbedder(name="other")),
}


def failure(change: Change, library: Path, scratch: Path) -> str:
    """Return what a change says of the full disk, "" if there was room for it."""
    try:
        change(library, scratch)
    except DiskFull as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_on_a_full_disk_says_so_and_can_be_repeated(tmp_path: Path, disk: Path, name: str) -> None:
    """A server has the library open in every second round: without one SQLite needs room even to read."""
    change, failures = CHANGES[name], 0
    for room, served in [(room, served) for room in ROOMS for served in (True, False)]:
        scratch = tmp_path / f"{room}-{served}"
        library = disk / f"library-{room}-{served}"
        write_files(scratch / "files", {f"{n}.txt": text(n) for n in range(8)})
        sync(library, EMBEDDER, [scratch / "files"])
        (scratch / "files" / "0.txt").write_text(text(50))
        sync(library, EMBEDDER, [scratch / "files"])
        (scratch / "document").write_text(_first_document(library))
        before = opened_and_answered(library, EMBEDDER)
        server = LocalStore(library, EMBEDDER, lambda _: HashingEmbedder(name="other")) if served else None
        filler = fill(disk, room)
        error = failure(change, library, scratch)
        if error:
            failures += 1
            assert error.startswith(f"{library}: no space is left on its disk; ")
            # What is over when the space runs out has landed: a purge that has still to rewrite the word index.
            landed = name == "purge"
            if server is not None:
                assert answered(server) == before or landed
            filler.unlink()
            assert opened_and_answered(library, EMBEDDER) == before or landed
            with suppress(*([UnknownDocument] if landed else [])):
                change(library, scratch)
        else:
            filler.unlink()
        embedder = HashingEmbedder(name="other") if name == "reembed" else EMBEDDER
        number, found = opened_and_answered(library, embedder)
        assert number == before[0] + (0 if name == "compact" else 1)
        if server is not None:
            assert answered(server) == (number, found)
            server.close()
        assert check_library(library).problems == ()
        subprocess.run(["rm", "-rf", str(library)], check=True)
    assert failures, "the disk was never full: the rooms are too large"


@pytest.mark.parametrize("room", [0, 20_480, 100_000])
def test_a_backup_to_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path, disk: Path, room: int) -> None:
    files = write_files(tmp_path / "files", {f"{n}.txt": text(n) for n in range(8)})
    sync(tmp_path / "library", EMBEDDER, [files])
    filler = fill(disk, room)
    with pytest.raises(DiskFull):
        backup(tmp_path / "library", disk / "backup")
    assert [path.name for path in disk.iterdir()] == ["filler"]
    filler.unlink()
    assert backup(tmp_path / "library", disk / "backup") == 1

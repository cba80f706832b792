"""A sync is killed with SIGKILL, at every stage and at any time; nothing that was acknowledged is lost.

Run as a program, this file is the victim: it reads one order (JSON) a line, forks, and lets the child sync.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.check import check_library
from index.lexical import LexicalIndex
from index.library import Library
from index.report import SyncProgress
from index.store import LocalStore
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ["scan", "read", "embed", "index", "commit"]


class Victims:
    """Starts syncs in processes of their own and has them killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def sync(self, library: Path, folder: Path, *, stage: str = "", after: float = -1.0) -> int | None:
        """Return the generation that a sync acknowledged, None if it died first.

        It kills itself when it first reports `stage`, or is killed `after` seconds.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"library": str(library), "folder": str(folder), "stage": stage, "after": after}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that starts the victims has died"
        acknowledged: int | None = json.loads(answer)
        return acknowledged


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    # One thread only, so that the process may fork.
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.test_crash"],
        cwd=REPOSITORY, env=quiet, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Victims(process)
        assert process.stdin is not None
        process.stdin.close()


@dataclass(frozen=True, slots=True)
class Held:
    """What a library holds: its newest generation and the text of each live document by uri."""

    generation: int
    texts: dict[str, str]


def held(library: Path) -> Held:
    opened = Library(library)
    try:
        number = opened.generation().number
        return Held(
            number,
            {
                d.uri: opened.revision(d.revision, document_id=d.id, generation=number).text
                for d in opened.documents(number, limit=1000)
            },
        )
    finally:
        opened.close()


def words_of(library: Library) -> list[int]:
    """Return the passages that the word index holds."""
    return LexicalIndex(library.folder, library.meta["history"]).searcher().ids()


def assert_whole(library: Path) -> None:
    """Assert that the library opens, everything in it fits, and no kept passage is missing in a derived index."""
    assert check_library(library).problems == ()
    store = LocalStore(library, HashingEmbedder())
    try:
        now = store.current()
        ids = store.library.live_ids(now.generation.number)
        assert now.vectors.ids() == ids
        assert set(store.library.kept_ids()) <= set(words_of(store.library))
    finally:
        store.close()


def assert_indexes_agree(library: Path) -> None:
    """Assert that no trace of a killed sync is left after one that finished."""
    store = LocalStore(library, HashingEmbedder())
    try:
        ids = store.library.live_ids(store.current().generation.number)
        assert store.current().vectors.ids() == ids
        assert words_of(store.library) == store.library.kept_ids()
    finally:
        store.close()


OLD = {f"{i:02}.txt": f"This is document {i}, and it is about thing number {i}." for i in range(12)}
NEW = {
    **{name: text for name, text in OLD.items() if name >= "03.txt"},
    "03.txt": "Document 3 was written anew.",
    "04.txt": "Document 4 was written anew, too.",
    **{f"new{i:02}.txt": f"This is the new document {i}." for i in range(6)},
}


def change(folder: Path) -> None:
    """Make a folder that holds OLD hold NEW."""
    for name in OLD.keys() - NEW.keys():
        (folder / name).unlink()
    write_files(folder, {name: text for name, text in NEW.items() if OLD.get(name) != text})


@pytest.mark.parametrize("stage", STAGES)
def test_the_first_sync_is_killed_at_each_stage(tmp_path: Path, victims: Victims, stage: str) -> None:
    library, folder = tmp_path / "library", write_files(tmp_path / "files", OLD)
    assert victims.sync(library, folder, stage=stage) is None
    if stage != "scan":
        assert held(library) == Held(0, {})
        assert_whole(library)
    report = sync(library, HashingEmbedder(), [folder])
    assert report.generation == 1
    assert report.embedded == (0 if stage in {"embed", "index", "commit"} else len(OLD))
    assert held(library) == Held(1, OLD)
    assert_whole(library)
    assert_indexes_agree(library)


@pytest.mark.parametrize("stage", STAGES)
def test_a_later_sync_is_killed_at_each_stage(tmp_path: Path, victims: Victims, stage: str) -> None:
    library, folder = tmp_path / "library", write_files(tmp_path / "files", OLD)
    assert victims.sync(library, folder) == 1
    change(folder)
    for _ in range(2):
        victims.sync(library, folder, stage=stage)
    # What was embedded before the kill is not embedded again, so the second sync got past that stage, to the end.
    landed = stage == "embed"
    assert held(library) == (Held(2, NEW) if landed else Held(1, OLD))
    assert_whole(library)
    report = sync(library, HashingEmbedder(), [folder])
    assert report.generation == (None if landed else 2)
    assert held(library) == Held(2, NEW)
    assert_whole(library)
    assert_indexes_agree(library)


def test_syncs_are_killed_at_any_time(tmp_path: Path, victims: Victims) -> None:
    library, folder = tmp_path / "library", write_files(tmp_path / "files", OLD)
    began = time.perf_counter()
    assert victims.sync(library, folder) == 1
    whole = time.perf_counter() - began
    chance = random.Random(20260110)
    before = Held(1, OLD)
    content = dict(OLD)
    for turn in range(18):
        content[f"{turn % 12:02}.txt"] = f"Document {turn % 12} in its state {turn}."
        content.pop(f"turn{turn - 2:02}.txt", None)
        content[f"turn{turn:02}.txt"] = f"This came in turn {turn}."
        for path in folder.iterdir():
            if path.name not in content:
                path.unlink()
        write_files(folder, content)
        acknowledged = victims.sync(library, folder, after=chance.uniform(0.0, 1.2 * whole))
        now = held(library)
        assert now in (before, Held(before.generation + 1, content))
        assert acknowledged in {None, now.generation}
        assert_whole(library)
        before = now
    sync(library, HashingEmbedder(), [folder])
    assert held(library).texts == content
    assert_whole(library)
    assert_indexes_agree(library)


def _serve() -> None:
    """Obey orders from standard input: fork, sync, be killed; answer with the generation acknowledged, or null."""
    for line in sys.stdin:
        order = json.loads(line)
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receive)
            _be_the_victim(Path(order["library"]), Path(order["folder"]), order["stage"], send)
        os.close(send)
        after = order["after"]
        if after >= 0 and not select.select([receive], [], [], after)[0]:
            os.kill(child, signal.SIGKILL)
        with os.fdopen(receive, "rb") as answer:
            said = answer.read()
        os.waitpid(child, 0)
        sys.stdout.write((said.decode() if said else "null") + "\n")
        sys.stdout.flush()


def _be_the_victim(library: Path, folder: Path, stage: str, send: int) -> None:
    def progress(now: SyncProgress) -> None:
        if now.stage == stage and (stage != "read" or now.files == now.files_total // 2):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        report = sync(library, HashingEmbedder(), [folder], progress=progress)
        os.write(send, json.dumps(report.generation).encode())
    finally:
        os._exit(0)


if __name__ == "__main__":
    _serve()

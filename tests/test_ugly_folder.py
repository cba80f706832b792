"""One folder with everything that goes wrong with files; the sync runs in a process of its own, without root's rights.

Run as a program, this file is that process: `python -m tests.test_ugly_folder LIBRARY FOLDER`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from index.check import check_library
from index.library import Library
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files
from tests.nobody import give_up_root_for_good

REPOSITORY = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
BOUND = "--bound"
GOOD = {
    "good one.txt": "The harbour closes at high tide.",
    "good-two.md": "# Lamps\n\nThe lamp is lit at dusk.",
    "sub/good three.html": "<html><body><article><p>The pump was replaced in May.</p></article></body></html>",
}
# Touches a file as often as it can, until it is killed.
TOUCHER = """
import itertools, os, sys
for n in itertools.count(1):
    os.utime(sys.argv[1], ns=(n, n))
    if n == 1:
        print(flush=True)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a folder that anyone may enter and write: those of `tmp_path` are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name).resolve()


def make_ugly(place: Path) -> Path:
    (place / "secret.txt").write_text("This lies outside of the folder.")
    folder = write_files(
        place / "files",
        {
            **GOOD,
            "empty.txt": b"",
            "no sentence.txt": "\n \n *** \n --- \n",
            "blank.md": "  \n\u3000\n",
            "picture.txt": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
            "binary.txt": b"\x00\x01\x02\x03" * 500,
            "latin1.txt": "Das Café schließt um zehn.".encode("latin-1"),
            "only navigation.txt": "Home\n\nShare this\n\nNext",
            "private.txt": "Nobody may read this.",
            "photo.jpg": b"\xff\xd8\xff",
        },
    )
    with (folder / "one line.txt").open("wb") as file:
        for _ in range(50):
            file.write(b"word " * (MIB // 5 + 1))
    with (folder / "changing.txt").open("wb") as file:
        for _ in range(24):
            file.write(b"More of it. " * (MIB // 12 + 1))
    (folder / "private.txt").chmod(0)
    (folder / "dangling.txt").symlink_to("nowhere.txt")
    (folder / "circle.txt").symlink_to("circle.txt")
    (folder / "out.txt").symlink_to(place / "secret.txt")
    os.mkfifo(folder / "pipe.txt")
    return folder


def run_sync(place: Path, folder: Path) -> dict[str, Any]:
    """Return the report of a sync in a process of its own, with its largest memory in MiB and its seconds."""
    command = [sys.executable, "-m", "tests.test_ugly_folder", str(place / "library"), str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_each_bad_file_is_named_with_its_own_reason_and_the_good_ones_land(place: Path) -> None:
    folder = make_ugly(place)
    toucher = [sys.executable, "-c", TOUCHER, str(folder / "changing.txt")]
    with subprocess.Popen(toucher, stdout=subprocess.PIPE) as changing:
        try:
            assert changing.stdout is not None
            changing.stdout.readline()
            report = run_sync(place, folder)
        finally:
            changing.kill()
    failed = {failure["name"]: (failure["code"], failure["reason"]) for failure in report["failed"]}
    expected = {
        "binary.txt": ("unsupported-format", "binary data"),
        "blank.md": ("empty-document", "nothing to read in it"),
        "changing.txt": ("document-changed", "it changed while it was read"),
        "circle.txt": ("broken-link", "leads in a circle"),
        "dangling.txt": ("broken-link", "leads nowhere"),
        "empty.txt": ("empty-document", "the file is empty"),
        "latin1.txt": ("wrong-encoding", "convert it to UTF-8 or pass --encoding"),
        "no sentence.txt": ("empty-document", "no letter and no digit"),
        "one line.txt": ("document-too-large", "over the limit of 32 MiB"),
        "only navigation.txt": ("empty-document", "no sentence in it"),
        "out.txt": ("broken-link", "leads out of the folder"),
        "picture.txt": ("unsupported-format", "a PNG image"),
        "pipe.txt": ("unreadable-document", "a named pipe"),
        "private.txt": ("unreadable-document", "permission denied"),
    }
    assert {name: code for name, (code, _) in failed.items()} == {name: code for name, (code, _) in expected.items()}
    for name, (_, words) in expected.items():
        assert words in failed[name][1], name
    assert set(report["added"]) == set(GOOD)
    assert report["ignored"] == ["photo.jpg"]
    assert report["mebibytes"] < 600
    assert report["seconds"] < 60
    library = Library(place / "library")
    try:
        documents = library.documents(library.generation().number)
        assert {d.uri for d in documents} == set(GOOD)
        found = library.passages(1, library.live_ids(1)).values()
        assert not [p for p in found if "outside" in p.text]
    finally:
        library.close()
    assert check_library(place / "library").problems == ()


@pytest.mark.parametrize(
    "unit",
    ["word ", "The harbour closes at high tide. ", "\U0001f600", "a", "\u200b"],
    ids=["words", "sentences", "astral", "one word", "zero width"],
)
def test_a_very_long_line_within_the_limit_is_taken_in_with_bounded_memory(place: Path, unit: str) -> None:
    data = (unit * (2 * MIB // len(unit.encode()) + 1)).encode()
    folder = write_files(place / "files", {"one line.txt": data + b" The end."})
    began = time.perf_counter()
    report = run_sync(place, folder)
    assert time.perf_counter() - began < 120
    assert (report["failed"], report["added"]) == ([], ["one line.txt"])
    assert report["mebibytes"] < 600
    library = Library(place / "library")
    try:
        passages = library.passages(1, library.live_ids(1)).values()
        assert max(len(p.text) for p in passages) <= 2_000
    finally:
        library.close()
    assert check_library(place / "library").problems == ()


def _be_the_sync(library: Path, folder: Path) -> None:
    report = sync(library, HashingEmbedder(), [folder])
    sys.stdout.write(json.dumps({**asdict(report), "mebibytes": _peak()}))


def _peak() -> float:
    """Return the largest memory that this process had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux, `ru_maxrss` begins with the memory of the process that started this one.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


if __name__ == "__main__":
    if os.geteuid() == 0 and sys.argv[3:] != [BOUND]:
        give_up_root_for_good()
        # Rights are taken at the start of a program; those given up are not given again, to its children neither.
        os.execv(sys.executable, [sys.executable, "-m", "tests.test_ugly_folder", *sys.argv[1:], BOUND])
    _be_the_sync(Path(sys.argv[1]), Path(sys.argv[2]))

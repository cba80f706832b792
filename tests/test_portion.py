"""Files embedded in parts by several processes, one killed half-way, and the one sync that lands them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import LibraryFormat, PathNotFound
from index.library import Library
from index.portion import Part, embed_part
from index.sync import sync
from index.truth import truth_of
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, found, texts
from tests.truths import Prepare, in_postgres

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = {
    f"{number:03}.txt": f"The lamp of number {number} is lit. The boat of number {number} is out."
    for number in range(420)
}

# A worker: embeds its part, and kills itself once that many are stored.
_CODE = """
import json, os, signal, sys
from pathlib import Path
from index.portion import Part, embed_part
from tests.fakes import HashingEmbedder

library, files, part, most = sys.argv[1:]

def progress(now):
    if now.passages >= int(most):
        os.kill(os.getpid(), signal.SIGKILL)

done = embed_part(Path(library), HashingEmbedder(), [Path(files)], Part.parse(part), progress=progress)
print(json.dumps([done.files, done.passages, done.embedded]))
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", FILES)


def worker(library: Path, sources: Path, part: str, *, dies_at: int = 10**9) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _CODE, str(library), str(sources), part, str(dies_at)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> list[int]:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    found: list[int] = json.loads(said)
    return found


def stored(library: Path) -> int:
    """Return how many vectors a library has."""
    with closing(truth_of(library).read()) as database:
        count: int = database.execute("SELECT count(*) FROM vectors").fetchone()[0]
        return count


# ---- parts -------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1), st.integers(1, 50))
def test_every_file_is_in_exactly_one_part(path: str, of: int) -> None:
    assert [Part(number, of).has(path) for number in range(1, of + 1)].count(True) == 1


def test_parts_are_about_equal() -> None:
    counts = [sum(Part(number, 4).has(name) for name in FILES) for number in range(1, 5)]
    assert (sum(counts), min(counts) > 80) == (420, True)


@pytest.mark.parametrize("said", ["", "2", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4", "²/4"])
def test_what_is_no_part_is_said(said: str) -> None:
    with pytest.raises(ValueError, match="is no part; the first of four is 1/4"):
        Part.parse(said)


# ---- one worker ----------------------------------------------------------------------------------------------------


def test_what_was_embedded_ahead_is_not_embedded_by_the_sync(tmp_path: Path, truth: Prepare) -> None:
    sources = write_files(
        tmp_path / "files", {"a.txt": "The tide is high.", "b.md": "# B\n\nThe lamp is lit.", "c.txt": "\0\1"}
    )
    library, embedder = truth(tmp_path / "library"), HashingEmbedder()
    done = embed_part(library, embedder, [sources])
    assert (done.files, done.known, done.passages, done.embedded) == (3, 0, 2, 2)
    assert [failure.name for failure in done.failed] == ["c.txt"]
    with closing(Library(library)) as opened:
        assert (opened.generation().number, opened.passage_ids()) == (0, [])
    report = sync(library, HashingEmbedder(), [sources])
    assert (report.generation, report.embedded, len(report.added)) == (1, 0, 2)
    assert_whole(library)
    # What a sync took in as it is need not even be read again.
    (sources / "a.txt").write_text("The tide is low.")
    again = embed_part(library, HashingEmbedder(), [sources])
    assert (again.known, again.passages, again.embedded) == (1, 1, 1)
    report = sync(library, HashingEmbedder(), [sources])
    assert (report.generation, report.embedded, report.changed) == (2, 0, ("a.txt",))
    assert_whole(library)


def test_another_embedder_than_the_librarys_is_turned_away(tmp_path: Path) -> None:
    sources = write_files(tmp_path / "files", {"a.txt": "The tide is high."})
    sync(tmp_path / "library", HashingEmbedder(), [sources])
    with pytest.raises(LibraryFormat, match="made with embedder"):
        embed_part(tmp_path / "library", HashingEmbedder(name="other"), [sources])
    with pytest.raises(PathNotFound):
        embed_part(tmp_path / "library", HashingEmbedder(), [tmp_path / "nowhere"])


# ---- many ----------------------------------------------------------------------------------------------------------


def test_workers_with_folders_of_their_own_and_one_killed_half_way_leave_a_sync_nothing_to_embed(
    tmp_path: Path, postgres: str, sources: Path
) -> None:
    folders = [in_postgres(tmp_path / f"server{number}", postgres, "parts") for number in range(4)]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(worker(folders[n], sources, f"{n + 1}/3", dies_at=64 if n == 1 else 10**9))
            for n in range(3)
        ]
        first, third = result(workers[0]), result(workers[2])
        assert workers[1].wait(120) == -signal.SIGKILL
    # Whole batches of it are there, and it was not done.
    killed = stored(folders[3]) - first[2] - third[2]
    assert 64 <= killed < sum(Part(2, 3).has(name) for name in FILES)
    with closing(Library(folders[3])) as library:
        assert (library.generation().number, library.documents(0)) == (0, [])
    with worker(folders[1], sources, "2/3") as again:
        second = result(again)
    assert second[2] == second[1] - killed
    assert first[0] + second[0] + third[0] == len(FILES)
    assert stored(folders[3]) == len(FILES)

    embedder = HashingEmbedder()
    report = sync(folders[3], embedder, [sources])
    assert (report.generation, len(report.added), report.embedded, embedder.embedded) == (1, len(FILES), 0, [])
    assert texts(folders[0]) == FILES
    assert found(folders[0], "boat") == sorted(FILES.values())
    for folder in (folders[3], folders[0]):
        assert_whole(folder)


def test_two_workers_with_the_same_part_store_each_vector_once(tmp_path: Path, postgres: str, sources: Path) -> None:
    library = in_postgres(tmp_path / "library", postgres)
    with ExitStack() as stack:
        both = [stack.enter_context(worker(library, sources, "1/1")) for _ in range(2)]
        assert [result(one)[:2] for one in both] == [[len(FILES), len(FILES)]] * 2
    assert stored(library) == len(FILES)
    assert sync(library, HashingEmbedder(), [sources]).embedded == 0
    assert_whole(library)

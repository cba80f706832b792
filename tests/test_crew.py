from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.crew import Crew

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew("crew", lambda: None, threads=2)
    yield made
    made.end()


def test_work_is_done_side_by_side_and_comes_in_order(crew: Crew) -> None:
    together = threading.Barrier(2)

    def work(number: int) -> int:
        together.wait(60)
        return number * number

    assert list(crew.map(work, [3, 1, 4, 1])) == [9, 1, 16, 1]
    assert list(crew.map(work, [])) == []


def test_an_error_of_the_work_reaches_who_asked(crew: Crew) -> None:
    with pytest.raises(KeyError):
        list(crew.map({1: 2}.__getitem__, [1, 3]))


def test_when_no_thread_takes_up_work_any_more_it_is_done_all_the_same(crew: Crew) -> None:
    crew.end()
    names = list(crew.map(lambda _: threading.current_thread().name, range(3)))
    assert names == [threading.current_thread().name] * 3


def test_a_thread_that_still_works_when_the_process_ends_gets_its_results() -> None:
    code = (
        "import threading, time\n"
        "from index.crew import Crew\n"
        "crew = Crew('crew', lambda: None)\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    time.sleep(0.2)\n"
        "    print(sum(crew.map(abs, [-1, -2])))\n"
        "threading.Thread(target=late).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")

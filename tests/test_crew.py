from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
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


def test_two_works_are_done_side_by_side(crew: Crew) -> None:
    together = threading.Barrier(2)

    def work() -> str:
        together.wait(60)
        return threading.current_thread().name

    mine, other = crew.both(work, work)
    assert mine == threading.current_thread().name != other


def test_where_every_thread_is_busy_who_asks_does_both(crew: Crew) -> None:
    begun, done = threading.Semaphore(0), threading.Event()

    def busy(_: int) -> bool:
        begun.release()
        return done.wait(60)

    results = crew.map(busy, range(2))
    assert all(begun.acquire(timeout=60) for _ in range(2))

    def name() -> str:
        return threading.current_thread().name

    assert crew.both(name, name) == (name(), name())
    done.set()
    assert list(results) == [True, True]


def test_of_two_works_nothing_goes_on_once_one_has_failed_and_the_first_ones_error_counts(crew: Crew) -> None:
    begun, failed, ended = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        assert begun.wait(60)
        failed.set()
        raise KeyError("first")

    def second() -> None:
        begun.set()
        assert failed.wait(60)
        ended.set()
        raise ValueError("second")

    with pytest.raises(KeyError, match="first"):
        crew.both(first, second)
    assert ended.is_set()
    with pytest.raises(ValueError, match="second"):
        crew.both(lambda: 1, second)


def test_what_is_done_beside_knows_whose_work_it_is(crew: Crew) -> None:
    whose, together = ContextVar[str]("whose"), threading.Barrier(2)
    whose.set("a request")

    def read() -> str:
        together.wait(60)
        return whose.get()

    assert crew.both(read, read) == ("a request", "a request")


def test_when_no_thread_takes_up_work_any_more_it_is_done_all_the_same(crew: Crew) -> None:
    crew.end()
    names = list(crew.map(lambda _: threading.current_thread().name, range(3)))
    assert names == [threading.current_thread().name] * 3
    assert crew.both(lambda: 1, lambda: "two") == (1, "two")


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

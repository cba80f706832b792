"""Changes of the library let questions go first."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.priority import cores, step_back
from tests.serving import CITESPAN

pytestmark = pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has no priorities")


def test_standing_back_does_not_add_up_and_raises_nobody() -> None:
    code = (
        "import os\n"
        "from index.priority import stand_back\n"
        "found = []\n"
        "for start in (0, 10, 15):\n"
        "    os.setpriority(os.PRIO_PROCESS, 0, max(start, os.getpriority(os.PRIO_PROCESS, 0)))\n"
        "    stand_back(); stand_back()\n"
        "    found.append(os.getpriority(os.PRIO_PROCESS, 0))\n"
        "print(found)\n"
    )
    if os.getpriority(os.PRIO_PROCESS, 0) > 10:
        code = code.replace("(0, 10, 15)", "(19, 19, 19)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout in ("[10, 10, 15]\n", "[19, 19, 19]\n")


@pytest.mark.parametrize(("command", "stands_back"), [("watch", True), ("chat", False)])
def test_a_command_that_changes_the_library_stands_back(
    command: str, stands_back: bool, seeds_library: Path, tmp_path: Path
) -> None:
    arguments = [str(tmp_path)] if command == "watch" else []
    library = tmp_path / "library" if command == "watch" else seeds_library
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    with subprocess.Popen(
        [CITESPAN, "--library", str(library), "--verbose", command, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            # By its first line it is past the choice of its priority.
            stream = process.stdout if command == "watch" else process.stdin
            assert stream is not None
            if command == "watch":
                assert stream.readline()
            else:
                stream.write(b"Who?\n")
                stream.flush()
                assert process.stdout is not None
                assert process.stdout.readline()
            assert os.getpriority(os.PRIO_PROCESS, process.pid) == (max(10, mine) if stands_back else mine)
        finally:
            process.kill()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads have no priorities of their own")
def test_a_thread_steps_back_alone_and_a_little() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    before = niceness()
    with ThreadPoolExecutor(1, initializer=step_back) as pool:
        assert pool.submit(niceness).result() == min(19, before + 3)
    assert niceness() == before


def test_a_process_may_use_a_core_at_least_and_no_more_than_there_are() -> None:
    there_are = os.cpu_count()
    assert there_are is not None
    assert 1 <= cores() <= there_are

"""index/memory.py"""

import subprocess
import sys

import pytest

# Threads that allocate one after another, beside each other, and what the C library then says of its heaps.
_THREADS = """
import ctypes, sys, threading
from index.memory import few_arenas, give_back
if sys.argv[1] == "few":
    few_arenas()
gate = threading.Barrier(6)
def run():
    gate.wait()
    held = [bytes(1000) for _ in range(100)]
    gate.wait()
threads = [threading.Thread(target=run) for _ in range(6)]
[t.start() for t in threads]
[t.join() for t in threads]
give_back()
sys.stderr.flush()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is the C library of Linux")
def test_threads_share_two_heaps() -> None:
    def heaps(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _THREADS, how], capture_output=True, text=True, check=True)
        return done.stderr.count("Arena ")

    assert heaps("few") <= 2 < heaps("many")

"""Real servers: `citespan serve` in a process of its own."""

import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CITESPAN = str(Path(sys.executable).with_name("citespan"))
"""The command as it is installed beside the interpreter that runs the tests."""

READY_SECONDS = 240.0
STOP_SECONDS = 60.0


@contextmanager
def serving(
    library: Path, *arguments: str, stop: signal.Signals = signal.SIGTERM, cwd: Path | None = None
) -> Iterator[str]:
    """Yield the URL of a server on a free port; at the end it has to stop at once and cleanly when told to."""
    command = [CITESPAN, "--library", str(library), "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield _ready_at(process)
            process.send_signal(stop)
            rest, _ = process.communicate(timeout=STOP_SECONDS)
            assert (process.returncode, rest) == (0, "")
        finally:
            process.kill()


def _ready_at(process: subprocess.Popen[str]) -> str:
    """Return the URL that a starting server prints when it is ready."""
    assert process.stdout is not None
    printed: list[str] = []
    deadline = time.monotonic() + READY_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = process.stdout.readline()
            if line.startswith("serving on "):
                return line.removeprefix("serving on ").strip()
            if not line:
                break
            printed.append(line)
    raise AssertionError(f"the server did not become ready:\n{''.join(printed)}")

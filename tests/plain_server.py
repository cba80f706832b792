"""`citespan` with an embedder that needs no model: a real process for what is about processes, up at once.

`python -m tests.plain_server --library DIR serve …`. It waits SLOW_START seconds of the environment before it has its
embedder, and SLOW_QUESTION seconds at each question, of which it prints one line; with HANGS no question ends.
"""

import os
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from api import cli, wiring
from api.settings import Settings
from index.embed import Embedder
from tests.fakes import HashingEmbedder
from tests.services import Slow


class _Slow(HashingEmbedder):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        print("asked", flush=True)  # noqa: T201 - the test waits for it
        time.sleep(float(os.environ["SLOW_QUESTION"]))
        return super().embed(texts)


def _open(settings: Settings) -> Embedder:
    time.sleep(float(os.environ.get("SLOW_START", "0")))
    return _Slow() if "SLOW_QUESTION" in os.environ else HashingEmbedder()


if __name__ == "__main__":
    wiring.open_embedder = _open
    if "HANGS" in os.environ:
        whole = wiring.open_service
        wiring.open_service = lambda settings: Slow(whole(settings))  # type: ignore[assignment, return-value]
    cli.main()

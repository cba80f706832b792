"""Embedding in a thread of its own, while the caller reads, cuts and stores what is to be embedded next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from index.embed import Embedder

# Sorted by length together: texts of the same length are embedded in one batch.
_GATHERED = 128
# What is embedded between two moments at which it can be stopped: some two seconds of work on two cores.
_TOGETHER = 64
# Enough that the embedder never waits for the caller, and little enough to be held in memory.
_WAITING = 4

Store = Callable[[Sequence[bytes], NDArray[np.float32]], None]


class EmbeddingAhead:
    """Embeds texts by key, and calls `store` with keys and vectors, always in the thread that uses this.

    However many texts there are, some hundred are held, and the vectors of as many. What the embedder raises is raised
    by the next call of `add` or `finish`.
    """

    def __init__(self, embedder: Embedder, store: Store) -> None:
        self._embedder = embedder
        self._store = store
        # One is enough: an embedder uses all cores for many texts.
        self._thread = ThreadPoolExecutor(1, "embedding")
        self._gathered: dict[bytes, str] = {}
        self._under_way: deque[tuple[list[bytes], Future[NDArray[np.float32]]]] = deque()

    def add(self, texts: Mapping[bytes, str]) -> None:
        """Take in texts, each once; wait while too many are under way."""
        under_way = {key for keys, _ in self._under_way for key in keys}
        self._gathered.update((key, text) for key, text in texts.items() if key not in under_way)
        if len(self._gathered) >= _GATHERED:
            self.send()
        self._take(_WAITING)

    def send(self) -> None:
        """Begin with what was taken in; wait for nothing."""
        keys = sorted(self._gathered, key=lambda key: len(self._gathered[key]), reverse=True)
        for start in range(0, len(keys), _TOGETHER):
            some = keys[start : start + _TOGETHER]
            texts = [self._gathered[key] for key in some]
            self._under_way.append((some, self._thread.submit(self._embedder.embed, texts)))
        self._gathered.clear()

    def finish(self) -> None:
        """Wait until everything is embedded and stored."""
        self.send()
        self._take(0)

    def close(self, store: Store) -> None:
        """Give up what has not begun, wait for what has, and call `store` with what is done and was not yet stored."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        for keys, future in self._under_way:
            if not future.cancelled() and future.exception() is None:
                store(keys, future.result())
        self._under_way.clear()

    def _take(self, leave: int) -> None:
        """Store what is done; wait for more while more than `leave` are under way."""
        while self._under_way and (len(self._under_way) > leave or self._under_way[0][1].done()):
            keys, future = self._under_way.popleft()
            self._store(keys, future.result())

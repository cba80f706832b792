"""The word index: which passages hold a stemmed term, and how often. A folder of segments (`postings.py`).

It is derived from the library. It holds the passages of every generation that is kept: a sync adds the new ones before
its commit, and only retention and purge take some out, so a rollback changes nothing here. It scores nothing: scores
would depend on all that it holds. `words.py` scores what is live. `state.json` names the library's history, the
segments, and the passage up to which nothing is missing; it is replaced in one step, and whatever file it does not name
is not part of the index.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.postings import MOST_ROWS, Entry, Segment, SegmentDamaged, merge, without, write

FORMAT = 4
_FOLDER = "words"
_STATE = "state.json"
_SUFFIX = ".segment"
# A segment is merged with those after it once they hold a third of what it does: about one segment for each power of
# four of passages, and each passage is written anew as many times.
_SHARE = 3
# The state may name a segment that a writer has just replaced.
_TRIES = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _State:
    complete_to: int
    segments: tuple[str, ...]


_NONE = _State(-1, ())


class LexicalSearcher:
    """The word index as it stood at one moment; later writes do not show."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = tuple(segments)

    def ids(self) -> list[int]:
        """Return the passages it holds, ascending."""
        return [int(number) for segment in self.segments for number in segment.ids]


class LexicalIndex:
    """The word index of one library folder, for readers in any thread and for one writer.

    `history` is the library's: an index made from another one, which a backup has replaced since, is not taken.
    `complete_to` is the greatest id of a passage that it holds with all that were kept before, -1 if it has to be
    rebuilt.
    """

    def __init__(self, library_folder: Path, history: str) -> None:
        self._folder = library_folder / _FOLDER
        self._history = history
        self._segments: tuple[Segment, ...] = ()
        self.complete_to = -1
        self.reload()

    def serves(self, newest: int) -> bool:
        """Return whether no kept passage up to the id `newest` is missing."""
        return self.complete_to >= newest

    def reload(self) -> None:
        """Take up what another process wrote."""
        for tries_left in reversed(range(_TRIES)):
            state = self._state()
            known = {segment.name: segment for segment in self._segments}
            try:
                self._segments = tuple(
                    known[name] if name in known else Segment(self._folder / name) for name in state.segments
                )
                self.complete_to = state.complete_to
                return
            except (OSError, SegmentDamaged, struct.error) as error:
                if not tries_left:
                    _log.warning("the word index cannot be read and will be rebuilt: %s", error)
        self._segments, self.complete_to = (), -1

    def searcher(self) -> LexicalSearcher:
        """Return a frozen view of the index as last loaded."""
        return LexicalSearcher(self._segments)

    # ---- writing: only under the library's writer lock -----------------------------------------------------------

    def add(self, entries: Iterable[Entry]) -> None:
        """Add passages, whose ids ascend, and which are newer than all that are kept. Repeating it is harmless.

        What the index holds from the first of those ids on goes: it is of a sync that never came to its commit.
        """
        added = write(self._ready(), entries, self._names())
        if added:
            before = self._keeping(lambda ids: ids < added[0].ids[0])
            self._become([*before, *added], int(added[-1].ids[-1]))

    def remove(self, ids: Collection[int]) -> None:
        """Take passages out. Nothing of them is left in the folder."""
        gone = np.asarray(sorted(ids), dtype=np.int64)
        self._become(self._keeping(lambda held: ~np.isin(held, gone)), self.complete_to)

    def keep(self, ids: Collection[int]) -> None:
        """Take all other passages out. Nothing of them is left in the folder."""
        kept = np.asarray(sorted(ids), dtype=np.int64)
        self._become(self._keeping(lambda held: np.isin(held, kept)), self.complete_to)

    def rebuild(self, entries: Iterable[Entry]) -> None:
        """Build the index anew from all kept passages, whose ids ascend, and put it in the place of the old one."""
        made = write(self._ready(), entries, self._names())
        self._become(made, int(made[-1].ids[-1]) if made else 0)

    def sweep(self) -> None:
        """Delete every file that is not part of the index."""
        if not self._folder.exists():
            return
        named = {_STATE, *self._state().segments}
        for path in self._folder.iterdir():
            if path.name not in named:
                with suppress(FileNotFoundError):
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _keeping(self, which: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> list[Segment]:
        """Return segments that hold those passages of which `which` says so, and only them."""
        made = []
        for segment in self._segments:
            kept = which(segment.ids)
            if kept.all():
                made.append(segment)
            elif kept.any():
                made.append(without(self._ready() / next(self._names()), segment, kept))
        return made

    def _become(self, segments: Sequence[Segment], complete_to: int) -> None:
        """Make `segments` the index, merged where they are many."""
        first = _to_merge([len(segment) for segment in segments])
        if first < len(segments):
            merged = merge(self._ready() / next(self._names()), segments[first:])
            segments = [*segments[:first], merged]
        state = {
            "format": FORMAT,
            "history": self._history,
            "complete_to": complete_to,
            "segments": [segment.name for segment in segments],
        }
        draft = self._ready() / f"{_STATE}.new"
        with draft.open("w") as file:
            file.write(json.dumps(state))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / _STATE)
        self._segments, self.complete_to = tuple(segments), complete_to
        self.sweep()

    def _ready(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def _names(self) -> Iterator[str]:
        """Yield names that no other segment ever had: a reader tells by its name that it has one already."""
        while True:
            yield f"{secrets.token_hex(8)}{_SUFFIX}"

    def _state(self) -> _State:
        """Return what the index consists of; nothing if there is none of this format and history."""
        try:
            state = json.loads((self._folder / _STATE).read_text())
            names = tuple(state["segments"])
            fits = (state["format"], state["history"]) == (FORMAT, self._history) and all(map(_is_name, names))
            return _State(int(state["complete_to"]), names) if fits else _NONE
        except (OSError, ValueError, KeyError, TypeError):
            return _NONE


def _is_name(name: object) -> bool:
    """Return whether `name` is that of a file in the folder, and of no other place."""
    return isinstance(name, str) and name.endswith(_SUFFIX) and Path(name).name == name


def _to_merge(sizes: Sequence[int]) -> int:
    """Return from which of the segments, of which each has so many passages, all are to become one."""
    for first, size in enumerate(sizes[:-1]):
        after = sum(sizes[first + 1 :])
        if after * _SHARE >= size and size + after <= MOST_ROWS:
            return first
    return len(sizes)

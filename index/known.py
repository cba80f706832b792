"""Which document a file is: telling files known before, also where they moved, from new ones."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from index.drafts import FileState
from index.scan import FoundFile, place_of


class KnownFiles:
    """What earlier syncs saw, beside what this one finds: files still there, and files gone that may have moved."""

    def __init__(self, states: Sequence[FileState], files: Sequence[FoundFile]) -> None:
        here = {file.place for file in files}
        self._states = {place_of(state.root, state.path): state for state in states}
        self._missing = {place: s for place, s in self._states.items() if place not in here and _is_gone(place)}
        gone_roots = {root for root in {s.root for s in self._missing.values()} if _is_gone(root, folder=True)}
        by_content: defaultdict[str, list[str]] = defaultdict(list)
        by_path: defaultdict[str, list[str]] = defaultdict(list)
        for place, state in self._missing.items():
            by_content[state.sha256].append(place)
            if state.root in gone_roots:
                by_path[state.path].append(place)
        # Whatever is looked up in them leaves no trace.
        self._by_content, self._by_path = dict(by_content), dict(by_path)

    def at(self, file: FoundFile) -> FileState | None:
        """Return what was seen at exactly this place."""
        return self._states.get(file.place)

    def name(self, file: FoundFile) -> FoundFile:
        """Return `file` below the root it is known by: it stays the same file if a folder inside that root is given."""
        state = self.at(file)
        return file if state is None else FoundFile(Path(state.root), state.path, file.sidecar)

    def take(self, file: FoundFile, sha256: str) -> FileState | None:
        """Return what was known of this file, also if it or a folder above it was moved or renamed. Once for each.

        A file that was moved and edited is known again only where all of its folder went: two folders may both have
        a "readme.txt" and mean different things.
        """
        state = self.at(file)
        if state is not None:
            return state
        places = [place for place in self._by_content.get(sha256, ()) if place in self._missing]
        places.sort(key=lambda place: self._missing[place].path != file.path)
        places += [place for place in self._by_path.get(file.path, ()) if place in self._missing]
        return self._missing.pop(places[0]) if places else None

    def gone(self, covers: Callable[[Path], bool]) -> list[FileState]:
        """Return the files that `covers` says would have been found, are gone, and were not taken as moved."""
        return [state for place, state in self._missing.items() if covers(Path(place))]


def _is_gone(place: str, *, folder: bool = False) -> bool:
    """Return whether no file (or no folder) is at `place` any more, or only one behind a link that was put there.

    What may not be looked at is not gone.
    """
    try:
        mode = os.lstat(place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    parent = str(Path(place).parent)
    return stat.S_ISDIR(mode) is not folder or os.path.realpath(parent) != parent

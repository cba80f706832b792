"""Keeping the indexes of a folder in step with a truth that other folders change too.

Who changes the truth sees to the indexes of one folder: its own. Every other one takes up here what came since, and
takes out what is gone: a purge holds for the indexes of every server. Only a shared truth needs this.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from index.errors import LibraryBusy
from index.lexical import LexicalIndex
from index.library import Library
from index.quantise import forget_lists
from index.writer import folder_lock

_FILE_NAME = "purges"


def follow_purges(library: Library, words: LexicalIndex) -> None:
    """Take out of the folder's indexes what was purged since this was last done. While the folder is busy, later."""
    if not follows(library.folder, library):
        with suppress(LibraryBusy), folder_lock(library.folder, 0.0):
            bring_in_step(library, words)


def bring_in_step(library: Library, words: LexicalIndex) -> None:
    """Have the folder's indexes hold every passage that is kept and no other. Under the folder's lock."""
    words.reload()
    purges, kept = library.purges(), library.kept_ids()
    if words.complete_to < 0:
        words.rebuild(library.words(kept))
    else:
        # Ids ascend with time, whoever gave them: what is missing is newer than all that is there.
        words.add(library.words([number for number in kept if number > words.complete_to]))
        if words.searcher().ids() != kept:
            words.keep(kept)
    forget_lists(library)
    (library.folder / _FILE_NAME).write_text(purges, encoding="ascii")


def follows(folder: Path, library: Library) -> bool:
    """Return whether the indexes of a folder, one of those of a library, are free of all that was purged of it."""
    if not library.truth.shared:
        return True
    try:
        return (folder / _FILE_NAME).read_text(encoding="ascii") == library.purges()
    except (OSError, ValueError):
        return False

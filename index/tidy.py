"""Bringing a library to rights before it is changed: ending what an interrupted change left undone."""

from __future__ import annotations

from contextlib import closing

from index.lexical import LexicalIndex
from index.library import Library
from index.quantise import forget_lists
from index.step import bring_in_step
from index.writer import Writer

# How long readers are waited for that keep the write-ahead log from being emptied. None reads for longer.
_EMPTY_SECONDS = 30.0


def tidy(library: Library, writer: Writer, words: LexicalIndex) -> None:
    """Undo what an interrupted change left behind, end an interrupted purge, and mend the word index."""
    writer.drop_dead()
    words.sweep()
    if writer.purging():
        finish_purge(library, writer, words)
    elif library.truth.shared:
        bring_in_step(library, words)
        writer.forget_dropped()
    elif not words.serves(library.newest_kept()):
        words.rebuild(library.words(library.kept_ids()))
        writer.forget_dropped()
    elif dropped := writer.dropped():
        words.remove(dropped)
        writer.forget_dropped()


def finish_purge(library: Library, writer: Writer, words: LexicalIndex) -> None:
    """Take what was purged out of both indexes and out of the write-ahead log, and note that it is done.

    :raises LibraryBusy: if a reader keeps the log from being emptied; the next change of the library tries again.
    """
    keep_indexes(library, words)
    empty_log(library)
    writer.forget_dropped()


def keep_indexes(library: Library, words: LexicalIndex) -> None:
    """Take everything out of both indexes that no kept generation has; build that of words anew if it lacks any."""
    if library.truth.shared:
        bring_in_step(library, words)
        return
    kept = library.kept_ids()
    if words.serves(library.newest_kept()):
        words.keep(kept)
    else:
        words.rebuild(library.words(kept))
    forget_lists(library)


def empty_log(library: Library) -> None:
    """See to it that what was deleted stands in no file of the library.

    :raises LibraryBusy: if a reader is in the way.
    """
    with closing(library.truth.write()) as db:
        db.overwrite_deleted(_EMPTY_SECONDS)

"""Does everything in a library hold? Every hash, span, vector and derived entry is looked at."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index import schema
from index.errors import LibraryDamaged
from index.lexical import LexicalIndex
from index.library import Library

# How many problems are named; a library with more has one cause, not many.
_NAMED = 50


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and each thing that does not hold, with the way out."""

    generation: int
    documents: int
    revisions: int
    passages: int
    problems: tuple[str, ...]


def check_library(folder: Path) -> Checked:
    """Check the library in `folder`.

    :raises LibraryNotFound: if there is none.
    :raises LibraryDamaged: if the SQLite file cannot be read at all.
    """
    library = Library(folder)
    connection = schema.connect(library.path, writable=False)
    try:
        generation = library.generation()
        problems = [
            *(
                f"SQLite: {row[0]}; restore a backup"
                for row in connection.execute("PRAGMA quick_check")
                if row[0] != "ok"
            ),
            *_wrong_revisions(connection),
            *_wrong_passages(library, connection),
            *_wrong_words(library, generation.number),
        ]
        (revisions,) = connection.execute("SELECT count(*) FROM revisions").fetchone()
        return Checked(
            generation.number, generation.documents, revisions, generation.passages, tuple(problems[:_NAMED])
        )
    except sqlite3.DatabaseError as error:
        raise LibraryDamaged(f"{library.path}: cannot be read ({error}); restore it from a backup") from error
    finally:
        connection.close()
        library.close()


def _wrong_revisions(connection: sqlite3.Connection) -> Iterator[str]:
    for revision, text in connection.execute("SELECT id, text FROM revisions"):
        if f"sha256:{hashlib.sha256(text).hexdigest()}" != revision:
            yield f"revision {revision}: the stored text has another hash; restore a backup"


def _wrong_passages(library: Library, connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the passages whose place, sentences or vector do not fit their text."""
    rows = connection.execute(
        "SELECT p.id, p.start, p.end, p.byte_start, p.byte_end, p.sentences, r.number, r.characters, length(x.vector) "
        "FROM passages p JOIN versions v ON v.id = p.version_id JOIN revisions r ON r.number = v.revision "
        "LEFT JOIN vectors x ON x.key = p.vector_key ORDER BY r.number"
    )
    bytes_per_vector = 2 * int(library.meta["dimensions"])
    held: tuple[int, str] = (-1, "")
    for number, start, end, byte_start, byte_end, sentences, revision, characters, vector in rows:
        if held[0] != revision:
            (data,) = connection.execute("SELECT text FROM revisions WHERE number = ?", (revision,)).fetchone()
            held = (revision, data.decode(errors="replace"))
        text = held[1]
        before = len(text[:start].encode())
        if not 0 <= start < end <= characters or (before, before + len(text[start:end].encode())) != (
            byte_start,
            byte_end,
        ):
            yield f"passage {number}: [{start}, {end}) is not in its text; sync its document anew"
        elif any(not start <= s < e <= end or "\n" in text[s:e] for s, e, _ in json.loads(sentences)):
            yield f"passage {number}: a sentence is not inside it; sync its document anew"
        if vector != bytes_per_vector:
            yield f"passage {number}: vector of {vector} bytes, not {bytes_per_vector}; sync its document anew"


def _wrong_words(library: Library, generation: int) -> Iterator[str]:
    words = LexicalIndex(library.folder)
    if words.complete_to < generation:
        yield "the word index is missing or behind; it is rebuilt when the library is next opened for questions"
        return
    held = words.searcher().ids()
    if len(held) != len(set(held)):
        yield "the word index holds a passage twice; delete the folder `words`, it is rebuilt"
    if missing := set(library.live_ids(generation)) - set(held):
        yield f"the word index lacks {len(missing)} passages; delete the folder `words`, it is rebuilt"

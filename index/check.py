"""Does everything in a library hold? Every hash, span, vector and derived entry is looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from index.database import Database
from index.errors import LibraryDamaged
from index.lexical import LexicalIndex
from index.library import Library
from index.lists import open_lists, place
from index.types import Kind, Span

# How many problems are named; a library with more has one cause, not many.
_NAMED = 50
_LOOKED_AT = 1_000
# Texts held at a time.
_TEXTS = 50


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
    connection = library.truth.read()
    try:
        with library.truth.told():
            return _checked(library, connection)
    finally:
        connection.close()
        library.close()


def _checked(library: Library, connection: Database) -> Checked:
    generation = library.generation()
    problems = [
        *library.truth.tables(),
        *_wrong_revisions(connection),
        *_wrong_passages(library, connection, generation.number),
        *_wrong_generations(library),
        *_wrong_words(library),
        *_wrong_lists(library),
    ]
    (revisions,) = connection.execute("SELECT count(*) FROM revisions").fetchone()
    return Checked(generation.number, generation.documents, revisions, generation.passages, tuple(problems[:_NAMED]))


def _wrong_revisions(connection: Database) -> Iterator[str]:
    last, more = 0, True
    while more:
        rows = connection.execute(
            "SELECT number, id, text FROM revisions WHERE number > ? ORDER BY number LIMIT ?", (last, _TEXTS)
        ).fetchall()
        for _, revision, text in rows:
            if f"sha256:{hashlib.sha256(text).hexdigest()}" != revision:
                yield f"revision {revision}: the stored text has another hash; restore a backup"
        more = len(rows) == _TEXTS
        last = rows[-1][0] if rows else last


def _wrong_passages(library: Library, connection: Database, generation: int) -> Iterator[str]:
    """Yield the passages whose place, sentences or vector do not fit their text; those of a sync under way are not yet.

    Passages of earlier generations are looked at too.
    """
    rows = connection.execute(
        "SELECT p.id, p.start, p.end, p.byte_start, p.byte_end, p.sentences, r.number, r.characters, length(x.vector) "
        "FROM passages p JOIN versions v ON v.id = p.version_id JOIN revisions r ON r.number = v.revision "
        "LEFT JOIN vectors x ON x.key = p.vector_key WHERE EXISTS "
        "(SELECT 1 FROM lives l WHERE l.version = v.id AND l.added <= ?) ORDER BY r.number, p.start",
        (generation,),
    )
    bytes_per_vector = 2 * int(library.meta["dimensions"])
    held, text = -1, ""
    at = byte = 0  # how far the text was counted in characters and bytes: passages come in the order of their starts
    for number, start, end, byte_start, byte_end, sentences, revision, characters, vector in rows:
        if held != revision:
            (data,) = connection.execute("SELECT text FROM revisions WHERE number = ?", (revision,)).fetchone()
            held, text, at, byte = revision, data.decode(errors="replace"), 0, 0
        if not 0 <= start < end <= characters:
            yield f"passage {number}: [{start}, {end}) is not in its text; sync its document anew"
        else:
            byte += len(text[at:start].encode())
            at = start
            if (byte_start, byte_end) != (byte, byte + len(text[start:end].encode())):
                yield f"passage {number}: [{start}, {end}) has other bytes in its text; sync its document anew"
            elif not _sentences_fit(sentences, text, Span(start, end)):
                yield f"passage {number}: a sentence is not inside it; sync its document anew"
        if vector != bytes_per_vector:
            yield f"passage {number}: vector of {vector} bytes, not {bytes_per_vector}; sync its document anew"


def _sentences_fit(stored: str, text: str, span: Span) -> bool:
    try:
        sentences = [(Span(start, end), Kind(kind)) for start, end, kind in json.loads(stored)]
    except (ValueError, TypeError):
        return False
    return all(span.covers(s) and s.start < s.end and "\n" not in s.of(text) for s, _ in sentences)


def _wrong_generations(library: Library) -> Iterator[str]:
    """Yield the generations whose counts are not those of the documents live in them."""
    for generation in library.generations(limit=_LOOKED_AT):
        if generation.purged:
            continue
        documents, passages = library.counts(generation.number)
        if (documents, passages) != (generation.documents, generation.passages):
            yield (
                f"generation {generation.number}: {documents} documents and {passages} passages are live in it, "
                f"it was written with {generation.documents} and {generation.passages}; restore a backup"
            )


def _wrong_words(library: Library) -> Iterator[str]:
    if library.generation().number == 0:
        return  # nothing to find yet, and a first sync that was cut short may have left no word index
    words = LexicalIndex(library.folder, library.meta["history"])
    if not words.serves(library.newest_kept()):
        yield "the word index is missing or behind; it is rebuilt when the library is next opened for questions"
        return
    held = words.searcher().ids()
    if any(one >= other for one, other in pairwise(held)):
        yield "the passages of the word index are not in order; delete the folder `words`, it is rebuilt"
    if missing := set(library.kept_ids()) - set(held):
        yield f"the word index lacks {len(missing)} passages; delete the folder `words`, it is rebuilt"


def _wrong_lists(library: Library) -> Iterator[str]:
    """Yield what does not hold of the quantisers and of the vectors in their lists; those to be made anew may lack."""
    for quantiser in library.quantisers():
        path = place(library.folder, quantiser)
        try:
            lists = open_lists(path, quantiser, library.meta["history"], library.centroids(quantiser))
        except LibraryDamaged as error:
            yield str(error)
            continue
        if lists is None:
            continue
        held = [number for number in library.kept_ids() if number <= lists.complete_to]
        if not np.isin(held, lists.ids).all():
            yield f"{path.name} lacks vectors; delete the file, it is made anew"
        elif any((lists.vectors(np.asarray(ids)) != stored).any() for ids, stored in library.stored_vectors(held)):
            yield f"{path.name} holds other vectors than the library; delete the file, it is made anew"

"""Another embedder for a library: its vectors are made beside those in use, and one commit switches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index.drafts import vector_key
from index.embed import Embedder
from index.lexical import LexicalIndex
from index.library import Library
from index.naming import embedding_text
from index.quantise import learn_anew, write_lists_of
from index.quantising import USUAL, Quantising
from index.sqlite import disk_errors_told
from index.tidy import tidy
from index.writer import Writer, drop_unused_vectors, set_meta

# Passages embedded between two looks at the lock: a sync never waits longer for its turn.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Reembedded:
    """The new generation, None if the library used that embedder already; and how much was embedded."""

    generation: int | None
    passages: int
    embedded: int


def reembed(
    folder: Path,
    embedder: Embedder,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    lock_timeout: float = 10.0,
    quantising: Quantising = USUAL,
) -> Reembedded:
    """Make `embedder` the library's: embed every kept passage, then switch all of them in one commit.

    Questions are answered with the former embedder until then, and syncs may run between. Interrupted, it goes on where
    it stopped when it is run again with the same embedder. Passages stay as they were cut.

    :raises LibraryBusy: if another process is writing for longer than `lock_timeout` seconds.
    """
    library = Library(folder)
    embedded = 0
    try:
        if library.meta["embedder"] == embedder.fingerprint:
            return Reembedded(None, len(library.kept_ids()), 0)
        while True:
            with disk_errors_told(folder), Writer(folder, timeout=lock_timeout) as writer:
                waiting = _waiting(library, writer, embedder)
                total = len(library.kept_ids())
                progress(total - len(waiting), total)
                if not waiting:
                    # What an interrupted sync left staged would belong to the generation that is written now.
                    tidy(library, writer, LexicalIndex(folder, library.meta["history"]))
                    generation = _switch(writer, embedder, quantising)
                    write_lists_of(library, generation)
                    return Reembedded(generation, total, embedded)
                batch = list(library.words(waiting[:_AT_ONCE]))
                texts = [embedding_text(title, text) for _, title, text in batch]
                keys = [vector_key(embedder.fingerprint, text) for text in texts]
                missing = writer.missing_vectors(keys)
                fresh = {key: text for key, text in zip(keys, texts, strict=True) if key in missing}
                if fresh:
                    writer.stage_vectors(list(fresh), embedder.embed(list(fresh.values())))
                    embedded += len(fresh)
                with writer.transaction() as db:
                    rows = [(number, key) for (number, _, _), key in zip(batch, keys, strict=True)]
                    db.executemany(
                        "INSERT INTO rekeyed VALUES (?, ?) "
                        "ON CONFLICT (passage) DO UPDATE SET vector_key = excluded.vector_key",
                        rows,
                    )
    finally:
        library.close()


def _waiting(library: Library, writer: Writer, embedder: Embedder) -> list[int]:
    """Return the kept passages that have no vector by `embedder` yet; begin anew if another one was under way."""
    with writer.transaction() as db:
        row = db.execute("SELECT value FROM meta WHERE key = 'reembedding'").fetchone()
        if row is None or row[0] != embedder.fingerprint:
            db.execute("DELETE FROM rekeyed")
            set_meta(db, {"reembedding": embedder.fingerprint})
        done = {number for (number,) in db.execute("SELECT passage FROM rekeyed")}
    return [number for number in library.kept_ids() if number not in done]


def _switch(writer: Writer, embedder: Embedder, quantising: Quantising) -> int:
    """Put the new vectors in the place of the old ones, and return the generation that has them."""
    with writer.transaction() as db:
        db.execute(
            "UPDATE passages SET vector_key = (SELECT n.vector_key FROM rekeyed n WHERE n.passage = id) "
            "WHERE id IN (SELECT passage FROM rekeyed)"
        )
        db.execute("DELETE FROM rekeyed")
        db.execute("DELETE FROM meta WHERE key = 'reembedding'")
        set_meta(db, {"embedder": embedder.fingerprint, "dimensions": str(embedder.dimensions)})
        drop_unused_vectors(db)
        # By what the former vectors were split, these cannot be.
        db.execute("DELETE FROM quantisers")
        learn_anew(db, quantising)
        writer.write_generation(db, writer.generation, {"reembedded": 1})
    return writer.generation

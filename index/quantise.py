"""Seeing to it that the vectors of a large library are in lists: what to learn, and when to write the file anew.

Before the commit, so that who takes up a generation finds its lists there.
"""

from __future__ import annotations

import logging
import random
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from index.database import Database
from index.library import Library, stored_vectors
from index.lists import place, read_header, sweep_lists
from index.quantised import renew_lists
from index.quantiser import learn
from index.quantising import Quantising
from index.types import Quantiser
from index.writer import Writer, insert_quantiser

# The file is written anew when it lacks more than this part of what it holds: until then each reader holds that in
# memory.
_PART = 8
_SEED = 1
_log = logging.getLogger(__name__)


def quantise(library: Library, writer: Writer, when: Quantising) -> None:
    """Learn what the vectors of the generation that is staged are split by, if that is due, and see to its lists."""
    present = library.quantiser(writer.generation)
    passages = writer.coming_passages()
    newer = None if present is None else writer.coming_passages(present.newest)
    if when.due(passages, newer):
        _log.info("learning what the vectors of %d passages are split into lists by", passages)
        ids = library.coming_ids(writer.generation, ())
        vectors = [vectors for _, vectors in library.stored_vectors(drawn(ids, when))]
        writer.stage_quantiser(learn(np.concatenate(vectors), when.lists(len(ids))), ids[-1])
    quantiser = library.quantiser(writer.generation)
    if quantiser is not None and _lacks(library, writer, quantiser, when.few):
        renew_lists(library, quantiser, library.passage_ids())


def learn_anew(db: Database, when: Quantising) -> None:
    """Learn what all generations' vectors are split by, if there are enough, within a change of all of them."""
    ids = [row[0] for row in db.execute("SELECT id FROM passages ORDER BY id")]
    if when.due(len(ids), None):
        insert_quantiser(db, 0, learn(stored_vectors(db, drawn(ids, when)), when.lists(len(ids))), ids[-1])


def write_lists_of(library: Library, generation: int) -> None:
    """Write the lists of a generation that has a quantiser and is just committed; delete those of former ones."""
    quantiser = library.quantiser(generation)
    if quantiser is not None:
        renew_lists(library, quantiser, library.kept_ids())
    sweep_lists(library.folder, library.quantisers())


def drawn(ids: Sequence[int], when: Quantising) -> list[int]:
    """Return those of the passages `ids` that it is learned from, drawn from a seed, ascending."""
    count = min(len(ids), when.sample * when.lists(len(ids)))
    return sorted(random.Random(_SEED).sample(ids, count))  # noqa: S311  nothing is to be kept secret


def forget_lists(library: Library) -> None:
    """Write the lists anew without what the library does not know any more; those of former quantisers are deleted."""
    kept, history = library.kept_ids(), library.meta["history"]
    quantisers = library.quantisers()
    for quantiser in quantisers:
        header = read_header(place(library.folder, quantiser), quantiser, history)
        if header is not None:
            renew_lists(library, quantiser, kept[: bisect_right(kept, header.complete_to)])
    sweep_lists(library.folder, quantisers)


def _lacks(library: Library, writer: Writer, quantiser: Quantiser, few: int) -> bool:
    """Return whether the file of a quantiser is not there, or so much came after it that it is to be written anew."""
    header = read_header(place(library.folder, quantiser), quantiser, library.meta["history"])
    if header is None:
        return True
    return writer.coming_passages(header.complete_to) > max(few, sum(header.sizes) // _PART)

"""Collections of a library that nothing uses any more: left behind by a switch, or by a load that was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.library import Library
from index.remote import lexicon as lexicons
from index.remote.engine import Engine
from index.remote.names import begun, names_of, standing


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is in an engine under a library's name; collections in order.

    `orphans` are of this library and may go; `foreign` are of others that went by the same name, and are theirs.
    """

    stands_at: int
    in_use: str
    points: int
    orphans: tuple[str, ...]
    foreign: tuple[str, ...]


def examine(library: Library, engine: Engine) -> Examined:
    """Return what there is of a library in an engine.

    :raises StoreError: if its name stands for what is none of this library's.
    """
    names = names_of(library, engine.address)
    stand = standing(names, engine.aliases())
    in_use = "" if stand is None else stand.collection
    named = [one for one in engine.collections() if one.startswith(f"{names.name}.")]
    # A load that was interrupted goes on in its collection.
    used = {in_use, *begun(library, names)}
    return Examined(
        stands_at=0 if stand is None else stand.generation,
        in_use=in_use,
        points=engine.count(in_use, stand.generation) if stand is not None else 0,
        orphans=tuple(one for one in named if names.owns(one) and one not in used),
        foreign=tuple(one for one in named if not names.owns(one)),
    )


def drop(library: Library, engine: Engine, orphans: Sequence[str]) -> None:
    """Delete collections that `examine` found to be orphans, and their terms."""
    for collection in orphans:
        engine.drop(collection)
    names, there = names_of(library, engine.address), engine.collections()
    for collection in lexicons.kept(library.folder):
        if names.owns(collection) and collection not in there:
            lexicons.forget(lexicons.place(library.folder, collection))

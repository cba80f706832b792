"""Collections of a library that nothing uses any more: left behind by a switch, or by a load that was given up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from index.library import Library
from index.remote.engine import Engine
from index.remote.lexicons import Keeping, Lexicons, reading
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
    with closing(reading(library)) as lexicons:
        return _examined(library, engine, lexicons)


def _examined(library: Library, engine: Engine, lexicons: Lexicons) -> Examined:
    names = names_of(library, engine.address)
    stand = standing(names, engine.aliases())
    in_use = "" if stand is None else stand.collection
    named = [one for one in engine.collections() if one.startswith(f"{names.name}.")]
    # A load that was interrupted goes on in its collection.
    used = {in_use, *begun(library, names, lexicons)}
    return Examined(
        stands_at=0 if stand is None else stand.generation,
        in_use=in_use,
        points=engine.count(in_use, stand.generation) if stand is not None else 0,
        orphans=tuple(one for one in named if names.owns(one) and one not in used),
        foreign=tuple(one for one in named if not names.owns(one)),
    )


def drop(library: Library, engine: Engine, lexicons: Keeping, known: Sequence[str]) -> Sequence[str]:
    """Delete the collections that are orphans, and return them.

    Their terms go with them, and the terms of those of `known` that are not in the engine.
    """
    orphans = _examined(library, engine, lexicons).orphans
    for collection in orphans:
        engine.drop(collection)
    names, there = names_of(library, engine.address), engine.collections()
    gone = [one for one in dict.fromkeys((*orphans, *known)) if names.owns(one) and one not in there]
    for collection in gone:
        lexicons.forget(collection)
    if gone:
        lexicons.overwrite_deleted()
    return orphans

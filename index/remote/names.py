"""What a library's collections are called in an engine, and what those names say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from index.errors import StoreError
from index.library import Library
from index.remote.address import Address
from index.remote.lexicons import Lexicons

# Another number, and every library is loaded anew.
FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Names:
    """What the collections of one library are called in an engine."""

    name: str
    history: str

    def of(self, embedder: str) -> str:
        """Return how the collections with vectors by an embedder begin."""
        kind = hashlib.sha256(f"{FORMAT} {embedder}".encode()).hexdigest()[:8]
        return f"{self.name}.{self.history}.{kind}."

    def owns(self, collection: str) -> bool:
        """Return whether a collection is of this library."""
        return collection.startswith(f"{self.name}.{self.history}.")

    def whole(self, generation: int) -> str:
        """Return the name that stands for the collection once it holds all up to a generation."""
        return f"{self.name}.g{generation}"

    def generation(self, alias: str) -> int | None:
        """Return the generation that such a name tells of; None for any other name."""
        number = alias.removeprefix(f"{self.name}.g")
        return int(number) if number != alias and number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Stand:
    """The collection in use, and the generation up to which it is whole."""

    collection: str
    generation: int


def names_of(library: Library, address: Address) -> Names:
    """Return what the collections of a library are called at an address."""
    return Names(address.name, library.meta["history"])


def standing(names: Names, aliases: dict[str, str]) -> Stand | None:
    """Return which collection is in use, by the names in an engine; None if none is.

    :raises StoreError: if the name stands for what is none of this library's.
    """
    collection = aliases.get(names.name)
    if collection is None:
        return None
    if not names.owns(collection):
        raise StoreError(
            f"{names.name} stands for {collection}, which is not of this library; "
            "take another name, or delete that one if nobody uses it"
        )
    numbers = [names.generation(alias) for alias, stands_for in aliases.items() if stands_for == collection]
    return Stand(collection, max((number for number in numbers if number is not None), default=0))


def is_behind(library: Library, stand: Stand | None, purged: frozenset[str]) -> bool:
    """Return whether there is anything to bring forward; `purged` are documents that were purged and taken out."""
    if stand is None or stand.generation != library.generation().number:
        return library.generation().number > 0
    return not library.purged_since(stand.generation) <= purged


def begun(library: Library, names: Names, lexicons: Lexicons) -> list[str]:
    """Return the collections of a library that are being loaded, or whose load was interrupted."""
    prefix = names.of(library.meta["embedder"])
    known = [lexicons.find(collection) for collection in lexicons.names() if collection.startswith(prefix)]
    return [one.collection for one in known if one is not None and one.active == 0 and not one.is_given_up]

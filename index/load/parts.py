"""What comes out of a file, part by part, and how it is to be read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from index.errors import DocumentError, UnreadableDocument
from index.load.limits import Limits, Unpacked
from index.load.sidecar import Sidecar
from index.types import LoadedDocument

logger = logging.getLogger(__name__)

Part = LoadedDocument | DocumentError


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file gave: its documents, each with another `member`, and what of it could not be read."""

    documents: tuple[LoadedDocument, ...]
    failures: tuple[DocumentError, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file and all that is in it is read. `zips` counts the archives around it."""

    limits: Limits
    unpacked: Unpacked
    encoding: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    zips: int = 0

    def told(self, sidecar: Sidecar) -> Reading:
        """Return the same with what `sidecar` says of encoding and fields."""
        encoding = self.encoding if sidecar.encoding is None else sidecar.encoding
        return replace(self, encoding=encoding, fields=sidecar.fields if sidecar.fields else self.fields)


def collected(name: str, parts: Iterable[Part]) -> Iterator[Part]:
    """Yield `parts`; an error that ends them is the last one, so that it stops nothing else."""
    try:
        yield from parts
    except DocumentError as error:
        yield error
    except MemoryError:
        raise
    except Exception as error:  # a parser that trips over one file must not stop the other thousand
        logger.debug("a loader failed", exc_info=True)
        yield UnreadableDocument(name, f"its loader failed with {type(error).__name__}; convert it to another format")


def within(member: str, parts: Iterable[Part]) -> Iterator[Part]:
    """Yield `parts` as those of the member `member`."""
    for part in parts:
        if isinstance(part, LoadedDocument):
            yield replace(part, member=f"{member}#{part.member}" if part.member else member)
        else:
            yield part

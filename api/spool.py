"""Bytes of accepted uploads on disk, until they are in the library. Files are numbered: no sender names a path here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from index.errors import DocumentTooLarge
from index.types import Metadata

_PIECE = 1024 * 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Incoming:
    """A document as it arrives: a plain name, its bytes to be read once, and what the sender says of it."""

    name: str
    content: BinaryIO
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Stored:
    """An upload on disk. `size` is 0 once it was withdrawn: then its bytes are gone."""

    name: str
    size: int
    metadata: Metadata
    withdrawn: bool = False


class Spool:
    """The folder that holds one folder a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, job_id: str, incoming: Sequence[Incoming], largest: int) -> tuple[tuple[Stored, ...], str]:
        """Write a job's documents, on the disk when this returns; return them and the fingerprint of their content.

        :raises DocumentTooLarge: if one has more than `largest` bytes.
        :raises OSError: if the disk does not take them. In both cases nothing is left.
        """
        place = self.folder / job_id
        place.mkdir(parents=True)
        digest = hashlib.sha256()
        stored = []
        try:
            for number, document in enumerate(incoming):
                with (place / str(number)).open("xb") as file:
                    size, sha256 = _copy(document, file, largest)
                stored.append(Stored(document.name, size, document.metadata))
                digest.update(json.dumps([document.name, sha256, asdict(document.metadata)]).encode())
            # A name is on the disk when its folder is.
            for folder in (place, self.folder, self.folder.parent):
                _sync(folder)
        except BaseException:
            self.remove(job_id)
            raise
        return tuple(stored), digest.hexdigest()

    def read(self, job_id: str, number: int) -> bytes:
        """Return the bytes of a job's document."""
        return (self.folder / job_id / str(number)).read_bytes()

    def withdraw(self, job_id: str, uploads: Sequence[Stored], numbers: Collection[int]) -> tuple[Stored, ...]:
        """Delete some documents of a job; return all as they are now."""
        for number in numbers:
            (self.folder / job_id / str(number)).unlink(missing_ok=True)
        return tuple(
            replace(one, size=0, metadata=Metadata(), withdrawn=True) if number in numbers else one
            for number, one in enumerate(uploads)
        )

    def remove(self, job_id: str) -> None:
        """Delete what is stored of a job, if anything is."""
        shutil.rmtree(self.folder / job_id, ignore_errors=True)

    def sweep(self, wanted: frozenset[str], older_than: float) -> None:
        """Delete the folders of no wanted job that were last changed before that time: their server died over them."""
        if not self.folder.is_dir():
            return
        for place in list(self.folder.iterdir()):
            if place.name not in wanted and place.stat().st_mtime < older_than:
                self.remove(place.name)


def _copy(document: Incoming, file: BinaryIO, largest: int) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while piece := document.content.read(_PIECE):
        size += len(piece)
        if size > largest:
            raise DocumentTooLarge(
                document.name, f"over the limit of {largest / _MIB:g} MiB a document; split it, or raise the limit"
            )
        digest.update(piece)
        file.write(piece)
    file.flush()
    os.fsync(file.fileno())
    return size, digest.hexdigest()


def _sync(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk, where the system lets one wait for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

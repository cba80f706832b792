"""What a writer is given: versions to be, and what was seen of the files they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from index.types import Metadata, Revision


@dataclass(frozen=True, slots=True)
class FileState:
    """What a sync saw of a file: enough to know without reading that it is unchanged.

    `documents` are the ids of the documents that came from it, by their names inside it; "" names the only one of a
    file that is one document. `root` is "" for what was uploaded.
    """

    root: str
    path: str
    size: int
    mtime_ns: int
    sha256: str
    pipeline: str
    checked_ns: int
    documents: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A version to be: everything of a document but its passages."""

    document_id: str
    uri: str
    title: str
    metadata: Metadata
    revision: Revision
    pages: tuple[int, ...]
    root: str
    path: str
    member: str

    @property
    def fingerprint(self) -> str:
        """A hash of all that makes one version differ from another; where the file lies does not."""
        known = (self.uri, self.title, astuple(self.metadata), self.revision.id, self.pages)
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def vector_key(embedder: str, text: str) -> bytes:
    """Return the key under which the vector of `text` by the embedder of that fingerprint is stored."""
    return hashlib.sha256(f"{embedder}\n{text}".encode()).digest()

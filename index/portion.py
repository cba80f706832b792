"""A part of the files, embedded ahead of a sync: many machines embed, and one sync then finds every vector there.

A worker reads the files of its part, cuts them as a sync does, and stores the vectors that are not there yet. Vectors
are keyed by what was embedded and belong to no generation: nothing that a worker does can be seen by anybody, nothing
lands twice, and one that was killed is run again and goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.database import Database
from index.drafts import vector_key
from index.embed import Embedder
from index.embed_ahead import EmbeddingAhead
from index.errors import DocumentError, NoDocument
from index.intake import cuts_of, load, title_of
from index.library import Library
from index.load import Limits
from index.load.isolate import SafeLoader
from index.naming import embedding_text
from index.report import Failure, SyncPolicy, SyncProgress
from index.scan import FoundFile, scan
from index.sqlite import disk_errors_told
from index.sync import PIPELINE, check_meta, contents_of, library_meta
from index.types import LoadedDocument
from index.writer import file_states, initialise, missing_vectors, store_vectors


@dataclass(frozen=True, slots=True)
class Part:
    """One of `of` parts of all files, counted from 1. By its name a file is in one of them, on every machine."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"{self.number}/{self.of} is no part; the first of four is 1/4")

    @classmethod
    def parse(cls, said: str) -> Part:
        """Return the part that is written as "2/4". Raises ValueError."""
        number, slash, of = said.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal()):
            raise ValueError(f"{said[:20]!r} is no part; the first of four is 1/4")
        return cls(int(number), int(of))

    def has(self, path: str) -> bool:
        """Return whether a file, by its path below the folder that was given, is in this part."""
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1


WHOLE = Part(1, 1)


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a worker did: its files, how many of them a sync took in before as they are, and what it embedded."""

    files: int
    known: int
    passages: int
    embedded: int
    failed: tuple[Failure, ...]
    seconds: float


def embed_part(
    folder: Path, embedder: Embedder, paths: Sequence[Path], part: Part = WHOLE, *, policy: SyncPolicy | None = None,
    progress: Callable[[SyncProgress], None] = lambda _: None,
) -> Embedded:  # fmt: skip
    """Embed the files of a part for the library in `folder`, which is made if need be, and change nothing else.

    Any number of these may run at once, beside a sync too; each stores some hundred vectors at a time.

    :raises PathNotFound: if a path does not exist; nothing is done then.
    :raises LibraryFormat: if the library's vectors are made by another embedder or with other passage settings.
    """
    policy = SyncPolicy() if policy is None else policy
    started = time.perf_counter()
    progress(SyncProgress("scan", 0, 0, 0))
    files = [file for file in scan(paths, leave_out=folder).files if part.has(file.path)]
    meta = library_meta(embedder, policy.passages)
    with disk_errors_told(folder):
        initialise(folder, meta)
        with closing(Library(folder)) as library:
            check_meta(library, meta)
            with closing(library.truth.write()) as db, closing(_Worker(db, embedder, policy)) as worker:
                for seen, file in enumerate(files):
                    progress(SyncProgress("read", seen, len(files), worker.embedded))
                    worker.take(file)
                worker.finish()
                progress(SyncProgress("embed", len(files), len(files), worker.embedded))
                return Embedded(
                    len(files), worker.known, worker.passages, worker.embedded, tuple(worker.failed),
                    time.perf_counter() - started,
                )  # fmt: skip


class _Worker:
    """What one worker has done so far."""

    def __init__(self, db: Database, embedder: Embedder, policy: SyncPolicy) -> None:
        self._db = db
        self._embedder = embedder
        self._policy = policy
        self._loader = SafeLoader(Limits(file=policy.largest))
        self._ahead = EmbeddingAhead(embedder, self._store)
        self._as_they_were = {(s.root, s.path, s.sha256) for s in file_states(db) if s.pipeline == PIPELINE}
        self.failed: list[Failure] = []
        self.known = self.passages = self.embedded = 0

    def close(self) -> None:
        self._loader.close()
        self._ahead.close(self._store)

    def finish(self) -> None:
        self._ahead.finish()

    def take(self, file: FoundFile) -> None:
        """Embed what is in a file; one that cannot be read is told of by the sync too."""
        try:
            data, sidecar, sha256 = contents_of(file, self._policy.largest)
            if (str(file.root), file.path, sha256) in self._as_they_were:
                self.known += 1
                return
            loaded = load(self._loader, file.path, data, sidecar, self._policy.encoding)
        except NoDocument:
            return
        except DocumentError as error:
            self.failed.append(Failure(error.name, error.code, error.reason))
            return
        self.failed += [Failure(error.name, error.code, error.reason) for error in loaded.failures]
        for document in loaded.documents:
            self._embed(document, title_of(document, file.path))

    def _embed(self, document: LoadedDocument, title: str) -> None:
        cuts = cuts_of(document.text, document.metadata.language, self._embedder, self._policy.passages)
        texts = [embedding_text(title, cut.span.of(document.text)) for cut in cuts]
        keys = [vector_key(self._embedder.fingerprint, text) for text in texts]
        self.passages += len(keys)
        missing = missing_vectors(self._db, keys)
        self._ahead.add({key: text for key, text in zip(keys, texts, strict=True) if key in missing})

    def _store(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        self._db.begin()
        try:
            store_vectors(self._db, keys, vectors)
        except BaseException:
            self._db.rollback()
            raise
        self._db.commit()
        self.embedded += len(keys)

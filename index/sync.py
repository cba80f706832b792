"""Files → one new generation of the library, or none.

Everything is staged first: read, cut, embedded, put into the word index. Then one SQLite commit makes it the newest
generation. Whatever stops a sync before that leaves the library as it was.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from index.embed import Embedder
from index.errors import DocumentError, EmptyDocument, LibraryFormat, UnknownDocument, UnreadableDocument
from index.known import KnownFiles
from index.lexical import LexicalIndex
from index.library import Library
from index.load import load
from index.load.decode import codec
from index.load.files import read_file
from index.passages import PassagePolicy, cut
from index.scan import FoundFile, scan
from index.sentences import split
from index.store import live_passages
from index.types import LoadedDocument, Revision
from index.writer import FileState, Writer, initialise, vector_key

# Part of a file's state: when loaders or segmentation change, unchanged files are read again.
PIPELINE = "1"
_EMBED_AT_ONCE = 256
# More characters than any language has in a token. Tokenizers count 0 for what they drop and 1 for a "word" of any
# length: a page of such characters would make one passage of megabytes.
_TOKEN_CHARACTERS = 10
# A file whose last change is this close to the moment it was looked at may change again within its time stamp.
_RACY_NS = 2_000_000_000

Stage = Literal["scan", "read", "embed", "index", "commit", "clean"]


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """How files become passages. `encoding` is tried for text that is not UTF-8; `largest` is in bytes."""

    passages: PassagePolicy = field(default_factory=PassagePolicy)
    encoding: str | None = None
    largest: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a sync is. Passages are counted when their vectors are stored."""

    stage: Stage
    files: int
    files_total: int
    passages: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be taken in; what the library held of it before, it still holds."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did. `generation` is None if nothing changed; names are `uri`s."""

    generation: int | None
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    skipped: int
    failed: tuple[Failure, ...]
    ignored: tuple[str, ...]
    embedded: int
    seconds: float


def sync(
    folder: Path,
    embedder: Embedder,
    paths: Sequence[Path],
    *,
    policy: SyncPolicy | None = None,
    progress: Callable[[SyncProgress], None] = lambda _: None,
    lock_timeout: float = 10.0,
) -> SyncReport:
    """Bring the library in `folder`, made if need be, in step with the files below `paths`.

    Documents that came from there and are gone are removed. A file that cannot be read is reported and stops nothing.

    :raises PathNotFound: if a path does not exist; nothing is done then.
    :raises ValueError: if the policy's encoding is unknown.
    :raises LibraryBusy: if another process is writing.
    :raises LibraryFormat: if the library's vectors were made by another embedder or with other passage settings.
    """
    return _Sync(folder, embedder, policy or SyncPolicy(), progress).run(paths, lock_timeout)


class _Sync:
    """One sync: what it has seen so far."""

    def __init__(
        self, folder: Path, embedder: Embedder, policy: SyncPolicy, progress: Callable[[SyncProgress], None]
    ) -> None:
        self._folder = folder
        self._embedder = embedder
        self._policy = policy
        self._tell = progress
        self._added: list[tuple[str, str]] = []  # (document id, uri)
        self._changed: list[tuple[str, str]] = []
        self._failed: list[Failure] = []
        self._states: list[FileState] = []
        self._moved: list[FileState] = []
        self._staged: list[int] = []
        self._pending: dict[bytes, str] = {}
        self._skipped = self._embedded = self._seen = self._total = 0

    def run(self, paths: Sequence[Path], lock_timeout: float) -> SyncReport:
        started = time.perf_counter()
        if self._policy.encoding is not None:
            codec(self._policy.encoding)
        self._report("scan")
        found = scan(paths)
        self._total = len(found.files)
        meta = library_meta(self._embedder, self._policy.passages)
        initialise(self._folder, meta)
        self._library = Library(self._folder)
        try:
            check_meta(self._library, meta)
            with Writer(self._folder, timeout=lock_timeout) as self._writer:
                self._words = LexicalIndex(self._folder)
                self._tidy()
                states = self._writer.files()
                self._known = KnownFiles(states, found.files)
                self._owned = {state.document_id for state in states}
                self._failed += [Failure(error.name, error.code, error.reason) for error in found.failed]
                for file in map(self._known.name, found.files):
                    self._report("read")
                    self._take(file)
                    self._seen += 1
                self._embed_pending(everything=True)
                gone = self._known.gone(found.covers)
                removed = [self._uri(state) for state in gone]
                generation = self._land(gone)
        finally:
            self._library.close()
        return SyncReport(
            generation=generation,
            added=tuple(uri for _, uri in self._added),
            changed=tuple(uri for _, uri in self._changed),
            removed=tuple(removed),
            skipped=self._skipped,
            failed=tuple(self._failed),
            ignored=found.ignored,
            embedded=self._embedded,
            seconds=time.perf_counter() - started,
        )

    def _report(self, stage: Stage) -> None:
        self._tell(SyncProgress(stage, self._seen, self._total, self._embedded))

    def _tidy(self) -> None:
        """Undo what an interrupted sync left behind, in the word index first, where it is known only by its ids."""
        present = self._library.generation().number
        if self._words.interrupted or not self._words.serves(present):
            self._words.rebuild(live_passages(self._library, present), complete_to=present)
        elif self._words.clean_to < present:
            _, removed = self._library.changes(self._words.clean_to, present)
            self._words.remove(removed, clean_to=present)
        leftovers = self._writer.leftovers()
        if leftovers:
            self._words.remove(leftovers, clean_to=self._words.clean_to)
            self._writer.discard_leftovers()

    def _new_id(self, uri: str) -> str:
        for attempt in range(1, len(self._owned) + 2):
            candidate = document_id(uri, attempt)
            if candidate not in self._owned:
                break
        self._owned.add(candidate)
        return candidate

    # ---- one file -------------------------------------------------------------------------------------------------

    def _take(self, file: FoundFile) -> None:
        try:
            if self._unchanged_by_stat(file):
                self._skipped += 1
                return
            checked = time.time_ns()
            data = read_file(file.absolute, file.root, self._policy.largest)
            status = _status(file)
            sha256 = hashlib.sha256(data).hexdigest()
            before = self._known.take(file, sha256)
            state = FileState(str(file.root), file.path, before.document_id if before else "", status.st_size,
                              status.st_mtime_ns, sha256, PIPELINE, checked)  # fmt: skip
            if before is not None and (before.sha256, before.pipeline, before.path) == (sha256, PIPELINE, file.path):
                self._skipped += 1
                self._states.append(state)
            else:
                self._stage(file, self._load(file, data), state)
            if before is not None and (before.root, before.path) != (state.root, state.path):
                self._moved.append(before)
        except DocumentError as error:
            self._failed.append(Failure(file.path, error.code, error.reason))

    def _load(self, file: FoundFile, data: bytes) -> LoadedDocument:
        try:
            return load(data, file.path, encoding=self._policy.encoding)
        except DocumentError:
            raise
        except Exception as error:  # a parser that trips over one file must not stop the other thousand
            raise UnreadableDocument(file.path, f"its loader failed with {type(error).__name__}") from error

    def _unchanged_by_stat(self, file: FoundFile) -> bool:
        state = self._known.at(file)
        if state is None or state.pipeline != PIPELINE or file.absolute.is_symlink():
            return False
        status = _status(file)
        same = (status.st_size, status.st_mtime_ns) == (state.size, state.mtime_ns)
        return same and state.checked_ns - state.mtime_ns > _RACY_NS

    def _stage(self, file: FoundFile, loaded: LoadedDocument, state: FileState) -> None:
        revision = Revision.of(loaded.text)
        metadata = loaded.metadata
        uri = metadata.url if metadata.url is not None else file.path
        title = metadata.title if metadata.title is not None else title_from(file.path)
        sentences = split(loaded.text, metadata.language)
        counted = self._embedder.count_tokens([s.span.of(loaded.text) for s in sentences])
        tokens = [max(n, 1, len(s.span) // _TOKEN_CHARACTERS) for n, s in zip(counted, sentences, strict=True)]
        cuts = cut(sentences, tokens, self._policy.passages)
        if not cuts:
            raise EmptyDocument(file.path, "no sentence in it; nothing to index")
        texts = [embedding_text(title, c.span.of(loaded.text)) for c in cuts]
        keys = [vector_key(self._embedder.fingerprint, text) for text in texts]
        is_new = state.document_id == ""
        identity = self._new_id(uri) if is_new else state.document_id
        self._staged += self._writer.stage_version(identity, uri, title, metadata, revision, cuts, keys)
        missing = self._writer.missing_vectors(keys)
        self._pending.update((key, text) for key, text in zip(keys, texts, strict=True) if key in missing)
        self._embed_pending(everything=False)
        (self._added if is_new else self._changed).append((identity, uri))
        self._states.append(replace(state, document_id=identity))

    def _embed_pending(self, *, everything: bool) -> None:
        while len(self._pending) >= (1 if everything else _EMBED_AT_ONCE):
            keys = list(self._pending)[:_EMBED_AT_ONCE]
            vectors = self._embedder.embed([self._pending.pop(key) for key in keys])
            self._writer.stage_vectors(keys, vectors)
            self._embedded += len(keys)
            self._report("embed")

    # ---- landing --------------------------------------------------------------------------------------------------

    def _uri(self, state: FileState) -> str:
        """Return the uri of the document that came from a file, its path if there is none any more."""
        try:
            return self._library.document(self._writer.generation - 1, state.document_id).uri
        except UnknownDocument:
            return state.path

    def _land(self, gone: Sequence[FileState]) -> int | None:
        forget = [(s.root, s.path) for s in (*gone, *self._moved)]
        if not (self._added or self._changed or gone):
            self._writer.remember(self._states, forget)
            return None
        self._report("index")
        coming = self._writer.generation
        self._words.add(live_passages(self._library, coming, self._staged), complete_to=coming)
        self._report("commit")
        counts = {
            "added": len(self._added),
            "changed": len(self._changed),
            "removed": len(gone),
            "failed": len(self._failed),
        }
        self._writer.commit(
            changed=[identity for identity, _ in self._changed],
            removed=[state.document_id for state in gone],
            files=self._states,
            gone=forget,
            summary=counts,
        )
        self._report("clean")
        _, removed = self._library.changes(coming - 1, coming)
        self._words.remove(removed, clean_to=coming)
        return coming


def _status(file: FoundFile) -> os.stat_result:
    try:
        return file.absolute.stat()
    except OSError as error:
        raise UnreadableDocument(file.path, f"gone or closed while it was looked at: {error.strerror}") from error


def library_meta(embedder: Embedder, passages: PassagePolicy) -> dict[str, str]:
    """Return the settings that a library is made with and that cannot change under it."""
    return {
        "embedder": embedder.fingerprint,
        "dimensions": str(embedder.dimensions),
        "passages": f"{passages.tokens} tokens, {passages.overlap} sentences of overlap",
    }


def check_meta(library: Library, wanted: Mapping[str, str]) -> None:
    """Raise LibraryFormat if the library was made with other settings; the message names both."""
    for key, value in wanted.items():
        if library.meta.get(key) != value:
            raise LibraryFormat(
                f"{library.folder}: made with {key} {library.meta.get(key)}, asked for {value}; "
                "use the first, or sync into a new library folder"
            )


def document_id(uri: str, attempt: int = 1) -> str:
    """Return the id of the document first seen at `uri`; `attempt` counts documents that claim the same one."""
    name = uri if attempt == 1 else f"{uri}\n{attempt}"
    return f"doc_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def title_from(path: str) -> str:
    """Return what to call a document without a title: its file's name in plain words."""
    return " ".join(PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()) or path


def embedding_text(title: str, passage: str) -> str:
    """Return what is embedded for a passage: the title is known to retrieval, and is in no quote."""
    return f"{title}\n{passage}"

"""Folders, files and uploads → one new generation of the library, or none."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from index.drafts import FileState
from index.embed import Embedder
from index.errors import DocumentError, Interrupted, LibraryFormat, NoDocument, UnreadableDocument
from index.intake import Intake
from index.known import KnownFiles
from index.library import Library
from index.load.decode import codec
from index.load.files import read_file
from index.passages import PassagePolicy
from index.report import Checker, Failure, SyncPolicy, SyncProgress, SyncReport
from index.scan import FoundFile, Scan, scan
from index.sqlite import disk_errors_told
from index.truth import truth_of
from index.types import Metadata
from index.writer import Writer, initialise

# Part of a file's state: when loaders or segmentation change, unchanged files are read again.
PIPELINE = "2"
UPLOADS = ""
"""The root of what was uploaded: no folder has that name."""
# A file whose last change is this close to the moment it was looked at may change again within its time stamp.
_RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Upload:
    """A document that was sent: its name (a relative path whose suffix tells the format), bytes, what is said of it.

    The same name again is a new revision of the same document; twice at once, the last one counts. It replaces no
    document but one that carries one of the tags `within`; any for None.
    """

    name: str
    data: bytes
    metadata: Metadata | None = None
    within: frozenset[str] | None = None


def sync(
    folder: Path,
    embedder: Embedder,
    paths: Sequence[Path],
    *,
    policy: SyncPolicy | None = None,
    check: Checker | None = None,
    dry_run: bool = False,
    progress: Callable[[SyncProgress], None] = lambda _: None,
    lock_timeout: float = 10.0,
) -> SyncReport:
    """Bring the library in `folder`, made if need be, in step with the files below `paths`.

    Documents that came from there and are gone are removed. A file that cannot be read is reported and stops nothing.
    A generation that does not pass `check` is kept aside. A dry run changes nothing and embeds nothing.

    :raises PathNotFound: if a path does not exist; nothing is done then.
    :raises ValueError: if the policy's encoding is unknown.
    :raises SafetyStop: if more than half of the library would vanish; nothing is done then.
    :raises LibraryBusy: if another process is writing.
    :raises LibraryFormat: if the library's vectors were made by another embedder or with other passage settings.
    :raises DiskFull: if no space is left; the library is as it was.
    :raises Interrupted: if the user stopped it; the message says whether it landed.
    """
    policy = SyncPolicy() if policy is None else policy
    started = time.perf_counter()
    if policy.encoding is not None:
        codec(policy.encoding)
    progress(SyncProgress("scan", 0, 0, 0))
    found = scan(paths, leave_out=folder)
    with _intake(folder, embedder, policy, progress, lock_timeout, dry_run=dry_run) as (intake, writer):
        walk = _Walk(intake, found, [state for state in writer.files() if state.root != UPLOADS], policy)
        gone, moved = walk.run()
        generation = intake.land([] if policy.keep_missing else gone, moved, check)
        return _report(intake, generation, started, ignored=found.ignored, dry_run=dry_run)


def ingest(
    folder: Path,
    embedder: Embedder,
    uploads: Sequence[Upload],
    *,
    policy: SyncPolicy | None = None,
    progress: Callable[[SyncProgress], None] = lambda _: None,
    lock_timeout: float = 10.0,
) -> SyncReport:
    """Take `uploads` into the library in `folder`, made if need be; errors as for `sync`.

    Nothing else is removed, and a document that was deleted by hand and is sent again is back.
    """
    policy = SyncPolicy() if policy is None else policy
    started = time.perf_counter()
    with _intake(folder, embedder, policy, progress, lock_timeout, dry_run=False) as (intake, writer):
        known = {state.path: state for state in writer.files() if state.root == UPLOADS}
        latest = {upload.name: upload for upload in uploads}
        intake.total = len(latest)
        for upload in latest.values():
            intake.report("read")
            before = known.get(upload.name)
            digest = hashlib.sha256(upload.data).hexdigest()
            state = FileState(UPLOADS, upload.name, len(upload.data), 0, digest, PIPELINE, 0, {})
            documents = {} if before is None else before.documents
            try:
                if upload.within is not None:
                    intake.expect_within(upload.within, upload.name, documents.values())
                intake.documents(state, upload.data, None, documents, upload.metadata, wanted=True)
            except DocumentError as error:
                intake.failed.append(Failure(error.name, error.code, error.reason))
            intake.seen += 1
        return _report(intake, intake.land([], [], None), started)


def _report(
    intake: Intake, generation: int | None, started: float, *, ignored: tuple[str, ...] = (), dry_run: bool = False
) -> SyncReport:
    return SyncReport(
        generation=generation,
        added=intake.added,
        changed=intake.changed,
        removed=tuple(intake.removed),
        skipped=intake.skipped,
        failed=tuple(intake.failed),
        ignored=(*ignored, *intake.ignored),
        embedded=intake.embedded,
        seconds=time.perf_counter() - started,
        kept_out=tuple(intake.kept_out),
        aside=intake.aside,
        check=None if intake.check is None else intake.check.detail,
        dry_run=dry_run,
    )


@contextmanager
def _intake(
    folder: Path, embedder: Embedder, policy: SyncPolicy, progress: Callable[[SyncProgress], None],
    lock_timeout: float, *, dry_run: bool,
) -> Iterator[tuple[Intake, Writer]]:  # fmt: skip
    """Yield an intake under the writer's lock, over a library that is there and made with these settings."""
    meta = library_meta(embedder, policy.passages)
    with ExitStack() as stack:
        if dry_run and not truth_of(folder).exists():
            # What is to leave no trace makes no library.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with disk_errors_told(folder):
            initialise(folder, meta)
            library = Library(folder)
            try:
                check_meta(library, meta)
                with Writer(folder, timeout=lock_timeout) as writer:
                    before = writer.generation
                    intake = Intake(library, writer, embedder, policy, dry_run=dry_run, progress=progress)
                    try:
                        if not dry_run:
                            intake.tidy()
                        yield intake, writer
                    except KeyboardInterrupt as error:
                        raise _interrupted(library, before) from error
                    finally:
                        intake.close()
            finally:
                library.close()


def _interrupted(library: Library, coming: int) -> Interrupted:
    if library.generation().number >= coming:
        return Interrupted(f"interrupted when it was done: generation {coming} has landed")
    return Interrupted("interrupted: nothing has landed; what was embedded is kept, so the next sync is quicker")


class _Walk:
    """The files of a sync, one by one."""

    def __init__(self, intake: Intake, found: Scan, states: Sequence[FileState], policy: SyncPolicy) -> None:
        self._intake = intake
        self._found = found
        self._policy = policy
        self._known = KnownFiles(states, found.files)
        self._moved: list[FileState] = []

    def run(self) -> tuple[list[FileState], list[FileState]]:
        """Take in every file; return the files that are gone, and the former places of those that moved."""
        intake = self._intake
        intake.failed += [Failure(error.name, error.code, error.reason) for error in self._found.failed]
        intake.total = len(self._found.files)
        for file in map(self._known.name, self._found.files):
            intake.report("read")
            self._take(file)
            intake.seen += 1
        return self._known.gone(self._found.covers), self._moved

    def _take(self, file: FoundFile) -> None:
        try:
            if self._unchanged_by_stat(file):
                return
            checked = time.time_ns()
            data, sidecar, sha256 = contents_of(file, self._policy.largest)
            size, mtime_ns = _stamp(file)
            before = self._known.take(file, sha256)
            documents = {} if before is None else before.documents
            state = FileState(str(file.root), file.path, size, mtime_ns, sha256, PIPELINE, checked, documents)
            as_it_was = before is not None and (before.sha256, before.pipeline, before.path) == (
                sha256, PIPELINE, file.path
            )  # fmt: skip
            if as_it_was and self._intake.passed_over(file.path, documents):
                self._intake.seen_again(state)
            else:
                self._documents(state, data, sidecar)
            if before is not None and (before.root, before.path) != (state.root, state.path):
                self._moved.append(before)
        except DocumentError as error:
            self._intake.failed.append(Failure(error.name, error.code, error.reason))

    def _documents(self, state: FileState, data: bytes, sidecar: bytes | None) -> None:
        try:
            self._intake.documents(state, data, sidecar, state.documents)
        except NoDocument:
            if state.documents:
                raise
            self._intake.not_a_document(state)

    def _unchanged_by_stat(self, file: FoundFile) -> bool:
        """Return whether a file need not even be read."""
        state = self._known.at(file)
        if state is None or state.pipeline != PIPELINE or file.absolute.is_symlink():
            return False
        same = _stamp(file) == (state.size, state.mtime_ns)
        quiet = state.checked_ns - state.mtime_ns > _RACY_NS
        return same and quiet and self._intake.passed_over(file.path, state.documents)


def contents_of(file: FoundFile, largest: int) -> tuple[bytes, bytes | None, str]:
    """Return what is in a file and in its sidecar, and a hash of both; errors as for `read_file`."""
    data = read_file(file.absolute, file.root, largest)
    sidecar = None if file.sidecar is None else read_file(file.beside, file.root, largest)
    return data, sidecar, hashlib.sha256(data if sidecar is None else data + b"\0" + sidecar).hexdigest()


def _stamp(file: FoundFile) -> tuple[int, int]:
    """Return size and time of a file; with a sidecar both count, so that a change of either shows."""
    try:
        status = file.absolute.stat()
        if file.sidecar is None:
            return status.st_size, status.st_mtime_ns
        beside = file.beside.stat()
        return status.st_size + beside.st_size, max(status.st_mtime_ns, beside.st_mtime_ns)
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
    made = library.meta
    for key, value in wanted.items():
        if made.get(key) != value:
            raise LibraryFormat(
                f"{library.folder}: made with {key} {made.get(key)}, asked for {value}; "
                "use the first, or sync into a new library folder"
            )

"""Bytes of a file → `LoadedDocument`s: one module a format. The only place where text is normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.errors import (
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    NoDocument,
    UnreadableDocument,
    UnsupportedFormat,
)  # fmt: skip
from index.load.decode import codec
from index.load.files import MIB
from index.load.formats import SUFFIXES, parts_of, suffix_of, supported
from index.load.limits import Limits, Unpacked

# Under its own name it would hide the module `index.load.normalise`.
from index.load.normalise import normalise as _normalise
from index.load.normalise import tidy
from index.load.parts import Loaded, Reading, collected
from index.load.sidecar import Sidecar, is_sidecar, parse_sidecar, sidecars_of, with_sidecar
from index.types import LoadedDocument

__all__ = ["Limits", "Loaded", "SUFFIXES", "is_sidecar", "load", "load_all", "sidecars_of", "supported"]

_DEFAULT = Limits()


def load_all(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    sidecar: bytes | None = None,
    limits: Limits = _DEFAULT,
) -> Loaded:
    """Return every document in a file, in order, with canonical text; the suffix of `name` chooses the loader.

    `encoding` is tried for what is marked as nothing and is not UTF-8. `sidecar` is the content of `NAME.meta.yaml`.
    A part that cannot be read is a failure named `NAME#MEMBER`. `limits.seconds` and `limits.memory` are held by
    `index.load.isolate`, not here.

    :raises UnsupportedFormat: unknown suffix, or data that is not what the suffix says.
    :raises NoDocument: JSON or XML in which nothing is a document.
    :raises WrongEncoding: not text in any encoding that applies.
    :raises DocumentTooLarge: over a limit.
    :raises UnreadableDocument: broken, or broken in all its parts, or the sidecar is (it is named then).
    :raises EmptyDocument: not one letter or digit is left.
    :raises ValueError: `encoding` is unknown.
    """
    if encoding is not None:
        codec(encoding)
    if not supported(name):
        known = ", ".join(sorted(SUFFIXES))
        raise UnsupportedFormat(name, f"no loader for {suffix_of(name) or 'a name without suffix'}; supported: {known}")
    if len(data) > limits.file:
        size = f"{len(data) / MIB:.1f} MiB, over the limit of {limits.file / MIB:g} MiB"
        raise DocumentTooLarge(name, f"{size}; split the file or raise the limit")
    said = Sidecar() if sidecar is None else parse_sidecar(sidecar, sidecars_of(name)[0])
    how = Reading(limits, Unpacked(len(data), limits), encoding).told(said)
    documents: list[LoadedDocument] = []
    failures: list[DocumentError] = []
    members: dict[str, int] = {}
    for part in collected(name, parts_of(data, name, how)):
        if len(documents) + len(failures) == limits.records:
            failures.append(DocumentTooLarge(name, f"more than {limits.records:,} documents; the rest is left out"))
            break
        try:
            if isinstance(part, DocumentError):
                raise part
            documents.append(with_sidecar(_canonical(part, name, _unused(part.member, members), limits), said))
        except DocumentError as error:
            failures.append(error)
    if not documents:
        raise _nothing(name, failures)
    return Loaded(tuple(documents), tuple(failures))


def load(data: bytes, name: str, *, encoding: str | None = None) -> LoadedDocument:
    """Return the one document in a file; errors as those of `load_all`.

    :raises UnreadableDocument: it holds several documents.
    """
    loaded = load_all(data, name, encoding=encoding)
    if loaded.failures:
        raise loaded.failures[0]
    if len(loaded.documents) > 1:
        raise UnreadableDocument(name, f"it holds {len(loaded.documents):,} documents, and one is wanted; split it")
    return loaded.documents[0]


def _canonical(part: LoadedDocument, name: str, member: str, limits: Limits) -> LoadedDocument:
    whole = f"{name}#{member}" if member else name
    text = tidy(_normalise(part.text))
    if part.pages and text != part.text:
        raise UnreadableDocument(whole, "its loader gave pages that do not fit the text; convert it to another format")
    if len(part.pages) > limits.pages:
        raise DocumentTooLarge(whole, f"{len(part.pages):,} pages, over the limit of {limits.pages:,}; split the file")
    if not any(character.isalnum() for character in text):
        raise EmptyDocument(whole, "nothing to read in it: no letter and no digit")
    return replace(part, text=text, member=member)


def _unused(member: str, taken: dict[str, int]) -> str:
    """Return `member`, numbered where it was there before: two records may claim one id."""
    name = member
    while name in taken:
        taken[member] += 1
        name = f"{member} ({taken[member]})"
    taken[name] = 1
    return name


def _nothing(name: str, failures: Sequence[DocumentError]) -> DocumentError:
    """Return why nothing came out of a file."""
    if not failures:
        return EmptyDocument(name, "nothing in it that could be a document")
    first = failures[0]
    if len(failures) == 1:
        return first
    alike = (kind for kind in (EmptyDocument, NoDocument) if all(isinstance(failure, kind) for failure in failures))
    kind: type[DocumentError] = next(alike, UnreadableDocument)
    return kind(name, f"none of its {len(failures):,} parts can be read; the first: {first}")

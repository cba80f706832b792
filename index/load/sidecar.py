"""The file `NAME.meta.yaml` beside NAME: what the user says of a file, which wins over what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from index.errors import UnreadableDocument
from index.load.decode import codec
from index.load.frontmatter import FrontMatter, front_matter, parse_yaml
from index.load.metadata import describe
from index.types import LoadedDocument, Metadata

_SUFFIXES = (".meta.yaml", ".meta.yml")
_LIMIT = 64 * 1024
_METADATA = ("title", "author", "publisher", "published_at", "language", "url", "tags")
_KNOWN = (*_METADATA, "encoding", "fields")
# Record fields that a sidecar may name; `text` and those of the metadata, and what tells one record from another.
MAPPED = ("text", "id", *_METADATA)
_FORMS = {
    "published_at": "an ISO 8601 date such as 2026-01-10",
    "language": "a BCP 47 tag such as en-GB",
    "url": "a whole http or https address",
}


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the user says: metadata, the text's encoding, and which field of a record holds what (`text`, `title`…)."""

    metadata: Metadata = field(default_factory=Metadata)
    encoding: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


def is_sidecar(name: str) -> bool:
    """Return whether a file of this name says something of another file and is no document."""
    return name.lower().endswith(_SUFFIXES)


def sidecars_of(name: str) -> tuple[str, ...]:
    """Return the names that a sidecar of the file `name` may have; the first that exists counts."""
    without_suffix = name.removesuffix(PurePosixPath(name).suffix)
    return tuple(dict.fromkeys(f"{named}{suffix}" for named in (name, without_suffix) for suffix in _SUFFIXES))


def parse_sidecar(data: bytes, name: str) -> Sidecar:
    """Return what a sidecar says; `name` is its own name, for errors.

    :raises UnreadableDocument: over 64 KiB, not UTF-8, not sound YAML, an unknown key, or a value that is of no use.
    """
    if len(data) > _LIMIT:
        raise UnreadableDocument(name, f"a sidecar of {len(data) // 1024} KiB, over the limit of 64 KiB")
    try:
        content = parse_yaml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableDocument(name, f"not UTF-8 at byte {error.start}; save it again as UTF-8") from error
    except ValueError as error:
        raise UnreadableDocument(name, f"not sound YAML ({error}); mend or remove it") from error
    if content is None:
        return Sidecar()
    if not isinstance(content, Mapping):
        raise UnreadableDocument(name, 'not a list of "key: value" lines; mend or remove it')
    values = front_matter(content)
    for key in values.values:
        if key not in _KNOWN:
            raise UnreadableDocument(name, f"unknown key {key[:40]!r}; known are {', '.join(_KNOWN)}")
    encoding = values.one("encoding")
    try:
        named = None if encoding is None else codec(encoding)
    except ValueError as error:
        raise UnreadableDocument(name, str(error)) from error
    fields = next((value for key, value in content.items() if str(key).strip().lower() == "fields"), None)
    return Sidecar(_metadata(values, name), named, _fields(fields, name))


def _metadata(values: FrontMatter, name: str) -> Metadata:
    stated = describe(
        title=values.one("title"),
        author=values.joined("author"),
        publisher=values.one("publisher"),
        published_at=values.one("published_at"),
        language=values.one("language"),
        url=values.one("url"),
        tags=values.several("tags"),
    )
    for key, form in _FORMS.items():
        if values.one(key) is not None and getattr(stated, key) is None:
            raise UnreadableDocument(name, f"{key} {str(values.one(key))[:40]!r} is not {form}")
    return stated


def _fields(value: object, name: str) -> Mapping[str, str]:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) and one for one in value.values()):
        raise UnreadableDocument(name, "fields must name one field each, such as `fields: {text: story, title: head}`")
    for key in value:
        if key not in MAPPED:
            raise UnreadableDocument(name, f"unknown key {str(key)[:40]!r} in fields; known are {', '.join(MAPPED)}")
    return {str(key): str(one) for key, one in value.items()}


def with_sidecar(loaded: LoadedDocument, sidecar: Sidecar) -> LoadedDocument:
    """Return `loaded` with the sidecar's metadata where it says something.

    A title or address is that of one document: where the file holds several, each keeps its own.
    """
    said = sidecar.metadata
    own = loaded.metadata
    alone = not loaded.member
    metadata = Metadata(
        title=said.title if alone and said.title is not None else own.title,
        author=own.author if said.author is None else said.author,
        publisher=own.publisher if said.publisher is None else said.publisher,
        published_at=own.published_at if said.published_at is None else said.published_at,
        language=own.language if said.language is None else said.language,
        url=said.url if alone and said.url is not None else own.url,
        tags=said.tags if said.tags else own.tags,
    )
    return replace(loaded, metadata=metadata)

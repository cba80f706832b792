"""Bytes of a file → `LoadedDocument`: one module a format. The only place where text is normalised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from index.errors import EmptyDocument, UnsupportedFormat
from index.load.decode import codec, decode_html, decode_text

# Under its own name it would hide the module `index.load.normalise`.
from index.load.normalise import normalise as _normalise
from index.load.normalise import tidy
from index.types import LoadedDocument

_TEXT = frozenset({".txt", ".text"})
_MARKDOWN = frozenset({".md", ".markdown"})
_HTML = frozenset({".html", ".htm", ".xhtml"})
SUFFIXES = _TEXT | _MARKDOWN | _HTML


def supported(name: str) -> bool:
    """Return whether there is a loader for a file of this name."""
    return _suffix(name) in SUFFIXES


def load(data: bytes, name: str, *, encoding: str | None = None) -> LoadedDocument:
    """Return the canonical text and the metadata of a file; the suffix of `name` chooses the loader.

    `encoding` is tried for what is marked as nothing and is not UTF-8.

    :raises UnsupportedFormat: unknown suffix, or binary data.
    :raises WrongEncoding: not text in any encoding that applies.
    :raises UnreadableDocument: broken front matter or markup beyond the limits.
    :raises EmptyDocument: not one letter or digit is left.
    :raises ValueError: `encoding` is unknown.
    """
    if encoding is not None:
        codec(encoding)
    if not supported(name):
        raise UnsupportedFormat(
            name, f"no loader for {_suffix(name) or 'a name without suffix'}; supported: {', '.join(sorted(SUFFIXES))}"
        )
    loaded = _load(data, name, encoding)
    text = tidy(_normalise(loaded.text))
    if not any(character.isalnum() for character in text):
        raise EmptyDocument(name, "nothing to read in it: no letter and no digit")
    return replace(loaded, text=text)


def _load(data: bytes, name: str, encoding: str | None) -> LoadedDocument:
    # Parsers are imported where they are needed: they are heavy, and `citespan --help` is to be quick.
    if _suffix(name) in _TEXT:
        from index.load.text import load_text

        return load_text(decode_text(data, name, encoding), name)
    if _suffix(name) in _MARKDOWN:
        from index.load.markdown import load_markdown

        return load_markdown(decode_text(data, name, encoding), name)
    from index.load.html import load_html

    return load_html(decode_html(data, name, encoding), name)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()

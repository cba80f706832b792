"""The suffix of a name → the loader: the one list of what can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from index.load.parts import Part, Reading

TEXT = frozenset({".txt", ".text"})
MARKDOWN = frozenset({".md", ".markdown"})
HTML = frozenset({".html", ".htm", ".xhtml"})
TABLES = frozenset({".csv", ".tsv"})
OFFICE = frozenset({".pdf", ".docx", ".pptx", ".xlsx", ".epub"})
MAIL = frozenset({".eml"})
JSON = frozenset({".json"})
JSON_LINES = frozenset({".jsonl", ".ndjson"})
FEEDS = frozenset({".rss", ".atom", ".xml"})
ZIP = ".zip"
GZIP = ".gz"
_PLAIN = TEXT | MARKDOWN | HTML | TABLES | OFFICE | MAIL | JSON | JSON_LINES | FEEDS
SUFFIXES = _PLAIN | {ZIP, GZIP}


def supported(name: str) -> bool:
    """Return whether there is a loader for a file of this name; for `a.json.gz`, whether there is for `a.json`."""
    suffix = suffix_of(name)
    if suffix == GZIP:
        return suffix_of(name[: -len(GZIP)]) in _PLAIN
    return suffix in SUFFIXES


def suffix_of(name: str) -> str:
    """Return the last suffix of a name in lower case, with its dot; empty for none."""
    return PurePosixPath(name).suffix.lower()


def parts_of(data: bytes, name: str, how: Reading) -> Iterator[Part]:
    """Yield what is in a file that is `supported`, not yet canonical. Errors are yielded or end it."""
    # Parsers are imported where they are needed: they are heavy, and `citespan --help` is to be quick.
    suffix = suffix_of(name)
    if suffix in JSON | JSON_LINES:
        from index.load.jsonfile import load_json, load_json_lines

        yield from (load_json if suffix in JSON else load_json_lines)(data, name, how)
    elif suffix in FEEDS:
        from index.load.feed import load_feed

        yield from load_feed(data, name, how)
    elif suffix in TABLES:
        from index.load.tabular import load_table

        yield from load_table(data, name, how)
    elif suffix == ZIP:
        from index.load.archive import load_zip

        yield from load_zip(data, name, how)
    elif suffix == GZIP:
        from index.load.archive import load_gzip

        yield from load_gzip(data, name, how)
    elif suffix in OFFICE:
        yield _office(data, name, suffix)
    else:
        yield _written(data, name, suffix, how.encoding)


def _written(data: bytes, name: str, suffix: str, encoding: str | None) -> Part:
    from index.load.decode import decode_html, decode_text

    if suffix in TEXT:
        from index.load.text import load_text

        return load_text(decode_text(data, name, encoding), name)
    if suffix in MARKDOWN:
        from index.load.markdown import load_markdown

        return load_markdown(decode_text(data, name, encoding), name)
    if suffix in MAIL:
        from index.load.mail import load_mail

        return load_mail(data, name, encoding)
    from index.load.html import load_html

    return load_html(decode_html(data, name, encoding), name)


def _office(data: bytes, name: str, suffix: str) -> Part:
    if suffix == ".pdf":
        from index.load.pdf import load_pdf

        return load_pdf(data, name)
    if suffix == ".docx":
        from index.load.docx import load_docx

        return load_docx(data, name)
    if suffix == ".pptx":
        from index.load.pptx import load_pptx

        return load_pptx(data, name)
    if suffix == ".xlsx":
        from index.load.xlsx import load_xlsx

        return load_xlsx(data, name)
    from index.load.epub import load_epub

    return load_epub(data, name)

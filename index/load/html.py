"""HTML → the main text of the page and what the page says of itself."""

from __future__ import annotations

import logging
import re
from typing import Any

from htmldate.extractors import try_date_expr
from lxml import etree, html  # type: ignore[import-untyped]
from trafilatura.core import bare_extraction
from trafilatura.metadata import extract_metadata
from trafilatura.settings import Document
from trafilatura.utils import line_processing, trim

from index.load.blocks import Blocks
from index.load.markup import UNSEEN, tame_tree, visible_text
from index.load.metadata import describe
from index.types import LoadedDocument, Metadata

logger = logging.getLogger(__name__)
for _library in ("trafilatura", "htmldate", "courlan", "justext", "charset_normalizer"):
    # Without any handler their warnings would land on the terminal, in the middle of a progress bar.
    logging.getLogger(_library).addHandler(logging.NullHandler())

# Only dates that the page states: a search of the whole text takes any date for its own. The bounds are fixed, since
# the default, the day of the run, would make the same page give another date tomorrow.
_DATES: dict[str, Any] = {
    "extensive_search": False,
    "original_date": True,
    "min_date": "1900-01-01",
    "max_date": "2100-01-01",
}
# In XHTML `<script/>` is closed; to an HTML parser all that follows would be script.
_SELF_CLOSED = re.compile(r"<(script|style|title|iframe|textarea|noscript|div|span|a|p)\b([^<>]*)/>", re.IGNORECASE)
# trafilatura's own tags → HTML's.
_TAGS = {"head": "h1", "list": "ul", "item": "li", "row": "tr", "cell": "td", "quote": "blockquote", "lb": "br"}


def load_html(source: str, name: str) -> LoadedDocument:
    """Return the main text of the page, a block a line, or all visible text where none stands out or the page is huge.

    :raises UnreadableDocument: nested deeper than 1,000 elements, or more than 1,000,000 of them.
    """
    if name.lower().endswith(".xhtml") or source.lstrip().startswith("<?xml"):
        source = _SELF_CLOSED.sub(r"<\1\2></\1>", source)
    try:
        tree, whole = tame_tree(source, name)
        text = _main_text(tree) if whole else ""
        if not text or not _is_made_of(text, visible_text(source, name, UNSEEN)):
            text = visible_text(source, name)
        return LoadedDocument(text=text, metadata=_metadata(tree))
    finally:
        # They hold lines of the document, which must be gone once it is purged.
        line_processing.cache_clear()
        trim.cache_clear()
        try_date_expr.cache_clear()


def _main_text(tree: html.HtmlElement) -> str:
    """Return the main text, empty when there is none."""
    try:
        # "xml" only keeps it from rendering text by recursion; the tree that comes back is rendered here.
        document = bare_extraction(tree, output_format="xml", include_comments=False)
    except Exception:  # whatever trips a heuristic, the visible text remains
        logger.debug("main-text extraction failed", exc_info=True)
        return ""
    return _rendered(document.body) if isinstance(document, Document) and document.body is not None else ""


def _is_made_of(text: str, shown: str) -> bool:
    """Return whether at least half of `text` stands in lines that the page shows.

    When trafilatura finds little it hands out the whole page as one paragraph, or an article hidden in JSON.
    """
    lines = [_squeezed(line) for line in text.split("\n")]
    known = {_squeezed(line) for line in shown.split("\n")}
    own = sum(len(line) for line in lines if line in known)
    return own > 0 and 2 * own >= sum(map(len, lines))


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _rendered(body: html.HtmlElement) -> str:
    blocks = Blocks()
    for event, element in etree.iterwalk(body, events=("start", "end")):
        tag = _TAGS.get(element.tag, element.tag)
        if tag == "code" and element.getparent() is body:
            tag = "p"
        if event == "start":
            blocks.start(tag)
            blocks.text(element.text or "")
        else:
            blocks.end(tag)
            blocks.text(element.tail or "")
    return blocks.result()


def _metadata(tree: html.HtmlElement) -> Metadata:
    try:
        found = extract_metadata(tree, date_config=_DATES)
    except Exception:  # a broken page may still be worth quoting
        logger.debug("metadata extraction failed", exc_info=True)
        found = Document()
    return describe(
        title=found.title,
        author=found.author,
        publisher=found.sitename,
        published_at=found.date,
        language=_language(tree),
        url=found.url,
        tags=[part for tag in found.tags or () for part in tag.split(",")],
    )


def _language(tree: html.HtmlElement) -> str | None:
    if tree.get("lang"):
        return str(tree.get("lang"))
    for meta in tree.iterfind(".//meta[@content]"):
        key = (meta.get("http-equiv") or meta.get("property") or "").lower()
        if key in {"content-language", "og:locale"}:
            return str(meta.get("content"))
    return None

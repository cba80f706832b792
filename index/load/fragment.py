"""A field of a record or feed entry → its text; feeds and exports put HTML there, and seldom say so."""

from __future__ import annotations

import html
import re

from index.load.normalise import without_controls
from index.load.text import unwrap

_TAGS = (
    "p|br|div|a|h[1-6]|ul|ol|li|span|strong|em|b|i|table|tr|td|th|blockquote|article|section|figure|figcaption|pre|code"
)
# Text about HTML names a tag; HTML closes it.
_MARKUP = re.compile(rf"</(?:{_TAGS})\s*>|<br\s*/?>|<p>|<img\s", re.IGNORECASE)
_PAGE = re.compile(r"<(?:html|body)[\s>]", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def fragment_text(source: str, name: str) -> str:
    """Return the text in `source`: of a page its main text, of a piece of HTML all that is visible, else as it stands.

    :raises UnreadableDocument: HTML beyond the limits of HTML.
    """
    if _PAGE.search(source) and _MARKUP.search(source):
        from index.load.html import load_html

        return load_html(source, name).text
    if _MARKUP.search(source):
        from index.load.markup import UNSEEN, visible_text

        return visible_text(source, name, UNSEEN)
    return unwrap(without_controls(_unescaped(source)))


def fragment_line(source: str | None, name: str) -> str | None:
    """Return the text of a short field, such as a title, without markup; None for None."""
    if source is None or not _MARKUP.search(source):
        return None if source is None else _unescaped(source)
    return fragment_text(source, name)


def _unescaped(source: str) -> str:
    return html.unescape(source) if _ENTITY.search(source) else source

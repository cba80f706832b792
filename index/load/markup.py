"""HTML as a stream: its visible text, and a tree small and flat enough for the main-text extraction.

libxml2 builds its own tree in quadratic time on an element of many attributes and stops in silence at a depth of 256.
As a stream it is linear and loses nothing, so the tree is built here, within limits. Nothing is ever fetched.
"""

from __future__ import annotations

import re
from typing import Protocol

from lxml import etree, html  # type: ignore[import-untyped]

from index.errors import UnreadableDocument
from index.load.blocks import Blocks
from index.load.normalise import without_controls

# Never text that a reader sees.
UNSEEN = frozenset(
    {"applet", "audio", "button", "canvas", "datalist", "embed", "head", "iframe", "input", "map", "noscript"}
    | {"object", "script", "select", "style", "svg", "template", "textarea", "title", "video"}
)
# What stands around the text on every page of a site.
FURNITURE = frozenset({"nav", "aside", "footer", "header"})
_ARTICLE = frozenset({"article", "main"})
_CHUNK = 64 * 1024
# Far more than any page; beyond it libxml2 looks through the whole stack at every stray end tag.
_MAX_DEPTH = 1_000
_MAX_ELEMENTS = 1_000_000
# The main-text extraction takes quadratic time: about three seconds for 20,000 elements on two cores.
_TREE_ELEMENTS = 20_000
_TREE_CHARACTERS = 2_000_000
_TREE_DEPTH = 100
_ATTRIBUTES = 50
_ATTRIBUTE_LENGTH = 4_096
_ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_TAG_NAME = re.compile(r"[a-z][a-z0-9]*")
_NOT_XML = re.compile("[\ufffe\uffff]")
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


class _Events(Protocol):
    """What is done with the elements and texts of a page, in order."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...


def visible_text(source: str, name: str, dropped: frozenset[str] = UNSEEN | FURNITURE) -> str:
    """Return the text of `source` block by block, without hidden elements and those in `dropped`.

    A `header` inside an article or main element belongs to the text and stays.

    :raises UnreadableDocument: nested deeper than 1,000 elements, or more than 1,000,000 of them.
    """
    visible = _Visible(dropped)
    _feed(source, name, visible)
    return visible.blocks.result()


def tame_tree(source: str, name: str) -> tuple[html.HtmlElement, bool]:
    """Return the page as a tree, and whether all of the page is in it.

    Left out are scripts (but for JSON-LD) and styles, comments, hidden elements, long or odd attributes, levels below
    100 (their text stays), and everything after 20,000 elements or 2,000,000 characters. Lines of `pre` are divided
    by `br`.

    :raises UnreadableDocument: as `visible_text`.
    """
    tame = _Tame()
    try:
        _feed(source, name, tame)
    except _TreeFullError:
        return tame.root, False
    return tame.root, True


def _feed(source: str, name: str, events: _Events) -> None:
    # huge_tree lifts limits (10 MB of text, depth 256) that guard libxml2's own tree, which is not built.
    parser = etree.HTMLParser(target=_Guard(events, name), encoding="utf-8", no_network=True, huge_tree=True)
    octets = without_controls(source).encode()
    if not octets.strip():
        return
    try:
        for start in range(0, len(octets), _CHUNK):
            parser.feed(octets[start : start + _CHUNK])
        parser.close()
    except etree.LxmlError as error:
        raise UnreadableDocument(name, f"not HTML that can be read: {error}") from error


class _Guard:
    """Passes events on while the page keeps within the limits."""

    def __init__(self, events: _Events, name: str) -> None:
        self._events = events
        self._name = name
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _MAX_DEPTH:
            raise UnreadableDocument(self._name, f"elements are nested deeper than {_MAX_DEPTH:,}; simplify the page")
        if self._elements > _MAX_ELEMENTS:
            raise UnreadableDocument(self._name, f"more than {_MAX_ELEMENTS:,} elements; split the page")
        self._events.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._events.end(tag)

    def data(self, text: str) -> None:
        self._events.data(text)

    def close(self) -> None:
        return None


class _Visible:
    """Events → blocks."""

    def __init__(self, dropped: frozenset[str]) -> None:
        self.blocks = Blocks()
        self._dropped = dropped
        self._hidden = 0
        self._articles = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._hidden or self._hides(tag, attributes):
            self._hidden += 1
            return
        self._articles += tag in _ARTICLE
        self.blocks.start(tag)

    def end(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= 1
            return
        self._articles -= tag in _ARTICLE
        self.blocks.end(tag)

    def data(self, text: str) -> None:
        if not self._hidden:
            self.blocks.text(text)

    def _hides(self, tag: str, attributes: dict[str, str]) -> bool:
        if tag in self._dropped:
            return not (tag == "header" and self._articles)
        return _is_hidden(tag, attributes)


class _TreeFullError(Exception):
    """The tree has reached its limits; the rest of the page need not be parsed for it."""


class _Tame:
    """Events → a tree within limits."""

    def __init__(self) -> None:
        self.root = html.HTMLParser(no_network=True).makeelement("html")
        self._open = [self.root]
        # The element whose tail comes next; None while the text of the innermost open one does.
        self._last: html.HtmlElement | None = None
        self._text: list[str] = []
        self._skipped = 0
        self._flattened = 0
        self._verbatim = 0
        self._elements = 0
        self._characters = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        code = tag == "style" or (tag == "script" and "ld+json" not in attributes.get("type", ""))
        if self._skipped or code or _is_hidden(tag, attributes):
            self._skipped += 1
            return
        if len(self._open) > _TREE_DEPTH:
            self._flattened += 1
            self._text.append(" ")
            return
        self._flush()
        self._verbatim += tag == "pre"
        if tag == "html":
            self._open.append(self.root)
            self.root.attrib.update(_tame_attributes(attributes))
        else:
            self._open.append(self._add(tag if _TAG_NAME.fullmatch(tag) else "span", _tame_attributes(attributes)))
        self._last = None

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif self._flattened:
            self._flattened -= 1
            self._text.append(" ")
        else:
            self._flush()
            self._verbatim -= tag == "pre"
            self._last = self._open.pop()
            if len(self._open) == 1:
                self._last = None

    def data(self, text: str) -> None:
        if self._skipped:
            return
        self._characters += len(text)
        if self._characters > _TREE_CHARACTERS:
            raise _TreeFullError
        if not self._verbatim:
            self._text.append(text)
            return
        first, *others = text.split("\n")
        self._text.append(first)
        for line in others:
            self._flush()
            self._last = self._add("br", {})
            self._text.append(line)

    def _add(self, tag: str, attributes: dict[str, str]) -> html.HtmlElement:
        self._elements += 1
        if self._elements > _TREE_ELEMENTS:
            raise _TreeFullError
        return etree.SubElement(self._open[-1], tag, attributes)

    def _flush(self) -> None:
        text = _NOT_XML.sub("", without_controls("".join(self._text)))
        self._text.clear()
        if not text:
            return
        if self._last is None:
            self._open[-1].text = (self._open[-1].text or "") + text
        else:
            self._last.tail = (self._last.tail or "") + text


def _is_hidden(tag: str, attributes: dict[str, str]) -> bool:
    # Some pages hide all of themselves until a script has run.
    if tag in {"html", "body"}:
        return False
    return "hidden" in attributes or _NOT_SHOWN.search(attributes.get("style", "")) is not None


def _tame_attributes(attributes: dict[str, str]) -> dict[str, str]:
    return {
        key: _NOT_XML.sub("", without_controls(value))
        for key, value in list(attributes.items())[:_ATTRIBUTES]
        if len(value) <= _ATTRIBUTE_LENGTH and _ATTRIBUTE_NAME.fullmatch(key)
    }

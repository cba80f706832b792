"""DOCX → the text that a reader sees, a block a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree  # type: ignore[import-untyped]

from index.load.blocks import Blocks
from index.load.figures import SUPERSCRIPTS
from index.load.ooxml import main_part, metadata_of, relations, text_in
from index.load.package import Package, attribute, child, children, local
from index.types import LoadedDocument

# Removed by a tracked change, or moved away by one.
_GONE = frozenset({"del", "moveFrom", "delText", "delInstrText"})
# Nothing to read: properties, field codes, readings above Chinese letters, charts.
_UNSEEN = frozenset({"pPr", "rPr", "tblPr", "trPr", "tcPr", "sectPr", "sdtPr", "instrText", "rt", "tblGrid"})
_NOTES = ("footnotes", "endnotes")
_CONTENTS = re.compile(r"(?:toc|contents) ?\d*", re.IGNORECASE)
_HEADING = re.compile(r"(?:heading ?\d*|title|subtitle)", re.IGNORECASE)
_TITLE = "title"


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    is_list: bool


def load_docx(data: bytes, name: str) -> LoadedDocument:
    """Return paragraphs, lists, tables and text boxes in order, then the notes, and the properties of the document.

    Tracked insertions are in it; tracked deletions, hidden text, comments, tables of contents, page headers and footers
    are not. The title is that of the properties, else the first paragraph in the style Title. A file says when it was
    made, not when it was published: the date is that of a custom property named "Published", if any.

    :raises UnreadableDocument: damaged, encrypted, or not a Word document.
    :raises DocumentTooLarge: over the limits of `Package`.
    """
    package = Package(data, name)
    path = main_part(package, "document.xml")
    linked = relations(package, path)
    places = {relation.kind: relation.path for relation in reversed(linked) if relation.path in package}
    writer = _Writer(_styles(package.xml(places["styles"])) if "styles" in places else {})
    writer.blocks_of(package.xml(path))
    for kind in _NOTES:
        if kind in places:
            for note in children(package.xml(places[kind]), kind[:-1]):
                # The lines that separate notes from the text are notes of a type.
                if attribute(note, "type") in {None, "normal"}:
                    writer.blocks_of(note)
    return LoadedDocument(text=writer.text(), metadata=metadata_of(package, writer.title))


def _styles(root: etree._Element) -> dict[str, _Style]:
    return {
        attribute(style, "styleId") or "": _Style(
            attribute(child(style, "name"), "val") or "", child(style, "pPr", "numPr") is not None
        )
        for style in children(root, "style")
    }


class _Writer:
    """Walks over the elements of a document; the parser bounds their depth."""

    def __init__(self, styles: dict[str, _Style]) -> None:
        self.title: str | None = None
        self._styles = styles
        self._blocks = Blocks()
        self._in_list = False

    def text(self) -> str:
        """Return all text so far."""
        self._list(False)
        return self._blocks.result()

    def blocks_of(self, parent: etree._Element) -> None:
        """Add the blocks below `parent`."""
        for element in parent:
            tag = local(element)
            if tag in _GONE or tag in _UNSEEN:
                continue
            if tag == "p":
                self._paragraph(element)
            elif tag == "tbl":
                self._list(False)
                self._within("table", element)
            elif tag == "tr":
                if child(element, "trPr", "del") is None:
                    self._within("tr", element)
            elif tag == "tc":
                self._within("td", element)
            else:
                self.blocks_of(_choice(element))

    def _within(self, tag: str, element: etree._Element) -> None:
        self._blocks.start(tag)
        self.blocks_of(element)
        self._list(False)
        self._blocks.end(tag)

    def _paragraph(self, element: etree._Element) -> None:
        style = self._styles.get(attribute(child(element, "pPr", "pStyle"), "val") or "", _Style("", False))
        boxes: list[etree._Element] = []
        pieces = list(_inline(element, boxes))
        text = "".join(pieces).strip()
        if text and not _CONTENTS.fullmatch(style.name):
            if self.title is None and style.name.lower() == _TITLE:
                self.title = text
            item = _is_item(element, style)
            self._list(item)
            self._blocks.start("li" if item else "p")
            if item:
                self._blocks.text("- ")
            for piece in pieces:
                if piece == "\n":
                    self._blocks.start("br")
                else:
                    self._blocks.text(piece)
            self._blocks.end("li" if item else "p")
        for box in boxes:
            self._list(False)
            self._blocks.start("div")
            self.blocks_of(box)
            self._list(False)
            self._blocks.end("div")

    def _list(self, wanted: bool) -> None:
        """Open or close the list, if it is not yet."""
        if wanted and not self._in_list:
            self._blocks.start("ul")
        elif self._in_list and not wanted:
            self._blocks.end("ul")
        self._in_list = wanted


def _is_item(paragraph: etree._Element, style: _Style) -> bool:
    if _HEADING.fullmatch(style.name):
        return False
    number = attribute(child(paragraph, "pPr", "numPr", "numId"), "val")
    # Number 0 takes a paragraph out of the list of its style.
    return style.is_list if number is None else number != "0"


def _inline(parent: etree._Element, boxes: list[etree._Element]) -> Iterator[str]:
    r"""Yield the pieces of a paragraph, "\n" alone for a line break; text boxes in it go to `boxes`."""
    for element in parent:
        tag = local(element)
        if tag in _GONE or tag in _UNSEEN:
            continue
        if tag == "t":
            yield (element.text or "").replace("\n", " ")
        elif tag in {"tab", "ptab"}:
            yield " "
        elif tag == "cr" or (tag == "br" and attribute(element, "type") in {None, "textWrapping"}):
            yield "\n"
        elif tag == "noBreakHyphen":
            yield "-"
        elif tag == "txbxContent":
            boxes.append(element)
        elif tag != "r":
            yield from _inline(_choice(element), boxes)
        elif not _has(element, "vanish"):
            raised = attribute(child(element, "rPr", "vertAlign"), "val") == "superscript"
            for piece in _inline(element, boxes):
                yield piece.translate(SUPERSCRIPTS) if raised else piece


def _has(run: etree._Element, name: str) -> bool:
    """Return whether a property of a run is on."""
    found = child(run, "rPr", name)
    return found is not None and attribute(found, "val") not in {"0", "false", "off"}


def _choice(element: etree._Element) -> etree._Element:
    """Return the first of several renderings of the same thing, else `element` itself."""
    if local(element) != "AlternateContent":
        return element
    found = [part for part in children(element, "Choice", "Fallback") if text_in(part).strip()]
    return found[0] if found else element

"""PPTX → the text of its slides; a slide is a page."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from index.errors import DocumentTooLarge, EmptyDocument, UnreadableDocument
from index.load.blocks import Blocks
from index.load.ooxml import main_part, metadata_of, relations
from index.load.package import Package, attribute, child, children, local
from index.load.pages import paged
from index.types import LoadedDocument

SLIDES = 5_000
_TITLES = frozenset({"title", "ctrTitle"})
# The same on every slide, or a number.
_FURNITURE = frozenset({"dt", "ftr", "hdr", "sldNum", "sldImg"})
_NOTES = "Notes: "


def load_pptx(data: bytes, name: str) -> LoadedDocument:
    """Return the slides in order as pages: title, text, tables, then the notes, marked "Notes:"; and the properties.

    A hidden slide keeps its number and has no text. Dates, footers, slide numbers and hidden shapes are left out. The
    title is that of the properties, else that of the first slide that has one.

    :raises UnreadableDocument: damaged, encrypted, or not a presentation.
    :raises DocumentTooLarge: over 5,000 slides, or over the limits of `Package`.
    :raises EmptyDocument: no slide.
    """
    package = Package(data, name)
    path = main_part(package, "presentation.xml")
    targets = {relation.id: relation.path for relation in relations(package, path) if relation.kind == "slide"}
    listed = child(package.xml(path), "sldIdLst")
    slides = [] if listed is None else [_relation_id(slide) for slide in children(listed, "sldId")]
    if not slides:
        raise EmptyDocument(name, "no slide in it")
    if len(slides) > SLIDES:
        raise DocumentTooLarge(name, f"{len(slides):,} slides, over the limit of {SLIDES:,}; split it")
    pages: list[str] = []
    title: str | None = None
    for number, slide in enumerate(slides, start=1):
        if slide not in targets:
            raise UnreadableDocument(name, f"slide {number} is missing in it; save it anew")
        text, heading = _slide(package, targets[slide])
        pages.append(text)
        title = heading if title is None else title
    return paged(pages, metadata_of(package, title))


def _relation_id(slide: etree._Element) -> str:
    """Return the attribute `r:id`, which stands beside a plain `id`."""
    return next((str(value) for key, value in slide.attrib.items() if key.endswith("}id")), "")


def _slide(package: Package, path: str) -> tuple[str, str | None]:
    """Return the text of a slide and its title."""
    root = package.xml(path)
    if root.get("show") in {"0", "false"}:
        return "", None
    shapes = list(_shapes(child(root, "cSld", "spTree")))
    titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
    blocks = Blocks()
    for shape in [*titles, *(shape for shape in shapes if shape not in titles)]:
        _write(shape, blocks)
    for relation in relations(package, path):
        if relation.kind == "notesSlide" and relation.path in package:
            for shape in _shapes(child(package.xml(relation.path), "cSld", "spTree")):
                if _placeholder(shape) == "body":
                    _write(shape, blocks, _NOTES)
    title = " ".join(line for shape in titles for line in _lines(child(shape, "txBody")))
    return blocks.result(), title if title else None


def _shapes(parent: etree._Element | None) -> Iterator[etree._Element]:
    """Yield the shapes with text and the frames with tables, in groups too, but for furniture and hidden ones."""
    if parent is None:
        return
    for element in parent:
        tag = local(element)
        if tag == "AlternateContent":
            yield from _shapes(child(element, "Choice"))
        elif tag in {"sp", "grpSp", "graphicFrame"} and not _is_hidden(element):
            if tag == "grpSp":
                yield from _shapes(element)
            elif _placeholder(element) not in _FURNITURE:
                yield element


def _placeholder(shape: etree._Element) -> str | None:
    """Return what a shape is a placeholder for; None for none. One without a type is for the body."""
    found = child(shape, "nvSpPr", "nvPr", "ph")
    return None if found is None else found.get("type", "body")


def _is_hidden(shape: etree._Element) -> bool:
    return any(
        attribute(child(properties, "cNvPr"), "hidden") in {"1", "true"}
        for properties in children(shape, "nvSpPr", "nvGrpSpPr", "nvGraphicFramePr")
    )


def _write(shape: etree._Element, blocks: Blocks, mark: str = "") -> None:
    table = child(shape, "graphic", "graphicData", "tbl")
    if table is not None:
        blocks.start("table")
        for row in children(table, "tr"):
            blocks.start("tr")
            for cell in children(row, "tc"):
                blocks.start("td")
                blocks.text(" ".join(_lines(child(cell, "txBody"))))
                blocks.end("td")
            blocks.end("tr")
        blocks.end("table")
        return
    lines = list(_lines(child(shape, "txBody")))
    if lines:
        blocks.start("ul")
        for line in lines:
            blocks.start("li")
            blocks.text(mark + line)
            blocks.end("li")
            mark = ""
        blocks.end("ul")


def _lines(body: etree._Element | None) -> Iterator[str]:
    """Yield the paragraphs that are not empty; a line break in one, mostly there to make a title fit, is a space."""
    if body is None:
        return
    for paragraph in children(body, "p"):
        pieces = (
            " " if local(run) in {"br", "tab"} else (getattr(child(run, "t"), "text", None) or "")
            for run in children(paragraph, "r", "fld", "br", "tab")
        )
        line = " ".join("".join(pieces).split())
        if line:
            yield line

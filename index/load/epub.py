"""EPUB → the text of its chapters in the order of reading."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree  # type: ignore[import-untyped]

from index.errors import DocumentTooLarge, EmptyDocument, UnreadableDocument
from index.load.decode import decode_html
from index.load.files import MIB
from index.load.markup import UNSEEN, visible_text
from index.load.metadata import describe, iso_date
from index.load.package import Package, attribute, child, children, local, resolved
from index.types import LoadedDocument, Metadata

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_RIGHTS = frozenset({"META-INF/rights.xml", "META-INF/sinf.xml"})
# Fonts are scrambled so that nobody copies them out; the text is not.
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
_SPINE = 10_000
_CHAPTER = 32 * MIB
# Asides are notes here, and headers and footers belong to a chapter, not to a site.
_LEFT_OUT = UNSEEN | {"nav"}
# In XHTML `<title/>` is closed; to an HTML parser the whole chapter would be the title.
_SELF_CLOSED = re.compile(
    r"<(script|style|title|iframe|textarea|noscript|div|span|a|p|i|b|em|strong)\b([^<>]*)/>", re.IGNORECASE
)
# A note's number, glued to the full stop, would make one sentence of two.
_NOTE_MARK = re.compile(
    r"""<a\s[^<>]{0,500}?["'\s](?:doc-)?noteref["'\s][^<>]{0,500}>(?:\s|<su[bp][^<>]{0,200}>|</su[bp]>|[\[(]?\w{1,4}[\])]?){1,9}</a>""",
    re.IGNORECASE,
)


def load_epub(data: bytes, name: str) -> LoadedDocument:
    """Return the chapters in the order of the spine, and what the book says of itself.

    Navigation and the marks of notes are left out. The date is that of publication, where the day is given.
    The address is an identifier or source that is one.

    :raises UnreadableDocument: damaged, protected (DRM), or not an EPUB.
    :raises DocumentTooLarge: over 10,000 chapters, one over 32 MiB, or over the limits of `Package`.
    :raises EmptyDocument: no chapter.
    """
    package = Package(data, name)
    if _CONTAINER not in package:
        raise UnreadableDocument(name, "not an EPUB, whatever its name says")
    path = _package_document(package)
    root = package.xml(path)
    chapters = _chapters(root, path)
    if not chapters:
        raise EmptyDocument(name, "no chapter in it")
    if len(chapters) > _SPINE:
        raise DocumentTooLarge(name, f"{len(chapters):,} chapters, over the limit of {_SPINE:,}; split it")
    _refuse_protected(package, chapters)
    texts = [_text(package, chapter) for chapter in chapters]
    return LoadedDocument(text="\n\n".join(text for text in texts if text), metadata=_metadata(root))


def _package_document(package: Package) -> str:
    rootfiles = child(package.xml(_CONTAINER), "rootfiles")
    for rootfile in () if rootfiles is None else children(rootfiles, "rootfile"):
        place = resolved("", rootfile.get("full-path", ""))
        if place in package:
            return place
    raise UnreadableDocument(package.name, "it does not say where its contents are; convert it anew")


def _chapters(root: etree._Element, base: str) -> list[str]:
    """Return the paths of the documents in the spine, each once, without navigation."""
    manifest, spine, guide = child(root, "manifest"), child(root, "spine"), child(root, "guide")
    contents = {
        resolved(base, reference.get("href", ""))
        for reference in (() if guide is None else children(guide, "reference"))
        if reference.get("type") == "toc"
    }
    items = {item.get("id"): item for item in (() if manifest is None else children(manifest, "item"))}
    found: dict[str, None] = {}
    for entry in () if spine is None else children(spine, "itemref"):
        item = items.get(entry.get("idref"))
        if item is None or item.get("media-type") not in _CHAPTERS or "nav" in item.get("properties", "").split():
            continue
        place = resolved(base, item.get("href", ""))
        if place not in contents:
            found[place] = None
    return list(found)


def _refuse_protected(package: Package, chapters: Sequence[str]) -> None:
    protected = UnreadableDocument(package.name, "protected against copying (DRM); only a copy without it can be read")
    if any(path in package for path in _RIGHTS):
        raise protected
    if _ENCRYPTION not in package:
        return
    for entry in children(package.xml(_ENCRYPTION), "EncryptedData"):
        method = attribute(child(entry, "EncryptionMethod"), "Algorithm")
        place = attribute(child(entry, "CipherData", "CipherReference"), "URI") or ""
        if method not in _FONT_SCRAMBLING and resolved("", place) in chapters:
            raise protected


def _text(package: Package, path: str) -> str:
    data = package.read(path)
    if len(data) > _CHAPTER:
        raise DocumentTooLarge(package.name, f"a chapter of over {_CHAPTER / MIB:g} MiB; split it")
    source = _SELF_CLOSED.sub(r"<\1\2></\1>", decode_html(data, package.name))
    return visible_text(_NOTE_MARK.sub("", source), package.name, _LEFT_OUT)


def _metadata(root: etree._Element) -> Metadata:
    stated = child(root, "metadata")
    said: list[tuple[str, str, str | None]] = []
    if stated is not None:
        # EPUB 2 may put them one level deeper, into `dc-metadata`.
        for element in [*stated, *(inner for part in children(stated, "dc-metadata") for inner in part)]:
            if isinstance(element.tag, str) and element.text:
                said.append((local(element).lower(), element.text.strip(), attribute(element, "event")))

    def values(name: str) -> list[str]:
        return [text for key, text, _ in said if key == name and text]

    dates = [text for key, text, event in said if key == "date" and event in {None, "publication"}]
    addresses = [text for text in values("source") + values("identifier") if text.startswith(("http://", "https://"))]
    return describe(
        title=next(iter(values("title")), None),
        author=", ".join(values("creator")),
        publisher=next(iter(values("publisher")), None),
        published_at=next((text for text in dates if iso_date(text) is not None), None),
        language=next(iter(values("language")), None),
        url=next(iter(addresses), None),
        tags=values("subject"),
    )

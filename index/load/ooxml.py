"""What Word, PowerPoint and Excel files share: relations between parts, and what the document says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree  # type: ignore[import-untyped]

from index.errors import UnreadableDocument
from index.load.metadata import describe
from index.load.package import Package, attribute, children, local, resolved
from index.types import Metadata

# `created` and `modified` say when a file was worked on, not when it was published; these say so.
_PUBLISHED = ("published_at", "published", "publication date", "date published", "publicationdate")


@dataclass(frozen=True, slots=True)
class Relation:
    """A part that another part refers to; `kind` is the last word of the relation's type, such as "slide"."""

    id: str
    kind: str
    path: str


def relations(package: Package, path: str) -> list[Relation]:
    """Return the parts that the part at `path` refers to, "" for the package itself; links to the outside are none.

    :raises UnreadableDocument: damaged.
    """
    folder, _, file = path.rpartition("/")
    place = f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels"
    if place not in package:
        return []
    found = []
    for element in children(package.xml(place), "Relationship"):
        target = element.get("Target")
        if target is None or element.get("TargetMode") == "External":
            continue
        kind = element.get("Type", "").rpartition("/")[2]
        found.append(Relation(element.get("Id", ""), kind, resolved(path, target)))
    return found


def main_part(package: Package, kind: str) -> str:
    """Return the path of the document itself, whose name ends in `kind`, such as "document.xml".

    :raises UnreadableDocument: there is none, so the file is something else.
    """
    for relation in relations(package, ""):
        if relation.kind == "officeDocument" and relation.path in package:
            return relation.path
    found = next((path for path in package.paths() if path.endswith("/" + kind)), None)
    if found is None:
        raise UnreadableDocument(package.name, "not an office document, whatever its name says")
    return found


def metadata_of(package: Package, title: str | None = None) -> Metadata:
    """Return what the properties of the document say; `title` where they name none.

    The date of publication, the publisher and the address are read from custom properties of these names.
    """
    core = _properties(package, "core-properties")
    custom = _properties(package, "custom-properties")
    stated = core.get("title")
    return describe(
        title=title if stated is None else stated,
        author=core.get("creator"),
        publisher=custom.get("publisher"),
        published_at=next((custom[key] for key in _PUBLISHED if key in custom), None),
        language=core.get("language"),
        url=custom.get("url"),
        tags=re.split("[,;]", core.get("keywords", "")),
    )


def _properties(package: Package, kind: str) -> dict[str, str]:
    """Return the properties of one kind, by name in lower case; none where they are damaged."""
    try:
        paths = [relation.path for relation in relations(package, "") if relation.kind == kind]
        root = package.xml(paths[0]) if paths and paths[0] in package else None
    except UnreadableDocument:
        return {}
    if root is None:
        return {}
    found: dict[str, str] = {}
    for element in root:
        text = text_in(element).strip()
        if text:
            found.setdefault((attribute(element, "name") or local(element)).lower(), text)
    return found


def text_in(element: etree._Element) -> str:
    """Return all text below `element`."""
    return "".join(element.itertext(etree.Element))

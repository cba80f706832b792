"""A document that is a zip of XML parts (office files, EPUB): its parts, with bounds on everything."""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree  # type: ignore[import-untyped]

from index.errors import DocumentTooLarge, UnreadableDocument
from index.load.files import MIB
from index.load.limits import Limits

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LIMITS = Limits()
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, IndexError, NotImplementedError,
    RuntimeError,
)  # fmt: skip
_XML = 64 * MIB


class Package:
    """The parts of one document, by path. Nothing is written to disk, and every byte unpacked is counted.

    :raises UnreadableDocument: not a zip archive, damaged, or encrypted.
    :raises DocumentTooLarge: more than 10,000 parts, or parts that claim more than 512 MiB or 200 times their size.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        if data.startswith(_OLE):
            raise UnreadableDocument(name, "encrypted with a password, or in an old format; save it anew without one")
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _ZIP_ERRORS as error:
            raise UnreadableDocument(name, f"damaged: not a sound zip archive ({error}); save it anew") from error
        files = [info for info in self._archive.infolist() if not info.is_dir()]
        if len(files) > _LIMITS.members:
            raise DocumentTooLarge(name, f"{len(files):,} parts, over the limit of {_LIMITS.members:,}")
        # zipfile hands out no more of a part than is claimed here, so a lie makes it damaged, not large.
        unpacked = sum(info.file_size for info in files)
        if unpacked > min(_LIMITS.unpacked, max(MIB, _LIMITS.ratio * len(data))):
            raise DocumentTooLarge(
                name,
                f"unpacks to {unpacked / MIB:.1f} MiB, over {_LIMITS.unpacked / MIB:g} MiB or {_LIMITS.ratio} times "
                "its size; split it",
            )
        self._parts = {info.filename: info for info in files}
        self._left = _LIMITS.unpacked

    def __contains__(self, path: str) -> bool:
        return path in self._parts

    def paths(self) -> list[str]:
        """Return the paths of all parts, in the order of the archive."""
        return list(self._parts)

    def read(self, path: str) -> bytes:
        """Return the bytes of a part.

        :raises UnreadableDocument: there is none, or it is damaged or encrypted.
        :raises DocumentTooLarge: parts were read again and again, beyond 512 MiB.
        """
        info = self._parts.get(path)
        if info is None:
            raise UnreadableDocument(self.name, f"its part {_shown(path)} is missing; save it anew")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise UnreadableDocument(self.name, f"its part {_shown(path)} is encrypted or packed oddly; save it anew")
        self._left -= info.file_size
        if self._left < 0:
            raise DocumentTooLarge(self.name, "its parts refer to one another again and again; save it anew")
        try:
            return self._archive.read(info)
        except _ZIP_ERRORS as error:
            raise UnreadableDocument(
                self.name, f"its part {_shown(path)} is damaged ({error}); save it anew"
            ) from error

    def xml(self, path: str) -> etree._Element:
        """Return the root of an XML part, parsed without entities, document types, comments or the network.

        :raises UnreadableDocument: as `read`, not XML, with a document type, or nested deeper than 256 elements.
        :raises DocumentTooLarge: over 64 MiB; the tree of it takes ten times as much.
        """
        data = self.read(path)
        if len(data) > _XML:
            raise DocumentTooLarge(self.name, f"its part {_shown(path)} is over {_XML / MIB:g} MiB; split the document")
        return parse_xml(data, self.name, path)


def parse_xml(data: bytes, name: str, path: str) -> etree._Element:
    """Return the root of `data`; errors as those of `Package.xml`."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableDocument(name, f"its part {_shown(path)} is not sound XML ({error}); save it anew") from error
    if root is None:
        raise UnreadableDocument(name, f"its part {_shown(path)} is empty; save it anew")
    # Office files must have none, and an entity could stand for a gigabyte or for a file of this machine.
    if root.getroottree().docinfo.internalDTD is not None and _declares_entities(root):
        raise UnreadableDocument(name, f"its part {_shown(path)} declares entities; save it anew")
    return root


def _declares_entities(root: etree._Element) -> bool:
    return any(True for _ in root.getroottree().docinfo.internalDTD.iterentities())


def resolved(base: str, target: str) -> str:
    """Return the path of a part that the part at `base` refers to; a path out of the package is of no part there."""
    path = unquote(target.partition("#")[0])
    if path.startswith("/"):
        return posixpath.normpath(path).lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path))


def local(element: etree._Element) -> str:
    """Return the tag without its namespace; empty for anything but an element."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Yield the children of these tags, whatever their namespace."""
    return (child for child in element if local(child) in names)


def child(element: etree._Element, *path: str) -> etree._Element | None:
    """Return the first element at `path` of local names below `element`, None if there is none."""
    found: etree._Element | None = element
    for name in path:
        found = next(children(found, name), None) if found is not None else None
    return found


def attribute(element: etree._Element | None, name: str) -> str | None:
    """Return the value of an attribute, whatever its namespace; the one without a namespace first."""
    if element is None:
        return None
    plain = element.get(name)
    if plain is not None:
        return str(plain)
    return next((str(value) for key, value in element.attrib.items() if etree.QName(key).localname == name), None)


def _shown(path: str) -> str:
    return repr(path[:80])

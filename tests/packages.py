"""Zip packages from literals, for the tests of office files and EPUBs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from hypothesis import strategies as st

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a zip archive of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in parts.items():
            archive.writestr(path, content)
    return out.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    """Return the parts of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {path: archive.read(path) for path in archive.namelist()}


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """Return a part of relations: id → (kind, target)."""
    entries = "".join(
        f'<Relationship Id="{id_}" Type="{_TYPES}/{kind}" Target="{target}"/>'
        for id_, (kind, target) in targets.items()
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{entries}</Relationships>'
    )


def docx(body: str, parts: Mapping[str, str | bytes] | None = None) -> bytes:
    """Return a Word document with this body, in which the prefix of tags is `w:`."""
    main = {"a": ("officeDocument", "word/document.xml"), "b": ("custom-properties", "docProps/custom.xml")}
    return zipped(
        {
            "_rels/.rels": relations(main),
            "word/document.xml": f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>',
            **(parts or {}),
        }
    )


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw a copy of a package with changed bytes: in one of its parts, or anywhere and cut off."""
    if draw(st.booleans()):
        parts = unzipped(data)
        path = draw(st.sampled_from(sorted(parts)))
        parts[path] = _scratched(draw, parts[path])
        if draw(st.integers(0, 5)) == 0:
            del parts[path]
        return zipped(parts)
    octets = _scratched(draw, data)
    return octets[: draw(st.integers(0, len(octets)) | st.just(len(octets)))]


def _scratched(draw: st.DrawFn, data: bytes) -> bytes:
    octets = bytearray(data)
    for _ in range(draw(st.integers(0, 8)) if octets else 0):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets)

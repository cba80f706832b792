"""`.zip` and `.gz` → the files in them, unpacked in memory only, byte by byte counted. No header is believed."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Protocol

from index.errors import DocumentError, DocumentTooLarge, UnreadableDocument, UnsupportedFormat
from index.load.detect import clear_encoding
from index.load.formats import GZIP, parts_of, supported
from index.load.normalise import normalise
from index.load.parts import Part, Reading, collected, within
from index.load.sidecar import Sidecar, parse_sidecar, sidecars_of, with_sidecar
from index.types import LoadedDocument

_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# A zip in a zip is how exports are delivered; deeper ones are how bombs are built.
_DEEPEST = 2
_PIECE = 256 * 1024


def load_gzip(data: bytes, name: str, how: Reading) -> Iterator[Part]:
    """Yield what is in the one file that was packed; `news.jsonl.gz` holds `news.jsonl`.

    :raises UnreadableDocument: damaged.
    :raises DocumentTooLarge: it unpacks to more than the limits.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = _read(file, len(data), name, how)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableDocument(name, f"not sound gzip data ({error}); pack it again") from error
    packed = name[: -len(GZIP)]
    for part in collected(packed, parts_of(content, packed, how)):
        if isinstance(part, DocumentError):
            yield type(part)(name + part.name.removeprefix(packed), part.reason)
        else:
            yield part


def load_zip(data: bytes, name: str, how: Reading) -> Iterator[Part]:
    """Yield what is in the members that have a loader; hidden ones and those without a loader are left out.

    :raises UnreadableDocument: damaged, or a zip in a zip in a zip.
    :raises UnsupportedFormat: no member has a loader.
    :raises DocumentTooLarge: too many members.
    """
    if how.zips == _DEEPEST:
        raise UnreadableDocument(name, "a zip in a zip in a zip; unpack it yourself and sync the folder")
    how = replace(how, zips=how.zips + 1)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError, IndexError) as error:
        raise UnreadableDocument(name, f"not a sound zip archive ({error}); pack it again") from error
    with archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if len(files) > how.limits.members:
            raise DocumentTooLarge(name, f"{len(files):,} members, over the limit of {how.limits.members:,}; split it")
        # Of two members of one name the later one counts, as where files are unpacked.
        named = dict(zip(_names(files), files, strict=True))
        loadable = [member for member in named if supported(member) and not _is_hidden(member)]
        if not loadable:
            raise UnsupportedFormat(name, "a zip archive with nothing in it that has a loader")
        for member in loadable:
            yield from collected(f"{name}#{member}", within(member, _member(archive, named, member, name, how)))


def _member(
    archive: zipfile.ZipFile, named: Mapping[str, zipfile.ZipInfo], member: str, name: str, how: Reading
) -> Iterator[Part]:
    said = Sidecar()
    for beside in sidecars_of(member):
        if beside in named:
            whole = f"{name}#{beside}"
            said = parse_sidecar(_unpacked(archive, named[beside], beside, whole, how), whole)
            break
    whole = f"{name}#{member}"
    content = _unpacked(archive, named[member], member, whole, how)
    for part in parts_of(content, whole, how.told(said)):
        yield with_sidecar(part, said) if isinstance(part, LoadedDocument) else part


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: str, whole: str, how: Reading) -> bytes:
    """Return the bytes of a member."""
    path = PurePosixPath(member.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(member).drive:
        raise UnreadableDocument(whole, "its path leads out of the archive; pack it again without such paths")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UnreadableDocument(whole, "a symbolic link; pack the file itself")
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableDocument(whole, "encrypted; unpack it with its password first")
    if info.compress_type not in _METHODS:
        raise UnreadableDocument(whole, "packed by a method other than deflate; pack it again")
    try:
        with archive.open(info) as file:
            return _read(file, info.compress_size, whole, how)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UnreadableDocument(whole, f"damaged in the archive ({error}); pack it again") from error


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _read(file: _Readable, packed: int, name: str, how: Reading) -> bytes:
    allowed = how.unpacked.allowance(packed)
    pieces: list[bytes] = []
    size = 0
    while size <= allowed:
        piece = file.read(min(_PIECE, allowed + 1 - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    how.unpacked.add(size, packed, name)
    return b"".join(pieces)


def _is_hidden(member: str) -> bool:
    parts = PurePosixPath(member.replace("\\", "/")).parts
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts)


def _names(files: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Return a readable name for each file.

    Names that are not marked as UTF-8 may be in any encoding; zipfile reads them all as IBM 437.
    """
    raw = [None if info.flag_bits & _UTF8_NAME else info.orig_filename.encode("cp437", "replace") for info in files]
    encoding = _encoding_of([name for name in raw if name is not None])
    names = []
    for info, octets in zip(files, raw, strict=True):
        name = info.orig_filename if octets is None else octets.decode(encoding, "replace")
        names.append(normalise(name.partition("\0")[0]).replace("\n", " "))
    return names


def _encoding_of(names: Iterable[bytes]) -> str:
    together = b"\n".join(names)
    try:
        together.decode()
    except UnicodeDecodeError:
        found = clear_encoding(together)
        return "cp437" if found is None else found
    return "utf-8"

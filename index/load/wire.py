"""What a process and the child that loads files for it say to one another: JSON headers and raw bytes, no pickle."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

from index import errors
from index.errors import DocumentError, UnreadableDocument
from index.load.parts import Loaded
from index.types import LoadedDocument, Metadata

_SIZES = struct.Struct(">QQ")


def send(pipe: BinaryIO, header: Mapping[str, object], body: Sequence[bytes]) -> None:
    """Write one message.

    :raises OSError: nobody reads.
    """
    head = json.dumps(header, ensure_ascii=True).encode()
    pipe.write(_SIZES.pack(len(head), sum(map(len, body))))
    pipe.write(head)
    for piece in body:
        pipe.write(piece)
    pipe.flush()


def receive(pipe: BinaryIO, most: int) -> tuple[dict[str, Any], bytes]:
    """Return the next message, of at most `most` bytes.

    :raises EOFError: there is none, or only a part of one.
    :raises ValueError: it is larger, or no message.
    """
    head, body = _SIZES.unpack(_exactly(pipe, _SIZES.size))
    if head + body > most:
        raise ValueError(f"a message of {head + body:,} bytes")
    header: dict[str, Any] = json.loads(_exactly(pipe, head))
    return header, _exactly(pipe, body)


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def pack_loaded(loaded: Loaded) -> tuple[dict[str, object], list[bytes]]:
    """Return what came out of a file as a message."""
    texts = [document.text.encode() for document in loaded.documents]
    documents = [
        {"size": len(text), "member": one.member, "pages": one.pages, "metadata": asdict(one.metadata)}
        for one, text in zip(loaded.documents, texts, strict=True)
    ]
    return {"documents": documents, "failures": [pack_error(error) for error in loaded.failures]}, texts


def unpack_loaded(header: Mapping[str, Any], body: bytes) -> Loaded:
    """Return what `pack_loaded` packed.

    :raises KeyError, TypeError, ValueError: it is not that.
    """
    documents: list[LoadedDocument] = []
    start = 0
    for one in header["documents"]:
        end = start + one["size"]
        metadata = Metadata(**{**one["metadata"], "tags": tuple(one["metadata"]["tags"])})
        documents.append(LoadedDocument(body[start:end].decode(), metadata, one["member"], tuple(one["pages"])))
        start = end
    return Loaded(tuple(documents), tuple(unpack_error(error) for error in header["failures"]))


def pack_error(error: DocumentError) -> list[str]:
    """Return an error as the strings that `unpack_error` takes."""
    return [type(error).__name__, error.name, error.reason]


def unpack_error(packed: Sequence[str]) -> DocumentError:
    """Return the error again, of the same class."""
    kind, name, reason = packed
    found = getattr(errors, kind, UnreadableDocument)
    if not (isinstance(found, type) and issubclass(found, DocumentError)):
        found = UnreadableDocument
    return found(name, reason)

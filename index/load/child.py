"""The process that loads files for another one, within limits of memory and time that the system holds.

It is started by `isolate.SafeLoader`, and ends when its input does.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from typing import BinaryIO

from index.errors import DocumentError, UnreadableDocument
from index.load import load_all
from index.load.files import MIB
from index.load.limits import Limits
from index.load.wire import pack_error, pack_loaded, receive, send

# Parsers open no files beside their own code.
_DESCRIPTORS = 64
# The parent ends a child that takes too long; this is for a child whose parent is gone.
_GRACE_SECONDS = 5


def main() -> None:
    """Load files until the input ends."""
    requests, replies = _own_pipes()
    header, _ = receive(requests, MIB)
    memory = int(header["memory"])
    _limit(memory)
    while True:
        try:
            header, body = receive(requests, memory)
        except EOFError:
            return
        try:
            _serve(header, body, replies)
        except MemoryError:
            # Who knows what is half-built now: the next file gets another process.
            del body
            error = UnreadableDocument(
                header["name"], f"needs more than {memory / MIB:g} MiB of memory to load; split it"
            )
            send(replies, {"error": pack_error(error), "last": True}, [])
            return


def _serve(header: dict[str, object], body: bytes, replies: BinaryIO) -> None:
    name, encoding, size, settings = header["name"], header["encoding"], header["size"], header["limits"]
    assert isinstance(name, str)
    assert isinstance(size, int)
    assert isinstance(settings, dict)
    limits = Limits(**settings)
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(limits.seconds) + _GRACE_SECONDS)
    try:
        loaded = load_all(
            body[:size],
            name,
            encoding=encoding if isinstance(encoding, str) else None,
            sidecar=body[size:] if header["sidecar"] else None,
            limits=limits,
        )
        reply, texts = pack_loaded(loaded)
    except DocumentError as error:
        reply, texts = {"error": pack_error(error), "last": False}, []
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    send(replies, reply, texts)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return input and output, and put nothing in their places: a parser that prints must not spoil a message."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    return requests, replies


def _limit(memory: int) -> None:
    """Hold this process to `memory` bytes of address space, few files and no core dump, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, wanted in ((resource.RLIMIT_NOFILE, _DESCRIPTORS), (resource.RLIMIT_AS, memory)):
        _, hard = resource.getrlimit(kind)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            continue  # macOS has no limit of address space

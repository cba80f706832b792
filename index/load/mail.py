"""`.eml` → the text of a message and its header. Attachments are not read."""

from __future__ import annotations

import logging
import re
from email import message_from_bytes
from email.message import Message
from email.policy import compat32, default
from email.utils import getaddresses

from index.errors import EmptyDocument, UnreadableDocument
from index.load.decode import decode_declared
from index.load.metadata import describe
from index.load.normalise import without_controls
from index.load.text import unwrap
from index.types import LoadedDocument, Metadata

logger = logging.getLogger(__name__)

_PARTS = 1_000
_DEEPEST = 50
_HEADER = 4_096
_QUOTED = re.compile(r">+ ?")
_SIGNATURE = "-- "


def load_mail(data: bytes, name: str, encoding: str | None) -> LoadedDocument:
    """Return the text of a message, of its HTML where it has no plain text; subject → title, sender → author.

    :raises UnreadableDocument: no message, nested too deep, or over 1,000 parts.
    :raises EmptyDocument: neither plain text nor HTML in it.
    """
    try:
        # The old policy parses no header before it is asked to: with the new one, 10,000 parts take ten seconds.
        message = message_from_bytes(data, policy=compat32)
    except RecursionError as error:
        raise UnreadableDocument(
            name, "parts in parts in parts, too deep to read; forward the message alone"
        ) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # What the parser lets out on headers that nobody wrote by hand.
        raise UnreadableDocument(name, f"not a message that can be read: {type(error).__name__}") from error
    if not message.keys():
        raise UnreadableDocument(name, "not a mail message: it has no header")
    bodies = _bodies(message, name)
    plain = _decoded(bodies["text/plain"], name, encoding) if "text/plain" in bodies else ""
    if plain.strip():
        part = bodies["text/plain"]
        flowed = str(part.get_param("format", "")).lower() == "flowed"
        text = _reflowed(plain, str(part.get_param("delsp", "")).lower() == "yes") if flowed else unwrap(plain)
        return LoadedDocument(text, _metadata(message))
    if "text/html" not in bodies:
        raise EmptyDocument(name, "a message without text; save its attachments as files")
    from index.load.markup import UNSEEN, visible_text

    # All of it: around the text of a message stands no site.
    text = visible_text(_decoded(bodies["text/html"], name, encoding), name, UNSEEN)
    return LoadedDocument(text, _metadata(message))


def _bodies(message: Message, name: str) -> dict[str, Message]:
    """Return the first part of each kind that is the message itself and no attachment."""
    found: dict[str, Message] = {}
    waiting = [(message, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if seen > _PARTS or depth > _DEEPEST:
            raise UnreadableDocument(name, f"more than {_PARTS:,} parts, or nested deeper than {_DEEPEST}")
        kind = part.get_content_type()
        if kind == "message/rfc822" or _is_attached(part):
            continue
        if part.is_multipart():
            inner = part.get_payload()
            assert isinstance(inner, list)
            waiting.extend((one, depth + 1) for one in reversed(inner) if isinstance(one, Message))
        elif kind in {"text/plain", "text/html"}:
            found.setdefault(kind, part)
    return found


def _is_attached(part: Message) -> bool:
    stated = next((value for key, value in part.raw_items() if key.lower() == "content-disposition"), "")
    return str(stated).strip().lower().startswith("attachment")


def _decoded(part: Message, name: str, encoding: str | None) -> str:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return without_controls(decode_declared(octets, name, part.get_content_charset(), encoding))


def _metadata(message: Message) -> Metadata:
    sender = _header(message, "from")
    addresses = getaddresses([sender]) if sender else []
    author = ", ".join(shown if shown else address for shown, address in addresses)
    return describe(
        title=_header(message, "subject"),
        author=author if author else None,
        published_at=_header(message, "date"),
        language=_header(message, "content-language"),
    )


def _header(message: Message, name: str) -> str | None:
    """Return the decoded value of a header, of its first 4,096 characters: long ones take quadratic time to parse."""
    for key, raw in message.raw_items():
        if key.lower() == name:
            try:
                return str(default.header_fetch_parse(key, str(raw)[:_HEADER]))
            except Exception:  # the parser of headers has bugs of every class; a message may be quoted without a title
                logger.debug("a header could not be parsed", exc_info=True)
                return None
    return None


def _reflowed(text: str, delsp: bool) -> str:
    """Return text in format=flowed (RFC 3676) with its soft breaks undone: a line that ends with a space goes on."""
    lines: list[str] = []
    open_quote: str | None = None
    for line in text.split("\n"):
        mark = _QUOTED.match(line)
        quote = mark[0].strip() if mark else ""
        rest = line[mark.end() :] if mark else line.removeprefix(" ")
        soft = rest.endswith(" ") and rest != _SIGNATURE
        kept = rest[:-1] if soft and delsp else rest
        if open_quote == quote and rest != _SIGNATURE:
            lines[-1] += kept
        else:
            lines.append(f"{quote} {kept}" if quote else kept)
        open_quote = quote if soft else None
    return "\n".join(lines)

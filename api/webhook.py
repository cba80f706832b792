"""Webhooks: events, signed by the Standard Webhooks specification, and the check for whoever gets them.

Source: https://www.standardwebhooks.com (specification 1.0.0).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from index.errors import CitespanError

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
# More is no header of ours, and would only cost time.
_LONGEST_HEADER = 4_096


class NotSigned(CitespanError):
    """A request is not what it says: signed with another secret, altered on the way, or too old."""

    code = "not-signed"


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for.

    :raises ValueError: if it is not `whsec_` and base64 of 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError("a webhook secret is whsec_ and base64 of 24 to 64 random bytes; docs/bots.md makes one")
    return key


def signature(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of a body sent at `timestamp`, in seconds since 1970."""
    digest = hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, *, clock: Callable[[], float] = time.time
) -> dict[str, Any]:
    """Return the event in a request, once its signature holds for exactly these bytes and it is not over 5 minutes old.

    The same event may come twice: its `webhook-id` is the same then.

    :raises NotSigned: if it does not hold. Answer with 401 and forget the request.
    :raises ValueError: if `secret` is none.
    """
    key = key_of(secret)
    given = {name.lower(): value for name, value in headers.items() if len(value) <= _LONGEST_HEADER}
    event_id, sent = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not event_id or not (sent.isascii() and sent.isdecimal() and len(sent) <= 12):
        raise NotSigned("webhook-id or webhook-timestamp is missing or malformed; this was not sent by Citespan")
    if abs(clock() - int(sent)) > TOLERANCE_SECONDS:
        raise NotSigned("the request is over 5 minutes old or from the future; compare the clocks of both machines")
    expected = signature(key, event_id, int(sent), body).encode()
    # A sender whose secret changes signs with both for a while.
    shown = [one.encode("utf-8", "replace") for one in given.get("webhook-signature", "").split(" ")]
    if not any([hmac.compare_digest(one, expected) for one in shown]):  # noqa: C419 - all, so that time tells nothing
        raise NotSigned("no signature fits; the secret is another one, or the body was changed before this check")
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise NotSigned("the body is signed and yet no event; something else signs with this secret")
    return event


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell. `id` stays the same however often it is sent; `timestamp` is when it happened, ISO 8601."""

    id: str
    type: str
    timestamp: str
    data: Mapping[str, object]

    def body(self) -> bytes:
        """Return the JSON that is sent."""
        told = {"type": self.type, "timestamp": self.timestamp, "data": dict(self.data)}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

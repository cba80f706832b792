"""Sends events to the webhook's address, without anybody waiting for it."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import httpx2

from api.webhook import Event, key_of, signature

_GONE = 410
_GRACE_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """The seconds waited after each try that fails, before the next; how many events wait at most; a try's timeout."""

    pauses: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0)
    most: int = 100
    timeout: float = 10.0
    longest_pause: float = 6 * 3600.0


@dataclass(frozen=True, slots=True, order=True)
class _Delivery:
    """An event on its way. The order is the one they are sent in."""

    due: float
    number: int
    tries: int
    event: Event


class Sender:
    """Sends events to one address from a thread of its own while it is entered. Nobody waits for it.

    What fails is tried again later; what is left at the end is given up. Nothing is written to disk.
    """

    def __init__(
        self, url: str, secret: str, policy: DeliveryPolicy | None = None,
        transport: httpx2.BaseTransport | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._url = httpx2.URL(url)
        self._key = key_of(secret)
        self._policy = DeliveryPolicy() if policy is None else policy
        self._clock = clock
        # An address is told by the operator once; where it redirects to is somebody else's choice.
        self._http = httpx2.Client(timeout=self._policy.timeout, follow_redirects=False, transport=transport)
        self._numbers = count()
        self._waiting: list[_Delivery] = []
        self._news = threading.Condition()
        self._stopping = False
        self._unwanted = False
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        # It tells every address at INFO, and the path of this one may be a key.
        client_log = logging.getLogger("httpx2")
        client_log.setLevel(max(client_log.level, logging.WARNING))

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send what waits for its first try, for a few seconds, and give up the rest."""
        with self._news:
            self._stopping = True
            self._news.notify()
        self._thread.join(_GRACE_SECONDS)
        self._http.close()
        with self._news:
            if self._waiting:
                _log.warning("%d webhook events for %s were given up with the server", len(self._waiting), self._host)
                self._waiting.clear()

    def tell(self, event: Event) -> None:
        """Have an event sent. If too many wait, the one that happened first is given up."""
        with self._news:
            if not self._unwanted:
                self._push(_Delivery(time.monotonic(), next(self._numbers), 0, event))

    @property
    def _host(self) -> str:
        """The only part of the address that is no secret."""
        return self._url.host

    def _push(self, delivery: _Delivery) -> None:
        heapq.heappush(self._waiting, delivery)
        if len(self._waiting) > self._policy.most:
            oldest = min(self._waiting, key=lambda one: one.number)
            self._take_out(oldest)
            _log.warning("%s was given up: too many webhook events wait for %s", oldest.event.id, self._host)
        self._news.notify()

    def _take_out(self, delivery: _Delivery) -> None:
        self._waiting.remove(delivery)
        heapq.heapify(self._waiting)

    def _run(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._deliver(delivery)
            except Exception as error:
                # Whatever it was, it is no reason to tell no later event.
                _log.warning("%s was given up: %s", delivery.event.id, type(error).__name__)

    def _next(self) -> _Delivery | None:
        """Return the next delivery once it is due; None at the end."""
        with self._news:
            while True:
                if self._stopping:
                    first = min((one for one in self._waiting if one.tries == 0), default=None)
                    if first is not None:
                        self._take_out(first)
                    return first
                now = time.monotonic()
                if self._waiting and self._waiting[0].due <= now:
                    return heapq.heappop(self._waiting)
                self._news.wait(self._waiting[0].due - now if self._waiting else None)

    def _deliver(self, delivery: _Delivery) -> None:
        event, tries = delivery.event, delivery.tries + 1
        status, asked = self._post(event)
        if status.isdecimal() and 200 <= int(status) < 300:
            return
        left = len(self._policy.pauses) - delivery.tries
        _log.warning("%s did not reach %s (%s), try %d, %d left", event.id, self._host, status, tries, left)
        with self._news:
            if status == str(_GONE):
                _log.warning("%s wants no more webhook events; none is sent until the server starts again", self._host)
                self._waiting.clear()
                self._unwanted = True
            elif left > 0:
                pause = max(self._policy.pauses[delivery.tries], min(asked, self._policy.longest_pause))
                self._push(replace(delivery, due=time.monotonic() + pause, tries=tries))

    def _post(self, event: Event) -> tuple[str, float]:
        """Return the status that an event was answered with, or the name of what failed; and Retry-After in seconds."""
        body, now = event.body(), int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "citespan-webhook",
            "webhook-id": event.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._key, event.id, now, body),
        }
        try:
            # What the answer says beside its status is not read: it may be long.
            with self._http.stream("POST", self._url, content=body, headers=headers) as response:
                after = response.headers.get("retry-after", "")
                seconds = float(after) if after.isascii() and after.isdecimal() and len(after) <= 6 else 0.0
                return str(response.status_code), seconds
        except httpx2.HTTPError as error:
            return type(error).__name__, 0.0

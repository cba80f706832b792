"""Many clients of one server at once, and what they saw."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_SECONDS = 120.0
# What differs from one reply to the next, by what it is there for.
_OWN = ("id", "conversation_id", "timings_ms", "receipt")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: what was asked, when it was sent (seconds of a running clock), how long it took, what came."""

    asked: str
    sent: float
    seconds: float
    status: int
    retry_after: str | None
    reply: dict[str, Any]


@dataclass(slots=True)
class Log:
    """What clients saw; those that got no response at all are in `failed`."""

    seen: list[Seen] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def seconds(self) -> list[float]:
        """Return how long those took that were answered, ascending."""
        return sorted(one.seconds for one in self.seen if one.status == 200)

    def statuses(self) -> dict[int, int]:
        """Return how many responses had each status."""
        found = [one.status for one in self.seen]
        return {status: found.count(status) for status in sorted(set(found))}


def ask(connection: http.client.HTTPConnection, question: str) -> Seen:
    """Return what came of one question."""
    body = json.dumps({"question": question})
    return _seen(connection, question, "POST", "/v1/ask", body)


def look(connection: http.client.HTTPConnection, path: str) -> Seen:
    """Return what came of looking at `path`."""
    return _seen(connection, path, "GET", path, None)


def _seen(connection: http.client.HTTPConnection, asked: str, method: str, path: str, body: str | None) -> Seen:
    sent = time.perf_counter()
    connection.request(method, path, body, {} if body is None else {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    taken = time.perf_counter() - sent
    return Seen(asked, sent, taken, response.status, response.headers["Retry-After"], json.loads(content))


def without_its_own(reply: dict[str, Any]) -> dict[str, Any]:
    """Return what of a reply has to be the same whenever the same question is put to the same generation."""
    return {name: value for name, value in reply.items() if name not in _OWN}


@contextmanager
def asking(port: int, questions: Sequence[str], clients: int) -> Iterator[Log]:
    """Have so many clients ask without pause, each its own way through `questions`, while the context lasts."""
    log, stop = Log(), threading.Event()

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        first = number * len(questions) // clients
        for question in itertools.cycle([*questions[first:], *questions[:first]]):
            if stop.is_set():
                break
            try:
                log.seen.append(ask(connection, question))
            except (OSError, http.client.HTTPException, ValueError) as error:
                log.failed.append(f"{type(error).__name__}: {error}")
                connection.close()
        connection.close()

    with _threads(work, clients, stop):
        yield log


@contextmanager
def looking(port: int, paths: Sequence[str], pause: float) -> Iterator[Log]:
    """Look at each of `paths` in turn, on connections of their own, `pause` seconds apart, while the context lasts."""
    log, stop = Log(), threading.Event()

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        while not stop.wait(pause):
            try:
                log.seen.append(look(connection, paths[number]))
            except (OSError, http.client.HTTPException, ValueError) as error:
                log.failed.append(f"{type(error).__name__}: {error}")
                connection.close()
        connection.close()

    with _threads(work, len(paths), stop):
        yield log


def burst(port: int, questions: Sequence[str], clients: int) -> Log:
    """Have so many clients ask one question each, all at the same moment; return once all are answered or refused."""
    log, ready = Log(), threading.Barrier(clients)

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        try:
            connection.connect()
            ready.wait(_SECONDS)
            log.seen.append(ask(connection, questions[number % len(questions)]))
        except (OSError, http.client.HTTPException, ValueError, threading.BrokenBarrierError) as error:
            log.failed.append(f"{type(error).__name__}: {error}")
        connection.close()

    with _threads(work, clients, threading.Event()):
        pass
    return log


@contextmanager
def _threads(work: Any, count: int, stop: threading.Event) -> Iterator[None]:
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()

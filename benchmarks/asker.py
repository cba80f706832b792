"""Questions without pause, while the library changes underneath: each reply is kept, to be checked against the record.

A question does what a real one does: one generation from start to end, passages by vector and by words, whole texts,
and quotes sliced from them at their offsets. A purge or a retention that reaches the generation meanwhile makes it
start again on a fresh one, as the service does.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.actors import Actors
from benchmarks.crashworld import Held
from benchmarks.standin import by_fingerprint
from index.errors import GenerationPurged, LibraryUnreachable, UnknownGeneration
from index.store import GenerationStore, LocalStore
from index.types import Filter, Revision

_OPEN = Filter()
_REFRESH_SECONDS = 0.02
_TRIES = 10
_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote as a reply gives it."""

    document: str
    uri: str
    revision: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What one question brought, and from which generation.

    `by_words` are the documents found by words for `word`; None over HTTP, where other words are asked too.
    """

    generation: int
    word: str
    quotes: tuple[Quoted, ...]
    by_words: frozenset[str] | None


def wrong_in(reply: Reply, record: Held) -> str:
    """Return what in a reply does not come from the generation that it names, "" if all does."""
    for quoted in reply.quotes:
        uri, text = record.get(quoted.document, ("", ""))
        if (quoted.uri, quoted.revision) != (uri, Revision.of(text).id):
            return f"{quoted.uri} is not so in generation {reply.generation}"
        if text[quoted.start : quoted.end] != quoted.quote:
            return f"a quote is not at its offsets in {quoted.uri}"
    holding = frozenset(i for i, (_, text) in record.items() if reply.word in text.replace(".", " ").split())
    if reply.by_words is not None and reply.by_words != holding:
        return f"{reply.word} is in {len(holding)} documents of generation {reply.generation}, found in others"
    return ""


class Askers(Actors):
    """Threads that ask a LocalStore, and one that refreshes it; a context manager."""

    def __init__(self, library: Path, embedder: str, words: Sequence[str], threads: int = 2) -> None:
        self.store = LocalStore(library, by_fingerprint(embedder), by_fingerprint)
        self.replies: deque[Reply] = deque()
        self.refused: deque[tuple[int, type[Exception]]] = deque()
        self.failed: list[str] = []
        self.asked = self.again = self.turned_away = 0
        self.earlier: Sequence[int] = ()
        self._words = words
        super().__init__([*(partial(self._ask_on, n) for n in range(threads)), self._refresh_on])

    def __exit__(self, *how: object) -> None:
        super().__exit__(*how)
        self.store.close()

    def _refresh_on(self) -> None:
        while not self.stop.wait(_REFRESH_SECONDS):
            try:
                self.store.refresh()
            except LibraryUnreachable:
                continue
            except Exception as error:  # as the server does: the generation at hand answers, the next round tries again
                self.failed.append(f"refresh: {type(error).__name__}: {error}")

    def _ask_on(self, number: int) -> None:
        chance = Random(number)
        while not self.stop.is_set():
            word = chance.choice(self._words[-400:])
            earlier = chance.choice(self.earlier) if self.earlier and chance.random() < 0.05 else None
            self.asked += 1
            try:
                self._ask(word, earlier)
            except LibraryUnreachable:  # the database is down for longer than anybody waits: 503, as the service says
                self.turned_away += 1
            except Exception as error:
                self.failed.append(f"{type(error).__name__}: {error}")
            time.sleep(0.0005)  # or the threads would leave the campaign itself nothing of this process

    def _ask(self, word: str, earlier: int | None) -> None:
        for _ in range(_TRIES):
            try:
                store = self.store.current() if earlier is None else self.store.at(earlier)
            except (UnknownGeneration, GenerationPurged) as error:
                assert earlier is not None
                self.refused.append((earlier, type(error)))
                return
            try:
                reply = ask(store, word)
            except Exception:
                if self.store.holds(store):
                    raise
            else:
                if self.store.holds(store):
                    self.replies.append(reply)
                    return
            self.again += 1
            self.store.refresh()
        raise RuntimeError(f"no whole generation in {_TRIES} tries")


def ask(store: GenerationStore, word: str) -> Reply:
    """Put the question for `word` to one generation."""
    found = store.by_words(word, _LIMIT, _OPEN)
    near = store.by_vector(store.embed(f"the lamp {word}"), _LIMIT, _OPEN)
    quotes = []
    for hit in (*found, *near):
        passage = hit.passage
        text = store.revision(passage.document.id, passage.document.revision).text
        for span in (passage.span, *(sentence.span for sentence in passage.sentences)):
            quotes.append(
                Quoted(passage.document.id, passage.document.uri, passage.document.revision, span.start, span.end,
                       span.of(text))
            )  # fmt: skip
        if passage.span.of(text) != passage.text:
            raise RuntimeError("a passage is not a slice of its text")
    return Reply(store.generation.number, word, tuple(quotes), frozenset(h.passage.document.id for h in found))


class HttpAskers(Actors):
    """Threads that ask a server over HTTP; `port` may change under them, and is 0 while there is none."""

    def __init__(self, port: Callable[[], int], words: Sequence[str], threads: int = 2) -> None:
        self.replies: deque[Reply] = deque()
        self.refused: deque[tuple[int, type[Exception]]] = deque()
        self.failed: list[str] = []
        self.asked = self.again = 0
        self.earlier: Sequence[int] = ()
        self._port = port
        self._words = words
        super().__init__(partial(self._ask_on, n) for n in range(threads))

    def _ask_on(self, number: int) -> None:
        chance = Random(number)
        while not self.stop.is_set():
            port, word = self._port(), chance.choice(self._words[-100:])
            if not port:
                time.sleep(0.01)
                continue
            try:
                self.replies.append(_over_http(port, word))
            except Exception as error:
                if self._port() == port:  # else the server was killed meanwhile, and nobody was left to answer
                    self.failed.append(f"{type(error).__name__}: {error}")
                else:
                    self.again += 1
                    continue
            self.asked += 1


def _over_http(port: int, word: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        body = json.dumps({"question": f"Who calls the lamp {word}?"})
        connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {content[:300]!r}")
        said: dict[str, Any] = json.loads(content)
        quotes = [
            Quoted(c["document_id"], c["uri"], c["revision"], c["start"], c["end"], c["quote"])
            for c in (*said["citations"], *said["nearest"])
        ]
        return Reply(said["generation"], word, tuple(quotes), None)
    finally:
        connection.close()

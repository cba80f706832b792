"""Replies that arrive piece by piece: the passages found, the citations, the whole reply."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from threading import Event

from anyio import to_thread

from api.exchange import Begun, Found, exchange, new_id
from api.schemas import AnswerEvent, AskRequest, AskResponse, CitationEvent, DoneEvent, RetrievalEvent, SearchResult
from api.visit import Visit
from index.errors import QuestionError

Piece = RetrievalEvent | CitationEvent | AnswerEvent | DoneEvent

RESUME_SECONDS = 60.0
"""How long a stream can be taken up again after it ended or was lost."""

# A question whose stream nobody takes up again is let go before its minute is over, where so many are younger.
_MOST = 1_000
# More than the service reads of a question.
_HITS = 10
_NUMBER = re.compile(r"[0-9]{1,4}")


class UnknownStream(QuestionError):
    """There is no such stream to take up again."""

    code = "unknown-stream"


@dataclass(slots=True)
class _Stream:
    """What is known of a stream: no text of a document, so that a purge has nothing to find here.

    To take it up again the same question is put to the same generation: the same reply comes of it.
    """

    request: AskRequest
    owner: str
    reply_id: str = field(default_factory=new_id)
    begun: Begun | None = None
    lost: Event = field(default_factory=Event)
    work: asyncio.Future[None] | None = None
    touched: float = 0.0


@dataclass(frozen=True, slots=True)
class Flow:
    """A stream to send: the pieces after those received, and the id of the reply that they make."""

    reply_id: str
    received: int
    pieces: AsyncGenerator[Piece]


class Streams:
    """The streams of the last minute, by the id of their reply. All of it is for the event loop's thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: OrderedDict[str, _Stream] = OrderedDict()

    def begin(self, running: Visit, request: AskRequest) -> Flow:
        """Return the pieces of the reply to a question, as `stream` does; they can be taken up again."""
        begun = _Stream(request, running.caller.key)
        return Flow(begun.reply_id, 0, self._followed(running, begun, 0))

    async def resume(self, running: Visit, last: str) -> Flow:
        """Return what is left of a stream that was begun with the same key.

        :param last: the id of the last event received.
        :raises UnknownStream: if there is no such stream, or its minute is over.
        """
        name, _, number = last.rpartition(":")
        self._let_go()
        held = self._held.get(name)
        if held is None or held.owner != running.caller.key or _NUMBER.fullmatch(number) is None:
            raise UnknownStream(
                f"there is no stream to take up again: it ended over {RESUME_SECONDS:g} seconds ago, or the server was "
                "restarted; leave Last-Event-ID out to ask anew"
            )
        # It may still be under way for a connection that is dead and does not know it.
        held.lost.set()
        if held.work is not None:
            await held.work
        again = _Stream(held.request, held.owner, held.reply_id, held.begun)
        return Flow(again.reply_id, int(number), self._followed(running, again, int(number)))

    async def _followed(self, running: Visit, stream: _Stream, skip: int) -> AsyncGenerator[Piece]:
        self._touch(stream)
        pieces = _pieces(running, stream, skip)
        try:
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()
            self._touch(stream)

    def _touch(self, stream: _Stream) -> None:
        stream.touched = self._clock()
        self._held[stream.reply_id] = stream
        self._held.move_to_end(stream.reply_id)
        self._let_go()

    def _let_go(self) -> None:
        while self._held:
            oldest = next(iter(self._held.values()))
            if len(self._held) <= _MOST and self._clock() - oldest.touched <= RESUME_SECONDS:
                break
            self._held.popitem(last=False)


def stream(running: Visit, request: AskRequest) -> AsyncGenerator[Piece]:
    """Return the pieces of the reply to a question. To close it is to stop the work.

    :raises CitespanError: and what else `exchange` raises, at the first piece or later.
    """
    return _pieces(running, _Stream(request, running.caller.key), 0)


async def _pieces(running: Visit, stream: _Stream, skip: int) -> AsyncGenerator[Piece]:
    """Yield the pieces of a stream but for the first `skip`."""
    queue: asyncio.Queue[Found | AskResponse | BaseException] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def put(what: Found | AskResponse | BaseException) -> None:
        # What the same reply comes of is noted where the work is done: nobody may be left to receive it.
        if isinstance(what, Found):
            kept = None if stream.begun is None else stream.begun.conversation_id
            stream.begun = Begun(what.standalone, what.generation, kept)
        elif isinstance(what, AskResponse):
            stream.begun = Begun(what.standalone_question, what.generation, what.conversation_id)
        loop.call_soon_threadsafe(queue.put_nowait, what)

    def work() -> None:
        try:
            put(
                exchange(
                    running, stream.request, tell=put, wanted=lambda: not stream.lost.is_set(),
                    reply_id=stream.reply_id, begun=stream.begun,
                )
            )  # fmt: skip
        except BaseException as error:
            put(error)

    stream.work = asyncio.ensure_future(to_thread.run_sync(work))
    number = 0
    try:
        while True:
            got = await queue.get()
            if isinstance(got, BaseException):
                raise got
            for piece in _told(got, stream.reply_id):
                number += 1
                if number > skip:
                    yield piece
            if isinstance(got, AskResponse):
                return
    finally:
        stream.lost.set()


def _told(got: Found | AskResponse, reply_id: str) -> list[Piece]:
    if isinstance(got, AskResponse):
        cited = [CitationEvent(citation=one) for one in got.citations]
        return [*cited, AnswerEvent(reply=got), DoneEvent(id=reply_id, timings_ms=got.timings_ms)]
    hits = [SearchResult.of(one) for one in got.retrieved[:_HITS]]
    return [
        RetrievalEvent(
            id=reply_id, question=got.question, standalone_question=got.standalone, generation=got.generation, hits=hits
        )
    ]

"""One question answered: what every way of asking over the network shares."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from api.gate import Abandoned, always
from api.receipts import issued
from api.schemas import AskRequest, AskResponse, AsOf
from api.visit import Visit
from index.errors import LibraryBusy
from index.scope import AskedStore
from qa.followup import turn_of, turns_of
from qa.service import Asked, Watch
from qa.types import Question, Retrieved, Turn

_Result = TypeVar("_Result")
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What a question is about to be answered from: `retrieved`, best first, of one generation."""

    question: str
    standalone: str
    generation: int
    retrieved: tuple[Retrieved, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A question that was put before, as it was understood: the same reply comes of it again.

    `conversation_id` is where the exchange was kept, None if it was not answered yet.
    """

    standalone: str
    generation: int
    conversation_id: str | None


def new_id() -> str:
    """Return an id for a reply."""
    return f"ask_{uuid.uuid4().hex}"


def exchange(
    running: Visit,
    request: AskRequest,
    *,
    tell: Callable[[Found], None] | None = None,
    wanted: Callable[[], bool] = always,
    reply_id: str | None = None,
    begun: Begun | None = None,
) -> AskResponse:
    """Return the reply to a question, with its receipt. It waits for its turn, and for the work.

    A conversation in the request is the sender's, and nothing of it is kept; else it is the one that the request names,
    which goes on. `tell` is called when the passages are found. `wanted` is asked
    between the steps. What was `begun` before is gone through again.

    :raises Abandoned: if the reply is not wanted any more.
    :raises Overloaded: if too many questions wait.
    :raises CitespanError: for whatever the caller got wrong.
    """
    conversations = running.conversations
    mark = conversations.mark()
    sent = _sent(request)
    if begun is not None:
        question = replace(request.to_question(()), standalone=begun.standalone)
    else:
        question = request.to_question(conversations.turns(request.conversation_id) if sent is None else sent)

    def ask(store: AskedStore) -> tuple[Asked, AskedStore]:
        return running.service.ask(question, store, _Teller(running, question, store, tell, wanted)), store

    lined_up = time.perf_counter()
    with running.metrics.question(), running.gate.turn(wanted):
        running.metrics.waited(time.perf_counter() - lined_up)
        done, store = asked(running, request.as_of if begun is None else begun.generation, ask)
    if begun is None:
        running.metrics.asked(done, by_default=question.risk is None)
    conversation_id = None if begun is None else begun.conversation_id
    if conversation_id is None:
        turn = turn_of(question.text, done.reply)
        conversation_id = "" if sent is not None else conversations.add(request.conversation_id, turn, mark)
    response = AskResponse.from_reply(
        done.reply,
        reply_id=new_id() if reply_id is None else reply_id,
        conversation_id=conversation_id,
        timings_ms=done.timings_ms,
    )
    return issued(response, question, running.service, store)


def _sent(request: AskRequest) -> tuple[Turn, ...] | None:
    if request.conversation is None:
        return None
    return turns_of([(one.question, one.answer) for one in request.conversation])


def asked(running: Visit, as_of: AsOf, ask: Callable[[AskedStore], _Result]) -> _Result:
    """Return what `ask` makes of the generation that a question is put to.

    A purge or retention may reach that generation meanwhile: what came of it is thrown away then, and asked again.

    :raises UnknownGeneration: if there is no such generation.
    :raises GenerationPurged: if a document of it was purged since.
    """
    for _ in range(_TRIES):
        store = store_of(running, as_of)
        try:
            result = ask(store)
        except Exception:
            if running.store.holds(store):
                raise
        else:
            if running.store.holds(store):
                return result
        running.store.refresh()
    raise LibraryBusy(f"{running.settings.library}: documents are purged faster than questions are answered")


def store_of(running: Visit, as_of: AsOf) -> AskedStore:
    """Return the generation that a question is put to: the newest, or the one it names by number or moment.

    :raises UnknownGeneration: if there is no such generation.
    :raises GenerationPurged: if a document of it was purged since.
    """
    if as_of is None:
        return running.store.current()
    if isinstance(as_of, str):
        as_of = running.store.library.generation_at(as_of).number
    return running.store.at(as_of)


class _Teller(Watch):
    """Tells once what was found, and stops the work when nobody wants it any more."""

    def __init__(
        self, running: Visit, question: Question, store: AskedStore, tell: Callable[[Found], None] | None,
        wanted: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._running = running
        self._question = question
        self._store = store
        self._tell = tell
        self._wanted = wanted

    def found(self, query: str, retrieved: Sequence[Retrieved]) -> None:
        if self._tell is None:
            return
        # What a purge has reached meanwhile is told to nobody: the question is asked again.
        if not self._running.store.holds(self._store):
            raise LibraryBusy("a document was purged while the question was asked")
        self._tell(Found(self._question.text, query, self._store.generation.number, tuple(retrieved)))

    def reading(self) -> None:
        if not self._wanted():
            raise Abandoned

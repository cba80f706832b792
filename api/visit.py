"""What one caller may use of a running service.

Routes and tools get a `Visit` and nothing else: its library has the documents that its caller sees, its conversations
and jobs are its caller's own. So whatever a route does with it, it stays within.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Lock

from api.access import OWNER, Caller, Forbidden, Role
from api.conversations import Conversation, Conversations
from api.gate import Gate
from api.jobs import Jobs
from api.keys import Keys
from api.ledger import Job
from api.metrics import Metrics
from api.settings import Settings
from api.spool import Incoming
from api.wiring import Runtime
from index.errors import UnknownConversation
from index.report import SyncProgress
from index.scope import ScopedStores, Stores
from qa.service import AnswerService
from qa.types import Turn

ENVIRONMENT = "CITESPAN_API_KEY"
"""What stands for the key of the environment where another one has its id."""

# Sets of tags of which it is held what they show.
_SCOPES = 64


class OwnConversations:
    """The conversations of one caller. One that quotes what the caller sees no longer is none of them any more."""

    def __init__(self, conversations: Conversations, owner: str, shown: Callable[[Sequence[str]], bool]) -> None:
        """`shown` says whether documents may all be seen."""
        self._conversations = conversations
        self._owner = owner
        self._shown = shown

    def conversation(self, conversation_id: str) -> Conversation:
        """Return a conversation.

        :raises UnknownConversation: if the caller has none of that id.
        """
        found = self._conversations.conversation(conversation_id, self._owner)
        if not self._shown([document for turn in found.turns for document in turn.documents]):
            raise UnknownConversation(
                "no such conversation: it quotes what this key sees no longer; leave conversation_id out to begin anew"
            )
        return found

    def turns(self, conversation_id: str | None) -> tuple[Turn, ...]:
        """Return the turns so far, none for a conversation that is yet to start (None).

        :raises UnknownConversation: if the caller has none of that id.
        """
        return () if conversation_id is None else self.conversation(conversation_id).turns

    def mark(self) -> int:
        """Return a mark to take before a question is answered and to give to `add` with its turn."""
        return self._conversations.mark()

    def add(self, conversation_id: str | None, turn: Turn, mark: int | None = None) -> str:
        """Append a turn, to a new conversation for None; return the conversation's id."""
        return self._conversations.add(conversation_id, turn, mark, self._owner)

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation.

        :raises UnknownConversation: if the caller has none of that id.
        """
        self._conversations.delete(conversation_id, self._owner)

    def forget(self, document_ids: Sequence[str]) -> None:
        """Forget everybody's conversations that quote one of these documents, which were purged."""
        self._conversations.forget(document_ids)


class OwnJobs:
    """The jobs of one caller; all for a maintainer, and where no key is needed."""

    def __init__(self, jobs: Jobs, caller: Caller) -> None:
        self._jobs = jobs
        self._caller = caller
        self._whose = None if caller.role is Role.MAINTAINER or not caller.key else caller.key

    def receiving(self, key: str | None, announced: int = 0) -> AbstractContextManager[None]:
        """Hold a place while a request is read (`Jobs.receiving`)."""
        return self._jobs.receiving(key, announced, self._caller.key)

    def accept(self, incoming: Sequence[Incoming], key: str | None = None) -> tuple[Job, bool]:
        """Return a new job of the caller's, or the one accepted before under `key`, and True.

        Whoever sees only certain tags adds documents with these alone: with all of them where it names none.

        :raises Forbidden: if it names another one.
        """
        within = self._caller.tags
        if within is not None:
            incoming = [_within(one, within) for one in incoming]
        return self._jobs.accept(incoming, key, self._caller.key, within)

    def job(self, job_id: str) -> Job:
        """Return a job.

        :raises UnknownJob: if the caller has none of that id.
        """
        return self._jobs.job(job_id, self._whose)

    def newest(self, limit: int) -> list[Job]:
        """Return the caller's newest jobs, newest first."""
        return self._jobs.newest(limit, self._whose)

    def progress(self, job: Job) -> SyncProgress | None:
        """Return how far a running job is, as far as this process knows."""
        return self._jobs.progress(job)

    def expect_brought(self, uri: str) -> None:
        """Raise Forbidden unless the caller added the document at `uri`, or may delete every document."""
        if not (self._caller.role is Role.MAINTAINER or self._jobs.brought(uri, self._caller.key)):
            raise Forbidden(
                f"a {self._caller.role} deletes what it added itself, for a week; this needs a key with the role "
                f"{Role.MAINTAINER}"
            )

    def landing(self, patience: float) -> AbstractContextManager[None]:
        """Keep uploads on their way in and changes apart (`Jobs.landing`)."""
        return self._jobs.landing(patience)

    def withdraw(self, name: str, uri: str | None, *, purge: bool) -> None:
        """Delete the uploads that wait to become a document (`Jobs.withdraw`)."""
        self._jobs.withdraw(name, uri, purge=purge)


def _within(incoming: Incoming, tags: frozenset[str]) -> Incoming:
    given = incoming.metadata.tags
    if not tags.issuperset(given):
        raise Forbidden(f"this key adds documents with its own tags only: {', '.join(sorted(tags))}")
    return replace(incoming, metadata=replace(incoming.metadata, tags=given if given else tuple(sorted(tags))))


@dataclass(frozen=True, slots=True)
class Visit:
    """A running service as one caller may use it."""

    caller: Caller
    settings: Settings
    store: Stores
    service: AnswerService
    gate: Gate
    conversations: OwnConversations
    jobs: OwnJobs
    metrics: Metrics


class Reception:
    """Tells callers by the keys they show, and gives each what it may use. For any thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys = Keys(runtime.settings.library)
        self._closed = False
        self._scopes: OrderedDict[frozenset[str], ScopedStores] = OrderedDict()
        self._lock = Lock()

    @property
    def closed(self) -> bool:
        """Whether nobody is let in without a key. Once it is so it stays so, whatever becomes of the file."""
        self._closed = self._closed or self._keys.any_yet
        return self._closed

    def caller(self, authorization: str) -> Caller | None:
        """Return who sends a request with that header, "" for none; None for whoever has to show another key."""
        shown = _bearer(authorization)
        if self.closed:
            holder = self._keys.holder(shown)
            if holder is not None:
                return holder.caller()
            return Caller(ENVIRONMENT, Role.MAINTAINER) if self._is_environments(shown) else None
        if self._runtime.settings.api_key is None or self._is_environments(shown):
            return OWNER
        return Caller("", Role.READER)

    def _is_environments(self, shown: str) -> bool:
        key = self._runtime.settings.api_key
        # A header is bytes, which were read as Latin-1.
        return key is not None and hmac.compare_digest(shown.encode("latin-1"), key.get_secret_value().encode())

    def look(self) -> None:
        """Raise a CitespanError if the library cannot be read or is another, or its store does not answer."""
        self._runtime.store.look()

    def glance(self) -> bool:
        """Return whether nothing has changed since somebody looked and all was well; nobody waits for this."""
        return self._runtime.store.glance()

    def visit(self, caller: Caller) -> Visit:
        """Return what a caller may use."""
        runtime = self._runtime
        store: Stores = runtime.store if caller.tags is None else self._scoped(caller.tags)
        return Visit(
            caller, runtime.settings, store, runtime.service, runtime.gate,
            OwnConversations(runtime.conversations, caller.key, lambda ids: self._shown(caller, ids)),
            OwnJobs(runtime.jobs, caller), runtime.metrics,
        )  # fmt: skip

    def _scoped(self, tags: frozenset[str]) -> ScopedStores:
        with self._lock:
            found = self._scopes.pop(tags, None)
            self._scopes[tags] = ScopedStores(self._runtime.store, tags) if found is None else found
            while len(self._scopes) > _SCOPES:
                self._scopes.popitem(last=False)
            return self._scopes[tags]

    def _shown(self, caller: Caller, documents: Sequence[str]) -> bool:
        return caller.tags is None or self._scoped(caller.tags).library.shows(documents)

    def close(self) -> None:
        """Close the file of the keys."""
        self._keys.close()


def owners(runtime: Runtime) -> Visit:
    """Return what whoever sits at the machine may use: everything."""
    return Reception(runtime).visit(OWNER)


def _bearer(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""

"""A typed client of the HTTP API (docs/api.md, docs/bots.md).

The shapes are those of `api/schemas.py`. They are loaded with the first reply, not with this module: a bot that starts
often need not wait for the index and its libraries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx2
from pydantic import BaseModel

from api.calls import CallFailed, Patience, failure_of
from api.client_library import LibraryCalls, parsed, part, read, shaped, without_none

if TYPE_CHECKING:
    from api.schemas import (
        AnswerEvent,
        AskResponse,
        CitationEvent,
        CitationModel,
        ConversationModel,
        ExchangeModel,
        FilterModel,
        Health,
        RetrievalEvent,
        SearchResponse,
        VerifyResponse,
    )  # fmt: skip
    from api.schemas_openai import ModelList, ModelObject

__all__ = ["CallFailed", "Citespan", "Patience"]

_CLAIM = ("document_id", "revision", "quote", "start", "end", "byte_start", "byte_end", "quote_sha256")


class Citespan(LibraryCalls):
    """One server. A context manager; safe to use from many threads.

    Every method raises CallFailed where the server refuses or cannot be reached. What the server refuses for now (429,
    503) is sent again after the time it names; what got no answer is sent again where doing it twice does no harm.
    """

    def __init__(
        self, base_url: str = "http://127.0.0.1:8000", api_key: str | None = None, timeout: float = 60.0, *,
        patience: Patience | None = None, transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """`api_key` is one of the server's, if it needs any; `timeout`: seconds without a byte, not of a whole call."""
        chosen = Patience() if patience is None else patience
        super().__init__(base_url, api_key, timeout, chosen, transport, sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    # ---- asking ---------------------------------------------------------------------------------------------------

    def ask(
        self, question: str, *, conversation_id: str | None = None, conversation: Sequence[ExchangeModel] | None = None,
        max_citations: int | None = None, risk: float | None = None, as_of: int | str | None = None,
        filter: FilterModel | None = None,  # noqa: A002 - the name is the contract's
    ) -> AskResponse:  # fmt: skip
        """Return the reply; `answerable` says whether the sources answer. What is None is left to the server."""
        from api.schemas import AskResponse

        body = _body(
            question=question, conversation_id=conversation_id, conversation=conversation, max_citations=max_citations,
            risk=risk, as_of=as_of, filter=filter,
        )  # fmt: skip
        # A conversation must not get the same turn twice.
        return read(AskResponse, self._caller.send("POST", "/v1/ask", body=body, again=conversation_id is None))

    def ask_stream(
        self, question: str, *, conversation_id: str | None = None, conversation: Sequence[ExchangeModel] | None = None,
        max_citations: int | None = None, risk: float | None = None, as_of: int | str | None = None,
        filter: FilterModel | None = None,  # noqa: A002 - the name is the contract's
    ) -> Iterator[RetrievalEvent | CitationEvent | AnswerEvent]:  # fmt: skip
        """Yield what is found as it is found: the passages, each citation, at the end the reply.

        A lost connection is taken up again where it broke off. If the server has forgotten it, the events begin anew,
        with the passages; with a `conversation_id` that is an error, because the turn may be kept by then. To close the
        iterator is to stop the work.
        """
        from api.schemas import AnswerEvent, AskResponse, CitationEvent, CitationModel, RetrievalEvent

        body = _body(
            question=question, conversation_id=conversation_id, conversation=conversation, max_citations=max_citations,
            risk=risk, as_of=as_of, filter=filter,
        )  # fmt: skip
        for event in self._caller.events("/v1/ask", body, again=conversation_id is None):
            data = parsed(event.data)
            if event.event == "retrieval":
                yield shaped(RetrievalEvent, data)
            elif event.event == "citation":
                yield CitationEvent(citation=shaped(CitationModel, data))
            elif event.event == "answer":
                yield AnswerEvent(reply=shaped(AskResponse, data))
            elif event.event == "error":
                raise failure_of(data, None)

    def search(
        self, query: str, *, max_num_results: int | None = None, as_of: int | str | None = None,
        filter: FilterModel | None = None,  # noqa: A002 - the name is the contract's
    ) -> SearchResponse:  # fmt: skip
        """Return the passages for a query, best first."""
        from api.schemas import SearchResponse

        body = _body(query=query, max_num_results=max_num_results, as_of=as_of, filter=filter)
        return read(SearchResponse, self._caller.send("POST", "/v1/search", body=body, again=True))

    def verify(self, citation: CitationModel) -> VerifyResponse:
        """Return whether the words of a citation stand where it says."""
        from api.schemas import VerifyResponse

        body = {name: getattr(citation, name) for name in _CLAIM}
        return read(VerifyResponse, self._caller.send("POST", "/v1/verify", body=body, again=True))

    def replay(self, receipt: str) -> AskResponse:
        """Return the reply of a receipt again, byte for byte."""
        from api.schemas import AskResponse

        return read(AskResponse, self._caller.send("POST", "/v1/replay", body={"receipt": receipt}, again=True))

    # ---- conversations --------------------------------------------------------------------------------------------

    def conversation(self, conversation_id: str) -> ConversationModel:
        """Return what the server keeps of a conversation."""
        from api.schemas import ConversationModel

        path = f"/v1/conversations/{part(conversation_id)}"
        return read(ConversationModel, self._caller.send("GET", path, again=True))

    def forget(self, conversation_id: str) -> None:
        """Delete a conversation."""
        self._caller.send("DELETE", f"/v1/conversations/{part(conversation_id)}", again=False)

    # ---- the server -----------------------------------------------------------------------------------------------

    def models(self) -> ModelList:
        """Return the models that clients of OpenAI's can name: the one there is."""
        from api.schemas_openai import ModelList

        return read(ModelList, self._caller.send("GET", "/v1/models", again=True))

    def model(self, name: str) -> ModelObject:
        """Return what is known of a model."""
        from api.schemas_openai import ModelObject

        return read(ModelObject, self._caller.send("GET", f"/v1/models/{part(name)}", again=True))

    def health(self) -> Health:
        """Return which generation answers, once models and library are there."""
        from api.schemas import Health

        return read(Health, self._caller.send("GET", "/readyz", again=True))


def _body(**given: Any) -> dict[str, Any]:
    """Return the body of a request: what is not None, models as JSON."""
    return {name: _plain(value) for name, value in without_none(**given).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value

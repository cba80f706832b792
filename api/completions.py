"""A reply → a chat completion, whole or in chunks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from api.messages import Written, written
from api.receipts import fingerprints, made_by
from api.schemas import AskResponse, CitationModel, ResponseModel
from api.schemas_openai import (
    MODEL,
    AnnotationModel,
    ChatCitation,
    ChatCompletion,
    ChatMessage,
    Choice,
    OpenAIError,
    ReplyModel,
    SourceModel,
    UrlCitation,
    Usage,
)
from api.visit import Visit

_ADDRESS = re.compile(r"https?://[^/\s]", re.IGNORECASE)
_WORD = re.compile(r"\w+")
DONE = "[DONE]"
"""What a stream ends with."""


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of a completion says, and the completion itself: `base` is the URL of this server."""

    id: str
    created: int
    fingerprint: str
    base: str


def fingerprint(running: Visit, generation: int) -> str:
    """Return a name for all that decides an answer beside the question: models, code and generation."""
    models = fingerprints(running.service, running.store.current())
    decides = [models.embedder, models.reader, models.configuration, made_by(), str(generation)]
    return f"fp_{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:12]}"


def completion(head: Head, reply: AskResponse) -> ChatCompletion:
    """Return the completion that says what `reply` says."""
    message = written(reply)
    citations = _citations(head, reply, message)
    return ChatCompletion(
        id=head.id,
        created=head.created,
        model=MODEL,
        choices=[Choice(message=ChatMessage(content=message.text, annotations=_annotations(citations, message)))],
        usage=_usage(reply, message),
        system_fingerprint=head.fingerprint,
        citations=citations,
        search_results=_sources(head, reply, citations),
        citespan=_rest(reply),
    )


def opening(head: Head, *, usage: bool) -> str:
    """Return the chunk that a stream begins with, before there is anything to say."""
    return _data(_chunk(head, {"role": "assistant", "content": "", "refusal": None}) | _unused(told_last=usage))


def chunks(head: Head, reply: AskResponse, *, usage: bool) -> Iterator[str]:
    """Yield the chunks that say what `reply` says, and the end of the stream: a piece each, then what proves it.

    With `usage` there is one more chunk, without a choice.
    """
    message = written(reply)
    citations = _citations(head, reply, message)
    unused = _unused(told_last=usage)
    for piece in message.pieces:
        yield _data(_chunk(head, {"content": piece}) | unused)
    proof = {
        "citations": [_plain(one) for one in citations],
        "search_results": [_plain(one) for one in _sources(head, reply, citations)],
        "citespan": _plain(_rest(reply)),
    }
    annotations = [_plain(one) for one in _annotations(citations, message)]
    yield _data(_chunk(head, {"annotations": annotations}, "stop") | unused | proof)
    if usage:
        yield _data(_chunk(head, None) | {"usage": _plain(_usage(reply, message))})
    yield DONE


def failure(error: OpenAIError) -> str:
    """Return what a stream ends with when something goes wrong under way."""
    return _data(_plain(error))


def url_of(citation: CitationModel, base: str) -> str:
    """Return the document's own address on the web, if it has one, else that of its text on the server at `base`."""
    if _ADDRESS.match(citation.uri):
        return citation.uri
    return f"{base.rstrip('/')}/v1/documents/{quote(citation.document_id, safe='')}/text?revision={citation.revision}"


def _citations(head: Head, reply: AskResponse, message: Written) -> list[ChatCitation]:
    return [
        ChatCitation(
            **dict(citation) | {"answer_start": place.start, "answer_end": place.end},
            url=url_of(citation, head.base),
        )
        for citation, place in zip(reply.citations, message.quotes, strict=True)
    ]


def _annotations(citations: list[ChatCitation], message: Written) -> list[AnnotationModel]:
    return [
        AnnotationModel(
            url_citation=UrlCitation(start_index=mark.start, end_index=mark.end, url=one.url, title=one.title)
        )
        for one, mark in zip(citations, message.marks, strict=True)
    ]


def _sources(head: Head, reply: AskResponse, citations: list[ChatCitation]) -> list[SourceModel]:
    if reply.answerable:
        return [_source(one, one.url, one.number) for one in citations]
    return [_source(one, url_of(one, head.base), None) for one in reply.nearest]


def _source(citation: CitationModel, url: str, number: int | None) -> SourceModel:
    return SourceModel(
        title=citation.title, url=url, date=citation.published_at, snippet=citation.quote, number=number,
        document_id=citation.document_id, revision=citation.revision, publisher=citation.publisher,
    )  # fmt: skip


def _rest(reply: AskResponse) -> ReplyModel:
    return ReplyModel(**{name: getattr(reply, name) for name in ReplyModel.model_fields})


def _usage(reply: AskResponse, message: Written) -> Usage:
    asked, said = (len(_WORD.findall(text)) for text in (reply.standalone_question, message.text))
    return Usage(prompt_tokens=asked, completion_tokens=said, total_tokens=asked + said)


def _chunk(head: Head, delta: Mapping[str, object] | None, finish: str | None = None) -> dict[str, object]:
    """Return a chunk with one choice, or with none for no delta."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": head.id,
        "object": "chat.completion.chunk",
        "created": head.created,
        "model": MODEL,
        "system_fingerprint": head.fingerprint,
        "choices": [] if delta is None else [choice],
    }


def _unused(*, told_last: bool) -> dict[str, object]:
    """Return what chunks say of the usage that the last one tells, if it does."""
    return {"usage": None} if told_last else {}


def _plain(model: ResponseModel) -> dict[str, object]:
    return model.model_dump(mode="json", by_alias=True)


def _data(said: Mapping[str, object]) -> str:
    """Return what an event says, as JSON in ASCII: some clients break lines at more than line feeds."""
    return json.dumps(said, separators=(",", ":"))

"""The shapes of OpenAI's chat completions and models, and what of ours travels in them (docs/openai.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from api.schemas import (
    AsOf,
    CitationModel,
    FilterModel,
    RequestModel,
    ResponseModel,
    RiskModel,
    SideModel,
)
from qa.types import MOST_CITATIONS

MODEL = "citespan"
"""The one model there is."""

MOST_MESSAGES = 2_048
Role = Literal["developer", "system", "user", "assistant", "tool", "function"]
# Parts that hold no text of the message: what a model would not say.
_SILENT = frozenset({"refusal"})
_LONGEST_TYPE = 40


def _wrong(message: str) -> PydanticCustomError:
    """Return an error of a field, to raise in its validator; the message goes out as it is."""
    return PydanticCustomError("wrong", "{message}", {"message": message})


def _text(content: object) -> object:
    """Return the text of a message's content: a string, or the text parts of a list with line breaks between."""
    if not isinstance(content, list):
        if content is not None and not isinstance(content, str):
            raise _wrong("Input should be a string or a list of text parts")
        return content
    return "\n".join(text for number, part in enumerate(content) if (text := _text_of(number, part)) is not None)


def _text_of(number: int, part: object) -> str | None:
    """Return the text of one part, None for one that holds no text of the message."""
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise _wrong(f'part {number} is no object with a "type"; parts are {{"type": "text", "text": "…"}}')
    if kind in _SILENT:
        return None
    if kind != "text":
        name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in kind[:_LONGEST_TYPE])
        raise _wrong(f'part {number} is of type "{name}"; only text is read here')
    text = part.get("text")
    if not isinstance(text, str):
        raise _wrong(f'part {number} has no "text" that is a string')
    return text


def _stop(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise _wrong("Input should be a string or a list of strings")


def _choice(value: object) -> object:
    if value is None or isinstance(value, str | dict):
        return value
    raise _wrong("Input should be a string or an object")


_PART = {"type": "object", "properties": {"type": {"const": "text"}, "text": {"type": "string"}}, "required": ["type"]}
Content = Annotated[
    str | None,
    BeforeValidator(_text),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}, {"type": "null"}]}),
]
_Stop = Annotated[
    object,
    BeforeValidator(_stop),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]
_Choice = Annotated[
    object,
    BeforeValidator(_choice),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}]}),
]
_Object = dict[str, Any]


class LenientModel(BaseModel):
    """What is not known is read past, as OpenAI's servers do; what is known has its type."""

    model_config = ConfigDict(extra="ignore", strict=True)


# ---- requests ----------------------------------------------------------------------------------------------------


class MessageModel(LenientModel):
    """One message. Only what users and the assistant said is read: nothing here follows instructions."""

    role: Role
    content: Content = None


class StreamOptions(LenientModel):
    include_usage: bool | None = None


class ResponseFormat(LenientModel):
    type: str


class CitespanOptions(RequestModel):
    """What `POST /v1/ask` takes beside the question."""

    max_citations: int = Field(default=3, ge=1, le=MOST_CITATIONS)
    risk: float | None = Field(default=None, gt=0, le=1)
    as_of: AsOf = None
    filter: FilterModel | None = None


class ChatRequest(LenientModel):
    """A chat. The last user message is the question; what users and the assistant said before is the conversation."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=[MODEL])
    messages: list[MessageModel] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, description="1: the same question has the same answer")
    response_format: ResponseFormat | None = Field(default=None, description='only {"type": "text"}')
    citespan: CitespanOptions | None = Field(default=None, description="what OpenAI's requests have no name for")
    # Known, typed, and without effect: nothing here is sampled, and no tool is ever called.
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    top_logprobs: int | None = None
    logprobs: bool | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    user: str | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    stop: _Stop = None
    tool_choice: _Choice = None
    tools: list[_Object] | None = None
    functions: list[_Object] | None = None
    logit_bias: _Object | None = None
    metadata: _Object | None = None

    @field_validator("messages")
    @classmethod
    def _asks(cls, messages: list[MessageModel]) -> list[MessageModel]:
        for number, message in enumerate(messages):
            if message.role == "user" and message.content is None:
                raise _wrong(f"message {number} is a user's and has no content")
        if not any(message.role == "user" for message in messages):
            raise _wrong("there is no message of a user; the last one of a user is the question")
        return messages

    @field_validator("n")
    @classmethod
    def _one(cls, n: int | None) -> int | None:
        if n is not None and n != 1:
            raise _wrong(f"{n} is not possible; the same question has the same answer, so n is 1")
        return n

    @field_validator("response_format")
    @classmethod
    def _plain(cls, wanted: ResponseFormat | None) -> ResponseFormat | None:
        if wanted is not None and wanted.type != "text":
            raise _wrong('answers are quotes, never JSON; leave it out, or send {"type": "text"}')
        return wanted


# ---- responses ---------------------------------------------------------------------------------------------------


class UrlCitation(ResponseModel):
    """Where a `[n]` stands in the content, end exclusive, in characters, and what it stands for."""

    start_index: int
    end_index: int
    url: str
    title: str


class AnnotationModel(ResponseModel):
    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class ChatCitation(CitationModel):
    """A citation of `POST /v1/ask`; `answer_start` and `answer_end` say where its quote stands in the content."""

    url: str = Field(description="the document's own address, else that of its text on this server")


class SourceModel(ResponseModel):
    """What was found, named as Perplexity's API names it. Those of an answer are its citations, in order."""

    title: str
    url: str
    date: str | None = Field(description="when it was published")
    snippet: str = Field(description="the quote, or the passage that came nearest")
    number: int | None = Field(description="the n of `[n]`; null where nothing was answered")
    document_id: str
    revision: str
    publisher: str | None


class ReplyModel(ResponseModel):
    """What else `POST /v1/ask` says of its reply."""

    id: str
    answerable: bool
    short_answer: str | None
    confidence: float
    risk: RiskModel
    standalone_question: str
    sides: list[SideModel]
    sources_differ: bool
    nearest: list[CitationModel]
    generation: int
    receipt: str | None
    timings_ms: Mapping[str, float]


class ChatMessage(ResponseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[AnnotationModel]


class Choice(ResponseModel):
    index: Literal[0] = 0
    message: ChatMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class Usage(ResponseModel):
    """Words, not tokens: of the question as it was understood, and of the content. Nothing is generated."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(ResponseModel):
    """A reply as a chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str = Field(description="the same: the same question gets the same answer")
    citations: list[ChatCitation] = Field(description="those of `[1]`, `[2]` …; empty if the sources do not say")
    search_results: list[SourceModel]
    citespan: ReplyModel


class ModelObject(ResponseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="when the library's present generation was made, in Unix time")
    owned_by: str


class ModelList(ResponseModel):
    object: Literal["list"] = "list"
    data: list[ModelObject]


class OpenAIErrorBody(ResponseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(ResponseModel):
    """An error under the OpenAI-compatible routes."""

    error: OpenAIErrorBody

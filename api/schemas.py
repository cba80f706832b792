"""The shapes that travel over HTTP (DESIGN.md, "HTTP contract"). Fields are documented once, here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from index import types as index_types
from index.load.normalise import normalise
from qa.receipt import LONGEST as LONGEST_RECEIPT
from qa.risk import Kept
from qa.types import LONGEST_QUESTION, MOST_CITATIONS, Answer, Citation, Question, Reply, Retrieved, Side, Turn
from qa.values.dates import DatedPhrase
from qa.verify import Claim, Status, Verdict

_Id = Annotated[str, StringConstraints(max_length=200)]
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def _iso_date(value: object) -> object:
    """Let only the form of an ISO date through: pydantic would take seconds since 1970 too, guessing."""
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError("a date is written as in 2026-01-31")
    return value


_Day = Annotated[date, Field(strict=False), BeforeValidator(_iso_date)]


def _moment(value: str) -> str:
    """Return the moment an ISO date or date-time stands for, in UTC: of a date its end, of no zone UTC."""
    found = _MOMENT.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        clock = found[2] if found[2] is not None else "23:59:59.999"
        zone = found[3] if found[3] is not None else "+00:00"
        moment = datetime.fromisoformat(f"{found[1]}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a moment is written as in 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_Number = Annotated[int, Field(ge=1, lt=2**62)]
_Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_moment)]
# A conversation may be long; only its end decides what a question means.
_MOST_EXCHANGES = 1_000
_LONGEST_ANSWER = 20_000
AsOf = _Number | _Moment | None
_AS_OF: AsOf = Field(
    default=None,
    description="answer from the library as it was: the number of a generation, or an ISO date (its end, in UTC) or "
    "date-time",
)


class RequestModel(BaseModel):
    """Requests say exactly what they mean: unknown fields and wrong types are refused, nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ResponseModel(BaseModel):
    model_config = ConfigDict(frozen=True)


class FilterModel(RequestModel):
    """Which documents may answer; a null leaves that side open."""

    published_from: _Day | None = Field(default=None, description="ISO date, inclusive")
    published_to: _Day | None = Field(default=None, description="ISO date, inclusive")
    document_ids: list[_Id] | None = Field(default=None, max_length=1_000)
    tags: list[_Id] | None = Field(default=None, max_length=100, description="any of them")
    language: _Id | None = Field(default=None, description="BCP 47; the primary language is compared")

    def to_filter(self) -> index_types.Filter:
        return index_types.Filter(
            published_from=None if self.published_from is None else self.published_from.isoformat(),
            published_to=None if self.published_to is None else self.published_to.isoformat(),
            document_ids=None if self.document_ids is None else frozenset(self.document_ids),
            tags=None if self.tags is None else frozenset(self.tags),
            language=self.language,
        )


class ExchangeModel(RequestModel):
    """An earlier question of a conversation, and what was answered; null if the sources did not say."""

    question: str = Field(max_length=LONGEST_QUESTION)
    answer: str | None = Field(default=None, max_length=_LONGEST_ANSWER)


class AskRequest(RequestModel):
    """A question."""

    question: str = Field(
        description=f"1 to {LONGEST_QUESTION} characters", examples=["When did China announce the ban?"]
    )
    conversation_id: _Id | None = Field(default=None, description="of an earlier reply, to go on from there")
    conversation: list[ExchangeModel] | None = Field(
        default=None,
        max_length=_MOST_EXCHANGES,
        description="the earlier exchanges, oldest first, where the sender keeps them; nothing is kept here then",
    )
    max_citations: int = Field(default=3, ge=1, le=MOST_CITATIONS)
    risk: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="the share of answers that may be wrong, by the calibration's questions; null: its default",
    )
    as_of: AsOf = _AS_OF
    filter: FilterModel | None = None

    @model_validator(mode="after")
    def _one_conversation(self) -> AskRequest:
        if self.conversation_id is not None and self.conversation is not None:
            raise ValueError("send either conversation_id or conversation: both are what was said before")
        return self

    def to_question(self, conversation: tuple[Turn, ...]) -> Question:
        where = index_types.Filter() if self.filter is None else self.filter.to_filter()
        return Question(normalise(self.question), conversation, where, self.max_citations, risk=self.risk)


class HighlightModel(ResponseModel):
    start: int
    end: int


class ContextModel(ResponseModel):
    """The sentence that says whom the quote speaks of ("she", "the ministry"). It is no part of the quote."""

    quote: str
    start: int
    end: int


class DatedModel(ResponseModel):
    """A phrase of the quote ("Tuesday") and what it means, counted from the document's publication date."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    text: str
    start: int
    end: int
    from_: date = Field(serialization_alias="from", description="the first day that is meant")
    to: date = Field(description="the last day, itself included")

    @classmethod
    def of(cls, phrase: DatedPhrase) -> DatedModel:
        span = phrase.span
        return cls(text=phrase.phrase, start=span.start, end=span.end, from_=phrase.first, to=phrase.last)


class CitationModel(ResponseModel):
    """A quote and where it stands. Characters and bytes count in the revision's canonical text, ends exclusive."""

    number: int = Field(description="as in the answer's [n], from 1")
    document_id: str
    revision: str = Field(description="sha256 of the canonical text")
    title: str
    uri: str
    publisher: str | None
    author: str | None
    published_at: str | None
    page: int | None = Field(description="null for formats without pages")
    quote: str
    start: int
    end: int
    byte_start: int
    byte_end: int
    quote_sha256: str
    highlight: HighlightModel | None = Field(
        description="the short answer inside the quote, counted as start and end are"
    )
    answer_start: int | None = Field(description="where the quote stands in `answer`; null for nearest passages")
    answer_end: int | None
    context: ContextModel | None = Field(
        description="where the quote needs one: the sentence of the same revision that says whom it speaks of"
    )
    dates: list[DatedModel] = Field(description="what the quote's dates and days of the week mean")

    def source(self) -> list[str]:
        """Return what names its source to a reader, as far as it is known: title, publisher, day and page."""
        page = None if self.page is None else f"page {self.page}"
        return [part for part in (self.title, self.publisher, self.published_at, page) if part is not None]

    @classmethod
    def of(cls, citation: Citation) -> CitationModel:
        document, highlight, place = citation.document, citation.highlight, citation.in_answer
        context = citation.context
        return cls(
            number=citation.number, document_id=document.id, revision=document.revision, title=document.title,
            uri=document.uri, publisher=document.publisher, author=document.author, published_at=document.published_at,
            page=document.page(citation.span.start), quote=citation.quote,
            start=citation.span.start, end=citation.span.end,
            byte_start=citation.bytes.start, byte_end=citation.bytes.end, quote_sha256=citation.sha256,
            highlight=None if highlight is None else HighlightModel(start=highlight.start, end=highlight.end),
            answer_start=None if place is None else place.start, answer_end=None if place is None else place.end,
            context=None
            if context is None
            else ContextModel(quote=context.quote, start=context.span.start, end=context.span.end),
            dates=[DatedModel.of(phrase) for phrase in citation.dates],
        )  # fmt: skip


class SideModel(ResponseModel):
    """A value that sources give for the question. Which one is right is not judged, nor whether newer is better."""

    value: str = Field(description="as the best of its sources words it")
    citations: list[int] = Field(description="the numbers of the citations that carry it")
    documents: int = Field(description="how many of the documents read give it")
    independent: int = Field(description="the same, with near-copies of a document counted once")
    published_from: str | None = Field(description="the oldest date among those documents; null if none has one")
    published_to: str | None = Field(description="the newest")

    @classmethod
    def of(cls, side: Side) -> SideModel:
        return cls(
            value=side.value, citations=list(side.citations), documents=side.documents, independent=side.independent,
            published_from=side.published_from, published_to=side.published_to,
        )  # fmt: skip


class RiskModel(ResponseModel):
    target: float | None = Field(description="the risk that the threshold keeps; null: the default keeps no usual risk")
    threshold: float = Field(description="the confidence from which the service answers; 1: it says nothing")
    wrong: float = Field(description="the share of wrong answers among the calibration's that reach the threshold")
    wrong_at_most: float = Field(description="its upper 95 % bound, for questions like the calibration's")
    coverage: float = Field(description="the share of the calibration's answerable questions that reach it")

    @classmethod
    def of(cls, kept: Kept) -> RiskModel:
        return cls(
            target=kept.target, threshold=kept.threshold, wrong=round(kept.wrong, 4),
            wrong_at_most=round(kept.bound, 4), coverage=round(kept.coverage, 4),
        )  # fmt: skip


class AskResponse(ResponseModel):
    """The reply. `answerable` false is an ordinary reply: the sources do not say, and `nearest` came closest."""

    id: str
    answerable: bool
    answer: str | None = Field(description="the quotes, each in “…” with its [n]")
    short_answer: str | None
    confidence: float = Field(
        description="probability that the answer is right; below the threshold nothing is answered"
    )
    risk: RiskModel
    question: str
    standalone_question: str
    conversation_id: str
    citations: list[CitationModel]
    sides: list[SideModel] = Field(description="what the sources say, the answer first; empty if nothing answers")
    sources_differ: bool = Field(description="whether independent sources give incompatible values for the question")
    nearest: list[CitationModel] = Field(description="closest passages when nothing answers: not an answer")
    generation: int
    receipt: str | None = Field(
        description="what `POST /v1/replay` gives the same reply for; null if question and filter are too large for one"
    )
    timings_ms: Mapping[str, float]

    @classmethod
    def from_reply(
        cls, reply: Reply, *, reply_id: str, conversation_id: str, timings_ms: Mapping[str, float]
    ) -> AskResponse:
        answer = reply if isinstance(reply, Answer) else None
        understood = reply.understood
        return cls(
            id=reply_id, answerable=answer is not None, answer=None if answer is None else answer.text,
            short_answer=None if answer is None else answer.short_answer, confidence=round(reply.confidence, 4),
            risk=RiskModel.of(understood.kept), question=understood.question,
            standalone_question=understood.standalone, conversation_id=conversation_id,
            citations=[] if answer is None else [CitationModel.of(c) for c in answer.citations],
            sides=[] if answer is None else [SideModel.of(side) for side in answer.sides],
            sources_differ=answer is not None and answer.sources_differ,
            nearest=[] if isinstance(reply, Answer) else [CitationModel.of(c) for c in reply.nearest],
            generation=understood.generation, receipt=None, timings_ms=timings_ms,
        )  # fmt: skip

    def canonical(self) -> bytes:
        """Return the bytes that a replay gives again: JSON in UTF-8, names sorted, without ids, receipt and timings."""
        kept = self.model_dump(mode="json", by_alias=True, exclude={"id", "conversation_id", "receipt", "timings_ms"})
        return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


class TurnModel(ResponseModel):
    """An exchange of a conversation."""

    question: str
    standalone_question: str
    answerable: bool
    short_answer: str | None
    quotes: list[str]
    document_ids: list[str] = Field(description="of the documents quoted")

    @classmethod
    def of(cls, turn: Turn) -> TurnModel:
        return cls(
            question=turn.question, standalone_question=turn.standalone, answerable=bool(turn.quotes),
            short_answer=turn.short_answer, quotes=list(turn.quotes), document_ids=list(turn.documents),
        )  # fmt: skip


class ConversationModel(ResponseModel):
    """A conversation that the server keeps."""

    object: Literal["conversation"] = "conversation"
    id: str
    turns: list[TurnModel] = Field(description="oldest first")
    expires_at: datetime = Field(description="when it is forgotten, unless it goes on before")


class RetrievalEvent(ResponseModel):
    """The event `retrieval`: the passages that the answer is looked for in, best first."""

    id: str = Field(description="of the reply to come")
    question: str
    standalone_question: str
    generation: int
    hits: list[SearchResult]


class CitationEvent(ResponseModel):
    """The event `citation`; its data is the citation."""

    citation: CitationModel


class AnswerEvent(ResponseModel):
    """The event `answer`; its data is the whole reply."""

    reply: AskResponse


class DoneEvent(ResponseModel):
    """The event `done`: nothing follows."""

    id: str
    timings_ms: Mapping[str, float]


class ReplayRequest(RequestModel):
    """The receipt of a reply."""

    receipt: str = Field(min_length=1, max_length=LONGEST_RECEIPT, description="as the reply gave it")


class SearchRequest(RequestModel):
    """A search for passages."""

    query: str = Field(description=f"1 to {LONGEST_QUESTION} characters")
    max_num_results: int = Field(default=10, ge=1, le=50)
    as_of: AsOf = _AS_OF
    filter: FilterModel | None = None

    def to_question(self) -> Question:
        return Question(
            normalise(self.query), where=index_types.Filter() if self.filter is None else self.filter.to_filter()
        )


class TextContent(ResponseModel):
    type: Literal["text"] = "text"
    text: str


class SearchResult(ResponseModel):
    """A passage, in the shape of OpenAI's vector-store search; `attributes` say where it stands."""

    file_id: str
    filename: str
    score: float = Field(description="cosine plus share of the words; higher is better")
    attributes: Mapping[str, str | int | None]
    content: list[TextContent]

    @classmethod
    def of(cls, found: Retrieved) -> SearchResult:
        passage = found.hit.passage
        document = passage.document
        attributes: dict[str, str | int | None] = {
            "revision": document.revision, "title": document.title, "publisher": document.publisher,
            "published_at": document.published_at, "start": passage.span.start, "end": passage.span.end,
        }  # fmt: skip
        text = TextContent(text=passage.text)
        return cls(
            file_id=document.id, filename=document.uri, score=found.hit.score, attributes=attributes, content=[text]
        )


class SearchResponse(ResponseModel):
    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: bool
    next_page: str | None = None
    generation: int


class DocumentModel(ResponseModel):
    """A document as it stands in the current generation."""

    object: Literal["document"] = "document"
    id: str
    uri: str
    revision: str
    title: str
    author: str | None
    publisher: str | None
    published_at: str | None
    language: str | None
    tags: list[str]
    characters: int
    passages: int
    pages: int | None = Field(description="null for formats without pages")
    copy_group: str = Field(description="the same for documents that are copies of one another")
    added_in_generation: int

    @classmethod
    def of(cls, document: index_types.Document) -> DocumentModel:
        return cls(
            id=document.id, uri=document.uri, revision=document.revision, title=document.title, author=document.author,
            publisher=document.publisher, published_at=document.published_at, language=document.language,
            tags=list(document.tags), characters=document.characters, passages=document.passages,
            pages=len(document.pages) if document.pages else None, copy_group=document.group,
            added_in_generation=document.added,
        )  # fmt: skip


class DocumentList(ResponseModel):
    """A page of documents; pass `next_cursor` as `after` for the next one."""

    object: Literal["list"] = "list"
    data: list[DocumentModel]
    has_more: bool
    next_cursor: str | None
    total: int
    generation: int


class VerifyRequest(BaseModel):
    """A citation as a reply gave it; other fields of it are not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)

    document_id: _Id
    revision: _Id
    quote: str = Field(max_length=200_000)
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    byte_start: int | None = Field(default=None, ge=0)
    byte_end: int | None = Field(default=None, ge=0)
    quote_sha256: _Id | None = None

    def to_claim(self) -> Claim:
        return Claim(**self.model_dump())


class VerifyResponse(ResponseModel):
    """`verified`: the words stand there. `drifted`: they do not. `unknown`: no such document or revision here."""

    status: Status
    detail: str
    current: bool = Field(description="whether the revision is the document's present one")

    @classmethod
    def of(cls, verdict: Verdict) -> VerifyResponse:
        return cls(status=verdict.status, detail=verdict.detail, current=verdict.current)


class Problem(ResponseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Mapping[str, str]] | None = Field(
        default=None, description="for invalid requests: each field and what is wrong"
    )


class Health(ResponseModel):
    status: Literal["ok"] = "ok"
    generation: int | None = None
    documents: int | None = None

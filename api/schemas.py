"""The shapes that travel over HTTP (DESIGN.md, "HTTP contract"). Fields are documented once, here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from index import types as index_types
from index.errors import UnsupportedParameter
from index.load.normalise import normalise
from qa.service import LONGEST_QUESTION, MOST_CITATIONS
from qa.types import Answer, Citation, Question, Reply, Retrieved, Turn
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
AsOf = _Number | _Moment | None
_AS_OF: AsOf = Field(
    None,
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

    published_from: _Day | None = Field(None, description="ISO date, inclusive")
    published_to: _Day | None = Field(None, description="ISO date, inclusive")
    document_ids: list[_Id] | None = Field(None, max_length=1_000)
    tags: list[_Id] | None = Field(None, max_length=100, description="any of them")
    language: _Id | None = Field(None, description="BCP 47; the primary language is compared")

    def to_filter(self) -> index_types.Filter:
        return index_types.Filter(
            published_from=None if self.published_from is None else self.published_from.isoformat(),
            published_to=None if self.published_to is None else self.published_to.isoformat(),
            document_ids=None if self.document_ids is None else frozenset(self.document_ids),
            tags=None if self.tags is None else frozenset(self.tags),
            language=self.language,
        )


class AskRequest(RequestModel):
    """A question. `risk` is not served yet: anything but null is refused."""

    question: str = Field(
        description=f"1 to {LONGEST_QUESTION} characters", examples=["When did China announce the ban?"]
    )
    conversation_id: _Id | None = Field(None, description="of an earlier reply, to go on from there")
    max_citations: int = Field(3, ge=1, le=MOST_CITATIONS)
    risk: float | None = Field(None, description="not served yet: null")
    as_of: AsOf = _AS_OF
    filter: FilterModel | None = None

    def to_question(self, conversation: tuple[Turn, ...]) -> Question:
        """:raises UnsupportedParameter: for a parameter of the contract that this version does not serve."""
        if self.risk is not None:
            raise UnsupportedParameter("risk is not served by this version; leave it out or send null")
        where = index_types.Filter() if self.filter is None else self.filter.to_filter()
        return Question(normalise(self.question), conversation, where, self.max_citations)


class HighlightModel(ResponseModel):
    start: int
    end: int


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

    @classmethod
    def of(cls, citation: Citation) -> CitationModel:
        document, highlight, place = citation.document, citation.highlight, citation.in_answer
        return cls(
            number=citation.number, document_id=document.id, revision=document.revision, title=document.title,
            uri=document.uri, publisher=document.publisher, author=document.author, published_at=document.published_at,
            page=document.page(citation.span.start), quote=citation.quote,
            start=citation.span.start, end=citation.span.end,
            byte_start=citation.bytes.start, byte_end=citation.bytes.end, quote_sha256=citation.sha256,
            highlight=None if highlight is None else HighlightModel(start=highlight.start, end=highlight.end),
            answer_start=None if place is None else place.start, answer_end=None if place is None else place.end,
        )  # fmt: skip


class SideModel(ResponseModel):
    value: str
    citations: list[int]
    documents: int
    independent: int


class RiskModel(ResponseModel):
    target: float | None = Field(description="null: no risk was asked for; `threshold` is the calibrated default")
    threshold: float = Field(description="the confidence from which the service answers")


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
    sides: list[SideModel] = Field(description="not judged by this version: empty")
    sources_differ: bool | None = Field(description="not judged by this version: null")
    nearest: list[CitationModel] = Field(description="closest passages when nothing answers: not an answer")
    generation: int
    receipt: str | None = Field(description="not issued by this version: null")
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
            risk=RiskModel(target=None, threshold=understood.threshold), question=understood.question,
            standalone_question=understood.standalone, conversation_id=conversation_id,
            citations=[] if answer is None else [CitationModel.of(c) for c in answer.citations],
            sides=[], sources_differ=None,
            nearest=[] if isinstance(reply, Answer) else [CitationModel.of(c) for c in reply.nearest],
            generation=understood.generation, receipt=None, timings_ms=timings_ms,
        )  # fmt: skip


class SearchRequest(RequestModel):
    """A search for passages."""

    query: str = Field(description=f"1 to {LONGEST_QUESTION} characters")
    max_num_results: int = Field(10, ge=1, le=50)
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
    score: float = Field(description="fused rank score; higher is better")
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
    byte_start: int | None = Field(None, ge=0)
    byte_end: int | None = Field(None, ge=0)
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
        None, description="for invalid requests: each field and what is wrong"
    )


class Health(ResponseModel):
    status: Literal["ok"] = "ok"
    generation: int | None = None
    documents: int | None = None

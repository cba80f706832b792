"""Messages of a chat → the question and its conversation; a reply → the text of a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from api.schemas import AskResponse, CitationModel, SideModel
from api.schemas_openai import MessageModel
from index.load.normalise import normalise
from index.types import Span
from qa.types import LONGEST_QUESTION

SILENCE = "The sources do not say."
"""What a message begins with where nothing answers."""

_DIFFER = "The sources differ:"
_DIFFER_UNSEEN = "The sources differ; with more citations the other sides are shown."
_NEAREST = "Nearest, though they do not answer:"
_SOURCES = "Sources:"
# Only the end of a conversation decides what a question means.
_EXCHANGES = 50
_LONGEST_ANSWER = 4_000
_MARK = re.compile(r" \[[0-9]{1,2}\](?=\s|$)")


@dataclass(frozen=True, slots=True)
class Asked:
    """The question of a chat, and the exchanges before it, oldest first: question and answer, None for no answer."""

    question: str
    exchanges: tuple[tuple[str, str | None], ...]


def asked_in(messages: Sequence[MessageModel]) -> Asked:
    """Return what the last message of a user asks, after what users and the assistant said before it.

    There has to be one. What else there is (instructions, calls of tools and their results) says nothing here.
    """
    last = max(number for number, message in enumerate(messages) if message.role == "user")
    exchanges: list[tuple[str, str | None]] = []
    for message in messages[:last]:
        text = "" if message.content is None else normalise(message.content)
        if message.role == "user":
            exchanges.append((text, None))
        elif message.role == "assistant" and text and exchanges:
            exchanges[-1] = (exchanges[-1][0], _said(text))
    # One that was refused, as too long or empty, stays in the history of the client that sent it.
    could = [(question, answer) for question, answer in exchanges if 0 < len(question.strip()) <= LONGEST_QUESTION]
    question = messages[last].content
    assert question is not None
    return Asked(question, tuple(could[-_EXCHANGES:]))


def _said(text: str) -> str | None:
    """Return what a message of the assistant answered, without what `written` puts around it; None if nothing."""
    if text.startswith(SILENCE):
        return None
    answer, found, _ = text.rpartition(f"\n\n{_SOURCES}\n")
    return _MARK.sub("", answer if found else text)[:_LONGEST_ANSWER]


@dataclass(frozen=True, slots=True)
class Written:
    """A message in the pieces that it is sent in.

    `quotes` and `marks` say where in it the quote of each citation stands, and the `[n]` behind it, in the order of the
    citations.
    """

    pieces: tuple[str, ...]
    quotes: tuple[Span, ...] = ()
    marks: tuple[Span, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def written(reply: AskResponse) -> Written:
    """Return the message that a reply is: short answer or sides, the quotes with their `[n]`, and what is quoted.

    Beside a few fixed words all of it is the documents' own.
    """
    if reply.answer is None:
        return Written((SILENCE, *_nearest(reply.nearest)))
    lead = _lead(reply)
    pieces, quotes, marks = [lead] if lead else [], [], []
    at = 0
    for citation in reply.citations:
        assert citation.answer_start is not None
        assert citation.answer_end is not None
        mark = f"[{citation.number}]"
        begin = reply.answer.index(mark, citation.answer_end)
        end = begin + len(mark)
        pieces.append(reply.answer[at:end])
        quotes.append(Span(len(lead) + citation.answer_start, len(lead) + citation.answer_end))
        marks.append(Span(len(lead) + begin, len(lead) + end))
        at = end
    pieces.append("\n".join(["", "", _SOURCES, *(f"[{one.number}] {_named(one)}" for one in reply.citations)]))
    return Written(tuple(pieces), tuple(quotes), tuple(marks))


def _lead(reply: AskResponse) -> str:
    """Return what stands before the quotes."""
    if reply.sources_differ:
        if len(reply.sides) < 2:
            return f"{_DIFFER_UNSEEN}\n\n"
        return "\n".join([_DIFFER, *(_side(side) for side in reply.sides), "", ""])
    return "" if reply.short_answer is None else f"{reply.short_answer}\n\n"


def _side(side: SideModel) -> str:
    marks = "".join(f" [{number}]" for number in side.citations)
    days = [day for day in (side.published_from, side.published_to) if day is not None]
    return f"{side.value}{marks}" + (f" ({' to '.join(dict.fromkeys(days))})" if days else "")


def _nearest(passages: Sequence[CitationModel]) -> tuple[str, ...]:
    """Return what is said of the nearest passages: their documents, each once."""
    if not passages:
        return ()
    names = dict.fromkeys(_named(passage) for passage in passages)
    return ("\n".join(["", "", _NEAREST, *(f"- {name}" for name in names)]),)


def _named(citation: CitationModel) -> str:
    """Return what a document is called, on one line: title, publisher, day and page, as far as they are known."""
    return ", ".join(" ".join(part.split()) for part in citation.source())

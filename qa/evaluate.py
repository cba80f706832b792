"""Labelled questions + service → how often it is right, silent and wrong.

A question counts as right if one of the first two citations overlaps a gold quote (half of the shorter one) in the gold
document, or holds one of its facts. A document is named by the end of its uri.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import QuestionError
from index.store import PassageStore
from index.types import Span
from qa.measure import exact_match, overlaps, token_f1
from qa.service import AnswerService, Considered
from qa.types import Answer, Citation, Question, Turn

_COUNTED_CITATIONS = 2


@dataclass(frozen=True, slots=True)
class Gold:
    """A quote that answers, and the document it stands in (the end of its uri)."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with what is known of its answer; not `answerable` means that the sources do not say."""

    text: str
    answerable: bool
    gold: tuple[Gold, ...]
    facts: tuple[str, ...]
    short_answer: str | None
    conversation: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    question: Labelled
    answered: bool
    right: bool
    right_document: bool
    shown: str
    confidence: float
    considered: Considered
    exact: float | None
    f1: float | None
    milliseconds: float

    @property
    def good(self) -> bool:
        """Right where there is an answer, silent where there is none."""
        return self.right if self.question.answerable else not self.answered


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of one run."""

    outcomes: tuple[Outcome, ...]
    generation: int

    def rates(self) -> dict[str, Any]:
        """Return counts and rates; a rate over nothing is None."""
        asked = self.outcomes
        answerable = [o for o in asked if o.question.answerable]
        unanswerable = [o for o in asked if not o.question.answerable]
        answered = [o for o in asked if o.answered]
        short = [o for o in answerable if o.f1 is not None]
        return {
            "questions": len(asked),
            "answerable": len(answerable),
            "unanswerable": len(unanswerable),
            "right": _rate([o.right for o in answerable]),
            "right document first": _rate([o.right_document for o in answerable]),
            "answered (of answerable)": _rate([o.answered for o in answerable]),
            "right when answered": _rate([o.right for o in answered]),
            "silent (of unanswerable)": _rate([not o.answered for o in unanswerable]),
            "short answer exact match": _mean([o.exact for o in short if o.exact is not None]),
            "short answer token F1": _mean([o.f1 for o in short if o.f1 is not None]),
            "median milliseconds": round(statistics.median([o.milliseconds for o in asked]), 1) if asked else None,
        }

    def to_json(self, *, each: bool) -> dict[str, Any]:
        """Return the rates, and with `each` every question."""
        questions = [
            {"question": o.question.text, "answerable": o.question.answerable, "answered": o.answered, "right": o.right,
             "confidence": round(o.confidence, 4), "shown": o.shown}
            for o in self.outcomes
        ]  # fmt: skip
        return {"generation": self.generation, **self.rates(), **({"each": questions} if each else {})}


def _rate(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None


def read_questions(path: Path) -> list[Labelled]:
    """Return the questions of a JSON-lines file: `question`, `answers` [{document, quote}], `facts`, `answerable`.

    :raises QuestionError: if the file cannot be read or a line is not of that shape, naming the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError(f"{path}: cannot be read ({error})") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_labelled(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise QuestionError(f"{path}, line {number}: not a labelled question ({error!r})") from error
    if not found:
        raise QuestionError(f"{path}: no question in it")
    return found


def _labelled(raw: Mapping[str, Any]) -> Labelled:
    gold = tuple(Gold(str(a["document"]), str(a["quote"])) for a in raw.get("answers", []))
    facts = tuple(str(fact) for fact in raw.get("facts", []))
    short = raw.get("short_answer")
    return Labelled(
        text=str(raw["question"]),
        answerable=bool(raw.get("answerable", True)),
        gold=gold,
        facts=facts,
        short_answer=None if short is None else str(short),
        conversation=raw.get("conversation"),
    )


def evaluate(questions: Sequence[Labelled], service: AnswerService, store: PassageStore) -> Report:
    """Return what the service makes of `questions`, asked in order; those of one conversation follow one another."""
    conversations: dict[str, tuple[Turn, ...]] = {}
    outcomes = []
    for labelled in questions:
        turns = conversations.get(labelled.conversation, ()) if labelled.conversation is not None else ()
        asked = service.ask(Question(labelled.text, turns), store)
        reply = asked.reply
        citations = reply.citations if isinstance(reply, Answer) else ()
        short = reply.short_answer if isinstance(reply, Answer) else None
        if labelled.conversation is not None:
            turn = Turn(labelled.text, reply.understood.standalone, tuple(c.quote for c in citations), short)
            conversations[labelled.conversation] = (*turns, turn)
        gold = [labelled.short_answer] if labelled.short_answer is not None else []
        compared = bool(gold) and short is not None
        outcomes.append(
            Outcome(
                question=labelled,
                answered=bool(citations),
                right=is_right(labelled, citations, store),
                right_document=bool(citations) and any(_names(citations[0], g) for g in labelled.gold),
                shown=reply.text if isinstance(reply, Answer) else "—",
                confidence=reply.confidence,
                considered=asked.considered,
                exact=exact_match(short, gold) if compared and short is not None else None,
                f1=token_f1(short, gold) if compared and short is not None else None,
                milliseconds=sum(asked.timings_ms.values()),
            )
        )
    return Report(tuple(outcomes), store.generation.number)


def is_right(labelled: Labelled, citations: Sequence[Citation], store: PassageStore) -> bool:
    """Return whether one of the first two citations overlaps a gold quote or holds a fact."""
    counted = citations[:_COUNTED_CITATIONS]
    if any(fact.casefold() in c.quote.casefold() for fact in labelled.facts for c in counted):
        return True
    return any(_names(c, g) and _overlaps_gold(c, g, store) for c in counted for g in labelled.gold)


def _names(citation: Citation, gold: Gold) -> bool:
    return citation.document.uri.endswith(gold.document)


def _overlaps_gold(citation: Citation, gold: Gold, store: PassageStore) -> bool:
    text = store.revision(citation.document.id, citation.document.revision).text
    at = text.find(gold.quote)
    if at >= 0:
        return overlaps(citation.span, Span(at, at + len(gold.quote)))
    # The gold quote is not in the text letter for letter (other spacing, dashes): compare the words.
    words = set(gold.quote.split())
    return bool(words) and len(words & set(citation.quote.split())) >= 0.6 * len(words)

"""Labelled questions + service → what became of each.

An answer counts as right if one of its first two citations overlaps a gold quote (half of the shorter one) in the gold
document, or holds one of the question's facts, or if its short answer is the gold one (SQuAD's comparison). A document
is named by the end of its uri.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.store import PassageStore, TextStore
from index.types import Document, Span
from qa.compose import Citer
from qa.evaluation.labelled import Gold, Labelled
from qa.evaluation.outcomes import RANKS, Outcome, Report
from qa.followup import turn_of
from qa.measure import exact_match, ndcg, overlaps, recall, token_f1
from qa.risk import Step, Trial
from qa.service import AnswerService, Asked
from qa.types import Answer, Citation, Question, Retrieved, Turn

_COUNTED_CITATIONS = 2
# The share of a gold quote's words that must be there where the quote is not in the text letter for letter.
_WORDS = 0.6


def evaluate(
    questions: Sequence[Labelled], service: AnswerService, store: PassageStore, risk: float | None = None
) -> Report:
    """Return what the service makes of `questions`, asked in order; those of one conversation follow one another.

    `risk` is that of every question; None is the default's threshold.
    """
    conversations: dict[str, tuple[Turn, ...]] = {}
    outcomes, places = [], _Places(store)
    threshold = None
    for labelled in questions:
        turns = conversations.get(labelled.conversation, ()) if labelled.conversation is not None else ()
        asked = service.ask(Question(labelled.text, turns, risk=risk), store)
        threshold = asked.reply.understood.threshold
        if labelled.conversation is not None:
            conversations[labelled.conversation] = (*turns, turn_of(labelled.text, asked.reply))
        outcomes.append(_outcome(labelled, asked, places))
    return Report(tuple(outcomes), store.generation.number, threshold)


def is_right(labelled: Labelled, citations: Sequence[Citation], store: TextStore) -> bool:
    """Return whether one of the first two citations overlaps a gold quote or holds a fact."""
    return _says(labelled, _quoted(citations), _Places(store))


def trial(labelled: Labelled, service: AnswerService, store: PassageStore) -> Trial:
    """Return how sure the service would be wherever reading may end, and whether its answer would be right."""
    places = _Places(store)
    steps = []
    for answer in service.rehearse(Question(labelled.text), store):
        right = _is_right(labelled, _quoted(answer.citations), answer.short_answer, places)
        steps.append(Step(answer.confidence, right))
    return Trial(labelled.answerable, tuple(steps))


@dataclass(frozen=True, slots=True)
class _Quoted:
    """Words of a document and where they stand."""

    document: Document
    span: Span
    text: str


class _Places:
    """Where gold quotes stand in the texts of one generation. Each text is read once."""

    def __init__(self, store: TextStore) -> None:
        self._citer = Citer(store)
        self._places: dict[tuple[str, str, str], int] = {}

    def overlap(self, quoted: _Quoted, gold: Gold) -> bool:
        """Return whether the words overlap the gold quote, in the document that it names."""
        document = quoted.document
        if not document.uri.endswith(gold.document):
            return False
        key = (document.id, document.revision, gold.quote)
        if key not in self._places:
            self._places[key] = self._citer.text(document).find(gold.quote)
        at = self._places[key]
        if at >= 0:
            return overlaps(quoted.span, Span(at, at + len(gold.quote)))
        # The gold quote is not in the text letter for letter (other spacing, dashes): compare the words.
        words = set(gold.quote.split())
        return bool(words) and len(words & set(quoted.text.split())) >= _WORDS * len(words)


def _quoted(citations: Sequence[Citation]) -> list[_Quoted]:
    """Return what the citations that count quote."""
    return [_Quoted(c.document, c.span, c.quote) for c in citations[:_COUNTED_CITATIONS]]


def _outcome(labelled: Labelled, asked: Asked, places: _Places) -> Outcome:
    reply = asked.reply
    answer = reply if isinstance(reply, Answer) else None
    citations = () if answer is None else answer.citations
    quoted = _quoted(citations)
    short = None if answer is None else answer.short_answer
    gold = [] if labelled.short_answer is None else [labelled.short_answer]
    right = _is_right(labelled, quoted, short, places)
    ranking, relevant = _ranking(labelled, asked.considered.retrieved, places)
    return Outcome(
        question=labelled,
        answered=answer is not None,
        right=right,
        would_be_right=right if answer is not None else _guess_is_right(labelled, asked, places),
        right_document=bool(citations) and any(citations[0].document.uri.endswith(g.document) for g in labelled.gold),
        overlaps_gold=_overlap_any(labelled, quoted, places) if labelled.gold else None,
        shown="—" if answer is None else answer.text,
        confidence=reply.confidence,
        considered=asked.considered,
        exact=exact_match(short, gold) if gold and short is not None else None,
        f1=token_f1(short, gold) if gold and short is not None else None,
        ndcg=ndcg(ranking, relevant, RANKS) if relevant else None,
        recall=recall(ranking, relevant, RANKS) if relevant else None,
        milliseconds=sum(asked.timings_ms.values()),
    )


def _is_right(labelled: Labelled, quoted: Sequence[_Quoted], short: str | None, places: _Places) -> bool:
    return _says(labelled, quoted, places) or _is_gold(labelled, short)


def _says(labelled: Labelled, quoted: Sequence[_Quoted], places: _Places) -> bool:
    """Return whether one of the quotes holds a fact or overlaps a gold quote; never where there is no answer."""
    held = any(fact.casefold() in one.text.casefold() for fact in labelled.facts for one in quoted)
    return labelled.answerable and (held or _overlap_any(labelled, quoted, places))


def _overlap_any(labelled: Labelled, quoted: Sequence[_Quoted], places: _Places) -> bool:
    return any(places.overlap(one, gold) for one in quoted for gold in labelled.gold)


def _is_gold(labelled: Labelled, short: str | None) -> bool:
    if not labelled.answerable or labelled.short_answer is None or short is None:
        return False
    return exact_match(short, [labelled.short_answer]) == 1.0


def _guess_is_right(labelled: Labelled, asked: Asked, places: _Places) -> bool:
    """Return whether the sentence would have been right that the service thought best and kept to itself."""
    if not asked.considered.weighed:
        return False
    best = asked.considered.weighed[0].candidate
    quoted = _Quoted(best.passage.document, best.sentence.span, best.quote)
    return _is_right(labelled, [quoted], best.text, places)


def _ranking(labelled: Labelled, retrieved: Sequence[Retrieved], places: _Places) -> tuple[list[str], dict[str, float]]:
    """Return the passages found, best first, and which of them are relevant: those that overlap a gold quote.

    A gold quote that no passage found overlaps is one relevant passage that is missing. Copies of its document count
    like it only where they are named.
    """
    passages = [found.hit.passage for found in retrieved]
    ranking = [str(passage.id) for passage in passages]
    relevant: dict[str, float] = {}
    for number, gold in enumerate(labelled.gold if labelled.answerable else ()):
        holding = [p for p in passages if places.overlap(_Quoted(p.document, p.span, p.text), gold)]
        relevant |= {str(passage.id): 1.0 for passage in holding} if holding else {f"gold {number}": 1.0}
    return ranking, relevant

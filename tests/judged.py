"""Outcomes of labelled questions from literals."""

from __future__ import annotations

from qa.evaluation.labelled import Gold, Labelled
from qa.evaluation.outcomes import Outcome, Report
from qa.service import Considered

THRESHOLD = 0.5


def outcome(
    text: str,
    confidence: float,
    *,
    right: bool = False,
    answerable: bool = True,
    short: str | None = None,
    f1: float | None = None,
    ndcg: float | None = None,
    conversation: str | None = None,
    shown: str | None = None,
    quote: str = "Gold words.",
) -> Outcome:
    """Return a question that was answered from THRESHOLD on; below it, `right` is what the answer would have been."""
    answered = confidence >= THRESHOLD
    gold = (Gold("a.txt", quote),) if answerable else ()
    words = f"“Words about {text}” [1]" if shown is None else shown
    return Outcome(
        question=Labelled(text, answerable, gold, (), short, conversation),
        answered=answered,
        right=answered and right,
        would_be_right=right,
        right_document=answered and right,
        overlaps_gold=(answered and right) if answerable else None,
        shown=words if answered else "—",
        confidence=confidence,
        considered=Considered(text, (), (), confidence),
        exact=None,
        f1=f1,
        ndcg=ndcg,
        recall=ndcg,
        milliseconds=10.0,
    )


def report(*outcomes: Outcome) -> Report:
    """Return a report on generation 3."""
    return Report(outcomes, 3, THRESHOLD)


FOUR = (
    outcome("Who came?", 0.9, right=True, short="Ada", f1=1.0, ndcg=1.0),
    outcome("Who went?", 0.7, right=False, short="Bob", f1=0.4, ndcg=0.5),
    outcome("Who stayed?", 0.3, right=True, short="Cem", ndcg=0.0),
    outcome("Who slept?", 0.1, answerable=False),
)
"""Right, wrong, silent though there was an answer, and rightly silent."""

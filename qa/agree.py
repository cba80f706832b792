"""Which candidates say the same, and where independent sources give another value for the same question.

Careful on purpose: to say that sources differ where they do not is worse than to miss it. A value is another side only
if it can be compared with the answer and is clearly different, comes from another document, weighs about as much, and
stands in a sentence on the same matter. Which value is right, newer or corrected is shown, never judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qa.calibrate import Weighed
from qa.expect import kind_fits
from qa.matter import Claim, claim_of, rival_matter, same_matter, same_office, same_statement
from qa.values.ranges import Relation
from qa.values.value import Name, Words, relation


@dataclass(frozen=True, slots=True)
class AgreePolicy:
    """When a candidate stands for a side, its own or the answer's.

    It may weigh at most `near` less than the best one (weights are those of `Calibration.weigh`), and its reader's
    score is at least `score`: 0 is where the reader holds "no answer here" for as likely. A candidate that repeats the
    answer needs less: it is a witness from `same` below the best one on. `pytest tests/test_agreement.py` shows what
    other values do to the groups there.
    """

    near: float = 4.0
    same: float = 6.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Candidates that say the same thing, best first.

    `value` is the span of the best of them; `documents` counts the documents they stand in, `independent` the groups
    of near-copies among those, and `published_from` and `published_to` are the first and the last date of those that
    have one.
    """

    value: str
    witnesses: tuple[Weighed, ...]
    documents: int
    independent: int
    published_from: str | None
    published_to: str | None

    @classmethod
    def of(cls, witnesses: Sequence[Weighed]) -> Evidence:
        """Return the evidence of `witnesses`, best first, at least one."""
        documents = {one.candidate.passage.document.id: one.candidate.passage.document for one in witnesses}
        dates = sorted(document.published_at for document in documents.values() if document.published_at)
        return cls(
            value=witnesses[0].candidate.text,
            witnesses=tuple(witnesses),
            documents=len(documents),
            independent=len({document.source for document in documents.values()}),
            published_from=dates[0] if dates else None,
            published_to=dates[-1] if dates else None,
        )


def gather(query: str, weighed: Sequence[Weighed], policy: AgreePolicy | None = None) -> list[Evidence]:
    """Return what `weighed` (best first) says, grouped; the evidence of the best candidate first.

    A candidate joins the first evidence whose best witness has the same value, or is the same statement, on the same
    matter; with too little weight for that it stands alone. Ties are ordered by what the text says and where it stands.
    """
    if not weighed:
        return []
    policy = AgreePolicy() if policy is None else policy
    best = weighed[0]
    heard: list[tuple[Claim, list[Weighed]]] = []
    alone: list[list[Weighed]] = []
    for one in (best, *sorted(weighed[1:], key=_order)):
        # Most candidates weigh too little to be looked at any closer.
        if one.weight < best.weight - policy.same and one is not best:
            alone.append([one])
            continue
        claim = claim_of(query, one)
        found = next((witnesses for head, witnesses in heard if _agree(head, claim)), None)
        if claim.withdrawn and one is not best:
            alone.append([one])
        elif found is None:
            heard.append((claim, [one]))
        else:
            found.append(one)
    return [Evidence.of(witnesses) for witnesses in [*(witnesses for _, witnesses in heard), *alone]]


def rivals(query: str, evidence: Sequence[Evidence], policy: AgreePolicy) -> list[Evidence]:
    """Return the evidence that gives another value than the first; empty if the sources do not differ.

    A document that gives both values is on neither side: one source that corrects itself does not differ from itself.
    A near-copy counts as another source only where it fills the same sentence with another value.
    """
    if not evidence or kind_fits(query, evidence[0].value) == 0.0:
        return []
    first = claim_of(query, evidence[0].witnesses[0])
    found: list[Evidence] = []
    for other in evidence[1:]:
        best = other.witnesses[0]
        if best.weight < first.weighed.weight - policy.near or best.candidate.score < policy.score:
            continue
        if _apart(evidence[0], other) and kind_fits(query, other.value) != 0.0:
            claim = claim_of(query, best)
            if not claim.withdrawn and _independent(first, claim) and _differ(first, claim):
                found.append(other)
    return found


def _order(one: Weighed) -> tuple[float, str, str, str, int, int]:
    candidate = one.candidate
    document = candidate.passage.document
    return (-one.weight, candidate.text, candidate.quote, document.id, candidate.span.start, candidate.span.end)


def _agree(one: Claim, other: Claim) -> bool:
    """Return whether two claims are one: the same value for the same question, or the same sentence."""
    if relation(one.value, other.value) is not Relation.SAME:
        return isinstance(one.value, Words) and isinstance(other.value, Words) and same_statement(one, other)
    return same_matter(one, other)


def _differ(one: Claim, other: Claim) -> bool:
    """Return whether two claims answer the same question with values that cannot both be right."""
    if relation(one.value, other.value) is not Relation.INCOMPATIBLE or not rival_matter(one, other):
        return False
    # Several people may have said it, but only one holds an office or wins a race.
    return not isinstance(one.value, Name) or (one.asks_for_one and same_office(one, other))


def _apart(one: Evidence, other: Evidence) -> bool:
    """Return whether each value has a document that does not give the other one."""
    these, those = ({w.candidate.passage.document.id for w in e.witnesses} for e in (one, other))
    return bool(these - those) and bool(those - these)


def _independent(one: Claim, other: Claim) -> bool:
    """Return whether two claims have sources of their own: other documents, or one form filled in two ways."""
    these, those = (claim.weighed.candidate.passage.document for claim in (one, other))
    return these.source != those.source or same_statement(one, other)

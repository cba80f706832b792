"""Once it is known that the service answers: which other sources are heard before the reply is composed.

The service stops reading when it is sure, so a second source that says the same, or something else, may never have been
read. Reading is what costs, about 40 ms a passage on a small machine; a copy of the best sentence needs none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from index.terms import analyze
from index.types import Passage, Sentence, Span
from qa.calibrate import Weighed
from qa.features import content_words, held_by, name_words
from qa.types import Candidate, Retrieved

_LONGEST_QUOTE = 2_000
# A copy in another house's spelling differs in a few words.
_COPIED = 0.8


@dataclass(frozen=True, slots=True)
class FurtherPolicy:
    """Which passages are worth a second opinion.

    At most `most` are read, the best of each independent source, and only those that look as if they were on the same
    matter: their cosine is at most `cosine` below that of the best candidate's passage, they lack no name or number of
    the question that it has, and at most the share `coverage` of the question's words that it has.
    """

    most: int = 2
    cosine: float = 0.15
    coverage: float = 0.25

    def __post_init__(self) -> None:
        if self.most < 0:
            raise ValueError(f"cannot read {self.most} passages")


def to_read(
    query: str, best: Candidate, retrieved: Sequence[Retrieved], read: Collection[int], policy: FurtherPolicy
) -> list[Passage]:
    """Return the passages to read for other sources' word on the best candidate's matter, best first.

    `read` are the ids of those that were read. Sources of which something was read, and the copies of those, have been
    heard.
    """
    cosine = next((found.cosine for found in retrieved if found.hit.passage.id == best.passage.id), None)
    heard = {found.hit.passage.document.source for found in retrieved if found.hit.passage.id in read}
    words, names = content_words(query), name_words(query)
    held = held_by(best.passage)
    chosen: list[Passage] = []
    for found in retrieved:
        passage = found.hit.passage
        if len(chosen) == policy.most or cosine is None:
            break
        if passage.document.source in heard or found.cosine < cosine - policy.cosine:
            continue
        own = held_by(passage)
        if names & held <= own and len(words & held - own) <= policy.coverage * len(words):
            chosen.append(passage)
            heard.add(passage.document.source)
    return chosen


def repeated(weighed: Sequence[Weighed], retrieved: Sequence[Retrieved], read: Collection[int]) -> list[Candidate]:
    """Return the best candidate of each document as it stands in the document's unread copies, with the same score.

    `weighed` is best first. A copy is a sentence with the same span and nearly the same words in a document of the same
    group; the reader need not look at it again. One candidate for each copy, and none of what the reader holds for no
    answer.
    """
    unread = [one.hit.passage for one in retrieved if one.hit.passage.id not in read and one.hit.passage.document.group]
    known = {one.hit.passage.document.id for one in retrieved if one.hit.passage.id in read}
    found: dict[str, Candidate] = {}
    for best in _best_of_each(weighed):
        for passage in unread:
            other = passage.document
            if other.group == best.passage.document.group and other.id not in known and other.id not in found:
                copies = [copy for s in passage.sentences if (copy := _copy(best, passage, s)) is not None]
                if copies:
                    found[other.id] = copies[0]
    return list(found.values())


def _best_of_each(weighed: Sequence[Weighed]) -> list[Candidate]:
    """Return the heaviest candidate of each document, if it is more likely an answer than none."""
    best: dict[str, Candidate] = {}
    for one in weighed:
        best.setdefault(one.candidate.passage.document.id, one.candidate)
    return [candidate for candidate in best.values() if candidate.score > 0 and len(candidate.quote) <= _LONGEST_QUOTE]


def _copy(best: Candidate, passage: Passage, sentence: Sentence) -> Candidate | None:
    """Return the candidate in a sentence that says the same in nearly the same words, None if it does not."""
    text = passage.slice(sentence.span)
    if len(text) > _LONGEST_QUOTE or text.count(best.text) != 1:
        return None
    words, others = set(analyze(text)), set(analyze(best.quote))
    if len(words & others) < _COPIED * max(len(words), len(others)):
        return None
    start = sentence.span.start + text.index(best.text)
    return Candidate(passage, sentence, Span(start, start + len(best.text)), best.score)

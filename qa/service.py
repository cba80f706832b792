"""The whole path of a question, on one screen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from index.errors import QuestionError
from index.store import PassageStore
from index.types import Passage
from qa import compose
from qa.calibrate import Calibration, Weighed, heaviest_first
from qa.compose import ComposePolicy
from qa.features import Sought
from qa.followup import standalone
from qa.further import FurtherPolicy, repeated, to_read
from qa.read import Reader, best_first, together
from qa.receipt import configuration
from qa.retrieve import retrieve
from qa.risk import enough
from qa.types import (
    LONGEST_QUESTION,
    MOST_CITATIONS,
    Answer,
    Candidate,
    Question,
    Reply,
    Retrieved,
    Understood,
)


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What a larger reader, which takes four times as long for a token, looks at again.

    Where the best candidate stands, if it is not hopeless: its sentence with those beside it, up to `characters`. What
    it finds there takes the place of what the first reader found; while the answer is not sure, it looks where the best
    of those stands that it has not looked at, after each helping at most so many times as `looks` says.
    """

    looks: tuple[int, ...] = (3, 1, 1)
    characters: int = 450

    def __post_init__(self) -> None:
        if min(self.looks, default=0) < 0:
            raise ValueError(f"cannot look {min(self.looks)} times")

    def after(self, helping: int) -> int:
        """Return how often it may look after the helping of that number, from 0 on."""
        return self.looks[helping] if helping < len(self.looks) else 0


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is read for a question.

    The reader takes the passages in helpings, and takes no more once the best answer is sure, or hopeless
    (`qa/risk.py`): reading is most of a question's time, and the first passages nearly always hold the answer if any
    does (docs/performance.md). After the first helping nothing is read whose score is more than `near`
    below that of the best passage. `second` says what a larger reader, if there is one, looks at again. Once it is sure
    that the service answers, `further` says which other sources are heard.
    """

    helpings: tuple[int, ...] = (2, 1, 1, 1, 1, 1)
    near: float = 0.3
    second: SecondLook = field(default_factory=SecondLook)
    further: FurtherPolicy = field(default_factory=FurtherPolicy)
    compose: ComposePolicy = field(default_factory=ComposePolicy)


@dataclass(frozen=True, slots=True)
class Considered:
    """Everything that a reply is made from: the query, what was found, and the candidates weighed, best first.

    `heard` are those of other sources, which were asked once it was known from `weighed` that the service answers.
    """

    query: str
    retrieved: tuple[Retrieved, ...]
    weighed: tuple[Weighed, ...]
    confidence: float
    heard: tuple[Weighed, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply with what is not part of it: what it was made from, and how long each step took, in milliseconds."""

    reply: Reply
    considered: Considered
    timings_ms: dict[str, float]


class Watch:
    """Looks on while a question is answered. What a method of it raises ends the work; this one only looks."""

    def found(self, query: str, retrieved: Sequence[Retrieved]) -> None:
        """Called once, with the passages for the query, best first, before any is read."""

    def reading(self) -> None:
        """Called each time before more is read."""


class AnswerService:
    """Answers questions from one generation at a time. Safe to call from many threads."""

    def __init__(
        self, reader: Reader, calibration: Calibration, policy: Policy | None = None, second: Reader | None = None
    ) -> None:
        """`second` is the larger reader, for what `reader` leaves in doubt; `calibration` was fitted for both."""
        self._reader = reader
        self._second = second
        self._calibration = calibration
        self._policy = Policy() if policy is None else policy
        self._configuration = configuration(self._calibration, self._policy)

    @property
    def reader(self) -> str:
        """The fingerprint of the reader, or of both."""
        return together(self._reader, self._second)

    @property
    def calibration(self) -> Calibration:
        """The table in use."""
        return self._calibration

    @property
    def configuration(self) -> str:
        """Names the values of the calibration and the policy."""
        return self._configuration

    def ask(self, question: Question, store: PassageStore, watch: Watch | None = None) -> Asked:
        """Return the reply to `question` from the generation of `store`; `watch` is told how it goes.

        :raises QuestionError: if it is empty, too long, or asks for no or too many citations.
        """
        check(question)
        watch = Watch() if watch is None else watch
        clock = _Clock()
        sought = _sought(question, store)
        query, retrieved = sought.query, sought.retrieved
        clock.lap("retrieve")
        watch.found(query, retrieved)
        kept = self._calibration.at_risk(question.risk)
        weighed, confidence = self._read(sought, kept.threshold, watch)
        understood = Understood(question.text, query, store.generation.number, kept)
        heard: list[Weighed] = []
        reply: Reply
        if weighed and confidence >= kept.threshold:
            watch.reading()
            heard = self._hear_others(sought, weighed)
            clock.lap("read")
            reply = self._answer(understood, confidence, weighed, heard, question, store)
        else:
            clock.lap("read")
            reply = compose.no_answer(understood, confidence, retrieved, store, self._policy.compose)
        clock.lap("compose")
        return Asked(reply, Considered(query, tuple(retrieved), tuple(weighed), confidence, tuple(heard)), clock.laps)

    def consider(self, question: Question, store: PassageStore) -> list[Weighed]:
        """Return the candidates for `question`, best first, however sure: everything is read that the policy allows."""
        check(question)
        found = list(self._helpings(_sought(question, store)))
        return found[-1][0] if found else []

    def rehearse(self, question: Question, store: PassageStore) -> Iterator[Answer]:
        """Yield the answer that would be given wherever reading may end, however unsure; calibrations come from it."""
        check(question)
        sought = _sought(question, store)
        understood = Understood(question.text, sought.query, store.generation.number, self._calibration.standard)
        for weighed, confidence in self._helpings(sought):
            if weighed:
                heard = self._hear_others(sought, weighed)
                yield self._answer(understood, confidence, weighed, heard, question, store)

    def search(self, question: Question, store: PassageStore) -> list[Retrieved]:
        """Return the passages for the text of `question`, best first, without reading them."""
        check(question)
        return retrieve(store, question.text, question.where)

    def _answer(
        self, understood: Understood, confidence: float, weighed: Sequence[Weighed], heard: Sequence[Weighed],
        question: Question, store: PassageStore,
    ) -> Answer:  # fmt: skip
        # The best candidate stays first, whatever the others weigh: an answer never hangs on who else was heard.
        said = [weighed[0], *heaviest_first([*weighed[1:], *heard])]
        return compose.answer(understood, confidence, said, question.max_citations, store, self._policy.compose)

    def _read(self, sought: Sought, threshold: float, watch: Watch) -> tuple[list[Weighed], float]:
        """Return what was found by the time that the matter was decided."""
        found: tuple[list[Weighed], float] = [], 0.0
        watch.reading()
        for found in self._helpings(sought):
            if enough(found[1], threshold):
                break
            watch.reading()
        return found

    def _helpings(self, sought: Sought) -> Iterator[tuple[list[Weighed], float]]:
        """Yield the candidates so far, best first, and the probability that an answer made of them is right: after each
        second look, and after a helping at which there is none."""
        retrieved = sought.retrieved
        weighed: list[Weighed] = []
        looked_at: list[Passage] = []
        at = 0
        for number, helping in enumerate(self._policy.helpings):
            near = retrieved[0].hit.score - self._policy.near if at else -math.inf
            passages = [found.hit.passage for found in retrieved[at : at + helping] if found.hit.score >= near]
            if not passages:
                break
            # A candidate's weight does not depend on other passages, so those of earlier helpings keep theirs.
            fresh = self._first_read(sought, passages)
            # What the second reader said of a part that passages share holds for each of them.
            known = _merged([*weighed, *(one for one in fresh if not _is_in_any(one.candidate, looked_at))])
            for weighed in self._look_again(sought, known, looked_at, self._policy.second.after(number)):
                yield weighed, self._calibration.probability(weighed)
            at += helping

    def _first_read(self, sought: Sought, passages: Sequence[Passage]) -> list[Weighed]:
        """Return what the first reader finds in the passages, best first."""
        candidates = self._reader.read(sought.query, passages)
        sought.was_read(candidates)
        return self._calibration.weigh(sought, candidates)

    def _look_again(
        self, sought: Sought, weighed: list[Weighed], looked_at: list[Passage], most: int
    ) -> Iterator[list[Weighed]]:
        """Yield `weighed`, best first, whenever the second reader has looked where the best one stands; as it is in the
        end, if not.

        `looked_at` are the parts of passages that it has looked at for this question; others are added.
        """
        second, told = self._second, False
        for _ in range(most):
            fresh = [one for one in weighed if not _is_in_any(one.candidate, looked_at)]
            if second is None or not self._calibration.is_worth_a_second_look(fresh):
                break
            best = fresh[0].candidate
            part = best.passage.around(best.sentence, self._policy.second.characters)
            looked_at.append(part)
            found = self._calibration.weigh(sought, second.read(sought.query, [part]))
            weighed = _merged([*(one for one in weighed if not _is_in_any(one.candidate, [part])), *found])
            told = bool(weighed) and _is_in_any(weighed[0].candidate, looked_at)
            if told:
                yield weighed
        if not told:
            yield weighed

    def _hear_others(self, sought: Sought, weighed: Sequence[Weighed]) -> list[Weighed]:
        """Return what other sources say of the matter of the first of `weighed`, best first."""
        query, retrieved = sought.query, sought.retrieved
        read = {one.candidate.passage.id for one in weighed}
        passages = to_read(query, weighed[0].candidate, retrieved, read, self._policy.further)
        heard = self._first_read(sought, passages) if passages else []
        read |= {passage.id for passage in passages}
        copies = repeated([*weighed, *heard], retrieved, read)
        return heaviest_first([*heard, *self._calibration.weigh(sought, copies)])


def _merged(weighed: Sequence[Weighed]) -> list[Weighed]:
    """Return candidates by weight, one for each span of a revision: passages overlap, so some are found twice."""
    known = {(one.candidate.passage.id, one.candidate.span): one for one in weighed}
    kept = best_first([one.candidate for one in weighed])
    return heaviest_first([known[one.passage.id, one.span] for one in kept])


def _is_in_any(candidate: Candidate, parts: Sequence[Passage]) -> bool:
    """Return whether a candidate stands in one of `parts` of passages; another passage may share it."""
    document = candidate.passage.document
    return any(
        (part.document.id, part.document.revision) == (document.id, document.revision)
        and part.span.covers(candidate.span)
        for part in parts
    )


def _sought(question: Question, store: PassageStore) -> Sought:
    query = understood_as(question)
    return Sought(query, retrieve(store, query, question.where))


def understood_as(question: Question) -> str:
    """Return the query that `question` means by itself."""
    if question.standalone is not None:
        return question.standalone
    return standalone(question.text, question.conversation)


def check(question: Question) -> None:
    """Raise QuestionError, saying what is wrong, if `question` cannot be asked."""
    if not question.text.strip():
        raise QuestionError("the question is empty")
    if len(question.text) > LONGEST_QUESTION:
        raise QuestionError(
            f"the question has {len(question.text)} characters, {LONGEST_QUESTION} are allowed; ask it in fewer words"
        )
    if not 1 <= question.max_citations <= MOST_CITATIONS:
        raise QuestionError(f"max_citations is {question.max_citations}; it goes from 1 to {MOST_CITATIONS}")
    if question.risk is not None and not 0 < question.risk <= 1:
        raise QuestionError(
            f"risk is {question.risk}; it is the share of answers that may be wrong, above 0 and up to 1"
        )


class _Clock:
    """Measures laps, in milliseconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 2)
        self._last = now

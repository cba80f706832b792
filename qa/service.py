"""The whole path of a question, on one screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from index.errors import QuestionError
from index.store import PassageStore
from index.types import Span
from qa import compose
from qa.calibrate import Calibration, Weighed, heaviest_first
from qa.compose import ComposePolicy
from qa.followup import standalone
from qa.read import Reader, best_first
from qa.retrieve import retrieve
from qa.types import Candidate, Question, Reply, Retrieved, Understood

LONGEST_QUESTION = 2_000
MOST_CITATIONS = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is read for a question.

    The reader takes the passages in helpings, and takes no more once the best answer has at least the probability
    `sure`, or less than `hopeless`: reading is most of a question's time, and the first passages nearly always hold the
    answer if any does. On the calibration questions this reads 2 passages at the median and 3 on average instead of 7,
    for up to 2 points of right answers (docs/evaluation.md).
    """

    helpings: tuple[int, ...] = (2, 1, 1, 1, 1, 1)
    sure: float = 0.28
    hopeless: float = 0.05
    compose: ComposePolicy = field(default_factory=ComposePolicy)


@dataclass(frozen=True, slots=True)
class Considered:
    """Everything that a reply is made from: the query, what was found, and the candidates weighed, best first."""

    query: str
    retrieved: tuple[Retrieved, ...]
    weighed: tuple[Weighed, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply with what is not part of it: what it was made from, and how long each step took, in milliseconds."""

    reply: Reply
    considered: Considered
    timings_ms: dict[str, float]


class AnswerService:
    """Answers questions from one generation at a time. Safe to call from many threads."""

    def __init__(self, reader: Reader, calibration: Calibration, policy: Policy | None = None) -> None:
        self._reader = reader
        self._calibration = calibration
        self._policy = Policy() if policy is None else policy

    def ask(self, question: Question, store: PassageStore) -> Asked:
        """Return the reply to `question` from the generation of `store`.

        :raises QuestionError: if it is empty, too long, or asks for no or too many citations.
        """
        check(question)
        clock = _Clock()
        query = standalone(question.text, question.conversation)
        retrieved = retrieve(store, query, question.where)
        clock.lap("retrieve")
        weighed, confidence = self._read(query, retrieved)
        clock.lap("read")
        threshold = self._calibration.threshold
        understood = Understood(question.text, query, store.generation.number, threshold)
        policy = self._policy.compose
        reply: Reply
        if weighed and confidence >= threshold:
            reply = compose.answer(understood, confidence, weighed, question.max_citations, store, policy)
        else:
            reply = compose.no_answer(understood, confidence, retrieved, store, policy)
        clock.lap("compose")
        return Asked(reply, Considered(query, tuple(retrieved), tuple(weighed), confidence), clock.laps)

    def search(self, question: Question, store: PassageStore) -> list[Retrieved]:
        """Return the passages for the text of `question`, best first, without reading them."""
        check(question)
        return retrieve(store, question.text, question.where)

    def _read(self, query: str, retrieved: Sequence[Retrieved]) -> tuple[list[Weighed], float]:
        """Return the candidates of the passages read, best first, and the probability that the first is right."""
        candidates: list[Candidate] = []
        known: dict[tuple[int, Span], Weighed] = {}
        weighed: list[Weighed] = []
        confidence = 0.0
        at = 0
        for helping in self._policy.helpings:
            passages = [found.hit.passage for found in retrieved[at : at + helping]]
            if not passages:
                break
            fresh = self._reader.read(query, passages)
            # A candidate's weight does not depend on the others, so those of earlier helpings keep theirs.
            known |= {_place(one.candidate): one for one in self._calibration.weigh(query, fresh, retrieved)}
            candidates = best_first([*candidates, *fresh])
            weighed = heaviest_first([known[_place(candidate)] for candidate in candidates])
            confidence = self._calibration.probability(weighed)
            if confidence >= self._policy.sure or confidence < self._policy.hopeless:
                break
            at += helping
        return weighed, confidence


def _place(candidate: Candidate) -> tuple[int, Span]:
    """Return what tells a candidate from all others of its question."""
    return candidate.passage.id, candidate.span


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


class _Clock:
    """Measures laps, in milliseconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 2)
        self._last = now

"""A user's own labelled questions → a calibration for their library.

The order of candidates stays as it was fitted on public data: a user's few hundred questions are too few for that.
They settle how far a probability can be trusted here (two numbers, Platt 1999) and at which threshold a risk is kept.
Each question is judged by numbers that were fitted on the other half of the questions, so that none vouches for itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import QuestionError
from index.store import PassageStore
from qa.calibrate import Calibration, chance, rescaled
from qa.evaluate import trial
from qa.evaluation.curves import calibration_error, reliability
from qa.evaluation.labelled import Labelled
from qa.evaluation.outcomes import rounded
from qa.risk import USUAL, Kept, Step, Trial, Trials, keeping
from qa.service import AnswerService

FEWEST_ANSWERABLE, FEWEST_UNANSWERABLE = 30, 15
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """A table, the trials that its thresholds come from, and what is to be said of both."""

    table: Calibration
    trials: Trials
    about: dict[str, Any]


def recalibrate(
    questions: Sequence[Labelled], service: AnswerService, store: PassageStore, *, date: str
) -> Recalibrated:
    """Ask every question, and return the calibration that they make; `date` is written into it.

    Questions of conversations are left out: what they mean depends on the answers before.

    :raises QuestionError: if they are too few.
    """
    asked = [question for question in questions if question.conversation is None]
    answerable = sum(question.answerable for question in asked)
    if answerable < FEWEST_ANSWERABLE or len(asked) - answerable < FEWEST_UNANSWERABLE:
        raise QuestionError(
            f"{answerable} questions that the library answers and {len(asked) - answerable} that it does not; at least "
            f"{FEWEST_ANSWERABLE} and {FEWEST_UNANSWERABLE} are needed (conversations do not count)"
        )
    seen = [trial(question, service, store) for question in asked]
    pairs = list(zip(asked, seen, strict=True))
    fits = [_fit([one for question, one in pairs if question.half != here]) for here in (0, 1)]
    judged = Trials(tuple(_moved(one, *fits[question.half]) for question, one in pairs)).as_kept()
    slope, offset = _fit(seen)
    table = rescaled(service.calibration, slope, offset, judged)
    about = {
        "date": date,
        "questions": _digest(asked),
        "made from": f"{len(asked)} questions of generation {store.generation.number}",
        "slope": round(slope, 4),
        "shift": round(offset, 4),
        "figures": figures(judged, table),
    }
    return Recalibrated(table, judged, about)


def figures(judged: Trials, table: Calibration) -> dict[str, Any]:
    """Return how far the probabilities of some trials hold, and what risks and the default cost."""
    last = [one.steps[-1] for one in judged.trials if one.steps]
    error = calibration_error(reliability([step.confidence for step in last], [step.right for step in last]))
    return {
        "questions": len(judged.trials),
        "answerable": sum(one.answerable for one in judged.trials),
        "expected calibration error": rounded(error),
        "default": _at(judged, table.standard),
        "risks": [_at(judged, keeping(table.curve, risk)) for risk in USUAL],
    }


def _at(judged: Trials, kept: Kept) -> dict[str, float | None]:
    """Return what the threshold of `kept` does to some trials, which may be others than those it was chosen by."""
    here = replace(judged.at(kept.threshold), target=kept.target)
    none = [one for one in judged.trials if not one.answerable]
    silent = sum(one.at(kept.threshold) is None for one in none) / len(none) if none else None
    return {name: rounded(value) for name, value in {**asdict(here), "silent": silent}.items()}


def _fit(seen: Sequence[Trial]) -> tuple[float, float]:
    """Return slope and offset of the log-odds of being right, by Newton's method.

    Platt 1999; one pretended question's weight pulls them to 1 and 0, so that few questions do not tear them away.
    """
    steps = [step for one in seen for step in one.steps[-1:]]
    x = np.array([[_odds(step.confidence), 1.0] for step in steps])
    right = np.array([float(step.right) for step in steps])
    start = np.array([1.0, 0.0])
    found = start.copy()
    for _ in range(_ROUNDS):
        chances: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(x @ found, -30.0, 30.0)))
        gradient = x.T @ (chances - right) + (found - start)
        curvature = (x * (chances * (1.0 - chances))[:, None]).T @ x + np.eye(2)
        step_taken = np.linalg.solve(curvature, gradient)
        found = found - step_taken
        if float(np.abs(step_taken).max()) < 1e-9:
            break
    return max(0.01, float(found[0])), float(found[1])


def _moved(seen: Trial, slope: float, offset: float) -> Trial:
    def moved(step: Step) -> Step:
        return replace(step, confidence=chance(slope * _odds(step.confidence) + offset))

    return replace(seen, steps=tuple(map(moved, seen.steps)))


def _odds(confidence: float) -> float:
    kept = max(1e-9, min(1.0 - 1e-9, confidence))
    return math.log(kept / (1.0 - kept))


def _digest(asked: Sequence[Labelled]) -> str:
    """Return what tells one set of labelled questions from another."""
    lines = sorted(f"{question.labels} {question.text}" for question in asked)
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"

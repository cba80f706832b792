"""Fit what weighs candidates and what makes a probability of it, choose the thresholds, and write the table.

usage: python -m training.fit_calibration --date YYYY-MM-DD [--reads FILE] [--squad N]

Every question is asked with everything read, by the first reader, and once more with second looks, as often as the
service ever does. A candidate is right if its sentence overlaps a gold quote; never where there is no answer. One set
of weights puts a right one first; the other gives the probability that the answer is right: the first one, or the next
one where it is quoted beside it.

The table is fitted to all questions. Its thresholds and figures come from two others, each fitted to one half of them,
by a hash of their text, and asked those of the other half, helping by helping: no question is asked with weights that
have seen it (cross-fitting; Chernozhukov et al. 2018). A third set, other questions of SQuAD 2.0, checks whether a risk
is kept that was promised. What the readers said is kept in FILE, so that another fit with the same ones reads little
again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.data import QuestionSet, news, news_asked, news_without_sources, own_texts, squad_open
from benchmarks.run import library
from index.store import PassageStore
from index.types import Passage, Span
from qa.calibrate import FILE, LARGEST_LEAD, Calibration, dot, made, rescaled, to_json
from qa.choose import ChoicePolicy
from qa.compose import Citer
from qa.evaluate import is_right, trial
from qa.evaluation.labelled import Labelled
from qa.features import Features
from qa.read import MODEL_FOLDER, Reader, best_first, shipped, together
from qa.recalibrate import figures
from qa.risk import Trial, Trials
from qa.service import AnswerService, Policy
from qa.types import Candidate, Question

Floats = NDArray[np.float64]
# Of one question's candidates, those with the best reader scores: the others are hopeless and many.
_CANDIDATES = 8
# How much large weights cost in the order; chosen by what it does to the answers (training/README.md).
_DECAY = 0.02


class RememberingReader:
    """A reader that keeps what it read, and reads a passage for a question once."""

    def __init__(self, reader: Reader, path: Path) -> None:
        self._reader = reader
        self._path = path
        self._known: dict[str, list[tuple[int, int, float]]] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                raw = json.loads(line)
                self._known[raw["key"]] = [(a, b, score) for a, b, score in raw["found"]]

    @property
    def fingerprint(self) -> str:
        return self._reader.fingerprint

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        found: list[Candidate] = []
        for passage in passages:
            text = json.dumps([self.fingerprint, query, passage.text, passage.document.id, passage.span.start])
            key = hashlib.sha256(text.encode()).hexdigest()
            if key not in self._known:
                seen = self._reader.read(query, [passage])
                self._known[key] = [(c.span.start, c.span.end, c.score) for c in seen]
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, "found": self._known[key]}) + "\n")
            for start, end, score in self._known[key]:
                span = Span(start, end)
                sentence = next(s for s in passage.sentences if s.span.covers(span))
                found.append(Candidate(passage, sentence, span, score))
        return best_first(found)


@dataclass(frozen=True, slots=True)
class Seen:
    """One candidate: which sentence it stands in, what is known of it, and whether it is right."""

    sentence: str
    features: Features
    right: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One question: where it is from, whether it has an answer, and its candidates."""

    source: str
    question: str
    answerable: bool
    candidates: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A question set with a library of its documents."""

    questions: QuestionSet
    store: PassageStore

    def half(self, number: int) -> list[Labelled]:
        """Return half 0 or 1 of the questions: the same ones with and without their sources."""
        return [one for one in self.questions.questions if one.half == number]


def collect(sets: Iterable[Opened], half: int, service: AnswerService) -> list[Example]:
    """Ask half of the questions, and look at each candidate."""
    found = []
    for opened in sets:
        store = opened.store
        for labelled in opened.half(half):
            citer = Citer(store)
            seen = []
            for one in service.consider(Question(labelled.text), store)[:_CANDIDATES]:
                document, sentence = one.candidate.passage.document, one.candidate.sentence.span
                cited = citer.cite(1, document, sentence)
                right = labelled.answerable and is_right(labelled, [cited], store)
                seen.append(Seen(f"{document.id}:{sentence.start}", one.features, right))
            found.append(Example(opened.questions.name, labelled.text, labelled.answerable, tuple(seen)))
        print(f"{opened.questions.name}, half {half}: asked", flush=True)
    return found


def ask_again(opened: Opened, half: int, service: AnswerService) -> list[Trial]:
    """Ask half of the questions, helping by helping."""
    return [trial(labelled, service, opened.store) for labelled in opened.half(half)]


def neutral(reader: str) -> Calibration:
    """Return a table that weighs candidates by the reader's score alone."""
    by_score = (1.0, *(0.0,) * (len(fields(Features)) - 1))
    return made(reader, by_score, by_score, 0.0, 0.0, Trials(()))


def fit(examples: Sequence[Example], reader: str) -> Calibration:
    """Return a table without thresholds. In both regressions every source weighs the same."""
    weights = _order(examples)
    asked = [e for e in examples if e.candidates]
    tops = [_top(e, weights) for e in asked]
    x = np.array([(*astuple(top.best.features), top.ahead) for top in tops])
    scale = x.std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=1_000)
    model.fit(x / scale, [top.right for top in tops], sample_weight=_balance([e.source for e in asked]))
    *sureness, lead = (round(float(w), 5) for w in model.coef_[0] / scale)
    return made(reader, weights, tuple(sureness), lead, round(float(model.intercept_[0]), 5), Trials(()))


def _order(examples: Sequence[Example]) -> tuple[float, ...]:
    """Return weights by which the first candidate of a question is right as often as can be.

    A conditional logit: the softmax over the candidates of a question, of which the right ones share the probability
    (McFadden 1974; the same loss as in multi-paragraph reading, Clark & Gardner 2018), with a little weight decay.
    """
    kept = [e for e in examples if any(c.right for c in e.candidates)]
    questions = [np.array([astuple(c.features) for c in e.candidates]) for e in kept]
    right = [np.array([c.right for c in e.candidates]) for e in kept]
    scale = np.concatenate(questions).std(axis=0) + 1e-9
    share = _balance([e.source for e in kept]) / len(kept)

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, gradient = _DECAY * float(weights @ weights), 2 * _DECAY * weights
        for x, mask, part in zip(questions, right, share, strict=True):
            chances = softmax((x / scale) @ weights)
            good = float(chances[mask].sum())
            total -= part * float(np.log(good))
            wanted = np.where(mask, chances, 0.0) / good
            gradient = gradient + part * ((chances - wanted) @ (x / scale))
        return total, gradient

    found = minimize(loss, np.zeros(len(scale)), jac=True)
    return tuple(round(float(w), 5) for w in found.x / scale)


def _balance(sources: Sequence[str]) -> Floats:
    counts = {source: sources.count(source) for source in set(sources)}
    return np.array([len(sources) / (len(counts) * counts[source]) for source in sources])


@dataclass(frozen=True, slots=True)
class _Top:
    """The heaviest candidate of an example, its lead, and whether an answer made of it is right."""

    best: Seen
    ahead: float
    right: bool


def _top(example: Example, weights: tuple[float, ...]) -> _Top:
    order = sorted(example.candidates, key=lambda c: -dot(weights, c.features))
    best = order[0]
    rivals = [c for c in order[1:] if c.sentence != best.sentence]
    if not rivals:
        return _Top(best, LARGEST_LEAD, best.right)
    ahead = dot(weights, best.features) - dot(weights, rivals[0].features)
    quoted = ahead <= ChoicePolicy().near
    return _Top(best, min(LARGEST_LEAD, ahead), best.right or (quoted and rivals[0].right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=Path, default=Path("results/reads.jsonl"))
    parser.add_argument("--squad", type=int, default=700, help="questions of SQuAD 2.0 open; half as many others check")
    parser.add_argument("--date", required=True, help="written into the table")
    arguments = parser.parse_args()
    arguments.reads.parent.mkdir(parents=True, exist_ok=True)
    reader, second = (RememberingReader(one, arguments.reads) for one in shipped())
    both = together(reader, second)
    everything = Policy(helpings=(sum(Policy().helpings),))
    embedder = open_embedder(Settings())
    with ExitStack() as stack:
        squad = squad_open()
        sets = [news(), news_without_sources(), news_asked(), own_texts(), squad.sample(arguments.squad)]
        opened = [Opened(one, stack.enter_context(library(one, embedder)).current()) for one in sets]
        seen: list[Example] = []
        tried: dict[str, list[Trial]] = {one.questions.name: [] for one in opened}
        for half in (0, 1):
            by_first = fit(collect(opened, half, AnswerService(reader, neutral(both), everything)), both)
            of_half = collect(opened, half, AnswerService(reader, by_first, second=second))
            service = AnswerService(reader, fit(of_half, both), second=second)
            for one in opened:
                tried[one.questions.name] += ask_again(one, 1 - half, service)
            seen += of_half
        asked = Trials(tuple(one for of_set in tried.values() for one in of_set)).as_kept()
        table = rescaled(fit(seen, both), 1.0, 0.0, asked)
        service = AnswerService(reader, table, second=second)
        used = {one.text for one in sets[-1].questions}
        rest = [one for one in squad.questions if one.text not in used]
        fresh = QuestionSet("fresh", squad.documents, tuple(rest)).sample(arguments.squad // 2)
        third = Trials(tuple(trial(one, service, opened[-1].store) for one in fresh.questions))
    measured = {"held out": figures(asked, table)}
    for name, of_set in tried.items():
        measured[f"held out, {name}"] = figures(Trials(tuple(of_set)), table)
    measured["never seen, SQuAD 2.0 open"] = figures(third, table)
    about = {
        "date": arguments.date,
        "command": f"python -m training.fit_calibration --squad {arguments.squad} --date {arguments.date}",
        "questions": {name: len(of_set) for name, of_set in tried.items()},
        "figures": measured,
    }
    (MODEL_FOLDER / FILE).write_text(to_json(table, asked, about), encoding="utf-8")
    print(json.dumps(about, indent=2))


if __name__ == "__main__":
    main()

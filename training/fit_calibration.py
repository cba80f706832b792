"""Fit what weighs candidates and what makes a probability of it, choose the threshold, and write the table.

usage: python -m training.fit_calibration --date YYYY-MM-DD [--examples FILE] [--squad N]

Every question is asked with everything read. A candidate is right if its sentence overlaps a gold quote; never where
there is no answer. Questions and their candidates are kept in FILE, so that another fit asks nothing again. Half of
them, by a hash of the question, fit the weights and choose the threshold; the other half checks both.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.data import QuestionSet, news, news_without_sources, squad_open
from benchmarks.run import library
from index.embed import Embedder
from qa.calibrate import FORMAT, LARGEST_LEAD, Calibration, Features, dot
from qa.compose import Citer
from qa.evaluate import is_right
from qa.read import MODEL_FOLDER, SpanReader
from qa.service import AnswerService, Policy
from qa.types import Question

Floats = NDArray[np.float64]
# Of one question's candidates, those with the best reader scores: the others are hopeless and many.
_CANDIDATES = 8
COVERAGE = 0.8


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

    @property
    def held_out(self) -> bool:
        """Whether it checks instead of fits. The same question is on the same side with and without its source."""
        return zlib.crc32(self.question.encode()) % 2 == 1

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Example:
        seen = [Seen(c["sentence"], Features(**c["features"]), c["right"]) for c in raw["candidates"]]
        return cls(raw["source"], raw["question"], raw["answerable"], tuple(seen))


def collect(sets: Sequence[QuestionSet], embedder: Embedder, reader: SpanReader) -> list[Example]:
    """Ask every question, everything read, and look at each candidate."""
    by_score = (1.0, *(0.0,) * (len(fields(Features)) - 1))
    neutral = Calibration(reader.fingerprint, by_score, by_score, 0.0, 0.0, 0.0)
    service = AnswerService(reader, neutral, Policy(helpings=(sum(Policy().helpings),)))
    found = []
    for questions in sets:
        with library(questions, embedder) as opened:
            store = opened.current()
            for labelled in questions.questions:
                citer = Citer(store)
                seen = []
                for one in service.ask(Question(labelled.text), store).considered.weighed[:_CANDIDATES]:
                    document, sentence = one.candidate.passage.document, one.candidate.sentence.span
                    cited = citer.cite(1, document, sentence)
                    right = labelled.answerable and is_right(labelled, [cited], store)
                    seen.append(Seen(f"{document.id}:{sentence.start}", one.features, right))
                found.append(Example(questions.name, labelled.text, labelled.answerable, tuple(seen)))
        print(f"{questions.name}: {len(questions.questions)} questions asked", flush=True)
    return found


def fit(examples: Sequence[Example], reader: str) -> Calibration:
    """Return a table with threshold 0. In both regressions every source weighs the same."""
    weights = _order(examples)
    asked = [e for e in examples if e.candidates]
    tops = [_top(e, weights) for e in asked]
    x = np.array([(*astuple(best.features), ahead) for best, ahead in tops])
    scale = x.std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=1_000)
    model.fit(x / scale, [best.right for best, _ in tops], sample_weight=_balance([e.source for e in asked]))
    *sureness, lead = (round(float(w), 5) for w in model.coef_[0] / scale)
    return Calibration(reader, weights, tuple(sureness), lead, round(float(model.intercept_[0]), 5), 0.0)


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
        total, gradient = 0.005 * float(weights @ weights), 0.01 * weights
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


def _top(example: Example, weights: tuple[float, ...]) -> tuple[Seen, float]:
    """Return the heaviest candidate of an example and its lead."""
    order = sorted(example.candidates, key=lambda c: -dot(weights, c.features))
    best = order[0]
    rivals = [dot(weights, c.features) for c in order[1:] if c.sentence != best.sentence]
    ahead = dot(weights, best.features) - rivals[0] if rivals else LARGEST_LEAD
    return best, min(LARGEST_LEAD, ahead)


def judged(examples: Sequence[Example], table: Calibration) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the probability of each example's best candidate, and whether it is right."""
    odds, right = [], []
    for example in examples:
        best, ahead = _top(example, table.weights) if example.candidates else (None, 0.0)
        z = -60.0 if best is None else table.offset + dot(table.sureness, best.features) + table.lead * ahead
        odds.append(max(-60.0, min(60.0, z)))
        right.append(best is not None and best.right)
    return 1.0 / (1.0 + np.exp(-np.array(odds))), np.array(right)


def choose(examples: Sequence[Example], table: Calibration) -> float:
    """Return the highest threshold at which COVERAGE of the answerable questions are answered.

    Every source counts the same. A service that is mostly silent helps nobody; what the rest costs in wrong answers is
    among the figures.
    """
    probabilities, _ = judged(examples, table)
    answerable = np.array([e.answerable for e in examples])
    share = _balance([e.source for e in examples if e.answerable])
    order = np.argsort(-probabilities[answerable])
    answered = np.cumsum(share[order]) / share.sum()
    return float(probabilities[answerable][order][np.searchsorted(answered, COVERAGE)])


def figures(examples: Sequence[Example], table: Calibration) -> dict[str, float | int | None]:
    """Return what the table does to some examples."""
    probabilities, right = judged(examples, table)
    answerable = np.array([e.answerable for e in examples])
    said = probabilities >= table.threshold
    bins = np.clip((probabilities * 10).astype(int), 0, 9)
    error = sum(
        abs(probabilities[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())
    )

    def share(mask: NDArray[np.bool_]) -> float | None:
        return round(float(mask.mean()), 4) if mask.size else None

    return {
        "questions": len(examples),
        "AUROC, right against not": round(float(roc_auc_score(right, probabilities)), 4) if right.any() else None,
        "expected calibration error": round(float(error), 4),
        "best candidate right (of answerable)": share(right[answerable]),
        "answered and right (of answerable)": share((right & said)[answerable]),
        "answered (of answerable)": share(said[answerable]),
        "right when answered": share(right[said]),
        "silent (of unanswerable)": share(~said[~answerable]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, default=Path("results/calibration-examples.jsonl"))
    parser.add_argument("--squad", type=int, default=700, help="questions of SQuAD 2.0 open")
    parser.add_argument("--date", required=True, help="written into the table")
    arguments = parser.parse_args()
    reader = SpanReader()
    if arguments.examples.is_file():
        lines = arguments.examples.read_text(encoding="utf-8").splitlines()
        examples = [Example.from_json(json.loads(line)) for line in lines]
    else:
        sets = [news(), news_without_sources(), squad_open().sample(arguments.squad)]
        examples = collect(sets, open_embedder(Settings()), reader)
        arguments.examples.parent.mkdir(parents=True, exist_ok=True)
        arguments.examples.write_text("".join(json.dumps(asdict(e)) + "\n" for e in examples), encoding="utf-8")
    fitting, checking = [e for e in examples if not e.held_out], [e for e in examples if e.held_out]
    table = fit(fitting, reader.fingerprint)
    table = replace(table, threshold=round(choose(fitting, table), 3))
    measured = {"held out": figures(checking, table)}
    for source in sorted({e.source for e in checking}):
        measured[f"held out, {source}"] = figures([e for e in checking if e.source == source], table)
    written = {
        "format": FORMAT,
        **asdict(table),
        "features": [field.name for field in fields(Features)],
        "date": arguments.date,
        "command": f"python -m training.fit_calibration --squad {arguments.squad} --date {arguments.date}",
        "figures": measured,
    }
    text = json.dumps(written, indent=2)
    print(text)
    (MODEL_FOLDER / "calibration.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

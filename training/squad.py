"""SQuAD-style questions and their measures, after the official evaluation of SQuAD 2.0 (Rajpurkar et al. 2018)."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question on one passage; no `answers` means that the passage does not answer it."""

    id: str
    question: str
    passage: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """What the reader made of one question: `margin` is best span − null; `em` and `f1` are of the best span."""

    answerable: bool
    margin: float
    em: float
    f1: float


def load_squad(path: Path) -> list[Labelled]:
    """Return every question of a SQuAD JSON file (plain or .gz), in the file's order."""
    raw = path.read_bytes()
    articles = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)["data"]
    return [
        Labelled(qa["id"], qa["question"], paragraph["context"], tuple(a["text"] for a in qa["answers"]))
        for article in articles
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


def at_threshold(scored: Sequence[Scored], threshold: float) -> tuple[float, float]:
    """Return mean (EM, F1) where a margin above the threshold answers and anything else stays silent."""
    em = [one.em if one.margin > threshold else float(not one.answerable) for one in scored]
    f1 = [one.f1 if one.margin > threshold else float(not one.answerable) for one in scored]
    return float(np.mean(em)), float(np.mean(f1))


def best_threshold(scored: Sequence[Scored]) -> float:
    """Return the threshold with the best F1 among steps of 0.25 in [−10, 10]; the smallest one on ties."""
    return max((float(t) for t in np.arange(-10, 10.25, 0.25)), key=lambda t: at_threshold(scored, t)[1])


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the probability that a positive scores above a negative, ties half (Mann & Whitney 1947)."""
    ordered = np.sort(np.asarray(negative))
    values = np.asarray(positive)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return float(below.mean() / (2 * len(ordered)))


def figures(scored: Sequence[Scored]) -> dict[str, float]:
    """Return all measures of a run, in percent where usual, rounded.

    Forced: answerable questions only, null option ignored. The best threshold is chosen on the same questions.
    """
    yes = [one for one in scored if one.answerable]
    no = [one for one in scored if not one.answerable]
    result: dict[str, float] = {"questions": len(scored), "unanswerable": len(no)}
    if yes:
        result["forced_em"] = round(100 * float(np.mean([one.em for one in yes])), 2)
        result["forced_f1"] = round(100 * float(np.mean([one.f1 for one in yes])), 2)
    best = best_threshold(scored)
    for name, threshold in (("zero", 0.0), ("best", best)):
        em, f1 = at_threshold(scored, threshold)
        result[f"{name}_em"], result[f"{name}_f1"] = round(100 * em, 2), round(100 * f1, 2)
    result["best_threshold"] = best
    if yes and no:
        result["auroc"] = round(auroc([one.margin for one in yes], [one.margin for one in no]), 4)
    return result

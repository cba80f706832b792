"""Scores → which candidate is best, the probability that it is right, and the threshold below which nothing is said.

One set of weights orders the candidates of a question by what is known of each (`qa/features.py`); another turns what
is known of the best one, and its lead over the next, into the probability that an answer made of them is right, in one
of its first two quotes. Both, and what became of the labelled questions that choose the threshold (`qa/risk.py`), are
in `model/calibration.json`, made by `training/fit_calibration.py` from public data. `citespan calibrate` puts one for a
user's questions into the library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from index.errors import ModelError
from qa.features import Features, Sought, features
from qa.read import MODEL_FOLDER
from qa.risk import Kept, Trials, keeping, trials, usual
from qa.types import Candidate

FORMAT = 4
FILE = "calibration.json"
LARGEST_LEAD = 5.0
# A candidate that is less likely right than one in fifty is not worth a second look.
DOUBT = -math.log(49)
_LARGEST_FILE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with its features and its weight, which orders the candidates of one question."""

    candidate: Candidate
    features: Features
    weight: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted table for one reader.

    `weights` (in the order of Features) give a candidate's weight. `sureness` (in the same order), `lead` and `offset`
    give the log-odds that an answer made of the candidates is right; from the probability of `standard` on the service
    answers, unless a risk is asked for: `curve` has the thresholds that keep one (`qa/risk.py`). From the log-odds
    `doubt` on a second look at the heaviest candidate is worth its time.
    """

    reader: str
    weights: tuple[float, ...]
    sureness: tuple[float, ...]
    lead: float
    offset: float
    standard: Kept
    curve: tuple[Kept, ...]
    doubt: float = DOUBT

    def __post_init__(self) -> None:
        for given in (self.weights, self.sureness):
            if len(given) != len(fields(Features)):
                raise ValueError(f"{len(given)} weights for {len(fields(Features))} features")

    def at_risk(self, risk: float | None) -> Kept:
        """Return the threshold to answer from: that of the default, or the lowest that keeps `risk`."""
        return self.standard if risk is None else keeping(self.curve, risk)

    def weigh(self, sought: Sought, candidates: Sequence[Candidate]) -> list[Weighed]:
        """Return the candidates, best first; ties stay in the order given."""
        found = []
        for candidate, known in zip(candidates, features(sought, candidates), strict=True):
            found.append(Weighed(candidate, known, dot(self.weights, known)))
        return heaviest_first(found)

    def probability(self, weighed: Sequence[Weighed]) -> float:
        """Return the probability in [0, 1] that an answer made of `weighed` is right; 0.0 if there is none."""
        return chance(self._odds(weighed)) if weighed else 0.0

    def is_worth_a_second_look(self, weighed: Sequence[Weighed]) -> bool:
        """Return whether the first of `weighed` may be right after all."""
        return bool(weighed) and self._odds(weighed) >= self.doubt

    def _odds(self, weighed: Sequence[Weighed]) -> float:
        return self.offset + dot(self.sureness, weighed[0].features) + self.lead * lead(weighed)


def chance(odds: float) -> float:
    """Return the probability of log-odds, in (0, 1).

    They are cut at 30, so far from certainty that it never rounds to 1.0: the threshold of a service that says nothing.
    """
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


def heaviest_first(weighed: Sequence[Weighed]) -> list[Weighed]:
    """Return the candidates by weight; ties stay in the order given."""
    return sorted(weighed, key=lambda one: -one.weight)


def dot(weights: Sequence[float], known: Features) -> float:
    """Return the features weighted and added up."""
    return float(sum(w * x for w, x in zip(weights, astuple(known), strict=True)))


def lead(weighed: Sequence[Weighed]) -> float:
    """Return how far the first is ahead of the next one that stands in another sentence, at most LARGEST_LEAD."""
    best = weighed[0].candidate
    rivals = [
        w.weight
        for w in weighed[1:]
        if (w.candidate.passage.document.id, w.candidate.sentence) != (best.passage.document.id, best.sentence)
    ]
    return min(LARGEST_LEAD, weighed[0].weight - rivals[0]) if rivals else LARGEST_LEAD


def made(
    reader: str, weights: tuple[float, ...], sureness: tuple[float, ...], lead: float, offset: float, asked: Trials,
    doubt: float = DOUBT,
) -> Calibration:  # fmt: skip
    """Return the table whose thresholds come from the trials `asked`."""
    curve = asked.as_kept().curve()
    return Calibration(reader, weights, sureness, lead, offset, usual(curve), curve, doubt)


def load(reader: str, library: Path | None = None, folder: Path = MODEL_FOLDER) -> Calibration:
    """Return the calibration for the reader of that fingerprint: the library's own if it has one, else the shipped one.

    :raises ModelError: if it is missing, damaged, or was fitted for another reader.
    """
    path, way_out = _place(library, folder)
    return _load(path, reader, way_out)[0]


def shipped() -> Calibration:
    """Return the table that ships with Citespan, whatever the reader: where another one starts from."""
    return _load(MODEL_FOLDER / FILE, None, "reinstall citespan")[0]


def answered(reader: str, library: Path | None = None, folder: Path = MODEL_FOLDER) -> tuple[float, ...]:
    """Return how sure the answers were that the default threshold of `load`'s table gave to its labelled questions.

    :raises ModelError: as `load` does.
    """
    path, way_out = _place(library, folder)
    table, asked = _load(path, reader, way_out)
    steps = [trial.at(table.standard.threshold) for trial in asked.trials]
    return tuple(step.confidence for step in steps if step is not None)


def _place(library: Path | None, folder: Path) -> tuple[Path, str]:
    """Return the file with the calibration to use, and what to do if it cannot be."""
    own = None if library is None else library / FILE
    if own is not None and own.is_file():
        return own, f"run `citespan calibrate` again, or remove {own}"
    return folder / FILE, "run `citespan calibrate` with questions of your own"


def _load(path: Path, reader: str | None, way_out: str) -> tuple[Calibration, Trials]:
    """Return the table in a file, and the labelled questions that its thresholds come from."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ModelError(f"{path} is larger than any calibration; {way_out}")
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ModelError(f"{path} has format {raw['format']}, this version reads {FORMAT}; {way_out}")
        if raw["features"] != [field.name for field in fields(Features)]:
            raise ModelError(f"{path} was fitted for other features than this version knows; {way_out}")
        if reader is not None and raw["reader"] != reader:
            raise ModelError(f"{path} was fitted for {raw['reader']}, the reader is {reader}; {way_out}")
        weights, sureness = (tuple(float(w) for w in raw[name]) for name in ("weights", "sureness"))
        asked = trials([(bool(a), [(float(c), bool(r)) for c, r in steps]) for a, steps in raw["trials"]])
        lead, offset, doubt = float(raw["lead"]), float(raw["offset"]), float(raw.get("doubt", DOUBT))
        return made(str(raw["reader"]), weights, sureness, lead, offset, asked, doubt), asked
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"there is no usable calibration at {path} ({error}); {way_out}") from error


def to_json(table: Calibration, asked: Trials, about: dict[str, Any]) -> str:
    """Return what `load` reads, with `about`: where the questions came from, and the figures."""
    kept = asked.as_kept().trials
    rows = [[int(t.answerable), [[s.confidence, int(s.right)] for s in t.steps]] for t in kept]
    head = {
        "format": FORMAT,
        "reader": table.reader,
        "features": [field.name for field in fields(Features)],
        "weights": table.weights,
        "sureness": table.sureness,
        "lead": table.lead,
        "offset": table.offset,
        "doubt": table.doubt,
        **about,
    }
    # One line a question: a table that is fitted again can be compared.
    lines = ",\n  ".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return json.dumps(head, indent=1)[:-2] + f',\n "trials": [\n  {lines}\n ]\n}}\n'


def rescaled(table: Calibration, slope: float, offset: float, asked: Trials) -> Calibration:
    """Return the table with its log-odds times `slope` plus `offset`, and with thresholds from the trials `asked`."""
    sureness = tuple(slope * one for one in table.sureness)
    moved = slope * table.offset + offset, slope * table.doubt + offset
    return made(table.reader, table.weights, sureness, slope * table.lead, moved[0], asked, moved[1])

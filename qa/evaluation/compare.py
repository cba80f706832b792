"""Two runs of labelled questions → is the later one better, and could that be chance?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from qa.evaluation.chance import Interval, bootstrap_mean, mcnemar, paired_p
from qa.evaluation.outcomes import RANKS, SEED
from qa.evaluation.runs import Asked, Run

_MCNEMAR = "McNemar, exact"
_PERMUTATION = "paired permutation"


@dataclass(frozen=True, slots=True)
class Pair:
    """The same question in both runs."""

    before: Asked
    now: Asked


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure over the questions that both runs have it for: its means, the interval of their difference, and p.

    `test` names the paired test that p comes from. `better` and `worse` count the questions.
    """

    name: str
    questions: int
    before: float
    now: float
    interval: Interval
    better: int
    worse: int
    test: str
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be said of two runs. Only the questions that both have, with the same labels, are compared.

    `only_before`, `only_now` and `relabelled` count the others. `better` and `worse` are the questions that came out
    well in one run only. `changed` maps what the replies were made with, where it differs, to both fingerprints.
    """

    date: str
    generation: int
    common: int
    only_before: int
    only_now: int
    relabelled: int
    changed: Mapping[str, tuple[str, str]]
    differences: tuple[Difference, ...]
    better: tuple[Pair, ...]
    worse: tuple[Pair, ...]
    seed: int


def compare(before: Run, now: Run, *, seed: int = SEED) -> Comparison:
    """Return what `now` has that `before` had not. Whatever is drawn at random is drawn with `seed`."""
    then = {asked.key: asked for asked in before.asked}
    shared = [Pair(then[asked.key], asked) for asked in now.asked if asked.key in then]
    pairs = [pair for pair in shared if pair.before.labels == pair.now.labels]
    found = [
        _difference(pairs, "right or rightly silent", lambda asked: float(asked.verdict.good), _MCNEMAR, seed),
        _difference(pairs, "token F1, silence as 0", lambda asked: asked.f1, _PERMUTATION, seed),
        _difference(pairs, f"nDCG@{RANKS}", lambda asked: asked.ndcg, _PERMUTATION, seed),
    ]
    names = sorted({*before.models, *now.models})
    models = {name: (before.models.get(name, "unknown"), now.models.get(name, "unknown")) for name in names}
    return Comparison(
        date=before.date,
        generation=before.generation,
        common=len(pairs),
        only_before=len(before.asked) - len(shared),
        only_now=len(now.asked) - len(shared),
        relabelled=len(shared) - len(pairs),
        changed={name: both for name, both in models.items() if both[0] != both[1]},
        differences=tuple(difference for difference in found if difference is not None),
        better=tuple(pair for pair in pairs if pair.now.verdict.good and not pair.before.verdict.good),
        worse=tuple(pair for pair in pairs if pair.before.verdict.good and not pair.now.verdict.good),
        seed=seed,
    )


def _difference(
    pairs: Sequence[Pair], name: str, value: Callable[[Asked], float | None], test: str, seed: int
) -> Difference | None:
    """Return how a measure differs, None if no pair has it on both sides."""
    held = [
        (pair.now.conversation, one, other)
        for pair in pairs
        if (one := value(pair.before)) is not None and (other := value(pair.now)) is not None
    ]
    if not held:
        return None
    changes = [other - one for _, one, other in held]
    better, worse = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    interval = bootstrap_mean([(conversation, other - one) for conversation, one, other in held], seed=seed)
    assert interval is not None
    return Difference(
        name=name,
        questions=len(held),
        before=math.fsum(one for _, one, _ in held) / len(held),
        now=math.fsum(other for _, _, other in held) / len(held),
        interval=interval,
        better=better,
        worse=worse,
        test=test,
        p=mcnemar(better, worse) if test == _MCNEMAR else paired_p(changes, seed=seed),
    )

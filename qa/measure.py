"""Measures of answers and of rankings: pure functions, each with its source."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from index.types import Span

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def plain_answer(text: str) -> str:
    """Return `text` as SQuAD compares it: lower case, no punctuation, no articles, single spaces.

    Source: Rajpurkar et al., "SQuAD", EMNLP 2016, official evaluation script.
    """
    without = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", without).split())


def exact_match(given: str, gold: Sequence[str]) -> float:
    """Return 1.0 if `given` equals one of `gold` after `plain_answer`, else 0.0. Source: as `plain_answer`."""
    return float(any(plain_answer(given) == plain_answer(g) for g in gold))


def token_f1(given: str, gold: Sequence[str]) -> float:
    """Return the best F1 of the words of `given` against those of each gold, in [0, 1]. Source: as `plain_answer`."""
    return max((_f1(plain_answer(given).split(), plain_answer(g).split()) for g in gold), default=0.0)


def _f1(given: list[str], gold: list[str]) -> float:
    if not given or not gold:
        return float(given == gold)
    common = sum((Counter(given) & Counter(gold)).values())
    return 2.0 * common / (len(given) + len(gold))


def overlaps(one: Span, other: Span) -> bool:
    """Return whether the spans share at least half of the shorter one."""
    return one.overlap(other) >= 0.5 * min(len(one), len(other)) and len(one) > 0 and len(other) > 0


def ndcg(ranking: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """Return nDCG@k, linear gain, log2 discount, in [0, 1]; 0.0 if nothing is relevant.

    What is relevant and not in the ranking counts in the ideal; what is in the ranking twice counts where it is first.

    Source: Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002; equals trec_eval's
    `ndcg_cut`.
    """
    found = [relevant.get(name, 0.0) for name in dict.fromkeys(ranking)]
    ideal = _dcg(sorted(relevant.values(), reverse=True)[:k])
    return _dcg(found[:k]) / ideal if ideal > 0 else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def recall(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the share of what is relevant that is among the first `k` of the ranking; 0.0 if nothing is relevant.

    Source: trec_eval's `recall`.
    """
    return len(set(ranking[:k]) & set(relevant)) / len(relevant) if relevant else 0.0

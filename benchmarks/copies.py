"""How well copies are told from different articles: precision and recall over thresholds, runs of words and bands.

usage: python -m benchmarks.copies

Copies are made from the 189 news articles by what happens to a syndicated report. The others are: every two different
articles, every two different parts of about 120 words, and an article that quotes a large part of another. The two
reports on one event are printed apart.
"""

from __future__ import annotations

import platform
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import mean, median, quantiles

import numpy as np

from benchmarks.data import SHARED, news
from index import copies
from index.copies import SAME, bands, likeness

signature = lru_cache(maxsize=None)(copies.signature)

_HEADLINE = "What you need to know about the story that everybody is talking about today"
_BYLINE = "By Jane Doe and John Roe, Example News Agency, 12 January 2026"
_CREDIT = "© 2026 Example News Agency. All rights reserved. Reporting by Jane Doe; editing by John Roe."
# Enough of what differs between two agencies' style books to touch every article.
_HOUSE_STYLE = (
    (r"\bper cent\b|%", " percent"),
    (r"(?<=[a-z]{3})isation", "ization"),
    (r"(?<=[a-z]{3})ise(?=[sd]?\b)", "ize"),
    (r"(?<=[a-z]{3})ising\b", "izing"),
    (r"(?<=[a-z]{2})our(?=s?\b)", "or"),
    (r"(?<=[a-z]{2})tre(?=s?\b)", "ter"),
    (r"\bMr\b|\bMs\b|\bDr\b|\bSir\b", ""),
    (r"\bUS\b", "U.S."),
    (r"\bUK\b", "Britain"),
    (r"\bpercent\b", "pct"),
    (r"\btowards\b", "toward"),
    (r"\bsaid\b", "told reporters"),
    (r"£(\d)", r"GBP \1"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, what was done, and whether they are copies."""

    kind: str
    first: str
    second: str
    copy: bool


def pairs(texts: Sequence[str], rng: random.Random) -> Iterator[Pair]:
    """Yield the pairs that are copies of one another, and those of which one quotes the other at length."""
    pool = [word for text in texts for word in text.split()]
    for place, text in enumerate(texts):
        other = texts[place - 1]
        for kind, edit in _edits(other, pool, rng).items():
            yield Pair(kind, text, edit(text), True)
        story = " ".join(_paragraphs(text)[:3])
        yield Pair("brief (3 paragraphs), headline", story, f"{_HEADLINE}\n{story}", True)
        yield Pair("brief (3 paragraphs), 5 % of words", story, _replaced(story, pool, 0.05, rng), True)
        for share in (0.25, 0.33, 0.5):
            release = _first_words(text, 300)
            around = _first_words(other, int(300 * (1 - share) / share))
            yield Pair(f"release quoted, {share:.0%} of the article", release, f"{around}\n{release}", False)


def _edits(other: str, pool: Sequence[str], rng: random.Random) -> dict[str, Callable[[str], str]]:
    return {
        "headline and byline": lambda t: f"{_HEADLINE}\n{_BYLINE}\n{t}\n{_CREDIT}",
        "first paragraph cut": lambda t: "\n".join(_paragraphs(t)[1:]),
        "last paragraph cut": lambda t: "\n".join(_paragraphs(t)[:-1]),
        "paragraph added": lambda t: f"{t}\n{_paragraphs(other)[1]}",
        "5 % of words replaced": lambda t: _replaced(t, pool, 0.05, rng),
        "house style": _house_style,
        "all but the 5 %": lambda t: f"{_HEADLINE}\n{_BYLINE}\n" + "\n".join(_paragraphs(_house_style(t))[:-1]),
        "last third cut": lambda t: _first_words(t, len(t.split()) * 2 // 3),
    }


def _paragraphs(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _first_words(text: str, count: int) -> str:
    return " ".join(text.split()[:count])


def _replaced(text: str, pool: Sequence[str], share: float, rng: random.Random) -> str:
    return " ".join(rng.choice(pool) if rng.random() < share else word for word in text.split())


def _house_style(text: str) -> str:
    for pattern, replacement in _HOUSE_STYLE:
        text = re.sub(pattern, replacement, text)
    return text


def _parts(texts: Sequence[str], words: int) -> list[tuple[int, str]]:
    """Return every article in pieces of `words` words, with the number of the article."""
    cut = [(n, t.split()) for n, t in enumerate(texts)]
    return [(n, " ".join(w[i : i + words])) for n, w in cut for i in range(0, len(w) - words + 1, words)]


def _exact(a: str, b: str, run: int) -> float:
    first, second = (set(copies._hashes(copies._words(t), run).tolist()) for t in (a, b))
    return len(first & second) / len(first | second)


def _unlike(signatures: Sequence[bytes]) -> list[float]:
    """Return the likeness of every two."""
    values = np.stack([copies._values(s) for s in signatures])
    found: list[float] = []
    for place in range(len(values) - 1):
        found += np.mean(values[place + 1 :] == values[place], axis=1).tolist()
    return found


def _print_kinds(made: Sequence[Pair]) -> None:
    print(f"\n{'estimated likeness':42} {'pairs':>6} {'least':>6} {'5 %':>6} {'median':>6} {'95 %':>6} {'most':>6}")
    for kind in dict.fromkeys(p.kind for p in made):
        found = [likeness(signature(p.first), signature(p.second)) for p in made if p.kind == kind]
        _print_row(kind, found)


def _print_row(kind: str, found: Sequence[float]) -> None:
    cuts = quantiles(found, n=20)
    figures = (min(found), cuts[0], median(found), cuts[-1], max(found))
    print(f"{kind:42} {len(found):6} " + " ".join(f"{f:6.2f}" for f in figures))


def _print_thresholds(made: Sequence[Pair], different: Sequence[float]) -> None:
    alike = [likeness(signature(p.first), signature(p.second)) for p in made if p.copy]
    quoting = [likeness(signature(p.first), signature(p.second)) for p in made if not p.copy]
    others = [*different, *quoting]
    print("\nthreshold  recall  precision  different taken  quoting taken")
    for threshold in (0.3, 0.4, 0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62, 0.65, 0.7, 0.8):
        right = sum(f >= threshold for f in alike)
        wrong = sum(f >= threshold for f in others)
        mark = "  <- SAME" if threshold == SAME else ""
        print(
            f"{threshold:9.2f}  {right / len(alike):6.4f}  {right / max(1, right + wrong):9.4f}"
            f"  {sum(f >= threshold for f in different):15}  {sum(f >= threshold for f in quoting):13}{mark}"
        )


def _print_runs(made: Sequence[Pair], texts: Sequence[str], rng: random.Random) -> None:
    """Print the exact similarity for runs of other lengths: what the estimate would be without its error."""
    print("\nrun  copies: 1 %   5 %  median   quoting: most   different: 99.9 %   most")
    positive, negative = [p for p in made if p.copy], [p for p in made if not p.copy]
    drawn = rng.sample(list(combinations(texts, 2)), 2_000)
    for run in range(1, 6):
        alike = [_exact(p.first, p.second, run) for p in positive]
        quoting = [_exact(p.first, p.second, run) for p in negative]
        different = [_exact(a, b, run) for a, b in drawn]
        cuts = quantiles(alike, n=100)
        print(
            f"{run:3}  {cuts[0]:11.2f} {cuts[4]:5.2f} {median(alike):7.2f}  {max(quoting):14.2f}"
            f"  {quantiles(different, n=1000)[-1]:17.3f} {max(different):6.3f}"
        )


def _print_bands(made: Sequence[Pair], signatures: Sequence[bytes]) -> None:
    copied = [(signature(p.first), signature(p.second)) for p in made if p.copy]
    same = [(a, b) for a, b in copied if likeness(a, b) >= SAME]
    met = sum(not set(bands(a)).isdisjoint(bands(b)) for a, b in same)
    keys = [set(bands(s)) for s in signatures]
    meetings = sum(not a.isdisjoint(b) for a, b in combinations(keys, 2))
    count = len(keys) * (len(keys) - 1) // 2
    print(f"\ncopies above SAME that share a band       {met} of {len(same)}")
    print(f"different articles that share a band      {meetings} of {count}")
    print("\nbands x rows   chance to meet at 0.5   SAME   0.62    0.7 | at 0.02      0.1      0.2")
    for number, rows in ((16, 2), (16, 3), (24, 3), (32, 3), (42, 3), (32, 4), (64, 4), (32, 5)):
        chances = [1 - (1 - s**rows) ** number for s in (0.5, SAME, 0.62, 0.7, 0.02, 0.1, 0.2)]
        print(f"{number:5} x {rows}  " + " " * 20 + " ".join(f"{c:6.4f}" for c in chances[:4]), end=" | ")
        print(" ".join(f"{c:8.6f}" for c in chances[4:]))


def _print_estimate(made: Sequence[Pair]) -> None:
    errors = [likeness(signature(p.first), signature(p.second)) - _exact(p.first, p.second, copies._RUN) for p in made]
    print(
        f"\nestimate minus exact: mean {mean(errors):+.4f}, root mean square {mean(e * e for e in errors) ** 0.5:.4f}"
    )


def _print_time(text: str, times: int) -> None:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        copies.signature(text)
        taken.append(1_000 * (time.perf_counter() - started))
    print(
        f"signature of {len(text):,} characters: median {median(taken):.2f} ms, most {max(taken):.2f} ms, {times} times"
    )


def main() -> None:
    rng = random.Random(0)
    texts = list(news().documents.values())
    made = list(pairs(texts, rng))
    parts = _parts(texts, 120)
    signatures = [signature(text) for text in texts]
    print(f"machine {platform.machine()}, python {platform.python_version()}, numpy {np.__version__}")
    print(
        f"{len(texts)} articles; {sum(p.copy for p in made)} copies, {sum(not p.copy for p in made)} quoting articles"
    )
    _print_kinds(made)
    different = _unlike(signatures)
    _print_row("two different articles", different)
    every = zip(combinations(parts, 2), _unlike([signature(p) for _, p in parts]), strict=True)
    short = [found for (a, b), found in every if a[0] != b[0]]
    _print_row("parts of 120 words, different articles", short)
    seeds = sorted((SHARED.parent / "seeds").glob("*.txt"))
    for a, b in combinations([p.read_text(encoding="utf-8") for p in seeds], 2):
        print(f"{'two reports on one event':42} {1:6} {likeness(signature(a), signature(b)):6.2f}", end="")
        print(f"   exact {_exact(a, b, copies._RUN):.4f}")
    _print_thresholds(made, [*different, *short])
    _print_runs(made, texts, rng)
    _print_bands(made, signatures)
    _print_estimate(made)
    _print_time("\n".join(texts)[:5_000], 50)
    _print_time("\n".join(texts)[:1_000_000], 5)
    _print_time("".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(1_000_000)), 5)


if __name__ == "__main__":
    main()

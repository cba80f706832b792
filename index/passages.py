"""Sentences → passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from index.types import Kind, Sentence, Span


@dataclass(frozen=True, slots=True)
class PassagePolicy:
    """How passages are cut. A passage holds at most `tokens` tokens, unless one sentence alone is longer.

    `overlap` sentences are repeated at the start of the next passage, while they take less than half of it.
    """

    tokens: int = 160
    overlap: int = 1


@dataclass(frozen=True, slots=True)
class Cut:
    """One passage before it has a document and an id."""

    span: Span
    sentences: tuple[Sentence, ...]


def cut(sentences: Sequence[Sentence], tokens: Sequence[int], policy: PassagePolicy) -> list[Cut]:
    """Return the passages of one text in order. `tokens[i]` is the length of `sentences[i]` in tokens.

    Navigation is in none. Captions and credit lines make passages of their own, so that the story's passages tell
    only the story. A heading opens a passage and never closes one. Every other sentence is in at least one passage.
    """
    found: list[Cut] = []
    pairs = [(s, n) for s, n in zip(sentences, tokens, strict=True) if s.kind is not Kind.NAVIGATION]
    for _, group in groupby(pairs, key=lambda pair: _run(pair[0].kind)):
        found.extend(_cut_run(list(group), policy))
    return found


def _run(kind: Kind) -> Kind:
    """Headings run on into the story."""
    return Kind.BODY if kind is Kind.HEADING else kind


def _cut_run(run: list[tuple[Sentence, int]], policy: PassagePolicy) -> list[Cut]:
    found: list[Cut] = []
    current: list[tuple[Sentence, int]] = []
    fresh = 0  # how many of `current` are in no earlier passage
    for pair in run:
        if fresh and sum(n for _, n in current) + pair[1] > policy.tokens:
            closing, heading = _without_closing_heading(current)
            found.append(_close(closing))
            current = [*_repeated(closing, policy), *heading]
            if sum(n for _, n in current) + pair[1] > policy.tokens:
                current = heading
            fresh = len(heading)
        current.append(pair)
        fresh += 1
    if fresh:
        found.append(_close(current))
    return found


def _without_closing_heading(
    run: list[tuple[Sentence, int]],
) -> tuple[list[tuple[Sentence, int]], list[tuple[Sentence, int]]]:
    """Split off the headings at the end of `run`, unless it is nothing but headings."""
    last = len(run)
    while last and run[last - 1][0].kind is Kind.HEADING:
        last -= 1
    return (run[:last], run[last:]) if last else (run, [])


def _repeated(closed: list[tuple[Sentence, int]], policy: PassagePolicy) -> list[tuple[Sentence, int]]:
    tail = [pair for pair in closed[len(closed) - policy.overlap :] if pair[0].kind is Kind.BODY]
    return tail if sum(n for _, n in tail) < policy.tokens / 2 else []


def _close(run: list[tuple[Sentence, int]]) -> Cut:
    sentences = tuple(sentence for sentence, _ in run)
    return Cut(Span(sentences[0].span.start, sentences[-1].span.end), sentences)

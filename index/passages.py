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

    Navigation is in none, and none reaches across it. Captions and credit lines make passages of their own, so that
    the story's passages tell only the story. A heading opens a passage and closes none but one of headings alone.
    Every other sentence is in at least one passage.
    """
    found: list[Cut] = []
    pairs = zip(sentences, tokens, strict=True)
    for kind, group in groupby(pairs, key=lambda pair: _run(pair[0].kind)):
        if kind is not Kind.NAVIGATION:
            found.extend(_cut_run(list(group), policy))
    return found


def _run(kind: Kind) -> Kind:
    """Headings run on into the story."""
    return Kind.BODY if kind is Kind.HEADING else kind


def _cut_run(run: list[tuple[Sentence, int]], policy: PassagePolicy) -> list[Cut]:
    found: list[Cut] = []
    current: list[tuple[Sentence, int]] = []
    size = 0  # tokens in `current`
    old = 0  # how many of `current`, at its start, are in an earlier passage
    for pair in run:
        if current and size + pair[1] > policy.tokens:
            closing, heading = _without_closing_heading(current)
            if len(closing) > old:
                found.append(_close(closing))
            repeated = _repeated(closing, policy)
            room = policy.tokens - pair[1]
            if _size(heading) > room:
                found.extend([_close(heading)] if heading else [])
                repeated, heading = [], []
            elif _size(repeated) + _size(heading) > room:
                repeated = []
            current, old = [*repeated, *heading], len(repeated)
            size = _size(current)
        current.append(pair)
        size += pair[1]
    closing, heading = _without_closing_heading(current)
    return [*found, *(_close(part) for part in (closing[old:] and closing, heading) if part)]


def _size(run: list[tuple[Sentence, int]]) -> int:
    return sum(n for _, n in run)


def _without_closing_heading(
    run: list[tuple[Sentence, int]],
) -> tuple[list[tuple[Sentence, int]], list[tuple[Sentence, int]]]:
    """Split off the headings at the end of `run`, unless it is nothing but headings."""
    last = len(run)
    while last and run[last - 1][0].kind is Kind.HEADING:
        last -= 1
    return (run[:last], run[last:]) if last else (run, [])


def _repeated(closed: list[tuple[Sentence, int]], policy: PassagePolicy) -> list[tuple[Sentence, int]]:
    tail = [pair for pair in closed[max(0, len(closed) - policy.overlap) :] if pair[0].kind is Kind.BODY]
    return tail if _size(tail) < policy.tokens / 2 else []


def _close(run: list[tuple[Sentence, int]]) -> Cut:
    sentences = tuple(sentence for sentence, _ in run)
    return Cut(Span(sentences[0].span.start, sentences[-1].span.end), sentences)

"""Pages that were drawn straight across their columns, put in the order of reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from index.load.pdftext import Line

_FEWEST = 6
_CROSSING = 0.25
_FULL = 0.75
_WORDS = 3
_DEEPEST = 3


def in_columns(lines: Sequence[Line], depth: int = 0) -> list[Line]:
    """Return the lines with those that run across a gutter cut in two, each column as a whole; else as they came.

    Lines that cross the gutter, such as a title, divide the page into bands. A table is no page of columns: its cells
    are short or ragged.
    """
    gutter = _gutter(lines) if depth < _DEEPEST else None
    if gutter is None:
        return list(lines)
    out: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in lines:
        halves = _halves(line, gutter)
        if halves is not None:
            left.append(halves[0])
            right.append(halves[1])
        elif line.right <= gutter:
            left.append(line)
        elif line.left >= gutter:
            right.append(line)
        else:
            out += in_columns(left, depth + 1) + in_columns(right, depth + 1) + [line]
            left, right = [], []
    return out + in_columns(left, depth + 1) + in_columns(right, depth + 1)


def _gutter(lines: Sequence[Line]) -> float | None:
    """Return the middle of the gap that most lines have in common, if it divides columns of text."""
    gaps = [(start, end) for line in lines for _, start, end in line.gaps]
    if len(gaps) < _FEWEST:
        return None
    edges = sorted([(start, 1) for start, _ in gaps] + [(end, -1) for _, end in gaps])
    best = covering = 0
    start = end = 0.0
    for at, (place, step) in enumerate(edges):
        covering += step
        if covering > best and at + 1 < len(edges):
            best, start, end = covering, place, edges[at + 1][0]
    gutter = (start + end) / 2
    pieces = [halves for line in lines if (halves := _halves(line, gutter)) is not None]
    crossing = sum(1 for line in lines if line.left < gutter < line.right) - len(pieces)
    if len(pieces) < _FEWEST or crossing > _CROSSING * len(pieces):
        return None
    sides = [[half[side] for half in pieces] for side in (0, 1)]
    return gutter if all(map(_is_text, sides)) else None


def _is_text(lines: Sequence[Line]) -> bool:
    """Return whether these fill a column as text does."""
    widths = [line.right - line.left for line in lines]
    words = [len(line.text.split()) for line in lines]
    return median(widths) >= _FULL * max(widths) and median(words) >= _WORDS


def _halves(line: Line, gutter: float) -> tuple[Line, Line] | None:
    """Return `line` cut at its gap that holds the gutter; None where it has none."""
    for number, (at, start, end) in enumerate(line.gaps):
        if start <= gutter <= end:
            rest = line.text[at:].lstrip(" ")
            cut = len(line.text) - len(rest)
            right_gaps = tuple((place - cut, a, b) for place, a, b in line.gaps[number + 1 :])
            return (
                replace(line, text=line.text[:at], right=start, gaps=line.gaps[:number]),
                replace(line, text=rest, left=end, gaps=right_gaps),
            )
    return None

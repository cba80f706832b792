"""Printed lines with their places → paragraphs: the opposite of what a typesetter does.

The order in which a page was drawn is nearly always the order of reading, column by column; only pages drawn straight
across their columns are put in order here. A line belongs to the paragraph above it when the next word had no more
room there, which is what wrapping means.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from index.load.columns import in_columns
from index.load.furniture import usual_size, without_furniture
from index.load.hyphens import Hyphens, is_broken, plain
from index.load.pages import APART
from index.load.pdftext import Line

_BULLET = re.compile(r"[•‣▪◦●○■□–—*·\uf0b7-](?:\s|$)")
_NUMBER = re.compile(r"(?:\(?[0-9]{1,3}[.)]|\(?[A-Za-z][.)])\s")
_SENTENCE_END = re.compile(r"[.!?…:。！？][\"'”’»)\]]*$")
_SAME_SIZE = 0.12
_SAME_ROW = 0.3
_SPACE = 0.25
_INDENT = 0.4
# In line heights: up to the first a line is the next one, up to the second a formula may have made room for itself.
_NEXT, _FAR = 1.3, 2.2
_HEADLINE = 1.2
_ALIGNED = 1.0


@dataclass(frozen=True, slots=True)
class Laid:
    """The text of each page, what stands before each (see `pages.paged`), and the largest line of the first page."""

    pages: tuple[str, ...]
    joints: tuple[str, ...]
    headline: str | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line, how far right its paragraph and its column reach, the height of a line, and whether it is a row."""

    line: Line
    measure: float
    column: float
    leading: float
    row: bool


def laid(pages: Sequence[Sequence[Line]]) -> Laid:
    """Return the paragraphs of all pages, one a line; lines that belong together, such as rows, without a gap."""
    ordered = without_furniture([in_columns(_upright(page)) for page in pages])
    hyphens = Hyphens([line.text for page in ordered for line in page])
    leadings = _leadings(ordered)
    texts: list[str] = []
    joints: list[str] = []
    last: _Placed | None = None
    for page in ordered:
        placed = _placed(page, leadings)
        joint = APART
        if placed and last is not None and texts[-1] and _goes_on(last, placed[0], elsewhere=True):
            kept, joint = hyphens.seam(last.line.text, placed[0].line.text)
            texts[-1] = texts[-1].removesuffix(plain(last.line.text)) + kept
        texts.append("".join(_pieces(placed, hyphens)))
        joints.append(joint)
        last = placed[-1] if placed else None
    return Laid(tuple(texts), tuple(joints), _headline(ordered))


def _pieces(placed: Sequence[_Placed], hyphens: Hyphens) -> Iterator[str]:
    for above, below in pairwise(placed):
        if _goes_on(above, below):
            yield "".join(hyphens.seam(above.line.text, below.line.text))
        else:
            drop = above.line.base - below.line.base
            near = 0 < drop <= _NEXT * above.leading and _same_size(above.line, below.line)
            yield plain(above.line.text) + ("\n" if near else APART)
    if placed:
        yield plain(placed[-1].line.text)


def _goes_on(above: _Placed, following: _Placed, *, elsewhere: bool = False) -> bool:
    """Return whether `following` continues the paragraph of `above`; `elsewhere`: on the next page."""
    line, below = above.line, following.line
    if following.row or line.turn != below.turn or not _same_size(line, below) or _BULLET.match(below.text):
        return False
    if is_broken(line.text) and below.text[0].isalpha():
        return True
    drop = line.base - below.base
    ended = _SENTENCE_END.search(line.text) is not None
    lower = below.text[0].islower()
    if elsewhere or drop < -_INDENT * line.size:
        numbered = _NUMBER.match(below.text) is not None
        return not ended and (lower or (not numbered and not _has_room(line, below, above.column)))
    if drop < _SAME_ROW * line.size:
        return below.left >= line.right - line.size
    if drop > _NEXT * above.leading or below.left > line.right or below.right < line.left:
        return lower and not ended and drop <= _FAR * above.leading
    room = above.row or _has_room(line, below, above.measure)
    if _NUMBER.match(below.text) and (ended or room or _NUMBER.match(line.text)):
        return False
    indented = below.left > line.left + _INDENT * line.size
    if indented and ended and not (_BULLET.match(line.text) or _NUMBER.match(line.text)):
        return False
    return not room or (lower and not ended)


def _has_room(line: Line, below: Line, edge: float) -> bool:
    """Return whether the first word of `below` would have fitted at the end of `line`: it was not wrapped then."""
    first = len(below.text.split(" ", 1)[0])
    word = first / len(below.text) * (below.right - below.left)
    return line.right + _SPACE * line.size + word < edge


def _placed(page: Sequence[Line], leadings: dict[int, float]) -> list[_Placed]:
    measures: list[float] = []
    start = 0
    for at, line in enumerate(page):
        follows = at + 1 < len(page) and _follows(line, page[at + 1], leadings)
        if not follows:
            measures += [_measure(page[start : at + 1])] * (at + 1 - start)
            start = at + 1
    reaches: dict[tuple[int, int], list[float]] = defaultdict(list)
    for line in page:
        reaches[_column(line)].append(line.right)
    # A line alone shows nothing of how wide its column is.
    columns = {column: max(reach) if len(reach) > 1 else math.inf for column, reach in reaches.items()}
    rows = {at + side for at, pair in enumerate(pairwise(page)) if _are_rows(*pair) for side in (0, 1)}
    return [
        _Placed(line, measure, columns[_column(line)], _leading(line, leadings), at in rows)
        for at, (line, measure) in enumerate(zip(page, measures, strict=True))
    ]


def _are_rows(line: Line, below: Line) -> bool:
    """Return whether the cells of both begin at the same places: all of them, and by no chance of justified text."""
    # A bullet too has a gap after it, at the same place as the bullet above.
    if any(marker.match(text) for marker in (_BULLET, _NUMBER) for text in (line.text, below.text)):
        return False
    fewer, more = sorted([[end for _, _, end in line.gaps], [end for _, _, end in below.gaps]], key=len)
    if not fewer or not all(any(abs(place - other) <= _ALIGNED for other in more) for place in fewer):
        return False
    return len(fewer) > 1 or abs(line.right - below.right) > _ALIGNED


def _measure(block: Sequence[Line]) -> float:
    """Return how far right a block of lines reaches; without bound where most of its lines end of their own accord."""
    edge = max(line.right for line in block)
    open_ended = [pair for pair in pairwise(block) if not _SENTENCE_END.search(pair[0].text)]
    roomy = sum(_has_room(line, below, edge) for line, below in open_ended)
    return edge if 2 * (len(open_ended) - roomy) > roomy else math.inf


def _follows(line: Line, below: Line, leadings: dict[int, float]) -> bool:
    """Return whether both stand in one block of lines: close, of one size, one above the other."""
    drop = line.base - below.base
    if line.turn != below.turn or not _same_size(line, below):
        return False
    return 0 < drop <= _NEXT * _leading(line, leadings) and below.left <= line.right and below.right >= line.left


def _column(line: Line) -> tuple[int, int]:
    return round(line.size), round(line.left / (3 * line.size))


def _leading(line: Line, leadings: dict[int, float]) -> float:
    return leadings.get(round(line.size), 1.2 * line.size)


def _leadings(pages: Sequence[Sequence[Line]]) -> dict[int, float]:
    """Return the usual distance from line to line by size: the lower quartile, since paragraphs stand further apart."""
    drops: dict[int, list[float]] = defaultdict(list)
    for page in pages:
        for line, below in pairwise(page):
            drop = line.base - below.base
            if _same_size(line, below) and 0.8 * line.size < drop < 3 * line.size:
                drops[round(line.size)].append(drop)
    return {size: sorted(found)[len(found) // 4] for size, found in drops.items()}


def _same_size(one: Line, other: Line) -> bool:
    return abs(one.size - other.size) <= _SAME_SIZE * max(one.size, other.size)


def _upright(page: Sequence[Line]) -> list[Line]:
    """Return the lines that are turned as most of the page is, and the others after them."""
    if not page:
        return []
    turns: Counter[int] = Counter()
    for line in page:
        turns[line.turn] += len(line.text)
    usual = turns.most_common(1)[0][0]
    return [line for line in page if line.turn == usual] + [line for line in page if line.turn != usual]


def _headline(pages: Sequence[Sequence[Line]]) -> str | None:
    """Return the largest line of the first page, with those of its size below it; None where none stands out."""
    first = next((page for page in pages if page), ())
    if not first:
        return None
    largest = max(line.size for line in first)
    if largest < _HEADLINE * usual_size(pages):
        return None
    at = next(at for at, line in enumerate(first) if line.size == largest)
    lines = [first[at].text]
    for above, below in pairwise(first[at:]):
        if not _same_size(above, below) or above.base - below.base > 2 * largest:
            break
        lines.append(below.text)
    return " ".join(map(plain, lines))

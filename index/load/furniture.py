"""What stands on every page: running heads, feet and page numbers."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence

from index.load.pdftext import Line

_FIGURES = re.compile(r"\d+|\b[ivxlc]+\b")
_ONLY_A_NUMBER = re.compile(r"\W*(?:(?:page|seite|p\.?)\W*)?#(?:\W+(?:of|von|sur|de|/)?\W*#)?\W*", re.IGNORECASE)
_EDGE_LINES = 2
_NEAR = 4
# A heading, a row of dots, a page number.
_CONTENTS = re.compile(r"(?: ?\.){4,} ?(?:\d{1,4}|[ivxlc]{1,6})$")
# Of a longer line only the end is looked at: where rows of dots are tried from each of their dots.
_LONGEST_DOTS = 400
_LONGEST_NUMBER = 60
_LARGER = 1.1


def without_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Return the pages without running heads, feet and page numbers, and without tables of contents.

    These stand among the two highest or lowest lines, no larger than the text, the same but for numbers on three of
    nine pages in a row; a lone page number on two.
    """
    edges = [_edges(page) for page in pages]
    places: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for number, page_edges in enumerate(edges):
        for key in set(page_edges.values()):
            places[key].append(number)
    usual = usual_size(pages)

    def is_furniture(line: Line, number: int, key: tuple[bool, str] | None) -> bool:
        if _CONTENTS.search(line.text, max(0, len(line.text) - _LONGEST_DOTS)):
            return True
        if key is None or line.size > _LARGER * usual:
            return False
        near = places[key]
        count = bisect_right(near, number + _NEAR) - bisect_left(near, number - _NEAR)
        return count >= (2 if _is_number(key[1]) else 3)

    kept = [
        [line for at, line in enumerate(page) if not is_furniture(line, number, keys.get(at))]
        for number, (page, keys) in enumerate(zip(pages, edges, strict=True))
    ]
    # Forms of a line or two are all furniture by these rules.
    return kept if any(kept) else [list(page) for page in pages]


def _is_number(masked: str) -> bool:
    """Return whether a masked line is the number of a page and nothing else."""
    return len(masked) <= _LONGEST_NUMBER and _ONLY_A_NUMBER.fullmatch(masked) is not None


def _edges(page: Sequence[Line]) -> dict[int, tuple[bool, str]]:
    """Return, for the highest and lowest lines by their place in `page`, whether they are high and what they say."""
    order = sorted(range(len(page)), key=lambda at: page[at].base)
    low = {at: (False, _masked(page[at])) for at in order[:_EDGE_LINES]}
    high = {at: (True, _masked(page[at])) for at in order[-_EDGE_LINES:]}
    return low | high


def _masked(line: Line) -> str:
    return _FIGURES.sub("#", " ".join(line.text.split()))


def usual_size(pages: Sequence[Sequence[Line]]) -> float:
    """Return the size of type in which most of the text is set, 0.0 if there is none."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0

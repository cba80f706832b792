"""A page of a PDF → its printed lines with their places: the only file that speaks to PDFium's text functions."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as raw  # type: ignore[import-untyped]

from index.load.figures import LIGATURES, SUPERSCRIPTS

# A page of a telephone book has about 15,000; what is beyond belongs to no page that somebody reads.
CHARACTERS = 200_000
# PDFium ends a line with "\r\n", and one that is hyphenated with U+FFFE in its bulk text, U+0002 one by one.
_LINE = re.compile("[^\r\n\ufffe\x02]*[\ufffe\x02]?")
_GAP = re.compile("(?<=[^ ]) +(?=[^ ])")
_RAISED = re.compile(r"(?<=[^\W\d_]|[.,;:!?)\]”’\"']) ?(\d{1,3})(?![\d ]*\d)")
_WIDE_GAP = 0.6
_ROOM = 0.9
_RISE, _SMALLER = 0.15, 0.85
_DROP = 0.8


@dataclass(frozen=True, slots=True)
class Line:
    """What is printed on one line, in PDFium's order; lengths in points, `base` counts upwards.

    `gaps` are wide spaces in it: after how many characters, and from where to where on the page. Coordinates are turned
    so that text of this `turn` (quarters) reads from left to right.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    turn: int = 0
    gaps: tuple[tuple[int, float, float], ...] = ()


def page_lines(page: pdfium.PdfPage) -> list[Line]:
    """Return the lines of a page that hold more than white space, in the order in which they were drawn.

    :raises pypdfium2.PdfiumError: the page cannot be read.
    """
    textpage = page.get_textpage()
    try:
        reader = _Reader(textpage)
        return [line for line in reader.lines() if line.text.strip()]
    finally:
        textpage.close()


class _Reader:
    """Reads one text page; asks for the places of few characters, since each call takes microseconds."""

    def __init__(self, textpage: pdfium.PdfTextPage) -> None:
        self._page = textpage.raw
        self._box = raw.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._matrix = raw.FS_MATRIX()
        # Made once: most of the time goes into calls.
        self._box_at, self._matrix_at = ctypes.byref(self._box), ctypes.byref(self._matrix)
        self._x_at, self._y_at = ctypes.byref(self._x), ctypes.byref(self._y)
        self._text = self._characters()

    def lines(self) -> Iterator[Line]:
        for found in _LINE.finditer(self._text):
            start, end = found.span()
            while start < end and self._text[start] == " ":
                start += 1
            while start < end and self._text[end - 1] == " ":
                end -= 1
            if start < end:
                yield from self._unfolded(start, end)

    def _characters(self) -> str:
        """Return one character for each that PDFium counts, so that both have the same index."""
        count = min(raw.FPDFText_CountChars(self._page), CHARACTERS)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (count + 1))()
        written = raw.FPDFText_GetText(self._page, 0, count, buffer)
        units = list(buffer)[: max(0, written - 1)]
        # Letters outside the first plane take two units there, and some characters none.
        if len(units) == count and not any(0xD800 <= unit < 0xE000 for unit in units):
            return "".join(map(chr, units))
        codes = (raw.FPDFText_GetUnicode(self._page, at) for at in range(count))
        return "".join(chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd" for code in codes)

    def _unfolded(self, start: int, end: int) -> Iterator[Line]:
        """Yield what PDFium takes for one line, cut where it missed a line end."""
        size, turn = self._type(start)
        left, base = self._origin(start, turn)
        words = [(start, left)]
        for gap in _GAP.finditer(self._text, start, end):
            x, y = self._origin(gap.end(), turn)
            if base - y > _DROP * size and x < self._edges(gap.start() - 1, turn)[1]:
                yield self._line(start, gap.start(), words)
                start, base, words = gap.end(), y, []
            words.append((gap.end(), x))
        yield self._line(start, end, words)

    def _line(self, start: int, end: int, words: Sequence[tuple[int, float]]) -> Line:
        """Return the line of these characters; `words` say where each word begins in the text and on the page."""
        size, turn = self._type((start + end) // 2)
        if self._text[(start + end) // 2] == " ":
            size, turn = self._type(start)
        _, base = self._origin(start, turn)
        left, right = self._edges(start, turn)[0], self._edges(end - 1, turn)[1]
        letter = (right - left) / (end - start)
        gaps = []
        for (word, x), (next_word, next_x) in pairwise(words):
            # Only where a word takes much room is it worth a look at what is behind it.
            if next_x - x > _ROOM * letter * (next_word - word):
                gap = len(self._text[word:next_word].rstrip(" ")) + word
                edge = self._edges(gap - 1, turn)[1]
                if next_x - edge > _WIDE_GAP * size:
                    gaps.append((len(self._shown(start, gap, size, turn)), edge, next_x))
        text = self._shown(start, end, size, turn)
        return Line(text, min(left, right), max(left, right), base, size, turn, tuple(gaps))

    def _shown(self, start: int, end: int, size: float, turn: int) -> str:
        """Return the text with each letter of a ligature, with raised figures as such, since m² are not m2, and without
        those that stand for a note after a stop.
        """
        pieces = []
        for found in _RAISED.finditer(self._text, start, end):
            before = self._origin(found.start() - 1, turn)[1]
            small = self._type(found.start(1))[0] < _SMALLER * size
            if small and self._origin(found.start(1), turn)[1] - before > _RISE * size:
                pieces.append(self._text[start : found.start()])
                if self._text[found.start() - 1].isalpha():
                    pieces.append(found[1].translate(SUPERSCRIPTS))
                start = found.end()
        return "".join([*pieces, self._text[start:end]]).replace("\ufffe", "\x02").translate(LIGATURES)

    def _type(self, at: int) -> tuple[float, int]:
        """Return the size in points of the type of a character, and the quarters by which it is turned."""
        if not raw.FPDFText_GetMatrix(self._page, at, self._matrix_at):
            return 1.0, 0
        scale = math.hypot(self._matrix.c, self._matrix.d)
        size = raw.FPDFText_GetFontSize(self._page, at) * scale
        turn = round(math.atan2(self._matrix.b, self._matrix.a) / (math.pi / 2)) % 4
        return (size if 0 < size < math.inf else 1.0), turn

    def _origin(self, at: int, turn: int) -> tuple[float, float]:
        raw.FPDFText_GetCharOrigin(self._page, at, self._x_at, self._y_at)
        return _turned(self._x.value, self._y.value, turn)

    def _edges(self, at: int, turn: int) -> tuple[float, float]:
        """Return from where to where a character reaches."""
        raw.FPDFText_GetLooseCharBox(self._page, at, self._box_at)
        one = _turned(self._box.left, self._box.bottom, turn)[0]
        other = _turned(self._box.right, self._box.top, turn)[0]
        return min(one, other), max(one, other)


def _turned(x: float, y: float, turn: int) -> tuple[float, float]:
    """Return a point on the page that was turned back by so many quarters."""
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn]

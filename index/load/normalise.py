"""Text as it came → canonical text. The only place where text is normalised."""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANK_LINES = re.compile("\n{3,}")
# The four characters that decompose into nothing but combining marks: they would lengthen a run unseen.
_MARKS_IN_ONE = {mark: unicodedata.normalize("NFD", mark) for mark in "\u0344\u0f73\u0f75\u0f81"}
# Below U+0300 there are no marks.
_NO_LATIN = re.compile("[^\x00-\u02ff]{31,}")
# The run length of Unicode's stream-safe text (UAX #15, section 13): no language needs more marks on one letter.
_LONG_RUN = re.compile(rb"[^\x00]{31,}")


def normalise(text: str) -> str:
    r"""Return `text` in Unicode NFC with `\n` line ends, no leading BOM and no control character but `\n`.

    Idempotent; what comes back always encodes as UTF-8. Tabs become spaces, other control characters go, surrogates
    become U+FFFD. Zero-width and other format characters stay.
    """
    # Controls go first: what stood on both sides of one may compose.
    text = without_controls(text)
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _with_marks_in_order(text))


def without_controls(text: str) -> str:
    r"""Return `text` with `\n` line ends, no leading BOM, no control character but `\n`, no surrogate; not composed.

    This much is safe before markup is parsed. Composing is not: NFC makes one character of `>` and U+0338.
    """
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ")
    text = _CONTROLS.sub("", text)
    return _SURROGATES.sub("\ufffd", text).lstrip("\ufeff")


def tidy(text: str) -> str:
    """Return normalised `text` without spaces at line ends, two empty lines in a row, or empty lines at its ends."""
    text = "\n".join([line.rstrip() for line in text.split("\n")])
    # A BOM that follows only empty lines would become a leading one.
    return _BLANK_LINES.sub("\n\n", text).lstrip("\n\ufeff").rstrip("\n")


def _with_marks_in_order(text: str) -> str:
    """Return a canonically equivalent text whose long runs of combining marks stand in canonical order.

    CPython orders marks by insertion, which takes hours on a hostile run of a million; on an ordered run it is linear.
    """
    for mark, parts in _MARKS_IN_ONE.items():
        text = text.replace(mark, parts)
    return _NO_LATIN.sub(_ordered, text)


def _ordered(stretch: re.Match[str]) -> str:
    text = stretch[0]
    pieces = []
    end = 0
    for run in _LONG_RUN.finditer(bytes(map(unicodedata.combining, text))):
        pieces.append(text[end : run.start()])
        pieces.extend(sorted(text[run.start() : run.end()], key=unicodedata.combining))
        end = run.end()
    return "".join([*pieces, text[end:]])

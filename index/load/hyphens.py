"""What becomes of a hyphen at the end of a printed line: "govern-/ment" is one word, "well-/known" keeps it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

# U+0002 is PDFium's word for a hyphen at a line end, U+00AD the soft hyphen, U+2010 what browsers draw for one.
_SOFT = "\u00ad\u2010"
_HYPHENS = "-\u0002" + _SOFT
_ENDS = frozenset(_HYPHENS)
_LONGEST = 60
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST = re.compile(rf"([^\W\d_]+(?:-[^\W\d_]+)*)[{_HYPHENS}]\Z")
_FIRST = re.compile(r"[^\W\d_]+")
# "pre- and post-war": the hyphen stands for a word that follows later.
_CONJUNCTIONS = frozenset({"and", "or", "to", "und", "oder", "et", "ou", "y", "o"})
_COMPOUNDING = frozenset(
    "well self ex half quasi two three four five six seven eight nine ten twenty thirty forty fifty sixty seventy "
    "eighty ninety".split()
)
# Hyphenated text breaks words in every tenth line or so; a real hyphen falls on one line end in a hundred or two.
_BREAKS_WORDS = 0.02


class Hyphens:
    """Knows the words of one document, and with them which hyphens at line ends belong to the word."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._words: set[str] = set()
        for line in lines:
            # The last word of a line may be a part of one, and so may the first.
            self._words.update(word.lower() for word in _WORD.findall(line)[1:-1])
        ends = [
            (last[1], first[0])
            for line, below in pairwise(lines)
            if (last := _last_word(line)) and (first := _FIRST.match(below))
        ]
        whole = sum((left.rpartition("-")[2] + right).lower() in self._words for left, right in ends)
        compound = sum(f"{left}-{right}".lower() in self._words for left, right in ends)
        self._breaks_words = whole > compound or len(ends) > _BREAKS_WORDS * len(lines)

    def seam(self, line: str, rest: str) -> tuple[str, str]:
        """Return what is left of a line above `rest`, and what to put between the two: nothing or a space."""
        found, first = _last_word(line), _FIRST.match(rest)
        if found is None or first is None:
            # PDFium takes the dash of a range for a hyphen too: "1914-/1918".
            return plain(line), "" if line.endswith("\u0002") and rest[:1].isdigit() else " "
        if first[0].lower() in _CONJUNCTIONS:
            return plain(line), " "
        return line[:-1] + ("-" if self._belongs(found[1], line[-1], first[0]) else ""), ""

    def _belongs(self, left: str, hyphen: str, right: str) -> bool:
        if hyphen in _SOFT:
            return False
        last = left.rpartition("-")[2].lower()
        if (last + right.lower()) in self._words:
            return False
        if f"{left}-{right}".lower() in self._words or "-" in left or right[0].isupper():
            return True
        if last in _COMPOUNDING:
            return True
        return not self._breaks_words


def is_broken(line: str) -> bool:
    """Return whether `line` ends in a hyphen that a printer may have put there."""
    return _last_word(line) is not None


def _last_word(line: str) -> re.Match[str] | None:
    """Return the word with the hyphen after it that `line` ends in."""
    # Letters, hyphens and all may be long: look no further back than any word reaches.
    return _LAST.search(line, max(0, len(line) - _LONGEST)) if line[-1:] in _ENDS else None


def plain(line: str) -> str:
    """Return `line` with an ordinary hyphen for PDFium's mark."""
    return line.replace("\u0002", "-")

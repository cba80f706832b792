"""A row of a table → a sentence that says what each value is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

_END = tuple(".!?…。！？")


def row_text(header: Sequence[str], row: Sequence[str]) -> str:
    """Return "header: value; header: value." on one line; a value without a header stands alone, no value is left out.

    Empty where the row has no value.
    """
    pairs = [
        f"{name.rstrip(':')}: {value}" if name else value
        for name, value in zip_longest(map(_line, header), map(_line, row), fillvalue="")
        if value
    ]
    text = "; ".join(pairs)
    return text if not text or text.endswith(_END) else f"{text}."


def _line(cell: str) -> str:
    return " ".join(cell.split())

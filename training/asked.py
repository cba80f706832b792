"""Questions written for this repository as people ask them: in their own words, not knowing how the text puts it.

The public questions were written with the text before one's eyes, and use its words. `asked.jsonl` holds others on the
same paragraphs: for yes or no, for reasons, in haste, in general or in concrete words; about four in ten are on the
text's matter and not answered by it. A line has the question and where its answer stands, but no text of the data:
`text` is the paragraph's hash, `start` and `end` count its characters and are null where it has no answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from training.examples import Row
from training.squad import Labelled

FILE = Path(__file__).parent / "asked.jsonl"
# One text in so many is not trained on: what is asked of it measures what was learnt.
HELD_OUT = 12


def key(text: str) -> str:
    """Return what names a paragraph in the file."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_asked(rows: Iterable[Row], path: Path = FILE, *, held_out: bool = False) -> list[Row]:
    """Return the questions of a file on the paragraphs of `rows`, those to train on or those held out.

    :raises ValueError: if a line is no such question, or the paragraph is not among those of `rows`.
    """
    paragraphs = {key(row.context): row for row in rows}
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            raw = json.loads(line)
            text, row = raw["text"], paragraphs[raw["text"]]
            asked = Row.cut(row.title, row.context, str(raw["question"]), raw["start"], raw["end"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: no question on a paragraph of the data ({error!r})") from error
        if (int(text, 16) % HELD_OUT == 0) == held_out:
            found.append(asked)
    return found


def labelled(rows: Iterable[Row]) -> list[Labelled]:
    """Return questions with their whole paragraphs, to be scored."""
    return [
        Labelled(str(number), row.question, row.context, () if row.answer is None else (row.answer,))
        for number, row in enumerate(rows)
    ]

"""Texts written for this repository as news, reports, notices and manuals are, with questions as people ask them.

The public training texts are all from an encyclopaedia. `written.jsonl` holds invented ones of the kinds that people
keep in a library, with what stands around them: datelines, captions, credits, copyright lines. Six questions of
fourteen are on a text's matter and not answered by it; some are put after another one, and are read as the service
reads them then (`qa/followup.py`). Texts of one set are on like matters, often two on one event.

Where a line names an `event`, another line has it, too: two texts on it, and the same questions put to both, most of
them answered by one only. Nobody can tell from the words of such a question whether it is answered. Both are trained
on or both are held out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.followup import standalone, turns_of
from training.asked import HELD_OUT, key
from training.examples import Row

FILE = Path(__file__).parent / "written.jsonl"


@dataclass(frozen=True, slots=True)
class Written:
    """A text with the questions on it.

    `set` names those that were written together, `event` the other text that has the same questions, if there is one.
    """

    set: str
    title: str
    text: str
    rows: tuple[Row, ...]
    event: str | None = None


def load_written(path: Path = FILE, *, held_out: bool | None = False) -> list[Written]:
    """Return the texts of a file with their questions, those to train on or those held out; all if that is None.

    :raises ValueError: if a line is no such text, or an answer lies outside of it.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            raw = json.loads(line)
            title, text = str(raw["title"]), str(raw["text"])
            asked = {str(one["question"]): one for one in raw["questions"]}
            rows = tuple(_row(title, text, one, asked) for one in raw["questions"])
            event = None if raw.get("event") is None else str(raw["event"])
            one = Written(str(raw["set"]), title, text, rows, event)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: no text with questions ({error!r})") from error
        if held_out is None or (int(key(text if event is None else event), 16) % HELD_OUT == 0) == held_out:
            found.append(one)
    return found


def _row(title: str, text: str, raw: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> Row:
    """Return a question of a text; `others` are all of them, by their words."""
    said: list[tuple[str, str | None]] = []
    before, left = raw.get("after"), dict(others)
    while before is not None:
        one = left.pop(before, {})
        said.insert(0, (before, text[one["start"] : one["end"]] if one.get("end") else None))
        before = one.get("after")
    question = str(raw["question"])
    meant = standalone(question, turns_of(said)) if said else question
    return Row.cut(title, text, meant, raw["start"], raw["end"])

"""Texts written for this repository as news, reports, notices and manuals are, with questions as people ask them.

The public training texts are all from an encyclopaedia. `written.jsonl` holds invented ones of the kinds that people
keep in a library, with what stands around them: datelines, captions, credits, copyright lines. Six questions of
fourteen are on a text's matter and not answered by it; some are put after another one, and are read as the service
reads them then (`qa/followup.py`). Texts of one set are on like matters, often two on one event.
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
    """A text with the questions on it; `set` names those that were written together."""

    set: str
    title: str
    text: str
    rows: tuple[Row, ...]


def load_written(path: Path = FILE, *, held_out: bool | None = False) -> list[Written]:
    """Return the texts of a file with their questions, those to train on or those held out; all if that is None.

    :raises ValueError: if a line is no such text, or an answer lies outside of it.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            raw = json.loads(line)
            title, text = str(raw["title"]), str(raw["text"])
            rows = tuple(_row(title, text, one, raw["questions"]) for one in raw["questions"])
            one = Written(str(raw["set"]), title, text, rows)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: no text with questions ({error!r})") from error
        if held_out is None or (int(key(text), 16) % HELD_OUT == 0) == held_out:
            found.append(one)
    return found


def _row(title: str, text: str, raw: Mapping[str, Any], others: list[Mapping[str, Any]]) -> Row:
    question, start, end = str(raw["question"]), raw["start"], raw["end"]
    if (before := raw.get("after")) is not None:
        places = [(one["start"], one["end"]) for one in others if one["question"] == before and one["end"]]
        said = text[slice(*places[0])] if places else None
        question = standalone(question, turns_of([(str(before), said)]))
    if start is None:
        return Row(title, text, question, None, 0, 1)
    answer = text[start:end]
    if not answer.strip():
        raise ValueError(f"characters {start} to {end} of the text hold no answer")
    return Row(title, text, question, answer, start, 1)

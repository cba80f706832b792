"""A file of labelled questions → what is asked, and what is known of the answer."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from index.errors import QuestionError
from qa.types import LONGEST_QUESTION

LARGEST_FILE = 64 * 1024 * 1024
MOST_QUESTIONS = 100_000
MOST_ANSWERS = 100
LONGEST_LABEL = 10_000
"""Characters of a gold quote, a fact, a short answer, a document's name or a conversation's."""
Kind = TypeVar("Kind")
_KINDS: Final[dict[type, str]] = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Gold:
    """A quote that answers, and the document it stands in (the end of its uri)."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with what is known of its answer; not `answerable` means that the sources do not say."""

    text: str
    answerable: bool
    gold: tuple[Gold, ...]
    facts: tuple[str, ...]
    short_answer: str | None
    conversation: str | None

    @property
    def is_judged(self) -> bool:
        """Whether the labels say what a right answer is, or that there is none."""
        return not self.answerable or bool(self.gold or self.facts or self.short_answer)

    @property
    def half(self) -> int:
        """Which half of a set it belongs to, 0 or 1, by a hash of its text: what one half fits the other checks."""
        return zlib.crc32(self.text.encode()) % 2

    @property
    def labels(self) -> str:
        """Return a name for all that is known of the answer: 16 hex digits of a SHA-256."""
        known = {name: value for name, value in asdict(self).items() if name not in ("text", "conversation")}
        data = json.dumps(known, sort_keys=True).encode()
        return hashlib.sha256(data).hexdigest()[:16]


def read_questions(path: Path) -> list[Labelled]:
    """Return the questions of a JSON-lines file: `question`, `answers` [{document, quote}], `facts`, `answerable`.

    :raises QuestionError: if the file cannot be read or is too large, or a line is not of that shape, naming the line.
    """
    found: list[Labelled] = []
    for number, line in enumerate(_content(path).split("\n"), start=1):
        if not line.strip():
            continue
        if len(found) == MOST_QUESTIONS:
            raise QuestionError(f"{path}, line {number}: more than {MOST_QUESTIONS} questions; split the file")
        try:
            found.append(_labelled(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise QuestionError(f"{path}, line {number}: not a labelled question ({reason})") from error
    if not found:
        raise QuestionError(f"{path}: no question in it")
    return found


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise QuestionError(f"{path}: larger than {LARGEST_FILE} bytes; split the file")
        # A byte order mark, which some editors write, is no part of the first line.
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionError(f"{path}: cannot be read ({error})") from error


def _labelled(raw: object) -> Labelled:
    """Return a line as a question; ValueError, KeyError or TypeError says what is wrong with it."""
    if not isinstance(raw, dict):
        raise TypeError("a line is a JSON object with a `question`")
    answers = _listed(raw, "answers", dict)
    return Labelled(
        text=_text(raw["question"], "question", LONGEST_QUESTION),
        answerable=_given(raw, "answerable", bool, True),
        gold=tuple(Gold(_text(a["document"], "document"), _text(a["quote"], "quote")) for a in answers),
        facts=tuple(_text(fact, "fact") for fact in _listed(raw, "facts", str)),
        short_answer=_optional(raw, "short_answer"),
        conversation=_optional(raw, "conversation"),
    )


def _text(value: object, name: str, longest: int = LONGEST_LABEL) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is {value!r:.60}, not a text")
    if not value.strip():
        raise ValueError(f"`{name}` is empty")
    if len(value) > longest:
        raise ValueError(f"`{name}` has {len(value)} characters, {longest} are allowed")
    value.encode()  # half a character, which JSON can write, is a UnicodeEncodeError here
    return value


def _optional(raw: Mapping[str, Any], name: str) -> str | None:
    """Return a text; None where it is absent, null or empty, as the starter library writes what has none."""
    value = raw.get(name)
    return None if value is None or value == "" else _text(value, name)


def _given(raw: Mapping[str, Any], name: str, kind: type[Kind], otherwise: Kind) -> Kind:
    """Return a value of that kind; `otherwise` where it is absent or null."""
    value = raw.get(name)
    if value is None:
        return otherwise
    if not isinstance(value, kind):
        raise TypeError(f"`{name}` is {value!r:.60}, not {_KINDS[kind]}")
    return value


def _listed(raw: Mapping[str, Any], name: str, kind: type[Kind]) -> list[Kind]:
    """Return a list of values of that kind, empty where it is absent or null."""
    values: list[Any] = _given(raw, name, list, [])
    if len(values) > MOST_ANSWERS:
        raise ValueError(f"`{name}` has {len(values)} entries, {MOST_ANSWERS} are allowed")
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"`{name}` holds {value!r:.60}, not {_KINDS[kind]}")
    return values

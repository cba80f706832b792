"""Question and passage → token windows and back. Token offsets never leave this file except as character spans."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

MAX_LENGTH = 384
MAX_QUESTION = 64
MAX_ANSWER = 30
"""Tokens of the longest answer, as in the usual SQuAD evaluation."""


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the reader: `[CLS] question [SEP] passage [SEP]`.

    `first` is the position of the first passage token; `offsets` are the passage tokens' character spans.
    """

    ids: tuple[int, ...]
    first: int
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded arrays `[batch, sequence]`; `tokens` counts what is not padding."""

    ids: Ints
    types: Ints
    mask: Ints
    tokens: int


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer without the truncation and padding that some files have built in."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class Windower:
    """Cuts (question, passage) into windows of at most `max_length` tokens that overlap by `stride` tokens."""

    def __init__(self, tokenizer: Tokenizer, max_length: int = MAX_LENGTH, stride: int = 128) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._stride = stride
        self._cls, self._sep = (_special(tokenizer, name) for name in ("[CLS]", "[SEP]"))

    def windows(self, question: str, passage: str) -> list[Window]:
        """Return the windows in the order of the text; a long question is cut to `MAX_QUESTION` tokens."""
        head = self._tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUESTION]
        body = self._tokenizer.encode(passage, add_special_tokens=False)
        ids, offsets = body.ids, body.offsets
        room = self._max_length - len(head) - 3
        found = []
        for start in range(0, max(len(ids), 1), max(room - self._stride, 1)):
            part = slice(start, start + room)
            tokens = (self._cls, *head, self._sep, *ids[part], self._sep)
            found.append(Window(tokens, len(head) + 2, tuple(offsets[part])))
            if start + room >= len(ids):
                break
        return found


def _special(tokenizer: Tokenizer, name: str) -> int:
    number = tokenizer.token_to_id(name)
    if number is None:
        raise ValueError(f"the tokenizer has no {name}: only BERT-like readers are supported")
    return int(number)


def collate(windows: Sequence[Window]) -> Batch:
    """Return the windows as one batch, padded on the right with zeros."""
    longest = max(len(window.ids) for window in windows)
    ids = np.zeros((len(windows), longest), dtype=np.int64)
    types = np.zeros_like(ids)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size] = window.ids
        types[row, window.first : size] = 1
        mask[row, :size] = 1
    return Batch(ids, types, mask, int(mask.sum()))


def best_span(start: Floats, end: Floats, window: Window) -> tuple[float, tuple[int, int]]:
    """Return (start logit + end logit, character span) of the best answer of at most `MAX_ANSWER` tokens."""
    size = len(window.offsets)
    if size == 0:
        return float("-inf"), (0, 0)
    inside = slice(window.first, window.first + size)
    scores = start[inside][:, None] + end[inside][None, :]
    allowed = np.triu(np.ones((size, size), dtype=bool)) & ~np.triu(np.ones((size, size), dtype=bool), MAX_ANSWER)
    scores = np.where(allowed, scores, -np.inf)
    first, last = divmod(int(scores.argmax()), size)
    return float(scores[first, last]), (window.offsets[first][0], window.offsets[last][1])


def by_length(windows: Sequence[Window], size: int) -> Iterator[list[int]]:
    """Yield groups of `size` positions into `windows`, of like length, so that little is padded."""
    order = sorted(range(len(windows)), key=lambda k: len(windows[k].ids))
    for at in range(0, len(order), size):
        yield order[at : at + size]

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
    """One input of the reader: `[CLS] question [SEP] passage [SEP]`, or `<s> question </s></s> passage </s>`.

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
        self._begin, self._between, self._end = _marks(tokenizer)

    def windows(self, question: str, passage: str) -> list[Window]:
        """Return the windows in the order of the text; a long question is cut to `MAX_QUESTION` tokens."""
        head = self._tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUESTION]
        body = self._tokenizer.encode(passage, add_special_tokens=False)
        ids, offsets = body.ids, body.offsets
        before = (self._begin, *head, *self._between)
        room = self._max_length - len(before) - 1
        found = []
        for start in range(0, max(len(ids), 1), max(room - self._stride, 1)):
            part = slice(start, start + room)
            found.append(Window((*before, *ids[part], self._end), len(before), tuple(offsets[part])))
            if start + room >= len(ids):
                break
        return found


def _marks(tokenizer: Tokenizer) -> tuple[int, tuple[int, ...], int]:
    """Return what stands before, between and behind question and passage, as BERT or as MPNet was trained."""
    for begin, end, ends_between in (("[CLS]", "[SEP]", 1), ("<s>", "</s>", 2)):
        first, last = tokenizer.token_to_id(begin), tokenizer.token_to_id(end)
        if first is not None and last is not None:
            return int(first), (int(last),) * ends_between, int(last)
    raise ValueError("the tokenizer has neither [CLS] and [SEP] nor <s> and </s>: only readers like BERT are supported")


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

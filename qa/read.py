"""Hits → candidates: a small extractive model points at the words that answer, or at nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from index.crew import Crew
from index.errors import ModelError
from index.priority import step_back
from index.types import Kind, Passage, Sentence, Span
from qa.types import Candidate

MODEL_FOLDER = Path(__file__).parent / "model"
SECOND_FOLDER = MODEL_FOLDER / "second"
FORMAT = 1
# A short answer is a name, a date, a phrase: longer spans are sentences, and those are quoted anyway.
LONGEST_SPAN = 30
SPANS_PER_PASSAGE = 3
_LONGEST_QUESTION = 80
_LONGEST_TITLE = 120


class Reader(Protocol):
    """Finds spans that may answer a query."""

    @property
    def fingerprint(self) -> str:
        """Names the model and its weights; the calibration was measured with one of them."""

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        """Return candidates from all `passages`, best score first, each inside one sentence that is no heading."""


def together(reader: Reader, second: Reader | None) -> str:
    """Return the fingerprint of a reader with the one that looks again, if there is one."""
    return reader.fingerprint if second is None else f"{reader.fingerprint}+{second.fingerprint}"


@dataclass(frozen=True, slots=True)
class _Window:
    """A passage beside the query, as the model sees it.

    `tokens` are spans of the passage's text, in characters; the first of them is the window's token `first`.
    """

    ids: list[int]
    types: list[int]
    first: int
    tokens: list[tuple[int, int]]


class SpanReader:
    """A reader over ONNX Runtime: an encoder with a span head and a null option, int8.

    A passage is read by one thread of `crew` (without it, of its own: `threads`, or one a core), which all questions
    share; the passages of a question are read side by side. What comes of it does not depend on that.

    :raises ModelError: if a file of the model is missing, damaged or of another format.
    """

    def __init__(self, folder: Path = MODEL_FOLDER, *, threads: int | None = None, crew: Crew | None = None) -> None:
        config = _verified_config(folder)
        self._longest = config.max_length
        self._fingerprint = f"{config.name}:{config.sha256['reader.onnx'][:16]}"
        options = onnxruntime.SessionOptions()
        # Two threads at one window wait for each other a hundred times: two windows side by side cost a fifth less.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                str(folder / "reader.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare Exception subclasses of their own
            raise ModelError(f"the reader in {folder} cannot be loaded ({error}); reinstall citespan") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._takes_types = "token_type_ids" in {one.name for one in self._session.get_inputs()}
        # The rest of a question, and whoever answers others, holds the interpreter, and goes before this.
        self.crew = Crew("reader", step_back, threads) if crew is None else crew

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        question = self._shortened(query)
        windows = [self._window(question, passage) for passage in passages]
        # One window at a time: the scales of an int8 model come from all it is given at once, so a passage's scores
        # would depend on what is read beside it. Nothing is padded, and memory stays bounded.
        found: list[Candidate] = []
        for passage, window, (start, end) in zip(passages, windows, self.crew.map(self._run, windows), strict=True):
            found.extend(candidates(passage, window.tokens, start, end, window.first))
        return best_first(found)

    def _shortened(self, query: str) -> str:
        encoding = self._tokenizer.encode(query, add_special_tokens=False)
        return query[: encoding.offsets[_LONGEST_QUESTION - 1][1]] if len(encoding.ids) > _LONGEST_QUESTION else query

    def _window(self, question: str, passage: Passage) -> _Window:
        title = title_above(passage)
        encoding: Encoding = self._tokenizer.encode(question, f"{title}{passage.text}")
        ids, types = encoding.ids, encoding.type_ids
        first, tokens = own_tokens(encoding.offsets, encoding.sequence_ids, len(title))
        if len(ids) > self._longest:  # one very long sentence: its end is not read
            ids, types = [*ids[: self._longest - 1], ids[-1]], [*types[: self._longest - 1], types[-1]]
            tokens = tokens[: self._longest - 1 - first]
        return _Window(ids, types, first, tokens)

    def _run(self, window: _Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return start and end logits, each float32 (tokens of the window)."""
        given = {"input_ids": np.array([window.ids], dtype=np.int64)}
        if self._takes_types:
            given["token_type_ids"] = np.array([window.types], dtype=np.int64)
        starts, ends = self._session.run(["start_logits", "end_logits"], given)
        return starts[0], ends[0]


def shipped(threads: int | None = None) -> tuple[SpanReader, SpanReader]:
    """Return the reader that ships with Citespan and the larger one that looks again; they share their threads.

    :raises ModelError: as SpanReader does.
    """
    first = SpanReader(threads=threads)
    return first, SpanReader(SECOND_FOLDER, crew=first.crew)


def title_above(passage: Passage) -> str:
    """Return the line that is read above a passage: the title of its document, which often alone says what it is about.

    Nothing if there is none, or the passage begins with it.
    """
    title = passage.document.title[:_LONGEST_TITLE].strip()
    return "" if not title or passage.text.startswith(title) else f"{title}\n"


def own_tokens(
    offsets: Sequence[tuple[int, int]], sequences: Sequence[int | None], above: int
) -> tuple[int, list[tuple[int, int]]]:
    """Return where the tokens of a passage begin in a window, and their places in it, in characters.

    `offsets` are those of all tokens, `sequences` says 1 where one is not the question's, and `above` characters stand
    over the passage.
    """
    own = [k for k, sequence in enumerate(sequences) if sequence == 1 and offsets[k][0] >= above]
    return own[0] if own else len(offsets), [(offsets[k][0] - above, offsets[k][1] - above) for k in own]


def candidates(
    passage: Passage,
    tokens: Sequence[tuple[int, int]],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    first: int,
) -> list[Candidate]:
    """Return the best spans of one window that do not overlap, at most SPANS_PER_PASSAGE.

    `tokens` are character offsets into the passage's text; `start` and `end` the window's logits, in which position 0
    says "no answer here" and the passage's tokens begin at `first`.
    """
    sentences = _sentence_of_each(passage, tokens)
    null = float(start[0] + end[0])
    length = len(tokens)
    scores = start[first : first + length, None] + end[None, first : first + length]
    # A span ends where it starts or after, is not too long, and stays inside one sentence that is no heading.
    ahead = np.arange(length)[None, :] - np.arange(length)[:, None]
    allowed = (ahead >= 0) & (ahead < LONGEST_SPAN)
    allowed &= (sentences[:, None] == sentences[None, :]) & (sentences[:, None] >= 0)
    scores = np.where(allowed, scores, -np.inf)
    found: list[Candidate] = []
    while len(found) < SPANS_PER_PASSAGE and length and np.isfinite(scores.max()):
        a, b = divmod(int(scores.argmax()), length)
        span = Span(passage.span.start + tokens[a][0], passage.span.start + tokens[b][1])
        found.append(Candidate(passage, passage.sentences[sentences[a]], span, float(scores[a, b]) - null))
        scores[: b + 1, a:] = -np.inf  # whatever overlaps it
    return found


def best_first(found: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates by score, one for each span of a revision (passages overlap, so some are found twice)."""
    order = sorted(found, key=lambda c: (-c.score, c.passage.document.id, c.span))
    unique = {(c.passage.document.id, c.passage.document.revision, c.span): c for c in reversed(order)}
    return [c for c in order if unique[(c.passage.document.id, c.passage.document.revision, c.span)] is c]


def _sentence_of_each(passage: Passage, tokens: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return for each token the index of its sentence, -1 if that is a heading or the token is empty or between two."""
    # Whole arrays: a passage has a hundred tokens and more, and one by one they took a tenth of the time around it.
    bounds = np.array([(one.span.start, one.span.end) for one in passage.sentences]) - passage.span.start
    may_answer = np.array([_may_answer(one) for one in passage.sentences])
    places = np.array(tokens, dtype=np.int64).reshape(-1, 2)
    # The first sentence that a token's end does not lie behind.
    found = np.searchsorted(bounds[:, 1], places[:, 1])
    known = np.minimum(found, len(bounds) - 1)
    start = places[:, 0]
    inside = (found < len(bounds)) & (bounds[known, 0] <= start) & (start < bounds[known, 1]) & may_answer[known]
    return np.where(inside, known, -1)


def _may_answer(sentence: Sentence) -> bool:
    return sentence.kind is not Kind.HEADING


@dataclass(frozen=True, slots=True)
class _Config:
    """What `reader.json` says of the model beside it."""

    name: str
    max_length: int
    sha256: dict[str, str]


def _verified_config(folder: Path) -> _Config:
    """Return the model's description, once its files are the ones it describes."""
    try:
        raw = json.loads((folder / "reader.json").read_text())
        config = _Config(str(raw["name"]), int(raw["max_length"]), dict(raw["sha256"]))
        if raw["format"] != FORMAT:
            raise ModelError(f"the reader in {folder} has format {raw['format']}, this version reads {FORMAT}")
        for name, wanted in config.sha256.items():
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != wanted:
                raise ModelError(
                    f"{folder / name} has SHA-256 {found}, not {wanted}: it is damaged; reinstall citespan"
                )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"there is no usable reader in {folder} ({error}); reinstall citespan") from error
    return config

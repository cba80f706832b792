"""Canonical text → sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

from index.lines import classify
from index.types import Kind, Sentence, Span

# A "sentence" longer than this (a data dump, a page without full stops, one quotation of many sentences) is cut:
# about as much as the embedder reads.
LONGEST = 1_000
# The segmenter is given at most this much of one line at a time, so that a line of 30 MB costs memory for 20 kB.
_BLOCK = 20_000
_FULL_STOP = re.compile(r"[.!?。！？…][\"'”’»)\]]*\s+")
_SOFT_STOP = re.compile(r"[,;:、，；]?\s+")


def split(text: str, language: str | None = None) -> list[Sentence]:
    """Return the sentences of canonical `text` in order: not empty, not overlapping, none across a line break.

    Every character that is not white space is in exactly one sentence. `language` is a BCP 47 tag; English if None.
    """
    code = (language or "en").split("-")[0].lower()
    found: list[Sentence] = []
    for line, kind in classify(text):
        # Headings, captions and credit lines stand as a whole: "File Photo by EPA" is no sentence of its own.
        whole = kind is not Kind.BODY and len(line) <= LONGEST
        spans = [line] if whole else _sentences_of_line(text, line, code)
        found.extend(Sentence(span, kind) for span in spans)
    return found


def _sentences_of_line(text: str, line: Span, language: str) -> Iterator[Span]:
    for block in _cut(text, line, _BLOCK):
        content = block.of(text)
        for boundary in sentencex.get_sentence_boundaries(language, content):
            raw = Span(block.start + boundary["start_index"], block.start + boundary["end_index"])
            sentence = _trim(text, raw)
            if sentence is not None:
                yield from _cut(text, sentence, LONGEST)


def _cut(text: str, span: Span, longest: int) -> Iterator[Span]:
    """Yield `span` in stretches of at most `longest` characters: cut after a full stop, else at a space, else hard."""
    start = span.start
    while span.end - start > longest:
        window = text[start : start + longest]
        at = _last_end(_FULL_STOP, window) or _last_end(_SOFT_STOP, window) or longest
        piece = _trim(text, Span(start, start + at))
        if piece is not None:
            yield piece
        start += at
    rest = _trim(text, Span(start, span.end))
    if rest is not None:
        yield rest


def _last_end(pattern: re.Pattern[str], window: str) -> int:
    """Return the end of the last match in the second half of `window`, 0 if there is none."""
    end = 0
    for match in pattern.finditer(window, len(window) // 2):
        end = match.end()
    return end


def _trim(text: str, span: Span) -> Span | None:
    """Return `span` without outer white space, None if nothing is left."""
    content = span.of(text)
    stripped = content.strip()
    if not stripped:
        return None
    start = span.start + content.index(stripped)
    return Span(start, start + len(stripped))

"""Words as they are searched by: stemmed terms. The only file that knows tantivy, whose analysis this is."""

from __future__ import annotations

import threading
from functools import lru_cache

import tantivy

# What has more characters is no word.
LONGEST_TERM = 60
# Single words are asked for again and again: those of a question, one by one, and of short answers.
_SHORT = 40
_HELD = 4_096
_own = threading.local()


def analyze(words: str) -> list[str]:
    """Return the stemmed terms of `words`, in order, without repeats."""
    return list(dict.fromkeys(terms(words)))


def terms(words: str) -> list[str]:
    """Return the stemmed terms of `words`: letters and digits only, in order, with repeats."""
    return list(_held(words)) if len(words) <= _SHORT else _analyzer().analyze(words)


@lru_cache(maxsize=_HELD)
def _held(words: str) -> tuple[str, ...]:
    return tuple(_analyzer().analyze(words))


def _analyzer() -> tantivy.TextAnalyzer:
    # Threads may not share one.
    if not hasattr(_own, "analyzer"):
        builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        for step in (tantivy.Filter.remove_long(LONGEST_TERM), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()):
            builder = builder.filter(step)
        _own.analyzer = builder.filter(tantivy.Filter.stemmer("english")).build()
    analyzer: tantivy.TextAnalyzer = _own.analyzer
    return analyzer

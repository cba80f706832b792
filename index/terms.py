"""Words as they are searched by: stemmed terms. The only file that knows tantivy, whose analysis this is."""

from __future__ import annotations

import tantivy

# What has more characters is no word.
LONGEST_TERM = 60


def analyze(words: str) -> list[str]:
    """Return the stemmed terms of `words`, in order, without repeats."""
    return list(dict.fromkeys(terms(words)))


def terms(words: str) -> list[str]:
    """Return the stemmed terms of `words`: letters and digits only, in order, with repeats."""
    found: list[str] = _analyzer().analyze(words)
    return found


def _analyzer() -> tantivy.TextAnalyzer:
    # Made anew each time, which costs little: threads may not share one.
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (tantivy.Filter.remove_long(LONGEST_TERM), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()):
        builder = builder.filter(step)
    return builder.filter(tantivy.Filter.stemmer("english")).build()

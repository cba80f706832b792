"""Bytes that say nothing of their encoding → the one encoding that they can sensibly be in, or none."""

from __future__ import annotations

import re

# Those that files are really in. With all that Python knows, charset-normalizer takes Spanish for HP Roman-8.
_CANDIDATES = [
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "koi8_r",
    "cp932", "euc_jp", "gb18030", "cp949", "big5",
]  # fmt: skip
_SAMPLE = 64 * 1024
# Plain words help to tell the language; after so many only the others count.
_PLAIN_WORDS = 2_000
_WORD = re.compile(rb"\S+")
# Fewer bytes above 0x7F fit anything.
_EVIDENCE = 6
# Measured on sentences in fifteen languages (tests/test_load_encoding.py): right answers lie on one side of these,
# wrong ones on the other. Chaos is the share of odd neighbours, coherence how well letters fit a language.
_CHAOS = 0.05
_COHERENCE = 0.1
_MORE_CHAOS = 0.1
_LESS_COHERENCE = 0.6


def clear_encoding(data: bytes) -> str | None:
    """Return the encoding of `data`, which is not UTF-8; None where a second one would make other sense of it.

    It is a guess, if a good one: text in an encoding outside the usual fifteen (IBM 850, Mac Roman) may be taken for
    one of them.
    """
    sample = _sample(data)
    high = len(sample) - len(sample.decode("ascii", "ignore"))
    if high < _EVIDENCE or _is_mostly_utf8(sample, high):
        return None
    from charset_normalizer import from_bytes  # only for what is neither marked nor UTF-8

    found = list(
        from_bytes(sample, cp_isolation=_CANDIDATES, enable_fallback=False, preemptive_behaviour=False, threshold=0.2)
    )
    if not found or found[0].chaos > _CHAOS or found[0].coherence < _COHERENCE:
        return None
    best, *others = found
    text = str(best)
    for other in others:
        worse = other.chaos >= best.chaos + _MORE_CHAOS or other.coherence <= _LESS_COHERENCE * best.coherence
        if not worse and str(other) != text:
            return None
    return best.encoding


def _sample(data: bytes) -> bytes:
    """Return different words of `data`, about 64 KiB of them: one word a thousand times is evidence but once."""
    words: dict[bytes, None] = {}
    size = 0
    for found in _WORD.finditer(data):
        word = found[0][:_SAMPLE]
        if word not in words and (len(words) < _PLAIN_WORDS or not word.isascii()):
            words[word] = None
            size += len(word)
            if size > _SAMPLE:
                break
    return b" ".join(words)


def _is_mostly_utf8(sample: bytes, high: int) -> bool:
    """Return whether half of the bytes above 0x7F are sound UTF-8: a damaged file, not one in another encoding."""
    kept = sample.decode("utf-8", "ignore").encode()
    return 2 * (len(kept) - len(kept.decode("ascii", "ignore"))) > high

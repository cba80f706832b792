"""Which texts are near-copies of one another: the same report under another headline, byline or house spelling.

A text becomes a signature, stored once; texts whose signatures share a band are compared. MinHash (Broder 1997) over
runs of three words estimates the share of the runs of both texts that they have in common. The arithmetic is here and
not a library's because signatures are stored: the same text must give the same bytes on every machine and for ever.
"""

from __future__ import annotations

import hashlib
import re

import numpy as np
from numpy.typing import NDArray

# All chosen with `python -m benchmarks.copies`, whose tables show what the neighbouring values do.
SAME = 0.58
_RUN = 3
_VALUES = 256
_BANDS, _ROWS = 32, 3

# A later change of anything that decides a signature takes another number here: unlike signatures never compare.
_FORMAT = b"\x01"
_SIZE = len(_FORMAT) + 4 * _VALUES
# Below this many words a changed word is too large a part to call the rest a copy: only the same words are the same.
_BRIEF_WORDS = 50
# "To be announced." in two places says nothing about where either came from.
_TINY_WORDS = 10
# A long novel, which takes half a second; Chinese takes three. What follows it does not change the verdict.
_CHARACTERS = 1_000_000
_BLOCK = 1_024

# Scripts that are written without spaces between words: Thai and Lao, Burmese, Khmer, kana, Chinese characters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
# Soft hyphens, zero-width characters and word joiners stand inside words and are not seen.
_UNSEEN = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")

_SEEDS = np.frombuffer(hashlib.shake_256(b"citespan copies 1").digest(16 * _VALUES), dtype="<u8").astype(np.uint64)
# An odd factor makes each multiplication a permutation of the 64-bit numbers.
_FACTORS, _OFFSETS = (_SEEDS[:_VALUES] | np.uint64(1))[:, None], _SEEDS[_VALUES:][:, None]
_STEP = np.uint64(0x9E3779B97F4A7C15)
_NOTHING = _FORMAT + b"\xff" * (4 * _VALUES)


def signature(text: str) -> bytes:
    """Return the 1,025 bytes by which `text` is compared; the same words give the same bytes, on every machine.

    Case, white space and punctuation count for nothing. A text of fewer than 50 words is like another only if it has
    the same words in the same order; one of fewer than 10 is like none. Only the first 1,000,000 characters count.
    """
    words = _words(text)
    if len(words) < _TINY_WORDS:
        return _NOTHING
    hashes = _hashes(words, _RUN if len(words) >= _BRIEF_WORDS else len(words))
    return _FORMAT + _minima(hashes).astype("<u4").tobytes()


def bands(signature: bytes) -> tuple[int, ...]:
    """Return the keys, signed 64-bit integers, by which copies find each other: compare what shares at least one.

    Two texts at the threshold share one with a probability of 99.9 %, two different articles (0.02 at most) with one
    of 0.03 %. Empty for a text too short to be a copy. Raises ValueError for a signature of another format.
    """
    _check(signature)
    if signature == _NOTHING:
        return ()
    size = 4 * _ROWS
    rows = signature[len(_FORMAT) :]
    return tuple(_key(number, rows[number * size : (number + 1) * size]) for number in range(_BANDS))


def likeness(a: bytes, b: bytes) -> float:
    """Return the estimated Jaccard similarity of two texts by their signatures, in [0, 1]; symmetric.

    The standard error is at most 0.032. 0.0 if either text was too short to tell. Raises ValueError for a signature
    of another format.
    """
    _check(a)
    _check(b)
    if _NOTHING in (a, b):
        return 0.0
    return float(np.mean(_values(a) == _values(b)))


def is_copy(a: bytes, b: bytes) -> bool:
    """Return whether the texts of two signatures are near-copies. Not transitive. Raises ValueError as `likeness`."""
    return likeness(a, b) >= SAME


def is_current(signature: bytes) -> bool:
    """Return whether a stored signature is of this format; one that is not must be made again from its text."""
    return len(signature) == _SIZE and signature.startswith(_FORMAT)


def _words(text: str) -> list[str]:
    return _WORD.findall(_UNSEEN.sub("", text[:_CHARACTERS]).casefold())


def _hashes(words: list[str], run: int) -> NDArray[np.uint64]:
    """Return the distinct 64-bit hashes of all runs of `run` words, sorted; at least one."""
    known = {
        word: hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest() for word in set(words)
    }
    each = np.frombuffer(b"".join([known[word] for word in words]), dtype="<u8").astype(np.uint64)
    count = len(words) - run + 1
    runs = np.zeros(count, dtype=np.uint64)
    for shift in range(run):
        runs = _mixed(runs * _STEP + each[shift : shift + count])
    return np.unique(runs)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each number with every bit depending on every other (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _minima(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return, for each permutation, the upper 32 bits of the least permuted hash; shape (_VALUES,)."""
    least = np.full(_VALUES, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(hashes), _BLOCK):
        permuted = hashes[start : start + _BLOCK] * _FACTORS + _OFFSETS
        least = np.minimum(least, permuted.min(axis=1))
    return least >> np.uint64(32)


def _values(signature: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(signature, dtype="<u4", offset=len(_FORMAT))


def _key(number: int, row: bytes) -> int:
    digest = hashlib.blake2b(bytes([number]) + row, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _check(signature: bytes) -> None:
    if not is_current(signature):
        raise ValueError(f"not a signature of this format: {len(signature)} bytes beginning with {signature[:1]!r}")

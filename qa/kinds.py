"""Which kinds of text a question is about: the story, a picture, or who wrote it."""

from __future__ import annotations

import re

from index.terms import analyze
from index.types import Kind

# What a question about a picture calls it.
ABOUT_THE_PICTURE = re.compile(
    r"\b(?:photo|photos|photograph|photographs|photographed|photographer|picture|pictures|pictured|image|images|caption)\b",
    re.IGNORECASE,
)
_ABOUT_THE_CREDIT = re.compile(
    r"\b(?:author|byline|copyright|credit|credits|credited|translat\w+|reporter|journalist|news\s+(?:agency|organi[sz]ation)"
    r"|publish\w*|re-?print\w*|reproduc\w*|cop(?:y|ies|ied|ying)|who\s+(?:wrote|reported|took|edited|compiled))\b",
    re.IGNORECASE,
)
_CALLED = (ABOUT_THE_PICTURE, _ABOUT_THE_CREDIT)


def wanted_kinds(query: str) -> frozenset[Kind]:
    """Return which kinds of passage may answer `query`."""
    kinds = {Kind.BODY, Kind.HEADING}
    if ABOUT_THE_PICTURE.search(query):
        kinds |= {Kind.CAPTION, Kind.CREDIT}
    if _ABOUT_THE_CREDIT.search(query):
        kinds.add(Kind.CREDIT)
    return frozenset(kinds)


def called(query: str, kind: Kind) -> frozenset[str]:
    """Return the stems of the words by which `query` calls text of that kind, which need not stand in it.

    A picture's caption seldom says "picture", and a credit line seldom "credited". The story has no such words.
    """
    if kind not in (Kind.CAPTION, Kind.CREDIT):
        return frozenset()
    found = (match[0] for pattern in _CALLED for match in pattern.finditer(query))
    return frozenset(stem for words in found for stem in analyze(words))

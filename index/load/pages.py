"""Pages → one canonical text that knows where each of its pages begins."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from index.load.normalise import normalise, tidy
from index.types import LoadedDocument, Metadata

APART = "\n\n"
_EDGE = 32


def paged(pages: Sequence[str], metadata: Metadata, joints: Sequence[str] = ()) -> LoadedDocument:
    r"""Return the pages as one canonical text, with the offset at which each of them begins.

    `joints[i]` stands before page i: "\n\n" where none is given, " " or "" where page i goes on in the middle of a
    sentence or of a word, so that the sentence is whole on one line; the offset is exact all the same. A page without
    text begins where the next one does, or at the end.
    """
    parts: list[str] = []
    offsets: list[int] = []
    length = 0
    waiting = 0
    for number, page in enumerate(pages):
        text = tidy(normalise(page))
        if not text:
            waiting += 1
            continue
        joint = ""
        if parts:
            joint = _joint(parts[-1], joints[number] if number < len(joints) and not waiting else APART, text)
        text = text.lstrip() if joint != APART else text
        length += len(joint)
        offsets += [length] * (waiting + 1)
        waiting = 0
        parts += [joint, text] if joint else [text]
        length += len(text)
    offsets += [length] * waiting
    return LoadedDocument(text="".join(parts), metadata=metadata, pages=tuple(offsets))


def _joint(before: str, joint: str, after: str) -> str:
    """Return `joint`, or an empty line where the text would not stay canonical: marks compose, or a page is blank."""
    seam = before[-_EDGE:] + joint + after[:_EDGE]
    return joint if joint == APART or (after.strip() and unicodedata.is_normalized("NFC", seam)) else APART

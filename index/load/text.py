"""Plain text → the same text, with hard-wrapped paragraphs joined to one line each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, pairwise

from index.load.frontmatter import FrontMatter, split_front_matter
from index.load.metadata import describe
from index.load.normalise import without_controls
from index.types import LoadedDocument, Metadata

_WRAPPED_LINES = 3
_SHORTEST, _LONGEST = 40, 100
_WORDS = 4
# One line end in so many may be where a hand edited the wrapped text later.
_MISFIT_EVERY = 6
_MARKED = re.compile(r"\s*(?:[-*+•>#|]|[0-9]{1,2}[.)]|[A-Za-z]\)|\([0-9A-Za-z]{1,3}\))(?:\s|$)")
_COLUMNS = re.compile(r"[^\s.!?:;\"')\]”’] {2,}\S|\|")
_CODE_END = re.compile(r"[;{}\\=]$")
_SENTENCE_END = re.compile(r"""[.!?…:]["'”’)\]]*$""")
# "dual-" at a line end, "use" on the next: the hyphen was there or joins one word. "pre-" before "and" stands alone.
_HYPHEN = re.compile(r"[^\W\d_]-$")
_WORD_REST = re.compile(r"(?!(?:and|or|to|und|oder|et|ou|y|o)\b)[^\W\d_]")
_TITLE = 120
_NO_TITLE_END = tuple(".!?:;,…。！？：；，、\"'”’")
_MUCH_LONGER = 2


def load_text(source: str, name: str) -> LoadedDocument:
    """Return the text under its front matter, if any, with hard-wrapped paragraphs joined.

    The title is the front matter's, else an obvious title line.

    :raises UnreadableDocument: broken front matter.
    """
    header, body = split_front_matter(without_controls(source), name)
    text = unwrap(body)
    return LoadedDocument(text=text, metadata=metadata_of(header, title_line(text)))


def metadata_of(header: FrontMatter, title: str | None) -> Metadata:
    """Return what `header` says, and `title` where it names none."""
    stated = header.one("title")
    return describe(
        title=title if stated is None else stated,
        author=header.joined("author", "authors"),
        publisher=header.one("publisher"),
        published_at=header.one("published_at", "date"),
        language=header.one("language", "lang"),
        url=header.one("url", "uri", "canonical_url"),
        tags=header.several("tags"),
    )


def title_line(text: str) -> str | None:
    """Return the first line if it is plainly a title: short, no sentence, above a gap or a much longer paragraph."""
    lines = text.strip().split("\n", 3)
    first = lines[0].strip()
    if len(lines) == 1 or not 0 < len(first) <= _TITLE or first.endswith(_NO_TITLE_END):
        return None
    if _MARKED.match(first) or "://" in first or not any(character.isalpha() for character in first):
        return None
    below = lines[1].strip()
    return first if not below or len(below) > max(_TITLE, _MUCH_LONGER * len(first)) else None


def unwrap(text: str) -> str:
    """Return `text` with each block of lines that was plainly wrapped to a width joined into one line.

    In doubt lines stay: lists, verse, tables, code, one sentence a line.
    """
    blocks = _blocks(text)
    widths = [_width(block) for block in blocks if len(block) >= _WRAPPED_LINES and _is_wrapped(block, _width(block))]
    # Two lines alone prove nothing, but may be joined in a text that was wrapped elsewhere.
    width = max(widths, default=None)
    out: list[str] = []
    for block in blocks:
        if len(block) >= _WRAPPED_LINES:
            joins = _is_wrapped(block, _width(block))
        else:
            joins = len(block) > 1 and width is not None and _is_wrapped(block, width)
        out.append(_joined(block) if joins else "\n".join(block))
    return "\n\n".join(out)


def _blocks(text: str) -> list[list[str]]:
    """Return the runs of lines that are not blank."""
    lines = [line.rstrip() for line in text.split("\n")]
    return [list(run) for filled, run in groupby(lines, key=bool) if filled]


def _width(block: Sequence[str]) -> int:
    return max(map(len, block[:-1]))


def _is_wrapped(block: Sequence[str], width: int) -> bool:
    """Return whether `block`, of two lines or more, looks like one paragraph wrapped to `width` characters."""
    if any(_MARKED.match(line) for line in block):
        return False
    full = [line.strip() for line in block[:-1]]
    if width > _LONGEST or max(map(len, block)) > width or min(map(len, full)) < _SHORTEST:
        return False
    # The first line may be indented, the others all alike.
    if len({len(line) - len(line.lstrip()) for line in block[1:]}) > 1:
        return False
    if any(_COLUMNS.search(line) or _CODE_END.search(line) or len(line.split()) < _WORDS for line in full):
        return False
    if 2 * sum(_SENTENCE_END.search(line) is not None for line in full) > len(full):
        return False
    # What a wrapped line is: the next word had no more room. Verse and lists break before that.
    misfits = sum(len(line) + 1 + len(below.split(maxsplit=1)[0]) <= width for line, below in pairwise(block))
    return _MISFIT_EVERY * misfits <= len(full)


def _joined(block: Sequence[str]) -> str:
    parts = [block[0].strip()]
    for line in block[1:]:
        rest = line.strip()
        whole_word = _HYPHEN.search(parts[-1]) and _WORD_REST.match(rest) and rest[0].islower()
        parts.append(rest if whole_word else f" {rest}")
    return "".join(parts)

"""What each line of a canonical text is for: story, heading, caption, credit or navigation.

A photo caption, a byline or "Share this" often holds the very words of a question and is still no answer to it. The
loaders drop what the format marks as furniture; this module recognises what is left of it in the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from index.types import Kind, Span

_CREDIT = re.compile(
    r"""^\W*(?:
        ©|\(c\)\s*(?:19|20)\d\d|copyright\s*(?:©|\(c\)|(?:19|20)\d\d\b|by\ )|copyright\b[^.!?]{0,60}$
      | all\ rights\ reserved
      | unauthori[sz]ed\ (?:reproduction|use|redistribution)
      | (?:reported|reporting|written|translated|edited|editing|compiled|photographs?|photos?|pictures?)\ by
        (?:\ (?:(?-i:[A-Z])[\w.'’-]*|and|de|van|von|bin|al|for|in|with|at|of|the|by
        |(?:report|edit|writ|translat|compil|photograph)(?:ing|ed|ten))[,;]?
        ){1,16}\W*$
      | by\ (?-i:[A-Z])[\w.'’-]+(?:\ (?:(?-i:[A-Z])[\w.'’-]+|and|de|van|von|bin|al)){0,6}
        (?:\s*[,|–—-].{0,60}(?<![.!?]))?$
      | (?:story|text|words|source|credits?|author|byline|photo\ credit|image\ credit)\s*:\s*.{2,100}$
      | this\ (?:article|story|report)\ (?:was|is)\ (?:first\ |originally\ |re)?(?:published|produced|reproduced)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_COPYRIGHT_ANYWHERE = re.compile(r"all rights reserved|unauthori[sz]ed reproduction|©\s*(?:19|20)?\d*", re.IGNORECASE)
_CAPTION = re.compile(
    r"""^\W*(?:an?\ )?(?:(?:file|undated|archive|handout|stock)\ )+(?:photo|picture|photograph|image)\b
      | ^\W*(?:photo|picture|photograph|image|illustration|pictured|caption)s?\s*(?:credit\s*)?[:–—]
      | (?:(?:^|[.!?:;()\[\]"”|/–—-])\s*(?:file\ )?|\b(?:file\ )?(?-i:(?=[A-Z])))
        (?:photo|photograph|picture|image|illustration)s?\s*(?:courtesy\ of|by|credit:|:|/)
        \s*(?:\b(?-i:[A-Z])\.|[\w©])(?:[^.!?]|\b(?-i:[A-Z])\.){0,60}[.)]?\s*$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAVIGATION = re.compile(
    r"""^\W*(?:(?:\d+\ )?comments?(?:\ \(?\d+\)?)?|leave\ a\ comment
      | share(?:\ (?:this|on)\b.{0,40})?|tweet|print|e-?mail(?:\ this)?|follow\ us\b.{0,60}
      | home|menu|search|log\ ?in|sign\ (?:in|up)(?:\ (?:for|to)\b.{0,60})?|subscribe(?:\ (?:to|now)\b.{0,60})?
      | advertisement|sponsored|skip\ to\ (?:main\ )?content|back\ to\ top
      | (?:read|see|learn)\ (?:more|also|next)(?:\s*[:>»].{0,120})?|related(?:\ (?:articles?|stories|news|topics?))?
      | most\ (?:read|popular)|trending|next|previous|terms\ of\ (?:use|service)|privacy\ policy|cookie\ policy
      | contact\ us|about\ us|click\ here\b.{0,80}|loading|continue\ reading|table\ of\ contents|contents)\W*$""",
    re.VERBOSE | re.IGNORECASE,
)
# "Sign up for the plan by 31 March." says something, whatever it begins with.
_DIGIT = re.compile(r"\d")
_LIST_ITEM = re.compile(r"^\s*(?:[-*•‣–—]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_ENDS_SENTENCE = re.compile(r"[.!?。！？…:;][\"'”’»)\]]*\s*$")
_HEADING_CHARACTERS, _HEADING_WORDS = 120, 14
_FURNITURE_CHARACTERS = 1_000


def lines(text: str) -> Iterator[Span]:
    """Yield the span of every line that holds more than white space, without its line break or outer white space."""
    position = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped:
            start = position + line.index(stripped)
            yield Span(start, start + len(stripped))
        position += len(line) + 1


def classify(text: str) -> list[tuple[Span, Kind]]:
    """Return every line of `text` that is not blank, in order, with its kind."""
    spans = list(lines(text))
    contents = [span.of(text) for span in spans]
    following = [*contents, ""][1:]
    return [(s, kind_of(line, after)) for s, line, after in zip(spans, contents, following, strict=True)]


def kind_of(line: str, following: str) -> Kind:
    """Return the kind of one stripped line, given the next line that is not blank ("" at the end of the text)."""
    if len(line) > _FURNITURE_CHARACTERS:
        return Kind.BODY
    if _NAVIGATION.match(line) and not (line.endswith(".") and _DIGIT.search(line)):
        return Kind.NAVIGATION
    if _CAPTION.search(line):
        return Kind.CAPTION
    if _CREDIT.match(line) or (len(line) <= 200 and _COPYRIGHT_ANYWHERE.search(line)):
        return Kind.CREDIT
    return Kind.HEADING if _looks_like_a_heading(line, following) else Kind.BODY


def _looks_like_a_heading(line: str, following: str) -> bool:
    """A short line without a full stop above a line that has one. "Warranty: 2 years" and table rows are not."""
    return (
        len(line) <= _HEADING_CHARACTERS
        and len(line.split()) <= _HEADING_WORDS
        and not _ENDS_SENTENCE.search(line)
        and not _LIST_ITEM.match(line)
        and ": " not in line
        and " | " not in line
        and len(following) > len(line)
        and _ENDS_SENTENCE.search(following) is not None
    )

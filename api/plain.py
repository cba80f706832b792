"""A reply as plain text, for where nothing else can be shown: messengers, mail, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.schemas import AskResponse, CitationModel

_LONGEST_LINE = 300
# The marks around a quote and its number.
_AROUND = 20
_SHORTEST_QUOTE = 100
_SILENT = "The sources do not say. The nearest passages, which are no answer:"
_NOTHING = "The sources do not say."


def plain_text(reply: AskResponse, longest: int = 4_096) -> str:
    """Return the short answer, each quote with its source, and whether sources differ; `longest` UTF-16 units at most,
    as messengers count. What is left out of a quote is marked […].

    It is text and no markup: whoever puts it where markup is read has to escape it. What documents wrote is in it.
    """
    cited = reply.citations if reply.answerable else reply.nearest
    lines = []
    if not reply.answerable:
        lines.append(_SILENT if cited else _NOTHING)
    elif reply.short_answer is not None:
        lines.append(_line(reply.short_answer))
    if reply.sources_differ:
        sides = "; ".join(f"{_line(side.value)} {_numbers(side.citations)}" for side in reply.sides)
        lines.append(f"The sources differ: {sides}" if sides else "The sources differ; ask for more citations.")
    # Each quote has as much room as the next, beside what it is cited by.
    room = (longest - len("\n".join(lines))) // max(1, len(cited)) - _LONGEST_LINE - _AROUND
    for citation in cited:
        lines += [f"“{_cut(_printable(citation.quote), max(room, _SHORTEST_QUOTE))}”", _source(citation)]
    return _cut("\n".join(lines), longest)


def _source(citation: CitationModel) -> str:
    return f"[{citation.number}] " + _line(", ".join([*citation.source(), citation.uri]))


def _numbers(numbers: list[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)


def _line(text: str) -> str:
    """Return text on one short line."""
    return _cut(" ".join(_printable(text).split()), _LONGEST_LINE)


def _printable(text: str) -> str:
    """Return text without what turns, hides or colours the text around it."""
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, units: int) -> str:
    """Return the beginning of a text, in at most `units` UTF-16 units, marked if anything is missing."""
    octets = text.encode("utf-16-le", "replace")
    if len(octets) <= 2 * units:
        return text
    return octets[: 2 * max(0, units - 4)].decode("utf-16-le", "ignore") + " […]"[-units:]

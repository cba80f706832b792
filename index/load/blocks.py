"""A stream of tags and text → lines: the one place that decides what stands on a line of its own."""

from __future__ import annotations

import re

_SPACES = re.compile("[ \t\n\r\f\xa0]+")
_SENTENCE_END = tuple(".!?:;…。！？：；")
_LISTS = frozenset({"ul", "ol", "dl", "menu"})
_ITEMS = frozenset({"li", "dt", "dd"})
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "details", "dialog", "div", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup"}
    | {"hr", "html", "legend", "main", "nav", "option", "p", "search", "section", "summary", "title"}
)


class Blocks:
    """Collects lines: one a paragraph or heading, with an empty line between; one an item or row, without.

    White space collapses as in a browser, but not in `pre`. Cells are joined with " | ". Paragraphs of one list item
    share its line, unless the earlier one does not end like a sentence. Tags are HTML's, in lower case and balanced;
    unknown ones are inline.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._inline: list[str] = []
        self._gap = False
        # The cells of the row that is open; None outside a row, and in a row that turned out to hold a table.
        self._row: list[str] | None = None
        self._lists = 0
        self._verbatim = 0

    def text(self, text: str) -> None:
        """Add inline text."""
        self._inline.append(text)

    def start(self, tag: str) -> None:
        """Open an element."""
        if tag == "br":
            self._break()
        elif tag == "table":
            self._open_layout_row()
            self._block()
        elif tag == "tr":
            self._end_line()
            self._row = []
        elif tag in _LISTS:
            self._list_edge()
            self._lists += 1
        elif tag in _ITEMS or (tag in _CELLS and self._row is None):
            self._end_line()
        elif tag == "pre":
            self._block()
            self._verbatim += 1
        elif tag in _BLOCKS:
            self._block()

    def end(self, tag: str) -> None:
        """Close an element."""
        if tag in _CELLS and self._row is not None:
            self._row.append(self._taken())
        elif tag == "tr":
            self._end_row()
        elif tag in _LISTS:
            self._lists = max(0, self._lists - 1)
            self._list_edge()
        elif tag in _ITEMS or tag in _CELLS:
            self._end_line()
        elif tag == "pre":
            self._end_verbatim()
        elif tag == "table" or tag in _BLOCKS:
            self._block()

    def result(self) -> str:
        """Return all lines so far."""
        self._end_row()
        self._end_line()
        return "\n".join(self._lines)

    def _taken(self) -> str:
        line = _SPACES.sub(" ", "".join(self._inline)).strip(" ")
        self._inline.clear()
        return line

    def _add(self, line: str) -> None:
        if not line:
            return
        if self._gap and self._lines:
            self._lines.append("")
        self._gap = False
        self._lines.append(line)

    def _break(self) -> None:
        if self._verbatim:
            self._inline.append("\n")
        else:
            self._end_line()

    def _end_line(self) -> None:
        if self._row is not None:
            self._inline.append(" ")
        else:
            self._add(self._taken())

    def _block(self) -> None:
        if self._row is not None:
            self._inline.append(" ")
        elif not self._lists:
            self._end_line()
            self._gap = True
        elif "".join(self._inline[-1:]).rstrip().endswith(_SENTENCE_END):
            self._inline.append(" ")
        elif self._inline and self._inline[-1] != " ":
            self._end_line()

    def _list_edge(self) -> None:
        if self._lists:
            self._end_line()
        else:
            self._block()

    def _open_layout_row(self) -> None:
        """Turn the open row into lines: a table inside says that it was there for looks."""
        if self._row is not None:
            cells = [*self._row, self._taken()]
            self._row = None
            for cell in cells:
                self._add(cell)

    def _end_row(self) -> None:
        if self._row is None:
            self._end_line()
            return
        cells = [*self._row, self._taken()]
        self._row = None
        self._add(" | ".join(cells).strip(" |"))

    def _end_verbatim(self) -> None:
        self._verbatim -= 1
        if self._row is not None or self._verbatim:
            return
        for line in "".join(self._inline).strip("\n").split("\n"):
            self._add_verbatim(line.rstrip())
        self._inline.clear()
        self._gap = True

    def _add_verbatim(self, line: str) -> None:
        if line or self._gap:
            self._add(line)
        elif self._lines and self._lines[-1]:
            self._lines.append("")

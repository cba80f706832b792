"""XLSX → a sentence a row, sheet by sheet."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from openpyxl import load_workbook

from index.errors import DocumentError, DocumentTooLarge, UnreadableDocument
from index.load.ooxml import main_part, metadata_of
from index.load.package import Package
from index.load.rows import row_text
from index.load.tabular import is_header
from index.types import LoadedDocument

logger = logging.getLogger(__name__)

ROWS = 200_000
CELLS = 1_000_000
# Rows and cells that openpyxl makes up to fill the gaps between those that are there: one cell far out costs thousands.
_WITH_GAPS = 3 * CELLS
_DIGITS = ".15g"


def load_xlsx(data: bytes, name: str) -> LoadedDocument:
    """Return each sheet under its name, "header: value; header: value." a row, and the properties of the document.

    The first row of several cells is the header if it looks like one. A formula gives the value that was last
    calculated; dates are ISO 8601, percentages as shown, other numbers as stored. Hidden sheets and cells with errors
    are left out.

    :raises UnreadableDocument: damaged, encrypted, or no workbook.
    :raises DocumentTooLarge: over 200,000 rows or 1,000,000 cells, or gaps of 3,000,000 between them.
    """
    package = Package(data, name)
    main_part(package, "workbook.xml")
    _refuse_document_types(package)
    try:
        text = "\n\n".join(_sheets(data, _Count(name)))
    except (DocumentError, MemoryError):
        raise
    except Exception as error:  # openpyxl raises whatever its descriptors trip over in a damaged part
        logger.debug("openpyxl failed", exc_info=True)
        raise UnreadableDocument(name, f"damaged ({type(error).__name__}); open it and save it anew") from error
    return LoadedDocument(text=text, metadata=metadata_of(package))


class _Count:
    """How much of the limits is used."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = self._cells = self._with_gaps = 0

    def add(self, row: Sequence[object]) -> bool:
        """Count a row and return whether it has a value."""
        filled = sum(1 for cell in row if getattr(cell, "value", None) is not None) if row else 0
        self._rows += filled > 0
        self._cells += filled
        self._with_gaps += 1 + len(row)
        if self._rows > ROWS or self._cells > CELLS or self._with_gaps > _WITH_GAPS:
            raise DocumentTooLarge(self._name, f"over {ROWS:,} rows or {CELLS:,} cells; split it, or save it as CSV")
        return filled > 0


def _refuse_document_types(package: Package) -> None:
    """Refuse parts that could declare entities: openpyxl reads sheets with a parser that would unfold them."""
    for path in package.paths():
        if path.endswith((".xml", ".rels")) and b"<!DOCTYPE" in package.read(path).replace(b"\0", b""):
            raise UnreadableDocument(package.name, f"its part {path[:80]!r} has a document type; save it anew")


def _sheets(data: bytes, count: _Count) -> Iterator[str]:
    with warnings.catch_warnings():
        # It warns of everything that it will not keep when saving.
        warnings.simplefilter("ignore")
        workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            for sheet in workbook.worksheets:
                if sheet.sheet_state != "visible":
                    continue
                # What a sheet says of its own size may be wrong, and rows would be cut off.
                sheet.reset_dimensions()
                rows = ([_shown(cell) for cell in row] for row in sheet.iter_rows() if count.add(row))
                lines = list(_lines(rows))
                if lines:
                    yield "\n".join([sheet.title, "", *lines])
        finally:
            workbook.close()


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a line for each row; what stands alone above the header, such as a title, stays as it is."""
    header: Sequence[str] | None = None
    unused = ""
    for row in rows:
        filled = [value for value in row if value]
        if header is None and len(filled) == 1:
            yield filled[0]
        elif header is None and is_header(row):
            header, unused = row, row_text((), row)
        elif filled:
            header, unused = () if header is None else header, ""
            yield row_text(header, row)
    if unused:
        yield unused


def _shown(cell: object) -> str:
    """Return the value of a cell as text, empty for nothing and for an error."""
    value = getattr(cell, "value", None)
    if value is None or getattr(cell, "data_type", "") == "e":
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, (int, float)):
        return _number(value, str(getattr(cell, "number_format", "")))
    return " ".join(str(value).split())


def _number(value: float, shape: str) -> str:
    if not shape.endswith("%"):
        return format(value, _DIGITS)
    decimals = len(shape[:-1].rpartition(".")[2]) if "." in shape else 0
    return f"{100 * value:.{min(decimals, 10)}f}%"

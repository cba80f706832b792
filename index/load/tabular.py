"""`.csv` and `.tsv` → one document with a sentence a row, or one document a row where a sidecar names its fields."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from index.errors import DocumentError, EmptyDocument, UnreadableDocument
from index.load.decode import decode_text
from index.load.formats import suffix_of
from index.load.parts import Part, Reading
from index.load.records import record_document
from index.load.rows import row_text
from index.types import LoadedDocument, Metadata

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20
_SAMPLE = 4_096
_LONGEST_LINE = 4_000_000
_COLUMNS = 2_000
_ROWS = 1_000_000
_NUMBER = re.compile(r"[^\w]*[0-9].*")
_YEAR = re.compile(r"(?:18|19|20)[0-9]{2}")


def load_table(data: bytes, name: str, how: Reading) -> Iterator[Part]:
    """Yield one document, "header: value; header: value." a row; a document a row where `how` says which field is text.

    The first row is the header unless it has the same cell twice or a number that is no year, or is half empty.

    :raises UnreadableDocument: over 2,000 columns, 1,000,000 rows, 4,000,000 characters in a line or 131,072 in a cell.
    :raises EmptyDocument: no row.
    """
    source = decode_text(data, name, how.encoding).replace("\0", "")
    rows = _rows(source, _delimiter(source, suffix_of(name)), name)
    first = next(rows, None)
    if first is None:
        raise EmptyDocument(name, "no row in it")
    if "text" in how.fields:
        for number, row in enumerate(rows, start=1):
            # A row may be shorter than the header, or longer.
            yield _record(dict(zip(first, row, strict=False)), name, number, how)
        return
    header = first if is_header(first) else []
    lines = [row_text(header, row) for row in (rows if header else chain([first], rows))]
    yield LoadedDocument("\n".join(lines if lines else [row_text([], first)]), Metadata())


def is_header(row: Sequence[str]) -> bool:
    """Return whether a first row is plainly the names of columns: different, most of them filled, no number."""
    cells = [cell.strip() for cell in row if cell.strip()]
    if 2 * len(cells) <= len(row) or len(set(cells)) < len(cells):
        return False
    return not any(_NUMBER.fullmatch(cell) for cell in cells if not _YEAR.fullmatch(cell))


def _record(row: dict[str, object], name: str, number: int, how: Reading) -> Part:
    try:
        return record_document(row, name, number, how.fields)
    except DocumentError as error:
        return error


def _rows(source: str, delimiter: str, name: str) -> Iterator[list[str]]:
    """Yield the rows that are not blank."""
    reader = csv.reader(_lines(source, name), delimiter=delimiter)
    count = 0
    try:
        for row in reader:
            if len(row) > _COLUMNS:
                raise UnreadableDocument(name, f"row {reader.line_num} has {len(row):,} columns, over {_COLUMNS:,}")
            if not any(cell.strip() for cell in row):
                continue
            count += 1
            if count > _ROWS:
                raise UnreadableDocument(name, f"more than {_ROWS:,} rows; split the file")
            yield row
    except csv.Error as error:
        reason = f"line {reader.line_num}: {error}; look for a quotation mark that is never closed"
        raise UnreadableDocument(name, reason) from error


def _lines(source: str, name: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(source, newline=None), start=1):
        if len(line) > _LONGEST_LINE:
            raise UnreadableDocument(name, f"line {number} has {len(line):,} characters, over {_LONGEST_LINE:,}")
        yield line


def _delimiter(source: str, suffix: str) -> str:
    """Return the delimiter that cuts most of the first rows alike, into the more columns; a comma where none does."""
    if suffix == ".tsv":
        return "\t"
    sample = [line[:_SAMPLE] for line in islice(io.StringIO(source), _SAMPLE_LINES)]
    best, agreement = ",", (0.5, 0)
    for delimiter in _DELIMITERS:
        try:
            counts = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            continue
        usual = max(set(counts), key=counts.count, default=1)
        if usual > 1 and (counts.count(usual) / len(counts), usual) > agreement:
            best, agreement = delimiter, (counts.count(usual) / len(counts), usual)
    return best

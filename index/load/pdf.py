"""PDF → the text of its pages, a paragraph a line."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as raw  # type: ignore[import-untyped]

from index.errors import DocumentTooLarge, EmptyDocument, UnreadableDocument
from index.load.layout import Laid, laid
from index.load.metadata import describe
from index.load.pages import paged
from index.load.pdftext import Line, page_lines
from index.types import LoadedDocument, Metadata

PAGES = 5_000
# PDFium may be used by one thread at a time.
_ONE_AT_A_TIME = Lock()
_HEADER_WITHIN = 1024
# What programs put where the author should have: "Microsoft Word - report.doc", "untitled".
_PROGRAM = re.compile(r"^(?:Microsoft (?:Word|PowerPoint|Excel) - )")
_NO_TITLE = re.compile(r"untitled\b.*|unknown|.*\.(?:docx?|pptx?|xlsx?|odt|rtf|indd|tex|dvi|html?|pdf|qxd|pub)", re.I)
_LANGUAGE = 128


def load_pdf(data: bytes, name: str) -> LoadedDocument:
    """Return the text of the pages in the order of reading, without running heads and page numbers, and its metadata.

    A paragraph that goes on over the page is one line, and the next page begins within it. The date of a PDF is that
    of its making, not of publication, and is left out. The title is the document's own, else the largest line of the
    first page.

    :raises UnreadableDocument: damaged, or encrypted with a password.
    :raises DocumentTooLarge: more than 5,000 pages.
    :raises EmptyDocument: no text on any page, as in a scan.
    """
    if b"%PDF-" not in data[:_HEADER_WITHIN]:
        raise UnreadableDocument(name, "not a PDF, whatever its name says")
    with _ONE_AT_A_TIME, _opened(data, name) as document:
        if len(document) > PAGES:
            raise DocumentTooLarge(name, f"{len(document):,} pages, over the limit of {PAGES:,}; split the file")
        pages = list(_pages(document, name))
        if not any(pages):
            reason = "a scan without text; run OCR on it (for example ocrmypdf)"
            raise EmptyDocument(name, reason if pages else "no pages")
        whole = laid(pages)
        return paged(whole.pages, _metadata(document, whole), whole.joints)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[pdfium.PdfDocument]:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if raw.FPDF_GetLastError() == raw.FPDF_ERR_PASSWORD:
            raise UnreadableDocument(name, "encrypted with a password; save it without one") from error
        raise UnreadableDocument(name, f"damaged or not a PDF ({error}); save or print it anew") from error
    try:
        yield document
    finally:
        document.close()


def _pages(document: pdfium.PdfDocument, name: str) -> Iterator[list[Line]]:
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError as error:
            raise UnreadableDocument(name, f"page {number + 1} is damaged; save or print it anew") from error
        try:
            yield page_lines(page)
        except pdfium.PdfiumError as error:
            raise UnreadableDocument(name, f"no text can be got from page {number + 1}; print it anew") from error
        finally:
            page.close()


def _metadata(document: pdfium.PdfDocument, whole: Laid) -> Metadata:
    title = _PROGRAM.sub("", _stated(document, "Title").strip())
    return describe(
        title=whole.headline if not title or _NO_TITLE.fullmatch(title) else title,
        author=_stated(document, "Author"),
        language=_language(document),
        tags=re.split("[,;]", _stated(document, "Keywords")),
    )


def _stated(document: pdfium.PdfDocument, key: str) -> str:
    try:
        return str(document.get_metadata_value(key))
    except UnicodeDecodeError:
        return ""  # half a character in it


def _language(document: pdfium.PdfDocument) -> str | None:
    buffer = (ctypes.c_ushort * _LANGUAGE)()
    length = raw.FPDFCatalog_GetLanguage(document, buffer, ctypes.sizeof(buffer))
    if not 0 < length <= ctypes.sizeof(buffer):
        return None
    return bytes(buffer)[: length - 2].decode("utf-16-le", "replace")

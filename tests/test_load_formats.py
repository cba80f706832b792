"""Every cell of the table in docs/formats.md, against a file of that format."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.load import SUFFIXES, load_all
from index.load.normalise import normalise, tidy

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = REPOSITORY / "tests" / "files"
NONE = "—"
STORY = "The northern pier was closed to all ships in March, and the council wants to open it again before the summer. "
JSON = b'{"id": 7, "title": "Pier", "date": "2026-03-14", "text": "The pier is closed."}'
ITEM = (
    b"<rss version='2.0'><channel><item><title>Pier</title><pubDate>Sat, 14 Mar 2026 08:00:00 GMT</pubDate>"
    b"<description>The pier is closed.</description></item></channel></rss>"
)
HEADER = b"---\ntitle: Pier\ndate: 2026-03-14\n---\n"
PAGE = (
    "<html><head><title>Pier</title><meta property='article:published_time' content='2026-03-14'></head>"
    f"<body><article><p>The pier is closed.</p><p>{STORY * 4}</p></article></body></html>"
).encode()


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


@dataclass(frozen=True)
class Sample:
    """A file of a format, a sentence in it, and the page that it stands on, the title and the date, if any."""

    data: bytes
    sentence: str = "The pier is closed."
    page: int | None = None
    title: str | None = "Pier"
    date: str | None = "2026-03-14"


def made(name: str, sentence: str, page: int | None, title: str, date: str | None = None) -> Sample:
    return Sample((FILES / name).read_bytes(), sentence, page, title, date)


REPORT, SLIDES = "The Lantern Harbour Report", "Lantern Harbour in three slides"
SAMPLES: Mapping[str, Sample] = {
    "plain text": Sample(HEADER + b"The pier is closed."),
    "Markdown": Sample(HEADER + b"The *pier* is closed."),
    "HTML": Sample(PAGE),
    "PDF": made("harbour-libreoffice.pdf", "Why the harbour was rebuilt", 1, REPORT),
    "Word": made("harbour-pandoc.docx", "Why the harbour was rebuilt", None, REPORT),
    "PowerPoint": made("slides-libreoffice.pptx", "The western arm was completed in March 2023.", 2, SLIDES),
    "Excel": made("berths-libreoffice.xlsx", "Berth: North 1; Vessel: Havørn;", None, "Berths of Lantern Harbour"),
    "EPUB": made("harbour-pandoc.epub", "Why the harbour was rebuilt", None, REPORT, "2026-03-14"),
    "table": Sample(b"port\tstate\nPier\tclosed\n", "port: Pier", title=None, date=None),
    "mail": Sample(b"Subject: Pier\nDate: Sat, 14 Mar 2026 08:00:00 +0000\n\nThe pier is closed.\n"),
    "JSON": Sample(JSON),
    "JSON lines": Sample(JSON + b"\n"),
    "feed": Sample(ITEM),
    "gzip": Sample(gzip.compress(JSON)),
    "zip": Sample(zipped("a.json", JSON)),
}


def rows() -> list[dict[str, str]]:
    source = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
    header, _, *lines = [line for line in source.partition("\n## ")[0].split("\n") if line.startswith("|")]
    names = [cell.strip() for cell in header.strip("|").split("|")]
    return [dict(zip(names, [cell.strip() for cell in line.strip("|").split("|")], strict=True)) for line in lines]


def suffixes(row: Mapping[str, str]) -> list[str]:
    return re.findall(r"`(\.\w+)`", row["suffixes"])


def test_the_table_names_every_suffix_once() -> None:
    named = [suffix for row in rows() for suffix in suffixes(row)]
    assert sorted(named) == sorted(SUFFIXES)
    assert [row["format"] for row in rows()] == list(SAMPLES)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["format"])
def test_a_format_gives_what_the_table_says(row: Mapping[str, str]) -> None:
    sample = SAMPLES[row["format"]]
    for suffix in suffixes(row):
        name = f"a.json{suffix}" if suffix == ".gz" else f"a{suffix}"
        data = sample.data.replace(b"\t", b",") if suffix == ".csv" else sample.data
        loaded = load_all(data, name)
        assert loaded.failures == ()
        [document] = loaded.documents
        assert row["text"] != NONE
        assert row["offsets"] == "exact"
        assert tidy(normalise(document.text)) == document.text
        start = document.text.index(sample.sentence)
        page = sum(begin <= start for begin in document.pages) if document.pages else None
        assert page == sample.page
        assert (row["page"] == NONE) == (page is None)
        assert document.metadata.title == sample.title
        assert (row["title"] == NONE) == (sample.title is None)
        assert (document.metadata.published_at or "")[:10] == (sample.date or "")
        assert (row["date"] == NONE) == (sample.date is None)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["format"])
def test_the_programs_named_made_files_that_are_loaded(row: Mapping[str, str]) -> None:
    if row["made by"] == "by hand":
        return
    for program in row["made by"].split(", "):
        found = [file for suffix in suffixes(row) for file in FILES.glob(f"*-{program.lower()}{suffix}")]
        readable = [file for file in found if not file.name.startswith("scan")]
        assert readable, (row["format"], program)
        for file in readable:
            assert load_all(file.read_bytes(), file.name).documents[0].text

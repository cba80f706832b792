"""What holds for every format: choosing a loader, canonical text, several documents in a file, limits."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import (
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    NoDocument,
    UnreadableDocument,
    UnsupportedFormat,
)
from index.load import SUFFIXES, Limits, load, load_all, supported
from index.load.normalise import normalise, tidy
from index.types import LoadedDocument, Metadata

FILES = Path(__file__).resolve().parent / "files"


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def expect_sound(data: bytes, name: str) -> None:
    """Load and hold what is promised of whatever comes out."""
    try:
        loaded = load_all(data, name)
    except DocumentError as reason:
        errors: tuple[DocumentError, ...] = (reason,)
    else:
        assert loaded.documents
        assert len({one.member for one in loaded.documents}) == len(loaded.documents)
        for document in loaded.documents:
            assert tidy(normalise(document.text)) == document.text
            assert document.text.strip()
            assert list(document.pages) == sorted(document.pages)
            assert all(0 <= page <= len(document.text) for page in document.pages)
        errors = loaded.failures
    for error in errors:
        assert error.name.startswith(name)
        assert "its loader failed" not in error.reason


# ---- choosing a loader ----------------------------------------------------------------------------------------------


def test_a_loader_is_chosen_by_the_suffix_whatever_its_case() -> None:
    assert {".txt", ".md", ".html", ".pdf", ".docx", ".jsonl", ".rss", ".eml", ".csv", ".zip", ".gz"} <= SUFFIXES
    assert supported("notes/READ.ME.MD")
    assert supported("news.jsonl.GZ")
    for name in ["Makefile", "a.xyz", "a.gz", "a.tar.gz", "a.zip.gz", "a.txt.gz.gz", "a.txt.meta.yaml", "a.odt"]:
        assert not supported(name), name
    assert load(b"# Head\n\nBody.", "A.MD").text == "Head\n\nBody."


def test_an_unknown_suffix_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnsupportedFormat, match=r"a\.xyz: no loader for \.xyz; supported: \.atom, \.csv, \.docx"):
        load_all(b"text", "a.xyz")
    with pytest.raises(UnsupportedFormat, match="no loader for a name without suffix"):
        load_all(b"text", "Makefile")


def test_importing_the_package_loads_no_parser() -> None:
    parsers = "{'trafilatura', 'lxml', 'markdown_it', 'pypdfium2', 'docx', 'openpyxl', 'charset_normalizer', 'email'}"
    code = (
        "import sys, index.load, index.load.isolate; index.load.load(b'Some text.', 'a.txt');"
        f"sys.exit(bool(({parsers} - {{'email'}}) & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.json", "a.jsonl", "a.rss", "a.eml"])
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"... \xe2\x80\x94 !?", b"---\n---\n", b"<!-- x -->"])
def test_a_file_without_a_word_gives_no_document(name: str, data: bytes) -> None:
    if name in {"a.txt", "a.csv"} and data.startswith(b"<"):
        return
    with pytest.raises(EmptyDocument if name[2:] in {"txt", "md", "html"} else DocumentError):
        load_all(data, name)


# ---- whatever comes in ----------------------------------------------------------------------------------------------

ALPHABET = "a.,\n\r\t #-*>|<&;:/[]{}()`'\"=~_!1é\u0301\ufeff\x00\u2028\u200b"


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {".gz"}))
@settings(max_examples=30, deadline=None)
@given(source=st.text(st.sampled_from(ALPHABET) | st.characters()))
def test_whatever_text_comes_in_canonical_text_or_a_document_error_comes_out(suffix: str, source: str) -> None:
    expect_sound(source.encode("utf-8", "replace"), f"a{suffix}")


@pytest.mark.parametrize("suffix", [*sorted(SUFFIXES - {".gz"}), ".json.gz"])
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=400))
def test_whatever_bytes_come_in_canonical_text_or_a_document_error_comes_out(suffix: str, data: bytes) -> None:
    expect_sound(data, f"a{suffix}")


SAMPLES = {
    "a.eml": b"From: A <a@example.org>\nSubject: Boats\nContent-Type: multipart/mixed; boundary=B\n\n"
    b"--B\nContent-Type: text/plain; charset=utf-8\n\nThe boats are in.\n--B--\n",
    "a.rss": b'<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><item><guid>1</guid>'
    b"<title>Boats</title>"
    b"<description>&lt;p&gt;The boats &amp;amp; nets.&lt;/p&gt;</description></item></channel></rss>",
    "a.atom": b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><content type="xhtml">'
    b'<div xmlns="http://www.w3.org/1999/xhtml"><p>Boats.</p></div></content></entry></feed>',
    "a.json": b'{"items": [{"id": 1, "title": "Boats", "content_html": "<p>In.</p>", "date": 1768032000}]}',
    "a.jsonl": b'{"id": 1, "text": "Boats."}\n{"id": 1, "text": "Nets."}\n',
    "a.csv": b'name,note\nNorth,"closed, for now"\nSouth,open\n',
    "a.zip": zipped({"a.jsonl": b'{"text": "Boats."}', "b/c.txt": b"Nets.", "d.zip": zipped({"e.md": b"# Rope"})}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAMPLES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_gives_what_is_sound_of_it_or_a_document_error(name: str, data: st.DataObject) -> None:
    sample = bytearray(SAMPLES[name])
    expect_sound(bytes(sample), name)
    for _ in range(data.draw(st.integers(1, 6))):
        sample[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    expect_sound(bytes(sample[: data.draw(st.integers(1, len(sample)))]), name)


# ---- several documents in a file ------------------------------------------------------------------------------------


def test_a_bad_part_is_a_failure_and_stops_nothing() -> None:
    loaded = load_all(
        b'{"id": "x", "text": "Boats."}\nnonsense\n{"id": "y", "title": "No text"}\n{"text": "!"}', "a.jsonl"
    )
    assert [(one.member, one.text) for one in loaded.documents] == [("x", "Boats.")]
    assert [(type(error), error.name) for error in loaded.failures] == [
        (UnreadableDocument, "a.jsonl#2"),
        (NoDocument, "a.jsonl#y"),
        (EmptyDocument, "a.jsonl#4"),
    ]


def test_a_file_with_nothing_but_bad_parts_is_an_error_that_shows_the_first() -> None:
    with pytest.raises(
        UnreadableDocument, match=r"a\.jsonl: none of its 2 parts can be read; the first: a\.jsonl#1: not"
    ):
        load_all(b"one\ntwo\n", "a.jsonl")
    with pytest.raises(EmptyDocument, match="none of its 2 parts can be read"):
        load_all(b'[{"text": "!"}, {"text": "?"}]', "a.json")
    with pytest.raises(EmptyDocument, match="nothing in it that could be a document"):
        load_all(b"[]", "a.json")


def test_parts_that_claim_one_name_are_told_apart() -> None:
    lines = b'{"id": "x", "text": "One."}\n{"id": "x", "text": "Two."}\n{"id": "x (2)", "text": "Three."}\n'
    assert [one.member for one in load_all(lines, "a.jsonl").documents] == ["x", "x (2)", "x (2) (2)"]


def test_one_document_is_wanted_where_several_are() -> None:
    assert load(b'{"text": "One."}', "a.json").text == "One."
    with pytest.raises(UnreadableDocument, match="it holds 2 documents, and one is wanted"):
        load(b'[{"text": "One."}, {"text": "Two."}]', "a.json")
    with pytest.raises(UnreadableDocument, match=r"a\.json#2: not a record"):
        load(b'[{"text": "One."}, 2]', "a.json")


# ---- limits ---------------------------------------------------------------------------------------------------------


def test_a_file_over_the_limit_is_not_looked_at() -> None:
    with pytest.raises(DocumentTooLarge, match=r"a\.txt: 1\.0 MiB, over the limit of 0\.5 MiB; split the file"):
        load_all(b"a" * 2**20, "a.txt", limits=Limits(file=2**19))


def test_more_documents_than_the_limit_are_left_out_and_it_is_said() -> None:
    lines = b"".join(b'{"text": "Boat %d."}\n' % number for number in range(10))
    loaded = load_all(lines, "a.jsonl", limits=Limits(records=4))
    assert [one.text for one in loaded.documents] == ["Boat 0.", "Boat 1.", "Boat 2.", "Boat 3."]
    assert [str(error) for error in loaded.failures] == ["a.jsonl: more than 4 documents; the rest is left out"]


def test_bad_parts_count_against_the_limit() -> None:
    loaded = load_all(b'{"text": "One."}\n' + b"x\n" * 1_000, "a.jsonl", limits=Limits(records=5))
    assert len(loaded.failures) == 5


def test_a_document_has_at_most_so_many_pages() -> None:
    slides = (FILES / "slides-libreoffice.pptx").read_bytes()
    with pytest.raises(DocumentTooLarge, match="pages, over the limit of 1; split the file"):
        load_all(slides, "slides.pptx", limits=Limits(pages=1))


@pytest.mark.parametrize("pages", [(1, 0), (0, 9), (-1,)])
def test_pages_ascend_within_the_text(pages: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pages do not ascend"):
        LoadedDocument("Boats.", Metadata(), pages=pages)

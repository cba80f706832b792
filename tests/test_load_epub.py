from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DocumentError, EmptyDocument, UnreadableDocument
from index.load.epub import load_epub
from index.types import Metadata
from tests.harbour import FILES, broken_sentences
from tests.packages import damaged, zipped

CONTAINER = '<container><rootfiles><rootfile full-path="book/a.opf"/></rootfiles></container>'


def book(chapters: dict[str, str], metadata: str = "", **parts: str) -> bytes:
    """Return an EPUB whose spine is `chapters`, in their order."""
    items = "".join(f'<item id="{at}" href="{at}" media-type="application/xhtml+xml"/>' for at in sorted(chapters))
    spine = "".join(f'<itemref idref="{at}"/>' for at in chapters)
    opf = (
        f'<package xmlns:dc="dc" xmlns:opf="opf"><metadata>{metadata}</metadata><manifest>{items}</manifest>'
        f"<spine>{spine}</spine></package>"
    )
    inside = {f"book/{at}": f"<?xml version='1.0'?><html>{text}</html>" for at, text in chapters.items()}
    return zipped({"META-INF/container.xml": CONTAINER, "book/a.opf": opf, **inside, **parts})


def test_every_sentence_of_a_book_stands_whole_on_one_line() -> None:
    document = load_epub((FILES / "harbour-pandoc.epub").read_bytes(), "a.epub")
    assert broken_sentences(document.text) == []
    assert (
        "\n\nPart of the work | Planned cost | Actual cost\nWestern arm | 23.0 million | 26.4 million\n"
        in document.text
    )


def test_a_book_says_who_published_it_and_when() -> None:
    assert load_epub((FILES / "harbour-pandoc.epub").read_bytes(), "a.epub").metadata == Metadata(
        title="The Lantern Harbour Report",
        author="Gaëlle Østergård",
        publisher="Tidewater Press",
        published_at="2026-03-14",
        language="en-GB",
    )


def test_navigation_is_left_out() -> None:
    text = load_epub((FILES / "harbour-pandoc.epub").read_bytes(), "a.epub").text
    assert text.split("\n").count("What remains to be done") == 1


def test_chapters_come_in_the_order_of_the_spine() -> None:
    data = book({"z.xhtml": "<body><p>First.</p></body>", "b.xhtml": "<body><p>Second.</p></body>"})
    assert load_epub(data, "a.epub").text == "First.\n\nSecond."


def test_asides_stay_and_a_closed_title_swallows_nothing() -> None:
    text = (
        "<head><title/></head><body><p>A fact.<a epub:type='noteref' href='#n'><sup>1</sup></a> Another one.</p>"
        "<aside>A note.</aside></body>"
    )
    assert load_epub(book({"a.xhtml": text}), "a.epub").text == "A fact. Another one.\n\nA note."


def test_only_the_event_of_publication_is_a_date_of_publication() -> None:
    dates = (
        '<dc:date opf:event="modification">2026-01-01</dc:date><dc:date opf:event="publication">2025-02-03</dc:date>'
    )
    more = "<dc:creator>Ada</dc:creator><dc:creator>Bo</dc:creator><dc:identifier>https://example.org/b</dc:identifier>"
    document = load_epub(book({"a.xhtml": "<p>A text.</p>"}, dates + more), "a.epub")
    assert document.metadata == Metadata(author="Ada, Bo", published_at="2025-02-03", url="https://example.org/b")


def test_a_protected_book_says_so_and_scrambled_fonts_do_not_matter() -> None:
    entry = (
        '<encryption><EncryptedData><EncryptionMethod Algorithm="{0}"/><CipherData><CipherReference URI="{1}"/>'
        "</CipherData></EncryptedData></encryption>"
    )
    chapters = {"a.xhtml": "<p>A text.</p>"}
    locked = {"META-INF/encryption.xml": entry.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "book/a.xhtml")}
    with pytest.raises(UnreadableDocument, match=r"protected against copying \(DRM\)"):
        load_epub(book(chapters, **locked), "a.epub")
    fonts = {"META-INF/encryption.xml": entry.format("http://www.idpf.org/2008/embedding", "book/font.otf")}
    assert load_epub(book(chapters, **fonts), "a.epub").text == "A text."


def test_a_chapter_outside_the_book_is_missing_whatever_its_path() -> None:
    data = book({"../../../../etc/passwd": "<p>Not it.</p>"})
    with pytest.raises(UnreadableDocument, match="is missing; save it anew"):
        load_epub(data, "a.epub")


def test_what_is_no_book_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="not an EPUB, whatever its name says"):
        load_epub(zipped({"a.txt": "A text."}), "a.epub")
    with pytest.raises(EmptyDocument, match="no chapter in it"):
        load_epub(book({}), "a.epub")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_done_to_a_book_a_document_or_a_document_error_comes_out(data: st.DataObject) -> None:
    try:
        load_epub(data.draw(damaged((FILES / "harbour-pandoc.epub").read_bytes())), "a.epub")
    except DocumentError:
        return

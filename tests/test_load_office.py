from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DocumentError, DocumentTooLarge, EmptyDocument, UnreadableDocument
from index.load.docx import load_docx
from index.load.normalise import normalise, tidy
from index.load.pptx import load_pptx
from index.load.rows import row_text
from index.load.xlsx import load_xlsx
from index.types import LoadedDocument, Metadata
from tests.harbour import FILES, broken_sentences
from tests.packages import damaged, docx, relations, unzipped, zipped

Loader = Callable[[bytes, str], LoadedDocument]

LOADERS: dict[str, Loader] = {
    "harbour-pandoc.docx": load_docx,
    "harbour-libreoffice.docx": load_docx,
    "slides-libreoffice.pptx": load_pptx,
    "berths-libreoffice.xlsx": load_xlsx,
}


def octets(name: str) -> bytes:
    return (FILES / name).read_bytes()


def word(body: str) -> str:
    return load_docx(docx(body), "a.docx").text


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


# ---- Word -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["harbour-pandoc.docx", "harbour-libreoffice.docx"])
def test_every_sentence_of_a_word_document_stands_whole_on_one_line(name: str) -> None:
    document = load_docx(octets(name), name)
    assert broken_sentences(document.text) == []
    assert document.pages == ()


@pytest.mark.parametrize("name", ["harbour-pandoc.docx", "harbour-libreoffice.docx"])
def test_lists_tables_and_notes_of_a_word_document(name: str) -> None:
    text = load_docx(octets(name), name).text
    assert (
        "The following measures were agreed for the new harbour:\n\n"
        "- Ships longer than 90 metres must announce themselves twelve hours before their arrival.\n"
        "- The northern basin is reserved for fishing boats between four and nine in the morning.\n"
        "- Diesel generators are forbidden at the visitors’ pontoon after sunset.\n\n"
        "What it cost\n\n"
        "Part of the work | Planned cost | Actual cost\n"
        "Western arm | 23.0 million | 26.4 million\n"
        "Lighthouse | 1.2 million | 1.1 million\n"
    ) in text
    assert text.endswith("\n\nThe audit was carried out by Halvorsen and Partners in the summer of 2024.")


@pytest.mark.parametrize("name", ["harbour-pandoc.docx", "harbour-libreoffice.docx"])
def test_a_word_document_says_who_wrote_it_but_not_when_it_was_published(name: str) -> None:
    assert load_docx(octets(name), name).metadata == Metadata(
        title="The Lantern Harbour Report",
        author="Gaëlle Østergård",
        publisher="Tidewater Press",
        language="en-GB",
        tags=("harbours", "tides"),
    )


def test_a_custom_property_may_name_the_day_of_publication() -> None:
    custom = (
        '<Properties xmlns:vt="x"><property name="Published"><vt:lpwstr>2026-02-03</vt:lpwstr></property>'
        '<property name="URL"><vt:lpwstr>https://example.org/a</vt:lpwstr></property></Properties>'
    )
    document = load_docx(docx(p("A text."), {"docProps/custom.xml": custom}), "a.docx")
    assert document.metadata == Metadata(published_at="2026-02-03", url="https://example.org/a")


def test_tracked_insertions_are_read_and_tracked_deletions_are_not() -> None:
    assert word(
        "<w:p><w:r><w:t>The harbour </w:t></w:r><w:del><w:r><w:delText>opened</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>closed</w:t></w:r></w:ins><w:moveFrom><w:r><w:t> late</w:t></w:r></w:moveFrom>"
        "<w:r><w:t> in May.</w:t></w:r></w:p>"
    ) == "The harbour closed in May."  # fmt: skip


def test_a_text_box_is_read_once_after_the_paragraph_that_holds_it() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent>"
    assert word(
        f"<w:p><w:r><w:t>Before </w:t></w:r><w:r><AlternateContent><Choice>{box}</Choice><Fallback>{box}</Fallback>"
        "</AlternateContent></w:r><w:r><w:t>and after.</w:t></w:r></w:p>"
    ) == "Before and after.\n\nIn the box."  # fmt: skip


def test_hidden_text_field_codes_and_tables_of_contents_are_left_out() -> None:
    styles = '<w:styles xmlns:w="w"><w:style w:styleId="V1"><w:name w:val="toc 1"/></w:style></w:styles>'
    body = (
        p("Chapter 1 ... 7", '<w:pStyle w:val="V1"/>')
        + "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden </w:t></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>"
        "<w:r><w:t>Seen</w:t><w:tab/><w:t>here.</w:t></w:r><w:r><w:br/><w:t>Next line.</w:t></w:r></w:p>"
    )
    links = relations({"s": ("styles", "styles.xml")})
    parts = {"word/styles.xml": styles, "word/_rels/document.xml.rels": links}
    assert load_docx(docx(body, parts), "a.docx").text == "Seen here.\nNext line."


def test_raised_figures_in_a_word_document() -> None:
    raised = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r>'
    assert word(f"<w:p><w:r><w:t>10 km</w:t></w:r>{raised}<w:r><w:t> of sand.</w:t></w:r></w:p>") == "10 km² of sand."


def test_a_table_for_looks_is_no_table_and_a_deleted_row_is_gone() -> None:
    inner = f"<w:tbl><w:tr><w:tc>{p('a')}</w:tc><w:tc>{p('b')}</w:tc></w:tr></w:tbl>"
    assert word(f"<w:tbl><w:tr><w:tc>{p('Left.')}</w:tc><w:tc>{inner}</w:tc></w:tr></w:tbl>") == "Left.\n\na | b"
    gone = f"<w:tr><w:trPr><w:del/></w:trPr><w:tc>{p('gone')}</w:tc></w:tr>"
    assert word(f"<w:tbl>{gone}<w:tr><w:tc>{p('one')}{p('two')}</w:tc><w:tc>{p('three')}</w:tc></w:tr></w:tbl>") == (
        "one two | three"
    )


# ---- PowerPoint -----------------------------------------------------------------------------------------------------

SLIDES = [
    "Lantern Harbour in three slides\n\nTorbjørn Quist",
    "The western arm\n\nThe western arm was completed in March 2023.\nIt consists of 1,140 interlocking blocks.\n\n"
    "Notes: Remember to thank Ingvild Fjeldstad for her patience.",
    "What was spent\n\nPart | Cost\nWestern arm | 26.4 million\nLighthouse | 1.1 million",
    "What comes next\n\nThe approach channel will be surveyed again in the autumn.\n\n"
    "Notes: The survey ship is called Havørn.",
]


@pytest.mark.parametrize("name", ["slides-pandoc.pptx", "slides-libreoffice.pptx"])
def test_a_slide_is_a_page_with_its_title_text_table_and_notes(name: str) -> None:
    document = load_pptx(octets(name), name)
    ends = [*document.pages[1:], len(document.text) + 2]
    assert [document.text[a : b - 2] for a, b in zip(document.pages, ends, strict=True)] == SLIDES
    assert (document.metadata.title, document.metadata.author) == ("Lantern Harbour in three slides", "Torbjørn Quist")
    assert document.metadata.published_at is None


def test_a_hidden_slide_keeps_its_number() -> None:
    parts = unzipped(octets("slides-pandoc.pptx"))
    parts["ppt/slides/slide2.xml"] = parts["ppt/slides/slide2.xml"].replace(b"<p:sld ", b'<p:sld show="0" ', 1)
    document = load_pptx(zipped(parts), "a.pptx")
    assert "Fjeldstad" not in document.text
    assert len(document.pages) == 4
    assert document.text[document.pages[2] :].startswith("What was spent")


def test_a_presentation_without_slides_is_empty() -> None:
    parts = {
        "_rels/.rels": relations({"a": ("officeDocument", "ppt/presentation.xml")}),
        "ppt/presentation.xml": "<p/>",
    }
    with pytest.raises(EmptyDocument, match="no slide in it"):
        load_pptx(zipped(parts), "a.pptx")


# ---- Excel ----------------------------------------------------------------------------------------------------------


def test_rows_become_sentences_with_the_names_of_their_columns() -> None:
    document = load_xlsx(octets("berths-libreoffice.xlsx"), "berths.xlsx")
    assert document.text == (
        "Berths\n\n"
        "All berths in March 2026\n"
        "Berth: North 1; Vessel: Havørn; Length (m): 24.5; Since: 2024-05-03; Paid: 25%.\n"
        "Berth: North 2; Vessel: Ida Marie; Length (m): 12.25; Paid: 100%.\n"
        "Berth: Visitors 7; Vessel: Slow, but sure; Length (m): 9; Since: 2026-02-14; Paid: 0%.\n\n"
        "Tides\n\n"
        "Month: January; Highest tide: 4.1 metres, on the seventh."
    )
    assert (document.metadata.title, document.metadata.author) == ("Berths of Lantern Harbour", "Torbjørn Quist")


def with_sheet(rows: str, dimension: str = "A1:E9") -> bytes:
    parts = unzipped(octets("berths-libreoffice.xlsx"))
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts["xl/worksheets/sheet1.xml"] = (
        f'<worksheet xmlns="{main}"><dimension ref="{dimension}"/><sheetData>{rows}</sheetData></worksheet>'
    ).encode()
    return zipped(parts)


def test_what_a_sheet_says_of_its_size_is_not_believed() -> None:
    row = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c></row>'
    rows = row.format(1, "first") + row.format(2, "second") + row.format(9000, "last")
    for dimension in ("A1:A1", "A1:XFD1048576"):
        assert load_xlsx(with_sheet(rows, dimension), "a.xlsx").text.startswith("Berths\n\nfirst\nsecond\nlast\n\n")


def test_a_row_that_claims_to_be_far_away_is_too_large() -> None:
    with pytest.raises(DocumentTooLarge, match="over 200,000 rows or 1,000,000 cells; split it, or save it as CSV"):
        load_xlsx(with_sheet('<row r="99999999999"><c r="A1"><v>1</v></c></row>'), "a.xlsx")


@pytest.mark.parametrize(
    ("header", "row", "text"),
    [
        (["Name", "Born"], ["Ada", "1815"], "Name: Ada; Born: 1815."),
        (["Name", "Born"], ["Ada", ""], "Name: Ada."),
        (["Name"], ["Ada", "more"], "Name: Ada; more."),
        (["Name:", ""], ["Ada\n Lovelace", "more"], "Name: Ada Lovelace; more."),
        ([], ["Ada", "Has it rained?"], "Ada; Has it rained?"),
        (["Name"], ["", " "], ""),
    ],
)
def test_row_text(header: list[str], row: list[str], text: str) -> None:
    assert row_text(header, row) == text


# ---- hostile files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOADERS)
def test_an_encrypted_or_old_file_says_so(name: str) -> None:
    with pytest.raises(UnreadableDocument, match=r"encrypted with a password, or in an old format; save it anew"):
        LOADERS[name](b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), name)


@pytest.mark.parametrize("name", LOADERS)
def test_a_zip_of_something_else_is_refused(name: str) -> None:
    with pytest.raises(UnreadableDocument, match="not an office document, whatever its name says"):
        LOADERS[name](zipped({"a.txt": "A text."}), name)
    with pytest.raises(UnreadableDocument, match="not a sound zip archive"):
        LOADERS[name](b"Some text.", name)


@pytest.mark.parametrize("name", LOADERS)
def test_a_bomb_is_not_unpacked(name: str) -> None:
    parts = unzipped(octets(name)) | {"media/bomb.xml": bytes(30_000_000)}
    with pytest.raises(DocumentTooLarge, match=r"unpacks to 28\.\d MiB, over 512 MiB or 200 times its size"):
        LOADERS[name](zipped(parts), name)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("harbour-pandoc.docx", "word/document.xml"),
        ("slides-libreoffice.pptx", "ppt/slides/slide1.xml"),
        ("berths-libreoffice.xlsx", "xl/worksheets/sheet1.xml"),
    ],
)
def test_entities_are_refused(name: str, path: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    parts = unzipped(octets(name))
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'.encode()
    head, rest = parts[path].split(b"?>", 1)
    with pytest.raises(UnreadableDocument, match=r"declares entities|document type"):
        LOADERS[name](zipped(parts | {path: head + b"?>" + entity + rest}), name)


def test_a_document_nested_too_deep_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="not sound XML"):
        word("<w:sdt>" * 2_000 + p("deep") + "</w:sdt>" * 2_000)


@pytest.mark.parametrize("name", LOADERS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_is_done_to_a_file_a_document_or_a_document_error_comes_out(name: str, data: st.DataObject) -> None:
    try:
        document = LOADERS[name](data.draw(damaged(octets(name))), name)
    except DocumentError:
        return
    if document.pages:
        assert tidy(normalise(document.text)) == document.text

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DocumentError, EmptyDocument, UnreadableDocument
from index.load import load
from index.load.hyphens import Hyphens
from index.load.normalise import normalise, tidy
from index.load.pages import paged
from index.load.pdf import load_pdf
from index.types import LoadedDocument, Metadata
from tests.harbour import FILES, broken_sentences, sentences

Printed = tuple[float, float, float, str]


def made(name: str) -> LoadedDocument:
    return load_pdf((FILES / name).read_bytes(), name)


def pdf(pages: Sequence[Sequence[Printed]], *, turned: bool = False, info: str = "", root: str = "") -> bytes:
    """Return a PDF of pages with lines at (x, y, size), all in Courier: a letter is 0.6 of the size wide."""
    matrix = "0 1 -1 0 {y} {x}" if turned else "1 0 0 1 {x} {y}"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {root} >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{5 + 2 * at} 0 R' for at in range(len(pages)))}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
        f"<< {info} >>",
    ]
    for at, lines in enumerate(pages):
        content = ""
        for x, y, size, text in lines:
            place = matrix.format(x=x, y=750 - y if turned else y)
            content += f"BT /F1 {size} Tf {place} Tm ({text}) Tj ET\n"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {6 + 2 * at} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def column(lines: Sequence[str], *, x: float = 50, top: float = 700, size: float = 10) -> list[Printed]:
    return [(x, top - 12 * at, size, line) for at, line in enumerate(lines)]


def text_of(*pages: Sequence[Printed]) -> str:
    return load_pdf(pdf(pages), "a.pdf").text


# ---- files that real tools made -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["harbour-libreoffice.pdf", "harbour-chromium.pdf", "columns-libreoffice.pdf", "columns-chromium.pdf"]
)
def test_every_sentence_that_was_printed_stands_whole_on_one_line(name: str) -> None:
    assert len(sentences()) == 33
    assert broken_sentences(made(name).text) == []


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("harbour-libreoffice.pdf", ["The Lantern Harbour Report", "The final invoice exceeded"]),
        (
            "harbour-chromium.pdf",
            ["The Lantern Harbour Report", "cannot read a contract,”", "harbour master, Torbjørn Quist"],
        ),
        ("columns-libreoffice.pdf", ["The Lantern Harbour Report", "He has invited representatives"]),
        (
            "columns-chromium.pdf",
            ["The Lantern Harbour Report", "agreement no construction", "the additional expenditure"],
        ),
    ],
)
def test_pages_begin_where_they_do_on_paper(name: str, begins: list[str]) -> None:
    document = made(name)
    assert len(document.pages) == len(begins)
    for start, words in zip(document.pages, begins, strict=True):
        assert document.text[start:].startswith(words)


def test_a_pdf_says_its_title_author_and_language_but_no_date_of_publication() -> None:
    assert made("harbour-libreoffice.pdf").metadata == Metadata(
        title="The Lantern Harbour Report", author="Gaëlle Østergård", language="en-GB", tags=("harbours", "tides")
    )
    assert made("columns-chromium.pdf").metadata == Metadata(title="The Lantern Harbour Report", language="en-GB")


def test_running_heads_and_page_numbers_are_left_out() -> None:
    text = made("columns-chromium.pdf").text
    assert "Tidewater Press" not in text
    assert "Page 2" not in text


def test_rows_of_a_table_are_lines() -> None:
    lines = made("harbour-libreoffice.pdf").text.split("\n")
    assert "Western arm 23.0 million 26.4 million" in lines
    assert "Lighthouse 1.2 million 1.1 million" in lines


def test_an_encrypted_pdf_says_so() -> None:
    with pytest.raises(UnreadableDocument, match=r"^locked\.pdf: encrypted with a password; save it without one$"):
        made("locked.pdf")


def test_a_scan_says_what_to_do() -> None:
    with pytest.raises(EmptyDocument, match=r"a scan without text; run OCR on it \(for example ocrmypdf\)"):
        made("scan-chromium.pdf")


def test_a_pdf_is_loaded_by_its_suffix_with_its_pages() -> None:
    data = (FILES / "columns-libreoffice.pdf").read_bytes()
    assert load(data, "a.PDF") == load_pdf(data, "a.PDF")


# ---- paragraphs -----------------------------------------------------------------------------------------------------


def test_a_line_that_left_no_room_for_the_next_word_goes_on() -> None:
    text = text_of(
        column(
            [
                "Contents of the old box",
                "The box was opened on Monday and nobody knew",
                "what Robert had put into it, least of all",
                "Robert. It was empty.",
                "The next paragraph has its own first words.",
            ]
        )
    )
    assert text == (
        "Contents of the old box\n"
        "The box was opened on Monday and nobody knew what Robert had put into it, least of all Robert. It was empty.\n"
        "The next paragraph has its own first words."
    )


def test_verse_and_lists_keep_their_lines() -> None:
    verse = ["The ship", "Went down", "At the end of a very long night", "Alone"]
    assert text_of(column(verse)) == "\n".join(verse)
    items = ["1. Bring the long rope to the harbour today", "2. Tie it", "3. Go home"]
    assert text_of(column(items)) == "\n".join(items)


def test_space_between_lines_ends_a_paragraph() -> None:
    first = column(["The first paragraph is as wide as the second", "and goes on until its end, which is here and"])
    second = column(
        ["Robert wrote the second one, and it is about", "as wide as the first one, as it should be."], top=660
    )
    assert text_of([*first, *second]) == (
        "The first paragraph is as wide as the second and goes on until its end, which is here and\n\n"
        "Robert wrote the second one, and it is about as wide as the first one, as it should be."
    )


def test_a_sentence_goes_on_over_the_page_and_the_page_begins_within_it() -> None:
    one = column(["The keeper of the light had a dog that", "barked at every ship that came into the"])
    two = column(["harbour at night. It slept by day."])
    document = load_pdf(pdf([one, two]), "a.pdf")
    assert document.text == (
        "The keeper of the light had a dog that barked at every ship that came into the harbour at night. "
        "It slept by day."
    )
    assert document.text[document.pages[1] :] == "harbour at night. It slept by day."


def test_a_word_goes_on_over_the_page_without_its_hyphen() -> None:
    one = column(["The keepers of the harbour had a govern-", "ment of their own, and a parlia-"])
    two = column(["ment too."])
    document = load_pdf(pdf([one, two]), "a.pdf")
    assert document.text == "The keepers of the harbour had a government of their own, and a parliament too."
    assert document.text[document.pages[1] :] == "ment too."


def test_columns_that_were_drawn_line_by_line_are_read_one_after_the_other() -> None:
    left = [
        "The lighthouse stands on a rock in",
        "the bay, and its keeper lives there",
        "with a dog and a very old piano of",
        "unknown make. The piano was washed",
        "ashore in the winter of the year in",
        "which the steamer Aurora was lost,",
        "and the keeper never learned to use",
        "it properly, as the dog would say.",
    ]
    right = [
        "Fishermen claim to hear it when the",
        "wind comes from the west, although",
        "no two of them agree on the melody",
        "that is played. The priest believes",
        "that it is a hymn, and the teacher",
        "holds that it is a waltz, while the",
        "doctor will not say what it is, but",
        "he hums it on his way to the sick.",
    ]
    rows = [f"{one:<40}{two}" for one, two in zip(left, right, strict=True)]
    title = (50.0, 730.0, 10.0, "A Lighthouse and a Piano, with Remarks on the Sea")
    assert text_of([title, *column(rows)]) == (
        "A Lighthouse and a Piano, with Remarks on the Sea\n\n" + " ".join(left) + "\n\n" + " ".join(right)
    )


def test_a_page_that_is_turned_reads_like_one_that_is_not() -> None:
    lines = column(["The keeper of the light had a dog that", "barked at every ship."])
    assert load_pdf(pdf([lines], turned=True), "a.pdf").text == text_of(lines)


def test_what_stands_on_three_pages_in_a_row_is_furniture_but_a_large_title_is_not() -> None:
    words = ["alpha", "beta", "gamma"]
    pages = [
        [
            (50.0, 780.0, 10.0, "Harbour Gazette"),
            *column([f"The word of this page is {word}, and that is all there is to say about it."]),
            (300.0, 20.0, 10.0, f"{number} / 3"),
        ]
        for number, word in enumerate(words, start=1)
    ]
    assert text_of(*pages) == "\n\n".join(
        f"The word of this page is {word}, and that is all there is to say about it." for word in words
    )
    titled = [[(50.0, 780.0, 20.0, "Berths"), *page[1:]] for page in pages]
    assert text_of(*titled).count("Berths") == 3


def test_the_largest_line_is_the_title_where_the_file_names_none_or_only_itself() -> None:
    page = [(50.0, 760.0, 24.0, "On Tides"), *column(["Tides rise and fall twice a day in this harbour."])]
    assert load_pdf(pdf([page]), "a.pdf").metadata.title == "On Tides"
    named = pdf([page], info="/Title (Microsoft Word - tides.docx) /CreationDate (D:20260102030405Z)")
    assert load_pdf(named, "a.pdf").metadata == Metadata(title="On Tides")
    broken = pdf([page], info="/Title <FEFFD800>")
    assert load_pdf(broken, "a.pdf").metadata == Metadata(title="On Tides")
    stated = pdf([page], info="/Title (Of Tides)", root="/Lang (en-GB)")
    assert load_pdf(stated, "a.pdf").metadata == Metadata(title="Of Tides", language="en-GB")


def test_raised_figures_and_marks_of_notes() -> None:
    page = [
        (50.0, 700.0, 10.0, "The area is 10 km"),
        (152.0, 704.0, 6.0, "2"),
        (162.0, 700.0, 10.0, "in all."),
        (204.0, 704.0, 6.0, "3"),
        (214.0, 700.0, 10.0, "Nobody lives there."),
    ]
    assert text_of(page) == "The area is 10 km² in all. Nobody lives there."


def test_forms_of_a_line_are_not_all_furniture() -> None:
    assert text_of(*[[(50.0, 700.0, 10.0, "Form 7")]] * 3) == "Form 7\n\nForm 7\n\nForm 7"


# ---- hyphens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "rest", "joined"),
    [
        ("the govern\u0002", "ment fell", "the government fell"),
        ("the organisa\u00ad", "tion", "the organisation"),
        ("the organisa\u2010", "tion", "the organisation"),
        ("a well\u0002", "known fact", "a well-known fact"),
        ("a two-year\u0002", "old dog", "a two-year-old dog"),
        ("forty\u0002", "one members", "forty-one members"),
        ("the Anglo\u0002", "Saxon", "the Anglo-Saxon"),
        ("pre\u0002", "and post-war", "pre- and post-war"),
        ("1914\u0002", "1918", "1914-1918"),
        ("no hyphen", "here", "no hyphen here"),
        ("a dash -", "here", "a dash - here"),
    ],
)
def test_hyphens_at_line_ends_in_text_that_breaks_words(line: str, rest: str, joined: str) -> None:
    hyphens = Hyphens(["the one ele\u0002", "phant and the other ele\u0002", "phant"])
    assert "".join((*hyphens.seam(line, rest),)) + rest == joined


def test_a_document_that_breaks_no_words_keeps_its_hyphens() -> None:
    hyphens = Hyphens(["a plain line of words"] * 99 + ["of a dual\u0002", "use good"])
    assert hyphens.seam("of a dual\u0002", "use good") == ("of a dual-", "")


def test_a_word_that_stands_elsewhere_decides() -> None:
    lines = ["some plain line of words"] * 99 + ["all the government did", "the govern\u0002", "ment"]
    assert Hyphens(lines).seam("the govern\u0002", "ment") == ("the govern", "")
    lines = ["the ele\u0002", "phant", "is of dual-use by day"]
    assert Hyphens(lines).seam("of dual\u0002", "use") == ("of dual-", "")


# ---- pages ----------------------------------------------------------------------------------------------------------


def test_a_page_without_text_begins_where_the_next_one_does() -> None:
    document = paged(["", "one", " \n", "two", ""], Metadata())
    assert (document.text, document.pages) == ("one\n\ntwo", (0, 0, 5, 5, 8))


def test_a_page_may_go_on_in_a_sentence_or_in_a_word() -> None:
    document = paged(["one two", "three fo", "ur"], Metadata(), ["\n\n", " ", ""])
    assert (document.text, document.pages) == ("one two three four", (0, 8, 16))


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("a \n\u0301\u1100\u1161\ufeffé\x00") | st.characters(), max_size=8),
            st.sampled_from(["\n\n", " ", ""]),
        ),
        max_size=6,
    )
)
def test_paged_text_is_canonical_and_its_offsets_ascend(pages: list[tuple[str, str]]) -> None:
    document = paged([page for page, _ in pages], Metadata(), [joint for _, joint in pages])
    assert tidy(normalise(document.text)) == document.text
    assert len(document.pages) == len(pages)
    assert list(document.pages) == sorted(document.pages)
    for start, (page, _) in zip(document.pages, pages, strict=True):
        text = tidy(normalise(page))
        assert document.text.startswith((text, text.lstrip()), start)


# ---- hostile files --------------------------------------------------------------------------------------------------


def test_what_is_no_pdf_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="not a PDF"):
        load_pdf(b"Some text.", "a.pdf")
    with pytest.raises(UnreadableDocument, match="damaged"):
        load_pdf(b"%PDF-1.7\nand nothing more", "a.pdf")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_done_to_a_pdf_a_document_or_a_document_error_comes_out(data: st.DataObject) -> None:
    octets = bytearray((FILES / "columns-libreoffice.pdf").read_bytes())
    for _ in range(data.draw(st.integers(0, 20))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(octets)) | st.just(len(octets)))
    try:
        document = load_pdf(bytes(octets[:end]), "a.pdf")
    except DocumentError:
        return
    assert tidy(normalise(document.text)) == document.text

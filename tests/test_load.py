from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DocumentError, EmptyDocument, UnreadableDocument, UnsupportedFormat, WrongEncoding
from index.load import SUFFIXES, load, supported
from index.load.decode import codec
from index.load.metadata import describe, http_url, iso_date, language_tag
from index.load.normalise import normalise, tidy
from index.types import Metadata

FILLER = "The council met on Monday and agreed on the plan for the harbour, which had been under discussion since May. "


def text_of(source: str, name: str = "a.txt") -> str:
    return load(dedent(source).encode(), name).text


def markdown(source: str) -> str:
    return text_of(source, "a.md")


def html(body: str, head: str = "") -> str:
    return load(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode(), "a.html").text


# ---- choosing a loader ----------------------------------------------------------------------------------------------


def test_supports_text_markdown_and_html_whatever_the_case() -> None:
    assert frozenset({".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml"}) == SUFFIXES
    assert supported("notes/READ.ME.MD")
    assert not supported("report.pdf")
    assert not supported("Makefile")
    assert load(b"# Head\n\nBody.", "A.MD").text == "Head\n\nBody."


def test_an_unknown_suffix_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnsupportedFormat, match=r"a\.xyz: no loader for \.xyz; supported: \.htm, \.html, \.markdown"):
        load(b"text", "a.xyz")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"... \xe2\x80\x94 !?", b"---\n---\n", b"<!-- x -->"])
def test_a_document_without_a_word_is_empty(name: str, data: bytes) -> None:
    if name == "a.txt" and data.startswith(b"<"):
        return
    with pytest.raises(EmptyDocument):
        load(data, name)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
@settings(max_examples=40, deadline=None)
@given(
    source=st.text(st.sampled_from("a.,\n\r\t #-*>|<&;/[]()`'\"=~_!1é\u0301\ufeff\x00\u2028\u200b") | st.characters())
)
def test_whatever_comes_in_canonical_text_or_a_document_error_comes_out(name: str, source: str) -> None:
    try:
        text = load(source.encode("utf-8", "replace"), name).text
    except DocumentError:
        return
    assert tidy(normalise(text)) == text
    assert text.strip()


def test_importing_the_package_loads_no_parser() -> None:
    code = (
        "import sys, index.load; index.load.load(b'Some text.', 'a.txt');"
        "sys.exit(bool({'trafilatura', 'lxml', 'markdown_it'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- bytes → text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    assert load("Größe: 5 €".encode(encoding), "a.txt").text == "Größe: 5 €"


def test_bytes_that_are_not_utf8_are_refused_with_offset_and_way_out() -> None:
    with pytest.raises(WrongEncoding, match=r"not utf-8: byte 0xe9 at offset 3 .* pass --encoding NAME"):
        load(b"caf\xe9 au lait", "a.txt")


def test_a_given_encoding_is_used_only_where_utf8_does_not_fit() -> None:
    assert load(b"caf\xe9 au lait", "a.txt", encoding="latin-1").text == "café au lait"
    assert load("café".encode(), "a.txt", encoding="latin-1").text == "café"
    assert load("wide text".encode("utf-16-le"), "a.txt", encoding="utf-16-le").text == "wide text"
    with pytest.raises(WrongEncoding, match="not utf-8, nor ascii"):
        load(b"caf\xe9", "a.txt", encoding="ascii")


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13"])
def test_an_unknown_encoding_is_refused_before_anything_is_read(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown encoding: {name}"):
        load(b"text", "a.txt", encoding=name)
    assert codec("Windows-1252") == "cp1252"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7 text", "binary data (PDF)"),
        (b"PK\x03\x04rest", "binary data (a zip archive"),
        (b"\x89PNG\r\n\x1a\n", "binary data (a PNG image)"),
        (b"\xff\xd8\xff\xe0", "binary data (a JPEG image)"),
        (b"\x1f\x8b\x08\x00", "binary data (gzip)"),
        (b"SQLite format 3\x00", "binary data (an SQLite database)"),
        (b"\x7fELF\x02", "binary data (a program)"),
        (b"text\x00text", "binary data, not text"),
        (b"\x01\x02\x03\x04ab", "binary data, not text"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_binary_data_is_refused_whatever_its_name_and_encoding(data: bytes, what: str, name: str) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        load(data, name, encoding="latin-1")
    assert what in caught.value.reason


# ---- plain text -----------------------------------------------------------------------------------------------------


def test_a_hard_wrapped_paragraph_becomes_one_line() -> None:
    wrapped = """\
        The harbour of the old town was closed to large ships when the
        river bed had risen by almost two metres, and since then only the
        fishing boats have come in. The council wants to dredge it for
        the first time in forty years.

        A second paragraph stays on its own.
        """
    assert text_of(wrapped) == (
        "The harbour of the old town was closed to large ships when the river bed had risen by almost two metres, and "
        "since then only the fishing boats have come in. The council wants to dredge it for the first time in forty "
        "years.\n\nA second paragraph stays on its own."
    )


def test_two_lines_are_joined_only_where_longer_paragraphs_show_the_width() -> None:
    two = "The quay stays closed until the end of the next summer but for\nrowing boats."
    three = """\
        The harbour of the old town was closed to large ships when the
        river bed had risen by almost two metres, and since then only
        the fishing boats have come in.

        """
    assert text_of(two) == two
    assert text_of(dedent(three) + two).endswith("\n\n" + two.replace("\n", " "))


def test_a_word_divided_at_its_hyphen_is_joined_without_a_space() -> None:
    wrapped = """\
        The ministry said that it would prohibit the export of all dual-
        use items and of technical help for any military purpose, both pre-
        and post-delivery, as long as the present conditions hold.
        """
    assert text_of(wrapped) == (
        "The ministry said that it would prohibit the export of all dual-use items and of technical help for any "
        "military purpose, both pre- and post-delivery, as long as the present conditions hold."
    )


@pytest.mark.parametrize(
    "lines",
    [
        # verse: the lines end before the width
        "Season of mists and mellow fruitfulness,\nClose bosom-friend of the maturing sun and all its rays;\n"
        "Conspiring with him how to load and bless\nWith fruit the vines that round the thatch-eves run;",
        "- the first item of a list that is fairly long here\n- the second item of a list that is fairly long\n- third",
        "one column of words here   12.50   and another col\nanother column of words    13.70   and some more\nlast  1",
        "for (const item of items.filter((one) => one.ready)) {\n    console.log(item.name, item.price, item.x);\n}",
        "The first sentence stands on its own line in this file.\nThe second sentence stands on its own line, too.\n"
        "The third one does so as well, and this is how it stays.",
        "Only two lines of running text which might be wrapped\nand might as well not be.",
    ],
)
def test_lines_that_were_not_wrapped_stay(lines: str) -> None:
    assert text_of(lines) == lines


def test_the_title_of_a_text_is_an_obvious_title_line_or_none() -> None:
    assert load(b"Harbour report\n\nThe harbour is closed.", "a.txt").metadata.title == "Harbour report"
    assert load(f"Harbour report\n{FILLER * 3}".encode(), "a.txt").metadata.title == "Harbour report"
    for source in ["The harbour is closed.\n\nMore.", "Harbour report", "- item\n\nmore", f"{FILLER * 3}\n\nEnd"]:
        assert load(source.encode(), "a.txt").metadata.title is None


def test_front_matter_is_read_in_plain_text_too() -> None:
    loaded = load(b"---\ntitle: Harbour\n---\nThe harbour is closed.", "a.txt")
    assert loaded.text == "The harbour is closed."
    assert loaded.metadata == Metadata(title="Harbour")


# ---- front matter and metadata --------------------------------------------------------------------------------------


def test_front_matter_gives_the_metadata() -> None:
    source = """\
        ---
        Title: "Harbour: a report"   # quoted
        authors: [Ada Byron, {name: Grace Hopper}]
        publisher: Town Council
        date: 2026-01-10
        lang: no
        canonical_url: https://example.org/harbour?x=1
        tags: [harbour, ships, harbour, 2026, null]
        layout: post
        ---
        # Another heading
        """
    assert load(dedent(source).encode(), "a.md").metadata == Metadata(
        title="Harbour: a report",
        author="Ada Byron, Grace Hopper",
        publisher="Town Council",
        published_at="2026-01-10",
        language="no",
        url="https://example.org/harbour?x=1",
        tags=("harbour", "ships", "2026"),
    )


def test_tags_may_be_one_string_with_commas() -> None:
    assert load(b"---\ntags: a, b\n---\ntext", "a.md").metadata.tags == ("a", "b")


@pytest.mark.parametrize("name", ["a.md", "a.txt"])
def test_a_rule_at_the_top_is_no_front_matter(name: str) -> None:
    assert load(b"---\n\nFirst part\n\n---\n\nSecond part", name).text.endswith("Second part")
    assert "First part" in load(b"---\n\nFirst part\n\n---\n\nSecond part", name).text
    assert "title: x" in load(b"---\ntitle: x\nnever closed", name).text


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("title: a: b", "line 2: mapping values are not allowed"),
        ("title: &a [x]\ntags: [*a, *a]", "aliases are not allowed"),
        ("title: " + "[" * 600, "nested too deep"),
        ("title: " + "x" * 70_000, "front matter of 68 KiB, over the limit of 64 KiB"),
    ],
)
def test_front_matter_that_cannot_be_trusted_is_refused_with_the_reason(header: str, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        load(f"---\n{header}\n---\ntext".encode(), "a.md")
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2026-01-10", "2026-01-10"),
        ("2026-1-5", "2026-01-05"),
        ("2026/01/10", "2026-01-10"),
        ("2026年1月10日", "2026-01-10"),
        ("10 January 2026", "2026-01-10"),
        ("Saturday, January 10th, 2026", "2026-01-10"),
        ("Jan. 10, 2026", "2026-01-10"),
        ("3 Sept 2025", "2025-09-03"),
        ("2026-01-10T14:30:00Z", "2026-01-10T14:30:00+00:00"),
        ("2026-01-10 14:30:00 +09:00", "2026-01-10T14:30:00+09:00"),
        ("2026-01-10 14:30", "2026-01-10T14:30:00"),
        ("01/02/2026", None),
        ("2026-02-30", None),
        ("2026-01", None),
        ("2026", None),
        ("10 Brumaire 2026", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_becomes_iso_8601_or_nothing(written: str, iso: str | None) -> None:
    assert iso_date(written) == iso


def test_only_whole_http_addresses_and_language_tags_are_taken() -> None:
    assert http_url(" https://example.org/a b ") is None
    assert http_url("https://example.org/ä?q=1#x") == "https://example.org/ä?q=1#x"
    for address in [
        "javascript:alert(1)",
        "/a",
        "ftp://example.org",
        "http://",
        "https://u:p@example.org",
        "http://[x",
    ]:
        assert http_url(address) is None
    assert language_tag("EN_us") == "en-us"
    assert language_tag("English") is None


def test_metadata_is_on_one_line_normalised_and_bounded() -> None:
    metadata = describe(title=" A\r\n\x00title\u2028cafe\u0301 " + "x" * 600, author=" \n ", tags=map(str, range(60)))
    assert metadata.title is not None
    assert metadata.title.startswith("A title café xxx")
    assert len(metadata.title) == 500
    assert metadata.author is None
    assert metadata.tags == tuple(map(str, range(50)))


# ---- Markdown -------------------------------------------------------------------------------------------------------


def test_a_soft_line_break_becomes_a_space_and_a_hard_one_a_line() -> None:
    assert markdown("one\ntwo\\\nthree  \nfour<br>five\n") == "one two\nthree\nfour\nfive"


def test_blocks_are_lines_with_an_empty_line_between() -> None:
    source = """\
        Title
        =====
        First *paragraph* with **marks** and `code`.
        ## Sub ##
        > Quoted
        > text.

        ***
        Last.
        """
    assert markdown(source) == "Title\n\nFirst paragraph with marks and code.\n\nSub\n\nQuoted text.\n\nLast."


def test_list_items_are_one_a_line() -> None:
    source = """\
        Before:

        - one
          more
        - [x] two

          A paragraph of two.

          And another.
          1. nested
        * another list

        After.
        """
    assert markdown(source) == (
        "Before:\n\none more\ntwo\nA paragraph of two. And another.\nnested\n\nanother list\n\nAfter."
    )


def test_table_rows_are_one_a_line() -> None:
    assert markdown("| a | b |\n|---|---|\n| 1 *x* | |\n| 2 | `y` |\n") == "a | b\n1 x\n2 | y"


def test_code_keeps_its_lines() -> None:
    assert markdown("Run:\n\n```sh\nmake  all\n\n  make test\n```\n\n    indented\n") == (
        "Run:\n\nmake  all\n\n  make test\n\nindented"
    )


def test_links_give_their_text_and_images_their_alt_text() -> None:
    source = (
        "See [the *docs*](https://example.org), <https://example.org> and [ref][1].\n\n![A harbour](h.png)\n\n[1]: /x\n"
    )
    assert markdown(source) == "See the docs, https://example.org and ref.\n\nA harbour"


def test_html_in_markdown_loses_its_tags_scripts_and_comments() -> None:
    source = """\
        <div align="center"><b>Shown</b><script>alert(1)</script></div>

        <!-- never -->

        Some <b>bold</b><!-- no --> text<script>alert(2)</script>, H<sub>2</sub>O &amp; caf&eacute; &lt;x&gt;.

        <style>
        p { color: red }
        </style>
        """
    assert markdown(source) == "Shown\n\nSome bold text, H2O & café <x>."


def test_the_first_top_heading_is_the_title_where_front_matter_names_none() -> None:
    assert load(b"## Sub\n\n# The *real* title\n\n# Other", "a.md").metadata.title == "The real title"
    assert load(b"---\ntitle: Stated\n---\n# Heading", "a.md").metadata.title == "Stated"
    assert load(b"## Sub\n\ntext", "a.md").metadata.title is None


def test_markdown_nested_beyond_reason_is_refused_and_not_cut() -> None:
    assert load((">" * 90 + " deep").encode(), "a.md").text == "deep"
    with pytest.raises(UnreadableDocument, match="nested deeper than 100 levels"):
        load((">" * 5000 + " deep").encode(), "a.md")


def test_a_flood_of_brackets_is_shown_as_typed() -> None:
    assert load(("[" * 200_000 + "a").encode(), "a.md").text == "[" * 200_000 + "a"


# ---- HTML -----------------------------------------------------------------------------------------------------------

ARTICLE = f"""
<nav><ul><li><a href="/">Home page</a></li></ul></nav>
<article><h1>Harbour closed</h1>
<p>{FILLER}It was
 <b>closed</b> on <a href="/x">Tuesday</a>.<br>Ships wait.</p>
<h2>Reasons</h2><ul><li>The river bed has risen.</li><li>The cranes are old.</li></ul>
<table><tr><th>Year</th><th>Ships</th></tr><tr><td>2024</td><td>1 200</td></tr></table>
<pre>first line
second line</pre>
<p>{FILLER * 2}</p><script>var x = "never";</script></article>
<footer>All rights reserved</footer>"""


def test_the_main_text_of_a_page_is_a_block_a_line() -> None:
    story = FILLER.strip()
    assert html(ARTICLE) == (
        f"Harbour closed\n\n{story} It was closed on Tuesday.\nShips wait.\n\nReasons\n\n"
        "The river bed has risen.\nThe cranes are old.\n\nYear | Ships\n2024 | 1 200\n\nfirst line\nsecond line\n\n"
        f"{story} {story}"
    )


def test_a_page_says_its_metadata() -> None:
    head = """
    <meta charset="utf-8"><title>Harbour closed - The Gazette</title>
    <meta name="author" content="Ada Byron"><meta property="og:site_name" content="The Gazette">
    <meta property="og:title" content="Harbour &amp; ships"><meta name="keywords" content="harbour, ships">
    <meta property="article:published_time" content="2026-01-10T08:00:00+09:00">
    <link rel="canonical" href="https://example.org/harbour">"""
    page = f'<html lang="en-GB"><head>{head}</head><body>{ARTICLE}</body></html>'
    assert load(page.encode(), "a.html").metadata == Metadata(
        title="Harbour & ships",
        author="Ada Byron",
        publisher="The Gazette",
        published_at="2026-01-10",
        language="en-GB",
        url="https://example.org/harbour",
        tags=("harbour", "ships"),
    )


def test_a_page_that_states_no_date_has_none() -> None:
    assert load(f"<body><p>{FILLER}Copyright 2019, 3 May 2020.</p>".encode(), "a.html").metadata.published_at is None


def test_where_no_main_text_stands_out_the_visible_text_is_taken() -> None:
    body = """<header>Site</header><div>Opening hours</div><div hidden>secret</div><p style="display: none">x</p>
    <table><tr><td>Mon</td><td>9 to 5</td></tr></table><aside>Ad</aside><script>no()</script>"""
    text = html(body, "<title>T</title><style>p {}</style>")
    assert text == "Opening hours\n\nMon | 9 to 5"


@pytest.mark.parametrize(
    "page",
    [
        b'<html><head><meta charset="shift_jis"></head><body><p>\x8d`\x82\xcd\x95\xc2\x8d\xbd\x82\xb3\x82\xea\x82\xbd',
        b"<meta http-equiv='Content-Type' content='text/html; charset=EUC-JP'><p>"
        b"\xb9\xc1\xa4\xcf\xca\xc4\xba\xbf\xa4\xb5\xa4\xec\xa4\xbf",
        '<meta charset="latin-1"><p>港は閉鎖された'.encode("utf-8-sig"),
        '<?xml version="1.0" encoding="utf-8"?><html><body><p>港は閉鎖された</p></body></html>'.encode(),
        "<p>港は閉鎖された".encode(),
    ],
)
def test_a_page_is_decoded_by_mark_then_declaration_then_utf8(page: bytes) -> None:
    assert load(page, "a.html").text == "港は閉鎖された"


def test_a_page_in_no_encoding_that_applies_is_refused() -> None:
    with pytest.raises(WrongEncoding, match="not utf-8: byte 0xe9 at offset 6"):
        load(b"<p>caf\xe9</p>", "a.html")
    assert load(b"<p>caf\xe9 latte</p>", "a.html", encoding="cp1252").text == "café latte"
    assert load(b"<meta charset='iso-8859-1'><p>5 \x80 a day</p>", "a.html").text == "5 € a day"


def test_a_closed_script_in_xhtml_does_not_swallow_the_page() -> None:
    page = '<?xml version="1.0"?><html><head><script src="x"/><title/></head><body><p>Shown text.</p></body></html>'
    assert load(page.encode(), "a.xhtml").text == "Shown text."


def test_text_that_a_page_hides_is_never_taken() -> None:
    data = f'{{"@type": "NewsArticle", "articleBody": "{FILLER}Never shown."}}'
    page = f'<script type="application/ld+json">{data}</script><p>Shown.</p><p hidden>{FILLER * 5}</p>'
    assert load(page.encode(), "a.html").text == "Shown."


def test_entities_and_control_references_are_harmless() -> None:
    page = "<!DOCTYPE html [<!ENTITY a 'boom'><!ENTITY b SYSTEM 'file:///etc/hostname'>]>"
    page += f"<p>{FILLER}A&amp;B&#1;&#x80;&#xD800; &a; &b; end.</p>"
    assert load(page.encode(), "a.html").text.split("\n")[-1] == f"{FILLER}A&B€\ufffd &a; &b; end."


@pytest.mark.parametrize(
    "page",
    [
        "<p>" * 5_000 + FILLER,
        "<b>" * 900 + FILLER,
        f"<p class='{'a' * 3_000_000}'>{FILLER}",
        f"<p {' '.join(f'a{number}' for number in range(100_000))}>{FILLER}",
        "<p @click='x' a:b='y' \"=1 <x>" + FILLER,
        "&amp;" * 50_000 + FILLER,
        "<![CDATA[<!--" * 100 + "-->" + FILLER,
        f"<script type='application/ld+json'>{'[' * 100_000}</script><p>{FILLER}",
        "<table><tr><td>" * 200 + FILLER,
        "<ul><li>" * 400 + FILLER,
    ],
)
def test_a_hostile_page_gives_its_text(page: str) -> None:
    assert FILLER.strip() in load(page.encode(), "a.html").text


def test_a_page_nested_a_hundred_thousand_deep_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="nested deeper than 1,000; simplify the page"):
        load(("<div>" * 100_000 + FILLER).encode(), "a.html")


def test_a_page_too_large_for_the_main_text_loses_nothing() -> None:
    page = "<title>Big</title>" + "".join(f"<p>Line {number}.</p>" for number in range(20_001))
    loaded = load(page.encode(), "a.html")
    assert loaded.text.split("\n\n") == [f"Line {number}." for number in range(20_001)]
    assert loaded.metadata.title == "Big"

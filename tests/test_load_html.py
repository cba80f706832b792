from __future__ import annotations

import pytest

from index.errors import UnreadableDocument, WrongEncoding
from index.load import load
from index.types import Metadata

FILLER = "The council met on Monday and agreed on the plan for the harbour, which had been under discussion since May. "


def html(body: str, head: str = "") -> str:
    return load(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode(), "a.html").text


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

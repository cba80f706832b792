"""JSON, JSON lines and tables: a record is a document, a row is a sentence."""

from __future__ import annotations

import json

import pytest

from index.errors import DocumentError, NoDocument, UnreadableDocument
from index.load import load, load_all
from index.types import Metadata


def records(content: object, sidecar: str | None = None) -> list[tuple[str, str, str | None]]:
    loaded = load_all(json.dumps(content).encode(), "a.json", sidecar=None if sidecar is None else sidecar.encode())
    assert loaded.failures == ()
    return [(one.member, one.text, one.metadata.title) for one in loaded.documents]


# ---- JSON -----------------------------------------------------------------------------------------------------------


def test_the_fields_of_a_news_record_are_known_by_their_usual_names() -> None:
    record = {
        "_id": {"$oid": "65a0"},
        "headline": "Harbour &amp; ships",
        "articleBody": "The harbour is closed.\n\nShips wait.",
        "authors": [{"name": "Ada Byron"}, "Grace Hopper"],
        "source": {"id": None, "name": "The Gazette"},
        "datePublished": "2026-01-10T08:00:00Z",
        "canonical_url": "https://example.org/harbour",
        "lang": "en",
        "keywords": ["harbour", {"name": "ships"}],
    }
    [document] = load_all(json.dumps([record]).encode(), "a.json").documents
    assert document.text == "The harbour is closed.\n\nShips wait."
    assert document.member == "65a0"
    assert document.metadata == Metadata(
        title="Harbour & ships",
        author="Ada Byron, Grace Hopper",
        publisher="The Gazette",
        published_at="2026-01-10T08:00:00+00:00",
        language="en",
        url="https://example.org/harbour",
        tags=("harbour", "ships"),
    )


@pytest.mark.parametrize(
    "content",
    [
        [{"id": "a", "text": "Boats."}],
        {"status": "ok", "articles": [{"id": "a", "text": "Boats."}]},
        {"data": [{"id": "a", "body": "Boats."}], "next": None},
        {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "a", "content_html": "<p>Boats.</p>"}]},
        [{"id": "a", "content": {"rendered": "<p>Boats.</p>"}}],
    ],
)
def test_records_are_found_in_an_array_or_in_an_object_around_one(content: object) -> None:
    assert records(content) == [("a", "Boats.", None)]


def test_one_record_alone_is_the_document() -> None:
    assert records({"id": "a", "title": "T", "text": "Boats."}) == [("", "Boats.", "T")]


def test_a_record_without_an_id_is_named_by_its_address_or_its_number() -> None:
    assert records([{"text": "One."}, {"text": "Two.", "link": "https://example.org/2"}]) == [
        ("1", "One.", None),
        ("https://example.org/2", "Two.", None),
    ]


def test_html_in_a_record_is_loaded_as_html_and_text_as_text() -> None:
    page = "<html><head><title>x</title></head><body><p>Boats &amp; nets.</p><script>no()</script></body></html>"
    assert records(
        [
            {"text": "<p>Boats &amp; nets.</p><p hidden>no</p><ul><li>Rope</li></ul>"},
            {"text": page},
            {"text": "If a < b, use the <b> tag.\nSecond line."},
            {"text": "Caf&eacute; &#8211; open"},
            {"text": ["First paragraph.", "Second."]},
        ]
    ) == [
        ("1", "Boats & nets.\n\nRope", None),
        ("2", "Boats & nets.", None),
        ("3", "If a < b, use the <b> tag.\nSecond line.", None),
        ("4", "Café – open", None),
        ("5", "First paragraph.\n\nSecond.", None),
    ]


def test_unix_time_is_a_date() -> None:
    for number in [1768032000, 1768032000.0, "1768032000", 1768032000123]:
        [document] = load_all(json.dumps([{"text": "Boats.", "created_at": number}]).encode(), "a.json").documents
        assert document.metadata.published_at == "2026-01-10T08:00:00+00:00"


def test_a_sidecar_names_the_fields_also_inside_of_objects() -> None:
    content = [{"key": "a", "meta": {"head": "H"}, "story": "Boats.", "text": "never", "title": "never"}]
    sidecar = "fields: {text: story, title: meta.head, id: key}"
    assert records(content, sidecar) == [("a", "Boats.", "H")]
    with pytest.raises(UnreadableDocument, match=r"a\.json#1: no text in it \(looked for tale\)"):
        load_all(b'[{"text": "Boats."}]', "a.json", sidecar=b"fields: {text: tale}")


def test_a_record_a_line_is_read_under_both_suffixes() -> None:
    lines = b'\xef\xbb\xbf{"id": 1, "text": "One."}\r\n\r\n{"id": 2, "text": "Two."}'
    for name in ["a.jsonl", "a.ndjson", "a.json"]:
        assert [(one.member, one.text) for one in load_all(lines, name).documents] == [("1", "One."), ("2", "Two.")]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b'{"text": "Boats."', "not JSON: Expecting ',' delimiter at line 1, column 18"),
        (b"[" * 100_000, "JSON nested too deep to be records"),
        (b'{"a":' * 100_000, "JSON nested too deep to be records"),
        (b'{"text": ' + b"1" * 5_000 + b"}", "JSON that cannot be read: Exceeds the limit"),
    ],
)
def test_broken_json_is_refused_with_the_reason(source: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        load_all(source, "a.json")
    assert caught.value.name == "a.json"
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b'"Boats."', "JSON, but no record"),
        (b'{"name": "a-package", "version": "1.0"}', "no text in it (looked for text, body, content"),
        (b'[{"id": 1}, {"id": 2}]', "none of its 2 parts can be read"),
    ],
)
def test_json_that_is_something_else_holds_no_document(source: bytes, reason: str) -> None:
    with pytest.raises(NoDocument) as caught:
        load_all(source, "a.json")
    assert caught.value.name.startswith("a.json")
    assert reason in caught.value.reason


# ---- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.csv", b'name,depth,note\nNorth,4.5,"closed,\nfor now"\n\nSouth,7,\n'),
        ("a.csv", b"name;depth;note\nNorth;4.5;closed, for now\nSouth;7;\n"),
        ("a.csv", "name|depth|note\r\nNorth|4.5|closed, for now\r\nSouth|7|\r\n".encode("utf-16")),
        ("a.tsv", b"name\tdepth\tnote\nNorth\t4.5\tclosed, for now\nSouth\t7\n"),
    ],
)
def test_a_row_is_a_sentence_on_a_line_of_its_own(name: str, source: bytes) -> None:
    assert load(source, name).text == "name: North; depth: 4.5; note: closed, for now.\nname: South; depth: 7."


def test_a_first_row_with_numbers_is_no_header_unless_they_are_years() -> None:
    assert load(b"North,4.5\nSouth,7\n", "a.csv").text == "North; 4.5.\nSouth; 7."
    assert load(b"port,2019,2020\nNorth,4,5\n", "a.csv").text == "port: North; 2019: 4; 2020: 5."
    assert load(b",port,depth\n0,North,4\n", "a.csv").text == "0; port: North; depth: 4."
    assert load(b"North,North\nSouth,East\n", "a.csv").text == "North; North.\nSouth; East."


def test_rows_are_documents_where_a_sidecar_says_which_column_is_text() -> None:
    table = b"head,story,when,num\nIn,The boats are in.,2026-01-10,1\nOut,,,2\n"
    sidecar = b"fields: {text: story, title: head, published_at: when, id: num}"
    loaded = load_all(table, "a.csv", sidecar=sidecar)
    [document] = loaded.documents
    assert (document.member, document.text) == ("1", "The boats are in.")
    assert document.metadata == Metadata(title="In", published_at="2026-01-10")
    assert [error.name for error in loaded.failures] == ["a.csv#2"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"," * 10_000_000, "line 1 has 10,000,000 characters, over 4,000,000"),
        (b"a," * 3_000, "row 1 has 3,001 columns, over 2,000"),
        (
            b'a,b\n"never closed,1\n' + b"row,2\n" * 30_000,
            "field larger than field limit (131072); look for a quotation",
        ),
        (b"a,b\n\x01\x02\x03\x04", "binary data"),
        (b",,,\n,,,\n", "no row in it"),
    ],
)
def test_a_table_beyond_reason_is_refused(source: bytes, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_all(source, "a.csv")
    assert reason in caught.value.reason

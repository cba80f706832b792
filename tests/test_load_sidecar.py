"""What a user says of a file beside it."""

from __future__ import annotations

import pytest

from index.errors import UnreadableDocument
from index.load import is_sidecar, load_all, sidecars_of
from index.types import Metadata


def test_a_sidecar_is_known_by_its_name() -> None:
    assert is_sidecar("folder/report.pdf.meta.yaml")
    assert is_sidecar("REPORT.PDF.META.YML")
    assert not is_sidecar("report.yaml")
    assert sidecars_of("a/report.pdf") == (
        "a/report.pdf.meta.yaml", "a/report.pdf.meta.yml", "a/report.meta.yaml", "a/report.meta.yml",
    )  # fmt: skip
    assert sidecars_of("report") == ("report.meta.yaml", "report.meta.yml")


def test_a_sidecar_wins_over_the_file_where_it_says_something() -> None:
    file = b"---\ntitle: Old\nauthor: Ada\nlanguage: en\n---\nBoats."
    sidecar = b"""\
title: "Boats: a report"
publisher: The Gazette
published_at: 2026-01-10   # the day it came out
language: no
url: https://example.org/boats
tags: [boats, nets]
"""
    [document] = load_all(file, "a.md", sidecar=sidecar).documents
    assert document.metadata == Metadata(
        title="Boats: a report",
        author="Ada",
        publisher="The Gazette",
        published_at="2026-01-10",
        language="no",
        url="https://example.org/boats",
        tags=("boats", "nets"),
    )


def test_title_and_address_are_those_of_one_document_only() -> None:
    lines = b'{"id": "x", "title": "One", "text": "Boats."}\n{"id": "y", "text": "Nets."}'
    sidecar = b"title: All\nurl: https://example.org\nauthor: Ada\npublished_at: 2026-01-10"
    one, two = load_all(lines, "a.jsonl", sidecar=sidecar).documents
    assert one.metadata == Metadata(title="One", author="Ada", published_at="2026-01-10")
    assert two.metadata == Metadata(author="Ada", published_at="2026-01-10")


def test_a_sidecar_says_the_encoding() -> None:
    [document] = load_all(b"caf\xe9", "a.txt", encoding="cp1251", sidecar=b"encoding: latin-1").documents
    assert document.text == "café"


@pytest.mark.parametrize("sidecar", [b"", b"# nothing yet\n", b"title:\nauthor: ~\nfields:\n"])
def test_an_empty_sidecar_says_nothing(sidecar: bytes) -> None:
    [document] = load_all(b"Boats.", "a.txt", sidecar=sidecar).documents
    assert document.metadata == Metadata()


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        (b"title: a: b", "not sound YAML (line 1: mapping values are not allowed"),
        (b"title: &a [x]\ntags: [*a, *a]", "aliases are not allowed"),
        (b"title: " + b"[" * 600, "nested too deep"),
        (b"title: " + b"x" * 70_000, "a sidecar of 68 KiB, over the limit of 64 KiB"),
        (b"title: caf\xe9", "not UTF-8 at byte 10"),
        (b"- title", "not a list of"),
        (b"titel: Boats", "unknown key 'titel'; known are title, author"),
        (b"published_at: 01/02/2026", "published_at '01/02/2026' is not an ISO 8601 date"),
        (b"language: English, mostly", "is not a BCP 47 tag"),
        (b"url: boats.html", "is not a whole http or https address"),
        (b"encoding: klingon", "unknown encoding: klingon"),
        (b"fields: story", "fields must name one field each"),
        (b"fields: {story: text}", "unknown key 'story' in fields; known are text, id, title"),
        (b"fields: {text: [a, b]}", "fields must name one field each"),
    ],
)
def test_a_broken_sidecar_is_an_error_that_names_it(sidecar: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        load_all(b"Boats.", "a.txt", sidecar=sidecar)
    assert caught.value.name == "a.txt.meta.yaml"
    assert reason in caught.value.reason

from __future__ import annotations

from textwrap import dedent

import pytest

from index.errors import UnreadableDocument
from index.load import load
from index.load.metadata import describe, http_url, iso_date, language_tag
from index.types import Metadata

FILLER = "The council met on Monday and agreed on the plan for the harbour, which had been under discussion since May. "


def text_of(source: str, name: str = "a.txt") -> str:
    return load(dedent(source).encode(), name).text


# ---- plain text ---------------------------------------------------------------------------------------------------


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
        ("2026-01-10 14:30:00 UTC", "2026-01-10T14:30:00+00:00"),
        ("Sat, 10 Jan 2026 08:00:00 GMT", "2026-01-10T08:00:00+00:00"),
        ("10 Jan 2026 08:00 +0900", "2026-01-10T08:00:00+09:00"),
        ("Sat, 10 Jan 2026 08:00:00 -0800 (PST)", "2026-01-10T08:00:00-08:00"),
        ("Sat, 30 Feb 2026 08:00:00 GMT", None),
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

from __future__ import annotations

from textwrap import dedent

import pytest

from index.errors import UnreadableDocument
from index.load import load


def markdown(source: str) -> str:
    return load(dedent(source).encode(), "a.md").text


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

"""Markdown → the text that a reader sees, a block a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from index.errors import UnreadableDocument
from index.load.blocks import Blocks
from index.load.frontmatter import split_front_matter
from index.load.markup import UNSEEN, visible_text
from index.load.normalise import without_controls
from index.load.text import metadata_of
from index.types import LoadedDocument

_LEVELS = 100
# Many "[" in one block take quadratic time; a block of more is shown as it was typed.
_BRACKETS = 1_000
_PARSER = MarkdownIt("commonmark", {"maxNesting": _LEVELS}).enable(["table", "strikethrough"]).disable("inline")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)")
_TASK = re.compile(r"\A\[[ xX]\] ")
# What the parser notes of the whole document, such as the targets of reference links.
Env = MutableMapping[str, object]


def load_markdown(source: str, name: str) -> LoadedDocument:
    """Return the rendered text and the front matter's metadata; the title is the front matter's, else the first H1.

    :raises UnreadableDocument: broken front matter, or lists and quotes nested deeper than 100 levels.
    """
    header, body = split_front_matter(without_controls(source), name)
    env: Env = {}
    tokens = _PARSER.parse(body, env)
    # The parser drops in silence what is nested deeper.
    if any(token.level >= _LEVELS - 1 for token in tokens):
        raise UnreadableDocument(name, f"lists or quotes nested deeper than {_LEVELS} levels; simplify the file")
    blocks = Blocks()
    for token in tokens:
        _render(token, env, blocks, name)
    return LoadedDocument(text=blocks.result(), metadata=metadata_of(header, _first_heading(tokens, env)))


def _first_heading(tokens: Sequence[Token], env: Env) -> str | None:
    for token, inside in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            return "".join(_inline_parts(inside.content, env))
    return None


def _render(token: Token, env: Env, blocks: Blocks, name: str) -> None:
    if token.type == "inline":
        _render_inline(_TASK.sub("", token.content), env, blocks)
    elif token.type in {"fence", "code_block"}:
        blocks.start("pre")
        blocks.text(token.content)
        blocks.end("pre")
    elif token.type == "html_block":
        blocks.start("pre")
        blocks.text(visible_text(token.content, name, UNSEEN))
        blocks.end("pre")
    elif token.nesting > 0:
        blocks.start(token.tag)
    elif token.nesting < 0:
        blocks.end(token.tag)
    else:
        blocks.start("hr")


def _render_inline(content: str, env: Env, blocks: Blocks) -> None:
    for text in _inline_parts(content, env):
        if text == "\n":
            blocks.start("br")
        else:
            blocks.text(text)


def _inline_parts(content: str, env: Env) -> Iterator[str]:
    r"""Yield the visible pieces of a block; a "\n" alone is a hard line break."""
    if content.count("[") > _BRACKETS:
        yield content.replace("\n", " ")
        return
    tokens: list[Token] = []
    _PARSER.inline.parse(content, _PARSER, env, tokens)
    unseen = ""
    for token in tokens:
        if token.type == "html_inline":
            found = _TAG.match(token.content)
            closing, tag = (found[1], found[2].lower()) if found else ("", "")
            if tag == "br" and not unseen:
                yield "\n"
            elif tag == unseen and closing:
                unseen = ""
            elif tag in UNSEEN and not closing and not unseen and not token.content.endswith("/>"):
                unseen = tag
        elif not unseen:
            yield _visible(token)


def _visible(token: Token) -> str:
    if token.type == "softbreak":
        return " "
    if token.type == "hardbreak":
        return "\n"
    if token.type == "image":
        return "".join(_visible(child) for child in token.children or ())
    # Emphasis and links open and close with empty content.
    return token.content

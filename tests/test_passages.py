from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.load.normalise import normalise
from index.passages import Cut, PassagePolicy, cut
from index.sentences import split
from index.types import Kind, Sentence, Span

SHORT = PassagePolicy(tokens=10, overlap=1)


def sentences_of(kinds: Sequence[Kind]) -> list[Sentence]:
    """Return sentences of one character each, with a line break between them."""
    return [Sentence(Span(2 * i, 2 * i + 1), kind) for i, kind in enumerate(kinds)]


def places(cuts: Sequence[Cut]) -> list[list[int]]:
    """Return for each passage which of the sentences made by `sentences_of` it holds."""
    return [[s.span.start // 2 for s in c.sentences] for c in cuts]


B, H, C, R, N = Kind.BODY, Kind.HEADING, Kind.CAPTION, Kind.CREDIT, Kind.NAVIGATION


@pytest.mark.parametrize(
    ("kinds", "tokens", "expected"),
    [
        ([], [], []),
        ([B], [3], [[0]]),
        ([B, B], [5, 5], [[0, 1]]),
        # The last sentence is repeated, if it takes less than half of the passage.
        ([B, B, B], [4, 4, 4], [[0, 1], [1, 2]]),
        ([B, B, B], [4, 6, 4], [[0, 1], [2]]),
        ([B, B, B], [4, 4, 8], [[0, 1], [2]]),
        # One sentence alone may be longer.
        ([B, B, B], [3, 30, 3], [[0], [1], [2]]),
        # A heading opens a passage, and is never left behind at the end of one.
        ([H, B], [2, 5], [[0, 1]]),
        ([B, H, B], [4, 2, 4], [[0, 1, 2]]),
        ([B, H, B], [4, 4, 4], [[0], [1, 2]]),
        ([B, B, H, B], [4, 3, 2, 5], [[0, 1], [1, 2, 3]]),
        ([B, H], [4, 2], [[0], [1]]),
        ([B, H, C], [4, 2, 2], [[0], [1], [2]]),
        ([H, H, B], [2, 2, 5], [[0, 1, 2]]),
        # Heading and sentence do not fit together: two passages.
        ([H, B], [4, 8], [[0], [1]]),
        ([B, H, B], [4, 4, 8], [[0], [1], [2]]),
        # A passage of repeated sentences only says nothing new.
        ([B, B, H, H, B], [4, 4, 2, 6, 4], [[0, 1], [2, 3], [4]]),
        # Captions and credits are apart; navigation is in none, and none reaches across it.
        ([B, C, B], [1, 1, 1], [[0], [1], [2]]),
        ([B, C, C, R, B], [1, 1, 1, 1, 1], [[0], [1, 2], [3], [4]]),
        ([B, N, B], [1, 1, 1], [[0], [2]]),
        ([N, N], [1, 1], []),
        # A caption is not repeated.
        ([C, C, C], [4, 4, 4], [[0, 1], [2]]),
    ],
)
def test_where_passages_are_cut(kinds: list[Kind], tokens: list[int], expected: list[list[int]]) -> None:
    assert places(cut(sentences_of(kinds), tokens, SHORT)) == expected


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [(0, [[0, 1, 2, 3], [4]]), (2, [[0, 1, 2, 3], [2, 3, 4]]), (9, [[0, 1, 2, 3], [4]])],
)
def test_as_many_sentences_are_repeated_as_the_policy_says(overlap: int, expected: list[list[int]]) -> None:
    # Of 9 tokens, four sentences of 2 fit; two of them are less than half of it, four are not.
    cuts = cut(sentences_of([B] * 5), [2] * 5, PassagePolicy(tokens=9, overlap=overlap))
    assert places(cuts) == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(0, 14)), max_size=40),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_the_promises_of_passages_hold(pairs: list[tuple[Kind, int]], limit: int, overlap: int) -> None:
    sentences = sentences_of([kind for kind, _ in pairs])
    tokens = [count for _, count in pairs]
    cuts = cut(sentences, tokens, PassagePolicy(limit, overlap))
    wanted = {i for i, (kind, _) in enumerate(pairs) if kind is not Kind.NAVIGATION}
    seen: set[int] = set()
    for held, made in zip(places(cuts), cuts, strict=True):
        assert held == list(range(held[0], held[-1] + 1))
        assert made.span == Span(2 * held[0], 2 * held[-1] + 1)
        assert len(held) == 1 or sum(tokens[i] for i in held) <= limit
        assert set(held) - seen
        kinds = {pairs[i][0] for i in held}
        if kinds & {Kind.CAPTION, Kind.CREDIT}:
            assert len(kinds) == 1
        if kinds != {Kind.HEADING}:
            assert pairs[held[-1]][0] is not Kind.HEADING
        assert len(set(held) & seen) <= overlap
        seen |= set(held)
    assert seen == wanted


@settings(max_examples=50, deadline=None)
@given(st.text().map(normalise))
def test_every_passage_is_a_slice_of_its_text_made_of_whole_sentences(text: str) -> None:
    sentences = split(text)
    cuts = cut(sentences, [len(s.span.of(text).split()) for s in sentences], SHORT)
    for made in cuts:
        assert made.span.of(text).startswith(made.sentences[0].span.of(text))
        assert made.span.of(text).endswith(made.sentences[-1].span.of(text))
        assert set(made.sentences) <= set(sentences)


def test_very_many_sentences_without_tokens_take_no_quadratic_time() -> None:
    # Lines of zero-width characters: real, hostile, and 0 tokens for the embedder.
    assert len(cut(sentences_of([B] * 200_000), [0] * 200_000, PassagePolicy())) == 1

from hypothesis import given
from hypothesis import strategies as st

from index.types import Passage
from qa.fuse import fuse
from tests.world import passage

CAT, DOG, EEL = (
    passage(text, number=n, uri=f"{n}.txt") for n, text in enumerate(("A cat sat.", "A dog ran.", "An eel swam."), 1)
)
SCORE = st.integers(0, 8).map(lambda eighths: eighths / 8)


def order(cosines: list[float], shares: list[float], words: float = 0.5) -> list[Passage]:
    return [hit.passage for hit in fuse([CAT, DOG, EEL], cosines, shares, words=words)]


def test_a_passage_that_both_like_beats_one_that_only_one_likes_best() -> None:
    assert order([0.5, 0.375, 0.125], [0.0, 8.0, 9.0]) == [DOG, EEL, CAT]


def test_the_score_is_the_cosine_and_the_share_of_the_best_match_by_words() -> None:
    fused = fuse([CAT, DOG, EEL], [0.25, 0.5, 0.125], [8.0, 0.0, 4.0], words=0.5)
    assert [(hit.passage, hit.score, hit.rank) for hit in fused] == [(CAT, 0.75, 1), (DOG, 0.5, 2), (EEL, 0.375, 3)]


def test_how_much_words_count_can_be_said() -> None:
    assert order([0.25, 0.5, 0.0], [8.0, 0.0, 0.0], words=0.125) == [DOG, CAT, EEL]
    assert order([0.25, 0.5, 0.0], [8.0, 0.0, 0.0], words=1.0) == [CAT, DOG, EEL]


def test_where_no_word_is_shared_the_nearest_is_best() -> None:
    fused = fuse([CAT, DOG], [-0.25, 0.5], [0.0, 0.0])
    assert [(hit.passage, hit.score) for hit in fused] == [(DOG, 0.5), (CAT, -0.25)]


def test_ties_go_to_what_sorts_first() -> None:
    assert [hit.passage for hit in fuse([EEL, DOG, CAT], [0.5] * 3, [2.0] * 3)] == [CAT, DOG, EEL]


def test_nothing_fused_is_nothing() -> None:
    assert fuse([], [], []) == []


@given(st.lists(st.tuples(SCORE, SCORE), min_size=3, max_size=3))
def test_what_is_better_by_both_comes_first(known: list[tuple[float, float]]) -> None:
    ranks = {hit.passage.id: hit.rank for hit in fuse([CAT, DOG, EEL], *zip(*known, strict=True))}
    assert sorted(ranks.values()) == [1, 2, 3]
    better = [
        (one, other)
        for one in range(3)
        for other in range(3)
        if all(a > b for a, b in zip(known[one], known[other], strict=True))
    ]
    assert all(ranks[one + 1] < ranks[other + 1] for one, other in better)

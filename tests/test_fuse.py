from index.types import Hit
from qa.fuse import fuse
from tests.world import passage

CAT, DOG, EEL = (
    passage(text, number=n, uri=f"{n}.txt") for n, text in enumerate(("A cat sat.", "A dog ran.", "An eel swam."), 1)
)


def test_a_passage_that_both_rankings_like_beats_one_that_only_one_likes_best() -> None:
    first = [Hit(CAT, 9.0, 1), Hit(DOG, 8.0, 2)]
    second = [Hit(EEL, 0.9, 1), Hit(DOG, 0.8, 2)]
    assert [hit.passage for hit in fuse([first, second])] == [DOG, CAT, EEL]


def test_scores_are_the_sums_of_reciprocal_ranks() -> None:
    fused = fuse([[Hit(CAT, 9.0, 1)], [Hit(DOG, 0.9, 1), Hit(CAT, 0.8, 2)]], k=60)
    assert [(hit.passage, hit.score, hit.rank) for hit in fused] == [(CAT, 1 / 61 + 1 / 62, 1), (DOG, 1 / 61, 2)]


def test_ties_do_not_depend_on_the_order_of_the_rankings() -> None:
    one, other = [Hit(DOG, 1.0, 1)], [Hit(CAT, 1.0, 1)]
    assert fuse([one, other]) == fuse([other, one])


def test_nothing_fused_is_nothing() -> None:
    assert fuse([[], []]) == []

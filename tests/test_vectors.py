from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.quantising import USUAL, Quantising
from index.vectors import VectorIndex
from tests.drawn import DIMENSIONS, Generations, brute_force, unit

# Vectors in lists from the fifth passage on: so few that every list is looked through.
SOON = Quantising(first=5)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Generations]:
    generations = Generations(tmp_path)
    yield generations
    generations.library.close()


@pytest.mark.parametrize("quantising", [USUAL, SOON], ids=["exact", "in lists"])
@settings(max_examples=20, deadline=None)
@given(steps=st.lists(st.tuples(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19))), min_size=1, max_size=6))
def test_brought_forward_it_is_the_same_as_built_anew_and_as_brute_force(
    tmp_path_factory: pytest.TempPathFactory, quantising: Quantising, steps: list[tuple[set[int], set[int]]]
) -> None:
    made = Generations(tmp_path_factory.mktemp("vectors"), quantising)
    try:
        held: set[int] = set()
        first = VectorIndex.build(made.library, DIMENSIONS, 0)
        stepwise = first
        for added, removed in steps:
            gone = held & removed
            fresh = sorted(added - held)
            number = made.commit(fresh, sorted(gone))
            held = (held | set(fresh)) - gone
            before = stepwise.ids(), stepwise.search(unit(1), 30)
            following = stepwise.forward(made.library, number)
            # The one it came from still answers as before.
            assert (stepwise.ids(), stepwise.search(unit(1), 30)) == before
            stepwise = following
        number = len(steps)
        built = VectorIndex.build(made.library, DIMENSIONS, number)
        at_once = first.forward(made.library, number)
        truth = brute_force(made.library, number, unit(2))
        for index in (stepwise, at_once, built):
            assert index.generation == number
            assert index.ids() == made.library.live_ids(number)
            assert len(index) == len(held)
            for limit in (1, 3, 100):
                found = index.search(unit(2), limit)
                assert [score for _, score in found] == pytest.approx(
                    sorted(truth.values(), reverse=True)[:limit], abs=1e-5
                )
                assert {n: truth[n] for n, _ in found} == pytest.approx(dict(found), abs=1e-5)
                assert len({n for n, _ in found}) == len(found)
                # To the last bit, whatever it was made from.
                assert found == built.search(unit(2), limit)
    finally:
        made.library.close()


def test_scores_are_cosines_best_first(made: Generations) -> None:
    made.commit(list(range(20)), [])
    index = VectorIndex.build(made.library, DIMENSIONS, 1)
    for ids, vectors in made.library.vectors(made.library.live_ids(1)):
        for number, vector in zip(ids, vectors, strict=True):
            best = index.search(vector / np.linalg.norm(vector), 5)
            assert best[0][1] == pytest.approx(1.0, abs=1e-5)
            assert number in {n for n, score in best if score > 1 - 1e-5}
            assert [score for _, score in best] == sorted((score for _, score in best), reverse=True)


def test_equal_vectors_have_equal_scores_wherever_they_stand(made: Generations) -> None:
    # 0, 9 and 18 are drawn alike.
    for seed in range(19):
        made.commit([seed], [])
    index = VectorIndex.build(made.library, DIMENSIONS, 19)
    scores = dict(index.search(unit(3), 19))
    assert scores[1] == scores[10] == scores[19]


def test_an_empty_index_finds_nothing(made: Generations) -> None:
    index = VectorIndex.build(made.library, DIMENSIONS, 0)
    assert (len(index), index.ids(), index.search(unit(0), 5)) == (0, [], [])
    made.commit([1], [])
    index = index.forward(made.library, 1)
    assert index.search(unit(0), 0) == []
    made.commit([], [1])
    assert index.forward(made.library, 2).search(unit(0), 5) == []

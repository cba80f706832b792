import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from index.errors import ModelError
from index.types import Hit
from qa import calibrate
from qa.calibrate import LARGEST_LEAD, Calibration, lead
from qa.features import Features, Sought
from qa.read import MODEL_FOLDER, shipped, together
from qa.types import Retrieved
from tests.world import PIECE, by_score, in_piece, kept

WHY = Sought("Why?", [Retrieved(Hit(PIECE, 0.03, 2), 0.7)])


def table() -> Calibration:
    """A table that looks at nothing but the score."""
    return Calibration("r", by_score(1.0), by_score(1.0), 0.0, 0.0, kept(0.5), ())


def test_the_heaviest_candidate_comes_first() -> None:
    low, high = in_piece("January 6", 1.0), in_piece("sudden", 2.0)
    assert [w.candidate for w in table().weigh(WHY, [low, high])] == [high, low]


def test_probability_rises_with_the_weight_and_stays_inside_zero_and_one() -> None:
    chances = [table().probability(table().weigh(WHY, [in_piece("sudden", s)])) for s in (-1e6, 0.0, 1.0, 1e6)]
    assert chances == sorted(chances)
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert chances[1] == 0.5


def test_a_rival_in_another_sentence_makes_less_sure_and_one_in_the_same_sentence_does_not() -> None:
    best, same, other = in_piece("January 6", 3.0), in_piece("export ban", 2.0), in_piece("sudden", 2.0)
    weighed = {c.text: table().weigh(WHY, [best, c]) for c in (same, other)}
    assert lead(weighed["export ban"]) == LARGEST_LEAD
    assert lead(weighed["sudden"]) == 1.0


def test_no_candidate_has_no_chance() -> None:
    assert table().probability([]) == 0.0


def test_a_table_for_other_features_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="2 weights for 11 features"):
        Calibration("r", (1.0, 2.0), (1.0, 2.0), 0.0, 0.0, kept(0.5), ())


def test_the_shipped_table_belongs_to_the_shipped_readers() -> None:
    table = calibrate.load(together(*shipped(1)))
    assert len(table.weights) == len(fields(Features))
    assert 0.0 < table.standard.threshold < 1.0


def test_a_table_fitted_for_another_reader_is_refused() -> None:
    with pytest.raises(ModelError, match="was fitted for"):
        calibrate.load("another reader")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 99}, "format 99"), ({"features": ["score"]}, "other features"), ({"weights": None}, "no usable")],
)
def test_a_table_of_another_make_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    raw = json.loads((MODEL_FOLDER / "calibration.json").read_text())
    (tmp_path / "calibration.json").write_text(json.dumps({**raw, **change}))
    with pytest.raises(ModelError, match=message):
        calibrate.load(raw["reader"], folder=tmp_path)


def test_a_missing_table_is_an_error_that_says_so(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    with pytest.raises(ModelError, match="no usable calibration"):
        calibrate.load("r", folder=tmp_path)

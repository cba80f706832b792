import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from index.errors import ModelError
from index.terms import analyze
from index.types import Hit, Span
from qa import calibrate
from qa.calibrate import LARGEST_LEAD, Calibration, Features, content_words, features, lead, name_words
from qa.read import MODEL_FOLDER, shipped, together
from qa.types import Candidate, Retrieved
from tests.world import kept, passage

PIECE = passage("China announced the export ban on January 6. It was sudden.", title="Rare earths")


def at(short: str, score: float) -> Candidate:
    start = PIECE.text.index(short)
    span = Span(start, start + len(short))
    return Candidate(PIECE, next(s for s in PIECE.sentences if s.span.covers(span)), span, score)


SCORE_ONLY = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FOUND = [Retrieved(Hit(PIECE, 0.03, 2), 0.7)]


def table() -> Calibration:
    """A table that looks at nothing but the score."""
    return Calibration("r", SCORE_ONLY, SCORE_ONLY, 0.0, 0.0, kept(0.5), ())


def test_question_words_are_no_content() -> None:
    assert content_words("When did they announce it?") == content_words("announced")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Has Japan gone to the World Trade Organization?", "Japan World Trade Organization"),
        ("China or 2014?", "2014"),  # the first word is a capital in any case
        ("who said so?", ""),
    ],
)
def test_names_are_capitalised_words_and_numbers(query: str, names: str) -> None:
    assert name_words(query) == set(analyze(names))


@pytest.mark.parametrize(
    ("text", "query", "coverage"),
    [
        ("File photo: a mine. Taken by A. Reporter", "Which agency is credited for the photo?", 2 / 3),
        ("Reported by A. Writer; translated by Others", "May I reprint it?", 1.0),
        ("China announced the ban on January 6.", "Who is credited for the ban?", 0.5),
    ],
)
def test_a_credit_line_holds_what_a_question_calls_it(text: str, query: str, coverage: float) -> None:
    piece = passage(text, title="A")
    candidate = Candidate(piece, piece.sentences[0], piece.sentences[0].span, 1.0)
    (seen,) = features(query, [candidate], [Retrieved(Hit(piece, 0.03, 1), 0.7)])
    assert seen.passage_coverage == pytest.approx(coverage)


def test_features_say_what_is_known_of_a_candidate() -> None:
    query = "When did China announce the seafood ban on rare things to Japan?"
    (seen,) = features(query, [at("January 6", 5.0)], FOUND)
    # content: china announc seafood ban rare thing japan; "rare" stands only in the title,
    # "seafood", "thing" and "Japan" nowhere
    assert seen == Features(
        score=5.0,
        cosine=0.7,
        rank=0.5,
        passage_coverage=4 / 7,
        sentence_coverage=3 / 7,
        name_coverage=1 / 2,
        kind_fits=1.0,
    )


def test_the_heaviest_candidate_comes_first() -> None:
    low, high = at("January 6", 1.0), at("sudden", 2.0)
    assert [w.candidate for w in table().weigh("Why?", [low, high], FOUND)] == [high, low]


def test_probability_rises_with_the_weight_and_stays_inside_zero_and_one() -> None:
    chances = [table().probability(table().weigh("Why?", [at("sudden", s)], FOUND)) for s in (-1e6, 0.0, 1.0, 1e6)]
    assert chances == sorted(chances)
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert chances[1] == 0.5


def test_a_rival_in_another_sentence_makes_less_sure_and_one_in_the_same_sentence_does_not() -> None:
    best, same, other = at("January 6", 3.0), at("export ban", 2.0), at("sudden", 2.0)
    weighed = {c.text: table().weigh("Why?", [best, c], FOUND) for c in (same, other)}
    assert lead(weighed["export ban"]) == LARGEST_LEAD
    assert lead(weighed["sudden"]) == 1.0


def test_no_candidate_has_no_chance() -> None:
    assert table().probability([]) == 0.0


def test_a_table_for_other_features_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="2 weights for 7 features"):
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

"""api/evaluation.py and the command `eval`: what is printed, what is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import cli
from api.evaluation import check_places, comparison_json, evaluation_lines, keep
from index.embed import Embedder
from index.errors import EvaluationError
from qa.evaluation.compare import compare
from qa.evaluation.runs import run_of
from tests.judged import FOUR, outcome, report

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
LINES = (SEEDS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
ESCAPE = "\x1b[31m"


# ---- what is printed -----------------------------------------------------------------------------------------------


def test_bad_questions_come_first_then_the_rates() -> None:
    lines = list(evaluation_lines(report(*FOUR), each=False))
    assert lines[:5] == [
        "BAD 0.70 Who went?",
        "          → “Words about Who went?” [1]",
        "BAD 0.30 Who stayed?",
        "          → —",
        "questions                    4",
    ]
    assert "right when answered          0.5" in lines
    assert "ok  0.90 Who came?" in evaluation_lines(report(*FOUR), each=True)


def test_the_intervals_name_their_seed() -> None:
    lines = list(evaluation_lines(report(*FOUR), each=False, seed=9))
    (head,) = [line for line in lines if line.startswith("95 %")]
    assert "seed 9" in head
    assert "silent (of unanswerable)     1.000 – 1.000" in lines


def test_the_curves_are_tables() -> None:
    lines = list(evaluation_lines(report(*FOUR), each=False))
    assert "0.7 – 0.8            1   0.700   0.000   0.000 – 0.793" in lines
    assert "0.2              0.750          1.000                0.333              1.000" in lines
    assert "0.5 *            0.500          0.667                0.500              1.000" in lines
    assert "0.9              0.250          0.333                0.000              1.000" in lines


def test_a_comparison_says_what_changed_and_what_may_be_chance() -> None:
    before = [outcome(f"q{n}", 0.9, right=n >= 7) for n in range(8)]
    now = [outcome(f"q{n}", 0.9, right=n < 7) for n in range(8)]
    runs = [run_of(report(*asked), date="2026-01-09", models={}) for asked in (before, now)]
    lines = list(evaluation_lines(report(*now), compare(*runs), each=False))
    assert (
        "compared with the run of 2026-01-09, generation 3: 8 questions in common, 0 only now, 0 only then, "
        "0 with other labels"
    ) in lines
    assert any(line.startswith("right or rightly silent      0.125 → 0.875   +0.750 (") for line in lines)
    assert f"{'':28} 7 better, 1 worse of 8; p = 0.070 (McNemar, exact)" in lines
    assert "better  wrong → right: q0" in lines
    assert "worse   right → wrong: q7" in lines
    told = comparison_json(compare(*runs))
    assert told["worse"] == [{"question": "q7", "before": "right", "now": "wrong"}]
    assert json.loads(json.dumps(told))["differences"][0]["p"] == pytest.approx(18 / 256)


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    hostile = outcome(ESCAPE, 0.9, shown=ESCAPE)
    bad = outcome(ESCAPE, 0.9, right=True)
    runs = [
        run_of(report(one), date=ESCAPE, models={"reader": str(n) + ESCAPE}) for n, one in enumerate((bad, hostile))
    ]
    assert "\x1b" not in "\n".join(evaluation_lines(report(hostile), compare(*runs), each=True))


# ---- what is kept --------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    place = tmp_path / "run.json"
    keep(place, "first")
    keep(place, "“second”")
    assert place.read_text(encoding="utf-8") == "“second”"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "run.json"
    place.mkdir()
    with pytest.raises(EvaluationError, match=r"run\.json: cannot be written"):
        keep(place, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("name", ["none/run.json", ".", "questions.jsonl", "other.html"])
def test_a_place_where_something_would_be_lost_is_refused(tmp_path: Path, name: str) -> None:
    questions = tmp_path / "questions.jsonl"
    with pytest.raises(EvaluationError, match=r"name (a|another) file"):
        check_places(questions, [tmp_path / "other.html", tmp_path / name])
    check_places(questions, [tmp_path / "other.html", tmp_path / "run.json"])


# ---- the command ---------------------------------------------------------------------------------------------------

Evaluate = Callable[..., Result]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, embedder: Embedder, seeds_library: Path, tmp_path: Path) -> Evaluate:
    """Return what runs `citespan eval` on three questions of the seeds, with the embedder that is loaded already."""
    monkeypatch.setattr("api.wiring.open_embedder", lambda settings: embedder)
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join([*LINES[:2], LINES[70]]), encoding="utf-8")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(
            cli.app, ["--library", str(seeds_library), "eval", str(questions), *map(str, arguments)]
        )

    return run


def as_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_run_is_kept_and_a_later_one_compared_with_it(evaluate: Evaluate, tmp_path: Path) -> None:
    first = as_json(evaluate("--json", "--save", tmp_path / "run.json", "--html", tmp_path / "report.html"))
    assert "comparison" not in first
    again = as_json(evaluate("--json", "--compare", tmp_path / "run.json", "--save", tmp_path / "run.json"))
    found = again["comparison"]
    assert (found["common"], found["better"], found["worse"], found["changed"]) == (3, [], [], {})
    assert {name: again[name] for name in first if name != "median milliseconds"} == {
        name: value for name, value in first.items() if name != "median milliseconds"
    }
    kept = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert set(kept["models"]) == {"embedder", "reader", "configuration", "made by"}
    assert [one["question"] for one in kept["asked"]] == [one["question"] for one in first["each"]]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "questions.jsonl" in text


@pytest.mark.parametrize("option", ["--save", "--compare", "--html"])
def test_a_file_that_will_not_do_is_told_before_anything_is_asked(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    def load(settings: object) -> Embedder:
        raise AssertionError("a model was loaded for nothing")

    monkeypatch.setattr("api.wiring.open_embedder", load)
    result = evaluate(option, tmp_path / "none" / "file")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(tmp_path / "none" / "file") in result.stderr
    told = evaluate(option, tmp_path / "none" / "file", "--json")
    assert json.loads(told.stdout)["error"]["code"] == "evaluation-error"

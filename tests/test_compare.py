"""qa/evaluation/runs.py and qa/evaluation/compare.py"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import EvaluationError
from qa.evaluation import runs
from qa.evaluation.compare import compare
from qa.evaluation.outcomes import Outcome, Verdict
from qa.evaluation.runs import Run, read_run, run_of, to_text
from tests.judged import FOUR, outcome, report

MODELS = {"reader": "r:1", "embedder": "e:1"}


def run(*outcomes: Outcome, date: str = "2026-01-10", reader: str = "r:1") -> Run:
    return run_of(report(*outcomes), date=date, models=MODELS | {"reader": reader})


def saved(tmp_path: Path, kept: Run) -> Path:
    file = tmp_path / "run.json"
    file.write_text(to_text(kept), encoding="utf-8")
    return file


# ---- kept ----------------------------------------------------------------------------------------------------------


def test_a_run_that_was_kept_comes_back_the_same(tmp_path: Path) -> None:
    kept = run(*FOUR, outcome("“Ünicode” \\ </script>", 0.6, conversation="c"))
    assert read_run(saved(tmp_path, kept)) == kept


def test_a_run_of_nothing_is_a_run(tmp_path: Path) -> None:
    assert read_run(saved(tmp_path, run())).asked == ()


def test_it_says_when_it_was_made_and_with_what(tmp_path: Path) -> None:
    told = json.loads(saved(tmp_path, run(*FOUR)).read_text(encoding="utf-8"))
    assert (told["format"], told["date"], told["generation"], told["models"]) == (1, "2026-01-10", 3, MODELS)
    assert told["rates"]["right when answered"] == 0.5


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw.pop(name)


def _asked(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw["asked"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("kind"), "not a saved evaluation"),
        (lambda raw: raw.update(format=2), "has format 2, this version reads 1"),
        (lambda raw: raw.update(format=None), "has format None"),
        (_without("date"), "`date` is missing"),
        (lambda raw: raw.update(generation=-1), "`generation`: -1 is not a number from 0 on"),
        (lambda raw: raw.update(models=[]), "`models`: \\[\\] is not an object"),
        (lambda raw: raw.update(asked={}), "`asked`: {} is not a list"),
        (lambda raw: raw["asked"].append(3), "3 is not an object"),
        (_asked(right="yes"), "`right`: 'yes' is not true or false"),
        (_asked(f1=float("nan")), "`f1`: nan is not a number"),
        (_asked(question=None), "`question`: None is not a text"),
        (_asked(number=True), "`number`: True is not a number"),
    ],
)
def test_a_damaged_run_is_refused_naming_what_is_wrong(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    raw = json.loads(to_text(run(*FOUR)))
    change(raw)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(raw))
    with pytest.raises(EvaluationError, match=message):
        read_run(file)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"{", b"[" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}"])
def test_what_is_no_run_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"run\.json"):
        read_run(file)


def test_a_missing_or_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_run(tmp_path / "none.json")
    monkeypatch.setattr(runs, "LARGEST_FILE", 10)
    with pytest.raises(EvaluationError, match="larger than 10 bytes"):
        read_run(saved(tmp_path, run()))


# ---- compared ------------------------------------------------------------------------------------------------------


def test_a_run_compared_with_itself_shows_no_difference() -> None:
    found = compare(run(*FOUR), run(*FOUR))
    assert (found.common, found.better, found.worse, found.changed) == (4, (), (), {})
    assert [(d.name, d.p, d.interval.low, d.interval.high) for d in found.differences] == [
        ("right or rightly silent", 1.0, 0.0, 0.0),
        ("token F1, silence as 0", 1.0, 0.0, 0.0),
        ("nDCG@10", 1.0, 0.0, 0.0),
    ]


def test_what_became_better_and_worse_is_named_and_tested() -> None:
    before = [outcome(f"q{n}", 0.9, right=n >= 7, ndcg=0.5) for n in range(8)]
    now = [outcome(f"q{n}", 0.9, right=n < 7, ndcg=1.0 if n < 3 else 0.5) for n in range(8)]
    found = compare(run(*before), run(*now))
    assert [pair.now.question for pair in found.better] == [f"q{n}" for n in range(7)]
    assert [(pair.before.verdict, pair.now.verdict) for pair in found.worse] == [(Verdict.RIGHT, Verdict.WRONG)]
    good, ndcg = found.differences
    assert (good.before, good.now, good.better, good.worse) == (1 / 8, 7 / 8, 7, 1)
    assert good.p == pytest.approx(18 / 256)  # 2 x (1 + 8) / 2^8
    assert good.interval.low <= 0.75 <= good.interval.high
    assert (ndcg.before, ndcg.now, ndcg.better, ndcg.worse) == (0.5, 0.6875, 3, 0)
    assert ndcg.p == pytest.approx(2 / 8)


def test_only_questions_that_both_have_are_compared() -> None:
    changed = outcome("Who went?", 0.7, right=True, quote="Other gold words.")
    found = compare(run(*FOUR, outcome("Who left?", 0.9)), run(*FOUR[:1], changed, outcome("Who sang?", 0.9)))
    assert (found.common, found.relabelled, found.only_before, found.only_now) == (1, 1, 3, 1)


def test_runs_without_a_question_in_common_are_not_compared() -> None:
    found = compare(run(*FOUR), run(outcome("Who sang?", 0.9)))
    assert (found.common, found.differences) == (0, ())


def test_the_same_question_of_another_conversation_is_another_one() -> None:
    before = [outcome("Why?", 0.9, right=True, conversation="a"), outcome("Why?", 0.9, conversation="b")]
    now = [outcome("Why?", 0.9, right=True, conversation="b"), outcome("Why?", 0.9, conversation="a")]
    found = compare(run(*before), run(*now))
    assert (len(found.better), len(found.worse)) == (1, 1)
    assert found.better[0].now.conversation == "b"


def test_a_question_that_is_asked_twice_is_compared_turn_by_turn() -> None:
    before = [outcome("Why?", 0.9, right=True), outcome("Why?", 0.9)]
    assert compare(run(*before), run(*before)).better == ()
    assert compare(run(*before), run(*before)).common == 2


def test_what_the_replies_were_made_with_is_compared() -> None:
    found = compare(run(*FOUR), run(*FOUR, reader="r:2"))
    assert found.changed == {"reader": ("r:1", "r:2")}
    unknown = replace(run(*FOUR), models={})
    assert compare(unknown, run(*FOUR)).changed["embedder"] == ("unknown", "e:1")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.integers(0, 5))
def test_the_other_way_round_better_is_worse(rights: list[tuple[bool, bool]], seed: int) -> None:
    before = run(*(outcome(f"q{n}", 0.9, right=one) for n, (one, _) in enumerate(rights)))
    now = run(*(outcome(f"q{n}", 0.9, right=other) for n, (_, other) in enumerate(rights)))
    there, back = compare(before, now, seed=seed), compare(now, before, seed=seed)
    assert (len(there.better), len(there.worse)) == (len(back.worse), len(back.better))
    assert [d.p for d in there.differences] == [d.p for d in back.differences]

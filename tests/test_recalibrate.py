"""Calibrating on a user's own questions: `citespan calibrate`, from the file to the service that uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import cli
from index.embed import Embedder
from qa import calibrate
from qa.evaluation.labelled import Gold, Labelled
from qa.read import shipped, together
from qa.recalibrate import recalibrate
from qa.risk import SILENT
from qa.service import AnswerService
from qa.types import Question
from tests.fakes import HashingEmbedder, write_files
from tests.test_service import WordReader, service
from tests.world import ListStore, passage

Run = Callable[..., Result]
TOWNS = ("Arnvik", "Bolstad", "Covell", "Dornach", "Elmsford", "Farrow", "Grelle", "Hovden", "Imsdal", "Jarrow")
THINGS = ("harbour", "library", "bridge")
TEXTS = {
    f"{town}-{thing}.txt": f"The {thing} of {town} was opened in {1900 + 7 * n + k}."
    for n, town in enumerate(TOWNS)
    for k, thing in enumerate(THINGS)
}


def labelled() -> list[dict[str, Any]]:
    """30 questions that the texts answer, and 30 on things that they do not know."""
    known = [
        {
            "question": f"When was the {name[:-4].split('-')[1]} of {name.split('-')[0]} opened?",
            "answers": [{"document": name, "quote": text}],
        }
        for name, text in TEXTS.items()
    ]
    unknown = [
        {"question": f"Who painted the {thing} of {town} in oil?", "answerable": False}
        for town in TOWNS
        for thing in ("ceiling", "queen", "gates")
    ]
    return known + unknown


def questions() -> list[Labelled]:
    return [
        Labelled(
            q["question"], q.get("answerable", True), tuple(Gold(**a) for a in q.get("answers", [])), (), None, None
        )
        for q in labelled()
    ]


def store() -> ListStore:
    return ListStore([passage(text, number=n, uri=uri) for n, (uri, text) in enumerate(TEXTS.items(), start=1)])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a caller of commands on a library of the texts, embedded without a model, read by the shipped reader."""

    def embedder(*_: object) -> Embedder:
        return HashingEmbedder(name="hashing:x")

    monkeypatch.setattr("api.wiring.open_embedder", embedder)
    sources = write_files(tmp_path / "sources", TEXTS)
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in labelled()))

    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(cli.app, ["--library", str(tmp_path / "library"), *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    call("sync", sources)
    return call


def test_a_service_that_was_unsure_of_what_it_knows_learns_to_be_sure() -> None:
    done = recalibrate(questions(), service(WordReader()), store(), date="2026-01-31")
    before = service(WordReader()).calibration
    asked = service(WordReader()).ask
    sure = next(asked(_question(q), store()).considered.confidence for q in questions() if q.answerable)
    after = AnswerService(WordReader(), done.table)
    assert after.ask(_question(questions()[0]), store()).considered.confidence > sure
    assert done.table.weights == before.weights
    assert done.table.standard.coverage >= 0.6
    assert done.about["figures"]["answerable"] == 30
    assert done.about["date"] == "2026-01-31"


def test_the_same_questions_make_the_same_table_in_any_order() -> None:
    one, other = (
        recalibrate(asked, service(WordReader()), store(), date="2026-01-31")
        for asked in (questions(), questions()[::-1])
    )
    assert one.table.curve == other.table.curve
    assert one.about["questions"] == other.about["questions"]


def test_a_table_is_the_same_once_it_was_kept(tmp_path: Path) -> None:
    done = recalibrate(questions(), service(WordReader()), store(), date="2026-01-31")
    (tmp_path / "calibration.json").write_text(calibrate.to_json(done.table, done.trials, done.about))
    assert calibrate.load("words", tmp_path) == done.table


def test_it_is_kept_in_the_library_and_used_from_then_on(run: Run, tmp_path: Path) -> None:
    before = run("doctor").stdout
    told = json.loads(run("calibrate", tmp_path / "questions.jsonl", "--json").stdout)
    assert told["kept"] == str(tmp_path / "library" / "calibration.json")
    assert [row["target"] for row in told["figures"]["risks"]] == [0.05, 0.1, 0.15, 0.2]
    table = calibrate.load(together(*shipped(1)), tmp_path / "library")
    assert table.standard.threshold == told["figures"]["default"]["threshold"]
    reply = json.loads(run("ask", labelled()[0]["question"], "--json").stdout)
    assert reply["risk"]["threshold"] == table.standard.threshold
    assert run("doctor").stdout != before
    (tmp_path / "library" / "calibration.json").unlink()
    assert run("doctor").stdout == before


def test_a_dry_run_keeps_nothing(run: Run, tmp_path: Path) -> None:
    lines = run("calibrate", tmp_path / "questions.jsonl", "--dry-run").stdout.splitlines()
    assert lines[0] == "made from 60 questions of generation 1, 30 of them with an answer"
    assert lines[-1] == "nothing was kept"
    assert not (tmp_path / "library" / "calibration.json").exists()


def test_too_few_questions_are_refused_with_how_many_are_needed(run: Run, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(json.dumps(q) + "\n" for q in labelled()[:40]))
    message = run("calibrate", few, code=1).output
    assert "30 questions that the library answers and 10 that it does not; at least 30 and 15 are needed" in message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 4}', '{"format": 99}'])
def test_a_damaged_table_is_told_with_the_way_out(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "library" / "calibration.json").write_text(text)
    assert "run `citespan calibrate` again, or remove" in run("ask", "When?", code=1).output


def test_a_table_of_another_reader_is_told(run: Run, tmp_path: Path) -> None:
    run("calibrate", tmp_path / "questions.jsonl")
    place = tmp_path / "library" / "calibration.json"
    place.write_text(place.read_text().replace("reader-v", "reader-x"))
    assert "was fitted for reader-x" in run("ask", "When?", code=1).output


def test_a_risk_on_the_command_line_settles_the_threshold(run: Run, tmp_path: Path) -> None:
    run("calibrate", tmp_path / "questions.jsonl")
    reply = json.loads(run("ask", labelled()[0]["question"], "--risk", 0.000_1, "--json", code=3).stdout)
    assert (reply["risk"]["target"], reply["risk"]["threshold"]) == (0.000_1, SILENT)
    assert "risk is 2.0" in run("ask", "When?", "--risk", 2, code=1).output


def _question(one: Labelled) -> Question:
    return Question(one.text)

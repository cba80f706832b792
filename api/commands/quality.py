"""Measuring with labelled questions: how good, how sure, how fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import Json, ReaderName, errors_told, opened, print_json, read_settings, show_line


def evaluate(
    questions: Annotated[Path, typer.Argument(help="Labelled questions, one JSON object a line.")],
    each: Annotated[bool, typer.Option("--each", help="Print every question.")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the run in this file, to compare another with it.")] = None,
    compare: Annotated[Path | None, typer.Option(help="A kept run to compare with.")] = None,
    report_file: Annotated[Path | None, typer.Option("--html", help="Write a report with curves to this file.")] = None,
    reader: ReaderName = None,
    as_json: Json = False,
) -> None:
    """Ask labelled questions and report how many are answered rightly, and how many rightly not."""
    with errors_told(as_json):
        from api.evaluation import check_places, comparison_json, evaluation_lines, keep
        from qa.evaluation.labelled import read_questions
        from qa.evaluation.runs import read_run, run_of, to_text

        # Whatever is wrong with the files is told before the models are loaded.
        check_places(questions, [place for place in (save, report_file) if place is not None])
        labelled = read_questions(questions)
        before = None if compare is None else read_run(compare)
    with opened(as_json, reader=reader) as runtime:
        from dataclasses import asdict
        from datetime import UTC, datetime

        from api.receipts import fingerprints, made_by
        from qa.evaluate import evaluate as run
        from qa.evaluation.compare import compare as compared

        store = runtime.store.current()
        report = run(labelled, runtime.service, store)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        models = {**asdict(fingerprints(runtime.service, store)), "made by": made_by()}
        kept = run_of(report, date=date, models=models)
        comparison = None if before is None else compared(before, kept)
        if save is not None:
            keep(save, to_text(kept))
        if report_file is not None:
            from api.report import Heading, page

            keep(report_file, page(report, Heading(questions.name, date, models), comparison))
    if as_json:
        told = {} if comparison is None else {"comparison": comparison_json(comparison)}
        print_json({**report.to_json(each=True), **told})
        return
    for line in evaluation_lines(report, comparison, each=each):
        show_line(line)


def bench(
    questions: Annotated[Path, typer.Argument(help="Questions to ask, one JSON object a line.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 3,
    as_json: Json = False,
) -> None:
    """Start a server on the library, ask it over HTTP, and report time to ready, time a question, and memory."""
    with errors_told(as_json):
        from api.bench import bench as run
        from qa.evaluation.labelled import read_questions

        report = run(read_settings(), [question.text for question in read_questions(questions)], rounds)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            show_line(f"{name}: {value}")


def calibrate(
    questions: Annotated[Path, typer.Argument(help="Labelled questions, one JSON object a line.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the figures and keep nothing.")] = False,
    reader: ReaderName = None,
    as_json: Json = False,
) -> None:
    """Fit how sure the service has to be, by questions about your own library; it is kept in the library's folder."""
    from datetime import UTC, datetime

    with errors_told(as_json):
        from qa.evaluation.labelled import read_questions

        labelled = read_questions(questions)
        from api.evaluation import calibration_lines, keep
        from api.wiring import calibrated
        from qa.calibrate import FILE, to_json

        settings = read_settings(reader=reader)
        done = calibrated(settings, labelled, f"{datetime.now(UTC):%Y-%m-%d}")
        place = None if dry_run else settings.library / FILE
        if place is not None:
            keep(place, to_json(done.table, done.trials, done.about))
    if as_json:
        print_json({**done.about, "kept": None if place is None else str(place)})
        return
    for line in calibration_lines(done.about):
        show_line(line)
    show_line("nothing was kept" if place is None else f"kept in {place}; a running server takes it up when restarted")

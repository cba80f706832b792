"""Asking, serving, checking and measuring."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import (
    NO_ANSWER,
    Encoding,
    Json,
    errors_told,
    fail,
    opened,
    opened_library,
    print_json,
    read_settings,
    show_line,
)  # fmt: skip


def ask(
    question: str,
    max_citations: Annotated[int, typer.Option(min=1, max=10, help="At most so many quotes.")] = 3,
    as_json: Json = False,
) -> None:
    """Ask one question. Exit code 3 if the sources do not say."""
    with opened(as_json) as runtime:
        from api.schemas import AskRequest
        from qa.types import Answer

        request = AskRequest.model_construct(
            question=question, max_citations=max_citations, filter=None, risk=None, as_of=None
        )
        asked = runtime.service.ask(request.to_question(()), runtime.store.current())
        if as_json:
            from api.schemas import AskResponse

            reply = AskResponse.from_reply(asked.reply, reply_id="ask", conversation_id="", timings_ms=asked.timings_ms)
            print_json(reply.model_dump(mode="json"))
        else:
            from api.console import reply_lines

            for line in reply_lines(asked.reply):
                show_line(line)
    if not isinstance(asked.reply, Answer):
        raise typer.Exit(NO_ANSWER)


def serve(
    paths: Annotated[list[Path] | None, typer.Argument(help="Synced first.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.  [default: 8000]")] = None,
    encoding: Encoding = None,
) -> None:
    """Serve the API and the chat page; with PATHs, sync them first."""
    with errors_told():
        from api import server

        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = read_settings(**given)
        bound = server.listen(settings.host, settings.port)
        try:
            from api.app import create_app
            from api.console import report_lines, run_sync
            from api.wiring import open_embedder, open_runtime
            from index.report import SyncPolicy

            embedder = None
            if paths:
                embedder = open_embedder(settings)
                policy = SyncPolicy(encoding=encoding)
                for line in report_lines(run_sync(settings.library, embedder, paths, policy=policy)):
                    show_line(line)
            runtime = open_runtime(settings, embedder)
            try:
                server.run(create_app(runtime), bound, lambda: show_line(f"serving on {server.address(bound)}"))
            finally:
                runtime.close()
        finally:
            bound.close()


def verify(
    citation: Annotated[
        Path | None, typer.Argument(help="A JSON file with one citation, - for standard input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the whole library, or one citation. Exit code 1 if something does not hold."""
    if citation is not None:
        _verify_citation(citation, as_json)
        return
    with errors_told(as_json):
        from index.check import check_library

        found = check_library(read_settings().library)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(found))
    else:
        counts = f"{found.documents} documents, {found.revisions} revisions, {found.passages} passages"
        show_line(f"{counts} in generation {found.generation}")
        for line in found.problems:
            show_line(f"  wrong: {line}")
        show_line("everything holds" if not found.problems else f"{len(found.problems)} problems")
    if found.problems:
        raise typer.Exit(1)


def _verify_citation(file: Path, as_json: bool) -> None:
    from pydantic import ValidationError

    from api.schemas import VerifyRequest

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        claim = VerifyRequest.model_validate_json(text).to_claim()
    except (OSError, UnicodeDecodeError) as error:
        fail("unreadable-citation", f"{file}: cannot be read ({error})", as_json)
    except ValidationError as error:
        fail("invalid-citation", f"{file}: not a citation ({error.error_count()} fields missing or wrong)", as_json)
    with opened_library(as_json) as library:
        from index.store import LibraryTexts
        from qa.verify import Status
        from qa.verify import verify as check

        verdict = check(claim, LibraryTexts(library, library.generation()))
    if as_json:
        print_json({"status": verdict.status, "detail": verdict.detail, "current": verdict.current})
    else:
        show_line(f"{verdict.status}: {verdict.detail}")
    if verdict.status is not Status.VERIFIED:
        raise typer.Exit(1)


def evaluate(
    questions: Annotated[Path, typer.Argument(help="Labelled questions, one JSON object a line.")],
    each: Annotated[bool, typer.Option("--each", help="Print every question.")] = False,
    as_json: Json = False,
) -> None:
    """Ask labelled questions and report how many are answered rightly, and how many rightly not."""
    with opened(as_json) as runtime:
        from qa.evaluate import evaluate as run
        from qa.evaluate import read_questions

        report = run(read_questions(questions), runtime.service, runtime.store.current())
    if as_json:
        print_json(report.to_json(each=True))
        return
    from api.console import evaluation_lines

    for line in evaluation_lines(report, each=each):
        show_line(line)


def bench(
    questions: Annotated[Path, typer.Argument(help="Questions to ask, one JSON object a line.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 3,
    as_json: Json = False,
) -> None:
    """Start a server on the library, ask it over HTTP, and report time to ready, time a question, and memory."""
    with errors_told(as_json):
        from api.bench import bench as run
        from qa.evaluate import read_questions

        report = run(read_settings(), [question.text for question in read_questions(questions)], rounds)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            show_line(f"{name}: {value}")


def doctor(as_json: Json = False) -> None:
    """Look at the installation and the library; say what is wrong and how to mend it. Exit code 1 if something is."""
    from api.doctor import examine

    findings = examine(read_settings())
    if as_json:
        from dataclasses import asdict

        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            show_line(f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)

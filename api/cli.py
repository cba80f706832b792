"""The command line. Nothing heavy is imported before the command that needs it runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from api.settings import Settings
    from api.wiring import Runtime

NO_ANSWER = 3

app = typer.Typer(
    help="Answers from your own documents, in their own words, with citations anyone can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Paths = Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)]


def _known_encoding(name: str | None) -> str | None:
    if name is not None:
        from index.load.decode import codec

        try:
            codec(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return name


_Encoding = Annotated[
    str | None,
    typer.Option(callback=_known_encoding, help="Tried for text that is not UTF-8, for example latin-1."),
]


class _Options:
    """Options that stand before the command."""

    library: Path | None = None


@app.callback()
def options(
    library: Annotated[Path | None, typer.Option(help="The library's folder.", envvar="CITESPAN_LIBRARY")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False,
) -> None:
    """Answers from your own documents, in their own words, with citations anyone can check."""
    _Options.library = library
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


def _settings(**changes: Any) -> Settings:
    from pydantic import ValidationError

    from api.settings import Settings

    if _Options.library is not None:
        changes["library"] = _Options.library
    try:
        return Settings(**changes)
    except ValidationError as error:
        wrong = "; ".join(f"CITESPAN_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise typer.BadParameter(wrong) from error


def _print(text: str = "") -> None:
    typer.echo(text)


def _print_json(value: object) -> None:
    from api.console import printable_json

    typer.echo(printable_json(value))


def _fail(code: str, message: str, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"error": {"code": code, "message": message}})
    else:
        typer.echo(f"citespan: {message}", err=True)
    raise typer.Exit(1)


@contextmanager
def _errors_told(as_json: bool = False) -> Iterator[None]:
    """Turn what the user can mend into a message and exit code 1."""
    from index.errors import CitespanError

    try:
        yield
    except CitespanError as error:
        _fail(error.code, str(error), as_json)


@contextmanager
def _opened(as_json: bool) -> Iterator[Runtime]:
    with _errors_told(as_json):
        from api.wiring import open_runtime

        runtime = open_runtime(_settings())
        try:
            yield runtime
        finally:
            runtime.close()


@app.command()
def sync(paths: _Paths, encoding: _Encoding = None, as_json: _Json = False) -> None:
    """Bring the library in step with files and folders: one new generation, or none if nothing changed."""
    with _errors_told(as_json):
        from api.console import report_lines, run_sync
        from api.wiring import open_embedder

        settings = _settings()
        try:
            report = run_sync(settings.library, open_embedder(settings), paths, encoding=encoding, quiet=as_json)
        except KeyboardInterrupt:
            _fail("interrupted", "interrupted: the sync landed whole or not at all; run it again", as_json)
    if as_json:
        from dataclasses import asdict

        _print_json(asdict(report))
    else:
        for line in report_lines(report):
            _print(line)


@app.command()
def ask(
    question: str,
    max_citations: Annotated[int, typer.Option(min=1, max=10, help="At most so many quotes.")] = 3,
    as_json: _Json = False,
) -> None:
    """Ask one question. Exit code 3 if the sources do not say."""
    with _opened(as_json) as runtime:
        from api.schemas import AskRequest
        from qa.types import Answer

        request = AskRequest.model_construct(
            question=question, max_citations=max_citations, filter=None, risk=None, as_of=None
        )
        asked = runtime.service.ask(request.to_question(()), runtime.store.current())
        if as_json:
            from api.schemas import AskResponse

            reply = AskResponse.from_reply(asked.reply, reply_id="ask", conversation_id="", timings_ms=asked.timings_ms)
            _print_json(reply.model_dump(mode="json"))
        else:
            from api.console import reply_lines

            for line in reply_lines(asked.reply):
                _print(line)
    if not isinstance(asked.reply, Answer):
        raise typer.Exit(NO_ANSWER)


@app.command()
def serve(
    paths: Annotated[list[Path] | None, typer.Argument(help="Synced first.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.  [default: 8000]")] = None,
    encoding: _Encoding = None,
) -> None:
    """Serve the API and the chat page; with PATHs, sync them first."""
    with _errors_told():
        from api import server

        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = _settings(**given)
        bound = server.listen(settings.host, settings.port)
        try:
            from api.app import create_app
            from api.console import report_lines, run_sync
            from api.wiring import open_embedder, open_runtime

            embedder = None
            if paths:
                embedder = open_embedder(settings)
                for line in report_lines(run_sync(settings.library, embedder, paths, encoding=encoding)):
                    _print(line)
            runtime = open_runtime(settings, embedder)
            try:
                server.run(create_app(runtime), bound, lambda: _print(f"serving on {server.address(bound)}"))
            finally:
                runtime.close()
        finally:
            bound.close()


@app.command()
def documents(as_json: _Json = False) -> None:
    """List the documents of the library."""
    with _library(as_json) as library:
        generation = library.generation().number
        after = ""
        listed = []
        while page := library.documents(generation, after=after, limit=500):
            after = page[-1].id
            listed += page
    if as_json:
        from api.schemas import DocumentModel

        _print_json([DocumentModel.of(document).model_dump() for document in listed])
        return
    from api.console import printable

    for document in listed:
        _print(printable(f"{document.id}  {document.published_at or '-':10}  {document.uri}  {document.title}"))
    _print(f"{len(listed)} documents in generation {generation}")


@app.command()
def show(document_id: Annotated[str, typer.Argument(metavar="ID")], as_json: _Json = False) -> None:
    """Print a document: what is known of it, and its text."""
    with _library(as_json) as library:
        generation = library.generation().number
        document = library.document(generation, document_id)
        text = library.revision(document.revision, document_id=document_id, generation=generation).text
    from api.console import printable
    from api.schemas import DocumentModel

    known = DocumentModel.of(document).model_dump()
    if as_json:
        _print_json({**known, "text": text})
        return
    for name, value in known.items():
        if value not in (None, []) and name != "object":
            _print(printable(f"{name}: {value}"))
    _print()
    _print(text)


@app.command()
def verify(
    citation: Annotated[
        Path | None, typer.Argument(help="A JSON file with one citation, - for standard input.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Check the whole library, or one citation. Exit code 1 if something does not hold."""
    if citation is not None:
        _verify_citation(citation, as_json)
        return
    with _errors_told(as_json):
        from index.check import check_library

        found = check_library(_settings().library)
    if as_json:
        from dataclasses import asdict

        _print_json(asdict(found))
    else:
        counts = f"{found.documents} documents, {found.revisions} revisions, {found.passages} passages"
        _print(f"{counts} in generation {found.generation}")
        for line in found.problems:
            _print(f"  wrong: {line}")
        _print("everything holds" if not found.problems else f"{len(found.problems)} problems")
    if found.problems:
        raise typer.Exit(1)


def _verify_citation(file: Path, as_json: bool) -> None:
    from pydantic import ValidationError

    from api.schemas import VerifyRequest

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        claim = VerifyRequest.model_validate_json(text).to_claim()
    except (OSError, UnicodeDecodeError) as error:
        _fail("unreadable-citation", f"{file}: cannot be read ({error})", as_json)
    except ValidationError as error:
        _fail("invalid-citation", f"{file}: not a citation ({error.error_count()} fields missing or wrong)", as_json)
    with _library(as_json) as library:
        from index.store import LibraryTexts
        from qa.verify import Status
        from qa.verify import verify as check

        verdict = check(claim, LibraryTexts(library, library.generation()))
    if as_json:
        _print_json({"status": verdict.status, "detail": verdict.detail, "current": verdict.current})
    else:
        _print(f"{verdict.status}: {verdict.detail}")
    if verdict.status is not Status.VERIFIED:
        raise typer.Exit(1)


@contextmanager
def _library(as_json: bool) -> Iterator[Any]:
    with _errors_told(as_json):
        from index.library import Library

        library = Library(_settings().library)
        try:
            yield library
        finally:
            library.close()


@app.command("eval")
def evaluate(
    questions: Annotated[Path, typer.Argument(help="Labelled questions, one JSON object a line.")],
    each: Annotated[bool, typer.Option("--each", help="Print every question.")] = False,
    as_json: _Json = False,
) -> None:
    """Ask labelled questions and report how many are answered rightly, and how many rightly not."""
    with _opened(as_json) as runtime:
        from qa.evaluate import evaluate as run
        from qa.evaluate import read_questions

        report = run(read_questions(questions), runtime.service, runtime.store.current())
    if as_json:
        _print_json(report.to_json(each=True))
        return
    from api.console import evaluation_lines

    for line in evaluation_lines(report, each=each):
        _print(line)


@app.command()
def bench(
    questions: Annotated[Path, typer.Argument(help="Questions to ask, one JSON object a line.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 3,
    as_json: _Json = False,
) -> None:
    """Start a server on the library, ask it over HTTP, and report time to ready, time a question, and memory."""
    with _errors_told(as_json):
        from api.bench import bench as run
        from qa.evaluate import read_questions

        report = run(_settings(), [question.text for question in read_questions(questions)], rounds)
    if as_json:
        _print_json(report)
    else:
        for name, value in report.items():
            _print(f"{name}: {value}")


@app.command()
def doctor(as_json: _Json = False) -> None:
    """Look at the installation and the library; say what is wrong and how to mend it. Exit code 1 if something is."""
    from api.doctor import examine

    findings = examine(_settings())
    if as_json:
        from dataclasses import asdict

        _print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("citespan: interrupted", err=True)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

"""Asking, replaying, serving and checking."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.common import (
    NO_ANSWER,
    Encoding,
    Json,
    ReaderName,
    StoreAddress,
    errors_told,
    fail,
    meter,
    opened,
    opened_library,
    print_json,
    read_settings,
    show_line,
    tell,
)  # fmt: skip

if TYPE_CHECKING:
    from api.wiring import Runtime
    from qa.types import Reply, Turn

# A line longer than any question is several questions, each refused by its length or not.
_LONGEST_LINE = 100_000
_TURNS = 50


_Citations = Annotated[int, typer.Option(min=1, max=10, help="At most so many quotes.")]
_Risk = Annotated[float | None, typer.Option(help="The share of answers that may be wrong, above 0 to 1.")]


def ask(
    question: str, max_citations: _Citations = 3, risk: _Risk = None, reader: ReaderName = None,
    store: StoreAddress = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Ask one question. Exit code 3 if the sources do not say."""
    with opened(as_json, reader=reader, store=store) as runtime:
        from qa.types import Answer

        reply = _asked(runtime, question, (), max_citations, risk, as_json)
    if not isinstance(reply, Answer):
        raise typer.Exit(NO_ANSWER)


def chat(max_citations: _Citations = 3, risk: _Risk = None, reader: ReaderName = None, as_json: Json = False) -> None:
    """Ask one question a line; each may lean on those before. Ends with the input (Ctrl-D), and nothing of it is kept.

    With --json one reply a line.
    """
    with opened(as_json, reader=reader) as runtime:
        from index.errors import CitespanError
        from qa.followup import turn_of

        at_terminal = sys.stdin.isatty() and not as_json
        turns: tuple[Turn, ...] = ()
        while True:
            if at_terminal:
                typer.echo("> ", nl=False)
            line = sys.stdin.readline(_LONGEST_LINE)
            if not line:
                break
            if not line.strip():
                continue
            try:
                reply = _asked(runtime, line.strip(), turns, max_citations, risk, as_json, indent=None)
            except CitespanError as error:
                # A question that cannot be asked ends no conversation.
                tell(error.code, str(error), as_json, indent=None)
                continue
            turns = (*turns, turn_of(line.strip(), reply))[-_TURNS:]
            if not as_json:
                show_line()


def _asked(
    runtime: Runtime, question: str, turns: tuple[Turn, ...], max_citations: int, risk: float | None, as_json: bool,
    *, indent: int | None = 2,
) -> Reply:  # fmt: skip
    """Ask, show the reply, and return it."""
    from api.schemas import AskRequest, AskResponse

    request = AskRequest.model_construct(
        question=question, max_citations=max_citations, filter=None, risk=risk, as_of=None
    )
    put, store = request.to_question(turns), runtime.store.current()
    asked = runtime.service.ask(put, store)
    if as_json:
        # Only what is printed with its receipt pays for one.
        from api.receipts import issued

        reply = AskResponse.from_reply(asked.reply, reply_id="ask", conversation_id="", timings_ms=asked.timings_ms)
        print_json(issued(reply, put, runtime.service, store).model_dump(mode="json"), indent=indent)
    else:
        from api.console import reply_lines

        for line in reply_lines(asked.reply):
            show_line(line)
    return asked.reply


def replay(
    receipt: Annotated[str, typer.Argument(help="As a reply gave it; - reads it from standard input.")],
    as_json: Json = False,
) -> None:
    """Give the reply of a receipt again, byte for byte. Exit code 1, with the reason, if that cannot be."""
    with errors_told(as_json):
        from qa.receipt import LONGEST, unpack

        # No more is read than can be a receipt with line breaks in it.
        token = "".join((sys.stdin.read(2 * LONGEST) if receipt == "-" else receipt).split())
        wanted = unpack(token)
    with opened(as_json) as runtime:
        from api.receipts import replayed

        again = replayed(wanted, token, runtime.service, runtime.store.at(wanted.generation))
    if as_json:
        print_json(again.response.model_dump(mode="json"))
        return
    from api.console import reply_lines

    for line in reply_lines(again.reply):
        show_line(line)
    show_line()
    show_line(f"the same reply, byte for byte, from generation {wanted.generation}")


def serve(
    paths: Annotated[list[Path] | None, typer.Argument(help="Synced first.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.  [default: 8000]")] = None,
    encoding: Encoding = None,
    reader: ReaderName = None,
    store: StoreAddress = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine though reading needs no key.")
    ] = False,
    forwarded_allow_ips: Annotated[
        str | None, typer.Option(metavar="ADDRESSES", help="Proxies to believe.  [default: 127.0.0.1]")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="A certificate with its chain, in PEM: serve HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, in PEM, without a password.")] = None,
) -> None:
    """Serve the API and the chat page; with PATHs, sync them first."""
    with errors_told():
        import os

        from api import server
        from api.connections import ask_for_handles
        from api.systemd import handed_over

        settings = read_settings(
            host=host, port=port, reader=reader, store=store, insecure=True if insecure else None,
            forwarded_allow_ips=forwarded_allow_ips, tls_cert=tls_cert, tls_key=tls_key,
        )  # fmt: skip
        transport = server.Transport.of(settings)
        transport.expect_certificate()
        ask_for_handles()
        given = handed_over(os.environ)
        with server.listen(settings.host, settings.port) if given is None else given as bound:
            if given is not None:
                # Whatever is checked about the address is about the one that is listened on.
                settings = settings.model_copy(update=server.place(bound))
            server.expect_private(settings)
            with server.Serving(bound, handed_over=given is not None, transport=transport) as serving:
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
                runtime = open_runtime(settings, embedder, meter(quiet=False))
                try:
                    url = server.address(bound, transport.scheme)
                    serving.run(create_app(runtime), lambda: show_line(f"serving on {url}"))
                finally:
                    runtime.close()


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


def doctor(
    store: StoreAddress = None,
    drop_orphans: Annotated[
        bool, typer.Option("--drop-orphans", help="Delete this library's collections that nothing uses any more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at the installation and the library; say what is wrong and how to mend it. Exit code 1 if something is."""
    from api.doctor import examine

    findings = examine(read_settings(store=store), drop_orphans=drop_orphans)
    if as_json:
        from dataclasses import asdict

        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            show_line(f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)

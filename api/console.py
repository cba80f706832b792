"""What the commands print: progress, and values as lines."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from index.embed import Embedder
from index.sync import SyncPolicy, SyncProgress, SyncReport, sync
from qa.types import Answer, Reply

if TYPE_CHECKING:
    from qa.evaluate import Report

_LISTED = 20
_LINE_EVERY_SECONDS = 5.0
# Control characters, what cannot be encoded, and what reverses the order of what is read.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
# JSON's own line ends stay; a string in it has none.
_OBEYED_IN_JSON = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def run_sync(
    folder: Path, embedder: Embedder, paths: Sequence[Path], *, encoding: str | None = None, quiet: bool = False
) -> SyncReport:
    """Sync and show how far it is: a bar on a terminal, now and then a line elsewhere."""
    policy = SyncPolicy(encoding=encoding)
    if quiet:
        return sync(folder, embedder, paths, policy=policy)
    if not sys.stderr.isatty():
        return sync(folder, embedder, paths, policy=policy, progress=_lines())
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"),
        TextColumn("{task.fields[passages]} passages"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scan", total=None, passages=0)

        def show(now: SyncProgress) -> None:
            bar.update(task, description=now.stage, completed=now.files, total=now.files_total, passages=now.passages)

        return sync(folder, embedder, paths, policy=policy, progress=show)


class _lines:  # noqa: N801 - called like a function
    """Prints a plain line every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, now: SyncProgress) -> None:
        if time.monotonic() - self._last >= _LINE_EVERY_SECONDS:
            self._last = time.monotonic()
            print(
                f"{now.stage}: {now.files} of {now.files_total} files, {now.passages} passages embedded",
                file=sys.stderr,
            )


def report_lines(report: SyncReport) -> Iterator[str]:
    """Yield what a sync did."""
    for word, names in (("added", report.added), ("changed", report.changed), ("removed", report.removed)):
        yield from _named(word, names)
    yield from _named("ignored, no loader for it", report.ignored)
    for failure in report.failed:
        yield f"  failed   {printable(failure.name)}: {printable(failure.reason)}"
    counts = (
        f"{len(report.added)} added, {len(report.changed)} changed, {len(report.removed)} removed, "
        f"{report.skipped} unchanged, {len(report.failed)} failed"
    )
    if report.generation is None:
        yield f"nothing changed: {counts} ({report.seconds:.1f} s)"
    else:
        yield f"generation {report.generation}: {counts}; {report.embedded} passages embedded ({report.seconds:.1f} s)"


def _named(word: str, names: Sequence[str]) -> Iterator[str]:
    for name in names[:_LISTED]:
        yield f"  {word:8} {printable(name)}"
    if len(names) > _LISTED:
        yield f"  {word:8} … and {len(names) - _LISTED} more"


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey: names of files are other people's."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_json(value: object) -> str:
    """Return `value` as JSON, with escapes for what a terminal would obey."""
    return _OBEYED_IN_JSON.sub(lambda c: json.dumps(c[0])[1:-1], json.dumps(value, ensure_ascii=False, indent=2))


def reply_lines(reply: Reply) -> Iterator[str]:
    """Yield a reply: the short answer, the quotes, and where each stands."""
    if isinstance(reply, Answer):
        if reply.short_answer is not None:
            yield f"{reply.short_answer}   (confidence {reply.confidence:.2f})"
            yield ""
        citations = reply.citations
    else:
        guess = f"best guess {reply.confidence:.2f}, needed {reply.understood.threshold:.2f}"
        yield f"The sources do not say ({guess}). Nearest passages, which are not an answer:"
        yield ""
        citations = reply.nearest
    for citation in citations:
        quote = f"“{citation.quote}”" if isinstance(reply, Answer) else citation.quote
        yield textwrap.indent("\n".join(textwrap.wrap(f"[{citation.number}] {quote}", 96)), "  ")
        document = citation.document
        source = ", ".join(part for part in (document.title, document.publisher, document.published_at) if part)
        yield f"      {printable(source)}"
        place = f"characters {citation.span.start}–{citation.span.end} of {document.revision[:19]}…"
        yield f"      {printable(document.uri)}, {place}"


def evaluation_lines(report: Report, *, each: bool) -> Iterator[str]:
    """Yield an evaluation: the bad ones (or each one), then the rates."""
    for one in report.outcomes:
        if each or not one.good:
            word = "ok " if one.good else "BAD"
            yield f"{word} {one.confidence:.2f} {one.question.text}"
            yield f"          → {one.shown}"
    for name, value in report.rates().items():
        yield f"{name:28} {value}"

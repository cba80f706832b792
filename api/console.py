"""What the commands print: values as lines, and what happens while they run."""

from __future__ import annotations

import json
import re
import signal
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from api.progress import lasting, sync_progress
from index.embed import Embedder
from index.report import Checker, SyncPolicy, SyncReport
from index.sync import sync
from index.watch import Away, Back, Deaf, Heard, Noticed, Synced, Trouble, WatchPolicy, watch
from qa.types import Answer, Reply, Side

_LISTED = 20
# Control characters, what cannot be encoded, and what reverses the order of what is read.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
# JSON's own line ends stay; a string in it has none.
_OBEYED_IN_JSON = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def run_sync(
    folder: Path,
    embedder: Embedder,
    paths: Sequence[Path],
    *,
    policy: SyncPolicy | None = None,
    check: Checker | None = None,
    dry_run: bool = False,
    quiet: bool = False,
) -> SyncReport:
    """Sync and show how far it is: a bar on a terminal, now and then a line elsewhere. Errors are those of `sync`."""
    if quiet:
        return sync(folder, embedder, paths, policy=policy, check=check, dry_run=dry_run)
    with sync_progress() as progress:
        return sync(folder, embedder, paths, policy=policy, check=check, dry_run=dry_run, progress=progress)


def watch_folders(
    folder: Path, embedder: Embedder, paths: Sequence[Path], policy: SyncPolicy, settle: float,
    then: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Keep the library in `folder` in step with `paths` and print what happens; return at Ctrl-C or SIGTERM.

    `then` is called after every sync. SIGTERM lets a sync end first. For the main thread only, which is where signals
    arrive.

    :raises PathNotFound: if a path does not exist at the start.
    :raises Interrupted: if Ctrl-C came in the middle of a sync; the message says whether it landed.
    """
    stop = threading.Event()

    def say(heard: Heard) -> None:
        for line in watch_lines(heard):
            print(line, flush=True)

    def synced() -> SyncReport:
        report = run_sync(folder, embedder, paths, policy=policy)
        then()
        return report

    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        print(f"watching {', '.join(printable(str(path)) for path in paths)}; Ctrl-C ends it", flush=True)
        watch(
            paths,
            synced,
            stop=stop,
            policy=WatchPolicy(settle=settle),
            ignored=[folder],
            heard=say,
        )
    except KeyboardInterrupt:
        print("no longer watching", flush=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def watch_lines(heard: Heard) -> Iterator[str]:
    """Yield what a watch has to say; nothing of a sync that found nothing to do."""
    match heard:
        case Noticed(paths):
            if paths:
                yield f"changes noticed: {len(paths)}"
        case Synced(report):
            if report is not None and (report.generation is not None or report.failed or report.aside is not None):
                yield from report_lines(report)
        case Away(path, reason):
            yield f"{printable(str(path))}: {reason}; its documents stay, and nothing is synced until it is back"
        case Back(path):
            yield f"{printable(str(path))}: back"
        case Trouble(error, again_in):
            yield f"failed, tried again in {lasting(again_in)}: {printable(str(error))}"
        case Deaf(reason, every):
            yield (
                f"the system gives no file events ({printable(reason)}): a sync every {lasting(every)} instead; "
                "on Linux fs.inotify.max_user_watches and max_user_instances are the limits to raise"
            )


def report_lines(report: SyncReport) -> Iterator[str]:
    """Yield what a sync did, or a dry run would do."""
    for word, names in (("added", report.added), ("changed", report.changed), ("removed", report.removed)):
        yield from _named(word, names)
    yield from _named("kept out, deleted by hand (--include-deleted takes it in)", report.kept_out)
    yield from _named("ignored, no document", report.ignored)
    for failure in report.failed:
        yield f"  failed   {printable(failure.name)}: {printable(failure.reason)}"
    counts = (
        f"{len(report.added)} added, {len(report.changed)} changed, {len(report.removed)} removed, "
        f"{report.skipped} unchanged, {len(report.failed)} failed"
    )
    if report.check is not None:
        yield f"check: {printable(report.check)}"
    if report.dry_run:
        yield f"nothing was done; a sync would make: {counts} ({report.seconds:.1f} s)"
    elif report.aside is not None:
        yield (
            f"generation {report.aside} is kept aside and does not answer: {counts} ({report.seconds:.1f} s); "
            f"`citespan rollback {report.aside}` makes it answer all the same"
        )
    elif report.generation is None:
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


def printable_json(value: object, *, indent: int | None = 2) -> str:
    """Return `value` as JSON, on one line without an indent, with escapes for what a terminal would obey."""
    return _OBEYED_IN_JSON.sub(lambda c: json.dumps(c[0])[1:-1], json.dumps(value, ensure_ascii=False, indent=indent))


def reply_lines(reply: Reply) -> Iterator[str]:
    """Yield a reply: the short answer, the sides where sources differ, the quotes, and where each stands."""
    if isinstance(reply, Answer):
        if reply.short_answer is not None:
            yield f"{reply.short_answer}   (confidence {reply.confidence:.2f})"
            yield ""
        if reply.sources_differ:
            yield "The sources differ:"
            yield from (f"  {_side(side)}" for side in reply.sides)
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
        if citation.context is not None:
            aside = f"beside it, not quoted: “{printable(citation.context.quote)}”"
            yield textwrap.indent("\n".join(textwrap.wrap(aside, 92)), "      ")
        for phrase in citation.dates:
            days = str(phrase.first) if phrase.first == phrase.last else f"{phrase.first} to {phrase.last}"
            yield f"      “{printable(phrase.phrase)}” is {days}"


def _side(side: Side) -> str:
    """Return a side as a line: the value, who carries it, and from when."""
    numbers = "".join(f"[{number}]" for number in side.citations)
    dates = " to ".join(dict.fromkeys(date for date in (side.published_from, side.published_to) if date is not None))
    documents = "1 document" if side.documents == 1 else f"{side.documents} documents"
    return ", ".join(part for part in (f"{printable(side.value)} {numbers}".rstrip(), documents, dates) if part)

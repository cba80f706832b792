"""Keeping the library: syncing, listing, deleting, going back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.common import (
    Encoding,
    Json,
    Paths,
    StoreAddress,
    errors_told,
    fail,
    forwarded,
    opened_library,
    print_json,
    read_settings,
    show_line,
)  # fmt: skip

if TYPE_CHECKING:
    from api.settings import Settings
    from index.report import Checker
    from index.types import Document

_Number = Annotated[int, typer.Argument(metavar="G", min=0, help="A generation's number.", show_default=False)]


def sync(
    paths: Paths,
    encoding: Encoding = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change, and change nothing.")] = False,
    keep_missing: Annotated[bool, typer.Option("--keep-missing", help="Keep documents whose files are gone.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go on though more than half of the library would vanish.")
    ] = False,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Take in again what was deleted by hand.")
    ] = False,
    check: Annotated[
        Path | None, typer.Option(help="Labelled questions: the new generation answers only if they come out right.")
    ] = None,
    min_right: Annotated[float, typer.Option(min=0, max=1, help="How many of them must, as a share.")] = 0.9,
    store: StoreAddress = None,
    as_json: Json = False,
) -> None:
    """Bring the library in step with files and folders: one new generation, or none if nothing changed.

    Exit code 1 if the new generation was kept aside.
    """
    with errors_told(as_json):
        from api.console import report_lines, run_sync
        from api.wiring import open_embedder
        from index.report import SyncPolicy

        settings = read_settings(store=store)
        embedder = open_embedder(settings)
        policy = SyncPolicy(
            encoding=encoding, keep_missing=keep_missing, allow_vanish=yes, include_deleted=include_deleted
        )
        judge = None if check is None else _checker(check, min_right)
        try:
            report = run_sync(
                settings.library, embedder, paths, policy=policy, check=judge, dry_run=dry_run, quiet=as_json
            )
        except KeyboardInterrupt:
            fail("interrupted", "interrupted before anything was done", as_json)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(report))
    else:
        for line in report_lines(report):
            show_line(line)
    if not dry_run:
        forwarded(settings, as_json)
    if report.aside is not None:
        raise typer.Exit(1)


def _checker(questions: Path, min_right: float) -> Checker:
    """Return what lets a generation answer only if enough labelled questions come out right."""
    from api.wiring import open_service
    from index.report import Check
    from index.store import PassageStore
    from qa.evaluate import evaluate
    from qa.evaluation.labelled import read_questions

    labelled = read_questions(questions)
    service = open_service(read_settings())

    def judge(store: PassageStore) -> Check:
        outcomes = evaluate(labelled, service, store).outcomes
        good = sum(outcome.good for outcome in outcomes)
        share = good / len(outcomes) if outcomes else 0.0
        wrong = "; ".join(outcome.question.text for outcome in outcomes if not outcome.good)
        detail = f"{good} of {len(outcomes)} questions came out right ({share:.1%}), needed are {min_right:.1%}"
        return Check(share >= min_right, detail if share >= min_right else f"{detail}. Not right: {wrong}")

    return judge


def watch(
    paths: Paths,
    encoding: Encoding = None,
    keep_missing: Annotated[bool, typer.Option("--keep-missing", help="Keep documents whose files are gone.")] = False,
    settle: Annotated[float, typer.Option(min=0.05, help="Seconds of quiet before a change is taken up.")] = 0.5,
) -> None:
    """Keep the library in step with folders until interrupted: a sync whenever something changed there."""
    with errors_told():
        from api.console import watch_folders
        from api.wiring import open_embedder
        from index.report import SyncPolicy

        settings = read_settings()
        policy = SyncPolicy(encoding=encoding, keep_missing=keep_missing)
        watch_folders(
            settings.library, open_embedder(settings), paths, policy, settle, lambda: _forwarded_if_it_can(settings)
        )


def _forwarded_if_it_can(settings: Settings) -> None:
    """Bring the engine forward; what is in its way is told, and the next sync tries again."""
    with suppress(typer.Exit):
        forwarded(settings, quiet=True)


def documents(as_json: Json = False) -> None:
    """List the documents of the library. Copies of one another have the same group."""
    with opened_library(as_json) as library:
        generation = library.generation().number
        after = ""
        listed = []
        while page := library.documents(generation, after=after, limit=500):
            after = page[-1].id
            listed += page
    if as_json:
        from api.schemas import DocumentModel

        print_json([DocumentModel.of(document).model_dump() for document in listed])
        return
    sizes: dict[str, int] = {}
    for document in listed:
        sizes[document.group] = sizes.get(document.group, 0) + 1
    for document in listed:
        copies = f"  ({sizes[document.group]} copies: {document.group})" if sizes[document.group] > 1 else ""
        show_line(_line(document) + copies)
    show_line(f"{len(listed)} documents in generation {generation}")


def _line(document: Document) -> str:
    from api.console import printable

    return printable(f"{document.id}  {document.published_at or '-':10}  {document.uri}  {document.title}")


def show(document_id: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """Print a document: what is known of it, and its text."""
    with opened_library(as_json) as library:
        generation = library.generation().number
        document = library.document(generation, document_id)
        text = library.revision(document.revision, document_id=document_id, generation=generation).text
        copies = [other.uri for other in library.copies(generation, document.group) if other.id != document_id]
    from api.console import printable
    from api.schemas import DocumentModel

    known = DocumentModel.of(document).model_dump()
    if as_json:
        print_json({**known, "copies": copies, "text": text})
        return
    for name, value in {**known, "copies": copies}.items():
        if value not in (None, []) and name != "object":
            show_line(printable(f"{name}: {value}"))
    show_line()
    show_line(text)


def delete(
    document_ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Document ids.", show_default=False)],
    purge: Annotated[
        bool, typer.Option("--purge", help="Out of every generation, and overwritten: nothing of it stays.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take documents out of the library. A later sync does not bring them back."""
    with errors_told(as_json):
        from api.audit import Audit
        from api.conversations import Conversations
        from index.change import delete as run

        settings = read_settings()
        library = settings.library
        with Audit(library).noting("document.purge" if purge else "document.delete", *document_ids):
            try:
                generation = run(library, document_ids, purge=purge)
            finally:
                # As for a server: a purge may be done and yet end in an error.
                if purge:
                    conversations = Conversations(library)
                    conversations.forget(document_ids)
                    conversations.close()
    if as_json:
        print_json({"deleted": document_ids, "purged": purge, "generation": generation})
    else:
        done = "purged" if purge else "deleted"
        where = "no generation is new: they were not live" if generation is None else f"generation {generation}"
        show_line(f"{len(document_ids)} {done}; {where}")
    forwarded(settings, as_json)


def generations(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50, as_json: Json = False
) -> None:
    """List the generations: when, how much, and what changed."""
    from dataclasses import asdict

    with opened_library(as_json) as library:
        found = library.generations(limit)
    if as_json:
        print_json([asdict(generation) for generation in found])
        return
    for g in found:
        changes = ", ".join(f"{name} {count}" for name, count in g.summary.items() if count)
        notes = ("  (kept aside)" if not g.active else "") + (f"  ({g.purged} purged)" if g.purged else "")
        show_line(f"{g.number:6}  {g.created_at}  {g.documents} documents, {g.passages} passages  {changes}{notes}")


def diff(before: _Number, after: _Number, as_json: Json = False) -> None:
    """Tell what became of the documents from one generation to another."""
    with opened_library(as_json) as library:
        found = library.diff(before, after)
    groups = {"added": found.added, "changed": found.changed, "removed": found.removed}
    if as_json:
        from api.schemas import DocumentModel

        print_json({word: [DocumentModel.of(d).model_dump() for d in docs] for word, docs in groups.items()})
        return
    for word, listed in groups.items():
        for document in listed:
            show_line(f"  {word:8} {_line(document)}")
    show_line(", ".join(f"{len(listed)} {word}" for word, listed in groups.items()))


def rollback(
    number: _Number,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also to a generation of which documents were purged: to what is left.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a new generation that has the documents of generation G."""
    with errors_told(as_json):
        from api.audit import Audit
        from index.change import rollback as run

        settings = read_settings()
        with Audit(settings.library).noting("generation.rollback", str(number)):
            generation = run(settings.library, number, partial=partial)
    if as_json:
        print_json({"generation": generation, "rolled_back_to": number})
    else:
        show_line(f"generation {generation} has the documents of generation {number}")
    forwarded(settings, as_json)

"""Do receipts give the same bytes again, whatever became of the library meanwhile?

usage: python -m benchmarks.replay [--receipts N] [--set squad|news] [--save FILE]

N questions are put to the first generation of a library that holds most documents of a set. Their receipts are replayed
at once, by another process with one thread, and after each of these: the derived indexes were deleted, later
generations came (documents added, changed and removed), the library went back, and a backup was restored elsewhere. For
each a line says how many replies had the same bytes, compared whole and not by the hash in the receipt, and why the
others had not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from api.bench import machine
from api.receipts import issued, replayed
from api.schemas import AskRequest, AskResponse
from api.settings import Settings
from api.wiring import open_embedder, open_service
from benchmarks.data import QuestionSet, news, squad_open
from index import change
from index.backup import backup, restore
from index.embed import Embedder
from index.errors import CitespanError
from index.store import LocalStore
from index.sync import sync
from qa.receipt import unpack
from qa.service import AnswerService

_SETS = {"squad": squad_open, "news": news}
_CITATIONS = (3, 1, 10)
_SAME = "same bytes"
_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Given:
    """A receipt and the bytes of the reply that it was given for."""

    token: str
    canonical: bytes
    answerable: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a library is, its sources, and the models."""

    library: Path
    sources: Path
    embedder: Embedder
    service: AnswerService

    @contextmanager
    def store(self, library: Path | None = None) -> Iterator[LocalStore]:
        opened = LocalStore(self.library if library is None else library, self.embedder)
        try:
            yield opened
        finally:
            opened.close()

    def sync(self) -> None:
        report = sync(self.library, self.embedder, [self.sources])
        if report.failed:
            raise RuntimeError(f"{len(report.failed)} documents failed: {report.failed[0]}")


def requests(questions: QuestionSet, count: int) -> list[AskRequest]:
    """Return `count` requests, the questions with one number of citations after another until there are enough."""
    drawn = questions.sample(count).questions
    rounds = ({"question": q.text, "max_citations": most} for most in cycle(_CITATIONS) for q in drawn)
    return [AskRequest.model_validate(one) for one in islice(rounds, count)]


def receipts(place: Place, asked: Sequence[AskRequest]) -> list[Given]:
    """Ask everything of the newest generation."""
    given = []
    with place.store() as opened:
        store = opened.current()
        for request in asked:
            question = request.to_question(())
            done = place.service.ask(question, store)
            plain = AskResponse.from_reply(done.reply, reply_id="", conversation_id="", timings_ms=done.timings_ms)
            reply = issued(plain, question, place.service, store)
            assert reply.receipt is not None
            given.append(Given(reply.receipt, reply.canonical(), reply.answerable))
    return given


def replay(place: Place, given: Sequence[Given], library: Path | None = None) -> Counter[str]:
    """Return how many receipts gave the same bytes, and how often each reason was named why not."""
    found: Counter[str] = Counter()
    with place.store(library) as opened:
        for one in given:
            receipt = unpack(one.token)
            try:
                again = replayed(receipt, one.token, place.service, opened.at(receipt.generation))
            except CitespanError as error:
                found[error.code] += 1
            else:
                found[_SAME if again.response.canonical() == one.canonical else "other bytes, unnoticed"] += 1
    return found


def replay_alone(library: Path, given: Sequence[Given]) -> Counter[str]:
    """Do the same in a process of its own, where strings have other hashes, with one thread."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(_replay_afresh, library, given).result()
    finally:
        del os.environ[_THREADS]
        if before is not None:
            os.environ[_THREADS] = before


def _replay_afresh(library: Path, given: Sequence[Given]) -> Counter[str]:
    return replay(opened_place(library, library.parent), given)


def opened_place(library: Path, sources: Path) -> Place:
    """Return a place with the models that ship, loaded anew."""
    settings = Settings(library=library)
    return Place(library, sources, open_embedder(settings), open_service(settings))


def later_generations(place: Place, held_back: QuestionSet) -> None:
    """Sync three times: documents added, others changed, others removed."""
    for number, (name, text) in enumerate(held_back.documents.items()):
        (place.sources / name).write_text(text, encoding="utf-8")
        if number == len(held_back.documents) // 2:
            place.sync()
    place.sync()
    files = sorted(place.sources.iterdir())
    for file in files[::7]:
        file.write_text(f"{file.read_text(encoding='utf-8')}\n\nA later line about {file.stem}.\n", encoding="utf-8")
    for file in files[3::10]:
        file.unlink()
    place.sync()


def run(questions: QuestionSet, count: int, scratch: Path) -> dict[str, Any]:
    """Return the figures; each stage is printed when it is done."""
    names = sorted(questions.documents)
    first = {name: questions.documents[name] for at, name in enumerate(names) if at % 5}
    rest = {name: questions.documents[name] for name in names if name not in first}
    sources = QuestionSet(questions.name, first, questions.questions).write(scratch / "documents")
    place = opened_place(scratch / "library", sources)
    place.sync()
    given = receipts(place, requests(questions, count))
    lengths = sorted(len(one.token) for one in given)
    figures: dict[str, Any] = {
        "set": questions.name,
        "receipts": len(given),
        "of answers": sum(one.answerable for one in given),
        "characters of a receipt, median and most": [lengths[len(lengths) // 2], lengths[-1]],
    }
    for name, value in figures.items():
        print(f"{name:44} {value}", flush=True)

    def stage(name: str, ask: Callable[[], Counter[str]] = lambda: replay(place, given)) -> None:
        started = time.perf_counter()
        found = ask()
        figures[name] = dict(found)
        told = ", ".join(f"{count} {what}" for what, count in found.most_common())
        print(f"{name:44} {told} ({time.perf_counter() - started:.0f} s)", flush=True)

    stage("at once")
    stage("by another process, with one thread", lambda: replay_alone(place.library, given))
    shutil.rmtree(place.library / "words")
    stage("after the derived indexes were deleted")
    later_generations(place, QuestionSet(questions.name, rest, ()))
    stage("after three later generations")
    shutil.rmtree(place.library / "words")
    stage("and the derived indexes deleted again")
    change.rollback(place.library, 1)
    stage("after going back to the first generation")
    backup(place.library, scratch / "backup")
    restore(scratch / "backup", scratch / "elsewhere")
    stage("in a backup restored elsewhere", lambda: replay(place, given, scratch / "elsewhere"))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=1_000)
    parser.add_argument("--set", choices=sorted(_SETS), default="squad", help="where questions and documents are from")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    for name, value in machine().items():
        print(f"{name:44} {value}", flush=True)
    with tempfile.TemporaryDirectory(prefix="citespan-replay-") as scratch:
        figures = run(_SETS[arguments.set](), arguments.receipts, Path(scratch))
    if arguments.save is not None:
        arguments.save.write_text(json.dumps({**figures, **machine()}, indent=2) + "\n", encoding="utf-8")
    stages = [value for value in figures.values() if isinstance(value, dict)]
    if any(stage.keys() != {_SAME} for stage in stages):
        raise SystemExit("not all receipts gave the same bytes")


if __name__ == "__main__":
    main()

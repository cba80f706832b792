"""How many tokens have to be read for how good an answer: `python -m benchmarks.tokens --keep DIR [--questions N]`.

The public question sets are asked under several policies of reading. A passage is read once for a question, whatever
the policies, so that they differ in what is read and in nothing else; the calibration is the shipped one, which was
fitted to the policy that is in use. What counts is the share of all questions that come out right: answered rightly, or
rightly not answered. The libraries and what the reader said are kept in DIR for the next run.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from api.bench import machine
from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.data import QuestionSet, news, news_without_sources, squad_open
from index.embed import Embedder
from index.store import LocalStore
from index.sync import sync
from index.types import Passage
from qa import calibrate
from qa.evaluate import evaluate
from qa.further import FurtherPolicy
from qa.read import MODEL_FOLDER, Reader, shipped, together
from qa.service import AnswerService, Policy, SecondLook
from qa.types import Candidate
from training.fit_calibration import RememberingReader

IN_USE = Policy()
_ANY = math.inf
POLICIES = {
    "2+1+1+1+1+1, near (in use)": IN_USE,
    "1": replace(IN_USE, helpings=(1,)),
    "1+1+1+1+1": replace(IN_USE, helpings=(1, 1, 1, 1, 1), near=_ANY),
    "2": replace(IN_USE, helpings=(2,)),
    "2+1": replace(IN_USE, helpings=(2, 1), near=_ANY),
    "2+1+1": replace(IN_USE, helpings=(2, 1, 1), near=_ANY),
    "2+1+1+1": replace(IN_USE, helpings=(2, 1, 1, 1), near=_ANY),
    "2+1+1+1+1+1": replace(IN_USE, near=_ANY),
    "2+1+1+1+1+1, nearer": replace(IN_USE, near=0.2),
    "7": replace(IN_USE, helpings=(7,)),
    "2+1+1+1+1+1, near, no second look": replace(IN_USE, second=SecondLook(looks=())),
    "2+1+1+1+1+1, near, the whole passage again": replace(IN_USE, second=SecondLook(characters=100_000)),
    "2+1+1+1+1+1, near, once again": replace(IN_USE, second=SecondLook(looks=(1,))),
    "2+1+1+1+1+1, near, nobody else heard": replace(IN_USE, further=FurtherPolicy(most=0)),
}


class CountingReader:
    """A reader that remembers what it read and counts the tokens of all that it is given, as BERT cuts them."""

    def __init__(self, reader: Reader, path: Path) -> None:
        self._reader = RememberingReader(reader, path)
        self._tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
        self.tokens = self.windows = 0

    @property
    def fingerprint(self) -> str:
        return self._reader.fingerprint

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        self.windows += len(passages)
        self.tokens += sum(len(self._tokenizer.encode(query, passage.text).ids) for passage in passages)
        return self._reader.read(query, passages)


def opened(questions: QuestionSet, embedder: Embedder, keep: Path) -> LocalStore:
    """Return the library of a set, made if it is not kept."""
    folder = keep / questions.name.replace(" ", "-")
    if not folder.exists():
        sync(folder, embedder, [questions.write(keep / f"{folder.name}-documents")])
    return LocalStore(folder, embedder)


def measured(
    questions: QuestionSet, store: LocalStore, readers: tuple[CountingReader, CountingReader], policy: Policy
) -> dict[str, Any]:
    """Return what a policy costs and brings."""
    reader, second = readers
    for one in readers:
        one.tokens = one.windows = 0
    service = AnswerService(reader, calibrate.load(together(reader, second)), policy, second)
    outcomes = evaluate(questions.questions, service, store.current()).outcomes
    answered = [one for one in outcomes if one.answered]
    good = [one.right if one.question.answerable else not one.answered for one in outcomes]
    return {
        "questions": len(outcomes),
        "tokens a question": round(reader.tokens / len(outcomes), 1),
        "windows a question": round(reader.windows / len(outcomes), 2),
        "tokens looked at again": round(second.tokens / len(outcomes), 1),
        "come out right": round(sum(good) / len(outcomes), 4),
        "answered": round(len(answered) / len(outcomes), 4),
        "right when answered": round(sum(one.right for one in answered) / len(answered), 4) if answered else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, required=True, help="where libraries and readings are kept")
    parser.add_argument("--questions", type=int, default=400, help="of SQuAD's 5,732")
    parser.add_argument("--sets", type=int, default=3, help="1: SQuAD alone; 2: and the news; 3: and without sources")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    given.keep.mkdir(parents=True, exist_ok=True)
    embedder = open_embedder(Settings(library=given.keep / "none"))
    first, second = (CountingReader(one, given.keep / "reads.jsonl") for one in shipped())
    # Those that the calibration was fitted with are asked too: it is the same for all policies.
    squad = squad_open()
    drawn = random.Random(7).sample(squad.questions, given.questions)
    sets = (replace(squad, questions=tuple(drawn)), news(), news_without_sources())[: given.sets]
    stores = [opened(one, embedder, given.keep) for one in sets]
    rows = []
    for name, policy in POLICIES.items():
        for one, store in zip(sets, stores, strict=True):
            rows.append({"policy": name, "set": one.name, **measured(one, store, (first, second), policy)})
            print(json.dumps(rows[-1]), flush=True)
    for store in stores:
        store.close()
    if given.save is not None:
        given.save.write_text(json.dumps({**machine(), "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

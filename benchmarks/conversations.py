"""How well a question in a conversation is understood, and what that is worth in right answers.

usage: python -m benchmarks.conversations [--cast] [--dialogues FILE] [--former FILE] [--save FILE] [--each]

--cast compares stand-alone queries with those written by hand for TREC CAsT 2019, by their content words. --dialogues
asks the dialogues of FILE of the starter library and the news articles, end to end: as they stand, as the hand-written
stand-alone questions, and without the conversation. --former adds another version of qa/followup.py to compare with
(`git show COMMIT:qa/followup.py`). The rules were made on the odd topics of CAsT and on the dialogues of the half
"fit"; the others are reported apart.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from api.bench import machine
from api.settings import Settings
from api.wiring import open_embedder, open_service
from benchmarks.data import SHARED
from index.store import GenerationStore, LocalStore
from index.sync import sync
from qa.evaluation.chance import paired_p
from qa.features import content_words
from qa.followup import standalone, turns_of
from qa.service import AnswerService
from qa.types import Answer, Question, Reply, Turn

ROOT = Path(__file__).parents[1]
KEEP = ROOT / "results" / "conversations"
_COUNTED_CITATIONS = 2
_COMMAND = "python -m benchmarks.conversations --cast --dialogues tests/dialogues.jsonl --former FILE --save FILE"

Way = Callable[[str, Sequence[Turn]], str]
"""(Question, turns) → stand-alone query."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn of a dialogue: what is asked, by hand what it means, and words of which a right quote holds one.

    `kind` is "first", "follow" or "change" (of topic); `half` is "fit" or, for those held out, "check".
    """

    dialogue: str
    half: str
    kind: str
    question: str
    standalone: str
    documents: tuple[str, ...]
    facts: tuple[str, ...]

    def is_right(self, reply: Reply) -> bool:
        """Return whether one of the first citations is of a gold document and holds a fact."""
        if not isinstance(reply, Answer):
            return False
        return any(
            citation.document.uri.endswith(self.documents) and fact.casefold() in citation.quote.casefold()
            for citation in reply.citations[:_COUNTED_CITATIONS]
            for fact in self.facts
        )


def read_dialogues(path: Path) -> list[Asked]:
    """Return the turns of a file of JSON lines, in order."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Asked(**row | {"documents": tuple(row["documents"]), "facts": tuple(row["facts"])}) for row in rows]


def overlap(query: str, gold: str) -> tuple[float, float, float]:
    """Return recall, precision and F1 of the content words (stems) of `query` against those of `gold`, in [0, 1]."""
    found, wanted = content_words(query), content_words(gold)
    both = len(found & wanted)
    recall = both / len(wanted) if wanted else 1.0
    precision = both / len(found) if found else float(not wanted)
    return recall, precision, 2 * recall * precision / (recall + precision) if both else float(not found and not wanted)


def cast_topics(shared: Path = SHARED) -> dict[int, list[tuple[str, str]]]:
    """Return the (raw, hand-written) turns of each topic of CAsT 2019."""
    folder = shared / "cast2019"
    lines = (folder / "evaluation_topics_annotated_resolved_v1.0.tsv").read_text(encoding="utf-8").splitlines()
    by_hand = dict(line.split("\t", 1) for line in lines if "\t" in line)
    topics = json.loads((folder / "evaluation_topics_v1.0.json").read_text(encoding="utf-8"))
    return {
        topic["number"]: [
            (turn["raw_utterance"].strip(), by_hand[f"{topic['number']}_{turn['number']}"].strip())
            for turn in topic["turn"]
        ]
        for topic in topics
    }


def cast(former: Way | None) -> dict[str, Any]:
    """Print and return the figures on CAsT 2019, averaged over the turns after the first of each topic."""
    ways: dict[str, Way] = {
        "raw turn": lambda question, turns: question,
        "all so far": lambda question, turns: " ".join([*(turn.question for turn in turns), question]),
        **({} if former is None else {"former": former}),
        "shipped": standalone,
    }
    topics = cast_topics()
    halves = {
        "fit (odd topics)": [n for n in topics if n % 2],
        "check (even topics)": [n for n in topics if n % 2 == 0],
        "all topics": list(topics),
    }
    figures: dict[str, Any] = {}
    for half, numbers in halves.items():
        print(f"\nCAsT 2019, {half}: recall, precision and F1 of content words, %")
        per_way = {name: [found for n in numbers for found in _overlaps(topics[n], way)] for name, way in ways.items()}
        figures[half] = {"turns": len(per_way["shipped"])}
        for name, found in per_way.items():
            means = [round(100 * mean(column), 1) for column in zip(*found, strict=True)]
            figures[half][name] = dict(zip(("recall", "precision", "F1"), means, strict=True))
            print(f"{name:12}" + "".join(f"{value:8.1f}" for value in means))
    return figures


def _overlaps(topic: Sequence[tuple[str, str]], way: Way) -> list[tuple[float, float, float]]:
    turns: list[Turn] = []
    found = []
    for raw, by_hand in topic:
        query = way(raw, turns)
        if turns:
            found.append(overlap(query, by_hand))
        turns.append(Turn(raw, query, (), None))
    return found


class Asker:
    """Asks stand-alone queries of one generation, each once."""

    def __init__(self, service: AnswerService, store: GenerationStore) -> None:
        self._service = service
        self._store = store
        self._replies: dict[str, Reply] = {}

    def ask(self, query: str) -> Reply:
        if query not in self._replies:
            self._replies[query] = self._service.ask(Question(query, standalone=query), self._store).reply
        return self._replies[query]


def kept(question: str, query: str, reply: Reply, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the turns as the server keeps them."""
    answer = reply if isinstance(reply, Answer) else None
    quotes = () if answer is None else tuple(citation.quote for citation in answer.citations)
    return (*turns, Turn(question, query, quotes, None if answer is None else answer.short_answer))


def sent(question: str, query: str, reply: Reply, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the turns as a client sends them: questions and the text of answers."""
    pairs = [(turn.question, turn.quotes[0] if turn.quotes else None) for turn in turns]
    return turns_of([*pairs, (question, reply.text if isinstance(reply, Answer) else None)])


def dialogues(asked: Sequence[Asked], asker: Asker, former: Way | None, each: bool) -> dict[str, Any]:
    """Print and return how often each way of understanding the dialogues gets a right answer."""
    by_hand = {(one.dialogue, one.question): one.standalone for one in asked}
    queries = {
        "by hand": [one.standalone for one in asked],
        "raw turn": [one.question for one in asked],
        **({} if former is None else {"former": _in_conversation(asked, asker, former, kept)}),
        "shipped": _in_conversation(asked, asker, standalone, kept),
        "shipped, turns sent": _in_conversation(asked, asker, standalone, sent),
    }
    assert len(by_hand) == len(asked), "a dialogue asks the same twice"
    right = {name: [one.is_right(asker.ask(q)) for one, q in zip(asked, found, strict=True)]
             for name, found in queries.items()}  # fmt: skip
    groups: Mapping[str, Callable[[Asked], bool]] = {
        "fit": lambda one: one.half == "fit",
        "check": lambda one: one.half == "check",
        "all": lambda one: True,
        "all, follow-ups": lambda one: one.kind == "follow",
        "all, change of topic": lambda one: one.kind == "change",
    }
    figures: dict[str, Any] = {"dialogues": len({one.dialogue for one in asked}), "turns": len(asked)}
    print(f"\n{figures['dialogues']} dialogues, {len(asked)} turns: right answers, and their share of those by hand")
    print(f"{'':24}" + "".join(f"{name:>22}" for name in queries))
    for group, belongs in groups.items():
        at = [i for i, one in enumerate(asked) if belongs(one)]
        counts = {name: sum(found[i] for i in at) for name, found in right.items()}
        figures[group] = {"turns": len(at), "right": counts,
                          "share of by hand": round(counts["shipped"] / max(1, counts["by hand"]), 3)}  # fmt: skip
        shown = "".join(f"{count:>14} ({count / max(1, counts['by hand']):5.2f})" for count in counts.values())
        print(f"{f'{group} ({len(at)})':24}{shown}")
    differences = [float(a) - float(b) for a, b in zip(right["shipped"], right["by hand"], strict=True)]
    figures["shipped against by hand, p"] = round(paired_p(differences, seed=0), 4)
    if each:
        _show(asked, queries["shipped"], right["shipped"], right["by hand"])
    return figures


def _in_conversation(
    asked: Sequence[Asked], asker: Asker, way: Way,
    keep: Callable[[str, str, Reply, Sequence[Turn]], tuple[Turn, ...]],
) -> list[str]:  # fmt: skip
    """Return the query of each turn, when each dialogue is asked turn by turn with the answers that come."""
    conversations: dict[str, tuple[Turn, ...]] = {}
    queries = []
    for one in asked:
        turns = conversations.get(one.dialogue, ())
        query = way(one.question, turns)
        conversations[one.dialogue] = keep(one.question, query, asker.ask(query), turns)
        queries.append(query)
    return queries


def _show(asked: Sequence[Asked], queries: Sequence[str], right: Sequence[bool], by_hand: Sequence[bool]) -> None:
    for one, query, ours, theirs in zip(asked, queries, right, by_hand, strict=True):
        if one.half == "fit" and (ours != theirs or query != one.standalone):
            marks = f"{'+' if ours else '-'}{'+' if theirs else '-'}"
            print(f"{one.dialogue} {marks} {one.question}\n       {query}\n       {one.standalone}")


def milliseconds(asked: Sequence[Asked]) -> float:
    """Return how long a turn takes to be understood, in the mean over the dialogues."""
    turns: list[Turn] = []
    started = time.perf_counter()
    for one in asked:
        turns.append(Turn(one.question, standalone(one.question, turns), (), None))
    return round(1000 * (time.perf_counter() - started) / len(asked), 2)


def load(path: Path) -> Way:
    """Return the `standalone` of another version of qa/followup.py."""
    spec = importlib.util.spec_from_file_location("former_followup", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    way: Way = module.standalone
    return way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cast", action="store_true", help="compare content words on CAsT 2019")
    parser.add_argument("--dialogues", type=Path, metavar="FILE", help="ask these dialogues, end to end")
    parser.add_argument("--former", type=Path, metavar="FILE", help="another version of qa/followup.py")
    parser.add_argument("--keep", type=Path, default=KEEP, help="where the library is kept")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--each", action="store_true", help="show each turn of the half fit that comes out differently")
    given = parser.parse_args()
    former = None if given.former is None else load(given.former)
    results: dict[str, Any] = {"command": _COMMAND, **machine()}
    if given.cast:
        results["CAsT 2019"] = cast(former)
    if given.dialogues is not None:
        asked = read_dialogues(given.dialogues)
        embedder = open_embedder(Settings())
        sync(given.keep / "library", embedder, [ROOT / "seeds", SHARED / "onestop" / "documents"])
        store = LocalStore(given.keep / "library", embedder)
        try:
            asker = Asker(open_service(Settings()), store.current())
            results["dialogues"] = dialogues(asked, asker, former, given.each)
        finally:
            store.close()
        results["milliseconds to understand a turn"] = milliseconds(asked)
    if given.save is not None:
        given.save.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

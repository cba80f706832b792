"""Do the shipped models, through the whole service, show the sides of small groups of documents?

A line of `agreement.jsonl` is a group: its documents, a question, and the sides that the reply should have, in any
order. A `value` lists with `|` what the side may be worded as. A document that is `like` another one is its text with
some words swapped: a copy, or the same form filled in another way. All groups stand in one library.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from index.embed import Embedder
from index.store import LocalStore
from index.sync import sync
from qa import calibrate
from qa.read import shipped, together
from qa.service import AnswerService
from qa.types import Answer, Question, Reply, Side
from tests.fakes import write_files

FILE = Path(__file__).parent / "agreement.jsonl"
RIGHT = 0.9


@dataclass(frozen=True, slots=True)
class Group:
    """Documents (name → text with its front matter), a question, and the sides to expect."""

    name: str
    kind: str
    question: str
    documents: Mapping[str, str]
    independent: int
    sides: tuple[Side, ...]
    differ: bool


def group_of(row: Mapping[str, Any]) -> Group:
    texts: dict[str, str] = {}
    for document in row["documents"]:
        text = texts[document["like"]] if "like" in document else document["text"]
        for old, new in document.get("swaps", []):
            assert old in text, (row["name"], old)
            text = text.replace(old, new)
        texts[document["name"]] = text
    published = {document["name"]: document["published"] for document in row["documents"]}
    files = {f"{name}.md": f"---\npublished_at: {published[name]}\n---\n\n{text}\n" for name, text in texts.items()}
    sides = tuple(Side(side["value"], (), side["documents"], side["independent"]) for side in row["sides"])
    # A copy with another value in it is a source of its own for that value.
    independent = max(sum("like" not in d for d in row["documents"]), sum(side.independent for side in sides))
    return Group(row["name"], row["kind"], row["question"], files, independent, sides, row["differ"])


GROUPS = tuple(group_of(json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Mapping[str, Reply]:
    """Return the reply to the question of every group, by its name, from one library of all documents."""
    folder = tmp_path_factory.mktemp("agreement")
    files = {name: text for group in GROUPS for name, text in group.documents.items()}
    report = sync(folder / "library", embedder, [write_files(folder / "documents", files)])
    assert report.failed == ()
    reader, second = shipped()
    service = AnswerService(reader, calibrate.load(together(reader, second)), second=second)
    store = LocalStore(folder / "library", embedder)
    try:
        now = store.current()
        return {group.name: service.ask(Question(group.question, max_citations=5), now).reply for group in GROUPS}
    finally:
        store.close()


def as_expected(reply: Reply, group: Group) -> bool:
    """Return whether the reply has the sides of the group, each with its counts, and no other."""
    if not isinstance(reply, Answer) or reply.sources_differ != group.differ:
        return False
    left = list(reply.sides)
    for side in group.sides:
        fitting = [one for one in left if _fits(one, side)]
        if not fitting:
            return False
        left.remove(fitting[0])
    return not left


def _fits(side: Side, expected: Side) -> bool:
    words = any(value in side.value for value in expected.value.split("|"))
    return words and (side.documents, side.independent) == (expected.documents, expected.independent)


def shown(reply: Reply) -> Sequence[tuple[str, int, int]]:
    sides = reply.sides if isinstance(reply, Answer) else ()
    return [(side.value, side.documents, side.independent) for side in sides]


def test_the_groups_are_many_and_of_all_kinds() -> None:
    kinds = Counter(group.kind for group in GROUPS)
    assert len(GROUPS) >= 40
    assert len({group.name for group in GROUPS}) == len(GROUPS)
    assert kinds.keys() == {
        "same fact", "different figures", "later correction", "syndicated copy", "other unit", "other wording", "dates",
        "names", "other matter",
    }  # fmt: skip


def test_nine_of_ten_groups_show_their_sides(replies: Mapping[str, Reply]) -> None:
    wrong = {group.name: shown(replies[group.name]) for group in GROUPS if not as_expected(replies[group.name], group)}
    assert len(GROUPS) - len(wrong) >= RIGHT * len(GROUPS), wrong


def test_what_independent_sources_say_alike_is_quoted_from_two(replies: Mapping[str, Reply]) -> None:
    alike = [group.name for group in GROUPS if not group.differ and group.sides and group.sides[0].independent > 1]
    assert len(alike) >= 30
    answers = {name: reply for name, reply in replies.items() if name in alike and isinstance(reply, Answer)}
    quoted = {name: {one.document.group for one in answer.citations} for name, answer in answers.items()}
    assert sum(len(sources) > 1 for sources in quoted.values()) >= RIGHT * len(alike), quoted


def test_no_copy_is_counted_twice(replies: Mapping[str, Reply]) -> None:
    for group in GROUPS:
        reply = replies[group.name]
        sides = reply.sides if isinstance(reply, Answer) else ()
        assert sum(side.independent for side in sides) <= group.independent, group.name
        assert all(side.independent <= side.documents for side in sides), group.name


def test_sources_that_do_not_differ_are_never_said_to(replies: Mapping[str, Reply]) -> None:
    said = [name for name, reply in replies.items() if isinstance(reply, Answer) and reply.sources_differ]
    assert set(said) <= {group.name for group in GROUPS if group.differ}


def test_every_side_is_cited_and_dated(replies: Mapping[str, Reply]) -> None:
    for name, reply in replies.items():
        if isinstance(reply, Answer):
            for side in reply.sides:
                dates = [c.document.published_at for c in reply.citations if c.number in side.citations]
                assert dates, name
                assert side.published_from is not None, name
                assert side.published_to is not None, name
                assert all(d is not None and side.published_from <= d <= side.published_to for d in dates), name

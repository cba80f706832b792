"""No regular expression blows up: each takes steps in proportion to the text that it is put to, or the text is short.

Every pattern in `index`, `qa` and `api` is put to texts made to hurt it, and to longer ones of the same kind; steps are
counted by `tests/steps.py`, so that no clock decides.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from qa.asks import parts
from tests.steps import Counting

ROOT = Path(__file__).resolve().parent.parent
SHORT, LONG = 16, 32
# Steps of twice the text to those of the text: 2 is linear, 4 is quadratic, 8 is cubic.
LINEAR, QUADRATIC = 2.8, 5.2
FEW = 400
# What is quadratic, and what keeps the text that it gets short.
BOUNDED = {
    "index.load.decode:_DECLARED": "the first 4,096 bytes of a page",
    "index.load.furniture:_CONTENTS": "the last 400 characters of a line",
    "index.load.furniture:_ONLY_A_NUMBER": "lines of up to 60 characters",
    "index.load.hyphens:_LAST": "the last 60 characters of a line",
    "qa.english.clauses:_QUESTION": "questions, of up to 2,000 characters",
    "qa.shorten:_CLOSING": "sentences, of up to 1,000 characters",
    "qa.shorten:_LAST_WORD": "40 characters",
    "qa.shorten:_SPEECH_VERB_BEHIND": "sentences, of up to 1,000 characters",
    "qa.turns.antecedents:LISTED": "phrases of a question or of a short answer",
    "qa.turns.omitted:_LISTED": "the first 200 characters",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and the source of every module."""
    for package in ("index", "qa", "api"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def held(value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield the patterns in a value of a module, with where they are."""
    if isinstance(value, re.Pattern):
        yield name, value
    elif depth < 4 and isinstance(value, (tuple, list, frozenset, set)):
        for number, one in enumerate(value):
            yield from held(one, f"{name}[{number}]", depth + 1)
    elif depth < 4 and isinstance(value, dict):
        for number, pair in enumerate(list(value.items())):
            yield from held(pair, f"{name}[{number}]", depth + 1)
    elif depth < 4 and is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from held(getattr(value, field.name), f"{name}.{field.name}", depth + 1)


def patterns() -> Iterator[tuple[str, re.Pattern[Any], bool]]:
    """Yield each pattern once, with its name and whether it is only tried at the beginning of a text."""
    seen = set()
    for module, tree in modules():
        used: dict[str, set[str]] = {}
        inline: list[tuple[str, re.Pattern[Any], bool]] = []
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            used.setdefault(node.value.id, set()).add(node.attr)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr != "compile"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                only = node.func.attr in ("match", "fullmatch")
                inline.append((f"{module}:line {node.lineno}", re.compile(node.args[0].value), only))
        for name, value in vars(importlib.import_module(module)).items():
            for place, pattern in held(value, name):
                at_start = place == name and bool(used.get(name)) and used[name] <= {"match", "fullmatch"}
                if (pattern.pattern, pattern.flags) not in seen:
                    seen.add((pattern.pattern, pattern.flags))
                    yield f"{module}:{place}", pattern, at_start
        for one in inline:
            if (one[1].pattern, one[1].flags) not in seen:
                seen.add((one[1].pattern, one[1].flags))
                yield one


def growth(pattern: re.Pattern[Any], at_start: bool, enough: float = 99.0) -> tuple[float, str]:
    """Return how many times the steps grow when a text is twice as long, at worst, and of what the text is made.

    Looking ends once it is over `enough`.
    """
    counting, worst = Counting(pattern), (0.0, "")
    if not counting.repeats:
        return worst
    for before, piece in dict.fromkeys(counting.attacks()):
        steps = []
        for times in (SHORT, LONG):
            counting.steps, text = 0, before + piece * times + "\x00"
            if at_start:
                counting.begins(text, whole=True)
            else:
                counting.goes_through(text)
            steps.append(counting.steps)
        if steps[1] > FEW and steps[1] / steps[0] > worst[0]:
            worst = (steps[1] / steps[0], f"{before!r}, and {piece!r} again and again")
            if worst[0] > enough:
                return worst
    return worst


@pytest.fixture(scope="module", autouse=True)
def _deep() -> Iterator[None]:
    """The matcher calls itself for each character."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(before)


@pytest.fixture(scope="module")
def grown(_deep: None) -> dict[str, tuple[float, str]]:
    """Return how the steps of each pattern grow, by its name."""
    return {name: growth(p, at_start, QUADRATIC if name in BOUNDED else LINEAR) for name, p, at_start in patterns()}


def test_every_pattern_takes_steps_in_proportion_or_is_put_to_short_texts_only(
    grown: dict[str, tuple[float, str]],
) -> None:
    allowed = {name: QUADRATIC if name in BOUNDED else LINEAR for name in grown}
    assert {name: worst for name, worst in grown.items() if worst[0] > allowed[name]} == {}
    assert len(grown) > 200


def test_what_is_said_to_be_quadratic_is_there_and_is(grown: dict[str, tuple[float, str]]) -> None:
    assert {name for name in BOUNDED if grown[name][0] > LINEAR} == BOUNDED.keys()


def test_two_thousand_spaces_in_a_question_are_no_more_work_than_two() -> None:
    """They once took minutes, with nothing else running meanwhile: this one was found by counting."""
    assert parts("When did it open   and where?") == parts(f"When did it open{' ' * 1_980}and where?")
    assert parts(f"What is it{' ' * 1_980}x") == [f"What is it{' ' * 1_980}x"]


@pytest.mark.parametrize(
    ("pattern", "grows"),
    [(r"a+b", 3.5), (r"(a+)+b", 30.0), (r"\s*,?\s+and", 6.5), (r"(?:a|a)*b", 30.0), (r"\w+\s+\w+\s*$", 3.0)],
)
def test_a_pattern_that_blows_up_is_told(pattern: str, grows: float) -> None:
    counting, steps = Counting(re.compile(pattern)), []
    before, piece = ("", " ") if pattern.startswith(r"\s") else ("", "a")
    for times in (6, 12) if grows > 10 else (40, 80):
        counting.steps = 0
        counting.goes_through(before + piece * times + "\x00")
        steps.append(counting.steps)
    assert steps[1] / steps[0] > grows


@pytest.mark.parametrize(
    "pattern", [r"a+b", r"(?i)(?:the\s)?([A-Z][\w’'-]*)\b(?<!is)", r"\((\w+)\)\s*\1", r"(?m)^a.*?$"]
)
@pytest.mark.parametrize("text", ["aab ab", "THE Nile's (one)one", "x\nabc\n", "(two) two ", "a" * 30, ""])
def test_the_matcher_finds_what_pythons_finds(pattern: str, text: str) -> None:
    compiled, counting = re.compile(pattern), Counting(re.compile(pattern))
    for at in range(len(text) + 1):
        found = compiled.match(text, at) if not pattern.endswith("?$") else None
        if found is not None or not pattern.endswith("?$"):
            assert counting.begins(text, at) == (None if found is None else found.end()), at

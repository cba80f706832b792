"""The help: it lists every command under a heading, and shows of each how it is called."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
import typer.core
import typer.main
from typer.testing import CliRunner

from api import cli
from api.commands.examples import EXAMPLES, GROUPS, examples
from tests.test_readme import citespan_problem


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of groups of commands among them."""

    def below(group: typer.core.TyperGroup, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            if isinstance(command, typer.core.TyperGroup):
                yield from below(command, (*words, name))
            else:
                yield (*words, name)

    group = typer.main.get_command(cli.app)
    assert isinstance(group, typer.core.TyperGroup)
    yield from below(group, ())


COMMANDS = sorted(commands())


def helped(words: tuple[str, ...]) -> str:
    result = CliRunner().invoke(cli.app, [*words, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
def test_the_help_of_each_command_has_examples_that_parse(words: tuple[str, ...]) -> None:
    lines = examples(" ".join(words))
    assert lines
    printed = [line.strip() for line in helped(words).splitlines()]
    for line in lines:
        assert line in printed
        called = shlex.split(line.partition(" <")[0])
        assert called[0] == "citespan"
        assert citespan_problem(called[1:]) is None, line
        if words:
            start = next(n for n, word in enumerate(called) if word == words[0])
            assert tuple(called[start : start + len(words)]) == words


def test_there_are_examples_of_nothing_else() -> None:
    assert EXAMPLES.keys() == {"", *(words[0] for words in COMMANDS)}


def test_every_command_is_listed_once_and_under_a_heading() -> None:
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted({words[0] for words in COMMANDS})
    text = helped(())
    assert "Others:" not in text
    places = [text.index(f"{heading}:") for heading in GROUPS]
    assert places == sorted(places)
    for name in listed:
        assert f"\n  {name} " in text


def test_no_first_sentence_is_cut_short() -> None:
    assert "..." not in helped(()).replace("[ARGS]...", "")

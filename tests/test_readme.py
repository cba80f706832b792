"""The README: every command in it exists."""

import re
import shlex
from pathlib import Path

import typer
import typer.core
import typer.main

from api import cli

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
SHELLS = ("console", "sh", "bash", "shell")

_BLOCK = re.compile(r"^ {0,3}```(\w+)[^\n]*\n(.*?)^ {0,3}```\s*$", re.MULTILINE | re.DOTALL)


def command_lines(text: str) -> list[list[str]]:
    """Return the commands of a Markdown text's shell blocks, split into words; what they print is left out."""
    found: list[list[str]] = []
    for language, block in _BLOCK.findall(text):
        if language not in SHELLS:
            continue
        lines = block.replace("\\\n", " ").splitlines()
        prompts = any(line.lstrip().startswith("$ ") for line in lines)
        for line in lines:
            bare = line.strip()
            if prompts and not bare.startswith("$ "):
                continue
            for part in re.split(r"\s(?:&&|\|\||\||;)\s", bare.removeprefix("$ ")):
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words = words[1:]
                if words:
                    found.append(words)
    return found


def make_targets() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))


def citespan_problem(words: list[str]) -> str | None:
    """Return what is wrong with the words behind `citespan`, None if the command line would understand them."""
    group = typer.main.get_command(cli.app)
    try:
        # Parsed all the way down, and not run.
        with group.make_context("citespan", list(words), resilient_parsing=False) as context:
            assert isinstance(group, typer.core.TyperGroup)
            name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None
            command.make_context(name, rest, parent=context)
    except (SystemExit, typer.Exit):
        return None  # --help and the like
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


COMMANDS = command_lines(README.read_text(encoding="utf-8"))


def test_commands_are_told_from_what_they_print() -> None:
    text = (
        "Some `make nothing` text.\n\n```console\n$ make serve PORT=1   # comment\nserving on …\n"
        "$ A=b citespan ask 'Who?' | jq .answer\n```\n\n```sh\nmake test && \\\n  citespan doctor\n```\n"
        "```json\ncitespan none\n```\n"
    )
    assert command_lines(text) == [
        ["make", "serve", "PORT=1"], ["citespan", "ask", "Who?"], ["jq", ".answer"], ["make", "test"],
        ["citespan", "doctor"],
    ]  # fmt: skip


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert citespan_problem(["ask", "Who?", "--json"]) is None
    assert citespan_problem(["--library", "somewhere", "sync", "seeds"]) is None
    assert citespan_problem(["sink", "seeds"]) is not None
    assert citespan_problem(["ask", "Who?", "--jason"]) is not None


def test_the_readme_shows_how_to_serve_and_how_to_test() -> None:
    assert ["make", "serve"] in COMMANDS
    assert ["make", "test"] in COMMANDS


def test_every_target_of_make_in_the_readme_exists() -> None:
    asked = {
        word for words in COMMANDS if words[0] == "make" for word in words[1:] if word[0] != "-" and "=" not in word
    }
    assert asked <= make_targets()


def test_every_citespan_command_in_the_readme_exists() -> None:
    problems = {" ".join(words): citespan_problem(words[1:]) for words in COMMANDS if Path(words[0]).name == "citespan"}
    assert {line: problem for line, problem in problems.items() if problem is not None} == {}

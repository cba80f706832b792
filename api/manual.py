"""The manual page: from the very commands, options, descriptions and examples that `--help` shows.

`python -m api.manual > docs/deploy/citespan.1` writes it anew; a test sees to it that it is as the help is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version

import typer
import typer.core
import typer.main

from api import cli
from api.commands.examples import GROUPS, examples

_EXITS = (
    ("0", "done"),
    ("1", "failed, or a generation was kept aside"),
    ("2", "wrong usage, or a setting that cannot be"),
    ("3", "the sources do not say (ask)"),
    ("130", "interrupted"),
)


def manual() -> str:
    """Return the manual page of `citespan`, in roff, ASCII only."""
    program = typer.main.get_command(cli.app)
    assert isinstance(program, typer.core.TyperGroup)
    lines = [
        '.\\" Written by `python -m api.manual`: change the help texts instead.',
        f'.TH CITESPAN 1 "" "citespan {version("citespan")}" "User Commands"',
        ".SH NAME",
        f"citespan {_roff('- ' + _sentence(program)).rstrip('.')}",
        ".SH SYNOPSIS",
        *_usage(program, ()),
        ".SH DESCRIPTION",
        _roff(_sentence(program)),
        "Each command says with",
        f".B {_roff('--help')}",
        "what stands here of it. Every setting can also be given by a variable of the environment or in a file;",
        ".B citespan settings",
        "tells what is in force, and from where.",
        ".SH OPTIONS",
        *_parameters(program, ()),
        *_examples(""),
    ]
    for heading, names in GROUPS.items():
        lines.append(f".SH {_roff(heading).upper()}")
        for name in names:
            lines += _command(_ours(program.commands[name]), (name,))
    lines.append(".SH EXIT STATUS")
    for code, meaning in _EXITS:
        lines += [".TP", f".B {code}", _roff(meaning)]
    return "\n".join(lines) + "\n"


def _command(command: typer.core.TyperCommand | typer.core.TyperGroup, words: tuple[str, ...]) -> Iterator[str]:
    """Yield the section of a command, and of those below it."""
    yield f".SS citespan {_roff(' '.join(words))}"
    yield from _usage(command, words)
    yield ".PP"
    yield from (_roff(line) for line in _help(command).splitlines() if line.strip())
    yield from _parameters(command, words)
    if isinstance(command, typer.core.TyperGroup):
        for name, below in command.commands.items():
            yield from _command(_ours(below), (*words, name))
    else:
        yield from _examples(" ".join(words))


def _ours(command: object) -> typer.core.TyperCommand | typer.core.TyperGroup:
    assert isinstance(command, typer.core.TyperCommand | typer.core.TyperGroup)
    return command


def _context(command: typer.core.TyperCommand | typer.core.TyperGroup, words: tuple[str, ...]) -> typer.Context:
    return typer.Context(command, info_name=" ".join(("citespan", *words)))


def _usage(command: typer.core.TyperCommand | typer.core.TyperGroup, words: tuple[str, ...]) -> list[str]:
    pieces = " ".join(command.collect_usage_pieces(_context(command, words)))
    return [f".B {_roff(' '.join(('citespan', *words)))}", _roff(pieces)]


def _parameters(command: typer.core.TyperCommand | typer.core.TyperGroup, words: tuple[str, ...]) -> Iterator[str]:
    context = _context(command, words)
    for parameter in command.get_params(context):
        told = parameter.get_help_record(context)
        if told is not None and "--help" not in told[0]:
            yield from (".TP", f".B {_roff(told[0].strip())}", _roff(" ".join(told[1].split())) or "\\&")


def _examples(name: str) -> Iterator[str]:
    lines = examples(name)
    if lines:
        yield from (".PP", "For example:", ".PP", ".nf", ".RS", *map(_roff, lines), ".RE", ".fi")


def _help(command: typer.core.TyperCommand | typer.core.TyperGroup) -> str:
    assert command.help is not None
    return command.help.replace("\b\n", "")


def _sentence(command: typer.core.TyperGroup) -> str:
    return _help(command).split("\n\n", 1)[0]


def _roff(text: str) -> str:
    """Return text as roff has it: nothing in it is a request, a hyphen is one that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(manual())

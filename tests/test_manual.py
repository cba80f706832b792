"""The manual page: as the help is, whole, and sound roff."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.commands.examples import EXAMPLES
from api.manual import _roff, manual
from tests.test_help import COMMANDS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "deploy" / "citespan.1"
# What the page uses of roff, with how many arguments at most: groff_man(7).
REQUESTS = {
    ".TH": 5, ".SH": 9, ".SS": 9, ".TP": 0, ".PP": 0, ".B": 99, ".nf": 0, ".fi": 0, ".RS": 0, ".RE": 0, '.\\"': 99,
}  # fmt: skip


def test_the_page_is_as_the_help_is() -> None:
    assert PAGE.read_text(encoding="ascii") == manual(), "run: python -m api.manual > docs/deploy/citespan.1"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_section(words: tuple[str, ...]) -> None:
    assert f"\n.SS citespan {' '.join(words)}\n" in manual()


def test_every_example_is_in_it() -> None:
    lines = set(manual().splitlines())
    assert {_roff(line) for shown in EXAMPLES.values() for line in shown} <= lines


def test_it_is_sound_roff() -> None:
    lines = manual().splitlines()
    for line in lines:
        if line.startswith((".", "'")):
            request, _, rest = line.partition(" ")
            assert request in REQUESTS, line
            assert len(rest.split()) <= max(REQUESTS[request], 9), line
        assert not re.sub(r"\\(?:[-e&]|\[u[0-9A-F]{4,5}\])", "", line.removeprefix('.\\"')).count("\\"), line
    for opening, closing in ((".nf", ".fi"), (".RS", ".RE")):
        assert lines.count(opening) == lines.count(closing) > 10
    assert [line for line in lines if line.startswith(".SH ")][:4] == [
        ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS",
    ]  # fmt: skip
    # Each paragraph with a tag has its tag and its text.
    for at, line in enumerate(lines):
        if line == ".TP":
            assert lines[at + 1].startswith(".B ")
            assert not lines[at + 2].startswith(".")


def test_groff_finds_nothing_wrong_with_it_where_it_is_installed() -> None:
    groff = shutil.which("groff")
    if groff is None:
        return  # the test above looks at what can be wrong
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", "-z", str(PAGE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "written"),
    [(".SH x", "\\&.SH x"), ("'quoted'", "\\&'quoted'"), ("a\\b", "a\\eb"), ("--é", "\\-\\-\\[u00E9]")],
)
def test_no_text_is_taken_for_a_request(text: str, written: str) -> None:
    assert _roff(text) == written

"""docs/security.md says what is so: its commands work, its examples for proxies parse, its tables name tests that are.

So does the table of faults in docs/operations.md.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any

import crossplane
import pytest
from typer.testing import CliRunner

from api import access, audit, cli
from api.middleware import _LARGEST_HEADERS, _LONGEST_ADDRESS

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
OPERATIONS = (TESTS.parent / "docs" / "operations.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
ADDRESS = "127.0.0.1:8000"
# Directives of Caddy that the example uses: https://caddyserver.com/docs/caddyfile/directives
CADDY = {"header": 2, "request_body": 0, "max_size": 1, "reverse_proxy": 1, "flush_interval": 1}


def block(language: str) -> str:
    """Return the one block of a language in the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    lines = block("sh").splitlines()
    assert len(lines) == 6
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "citespan"
        done = CliRunner().invoke(cli.app, ["--library", str(tmp_path), *arguments])
        assert done.exit_code == 0, done.output


def test_the_roles_of_the_page_are_the_roles() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [role.value for role in access.Role]


def test_a_line_of_the_record_looks_as_the_page_says(tmp_path: Path) -> None:
    shown = json.loads(block("json"))
    audit.Audit(tmp_path).note(shown["by"], shown["act"], shown["what"], shown["outcome"])
    written = json.loads((tmp_path / audit.FILE_NAME).read_text(encoding="utf-8"))
    assert {**written, "time": ""} == {**shown, "time": ""}
    assert list(written) == list(shown)


def test_the_limits_of_the_page_are_the_limits() -> None:
    told = re.search(r"(\d+) KB of address \(414\), (\d+) KB of headers \(431\)", PAGE)
    assert told is not None
    assert (int(told[1]) * 1024, int(told[2]) * 1024) == (_LONGEST_ADDRESS, _LARGEST_HEADERS)


def test_the_example_for_nginx_parses_and_passes_on_what_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(f"events {{}}\nhttp {{\n{block('nginx')}}}\n", encoding="utf-8")
    parsed = crossplane.parse(str(file), strict=True, check_ctx=True, check_args=True)
    assert (parsed["status"], parsed["errors"]) == ("ok", [])
    (http,) = [one for one in parsed["config"][0]["parsed"] if one["directive"] == "http"]
    (server,) = http["block"]
    (location,) = [one for one in server["block"] if one["directive"] == "location"]
    passed = {tuple(one["args"]) for one in location["block"]}
    assert passed >= {(f"http://{ADDRESS}",), ("Host", "$host"), ("X-Forwarded-For", "$remote_addr"), ("off",)}


def caddyfile(text: str) -> list[Any]:
    """Return a Caddyfile as nested lists of words; what is in braces is a list at the end of its line."""
    stack: list[list[Any]] = [[]]
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words == ["}"]:
            stack.pop()
        elif words:
            inner: list[Any] = []
            opens = words[-1] == "{"
            stack[-1].append([*words[:-1], inner] if opens else words)
            if opens:
                stack.append(inner)
        assert stack, f"a brace too many: {line}"
    assert len(stack) == 1, "a brace is not closed"
    return stack[0]


def test_the_example_for_caddy_parses_and_points_to_us() -> None:
    ((site, directives),) = caddyfile(block("caddyfile"))
    assert site == "library.example.org"

    def check(lines: list[Any]) -> None:
        for name, *rest in lines:
            arguments = [one for one in rest if isinstance(one, str)]
            assert len(arguments) == CADDY[name], name
            for inner in rest[len(arguments) :]:
                check(inner)

    check(directives)
    assert any(line[:2] == ["reverse_proxy", ADDRESS] for line in directives)


@pytest.mark.parametrize("wrong", ["a {\nb\n", "a {\n}\n}\n"])
def test_a_caddyfile_with_a_wrong_brace_is_told(wrong: str) -> None:
    with pytest.raises(AssertionError, match="brace"):
        caddyfile(wrong)


def test_every_test_that_the_tables_name_is_there() -> None:
    for page in (PAGE, OPERATIONS):
        named = NAMED.findall(page)
        assert len(named) > 20
        for file, test in named:
            tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
            assert any(isinstance(node, ast.FunctionDef) and node.name == test for node in tree.body), f"{file}::{test}"


def test_every_attack_and_every_fault_has_a_test_or_a_command() -> None:
    for page, heading in ((PAGE, "Attacks"), (OPERATIONS, "Faults")):
        rows = table(page, heading)
        assert len(rows) > 10
        for row in rows:
            assert len(row) == 3, row
            assert NAMED.search(row[2]) or "python -m benchmarks." in row[2], row


def table(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head."""
    below = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in below.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1:]]

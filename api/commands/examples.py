"""What the help shows beside the commands: examples of each, and the headings under which they are listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import typer
from typer.core import TyperGroup

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Documents": ("sync", "watch", "embed", "documents", "show", "delete", "absent"),
    "Questions": ("ask", "chat", "replay", "serve", "mcp"),
    "History and upkeep": (
        "generations", "diff", "rollback", "compact", "reembed", "backup", "restore", "init", "verify", "doctor",
        "settings", "keys",
    ),
    "How good and fast": ("eval", "calibrate", "bench"),
}  # fmt: skip
"""The commands as the help lists them."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        "citespan sync ~/reports",
        'citespan ask "Who signed the contract?"',
        "citespan serve --port 8000",
        "citespan --library /srv/library --log-level info watch /srv/reports",
    ),
    "sync": (
        "citespan sync ~/reports ~/notes/today.md",
        "citespan sync --dry-run ~/reports",
        "citespan sync --check questions.jsonl --min-right 0.9 ~/reports",
    ),
    "watch": ("citespan watch ~/reports", "citespan --log-level info watch --settle 2 ~/reports ~/notes"),
    "embed": ("citespan embed --part 2/4 ~/reports",),
    "documents": ("citespan documents", "citespan documents --json"),
    "show": ("citespan show doc_0123456789abcdef",),
    "delete": ("citespan delete doc_0123456789abcdef", "citespan delete --purge doc_0123456789abcdef"),
    "absent": ('citespan absent "Project Heron"', "citespan absent --file report.txt"),
    "ask": (
        'citespan ask "When does the ferry leave?"',
        'citespan ask --risk 0.1 --max-citations 1 --json "When does the ferry leave?"',
    ),
    "chat": ("citespan chat", "citespan chat --json < questions.txt"),
    "replay": ("citespan replay - < receipt.txt", "citespan replay --json a.eJyrVkpUsjLUUUpSsjLSUUpWsrLQAQ"),
    "serve": (
        "citespan serve",
        "citespan serve --port 0 ~/reports",
        "citespan --config /etc/citespan/citespan.toml --log-format json serve",
    ),
    "mcp": ("citespan --library ~/library mcp",),
    "generations": ("citespan generations --limit 10",),
    "diff": ("citespan diff 6 7",),
    "rollback": ("citespan rollback 6", "citespan rollback --partial 3"),
    "compact": ("citespan compact --keep-last 10 --keep-days 30",),
    "reembed": ("citespan reembed --embedder models/multilingual",),
    "backup": ("citespan backup library.backup",),
    "restore": ("citespan --library ~/other restore library.backup",),
    "init": ("citespan --library /srv/library init --truth postgresql://citespan@db.example.org/papers",),
    "verify": ("citespan verify", "citespan verify citation.json"),
    "doctor": ("citespan doctor",),
    "keys": (
        'citespan keys create "press office" --role reader --tags press,public --expires 90',
        "citespan keys list --json",
        'citespan keys rotate "press office" --overlap 60',
        'citespan keys revoke "press office"',
    ),
    "settings": ("citespan settings", "citespan --config citespan.toml settings --json"),
    "eval": (
        "citespan eval questions.jsonl",
        "citespan eval --save before.json --html report.html questions.jsonl",
        "citespan eval --compare before.json questions.jsonl",
    ),
    "calibrate": ("citespan calibrate --dry-run questions.jsonl", "citespan calibrate questions.jsonl"),
    "bench": ("citespan bench --rounds 5 questions.jsonl",),
}
"""Of each command, by its name, "" for the whole."""


_BEHIND = "Settings come from options, CITESPAN_… variables and a file (--config): docs/settings.md lists them."


def examples(name: str) -> tuple[str, ...]:
    """Return the examples of a command, or of one within a group of commands: "keys create"."""
    if name in EXAMPLES:
        return EXAMPLES[name]
    return tuple(line for line in EXAMPLES.get(name.partition(" ")[0], ()) if line.startswith(f"citespan {name} "))


def epilog(name: str) -> str | None:
    """Return the examples of a command as its help shows them, None if it has none.

    Those of `keys create` are the ones of `keys` that call it.
    """
    lines = examples(name)
    if not lines:
        return None
    # Behind \\b click leaves the lines as they are.
    shown = "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])
    return f"{shown}\n\n{_BEHIND}" if name == "" else shown


# Longer than any first sentence: long lines are wrapped, and none is cut short.
_WIDE = 200


class _Page(Protocol):
    """What help is written to."""

    def section(self, name: str) -> AbstractContextManager[None]: ...

    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...


class Grouped(TyperGroup):
    """Lists the commands under headings, in the order of GROUPS; those that are in none come last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names of the commands, in the order of their headings."""
        listed = [name for names in GROUPS.values() for name in names if name in self.commands]
        return [*listed, *(name for name in self.commands if name not in listed)]

    def format_commands(self, ctx: typer.Context, formatter: _Page) -> None:  # type: ignore[override]
        """Write the commands, each with its first sentence, below their headings."""
        grouped = {name for names in GROUPS.values() for name in names}
        others = tuple(name for name in self.commands if name not in grouped)
        for heading, names in {**GROUPS, "Others": others}.items():
            rows = [(n, self.commands[n].get_short_help_str(_WIDE)) for n in names if n in self.commands]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

"""Requests made from the description of the API, by the thousand: does any get what the description does not promise?

usage: python -m benchmarks.fuzz_http [--cases 20000] [--seed N] [--save FILE]

The application runs in this process, with a library of a few documents, the shipped reader, and a stand-in for the
embedder. Half of the cases are single requests, right and wrong ones, to each operation in turn; the other half are
sequences that use what earlier replies gave (schemathesis's stateful testing, along the links of the description): an
upload's job, a document's revisions and its deletion, a receipt's replay. Every response has to be one that the
description names, of the type and schema that it gives, and none may be a 5xx. Deletions and rollbacks are among the
requests: the library is a scratch one.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from api.app import create_app
from api.bench import machine
from api.settings import Settings
from api.wiring import open_runtime
from benchmarks.figures import Figures
from benchmarks.standin import StandIn
from index.sync import sync

_TEXTS = {
    "harbour.md": "---\ntitle: The harbour\ntags: [coast]\n---\n\nThe harbour closes at high tide.\n",
    "ferry.txt": "The ferry leaves at noon from the north pier. It takes letters and 12 sheep.\n",
    "tide.txt": "The tide turns twice a day. On January 6, 2026, it rose 4.2 metres.\n",
}
_HEADERS = {"Host": "localhost"}
_STEPS = 8
_MOST_NAMED = 50
_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(slots=True)
class Tally:
    """The requests so far, by operation and status, and what was wrong."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)
    followed: int = 0
    """How many came from an earlier reply, by a link of the description."""

    def look_at(self, response: Any, case: Any) -> None:
        """Count a response, and note what is wrong with it: once for each kind."""
        operation = f"{case.method} {case.path}"
        self.cases[operation] += 1
        self.statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=_CHECKS)
        except AssertionError as error:
            lines = str(error).strip().splitlines()
            what = f"{operation} → {response.status_code}: {' '.join(line.strip() for line in lines)[:300]}"
            key = f"{operation} {response.status_code}"
            if key not in self.findings and len(self.findings) < _MOST_NAMED:
                self.findings[key] = what
                print(f"finding: {what}", flush=True)


def one_by_one(schema: Any, tally: Tally, cases: int, seed: int) -> None:
    """Send single requests to each operation."""
    operations = [result.ok() for result in schema.get_all_operations()]
    each = max(1, cases // len(operations))
    for operation in operations:

        @seeded(seed)
        @settings(max_examples=each, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            tally.look_at(case.call(headers=_HEADERS), case)

        send()


def in_sequences(schema: Any, tally: Tally, cases: int, seed: int) -> None:
    """Send sequences of requests that use what earlier replies gave, until so many were sent."""
    before = tally.cases.total()

    class Sequences(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": _HEADERS}

        def validate_response(self, response: Any, case: Any, additional_checks: Sequence[Any] = (), **_: Any) -> None:
            tally.look_at(response, case)

        def step(self, input: Any) -> Any:  # noqa: A002 - the name is the base's
            tally.followed += input.transition is not None and input.is_applied
            return super().step(input)

    rounds = 0
    while tally.cases.total() - before < cases:
        rounds += 1
        # The library remembers what earlier sequences did: one that is sent again may go on otherwise. No finding.
        with suppress(Flaky):
            run_state_machine_as_test(
                seeded(seed + rounds)(Sequences),
                settings=settings(
                    max_examples=50, stateful_step_count=_STEPS, deadline=None, database=None, phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )  # fmt: skip


def fuzz(cases: int, seed: int) -> Tally:
    """Return what came of so many requests to an application over a small library of its own."""
    tally, started = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="citespan-fuzz-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        (folder / "texts").mkdir()
        for name, text in _TEXTS.items():
            (folder / "texts" / name).write_text(text, encoding="utf-8")
        sync(folder / "library", StandIn(), [folder / "texts"])
        runtime = open_runtime(Settings(library=folder / "library"), StandIn())
        try:
            app = create_app(runtime)
            with TestClient(app, base_url="http://localhost") as client:
                schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
                schema.app = app
                one_by_one(schema, tally, cases // 2, seed)
                print(f"{tally.cases.total()} single requests, {time.monotonic() - started:.0f} s", flush=True)
                in_sequences(schema, tally, cases - tally.cases.total(), seed)
        finally:
            runtime.close()
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    tally = fuzz(chosen.cases, chosen.seed)
    figures = Figures(width=16)
    figures.add("command", f"python -m benchmarks.fuzz_http --cases {chosen.cases} --seed {chosen.seed}")
    figures.add("cases", tally.cases.total())
    figures.add("followed", tally.followed)
    figures.add("seconds", round(time.monotonic() - started))
    figures.add("findings", sorted(tally.findings.values()))
    figures.add("by status", {str(status): count for status, count in sorted(tally.statuses.items())})
    figures.add("by operation", dict(sorted(tally.cases.items())))
    figures.add_all(machine())
    figures.save(chosen.save)


if __name__ == "__main__":
    main()

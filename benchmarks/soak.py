"""Does a server that runs for long stay as it was? `python -m benchmarks.soak --minutes 30 [--save FILE] [--stand-in]`.

A real server is asked, searched, streamed from, sent uploads, and told to delete and purge them over HTTP, while
`citespan sync` of changing files and `citespan compact` run beside it. The library keeps its size. Every
second the server's memory, open file handles and threads are noted, and every request with what came of it. At the end
each is compared between the first and the last third of the time after a warm-up: it is *flat* if it has not grown by
more than is said beside it. `--stand-in` takes an embedder without a model, to soak all but the models. Exit code 1 if
anything was not flat or failed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from api.bench import machine
from benchmarks.actors import Actors
from benchmarks.figures import Figures
from benchmarks.library import resident_mib
from benchmarks.servers import CITESPAN, serving

REPOSITORY = Path(__file__).resolve().parent.parent
_STAND_IN = (sys.executable, "-m", "tests.plain_server")
_SECONDS = 60.0
_ASKERS = 2
_FILES, _UPLOADS = 30, 20
_WARM_UP = 0.1
_LOOK_SECONDS = 1.0
_KEPT = "8"
# What may be said to a request that others change the library under, or that comes when there is no room.
_EXPECTED = frozenset({200, 202, 204, 404, 409, 410, 429, 503})
# By how much each may have grown: a share, and an amount below which it is not looked at.
_ALLOWED = {
    "memory MiB": (0.05, 10.0),
    "file handles": (0.0, 6.0),
    "threads": (0.0, 3.0),
    "question median ms": (0.3, 20.0),
}


@dataclass(slots=True)
class Log:
    """What was noted, each with when (seconds since the beginning)."""

    began: float = field(default_factory=time.monotonic)
    noted: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def note(self, name: str, value: float) -> None:
        """Note a value as of now."""
        self.noted.setdefault(name, []).append((time.monotonic() - self.began, value))

    def by_part(self, name: str, parts: int, seconds: float) -> list[float]:
        """Return the median in each of so many parts of the time; parts without a value are left out."""
        values: list[list[float]] = [[] for _ in range(parts)]
        for at, value in list(self.noted.get(name, [])):
            values[min(parts - 1, int(at / seconds * parts))].append(value)
        return [round(statistics.median(part), 1) for part in values if part]


@dataclass(frozen=True, slots=True)
class Grown:
    """A value in the first and in the last third."""

    first: float
    last: float
    allowed: float

    @property
    def flat(self) -> bool:
        return self.last - self.first <= self.allowed


def grown(values: Sequence[tuple[float, float]], seconds: float, share: float, amount: float) -> Grown:
    """Return how (when, value) grew between the first and the last third, the warm-up left out.

    :raises ValueError: if there is nothing in one of them.
    """
    begins = _WARM_UP * seconds
    third = (seconds - begins) / 3
    first = [value for at, value in values if begins <= at < begins + third]
    last = [value for at, value in values if at >= seconds - third]
    if not first or not last:
        raise ValueError("too short: nothing was noted in a third of the time")
    before, after = statistics.median(first), statistics.median(last)
    return Grown(round(before, 1), round(after, 1), round(max(share * before, amount), 1))


class Users(Actors):
    """Those who use the server, in threads, until they are told to stop."""

    def __init__(self, port: int, folder: Path, citespan: Sequence[str], log: Log) -> None:
        self._port = port
        self._folder = folder
        self._citespan = citespan
        self._log = log
        works: list[Callable[[], None]] = [
            *(self._asker(number) for number in range(_ASKERS)),
            self._upload,
            self._sync,
        ]
        super().__init__(partial(self._guarded, work) for work in works)

    def _guarded(self, work: Callable[[], None]) -> None:
        while not self.stop.is_set():
            try:
                work()
            except Exception as error:  # whatever it is, it is told at the end
                self._log.errors.append(f"{type(error).__name__}: {error}"[:300])
                self.stop.wait(0.2)

    def _call(self, what: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return what a request brought, None if it was refused; note it, and whatever is not expected."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        try:
            sent = None if body is None else json.dumps(body)
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, sent, {"Content-Type": "application/json", **given})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        self._log.done[f"{what} {response.status}"] += 1
        if response.status not in _EXPECTED:
            self._log.errors.append(f"{what}: {response.status} {content[:200]!r}")
        if response.status >= 300:
            self.stop.wait(0.05)
            return None
        return content if headers or not content else json.loads(content)

    def _asker(self, number: int) -> Callable[[], None]:
        chance = Random(number)

        def work() -> None:
            station = chance.randrange(_FILES)
            question = {"question": f"Who keeps the lamp of station {station}?"}
            began = time.monotonic()
            reply = self._call("question", "POST", "/v1/ask", question)
            self._log.note("question median ms", 1000 * (time.monotonic() - began))
            if reply is None:
                return
            follow_up = {"question": "And since when?", "conversation_id": reply["conversation_id"]}
            kind = chance.randrange(8)
            if kind == 0:
                self._call("follow-up", "POST", "/v1/ask", follow_up)
            elif kind == 1:
                self._call("search", "POST", "/v1/search", {"query": question["question"]})
            elif kind == 2:
                self._call("stream", "POST", "/v1/ask", question, Accept="text/event-stream")
            elif kind == 3 and reply["receipt"]:
                self._call("replay", "POST", "/v1/replay", {"receipt": reply["receipt"]})
            elif kind == 4:
                messages = [{"role": "user", "content": question["question"]}]
                self._call("chat", "POST", "/v1/chat/completions", {"model": "citespan", "messages": messages})
            elif kind == 5:
                for cited in reply["citations"][:1]:
                    self._call("text", "GET", f"/v1/documents/{cited['document_id']}/text", Accept="text/plain")
            elif kind == 6:
                self._call("list", "GET", "/v1/documents?limit=50")
            else:
                self._call("forget", "DELETE", f"/v1/conversations/{reply['conversation_id']}")

        return work

    def _upload(self) -> None:
        chance = Random()
        name = f"sent-{chance.randrange(_UPLOADS)}.txt"
        text = f"The cook of {name} is number {chance.randrange(10**6)}, since the year {chance.randrange(1900, 2026)}."
        job = self._call("upload", "POST", "/v1/documents", {"name": name, "text": text})
        while job is not None and job["status"] in ("queued", "running") and not self.stop.wait(0.1):
            job = self._call("job", "GET", f"/v1/jobs/{job['id']}")
        if job is not None and job["status"] == "failed":
            self._log.errors.append(f"upload failed: {json.dumps(job)[:200]}")
        if chance.random() < 0.3:
            listed = self._call("list", "GET", "/v1/documents?q=sent-")
            for one in (listed["data"] if listed else [])[:1]:
                purge = "?purge=true" if chance.random() < 0.3 else ""
                self._call("purge" if purge else "delete", "DELETE", f"/v1/documents/{one['id']}{purge}")
        self.stop.wait(0.2)

    def _sync(self) -> None:
        chance = Random()
        write(self._folder / "files", [chance.randrange(_FILES) for _ in range(3)], chance)
        self._command("sync", str(self._folder / "files"))
        if chance.random() < 0.2:
            self._command("compact", "--keep-last", _KEPT)
        self.stop.wait(2.0)

    def _command(self, *arguments: str) -> None:
        command = [*self._citespan, "--library", str(self._folder / "library"), *arguments]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        busy = "library is busy" in done.stderr or "another process" in done.stderr
        self._log.done[f"citespan {arguments[0]} {'busy' if done.returncode and busy else done.returncode}"] += 1
        if done.returncode and not busy:
            self._log.errors.append(f"citespan {arguments[0]}: {done.stderr.strip()[-200:]}")


def write(folder: Path, numbers: Sequence[int], chance: Random) -> None:
    """Write the files of these numbers anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        keeper = chance.choice(["Edda Holm", "Nils Berg", "Ane Dahl", "Per Lund"])
        lines = [f"On day {day} of the log the ship of {keeper} passed at {day} knots." for day in range(30)]
        first = f"The lamp of station {number} is kept by {keeper} since {chance.randrange(1900, 2026)}."
        (folder / f"station-{number}.txt").write_text("\n\n".join([first, *lines]) + "\n", encoding="utf-8")


def soak(seconds: float, citespan: Sequence[str], scratch: Path, look: float = _LOOK_SECONDS) -> Log:
    """Return what was noted of a server in so many seconds."""
    write(scratch / "files", range(_FILES), Random(0))
    first = [*citespan, "--library", str(scratch / "library"), "sync", str(scratch / "files")]
    subprocess.run(first, cwd=REPOSITORY, check=True, capture_output=True)
    with serving(scratch / "library", citespan) as server:
        log = Log()
        with Users(server.connection.port, scratch, citespan, log):
            process = Path(f"/proc/{server.pid}")
            while time.monotonic() - log.began < seconds:
                log.note("memory MiB", resident_mib(server.pid))
                log.note("file handles", len(list((process / "fd").iterdir())))
                log.note("threads", len(list((process / "task").iterdir())))
                time.sleep(look)
    return log


def told(log: Log, seconds: float, figures: Figures) -> bool:
    """Print the figures of a soak; return whether all was flat and nothing failed."""
    parts = max(3, round(seconds / 60))
    verdicts = []
    for name, (share, amount) in _ALLOWED.items():
        figures.add(
            f"{name} by {'minute' if parts * 60 == round(seconds) else 'part'}", log.by_part(name, parts, seconds)
        )
        found = grown(log.noted.get(name, []), seconds, share, amount)
        verdicts.append(found.flat)
        said = "flat" if found.flat else "NOT flat"
        figures.add(name, f"{said}: first third {found.first}, last third {found.last}, may grow by {found.allowed}")
    figures.add("requests and commands", dict(sorted(log.done.items())))
    figures.add("errors", log.errors[:20])
    figures.add("verdict", "flat" if all(verdicts) and not log.errors else "NOT flat")
    return all(verdicts) and not log.errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--stand-in", action="store_true", help="an embedder without a model")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    figures = Figures(width=32)
    figures.add_all({**machine(), "minutes": given.minutes, "stand-in": given.stand_in})
    with tempfile.TemporaryDirectory(prefix="citespan-soak-", ignore_cleanup_errors=True) as scratch:
        log = soak(60 * given.minutes, _STAND_IN if given.stand_in else CITESPAN, Path(scratch))
    flat = told(log, 60 * given.minutes, figures)
    figures.save(given.save)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())

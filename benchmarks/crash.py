"""A crash campaign: changes of a library are killed at random moments while questions are asked without pause.

`python -m benchmarks.crash --rounds 200` kills sync, ingest, delete, purge, rollback, compact and reembed with SIGKILL
on one library that lives over all rounds. After each round the library is opened anew, checked, and compared with a
record of what each generation must hold; each reply is compared with the record of the generation it names. With
`--http` a real server with the shipped models is asked; with `--server` that server is killed as well, once in each
round, while it is asked and takes in documents that it has acknowledged: started again, it has to land them. With
`--truth postgresql` the library is in a PostgreSQL server of the campaign's own, and who asks does so from a folder of
its own, as another server would; now and then it is PostgreSQL that crashes in the middle of a change.
Exit code 1 if anything was lost, mixed, corrupt or failed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from api.bench import machine
from benchmarks.asker import Askers, HttpAskers, wrong_in
from benchmarks.crashworld import Plan, World
from benchmarks.postgres import PostgresServer
from benchmarks.standin import by_fingerprint
from benchmarks.victim import LANDED, STAGES, Order, Outcome, Victims
from index.check import check_library
from index.embed import DEFAULT, Embedder, SentenceTransformerEmbedder
from index.errors import GenerationPurged, LibraryUnreachable
from index.lexical import LexicalIndex
from index.library import Library
from index.step import follows
from index.store import LocalStore
from index.truth import adopt

COUNTS = ("corrupt libraries", "lost acknowledged documents", "mixed answers", "failed questions",
          "disagreeing indexes", "purged texts found", "failed changes")  # fmt: skip
_NAMED = 20
_FOLLOW_SECONDS = 30.0
_JOB_SECONDS = 180.0
# How often it is the database that dies, where there is one.
_CRASHING = 0.15


@dataclass
class Tally:
    """What happened in a campaign, and what went wrong."""

    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTS, 0)))
    wrong: list[str] = field(default_factory=list)
    rounds: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    server_kills: int = 0
    database_crashes: int = 0
    asked: int = 0
    checked: int = 0
    again: int = 0
    turned_away: int = 0

    def note(self, count: str, what: str) -> None:
        self.counts[count] += 1
        if len(self.wrong) < _NAMED:
            self.wrong.append(f"{count}: {what}")

    def __bool__(self) -> bool:
        return not any(self.counts.values())


class Campaign:
    """One library, its world, and the rounds."""

    def __init__(
        self, scratch: Path, seed: int, victims: Victims, embedder: Embedder | None,
        database: PostgresServer | None = None,
    ) -> None:  # fmt: skip
        self._chance = Random(seed)
        self._victims = victims
        self._real = embedder
        names = ("stand-in", "other") if embedder is None else (DEFAULT,)
        self.world = World(scratch / "library", scratch / "files", Random(seed + 1), names)
        self.asked = self.world.library
        self._database = database
        if database is not None:
            self.asked = scratch / "asked"
            schema = f"crash_{uuid.uuid4().hex[:8]}"
            adopt(self.world.library, database.address, schema)
            adopt(self.asked, database.address, schema)
        self.tally = Tally()
        self._typical: dict[str, float] = {}
        self._unproven: list[str] = []
        self._killed: Plan | None = None  # the last change, if it died and has not landed

    def start(self) -> None:
        """Make the library: an undisturbed sync."""
        self._settle(self.world.plan("sync"))

    def round(self, askers: Askers | HttpAskers) -> None:
        """Carry out one change, killed or not, and look at everything."""
        plan = self.world.plan()
        if self._database is not None and self._chance.random() < _CRASHING:
            outcome = self._settle(plan, self._database)
        else:
            outcome = self._settle(self._doomed(plan))
        self._judge(askers, outcome)

    def _doomed(self, plan: Plan) -> Plan:
        """Return the plan with the moment of its death: a stage, a time, or none."""
        how, order = self._chance.random(), plan.order
        staged = {"sync": STAGES, "ingest": STAGES[1:], "reembed": ("embed",)}.get(order.change, ())
        if how < 0.25 and staged:
            return replace(plan, order=replace(order, stage=self._chance.choice(staged)))
        if how < 0.5 and self.world.newest:
            after = self._chance.choice((0.0, self._chance.uniform(0.0, 0.5) * self._typical.get(order.change, 0.1)))
            return replace(plan, order=replace(order, stage=LANDED, after=after))
        if how < 0.85:
            # Every other one late, where the commit and what follows it are.
            earliest = self._chance.choice((0.0, 0.75))
            after = self._chance.uniform(earliest, 1.2) * self._typical.get(order.change, 0.1)
            return replace(plan, order=replace(order, after=after))
        return plan

    def _obeyed(self, order: Order, crashing: PostgresServer | None) -> Outcome:
        """Return what became of a change; the database may crash meanwhile, and then the change may say so."""
        if crashing is None:
            return self._victims.obey(order)
        timer = threading.Timer(self._chance.uniform(0.0, self._typical.get(order.change, 0.1)), crashing.crash)
        timer.start()
        outcome = self._victims.obey(order)
        timer.join()
        self.tally.database_crashes += 1
        lost = outcome.error.startswith(LibraryUnreachable.__name__)
        return replace(outcome, error="", killed=True) if lost else outcome

    def _settle(self, plan: Plan, crashing: PostgresServer | None = None) -> Outcome:
        world, tally, change = self.world, self.tally, plan.order.change
        before = world.newest
        outcome = self._obeyed(plan.order, crashing)
        tally.rounds[change] += 1
        if outcome.error:
            tally.note("failed changes", f"{change}: {outcome.error}")
        if not outcome.killed:
            known = self._typical.get(change, outcome.seconds)
            self._typical[change] = 0.7 * known + 0.3 * outcome.seconds
        try:
            purged = len(world.gone_for_good)
            for lost in world.observe(plan, outcome.acknowledged, outcome.generation):
                tally.note("lost acknowledged documents", f"{change}: {lost}")
            self._unproven += world.gone_for_good[purged:]
            self._killed = plan if outcome.killed and world.newest == before else None
            if outcome.killed:
                moment = "after the commit" if world.newest > before else "before the commit"
                tally.kills["of a compaction" if change == "compact" else moment] += 1
            else:
                tally.kills["none: it was done first"] += 1
            self._check(change, outcome.acknowledged)
        except Exception as error:
            tally.note("corrupt libraries", f"{change}: {type(error).__name__}: {error}")
        return outcome

    def _check(self, change: str, acknowledged: bool) -> None:
        """Open the library anew and check it; after an acknowledged change the derived indexes agree to the letter."""
        embedder = by_fingerprint(self.world.embedder) if self._real is None else self._real
        store = LocalStore(self.world.library, embedder)
        try:
            problems = check_library(self.world.library).problems
            for problem in problems:
                self.tally.note("corrupt libraries", f"{change}: {problem}")
            live = store.library.live_ids(store.current().generation.number)
            if store.current().vectors.ids() != live:
                self.tally.note("disagreeing indexes", f"{change}: FAISS")
            if acknowledged:
                words = LexicalIndex(self.world.library, store.library.meta["history"])
                if words.searcher().ids() != store.library.kept_ids():
                    self.tally.note("disagreeing indexes", f"{change}: words")
                if self._unproven:
                    texts = {str(n): text for n, text in enumerate(self._unproven)}
                    self._wait_for_the_asked(store.library)
                    for folder in dict.fromkeys((self.world.library, self.asked)):
                        order = Order("search", str(folder), self.world.embedder, uploads=texts)
                        if found := self._victims.obey(order).error:
                            self.tally.note("purged texts found", f"{change}: {found}")
                self._unproven.clear()
        finally:
            store.close()

    def _wait_for_the_asked(self, library: Library) -> None:
        """Return when the folder that is asked has followed every purge, which it does with its next refresh."""
        deadline = time.monotonic() + _FOLLOW_SECONDS
        while not follows(self.asked, library) and time.monotonic() < deadline:
            time.sleep(0.01)

    def kill(self, server: Server) -> None:
        """Send the server documents, kill it while it takes them in, start it again, and see whether they land."""
        plan = self.world.plan("ingest")
        job = server.upload(plan.order.uploads)
        time.sleep(self._chance.choice((0.0, self._chance.uniform(0.0, 0.5), self._chance.uniform(0.0, 2.0))))
        server.kill()
        self.tally.server_kills += 1
        try:
            if self._killed is not None and self.world.landed_late(self._killed):
                plan = self.world.rebased(plan)
                self.tally.kills["after the commit, seen later"] += 1
            self._check("server killed", acknowledged=False)
            server.start()
            ended = server.ended(job)
            for lost in self.world.observe(plan, ended == "done", None):
                self.tally.note("lost acknowledged documents", f"sent to the server ({ended}): {lost}")
            if ended != "done":
                self.tally.note("lost acknowledged documents", f"a job that was accepted is {ended}")
            self._check("server started again", acknowledged=True)
        except Exception as error:
            self.tally.note("corrupt libraries", f"server killed: {type(error).__name__}: {error}")

    def finish(self, askers: Askers | HttpAskers) -> None:
        """Carry out one last sync undisturbed: whatever the kills left behind must be gone after it."""
        self._judge(askers, self._settle(self.world.plan("sync")))

    def _judge(self, askers: Askers | HttpAskers, outcome: Outcome) -> None:
        """Compare the replies so far with the record; then the asked store with the library."""
        world, tally = self.world, self.tally
        askers.earlier = tuple(sorted(world.kept - world.purged_from)[-5:])
        for _ in range(len(askers.replies)):
            reply = askers.replies.popleft()
            tally.checked += 1
            if wrong := wrong_in(reply, world.records.get(reply.generation, {})):
                tally.note("mixed answers", wrong)
        for _ in range(len(askers.refused)):
            number, kind = askers.refused.popleft()
            if number not in world.purged_from if kind is GenerationPurged else number in world.kept:
                tally.note("failed questions", f"generation {number} was refused as {kind.__name__}")
        while askers.failed:
            tally.note("failed questions", askers.failed.pop())
        if isinstance(askers, Askers) and outcome.acknowledged:
            askers.store.refresh()
            current = askers.store.current()
            if current.vectors.ids() != askers.store.library.live_ids(current.generation.number):
                tally.note("disagreeing indexes", "FAISS of the store that was asked all the while")
        tally.asked, tally.again = askers.asked, askers.again
        if isinstance(askers, Askers):
            tally.turned_away = askers.turned_away


class Server:
    """`citespan serve` over a library, to be killed and started again."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self.port = 0

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", "api.cli", "--library", str(self._library), "serve", "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("serving on http://"):
                self.port = int(line.rsplit(":", 1)[1])
                return
        raise RuntimeError("the server did not become ready")

    def upload(self, texts: Mapping[str, str]) -> str:
        """Send documents; return the id of the job once they are acknowledged."""
        documents = [{"name": name, "text": text} for name, text in texts.items()]
        return str(self._call("POST", "/v1/documents", {"documents": documents})["id"])

    def ended(self, job: str) -> str:
        """Return how a job ended, "queued" or "running" if it does not within some minutes."""
        deadline = time.monotonic() + _JOB_SECONDS
        while (status := str(self._call("GET", f"/v1/jobs/{job}")["status"])) not in ("done", "failed"):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return status

    def _call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status not in (200, 202):
                raise RuntimeError(f"{method} {path}: {response.status} {content[:200]!r}")
            return json.loads(content)
        finally:
            connection.close()

    def kill(self) -> None:
        self.port = 0
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def run(
    rounds: int, seed: int, *, minutes: float = 0.0, real: bool = False, kill_server: bool = False,
    database: PostgresServer | None = None,
) -> Tally:  # fmt: skip
    """Return what became of a campaign of `rounds`, or of as many as fit into `minutes` if that is not 0.

    `database` is where the truth is; without one it is in SQLite.
    """
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="citespan-crash-")))
        victims = stack.enter_context(Victims(real=real))
        campaign = Campaign(scratch, seed, victims, SentenceTransformerEmbedder() if real else None, database)
        campaign.start()
        world = campaign.world
        askers: Askers | HttpAskers
        if real:
            server = Server(campaign.asked)
            server.start()
            stack.callback(server.kill)
            askers = stack.enter_context(HttpAskers(lambda: server.port, world.words))
        else:
            askers = stack.enter_context(Askers(campaign.asked, world.embedder, world.words))
        for _ in range(rounds):
            if time.monotonic() > deadline:
                break
            campaign.round(askers)
            if kill_server:
                campaign.kill(server)
        time.sleep(0.2)
        campaign.finish(askers)
        return campaign.tally


def figures(tally: Tally, seed: int, seconds: float) -> dict[str, Any]:
    """Return what is printed."""
    return {
        **machine(),
        "seed": seed,
        "seconds": round(seconds, 1),
        "rounds": sum(tally.rounds.values()),
        "rounds by change": dict(sorted(tally.rounds.items())),
        "kills": dict(sorted(tally.kills.items())),
        "kills of the server": tally.server_kills,
        "crashes of the database": tally.database_crashes,
        "questions asked": tally.asked,
        "replies checked": tally.checked,
        "questions begun again": tally.again,
        "questions turned away": tally.turned_away,
        **tally.counts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20260110)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so long; 0: when the rounds are done")
    parser.add_argument("--http", action="store_true", help="ask a real server with the shipped models")
    parser.add_argument("--server", action="store_true", help="as --http, and kill the server too")
    parser.add_argument("--truth", choices=("sqlite", "postgresql"), default="sqlite", help="where the library lives")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    started = time.monotonic()
    with PostgresServer(durable=True) if given.truth == "postgresql" else nullcontext() as database:
        tally = run(
            given.rounds, given.seed, minutes=given.minutes, real=given.http or given.server,
            kill_server=given.server, database=database,
        )  # fmt: skip
    found = {"truth": given.truth, **figures(tally, given.seed, time.monotonic() - started)}
    if given.json:
        print(json.dumps({**found, "wrong": tally.wrong}))
    else:
        for name, value in found.items():
            print(f"{name:32} {value}")
        for line in tally.wrong:
            print(f"  {line}")
    return 0 if tally else 1


if __name__ == "__main__":
    sys.exit(main())

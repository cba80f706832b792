"""What a crash campaign knows: the files, and what each generation must hold, as plain dictionaries.

Names are never used twice, and a file is only edited or moved when the library has it as it is: so what a generation
must hold follows from its names alone, and nothing here repeats how the library tells documents apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from benchmarks.victim import Order
from index.library import Library

Held = dict[str, tuple[str, str]]
"""What a generation holds: document id → (uri, text)."""
_MOST_FILES = 40
_UPLOAD = "upload"
CHANGES = {"sync": 8, "ingest": 3, "delete": 2, "purge": 2, "rollback": 2, "compact": 3, "reembed": 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """An order, what the library holds after it (uri → text), and which documents it deletes."""

    order: Order
    expected: dict[str, str]
    deletes: tuple[str, ...] = ()


@dataclass
class World:
    """The files in `folder`, the library in `library`, and the record of its generations."""

    library: Path
    folder: Path
    chance: Random
    embedders: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    newest: int = 0
    records: dict[int, Held] = field(default_factory=lambda: {0: {}})
    kept: set[int] = field(default_factory=set)
    purged_from: set[int] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    embedder: str = ""
    gone_for_good: list[str] = field(default_factory=list)
    _withheld: dict[str, str] = field(default_factory=dict)  # document id → the name its file has now
    _purged: set[str] = field(default_factory=set)
    _moved: dict[str, str] = field(default_factory=dict)
    _unsynced_moves: set[str] = field(default_factory=set)
    _count: int = 0

    def __post_init__(self) -> None:
        self.embedder = self.embedders[0]
        self.folder.mkdir(parents=True)
        for _ in range(_MOST_FILES // 2):
            self._write(self._name(), self._text())

    # ---- planning ---------------------------------------------------------------------------------------------------

    def plan(self, change: str = "") -> Plan:
        """Return the next change, drawn by chance unless it is named; a sync's files are changed on the way."""
        drawn = change or self.chance.choices(list(CHANGES), list(CHANGES.values()))[0]
        planned: Callable[[], Plan | None] = getattr(self, f"_plan_{drawn}")
        found = planned() if self.newest else None
        return self._plan_sync() if found is None else found

    def _order(self, change: str, **more: object) -> Order:
        return Order(change, str(self.library), self.embedder, **more)  # type: ignore[arg-type]

    def _live(self) -> dict[str, str]:
        return dict(self.records[self.newest].values())

    def _plan_sync(self) -> Plan:
        live, hidden = self._live(), set(self._withheld.values())
        settled = [name for name, text in self.files.items() if live.get(name) == text and name not in hidden]
        self.chance.shuffle(settled)
        for _ in range(self.chance.randint(0, 4)):
            self._write(self._name(), self._text())
        for _ in range(self.chance.randint(0, 3)):
            if settled:
                self._write(settled.pop(), self._text())
        for _ in range(self.chance.randint(0, 2)):
            if settled:
                self._move(settled.pop())
        surplus = max(0, len(self.files) - _MOST_FILES) + self.chance.randint(0, 2)
        for name in self.chance.sample(sorted(self.files), min(surplus, len(self.files) - 1)):
            (self.folder / name).unlink()
            del self.files[name]
        expected = {name: text for name, text in self.files.items() if name not in hidden}
        expected |= {uri: text for uri, text in live.items() if uri.startswith(_UPLOAD)}
        return Plan(self._order("sync", folder=str(self.folder)), expected)

    def _plan_ingest(self) -> Plan:
        live = self._live()
        sent = [uri for uri in live if uri.startswith(_UPLOAD)]
        names = {self._name(_UPLOAD) for _ in range(self.chance.randint(1, 3))}
        names |= set(self.chance.sample(sent, min(len(sent), 1)))
        uploads = {name: self._text() for name in sorted(names)}
        return Plan(self._order("ingest", uploads=uploads), live | uploads)

    def _plan_delete(self) -> Plan | None:
        return self._deleting("delete", sorted(self.records[self.newest]))

    def _plan_purge(self) -> Plan | None:
        held = self.records[self.newest]
        return self._deleting("purge", [i for i in sorted(held) if self._now(held[i][0]) not in self._unsynced_moves])

    def _deleting(self, change: str, candidates: list[str]) -> Plan | None:
        chosen = tuple(self.chance.sample(candidates, min(len(candidates), self.chance.randint(1, 2))))
        left = {uri: text for i, (uri, text) in self.records[self.newest].items() if i not in chosen}
        return Plan(self._order(change, documents=chosen), left, chosen) if chosen and left else None

    def _plan_rollback(self) -> Plan | None:
        targets = sorted((self.kept & self.records.keys()) - self.purged_from - {self.newest})
        if not targets:
            return None
        number = self.chance.choice(targets)
        return Plan(self._order("rollback", number=number), dict(self.records[number].values()))

    def _plan_compact(self) -> Plan:
        keep, grace = self.chance.choice((1, 2, 3, 5)), self.chance.choice((0.0, 0.0, 120.0))
        return Plan(self._order("compact", number=keep, grace=grace), self._live())

    def _plan_reembed(self) -> Plan | None:
        others = [name for name in self.embedders if name != self.embedder]
        if not others:
            return None
        return Plan(Order("reembed", str(self.library), self.chance.choice(others)), self._live())

    # ---- what became of it ------------------------------------------------------------------------------------------

    def observe(self, plan: Plan, acknowledged: bool, generation: int | None) -> list[str]:
        """Take up what the library holds now, and return all in it that is not as it must be."""
        opened = Library(self.library)
        try:
            now, wrong = opened.generation().number, []
            held = _held(opened, now)
            live, before = dict(held.values()), self.newest
            makes_none = plan.order.change == "compact" or (
                plan.order.change == "sync" and plan.expected == self._live()
            )
            if now not in (before, before + 1) or (acknowledged and generation not in (now, None)):
                wrong.append(f"generation {now} after {before}, acknowledged: {generation}")
            if acknowledged and now == before and not makes_none:
                wrong.append(f"an acknowledged {plan.order.change} is not there")
            if live != (plan.expected if now > before else self._live()):
                wrong.append(f"generation {now} does not hold what it must: {_difference(plan, live)}")
            if now > before:
                self._landed(plan, now, held)
            found = opened.generations(limit=1_000_000)
            before_kept, self.kept = self.kept, {g.number for g in found}
            if {g.number for g in found if g.purged} != self.purged_from & self.kept:
                wrong.append("other generations are marked as purged than those that were")
            if acknowledged and plan.order.change == "compact" and not plan.order.grace:
                expected = {n for n in before_kept if n > self.newest - plan.order.number}
                if self.kept != expected:
                    wrong.append(f"compaction kept {sorted(self.kept)}, not {sorted(expected)}")
            for number in self._some():
                if _held(opened, number) != self.records[number]:
                    wrong.append(f"generation {number} is not what it was")
            self.embedder = opened.meta["embedder"].rpartition(":")[0]
            return wrong
        finally:
            opened.close()

    def landed_late(self, killed: Plan) -> bool:
        """Take up a killed change if it shows only now, and return whether it does.

        A process that dies between writing the last of its pages and saying so in the file that SQLite's connections
        share has committed, and nobody sees it until the last connection of all is closed and the next one reads the
        log anew. It was not acknowledged, so either is right.
        """
        opened = Library(self.library)
        try:
            now = opened.generation().number
            held = _held(opened, now)
            late = now == self.newest + 1 and dict(held.values()) == killed.expected
            if late:
                self._landed(killed, now, held)
            return late
        finally:
            opened.close()

    def rebased(self, plan: Plan) -> Plan:
        """Return a plan that only sends documents, with what the library holds after it by what it holds now."""
        return replace(plan, expected=self._live() | plan.order.uploads)

    def _some(self) -> list[int]:
        whole = sorted(self.kept - self.purged_from)
        return self.chance.sample(whole, min(2, len(whole)))

    def _landed(self, plan: Plan, now: int, held: Held) -> None:
        before = self.records[self.newest]
        if plan.order.change == "sync":
            self._unsynced_moves.clear()
        if plan.order.change == "rollback":
            changed = {i for i in before.keys() | held.keys() if before.get(i) != held.get(i)}
            self._withheld = {i: name for i, name in self._withheld.items() if i not in changed or i in self._purged}
        for identity in plan.deletes:
            self._withheld[identity] = self._now(before[identity][0])
            if plan.order.change == "purge":
                self._purged.add(identity)
                self.purged_from |= {n for n, record in self.records.items() if identity in record}
                self.gone_for_good += {r[identity][1] for r in self.records.values() if identity in r}
        self.newest = now
        self.records[now] = held

    def _now(self, name: str) -> str:
        while name in self._moved:
            name = self._moved[name]
        return name

    # ---- files ------------------------------------------------------------------------------------------------------

    def _name(self, prefix: str = "file") -> str:
        self._count += 1
        folder = self.chance.choice(("", "north/", "south/")) if prefix == "file" else ""
        return f"{folder}{prefix}-{self._count:05}.txt" if folder else f"{prefix}-{self._count:05}.txt"

    def _text(self) -> str:
        """Return a text of one to some thirty sentences, each of which no other text has."""
        self._count += 1
        word = f"zq{self._count}"
        self.words.append(word)
        sentences = [f"The keeper of station {self._count} calls the lamp {word}."]
        for line in range(self.chance.choice((0, 1, 3, 30))):
            sentences.append(f"On day {line} of log {self._count} the ship {word} passed at {line} knots in fair wind.")
        return " ".join(sentences)

    def _write(self, name: str, text: str) -> None:
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        self.files[name] = text

    def _move(self, name: str) -> None:
        moved = self._name()
        (self.folder / moved).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).rename(self.folder / moved)
        self.files[moved] = self.files.pop(name)
        self._moved[name] = moved
        self._unsynced_moves.add(moved)


def _held(library: Library, number: int) -> Held:
    documents = library.documents(number, limit=1_000_000)
    return {d.id: (d.uri, library.revision(d.revision, document_id=d.id, generation=number).text) for d in documents}


def _difference(plan: Plan, live: dict[str, str]) -> str:
    names = sorted(n for n in plan.expected.keys() | live.keys() if plan.expected.get(n) != live.get(n))
    how = {n: "is not there" if n not in live else "is extra" if n not in plan.expected else "is other" for n in names}
    return ", ".join(f"{name} {how[name]}" for name in names[:5])

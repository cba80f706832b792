"""Bringing the engine in step with the library, from the generation it stands at to the newest one.

Nothing that is written shows before it is whole: nobody filters by a generation that is not activated, and activating
is one request. Every step may be repeated, so what was interrupted goes on when it is run again, and sends nothing that
is there. A first load, and one for another embedder, goes into a collection of its own beside the one in use. Where
servers share the library's truth they share the terms, so any of them goes on with what another one began.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from index.errors import StoreError
from index.exact import unit
from index.library import Library
from index.remote.engine import Engine
from index.remote.lexicon import Changes, Key, Lexicon
from index.remote.lexicons import Keeping, writing
from index.remote.names import Names, Stand, begun, names_of, standing
from index.remote.orphans import drop
from index.remote.points import Lives, Point, Terms, Times, about, codes, in_batches, sparse
from index.words import worths

# Passages a request, requests under way at a time, and waiting beside them.
_BATCH = 200
_AT_ONCE = 4
_WAITING = 4
# Terms whose numbers are held.
_HELD = 1_000_000
_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What was done: the generation and collection now in use, and points sent, changed and deleted."""

    generation: int
    collection: str
    sent: int
    changed: int
    deleted: int


def bring_forward(
    library: Library, engine: Engine, *, progress: Progress = lambda done, total: None, lock_timeout: float = 10.0
) -> Forwarded:
    """Have the engine hold every generation that is kept, and activate the newest.

    :raises StoreUnavailable: if the engine does not answer; run it again to go on.
    :raises StoreError: if it refuses, or does not hold what it was given.
    :raises LibraryBusy: if another process, or one of another machine, is at it.
    """
    with writing(library, lock_timeout) as lexicons:
        names = names_of(library, engine.address)
        aliases = engine.aliases()
        stand = standing(names, aliases)
        lexicon = _lexicon(library, engine, lexicons, names, stand)
        forward = _Forward(library, engine, lexicons, lexicon, progress)
        forward.run()
        forward.check()
        _activate(engine, names, aliases, lexicon.collection, forward.until)
        lexicon.activated(forward.until)
        if forward.purged:
            # Vectors and words of what was purged are in those that a switch left behind, too.
            drop(library, engine, lexicons, lexicons.names(str(engine.address)))
        return Forwarded(forward.until, lexicon.collection, forward.sent, forward.changed, forward.deleted)


def _lexicon(library: Library, engine: Engine, lexicons: Keeping, names: Names, stand: Stand | None) -> Lexicon:
    """Return that of the collection to bring forward: the one in use, one whose load was interrupted, or a new one."""
    embedder = library.meta["embedder"]
    prefix, dimensions = names.of(embedder), int(library.meta["dimensions"])
    there = engine.collections()
    in_use = [] if stand is None else [stand.collection]
    for collection in (
        one for one in (*in_use, *begun(library, names, lexicons)) if one.startswith(prefix) and one in there
    ):
        lexicon = lexicons.find(collection)
        if lexicon is None:
            _log.warning("%s has no terms of %s; another collection is loaded", lexicons.where, collection)
            continue
        if stand is not None and collection == stand.collection and lexicon.stands_at < stand.generation:
            raise StoreError(
                f"{engine.address} was brought to generation {stand.generation} from another machine or before a "
                f"restore: the terms in {lexicons.where} are those of {lexicon.stands_at}; sync where they are newer, "
                "or take another name"
            )
        # What was let go of since is in no row any more: which terms it held could not be told.
        brought = lexicon.stands_at == 0 or oldest(library) <= lexicon.stands_at
        if brought and not lexicon.is_given_up:
            if lexicon.stands_at == 0:
                engine.make(collection, dimensions)
            return lexicon
    collection = f"{prefix}{secrets.token_hex(4)}"
    _log.info("loading a new collection: %s", collection)
    lexicon = lexicons.make(collection, embedder, str(engine.address))
    engine.make(collection, dimensions)
    return lexicon


def oldest(library: Library) -> int:
    """Return the oldest generation that is kept, 0 if there is none."""
    return min((generation.number for generation in library.generations(limit=1_000_000)), default=0)


def _activate(engine: Engine, names: Names, aliases: dict[str, str], collection: str, generation: int) -> None:
    wanted = {names.name: collection, names.whole(generation): collection}
    before = {alias: of for alias, of in aliases.items() if alias in wanted or names.generation(alias) is not None}
    if before != wanted:
        engine.rename(wanted, without=list(before))


class _Forward:
    """One collection brought from the generation that its lexicon stands at to the newest one of the library."""

    def __init__(
        self, library: Library, engine: Engine, lexicons: Keeping, lexicon: Lexicon, progress: Progress
    ) -> None:
        self._library = library
        self._engine = engine
        self._lexicons = lexicons
        self._lexicon = lexicon
        self._collection = lexicon.collection
        self._progress = progress
        self._since = lexicon.stands_at
        self._worth = worths()
        self._numbers: dict[Key, int] = {}
        self._changes: Changes = Counter()
        self.until = library.generation().number
        self.purged = False
        """Whether documents were purged since then."""
        self.sent = self.changed = self.deleted = 0

    def run(self) -> None:
        floor = oldest(self._library)
        self._bury(self._lexicon.doomed())
        doomed = self._gone()
        if self._since == 0:
            self._sweep()
        self._upload(floor)
        # A load that was interrupted may have numbered the words of what was purged since.
        forgotten = self.purged or self._since == 0
        self._lexicon.settle(self._changes, doomed, self.until, floor, purged=forgotten)
        if forgotten:
            self._lexicons.overwrite_deleted()
        self._bury(doomed)
        if floor > 0:
            self._engine.delete_ended(self._collection, floor)

    def check(self) -> None:
        """Raise StoreError, and have the next run load another collection, if the points are not those that count."""
        held, wanted = self._engine.count(self._collection, self.until), self._library.counts(self.until)[1]
        # If a purge came in between, there is another generation to bring forward.
        if held != wanted and self._library.generation().number == self.until:
            self._lexicon.give_up()
            raise StoreError(
                f"{self._engine.address} holds {held} of the {wanted} passages of generation {self.until}; it was not "
                "activated. Run it again to load all of them into another collection"
            )

    def _bury(self, points: Sequence[int]) -> None:
        if points:
            self._engine.delete(self._collection, points)
            self.deleted += len(points)
            self._lexicon.buried()

    def _gone(self) -> list[int]:
        """Return the points of documents that were purged, and count them no more."""
        gone = []
        purged = sorted(self._library.purged_since(self._since)) if self._since else []
        self.purged, counts_from = bool(purged), self._lexicon.floor
        for batch in in_batches(purged, _BATCH):
            found = list(self._engine.of_documents(self._collection, batch))
            # A document of the same name may have come after.
            there = {number for number, *_ in self._library.placed([point for point, *_ in found], self.until)}
            for point, times, terms in found:
                if point not in there:
                    gone.append(point)
                    counted = [(generation, by) for generation, by in times.steps() if generation <= self._since]
                    self._count(terms, [(max(generation, counts_from), -by) for generation, by in counted])
        return gone

    def _count(self, terms: Sequence[int], steps: Sequence[tuple[int, int]]) -> None:
        for generation, by in steps:
            for term in terms:
                self._changes[term, generation] += by

    def _sweep(self) -> None:
        """Delete what an interrupted load left behind that is not kept any more."""
        kept = frozenset(self._library.kept_ids())
        self._engine.delete(
            self._collection, [point for point in self._engine.ids(self._collection) if point not in kept]
        )

    # ---- what came and went -----------------------------------------------------------------------------------------

    def _upload(self, floor: int) -> None:
        total = self._total()
        done, after = 0, 0
        under_way: deque[Future[tuple[int, int]]] = deque()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload") as pool:
            try:
                while ids := self._library.ids_changed(self._since, self.until, after, _BATCH):
                    after = ids[-1]
                    if len(under_way) >= _AT_ONCE + _WAITING:
                        self._landed(under_way.popleft())
                    self._lexicons.expect_alone()
                    under_way.append(pool.submit(self._send, *self._prepared(ids, floor)))
                    done += len(ids)
                    self._progress(done, total)
                while under_way:
                    self._landed(under_way.popleft())
            except BaseException:
                for one in under_way:
                    one.cancel()
                raise

    def _total(self) -> int:
        """Return about how many passages there are to look at."""
        return len(self._library.kept_ids()) if self._since == 0 else self._library.counts(self.until)[1]

    def _landed(self, done: Future[tuple[int, int]]) -> None:
        sent, changed = done.result()
        self.sent += sent
        self.changed += changed

    def _prepared(
        self, ids: Sequence[int], floor: int
    ) -> tuple[dict[int, Times], dict[int, dict[str, object]], dict[int, Terms], dict[Key, int]]:
        """Return when each of some passages counts, what is known of it and its terms, and the numbers of these."""
        placed = groupby(self._library.placed(ids, self.until), key=lambda row: row[0])
        times: dict[int, Times] = {}
        payloads: dict[int, dict[str, object]] = {}
        for number, rows in ((number, list(rows)) for number, rows in placed):
            lives: Lives = tuple((added, removed) for *_, added, removed in rows)
            _, document, published, language, tags, *_ = rows[0]
            times[number] = Times.of(lives, floor)
            payloads[number] = {**times[number].payload(), **about(document, published, language, json.loads(tags))}
        terms = {number: codes(title, text) for number, title, text in self._library.words(ids)}
        numbers = self._numbered({key for held in terms.values() for key in held})
        for number, when in times.items():
            if number in terms:  # a purge may come in between
                steps = [step for step in when.steps() if self._since < step[0] <= self.until]
                self._count([numbers[key] for key in terms[number]], steps)
        return times, payloads, terms, numbers

    def _numbered(self, keys: set[Key]) -> dict[Key, int]:
        if len(self._numbers) > _HELD:
            self._numbers = {}
        if missing := [key for key in sorted(keys) if key not in self._numbers]:
            self._numbers |= self._lexicon.numbers(missing)
        return {key: self._numbers[key] for key in keys}

    def _send(
        self, times: dict[int, Times], payloads: dict[int, dict[str, object]], terms: dict[int, Terms],
        numbers: dict[Key, int],
    ) -> tuple[int, int]:  # fmt: skip
        """Send the points that are not there, and tell of the others when they count; return how many of each."""
        there = self._engine.times(self._collection, list(times))
        missing = [number for number in times if number not in there and number in terms]
        for batch, stored in self._library.vectors(missing):
            vectors = unit(stored)
            self._engine.put(
                self._collection,
                [
                    Point(number, vector, sparse(terms[number], numbers, self._worth), payloads[number])
                    for number, vector in zip(batch, vectors, strict=True)
                ],
            )
        others: dict[Times, list[int]] = {}
        for number, before in there.items():
            if times[number] != before:
                others.setdefault(times[number], []).append(number)
        if others:
            self._engine.set_times(self._collection, others)
        return len(missing), sum(map(len, others.values()))

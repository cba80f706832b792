"""Random sequences of changes, against a model of plain dictionaries: after each step they hold the same."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from index.change import compact, delete, rollback
from index.check import check_library
from index.embed import Embedder
from index.errors import GenerationPurged, UnknownGeneration
from index.lexical import LexicalIndex
from index.naming import document_id
from index.reembed import reembed
from index.report import SyncPolicy, SyncProgress
from index.store import LocalStore, live_passages
from index.sync import Upload, ingest, sync
from index.types import Filter
from tests.fakes import HashingEmbedder, write_files

OPEN = Filter()
NAMES = ["a.txt", "b.txt", "c.txt", "north/a.txt", "north/d.txt"]
NAME = st.sampled_from(NAMES)
PICK = st.integers(0, 1_000)
STAGES = ["scan", "read", "embed", "index", "commit"]

Held = dict[str, tuple[str, str]]
"""Document id → (uri, text)."""


class Crash(Exception):
    """Stands for whatever may stop a sync."""


@dataclass
class Model:
    """What the library must know: of files, of documents deleted by hand, and of each generation."""

    generations: dict[int, Held] = field(default_factory=lambda: {0: {}})
    kept: set[int] = field(default_factory=set)
    purged_from: set[int] = field(default_factory=set)
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)  # path → (content, document)
    uploads: dict[str, str] = field(default_factory=dict)  # name → document
    withheld: set[str] = field(default_factory=set)
    purged: set[str] = field(default_factory=set)
    purged_texts: set[str] = field(default_factory=set)

    @property
    def newest(self) -> int:
        return max(self.generations)

    @property
    def live(self) -> Held:
        return self.generations[self.newest]

    @property
    def whole(self) -> list[int]:
        """The generations that can be asked as they were."""
        return sorted(self.kept - self.purged_from)

    def land(self, held: Held) -> int:
        number = self.newest + 1
        self.generations[number] = held
        self.kept.add(number)
        return number

    def new_id(self, uri: str, owned: set[str]) -> str:
        attempt = 1
        while (found := document_id(uri, attempt)) in owned:
            attempt += 1
        return found

    def owned(self) -> set[str]:
        return {i for _, i in self.seen.values()} | set(self.uploads.values()) | set(self.live)

    def restore(self, identity: str) -> None:
        self.withheld.discard(identity)
        self.purged.discard(identity)

    def sync(self, files: dict[str, str], *, include_deleted: bool) -> Held:
        """Note what a sync sees, and return what the library must hold after it."""
        owned, held = self.owned(), dict(self.live)
        missing = {path: known for path, known in self.seen.items() if path not in files}
        now: dict[str, tuple[str, str]] = {}
        for path, content in sorted(files.items(), key=_in_the_order_of_a_walk):
            moved = [old for old, known in missing.items() if known[0] == content]
            if path in self.seen:
                identity = self.seen[path][1]
            elif moved:
                identity = missing.pop(moved[0])[1]
            elif content in self.purged_texts and not include_deleted:
                continue
            else:
                identity = self.new_id(path, owned)
            owned.add(identity)
            now[path] = (content, identity)
            if include_deleted:
                self.restore(identity)
            if identity not in self.withheld:
                held[identity] = (path, content)
        for _, identity in missing.values():
            held.pop(identity, None)
        self.seen = now
        return held

    def purge(self, identity: str) -> None:
        self.purged_from |= {n for n in self.kept if identity in self.generations[n]}
        self.purged_texts |= {held[identity][1] for held in self.generations.values() if identity in held}
        uri = self.generations[max(n for n in self.kept if identity in self.generations[n])][identity][0]
        self.seen = {path: known for path, known in self.seen.items() if known[1] != identity}
        self.uploads = {name: known for name, known in self.uploads.items() if known != identity}
        self.withheld.add(identity)
        self.purged |= {identity}
        for held in self.generations.values():
            held.pop(identity, None)
        # Its file may have another name by now, and does not come back as another document.
        twin = self.new_id(uri, self.owned() - {identity})
        self.withheld.add(twin)
        self.purged.add(twin)

    def roll_back(self, target: int) -> Held:
        """Note what a rollback makes the next sync look at, and return what the library must hold after it."""
        before, after = self.live, dict(self.generations[target])
        for identity in before.keys() | after.keys():
            if before.get(identity) == after.get(identity):
                continue
            if identity not in self.purged:
                self.withheld.discard(identity)
            known = identity in self.uploads.values() or identity in {i for _, i in self.seen.values()}
            if not known and identity in after:
                uri = after[identity][0]
                if uri.startswith("sent/"):
                    self.uploads[uri] = identity
                elif uri not in self.seen or self.seen[uri][1] not in after:
                    self.seen[uri] = (self.seen[uri][0] if uri in self.seen else "", identity)
        return after


class Machine(RuleBasedStateMachine):
    """Each rule changes the library and the model; the invariants compare them."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(prefix="citespan-model-"))
        self.library, self.folder = self.scratch / "library", self.scratch / "files"
        self.folder.mkdir()
        self.embedder = HashingEmbedder(name="first:x")
        self.model = Model()
        self.files: dict[str, str] = {}
        self.count = 0
        sync(self.library, self.embedder, [self.folder])
        self.store = LocalStore(self.library, self.embedder, self._other)

    def teardown(self) -> None:
        self.store.close()
        assert check_library(self.library).problems == ()
        opened = LocalStore(self.library, self.embedder)
        assert opened.current().vectors.ids() == opened.library.live_ids(self.model.newest)
        opened.close()
        shutil.rmtree(self.scratch, ignore_errors=True)  # tantivy's threads may still look into it

    def _other(self, name: str) -> Embedder:
        return HashingEmbedder(name=f"{name}:x")

    def _text(self, long: bool = False) -> str:
        self.count += 1
        more = [f"Line {n} of {self.count} is written by zq{self.count} too." for n in range(30 if long else 0)]
        return " ".join([f"The lamp of report {self.count} is called zq{self.count}.", *more])

    def _pick(self, pick: int, among: list[str]) -> str:
        return among[pick % len(among)]

    # ---- the folder -------------------------------------------------------------------------------------------------

    @rule(name=NAME, long=st.booleans())
    def write(self, name: str, long: bool) -> None:
        self.files[name] = self._text(long)
        write_files(self.folder, {name: self.files[name]})

    @precondition(lambda self: self.files)
    @rule(pick=PICK, to=NAME)
    def rename(self, pick: int, to: str) -> None:
        name = self._pick(pick, sorted(self.files))
        (self.folder / to).parent.mkdir(exist_ok=True)
        (self.folder / name).rename(self.folder / to)
        self.files[to] = self.files.pop(name)

    @precondition(lambda self: any(name.startswith("north/") for name in self.files))
    @rule()
    def move_the_folder(self) -> None:
        shutil.rmtree(self.folder / "south", ignore_errors=True)
        (self.folder / "north").rename(self.folder / "south")
        for name in [name for name in self.files if name.startswith("south/")]:
            del self.files[name]
        for name in [name for name in self.files if name.startswith("north/")]:
            self.files[name.replace("north/", "south/")] = self.files.pop(name)

    @precondition(lambda self: self.files)
    @rule(pick=PICK)
    def remove(self, pick: int) -> None:
        name = self._pick(pick, sorted(self.files))
        (self.folder / name).unlink()
        del self.files[name]

    # ---- the library ------------------------------------------------------------------------------------------------

    @rule(include_deleted=st.sampled_from([False, False, False, True]))
    def sync(self, include_deleted: bool) -> None:
        policy = SyncPolicy(allow_vanish=True, include_deleted=include_deleted)
        before = self.model.live
        held = self.model.sync(self.files, include_deleted=include_deleted)
        expected = None if held == before else self.model.land(held)
        assert sync(self.library, self.embedder, [self.folder], policy=policy).generation == expected

    @rule(stage=st.sampled_from(STAGES))
    def sync_and_fail(self, stage: str) -> None:
        def progress(now: SyncProgress) -> None:
            if now.stage == stage:
                raise Crash

        files = write_files(self.scratch / "other", {"new.txt": self._text()})
        with pytest.raises(Crash):
            sync(self.library, self.embedder, [self.folder, files], policy=SyncPolicy(allow_vanish=True),
                 progress=progress)  # fmt: skip

    @rule(names=st.lists(st.sampled_from(["sent/a.txt", "sent/b.txt"]), min_size=1, max_size=3))
    def upload(self, names: list[str]) -> None:
        uploads = [Upload(name, self._text().encode()) for name in names]
        held = dict(self.model.live)
        for name, data in {upload.name: upload.data for upload in uploads}.items():
            identity = self.model.uploads.get(name) or self.model.new_id(name, self.model.owned())
            self.model.uploads[name] = identity
            self.model.restore(identity)
            held[identity] = (name, data.decode())
        assert ingest(self.library, self.embedder, uploads).generation == self.model.land(held)

    @precondition(lambda self: self.model.live)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        identity = self._pick(pick, sorted(self.model.live))
        self.model.withheld.add(identity)
        left = {i: document for i, document in self.model.live.items() if i != identity}
        assert delete(self.library, [identity]) == self.model.land(left)

    @precondition(lambda self: any(self.model.generations[n] for n in self.model.kept))
    @rule(pick=PICK)
    def purge(self, pick: int) -> None:
        identity = self._pick(pick, sorted({i for n in self.model.kept for i in self.model.generations[n]}))
        was_live, left = identity in self.model.live, dict(self.model.live)
        left.pop(identity, None)
        self.model.purge(identity)
        expected = self.model.land(left) if was_live else None
        assert delete(self.library, [identity], purge=True) == expected

    @precondition(lambda self: self.model.whole)
    @rule(pick=PICK)
    def roll_back(self, pick: int) -> None:
        target = self.model.whole[pick % len(self.model.whole)]
        expected = self.model.land(self.model.roll_back(target))
        assert rollback(self.library, target) == expected

    @rule(keep=st.integers(1, 3))
    def compact(self, keep: int) -> None:
        compact(self.library, keep_last=keep, grace=timedelta(0))
        self.model.kept = set(sorted(self.model.kept)[-keep:])

    @rule(name=st.sampled_from(["first:x", "second:x"]))
    def reembed(self, name: str) -> None:
        same = name == self.embedder.fingerprint.rpartition("-")[0]
        self.embedder = HashingEmbedder(name=name)
        expected = None if same else self.model.land(dict(self.model.live))
        assert reembed(self.library, self.embedder).generation == expected

    # ---- what must hold after each step -----------------------------------------------------------------------------

    @invariant()
    def all_agree(self) -> None:
        self.store.refresh()
        self.the_newest_generation_is_the_models()
        self.the_indexes_agree()
        self.each_word_is_found_where_it_is()
        self.earlier_generations_are_as_they_were_or_say_why_not()
        self.what_was_purged_is_in_no_file()

    def the_newest_generation_is_the_models(self) -> None:
        now = self.store.current()
        assert now.generation.number == self.model.newest
        documents = {d.id: (d.uri, now.revision(d.id, d.revision).text) for d in now.documents(limit=1_000)}
        assert documents == self.model.live
        reach: dict[str, int] = {}
        for passage in live_passages(self.store.library, self.model.newest):
            text = documents[passage.document.id][1]
            assert passage.span.of(text) == passage.text
            assert passage.span.start <= reach.get(passage.document.id, 0) + 1
            reach[passage.document.id] = passage.span.end
        assert reach == {i: len(text) for i, (_, text) in documents.items()}

    def the_indexes_agree(self) -> None:
        library = self.store.library
        live = library.live_ids(self.model.newest)
        assert self.store.current().vectors.ids() == live
        words = LexicalIndex(self.library, library.meta["history"]).searcher().ids() if self.model.newest else []
        assert set(live) <= set(library.kept_ids()) <= set(words)
        assert len(words) == len(set(words))

    def each_word_is_found_where_it_is(self) -> None:
        now = self.store.current()
        for number in range(1, self.count + 1):
            found = {hit.passage.document.id for hit in now.by_words(f"zq{number}", 50, OPEN)}
            wanted = {i for i, (_, text) in self.model.live.items() if f"zq{number}" in text.replace(".", " ").split()}
            assert found == wanted

    def earlier_generations_are_as_they_were_or_say_why_not(self) -> None:
        for number in range(1, self.model.newest + 1):
            if number not in self.model.kept:
                with pytest.raises(UnknownGeneration):
                    self.store.at(number)
            elif number in self.model.purged_from:
                with pytest.raises(GenerationPurged):
                    self.store.at(number)
            else:
                then = self.store.at(number)
                documents = {d.id: (d.uri, then.revision(d.id, d.revision).text) for d in then.documents(limit=1_000)}
                assert documents == self.model.generations[number]
                assert then.vectors.ids() == self.store.library.live_ids(number)

    def what_was_purged_is_in_no_file(self) -> None:
        there = {text for n in self.model.kept for _, text in self.model.generations[n].values()}
        gone = self.model.purged_texts - there
        if gone:
            content = b"".join(path.read_bytes() for path in self.library.rglob("*") if path.is_file())
            assert not [text for text in gone if text.encode()[:40] in content]


def _in_the_order_of_a_walk(item: tuple[str, str]) -> tuple[bool, str]:
    """A folder's own files come before those of the folders in it."""
    return "/" in item[0], item[0]


def test_every_sequence_of_changes_ends_as_the_model_says() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            deadline=None, max_examples=10, stateful_step_count=15, suppress_health_check=list(HealthCheck)
        ),
    )

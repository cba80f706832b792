"""Another embedder for a library that is in use."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.change import compact, rollback
from index.errors import Interrupted, LibraryFormat
from index.reembed import Reembedded, reembed
from index.report import SyncProgress
from index.store import LocalStore
from index.sync import sync
from index.types import Filter
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, texts

MANY = 600
"""More than two batches of what is embedded between two looks at the lock."""


class NamedEmbedder(HashingEmbedder):
    """Another embedder, whose fingerprint names what to open as that of a real one does."""

    @property
    def fingerprint(self) -> str:
        return f"{self._name}:{self._dimensions}"


class Impatient(NamedEmbedder):
    """Is interrupted in its second batch."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.embedded:
            raise KeyboardInterrupt
        return super().embed(texts)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a library of two generations: three documents, of which one was changed."""
    folder = write_files(tmp_path / "files", {"a.txt": "The tide is high.", "b.txt": "The lamp is lit.", "c.txt": "C."})
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    (folder / "a.txt").write_text("The tide is low.")
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    return tmp_path / "library"


def near(store: LocalStore, words: str, *, generation: int | None = None) -> str:
    """Return the passage nearest to some words."""
    now = store.current() if generation is None else store.at(generation)
    return now.by_vector(now.embed(words), 1, Filter())[0].passage.text


def test_a_library_is_switched_in_one_generation_and_old_ones_with_it(library: Path) -> None:
    other = NamedEmbedder(32, "other")
    seen: list[tuple[int, int]] = []
    done = reembed(library, other, progress=lambda now, whole: seen.append((now, whole)))
    assert done == Reembedded(3, 4, 4)
    assert seen == [(0, 4), (4, 4)]
    assert sorted(other.embedded) == ["a\nThe tide is high.", "a\nThe tide is low.", "b\nThe lamp is lit.", "c\nC."]
    assert_whole(library, other)
    store = LocalStore(library, other)
    assert (near(store, "tide"), near(store, "high tide", generation=1)) == ("The tide is low.", "The tide is high.")
    assert dict(store.current().generation.summary) == {"reembedded": 1}
    store.close()
    with pytest.raises(LibraryFormat, match="made by other:32, the embedder in use is hashing-64"):
        LocalStore(library, HashingEmbedder())
    connection = sqlite3.connect(library / "library.sqlite")
    assert connection.execute("SELECT DISTINCT length(vector) FROM vectors").fetchall() == [(64,)]
    assert connection.execute("SELECT count(*) FROM rekeyed").fetchone() == (0,)
    connection.close()


def test_the_same_embedder_again_does_nothing(library: Path) -> None:
    same = HashingEmbedder()
    assert reembed(library, same) == Reembedded(None, 4, 0)
    assert same.embedded == []


def test_syncs_go_on_with_the_new_embedder_and_embed_only_what_is_new(library: Path) -> None:
    folder = library.with_name("files")
    reembed(library, NamedEmbedder(32, "other"))
    other = NamedEmbedder(32, "other")
    assert sync(library, other, [folder]).generation is None
    write_files(folder, {"d.txt": "A fourth thing."})
    assert sync(library, other, [folder]).added == ("d.txt",)
    assert other.embedded == ["d\nA fourth thing."]
    with pytest.raises(LibraryFormat, match="made with embedder other:32, asked for hashing-64"):
        sync(library, HashingEmbedder(), [folder])
    # The texts of a rollback are embedded already, too.
    rollback(library, 1)
    assert_whole(library, other)
    assert other.embedded == ["d\nA fourth thing."]


def test_interrupted_it_answers_as_before_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    library = tmp_path / "library"
    folder = write_files(tmp_path / "files", {f"{n:03}.txt": f"Thing number {n} is here." for n in range(MANY)})
    sync(library, HashingEmbedder(), [folder])
    impatient = Impatient(32, "other")
    with pytest.raises(KeyboardInterrupt):
        reembed(library, impatient)
    assert 0 < len(impatient.embedded) < MANY
    store = LocalStore(library, HashingEmbedder())
    now = store.current()
    assert (now.generation.number, len(now.by_vector(now.embed("thing"), MANY, Filter()))) == (1, MANY)
    store.close()
    assert_whole(library)
    # Letting old generations go does not let go of what was embedded for the coming one.
    compact(library)
    # A sync lands between, by the embedder that is still in use: what it changed is to be embedded anew, too.
    (folder / "000.txt").write_text("Thing number 0 was changed.")
    write_files(folder, {"new.txt": "A new thing."})
    assert sync(library, HashingEmbedder(), [folder]).generation == 2
    patient = NamedEmbedder(32, "other")
    done = reembed(library, patient)
    assert done == Reembedded(3, MANY + 2, MANY + 2 - len(impatient.embedded))
    assert set(patient.embedded).isdisjoint(impatient.embedded)
    assert len(patient.embedded) == done.embedded
    assert_whole(library, patient)
    assert len(texts(library)) == MANY + 1


def test_another_embedder_begins_anew_where_one_was_interrupted(tmp_path: Path) -> None:
    library = tmp_path / "library"
    folder = write_files(tmp_path / "files", {f"{n:03}.txt": f"Thing number {n} is here." for n in range(300)})
    sync(library, HashingEmbedder(), [folder])
    with pytest.raises(KeyboardInterrupt):
        reembed(library, Impatient(32, "first"))
    second = NamedEmbedder(16, "second")
    assert reembed(library, second) == Reembedded(2, 300, 300)
    assert_whole(library, second)


def test_what_an_interrupted_sync_left_behind_does_not_land_with_the_switch(library: Path) -> None:
    folder = library.with_name("files")
    before = texts(library)
    write_files(folder, {"a.txt": "The tide has turned.", "d.txt": "A fourth thing."})

    def stop(now: SyncProgress) -> None:
        if now.stage == "commit":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        sync(library, HashingEmbedder(), [folder], progress=stop)
    other = NamedEmbedder(32, "other")
    assert reembed(library, other) == Reembedded(3, 4, 4)
    assert texts(library) == before
    assert sync(library, other, [folder]).added == ("d.txt",)
    assert_whole(library, other)


def test_a_running_server_takes_the_switch_up_and_opens_the_new_embedder(library: Path) -> None:
    opened: list[str] = []

    def open_embedder(name: str) -> HashingEmbedder:
        opened.append(name)
        return NamedEmbedder(32, name)

    store = LocalStore(library, HashingEmbedder(), open_embedder)
    before = store.current()
    assert near(store, "high tide", generation=1) == "The tide is high."
    reembed(library, NamedEmbedder(32, "other"))
    # Questions under way end as they began.
    assert before.by_vector(before.embed("tide"), 1, Filter())[0].passage.text == "The tide is low."
    assert store.refresh() is True
    assert (opened, store.current().generation.number) == (["other"], 3)
    assert near(store, "tide") == "The tide is low."
    assert near(store, "high tide", generation=1) == "The tide is high."
    store.close()


def test_a_server_that_cannot_open_the_new_embedder_says_so_and_goes_on(library: Path) -> None:
    store = LocalStore(library, HashingEmbedder())
    reembed(library, NamedEmbedder(32, "other"))
    with pytest.raises(LibraryFormat, match="now embedded by other; restart to use it"):
        store.refresh()
    assert near(store, "tide") == "The tide is low."
    store.close()


def test_passages_alike_are_embedded_once(tmp_path: Path) -> None:
    text = "---\ntitle: Tides\n---\nThe harbour closes at high tide."
    folder = write_files(tmp_path / "files", {"a.txt": text, "b.txt": text})
    sync(tmp_path / "library", HashingEmbedder(), [folder])
    assert reembed(tmp_path / "library", NamedEmbedder(32, "other")) == Reembedded(2, 2, 1)

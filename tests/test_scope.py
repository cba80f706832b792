"""What the holder of some tags sees of a library: their documents, whatever is asked, and of the rest nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.change import delete, rollback
from index.errors import GenerationPurged, UnknownDocument, UnknownRevision
from index.naming import document_id
from index.report import SyncPolicy
from index.scope import ScopedStores
from index.store import LocalStore
from index.sync import Upload, ingest, sync
from index.types import Filter, Revision
from tests.fakes import HashingEmbedder, write_files

OPEN = "The ferry leaves the harbour at noon."
CLOSED = "The ferry leaves the quarry at midnight."
BARE = "The ferry is painted in plain grey."
FERRY, QUARRY, PAINT = (document_id(name) for name in ("ferry.md", "quarry.md", "paint.md"))


def tagged(text: str, *tags: str) -> str:
    return f"---\ntags: [{', '.join(tags)}]\n---\n\n{text}\n"


def run(folder: Path, files: dict[str, str]) -> int | None:
    """Bring the library below a folder in step with these files; return the new generation."""
    sources = write_files(folder / "sources", files)
    for path in sources.iterdir():
        if path.name not in files:
            path.unlink()
    report = sync(folder / "library", HashingEmbedder(), [sources], policy=SyncPolicy(allow_vanish=True))
    assert report.failed == ()
    return report.generation


@pytest.fixture
def library(tmp_path: Path) -> Path:
    run(
        tmp_path,
        {"ferry.md": tagged(OPEN, "public", "press"), "quarry.md": tagged(CLOSED, "board"), "paint.md": f"{BARE}\n"},
    )
    return tmp_path / "library"


@pytest.fixture
def local(library: Path) -> Iterator[LocalStore]:
    opened = LocalStore(library, HashingEmbedder())
    yield opened
    opened.close()


@pytest.fixture
def press(local: LocalStore) -> ScopedStores:
    return ScopedStores(local, frozenset({"press"}))


def texts(stores: ScopedStores, query: str = "ferry leaves", where: Filter | None = None) -> list[list[str]]:
    """Return what is found by vector, and by words."""
    now, where = stores.current(), Filter() if where is None else where
    found = now.by_vector(now.embed(query), 100, where), now.by_words(query, 100, where)
    return [sorted(hit.passage.text for hit in hits) for hits in found]


def test_a_search_finds_only_what_carries_a_tag(press: ScopedStores) -> None:
    assert texts(press) == [[OPEN], [OPEN]]
    assert texts(press, "quarry midnight plain grey")[0] == [OPEN]
    assert texts(press, "quarry midnight")[1] == []


def test_a_filter_narrows_what_is_seen_and_never_widens_it(press: ScopedStores) -> None:
    assert texts(press, where=Filter(tags=frozenset({"board"}))) == [[], []]
    assert texts(press, where=Filter(document_ids=frozenset({QUARRY, PAINT}))) == [[], []]
    assert texts(press, where=Filter(document_ids=frozenset({QUARRY, FERRY}))) == [[OPEN], [OPEN]]


def test_what_is_not_seen_is_told_like_what_is_not_there(local: LocalStore, press: ScopedStores) -> None:
    now = press.current()
    for name in (QUARRY, PAINT, "doc_none"):
        with pytest.raises(UnknownDocument) as hidden:
            now.document(name)
        with pytest.raises(UnknownDocument) as missing:
            local.current().document("doc_nothing")
        assert str(hidden.value).replace(name, "X") == str(missing.value).replace("doc_nothing", "X")
        revision = Revision.of(CLOSED).id
        with pytest.raises(UnknownRevision) as unread:
            now.revision(name, revision)
        with pytest.raises(UnknownRevision) as unheard:
            local.current().revision("doc_nothing", revision)
        assert str(unread.value).replace(name, "X") == str(unheard.value).replace("doc_nothing", "X")
        with pytest.raises(UnknownDocument):
            press.library.document(1, name)
        with pytest.raises(UnknownDocument):
            press.library.revisions(1, name, limit=5)
    assert now.document(FERRY).title == local.current().document(FERRY).title
    assert now.revision(FERRY, now.document(FERRY).revision).text.strip() == OPEN


def test_lists_and_counts_are_of_what_is_seen(press: ScopedStores) -> None:
    now = press.current()
    assert [document.id for document in now.documents()] == [FERRY]
    assert now.documents(after=FERRY) == []
    assert [entry.id for entry in press.library.entries(1)] == [FERRY]
    assert [one.id for one in press.library.documents_named(1, [QUARRY, FERRY, PAINT])] == [FERRY]
    (generation,) = press.library.generations()
    told = (generation.documents, generation.passages, dict(generation.summary))
    assert told == (1, 1, {"added": 1, "changed": 0, "removed": 0})
    assert generation == now.generation == press.library.generation() == press.library.generation_numbered(1)


def test_whoever_holds_no_tag_of_any_document_sees_an_empty_library(local: LocalStore) -> None:
    nobody = ScopedStores(local, frozenset({"none"}))
    assert texts(nobody) == [[], []]
    assert nobody.current().documents() == []
    assert nobody.library.generation().documents == 0


def test_what_gets_other_tags_is_gone_from_the_past_as_well(tmp_path: Path, library: Path) -> None:
    changed = "The ferry leaves the harbour at dawn."
    run(tmp_path, {"ferry.md": tagged(changed, "board"), "quarry.md": tagged(CLOSED, "board")})
    store = LocalStore(library, HashingEmbedder())
    press = ScopedStores(store, frozenset({"press"}))
    assert texts(press) == [[], []]
    before = press.at(1)
    assert before.by_words("ferry", 10, Filter()) == []
    assert before.documents() == []
    with pytest.raises(UnknownRevision):
        press.current().revision(FERRY, store.at(1).document(FERRY).revision)
    diff = press.library.diff(1, 2)
    assert (diff.added, diff.removed, diff.changed) == ((), (), ())
    store.close()


def test_what_is_opened_today_was_closed_before(tmp_path: Path, library: Path) -> None:
    opened = "The ferry leaves the quarry at eight."
    run(tmp_path, {"ferry.md": tagged(OPEN, "public", "press"), "quarry.md": tagged(opened, "press")})
    store = LocalStore(library, HashingEmbedder())
    press = ScopedStores(store, frozenset({"press"}))
    assert texts(press) == [sorted([OPEN, opened])] * 2
    assert [hit.passage.text for hit in press.at(1).by_words("quarry", 10, Filter())] == []
    assert [past.added for past in press.library.revisions(2, QUARRY, limit=10)] == [2]
    with pytest.raises(UnknownRevision):
        press.current().revision(QUARRY, store.at(1).document(QUARRY).revision)
    diff = press.library.diff(1, 2)
    assert ([one.id for one in diff.added], diff.removed, diff.changed) == ([QUARRY], (), ())
    back = press.library.diff(2, 1)
    assert (back.added, [one.id for one in back.removed], back.changed) == ((), [QUARRY], ())
    told = [(one.number, one.documents, one.summary["added"]) for one in press.library.generations()]
    assert told == [(2, 2, 1), (1, 1, 1)]
    store.close()


def test_what_was_deleted_is_seen_in_the_past_by_the_tags_it_had(library: Path) -> None:
    delete(library, [FERRY])
    store = LocalStore(library, HashingEmbedder())
    press, board = (ScopedStores(store, frozenset({tag})) for tag in ("press", "board"))
    assert texts(press) == [[], []]
    assert [hit.passage.text for hit in press.at(1).by_words("ferry", 10, Filter())] == [OPEN]
    assert [hit.passage.text for hit in board.at(1).by_words("ferry", 10, Filter())] == [CLOSED]
    store.close()


def test_a_rollback_shows_what_the_tags_of_then_show(tmp_path: Path, library: Path) -> None:
    run(tmp_path, {"ferry.md": tagged(OPEN, "board")})
    rollback(library, 1)
    store = LocalStore(library, HashingEmbedder())
    assert texts(ScopedStores(store, frozenset({"press"}))) == [[OPEN], [OPEN]]
    store.close()


def test_of_a_purge_only_that_it_was_is_told(library: Path) -> None:
    delete(library, [QUARRY, PAINT], purge=True)
    store = LocalStore(library, HashingEmbedder())
    press = ScopedStores(store, frozenset({"press"}))
    with pytest.raises(GenerationPurged, match="some were purged"):
        press.at(1)
    assert [one.purged for one in press.library.generations()] == [0, 1]
    assert not press.current().was_purged(QUARRY, Revision.of(CLOSED).id)
    store.close()


def test_an_upload_replaces_no_document_that_its_sender_does_not_see(tmp_path: Path) -> None:
    folder, embedder = tmp_path / "library", HashingEmbedder()
    board, press = frozenset({"board"}), frozenset({"press"})
    assert ingest(folder, embedder, [Upload("plan.md", tagged(CLOSED, "board").encode(), within=board)]).failed == ()
    refused = ingest(folder, embedder, [Upload("plan.md", tagged(OPEN, "press").encode(), within=press)])
    assert [(one.name, one.code) for one in refused.failed] == [("plan.md", "not-replaceable")]
    assert refused.generation is None
    delete(folder, [document_id("plan.md")])
    assert ingest(folder, embedder, [Upload("plan.md", tagged(OPEN, "press").encode(), within=press)]).failed != ()
    assert ingest(folder, embedder, [Upload("plan.md", tagged(OPEN, "board").encode(), within=board)]).failed == ()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcd"), st.tuples(st.sampled_from("xyz"), st.sets(st.sampled_from("pqr"))),
                        min_size=1),
        min_size=1, max_size=4,
    ),
    st.sets(st.sampled_from("pqr"), min_size=1),
)  # fmt: skip
def test_nothing_is_ever_seen_without_a_tag_then_and_now(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, tuple[str, set[str]]]], tags: set[str]
) -> None:
    """After any sequence of states, each generation shows those whose tags fit in it, and fit when last they were."""
    folder = tmp_path_factory.mktemp("states")
    kept: list[dict[str, tuple[str, set[str]]]] = []
    last: dict[str, set[str]] = {}
    for state in states:
        files = {f"{name}.md": tagged(f"Text {word} of {name}.", *sorted(its)) for name, (word, its) in state.items()}
        if run(folder, files) is not None:
            kept.append(state)
        last |= {name: its for name, (_, its) in state.items()}
    store = LocalStore(folder / "library", HashingEmbedder())
    scoped = ScopedStores(store, frozenset(tags))
    for number, state in enumerate(kept, start=1):
        seen = {document_id(f"{name}.md") for name, (_, its) in state.items() if its & tags and last[name] & tags}
        at = scoped.at(number)
        assert {document.id for document in at.documents()} == seen
        assert {hit.passage.document.id for hit in at.by_words("text", 100, Filter())} == seen
        assert {hit.passage.document.id for hit in at.by_vector(at.embed("text"), 100, Filter())} == seen
        assert at.generation.documents == len(seen)
    store.close()

"""Documents that are sent: through the same code as those that are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.change import delete, rollback
from index.errors import Interrupted, LibraryBusy
from index.report import SyncPolicy, SyncProgress, SyncReport
from index.store import LocalStore
from index.sync import Upload, ingest, sync
from index.types import Document, Metadata
from index.writer import Writer
from tests.fakes import HashingEmbedder, write_files
from tests.libraries import assert_whole, contents, found, ids, texts

TIDE = "The harbour closes at high tide."
LAMP = "The lamp is lit at dusk."


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


def send(library: Path, *sent: tuple[str, str | bytes], embedder: HashingEmbedder | None = None) -> SyncReport:
    """Send (name, content) pairs in one go."""
    uploads = [Upload(name, data.encode() if isinstance(data, str) else data) for name, data in sent]
    return ingest(library, HashingEmbedder() if embedder is None else embedder, uploads)


def only(library: Path) -> Document:
    """Return the only live document."""
    store = LocalStore(library, HashingEmbedder())
    (document,) = store.current().documents()
    store.close()
    return document


def test_what_is_sent_can_be_found(library: Path) -> None:
    report = send(library, ("a.txt", TIDE), ("notes/b.md", "# Lamps\n\n" + LAMP))
    assert (report.generation, report.added, report.failed, report.embedded) == (1, ("a.txt", "notes/b.md"), (), 2)
    assert found(library, "harbour") == [TIDE]
    assert_whole(library)


def test_the_same_again_does_nothing_and_a_new_text_is_a_new_revision(library: Path) -> None:
    send(library, ("a.txt", TIDE))
    before = ids(library)
    embedder = HashingEmbedder()
    report = send(library, ("a.txt", TIDE), embedder=embedder)
    assert (report.generation, report.skipped, report.added, embedder.embedded) == (None, 1, (), [])
    report = send(library, ("a.txt", LAMP))
    assert (report.generation, report.changed, report.added) == (2, ("a.txt",), ())
    assert (ids(library), texts(library), texts(library, 1)) == (before, {"a.txt": LAMP}, {"a.txt": TIDE})
    assert_whole(library)


def test_of_a_name_sent_twice_at_once_the_last_one_counts(library: Path) -> None:
    report = send(library, ("a.txt", TIDE), ("a.txt", LAMP))
    assert (report.added, texts(library)) == (("a.txt",), {"a.txt": LAMP})
    assert send(library, ("a.txt", TIDE)).changed == ("a.txt",)
    assert texts(library) == {"a.txt": TIDE}
    assert_whole(library)


def test_what_fails_is_named_and_the_rest_lands(library: Path) -> None:
    report = send(library, ("bad.txt", b"caf\xe9"), ("a.txt", TIDE), ("photo.jpg", b"\xff\xd8"), ("none.txt", " \n"))
    assert report.added == ("a.txt",)
    assert [(f.name, f.code) for f in report.failed] == [
        ("bad.txt", "wrong-encoding"),
        ("photo.jpg", "unsupported-format"),
        ("none.txt", "empty-document"),
    ]
    # What cannot be read leaves what was there.
    report = send(library, ("a.txt", b"caf\xe9"))
    assert (report.generation, texts(library)) == (None, {"a.txt": TIDE})
    assert_whole(library)


def test_what_the_sender_says_wins_over_what_the_document_says(library: Path) -> None:
    header = "---\ntitle: Tides\nauthor: Jane Doe\ntags: [sea]\n---\n"
    given = Metadata(title="High water", published_at="2026-01-10", url="https://example.org/t")
    report = ingest(library, HashingEmbedder(), [Upload("a.md", (header + TIDE).encode(), given)])
    assert report.added == ("https://example.org/t",)
    document = only(library)
    assert (document.title, document.author, document.published_at, document.tags) == (
        "High water",
        "Jane Doe",
        "2026-01-10",
        ("sea",),
    )
    # Another title is another revision of what is embedded, but the same document.
    again = Metadata(title="Low water", url="https://example.org/t")
    assert len(ingest(library, HashingEmbedder(), [Upload("a.md", (header + TIDE).encode(), again)]).changed) == 1
    assert (only(library).id, only(library).title, only(library).published_at) == (document.id, "Low water", None)
    assert_whole(library)


def test_sent_again_a_deleted_document_is_back_under_its_id(library: Path) -> None:
    send(library, ("a.txt", TIDE), ("b.txt", LAMP))
    before = ids(library)
    for purge in (False, True):
        delete(library, [before["a.txt"]], purge=purge)
        assert set(texts(library)) == {"b.txt"}
        report = send(library, ("a.txt", TIDE))
        assert (report.added, report.kept_out) == (("a.txt",), ())
        assert ids(library) == before
    assert_whole(library)


def test_a_sync_leaves_alone_what_was_sent_and_sending_what_was_synced(library: Path, tmp_path: Path) -> None:
    send(library, ("a.txt", TIDE), ("sent.txt", "This was sent."))
    folder = write_files(tmp_path / "files", {"a.txt": LAMP})
    assert sync(library, HashingEmbedder(), [folder]).added == ("a.txt",)
    (folder / "a.txt").unlink()
    assert sync(library, HashingEmbedder(), [folder]).removed == ("a.txt",)
    assert texts(library) == {"a.txt": TIDE, "sent.txt": "This was sent."}
    # Nor is a file with the same content taken for what was sent, moved.
    write_files(folder, {"moved.txt": TIDE})
    assert sync(library, HashingEmbedder(), [folder]).added == ("moved.txt",)
    assert set(texts(library)) == {"a.txt", "sent.txt", "moved.txt"}
    assert_whole(library)


def test_after_a_rollback_what_was_sent_can_be_sent_again(library: Path) -> None:
    send(library, ("a.txt", TIDE))
    send(library, ("a.txt", LAMP), ("b.txt", "This was sent."))
    before = ids(library)
    rollback(library, 1)
    assert texts(library) == {"a.txt": TIDE}
    report = send(library, ("a.txt", LAMP), ("b.txt", "This was sent."))
    assert (report.changed, report.added, report.embedded) == (("a.txt",), ("b.txt",), 0)
    assert ids(library) == before
    assert_whole(library)


def test_each_document_of_a_file_of_several_is_one(library: Path) -> None:
    lines = ['{"id": "x", "text": "The harbour closes."}', '{"id": "y", "text": "The lamp is lit."}']
    assert send(library, ("news.jsonl", "\n".join(lines))).added == ("news.jsonl#x", "news.jsonl#y")
    before = ids(library)
    lines[1] = '{"id": "z", "text": "The pump works."}'
    report = send(library, ("news.jsonl", "\n".join(lines)))
    assert (report.added, report.removed, report.skipped) == (("news.jsonl#z",), ("news.jsonl#y",), 1)
    assert ids(library)["news.jsonl#x"] == before["news.jsonl#x"]
    assert_whole(library)


def test_a_record_that_breaks_keeps_what_was_known_of_it_and_is_told_of_each_time(library: Path) -> None:
    good = '{"id": "x", "text": "The harbour closes."}\n{"id": "y", "text": "The lamp is lit."}\n'
    broken = '{"id": "x", "text": "The harbour closes."}\n{"id": "y", "text": ""}\n'
    send(library, ("news.jsonl", good))
    before = texts(library)
    for _ in range(2):
        report = send(library, ("news.jsonl", broken))
        assert (report.generation, [f.name for f in report.failed]) == (None, ["news.jsonl#y"])
        assert texts(library) == before
    assert send(library, ("news.jsonl", good)).failed == ()
    assert_whole(library)


def test_two_who_write_at_once_wait_or_are_told(library: Path) -> None:
    send(library, ("a.txt", TIDE))
    with Writer(library), pytest.raises(LibraryBusy):
        ingest(library, HashingEmbedder(), [Upload("b.txt", LAMP.encode())], lock_timeout=0.1)


def test_interrupted_nothing_has_landed_and_it_says_so(library: Path) -> None:
    def stop(now: SyncProgress) -> None:
        if now.stage == "commit":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing has landed"):
        ingest(library, HashingEmbedder(), [Upload("a.txt", TIDE.encode())], progress=stop)
    assert texts(library) == {}
    assert send(library, ("a.txt", TIDE)).embedded == 0
    assert_whole(library)


def test_a_name_leads_nowhere(library: Path, tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"a.txt": "Precious."})
    report = send(library, ("../outside/a.txt", TIDE))
    # It is a name, and no place.
    assert (len(report.added), contents(outside)) == (1, {"a.txt": b"Precious."})
    assert_whole(library)


def test_policies_hold_for_uploads_too(library: Path) -> None:
    upload = Upload("a.txt", "Das Café schließt um zehn.".encode("latin-1"))
    report = ingest(library, HashingEmbedder(), [upload], policy=SyncPolicy(encoding="latin-1"))
    assert (report.added, report.failed) == (("a.txt",), ())
    assert texts(library) == {"a.txt": "Das Café schließt um zehn."}
    (failure,) = ingest(library, HashingEmbedder(), [upload]).failed
    assert (failure.name, failure.code) == ("a.txt", "wrong-encoding")

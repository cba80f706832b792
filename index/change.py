"""Changes of the whole library that read no file: deleting, purging, going back, letting old generations go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from index import schema
from index.database import Database
from index.errors import UnknownDocument
from index.lexical import LexicalIndex
from index.library import Library
from index.naming import free_id, place_name
from index.sqlite import disk_errors_told
from index.tidy import empty_log, finish_purge, keep_indexes, tidy
from index.writer import Writer, drop_unused_quantisers, drop_unused_vectors, newest_active, set_meta

# A generation that was the newest this short while ago may still be answering.
GRACE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What retention let go, and the size of the library's files before and after, in bytes."""

    generations: int
    passages: int
    bytes_before: int
    bytes_after: int


@contextmanager
def _opened(folder: Path, lock_timeout: float) -> Iterator[tuple[Library, Writer, LexicalIndex]]:
    """Yield the library under the writer's lock, tidied."""
    library = Library(folder)
    try:
        with disk_errors_told(folder), Writer(folder, timeout=lock_timeout) as writer:
            words = LexicalIndex(folder, library.meta["history"])
            tidy(library, writer, words)
            yield library, writer, words
    finally:
        library.close()


def delete(folder: Path, document_ids: Sequence[str], *, purge: bool = False, lock_timeout: float = 10.0) -> int | None:
    """Take documents out of the library, and return the new generation.

    A sync does not bring them back, though their files be there. With `purge` they are taken out of every generation,
    and what they said is overwritten: text, titles, passages, vectors, words. One that was deleted before may be purged
    later. None is returned if no generation is new: nothing of them was live.

    :raises UnknownDocument: if there is none of that id; nothing is done then.
    """
    wanted = tuple(dict.fromkeys(document_ids))
    with _opened(folder, lock_timeout) as (library, writer, words):
        with writer.transaction() as db:
            versions = {name: _versions(db, name) for name in wanted}
            live = [name for name in wanted if writer.present(name) is not None]
            for name in wanted:
                if not (versions[name] if purge else name in live):
                    raise UnknownDocument(f"no document {name!r} in this library; `citespan documents` lists them")
            if purge:
                _forget(db, writer, versions)
            else:
                db.executemany("INSERT INTO withheld VALUES (?, 0) ON CONFLICT DO NOTHING", [(name,) for name in live])
                writer.end(db, live)
            if live:
                writer.write_generation(db, writer.generation, {"removed": len(live), "purged": len(live) * purge})
        if purge:
            finish_purge(library, writer, words)
        return writer.generation if live else None


def _versions(db: Database, document_id: str) -> list[tuple[int, str]]:
    """Return (version, revision id) of all versions of a document."""
    rows = db.execute(
        "SELECT v.id, r.id FROM versions v JOIN revisions r ON r.number = v.revision WHERE v.document_id = ?",
        (document_id,),
    )
    return rows.fetchall()


def _forget(db: Database, writer: Writer, versions: dict[str, list[tuple[int, str]]]) -> None:
    """Delete all versions of documents, and all that only they used. SQLite overwrites what it deletes."""
    set_meta(db, {"purging": "1"})
    for name, found in versions.items():
        ids = ",".join(str(version) for version, _ in found)
        (uri,) = db.execute(
            "SELECT v.uri FROM versions v LEFT JOIN lives l ON l.version = v.id "
            f"WHERE v.id IN ({ids}) ORDER BY coalesce(l.added, 0) DESC LIMIT 1"
        ).fetchone()
        db.execute(
            "UPDATE generations SET purged = purged + 1 WHERE EXISTS (SELECT 1 FROM lives l WHERE "
            f"l.version IN ({ids}) AND l.added <= generations.number AND l.removed > generations.number)"
        )
        db.executemany(
            "INSERT INTO purged_revisions VALUES (?, ?, ?) "
            "ON CONFLICT (document_id, revision) DO UPDATE SET generation = excluded.generation",
            [(name, revision, writer.generation) for _, revision in found],
        )
        db.execute(f"INSERT INTO dropped SELECT id FROM passages WHERE version_id IN ({ids}) ON CONFLICT DO NOTHING")
        db.execute(f"DELETE FROM versions WHERE id IN ({ids})")
        db.execute(
            "INSERT INTO withheld VALUES (?, 1) ON CONFLICT (document_id) DO UPDATE SET purged = excluded.purged",
            (name,),
        )
        # The file's own row stays if it holds other documents; alone, its name goes too.
        places = db.execute("SELECT root, path, member FROM origins WHERE document_id = ?", (name,)).fetchall()
        db.execute("DELETE FROM origins WHERE document_id = ?", (name,))
        for root, path, _ in places:
            db.execute(
                "DELETE FROM files WHERE root = :r AND path = :p AND NOT EXISTS "
                "(SELECT 1 FROM origins o WHERE o.root = :r AND o.path = :p)",
                {"r": root, "p": path},
            )
        # A file that was renamed would come back as another document, now that nothing is known of it. After a rollback
        # the document may still go by the name from before.
        owned = writer.owned()
        for address in {uri, *(place_name(path, member) for _, path, member in places)}:
            db.execute("INSERT INTO withheld VALUES (?, 1) ON CONFLICT DO NOTHING", (free_id(address, owned),))
    db.execute("DELETE FROM revisions WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.revision = number)")
    drop_unused_vectors(db)


def rollback(folder: Path, number: int, *, partial: bool = False, lock_timeout: float = 10.0) -> int:
    """Return the new generation, whose live set is that of generation `number`. Nothing is read or embedded.

    The files of the documents that changed by it are looked at again by the next sync. `partial` goes back also to a
    generation of which documents were purged since: to what is left of it.

    :raises UnknownGeneration: if there is none of that number, or retention has dropped it.
    :raises GenerationPurged: if a document of it was purged and `partial` is not given.
    """
    with _opened(folder, lock_timeout) as (library, writer, _):
        if not (partial and any(g.number == number for g in library.generations(limit=1_000_000))):
            library.generation_numbered(number)
        with writer.transaction() as db:
            before = newest_active(db)
            writer.become(db, number)
            changed = db.execute(
                "SELECT DISTINCT v.document_id FROM lives l JOIN versions v ON v.id = l.version "
                f"WHERE l.removed = :g OR (l.added = :g AND l.removed = {schema.FOREVER})",
                {"g": writer.generation},
            ).fetchall()
            for (document_id,) in changed:
                _look_again(db, writer.generation, document_id)
            writer.write_generation(db, writer.generation, {"rolled_back_to": number, "from": before})
        return writer.generation


def _look_again(db: Database, generation: int, document_id: str) -> None:
    """Make the next sync look at the file of a document that a rollback changed, or miss it if it is gone."""
    db.execute("DELETE FROM withheld WHERE document_id = ? AND purged = 0", (document_id,))
    places = db.execute("SELECT root, path FROM origins WHERE document_id = ?", (document_id,)).fetchall()
    if not places:
        # A sync had seen that the file is gone. The document is back all the same, so it is to be seen again.
        places = db.execute(
            "SELECT v.root, v.path, v.member FROM versions v CROSS JOIN lives l ON l.version = v.id "
            "WHERE l.added = ? AND v.document_id = ?",
            (generation, document_id),
        ).fetchall()
        for root, path, member in places:
            db.execute("INSERT INTO files VALUES (?, ?, -1, 0, '', '', 0) ON CONFLICT DO NOTHING", (root, path))
            # What has taken the place since keeps it only if it is still there itself.
            db.execute(
                "INSERT INTO origins SELECT :r, :p, :m, :d WHERE NOT EXISTS (SELECT 1 FROM origins o "
                "JOIN versions v ON v.document_id = o.document_id JOIN lives l ON l.version = v.id "
                f"WHERE o.root = :r AND o.path = :p AND o.member = :m AND l.removed = {schema.FOREVER}) "
                "ON CONFLICT (root, path, member) DO UPDATE SET document_id = excluded.document_id",
                {"r": root, "p": path, "m": member, "d": document_id},
            )
    db.executemany("UPDATE files SET pipeline = '' WHERE root = ? AND path = ?", [place[:2] for place in places])


def compact(
    folder: Path,
    *,
    keep_last: int = 1,
    keep_days: float | None = None,
    now: datetime | None = None,
    grace: timedelta = GRACE,
    lock_timeout: float = 10.0,
) -> Compacted:
    """Let go of generations older than the last `keep_last` (and than `keep_days`), and of all that only they used.

    The newest active one always stays, and every one that was the newest less than `grace` ago: a server may still
    answer from it. Questions go on meanwhile; space is given back in small steps.

    :raises ValueError: if `keep_last` is less than 1.
    """
    if keep_last < 1:
        raise ValueError(f"keep_last is {keep_last}; at least one generation is kept")
    now = datetime.now(UTC) if now is None else now
    before = _size(folder)
    with _opened(folder, lock_timeout) as (library, writer, words):
        everything = library.generations(limit=1_000_000)
        floor = _oldest_kept([(g.number, g.created_at, g.active) for g in everything], keep_last, keep_days, now, grace)
        passages = len(library.kept_ids())
        with writer.transaction() as db:
            dropped = db.execute("DELETE FROM generations WHERE number < ?", (floor,)).rowcount
            # A life that ended by then is live in none that is left.
            db.execute("DELETE FROM lives WHERE removed <= ?", (floor,))
        writer.drop_dead()
        with writer.transaction() as db:
            drop_unused_vectors(db)
            drop_unused_quantisers(db)
        if writer.dropped():
            keep_indexes(library, words)
            writer.forget_dropped()
        with closing(library.truth.write()) as db:
            db.give_back()
        empty_log(library)
        passages -= len(library.kept_ids())
    return Compacted(dropped, passages, before, _size(folder))


def _oldest_kept(
    generations: Collection[tuple[int, str, bool]], keep_last: int, keep_days: float | None, now: datetime,
    grace: timedelta,
) -> int:  # fmt: skip
    """Return the number of the oldest generation to keep, out of (number, created at, active), newest first."""
    active = [(number, datetime.fromisoformat(at)) for number, at, is_active in generations if is_active]
    if not active:
        return 0
    kept = [number for number, _ in active[:keep_last]]
    since = now - max(grace, timedelta(days=keep_days) if keep_days is not None else grace)
    # It was the newest until the one after it came, which was before those after that: also where a clock was ahead.
    ended = now
    for (number, _), (_, came) in zip(active[1:], active[:-1], strict=True):
        ended = min(ended, came)
        if ended > since:
            kept.append(number)
    return min(kept)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

"""Reading the library: documents, revisions, passages, vectors and generations. The truth.

Any number of threads and processes read while one writes (`index/writer.py`); a reader names the generation it reads,
so it never sees half of a sync.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import schema
from index.catalogue import Entry
from index.connections import Connections
from index.database import Database
from index.errors import (
    GenerationPurged,
    LibraryDamaged,
    LibraryNotFound,
    UnknownDocument,
    UnknownGeneration,
    UnknownRevision,
)
from index.truth import truth_of
from index.types import (
    Diff,
    Document,
    Filter,
    Generation,
    Kind,
    Passage,
    PastRevision,
    Quantiser,
    Revision,
    Sentence,
    Span,
)

_DOCUMENT = """v.document_id, v.uri, r.id, v.title, v.author, v.publisher, v.published_at, v.language, v.tags,
               r.characters, v.passages, l.added, v.pages, v.copy_group"""
_DOCUMENTS = "lives l JOIN versions v ON v.id = l.version JOIN revisions r ON r.number = v.revision"
_LIVE = "l.added <= :g AND l.removed > :g"
_GENERATION = "number, created_at, documents, passages, summary, active, purged"
# How many ids one statement names: well under SQLite's limit on parameters.
_BATCH = 500
_KINDS = {kind.value: kind for kind in Kind}


class Library:
    """An open library folder, for reading from any thread.

    :raises LibraryNotFound: if there is none in `folder`.
    :raises LibraryDamaged: if it cannot be read.
    :raises LibraryFormat: if another version of Citespan wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = truth_of(folder)
        if not self.truth.exists():
            raise LibraryNotFound(f"{folder}: no library there; make one with `citespan --library {folder} sync PATH`")
        self._connections = Connections(self._opened)
        self._file = self.truth.which()
        self._seen: tuple[int, ...] | None = None
        try:
            with self.truth.told():
                schema.check_format(self.truth.name, self.meta)
        except BaseException:
            self.close()
            raise

    @property
    def meta(self) -> Mapping[str, str]:
        """The settings the library is kept with, as they are now: another process may have changed the embedder."""
        return dict(iter(self.connection().execute("SELECT key, value FROM meta")))

    def expect_in_place(self) -> None:
        """Raise LibraryDamaged if its file is no longer the one that was opened: removed, or replaced by another."""
        if self.truth.which() != self._file:
            raise LibraryDamaged(
                f"{self.truth.name}: removed or replaced while it was open; "
                "put it back, or restore a backup, and restart"
            )

    def look(self) -> None:
        """Raise a CitespanError, or what the database raises, if it cannot be read."""
        # Before it is read: what is written meanwhile is another's.
        stamp, self._seen = self.truth.stamp(), None
        self.expect_in_place()
        self.generation()
        self._seen = stamp

    def is_as_seen(self) -> bool:
        """Return whether nothing was written to it since the last `look`, which found it well; it is not read for this.

        False where only a look would tell.
        """
        seen = self._seen
        return seen is not None and self.truth.stamp() == seen

    def close(self) -> None:
        """Close the connections of all threads."""
        self._connections.close()

    def connection(self) -> Database:
        """Return the connection of this thread, which cannot write."""
        return self._connections.of_thread()

    def _opened(self) -> Database:
        connection = self.truth.read()
        try:
            # Else one thread would read one library, and another one another.
            self.expect_in_place()
        except BaseException:
            connection.close()
            raise
        return connection

    # ---- generations --------------------------------------------------------------------------------------------

    def generation(self) -> Generation:
        """Return the newest active generation; number 0, dated "", if nothing was ever synced."""
        found = self._generations("WHERE active = 1 ORDER BY number DESC LIMIT 1")
        return found[0] if found else Generation(0, "", 0, 0, {})

    def generations(self, limit: int = 100) -> list[Generation]:
        """Return the newest generations, newest first, with those kept aside."""
        return self._generations("ORDER BY number DESC LIMIT :limit", limit=limit)

    def generation_numbered(self, number: int) -> Generation:
        """Return a generation that questions can be put to as it was.

        :raises UnknownGeneration: if there is none of that number.
        :raises GenerationPurged: if a document of it was purged since.
        """
        found = self._generations("WHERE number = :n", n=number)
        if not found:
            raise UnknownGeneration(
                f"no generation {number} in this library, or retention has dropped it; see `citespan generations`"
            )
        if found[0].purged:
            raise GenerationPurged(
                f"generation {number} is not what it was: {found[0].purged} of its documents were purged"
            )
        return found[0]

    def generation_at(self, moment: str) -> Generation:
        """Return the generation that was active at a moment, an ISO 8601 date-time in UTC.

        :raises UnknownGeneration: if the library is younger, or retention has dropped it.
        :raises GenerationPurged: if a document of it was purged since.
        """
        found = self._generations("WHERE active = 1 AND created_at <= :at ORDER BY number DESC LIMIT 1", at=moment)
        if not found:
            raise UnknownGeneration(
                f"no generation as old as {moment} in this library; `citespan generations` lists them"
            )
        return self.generation_numbered(found[0].number)

    def _generations(self, rest: str, **parameters: int | str) -> list[Generation]:
        rows = self.connection().execute(f"SELECT {_GENERATION} FROM generations {rest}", parameters)
        return [
            Generation(n, at, documents, passages, json.loads(summary), bool(active), purged)
            for n, at, documents, passages, summary, active, purged in rows
        ]

    def counts(self, generation: int) -> tuple[int, int]:
        """Return how many documents and passages are live in a generation."""
        row = (
            self.connection()
            .execute(
                "SELECT count(*), CAST(coalesce(sum(v.passages), 0) AS BIGINT) FROM lives l "
                f"JOIN versions v ON v.id = l.version WHERE {_LIVE}",
                {"g": generation},
            )
            .fetchone()
        )
        return int(row[0]), int(row[1])

    def diff(self, before: int, after: int) -> Diff:
        """Return what became of the documents from one generation to another, whichever is the newer.

        :raises UnknownGeneration: if there is no such generation.
        """
        for number in (before, after):
            if number != 0 and not self._generations("WHERE number = :n", n=number):
                self.generation_numbered(number)
        old = {document.id: document for document in self._only_in(before, after)}
        new = {document.id: document for document in self._only_in(after, before)}
        return Diff(
            added=tuple(new[i] for i in sorted(new.keys() - old.keys())),
            removed=tuple(old[i] for i in sorted(old.keys() - new.keys())),
            changed=tuple(new[i] for i in sorted(new.keys() & old.keys())),
        )

    def _only_in(self, generation: int, other: int) -> list[Document]:
        """Return the versions live in a generation and not in the other, as documents."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT} FROM {_DOCUMENTS} WHERE {_LIVE} AND (l.added > :o OR l.removed <= :o) AND NOT EXISTS "
            "(SELECT 1 FROM lives m WHERE m.version = l.version AND m.added <= :o AND m.removed > :o)",
            {"g": generation, "o": other},
        )
        return [_document(row) for row in rows]

    def purged_since(self, generation: int) -> frozenset[str]:
        """Return the ids of the documents purged by a generation later than `generation`."""
        rows = self.connection().execute(
            "SELECT DISTINCT document_id FROM purged_revisions WHERE generation > ?", (generation,)
        )
        return frozenset(row[0] for row in rows)

    def purges(self) -> str:
        """Return what becomes another with every purge: another document gone, or one in a later generation."""
        count, generations = (
            self.connection()
            .execute("SELECT count(*), CAST(coalesce(sum(generation), 0) AS BIGINT) FROM purged_revisions")
            .fetchone()
        )
        return f"{count} {generations}"

    # ---- documents ----------------------------------------------------------------------------------------------

    def documents(self, generation: int, *, after: str = "", limit: int = 100) -> list[Document]:
        """Return live documents in the order of their ids, from the first id greater than `after`."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT} FROM {_DOCUMENTS} "
            f"WHERE {_LIVE} AND v.document_id > :after ORDER BY v.document_id LIMIT :limit",
            {"g": generation, "after": after, "limit": limit},
        )
        return [_document(row) for row in rows]

    def entries(self, generation: int) -> Iterator[Entry]:
        """Yield every live document as far as a catalogue needs it, in no order."""
        rows = self.connection().execute(
            "SELECT v.document_id, v.title, v.publisher, v.author, v.uri, v.published_at, l.added, v.passages, "
            f"v.copy_group FROM lives l JOIN versions v ON v.id = l.version WHERE {_LIVE}",
            {"g": generation},
        )
        yield from map(Entry._make, rows)

    def documents_named(self, generation: int, ids: Sequence[str]) -> list[Document]:
        """Return those of the documents `ids` that are live, in that order."""
        found: dict[str, Document] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            rows = self.connection().execute(
                f"SELECT {_DOCUMENT} FROM versions v CROSS JOIN lives l ON l.version = v.id "
                f"JOIN revisions r ON r.number = v.revision "
                f"WHERE {_LIVE.replace(':g', '?')} AND v.document_id IN ({','.join('?' * len(batch))})",
                (generation, generation, *batch),
            )
            found |= {row[0]: _document(row) for row in rows}
        return [found[name] for name in ids if name in found]

    def revisions(self, generation: int, document_id: str, *, limit: int) -> list[PastRevision]:
        """Return what a document has been up to a generation, newest first.

        :raises UnknownDocument: if it was never there, or is purged.
        """
        rows = self.connection().execute(
            "SELECT r.id, v.title, v.published_at, r.characters, v.passages, v.tags, l.added, l.removed, a.created_at, "
            "b.created_at FROM versions v CROSS JOIN lives l ON l.version = v.id "
            "JOIN revisions r ON r.number = v.revision LEFT JOIN generations a ON a.number = l.added "
            "LEFT JOIN generations b ON b.number = l.removed "
            "WHERE v.document_id = :id AND l.added <= :g ORDER BY l.added DESC LIMIT :limit",
            {"id": document_id, "g": generation, "limit": limit},
        )
        found = [
            PastRevision(
                revision, title, published, characters, passages, added, added_at,
                removed if removed <= generation else None, removed_at if removed <= generation else None,
                tuple(json.loads(tags)),
            )
            for revision, title, published, characters, passages, tags, added, removed, added_at, removed_at in rows
        ]  # fmt: skip
        if not found:
            raise no_document(document_id)
        return found

    def lives(self, generation: int) -> Iterator[tuple[str, int, int, int, str]]:
        """Yield each life that began by a generation, the oldest first, with what it takes to say who may see it.

        Of each: the document's id, from which generation it counts, before which one, its passages, and its tags in
        JSON.
        """
        yield from self.connection().execute(
            "SELECT v.document_id, l.added, l.removed, v.passages, v.tags FROM lives l "
            "JOIN versions v ON v.id = l.version WHERE l.added <= ? ORDER BY l.added",
            (generation,),
        )

    def document(self, generation: int, document_id: str) -> Document:
        """Return a live document.

        :raises UnknownDocument: if it is not live in that generation.
        """
        row = (
            self.connection()
            .execute(
                f"SELECT {_DOCUMENT} FROM versions v CROSS JOIN lives l ON l.version = v.id "
                f"JOIN revisions r ON r.number = v.revision WHERE {_LIVE} AND v.document_id = :id",
                {"g": generation, "id": document_id},
            )
            .fetchone()
        )
        if row is None:
            raise no_document(document_id, generation)
        return _document(row)

    def copies(self, generation: int, group: str) -> list[Document]:
        """Return the live documents of a group of copies, in the order of their ids."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT} FROM {_DOCUMENTS} WHERE {_LIVE} AND v.copy_group = :group ORDER BY v.document_id",
            {"g": generation, "group": group},
        )
        return [_document(row) for row in rows]

    def revision(self, revision_id: str, *, document_id: str, generation: int) -> Revision:
        """Return a revision that the document has, or had in an earlier generation.

        :raises UnknownRevision: if it never had that revision by `generation`, or it was purged or dropped.
        """
        row = (
            self.connection()
            .execute(
                "SELECT r.text FROM revisions r WHERE r.id = :r AND EXISTS (SELECT 1 FROM versions v "
                "JOIN lives l ON l.version = v.id "
                "WHERE v.revision = r.number AND v.document_id = :d AND l.added <= :g)",
                {"r": revision_id, "d": document_id, "g": generation},
            )
            .fetchone()
        )
        if row is None:
            raise no_revision(document_id, revision_id)
        return Revision(revision_id, row[0].decode())

    def was_purged(self, document_id: str, revision_id: str) -> bool:
        """Return whether that revision of the document was purged."""
        found = self.connection().execute(
            "SELECT 1 FROM purged_revisions WHERE document_id = ? AND revision = ?", (document_id, revision_id)
        )
        return found.fetchone() is not None

    # ---- passages -----------------------------------------------------------------------------------------------

    def passages(self, generation: int, ids: Sequence[int]) -> dict[int, Passage]:
        """Return those of the passages `ids` that are live in `generation`, by id."""
        found: dict[int, Passage] = {}
        documents: dict[int, Document] = {}
        for batch in _batches(ids):
            rows, texts = self._with_texts(
                f"SELECT p.id, p.start, p.end, p.sentences, v.revision, p.byte_start, p.byte_end, v.id, {_DOCUMENT} "
                "FROM passages p CROSS JOIN lives l ON l.version = p.version_id JOIN versions v ON v.id = l.version "
                "JOIN revisions r ON r.number = v.revision "
                f"WHERE {_LIVE} AND p.id IN ({','.join(str(int(i)) for i in batch)})",
                {"g": generation},
                4,
            )
            # All sentences in one go, and each document once: most of what is fetched is fetched for one question.
            sentences = json.loads(f"[{','.join(row[3] for row in rows)}]")
            for (number, start, end, _, _, _, _, version, *document), text, each in zip(
                rows, texts, sentences, strict=True
            ):
                if version not in documents:
                    documents[version] = _document(document)
                parts = tuple(Sentence(Span(s, e), _KINDS[kind]) for s, e, kind in each)
                found[number] = Passage(number, documents[version], Span(start, end), parts, text)
        return found

    def _with_texts(self, statement: str, values: Mapping[str, int], column: int) -> tuple[list[Any], list[str]]:
        """Return rows and the part of a text that each names from a column on: revision, first byte, end."""
        connection = self.connection()

        def read() -> tuple[list[Any], list[str]]:
            # In the order of their ids, which only SQLite has without being asked.
            rows = sorted(connection.execute(statement, values).fetchall(), key=itemgetter(0))
            return rows, connection.slices([row[column : column + 3] for row in rows])

        return connection.at_one_moment(read)

    def live_ids(self, generation: int) -> list[int]:
        """Return the ids of all live passages, ascending."""
        return self._ids(_LIVE, {"g": generation})

    def admitted_ids(self, generation: int, where: Filter) -> list[int]:
        """Return the ids of the live passages of the documents that `where` admits, ascending."""
        conditions, values = [_LIVE], {"g": generation, "from": where.published_from, "to": where.published_to}
        if where.published_from is not None:
            conditions.append("substr(v.published_at, 1, 10) >= substr(:from, 1, 10) AND v.published_at != ''")
        if where.published_to is not None:
            conditions.append("substr(v.published_at, 1, 10) <= substr(:to, 1, 10) AND v.published_at != ''")
        if where.document_ids is not None:
            conditions.append("v.document_id IN (SELECT value FROM json_each(:ids))")
        if where.tags is not None:
            wanted = "SELECT value FROM json_each(:tags)"
            conditions.append(f"EXISTS (SELECT 1 FROM json_each(v.tags) WHERE value IN ({wanted}))")
        if where.language is not None:
            # What stands before the first hyphen.
            spoken = "coalesce(v.language, '') || '-'"
            conditions.append(f"substr({spoken}, 1, instr({spoken}, '-') - 1) = :language")
        rows = self.connection().execute(
            "SELECT p.id FROM lives l JOIN versions v ON v.id = l.version JOIN passages p ON p.version_id = v.id "
            f"WHERE {' AND '.join(conditions)} ORDER BY p.id",
            {
                **values,
                "ids": json.dumps(sorted(where.document_ids or ())),
                "tags": json.dumps(sorted(where.tags or ())),
                "language": "" if where.language is None else where.language.split("-")[0],
            },
        )
        return [row[0] for row in rows]

    def coming_ids(self, generation: int, ending: Collection[str]) -> list[int]:
        """Return the passages of a generation that is staged and not committed, ascending.

        `ending` are the documents whose present version it ends.
        """
        rows = self.connection().execute(
            "SELECT p.id, v.document_id, l.added FROM lives l JOIN versions v ON v.id = l.version "
            f"JOIN passages p ON p.version_id = v.id WHERE l.removed = {schema.FOREVER} ORDER BY p.id"
        )
        return [number for number, document, added in rows if added == generation or document not in ending]

    def kept_ids(self) -> list[int]:
        """Return the ids of the passages of every generation that is kept, ascending."""
        rows = self.connection().execute(
            "SELECT p.id FROM passages p WHERE EXISTS (SELECT 1 FROM lives l WHERE l.version = p.version_id "
            "AND l.added <= (SELECT coalesce(max(number), 0) FROM generations)) ORDER BY p.id"
        )
        return [row[0] for row in rows]

    def passage_ids(self) -> list[int]:
        """Return the ids of all passages, those of a generation that is staged too, ascending."""
        return [row[0] for row in self.connection().execute("SELECT id FROM passages ORDER BY id")]

    def ids_changed(self, since: int, until: int, after: int, limit: int) -> list[int]:
        """Return the kept passages that came or went with a generation later than `since`, up to `until`, ascending.

        Up to `limit` of them, from the first one with an id greater than `after`.
        """
        rows = self.connection().execute(
            "SELECT p.id FROM passages p WHERE p.id > :after AND EXISTS (SELECT 1 FROM lives l "
            "WHERE l.version = p.version_id AND l.added <= :until "
            "AND (l.added > :since OR (l.removed > :since AND l.removed <= :until))) ORDER BY p.id LIMIT :limit",
            {"since": since, "until": until, "after": after, "limit": limit},
        )
        return [row[0] for row in rows]

    def placed(
        self, ids: Sequence[int], until: int
    ) -> Iterator[tuple[int, str, str | None, str | None, str, int, int]]:
        """Yield each life, up to a generation, of kept passages, in order.

        Of each: the passage, its document's id, publication date, language and tags in JSON, from which generation on
        the passage counts, and before which one.
        """
        for batch in _batches(ids):
            yield from self.connection().execute(
                "SELECT p.id, v.document_id, v.published_at, v.language, v.tags, l.added, l.removed FROM passages p "
                "JOIN versions v ON v.id = p.version_id JOIN lives l ON l.version = v.id "
                f"WHERE l.added <= ? AND p.id IN ({','.join(str(int(i)) for i in batch)}) ORDER BY p.id, l.added",
                (until,),
            )

    def newest_kept(self) -> int:
        """Return the greatest id of a passage of any generation that is kept, 0 if there is none."""
        row = (
            self.connection()
            .execute(
                "SELECT p.id FROM passages p WHERE EXISTS (SELECT 1 FROM lives l WHERE l.version = p.version_id "
                "AND l.added <= (SELECT coalesce(max(number), 0) FROM generations)) ORDER BY p.id DESC LIMIT 1"
            )
            .fetchone()
        )
        return 0 if row is None else int(row[0])

    def _ids(self, condition: str, parameters: Mapping[str, int]) -> list[int]:
        rows = self.connection().execute(
            f"SELECT p.id FROM lives l JOIN passages p ON p.version_id = l.version WHERE {condition} ORDER BY p.id",
            parameters,
        )
        return [row[0] for row in rows]

    def vectors(self, ids: Iterable[int]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield the vectors of passages, in batches: ids and a float32 array (ids, dimensions).

        :raises LibraryDamaged: if a passage has no vector.
        """
        for batch, vectors in self.stored_vectors(ids):
            yield batch, vectors.astype(np.float32)

    def stored_vectors(self, ids: Iterable[int]) -> Iterator[tuple[list[int], NDArray[np.float16]]]:
        """Yield the same in the precision in which they are stored."""
        for batch in _batches(list(ids)):
            yield list(batch), stored_vectors(self.connection(), batch)

    def quantiser(self, generation: int) -> Quantiser | None:
        """Return what the vectors of a generation are split into lists by; None if all are compared."""
        connection = self.connection()
        if not connection.has("quantisers"):
            return None
        row = connection.execute(
            "SELECT number, newest, sha256 FROM quantisers "
            "WHERE since <= :g AND until > :g ORDER BY number DESC LIMIT 1",
            {"g": generation},
        ).fetchone()
        return None if row is None else Quantiser(*row)

    def quantisers(self) -> list[Quantiser]:
        """Return all quantisers of generations that are kept, or staged, the oldest first."""
        connection = self.connection()
        if not connection.has("quantisers"):
            return []
        rows = connection.execute("SELECT number, newest, sha256 FROM quantisers ORDER BY number")
        return [Quantiser(*row) for row in rows]

    def centroids(self, quantiser: Quantiser) -> NDArray[np.float32]:
        """Return the middles of a quantiser's lists, of unit length: float32 (lists, dimensions).

        :raises LibraryDamaged: if they are not those that were learned.
        """
        row = (
            self.connection()
            .execute("SELECT centroids FROM quantisers WHERE number = ?", (quantiser.number,))
            .fetchone()
        )
        if row is None or hashlib.sha256(row[0]).hexdigest() != quantiser.sha256:
            raise LibraryDamaged(f"{self.truth.name}: quantiser {quantiser.number} has another hash; restore a backup")
        return np.frombuffer(row[0], dtype=np.float32).reshape(-1, int(self.meta["dimensions"]))

    def words(self, ids: Iterable[int]) -> Iterator[tuple[int, str, str]]:
        """Yield (id, title, text) of passages, live or not, as the word index takes them."""
        for batch in _batches(list(ids)):
            rows, texts = self._with_texts(
                "SELECT p.id, v.title, v.revision, p.byte_start, p.byte_end FROM passages p "
                "JOIN versions v ON v.id = p.version_id "
                f"WHERE p.id IN ({','.join(str(int(i)) for i in batch)})",
                {},
                2,
            )
            for (number, title, *_), text in zip(rows, texts, strict=True):
                yield number, title, text


def no_document(document_id: str, generation: int | None = None) -> UnknownDocument:
    """Return the error that there is no such document, in a generation or ever."""
    where = "this library" if generation is None else f"generation {generation}"
    return UnknownDocument(f"no document {document_id!r} in {where}; `citespan documents` lists them")


def no_revision(document_id: str, revision_id: str) -> UnknownRevision:
    """Return the error that a document has, and had, no such revision."""
    return UnknownRevision(f"document {document_id!r} has no revision {revision_id!r} in this library")


def stored_vectors(connection: Database, ids: Sequence[int]) -> NDArray[np.float16]:
    """Return the vectors of passages as they are stored, float16 (ids, dimensions).

    :raises LibraryDamaged: if a passage has no vector.
    """
    found = connection.execute(
        "SELECT p.id, x.vector FROM passages p JOIN vectors x ON x.key = p.vector_key "
        f"WHERE p.id IN ({','.join(str(int(i)) for i in ids)})"
    )
    rows = dict(iter(found))
    if len(rows) != len(ids):
        raise LibraryDamaged(f"{len(ids) - len(rows)} passages have no vector; sync the documents anew")
    return np.frombuffer(b"".join(rows[i] for i in ids), dtype=np.float16).reshape(len(ids), -1)


def _document(row: Sequence[Any]) -> Document:
    (identity, uri, revision, title, author, publisher, published_at, language, tags, characters, passages, added,
     pages, group) = row  # fmt: skip
    return Document(
        identity, uri, revision, title, author, publisher, published_at, language, tuple(json.loads(tags)),
        characters, passages, added, tuple(json.loads(pages)), group,
    )  # fmt: skip


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]

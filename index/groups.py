"""Storing texts: each once, and in the group of the texts that it is a copy of."""

from __future__ import annotations

import hashlib

from index import copies
from index.database import Database
from index.schema import FOREVER
from index.types import Revision

# How many texts that share a band are compared with a new one: enough for any report, and a bound for boilerplate.
_COMPARED = 50


def store_revision(db: Database, document_id: str, revision: Revision) -> tuple[int, str]:
    """Return the number of a revision, stored if it is new, and the group of copies that this document is in with it.

    A group is named by the text that came first: a document edited away from its copies leaves the name to them.
    """
    mark = copies.signature(revision.text)
    bands = copies.bands(mark)
    # "To be announced." in two places says nothing about where either came from.
    founder = revision.id if bands else f"{document_id} {revision.id}"
    own = f"copies_{hashlib.sha256(founder.encode()).hexdigest()[:16]}"
    group = _group(db, document_id, mark, own)
    row = db.execute("SELECT number FROM revisions WHERE id = ?", (revision.id,)).fetchone()
    if row is not None:
        return row[0], group
    (number,) = db.insert(
        "INSERT INTO revisions (id, text, characters, signature) VALUES (?, ?, ?, ?)",
        [(revision.id, revision.text.encode(), len(revision.text), mark)],
        "number",
    )
    db.executemany("INSERT INTO bands VALUES (?, ?) ON CONFLICT DO NOTHING", [(band, number) for band in bands])
    return number, group


def _group(db: Database, document_id: str, mark: bytes, own: str) -> str:
    """Return the group of the live document most like a text with that signature, else `own`."""
    rows = db.each(
        # CROSS: SQLite keeps this order. Left to itself it begins with all that is live, for every band.
        "SELECT v.id, r.signature, v.copy_group FROM bands b CROSS JOIN revisions r ON r.number = b.revision "
        "CROSS JOIN versions v ON v.revision = r.number CROSS JOIN lives l ON l.version = v.id "
        f"WHERE b.band = ? AND l.removed = {FOREVER} AND v.document_id != ? LIMIT {_COMPARED}",
        [(band, document_id) for band in copies.bands(mark)],
    )
    found = {version: (signature, group) for version, signature, group in rows}
    alike = [
        (-copies.likeness(mark, signature), version, group)
        for version, (signature, group) in found.items()
        if copies.is_current(signature) and copies.is_copy(mark, signature)
    ]
    return min(alike)[2] if alike else own

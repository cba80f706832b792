"""The keys of a library: who may use its server, for what, and which documents they see.

They are in a file of their own beside the library, which only its owner may read. A key is `citespan_`, its public
id, `_`, its secret; the file holds the SHA-256 of the secret. A secret has 256 random bits, so nothing slower is
needed: what cannot be guessed cannot be guessed from its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
import threading
import time
import unicodedata
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from api.access import Caller, Role
from index.errors import CitespanError

FILE_NAME = "keys.sqlite"
_TOKEN = re.compile(r"citespan_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?")
_LONGEST_TAG = 100
_MOST_TAGS = 50
_DAY_SECONDS = 24 * 3600.0
_FORMAT = 1
_COLUMNS = "id, name, role, tags, created, expires, revoked"
_DDL = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, tags TEXT NOT NULL, hash BLOB NOT NULL,
    created REAL NOT NULL, expires REAL, revoked REAL, former BLOB, former_until REAL
)
"""

State = Literal["active", "expired", "revoked"]


class KeyNotMade(CitespanError):
    """A key like that cannot be."""

    code = "invalid-key"


class UnknownKey(CitespanError):
    """There is no such key."""

    code = "unknown-key"


class KeysUnreadable(CitespanError):
    """The file of the keys cannot be read, so nobody is let in."""

    code = "keys-unreadable"


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; times are seconds since 1970. No `tags`: it sees every document."""

    id: str
    name: str
    role: Role
    tags: frozenset[str]
    created: float
    expires: float | None
    revoked: float | None

    def state(self, now: float) -> State:
        """Return whether it lets anybody in at a time."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def caller(self) -> Caller:
        """Return who calls with it."""
        return Caller(self.id, self.role, self.tags if self.tags else None)


class Keys:
    """The keys of one library, from any thread and process. The file is made with the first key.

    :raises KeysUnreadable: from every method, if there is a file that cannot be read.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / FILE_NAME
        self._clock = clock
        self._lock = threading.Lock()
        self._reading: tuple[tuple[int, int], sqlite3.Connection] | None = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._reading is not None:
                self._reading[1].close()
                self._reading = None

    @property
    def any_yet(self) -> bool:
        """Whether there was ever a key. From the first on none goes without, also when all are revoked."""
        return self._path.exists()

    def create(self, name: str, role: Role, tags: Collection[str] = (), days: float | None = None) -> tuple[Key, str]:
        """Return a new key, and what to show to be let in, which is kept nowhere.

        :raises KeyNotMade: if there is an active key of that name, or name, tags or days cannot be.
        """
        kept = frozenset(_checked_tag(tag) for tag in tags)
        if _NAME.fullmatch(name) is None:
            raise KeyNotMade(f"a name has 1 to 100 characters on one line, and no space around it: {name[:100]!r}")
        if kept and role is Role.MAINTAINER:
            raise KeyNotMade("a maintainer sees every document: leave the tags out, or take another role")
        if len(kept) > _MOST_TAGS:
            raise KeyNotMade(f"{len(kept)} tags, {_MOST_TAGS} are allowed; tag the documents with one for the group")
        if days is not None and not 0 < days <= 36_500:
            raise KeyNotMade(f"a key lasts more than 0 and up to 36,500 days, not {days:g}")
        now = self._clock()
        if any(key.name == name and key.state(now) == "active" for key in self.all()):
            raise KeyNotMade(f"there is an active key {name!r}; revoke or rotate it, or take another name")
        expires = None if days is None else now + days * _DAY_SECONDS
        key = Key(secrets.token_hex(6), name, role, kept, now, expires, None)
        secret = secrets.token_urlsafe(32)
        self._write(
            "INSERT INTO keys (id, name, role, tags, hash, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
            key.id, name, role.value, json.dumps(sorted(kept)), _hash(secret), now, expires,
        )  # fmt: skip
        return key, f"citespan_{key.id}_{secret}"

    def all(self) -> list[Key]:
        """Return every key there was, the oldest first."""
        return [_key(row) for row in self._read(f"SELECT {_COLUMNS} FROM keys ORDER BY created, id")]

    def revoke(self, named: str) -> Key:
        """Let a key, named by id or name, in no more; return it as it is then.

        :raises UnknownKey: if there is none, or it is revoked already.
        """
        key = self._named(named)
        self._write("UPDATE keys SET revoked = ?, former = NULL WHERE id = ?", self._clock(), key.id)
        return next(one for one in self.all() if one.id == key.id)

    def rotate(self, named: str, overlap: float = 0.0) -> tuple[Key, str]:
        """Return a key, named by id or name, and its new secret. The former one still goes for `overlap` seconds.

        :raises UnknownKey: if there is none, or it is revoked.
        """
        key = self._named(named)
        secret = secrets.token_urlsafe(32)
        self._write(
            "UPDATE keys SET former = hash, former_until = ?, hash = ? WHERE id = ?",
            self._clock() + overlap, _hash(secret), key.id,
        )  # fmt: skip
        return key, f"citespan_{key.id}_{secret}"

    def holder(self, shown: str) -> Key | None:
        """Return the key that was shown, None if it lets nobody in. How long that takes tells nothing of a secret."""
        parts = _TOKEN.fullmatch(shown)
        if parts is None:
            return None
        rows = self._read(f"SELECT {_COLUMNS}, hash, former, former_until FROM keys WHERE id = ?", parts[1])
        *known, right, former, until = rows[0] if rows else (None, bytes(32), None, None)
        now, digest = self._clock(), _hash(parts[2])
        fits = hmac.compare_digest(digest, right)
        if former is not None and until is not None and now < until:
            fits |= hmac.compare_digest(digest, former)
        if not fits or not rows:
            return None
        key = _key(known)
        return key if key.state(now) == "active" else None

    def _named(self, named: str) -> Key:
        live = [key for key in self.all() if key.revoked is None]
        # An id is nobody's name: the newest of a name is meant, for earlier ones have expired.
        found = [key for key in live if key.id == named] or [key for key in live if key.name == named][-1:]
        if not found:
            raise UnknownKey(f"there is no key {named[:100]!r} that is not revoked; `citespan keys list` lists them")
        return found[0]

    # ---- the file -------------------------------------------------------------------------------------------------

    def _read(self, statement: str, *parameters: str) -> list[Any]:
        try:
            with self._lock:
                database = self._opened()
                return [] if database is None else database.execute(statement, parameters).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise self._unreadable(error) from error

    def _opened(self) -> sqlite3.Connection | None:
        """Return the file as it is read; None while there is no key in it. One that is put in its place counts."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        here = (status.st_dev, status.st_ino)
        if self._reading is not None and self._reading[0] == here:
            return self._reading[1]
        opened = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0, check_same_thread=False
        )
        try:
            version = opened.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                raise sqlite3.DatabaseError(f"it has format {version}, this version of Citespan reads {_FORMAT}")
        except sqlite3.Error:
            opened.close()
            raise
        if version == 0:
            opened.close()
            return None
        if self._reading is not None:
            self._reading[1].close()
        self._reading = (here, opened)
        return opened

    def _write(self, statement: str, *parameters: str | float | bytes | None) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # It is never readable by others, not even while it is empty.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._path.chmod(0o600)
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=30.0)) as db:
                db.execute("PRAGMA secure_delete = ON")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                with db:
                    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                        db.execute(_DDL)
                        db.execute(f"PRAGMA user_version = {_FORMAT}")
                    db.execute(statement, parameters)
        except (sqlite3.Error, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> KeysUnreadable:
        return KeysUnreadable(
            f"{self._path}: cannot be read or written ({error}), so no key is accepted; mend it, or move it away and "
            "make new keys"
        )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checked_tag(tag: str) -> str:
    kept = unicodedata.normalize("NFC", tag).strip()
    if not kept or len(kept) > _LONGEST_TAG or not kept.isprintable():
        raise KeyNotMade(f"a tag has 1 to {_LONGEST_TAG} printable characters: {tag[:_LONGEST_TAG]!r}")
    return kept


def _key(row: Collection[Any]) -> Key:
    key_id, name, role, tags, created, expires, revoked = row
    return Key(key_id, name, Role(role), frozenset(json.loads(tags)), created, expires, revoked)

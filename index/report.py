"""What a sync is told, what it tells while it runs, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from index.passages import PassagePolicy
from index.quantising import Quantising
from index.store import PassageStore

Stage = Literal["scan", "read", "embed", "index", "check", "commit"]


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """How files become passages, and what a sync may take away.

    `encoding` is tried for text that is not UTF-8; `largest` is in bytes. `keep_missing` keeps the documents whose
    files are gone; `allow_vanish` lets more than half of the library vanish; `include_deleted` takes in again what was
    deleted by hand. `quantising` says when vectors are split into lists.
    """

    passages: PassagePolicy = field(default_factory=PassagePolicy)
    encoding: str | None = None
    largest: int = 32 * 1024 * 1024
    keep_missing: bool = False
    allow_vanish: bool = False
    include_deleted: bool = False
    quantising: Quantising = field(default_factory=Quantising)


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a sync is. Passages are counted when their vectors are stored."""

    stage: Stage
    files: int
    files_total: int
    passages: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be taken in; what the library held of it before, it still holds."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the new generation may answer, and why."""

    passed: bool
    detail: str


Checker = Callable[[PassageStore], Check]
"""Judges the coming generation, given as a store, before it is committed."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did; names are `uri`s.

    `generation` is the new one, None if nothing changed. One that did not pass its check is in `aside` instead: it was
    kept, but nothing answers from it. `kept_out` are documents that were deleted by hand and whose files are still
    there. A dry run tells what would be done.
    """

    generation: int | None
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    skipped: int
    failed: tuple[Failure, ...]
    ignored: tuple[str, ...]
    embedded: int
    seconds: float
    kept_out: tuple[str, ...] = ()
    aside: int | None = None
    check: str | None = None
    dry_run: bool = False

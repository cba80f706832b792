"""What a document is called: its id, its title, and what of it is embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import PurePosixPath

from index.types import Metadata


def overridden(own: Metadata, given: Metadata) -> Metadata:
    """Return `own` with what `given` says instead, where it says something."""
    return Metadata(
        title=own.title if given.title is None else given.title,
        author=own.author if given.author is None else given.author,
        publisher=own.publisher if given.publisher is None else given.publisher,
        published_at=own.published_at if given.published_at is None else given.published_at,
        language=own.language if given.language is None else given.language,
        url=own.url if given.url is None else given.url,
        tags=given.tags if given.tags else own.tags,
    )


def document_id(uri: str, attempt: int = 1) -> str:
    """Return the id of the document first seen at `uri`; `attempt` counts documents that claim the same one."""
    name = uri if attempt == 1 else f"{uri}\n{attempt}"
    return f"doc_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def free_id(uri: str, owned: Collection[str]) -> str:
    """Return the id of a document that is new at `uri`, where the ids `owned` are in use."""
    attempt = 1
    while (candidate := document_id(uri, attempt)) in owned:
        attempt += 1
    return candidate


def place_name(path: str, member: str) -> str:
    """Return the name of a document in a file."""
    return f"{path}#{member}" if member else path


def title_from(path: str, member: str = "") -> str:
    """Return what to call a document without a title: its file's name, and its name in there, in plain words."""
    words = " ".join(PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()) or path
    return f"{words}: {member}" if member else words


def embedding_text(title: str, passage: str) -> str:
    """Return what is embedded for a passage: the title is known to retrieval, and is in no quote."""
    return f"{title}\n{passage}"

"""Giving a reply its receipt, and giving the reply of a receipt again."""

from __future__ import annotations

import hashlib
import platform
import uuid
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from api.schemas import AskResponse
from index.errors import AnotherLibrary, CannotReplay, ModelsChanged, ReplayDiffers
from index.scope import AskedStore
from qa.receipt import Fingerprints, Receipt, pack, public
from qa.service import AnswerService
from qa.types import Question, Reply

_PACKAGES = ("index", "qa", "api")
# What computes vectors, scores and spans: other versions, or other kernels of theirs, may round otherwise.
_PARTS = ("torch", "onnxruntime", "tokenizers", "faiss-cpu", "tantivy")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A reply that came out the same again, and as it travels over HTTP."""

    reply: Reply
    response: AskResponse


def issued(response: AskResponse, question: Question, service: AnswerService, store: AskedStore) -> AskResponse:
    """Return `response`, made by `service` from the generation of `store`, with its receipt."""
    receipt = Receipt(
        generation=store.generation.number,
        created_at=store.generation.created_at,
        question=response.question,
        standalone=response.standalone_question,
        where=question.where,
        max_citations=question.max_citations,
        risk=question.risk,
        models=fingerprints(service, store),
        made_by=made_by(),
        digest=digest(response),
    )
    return response.model_copy(update={"receipt": pack(receipt)})


def replayed(receipt: Receipt, token: str, service: AnswerService, store: AskedStore) -> Replayed:
    """Return the reply that `receipt`, packed as `token`, was given for, from the generation that it names.

    What comes back has the same canonical bytes: whatever has others is an error.

    :raises ModelsChanged: if another embedder, reader or calibration is in use; nothing is asked then.
    :raises AnotherLibrary: if the generation is another library's, which does not reply the same.
    :raises ReplayDiffers: if another reply came out of the same generation and models.
    """
    changed = receipt.models.changed(fingerprints(service, store))
    if changed:
        raise ModelsChanged(f"this reply cannot be had again: {'; '.join(changed)}; replay it where those are in use")
    asked = service.ask(receipt.to_question(), store)
    response = AskResponse.from_reply(
        asked.reply, reply_id=f"replay_{uuid.uuid4().hex}", conversation_id="", timings_ms=asked.timings_ms
    )
    if digest(response) != receipt.digest:
        raise _reason(receipt, store)
    return Replayed(asked.reply, response.model_copy(update={"receipt": token}))


def _reason(receipt: Receipt, store: AskedStore) -> CannotReplay:
    """Return why another reply came out, as far as can be told."""
    generation = store.generation
    if generation.created_at != receipt.created_at:
        return AnotherLibrary(
            f"the receipt is of another library: its generation {receipt.generation} was made at "
            f"{receipt.created_at}, the one here at {generation.created_at}"
        )
    if receipt.made_by != made_by():
        return ReplayDiffers(
            f"the same generation and models gave another reply: it was made by {receipt.made_by}, this is {made_by()}"
        )
    return ReplayDiffers(
        "the same generation, models and code gave another reply: the receipt was altered or is of somebody who sees "
        "other documents, the processor computes otherwise, or this is a defect (`citespan verify` checks the library)"
    )


def digest(response: AskResponse) -> str:
    """Return the first half of the SHA-256 of the reply's canonical bytes, in hex."""
    return hashlib.sha256(response.canonical()).hexdigest()[:32]


def fingerprints(service: AnswerService, store: AskedStore) -> Fingerprints:
    """Return what decides the replies that `service` makes from the passages of `store`."""
    return Fingerprints(public(store.embedder.fingerprint), public(service.reader), service.configuration)


@lru_cache
def made_by() -> str:
    """Return in words which code makes replies here, on what: read once, at the first receipt."""
    parts = ", ".join(f"{part} {version(part)}" for part in _PARTS)
    return f"citespan {version('citespan')} ({_code()}) on {platform.machine()}, {parts}"


def _code() -> str:
    """Return a name for the source of the three packages: the first 12 hex digits of a SHA-256 over their modules.

    A version alone would not tell two states of an installation that is being worked on.
    """
    root = Path(__file__).parents[1]
    whole = hashlib.sha256()
    for package in _PACKAGES:
        for module in sorted((root / package).rglob("*.py")):
            whole.update(f"{module.relative_to(root).as_posix()}\0".encode())
            whole.update(hashlib.sha256(module.read_bytes()).digest())
    return whole.hexdigest()[:12]

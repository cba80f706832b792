"""What the routes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from api.schemas import AsOf, Problem
from api.wiring import Runtime
from index.errors import LibraryBusy
from index.store import GenerationStore


def _runtime(request: Request) -> Runtime:
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


Running = Annotated[Runtime, Depends(_runtime)]

PATIENCE_SECONDS = 10.0
"""How long a change waits for uploads that are being taken in."""


_Result = TypeVar("_Result")
_TRIES = 3


def asked(running: Runtime, as_of: AsOf, ask: Callable[[GenerationStore], _Result]) -> _Result:
    """Return what `ask` makes of the generation that a question is put to.

    A purge or retention may reach that generation meanwhile: what came of it is thrown away then, and asked again.

    :raises UnknownGeneration: if there is no such generation.
    :raises GenerationPurged: if a document of it was purged since.
    """
    for _ in range(_TRIES):
        store = store_of(running, as_of)
        try:
            result = ask(store)
        except Exception:
            if running.store.holds(store):
                raise
        else:
            if running.store.holds(store):
                return result
        running.store.refresh()
    raise LibraryBusy(f"{running.settings.library}: documents are purged faster than questions are answered")


def store_of(running: Runtime, as_of: AsOf) -> GenerationStore:
    """Return the generation that a question is put to: the newest, or the one it names by number or moment.

    :raises UnknownGeneration: if there is no such generation.
    :raises GenerationPurged: if a document of it was purged since.
    """
    if as_of is None:
        return running.store.current()
    if isinstance(as_of, str):
        as_of = running.store.library.generation_at(as_of).number
    return running.store.at(as_of)


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors a route answers with."""
    return {code: {"model": Problem} for code in codes}

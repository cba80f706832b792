"""GET /healthz and /readyz."""

from __future__ import annotations

import logging

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from api.problems import RETRY_SECONDS, problem
from api.routes.common import problems, visit_of
from api.schemas import Health
from api.visit import Reception
from index.errors import StoreError

router = APIRouter(tags=["health"])
_log = logging.getLogger(__name__)


@router.get("/healthz")
async def alive() -> Health:
    """Say that the process answers. Needs no worker, so it does so under load too."""
    return Health()


@router.get("/readyz", response_model=Health, responses=problems(503))
async def ready(request: Request) -> Health | Response:
    """Say that models are loaded and the library can be read, and to whoever may read it which generation answers."""
    reception, caller = request.app.state.reception, request.state.caller
    assert isinstance(reception, Reception)
    # Of a part of the documents it is read how many there are.
    sees_all = caller is None or caller.tags is None
    if sees_all and reception.glance():
        return _health(request)
    # Under load, to wait for a thread takes longer than all the rest.
    return await to_thread.run_sync(_looked, request, reception)


def _looked(request: Request, reception: Reception) -> Health | Response:
    try:
        reception.look()
    except StoreError as error:
        detail = "what searches the library does not answer; documents can be read and citations verified"
        return problem(503, "not-ready", detail, headers={"Retry-After": str(error.seconds)})
    except Exception:
        # Whatever it is: who shares out requests is to send them elsewhere meanwhile.
        _log.exception("not ready")
        detail = "the library cannot be read; the server's log says why"
        return problem(503, "not-ready", detail, headers={"Retry-After": RETRY_SECONDS})
    return _health(request)


def _health(request: Request) -> Health:
    if request.state.caller is None:
        return Health()
    generation = visit_of(request).store.current().generation
    return Health(generation=generation.number, documents=generation.documents)

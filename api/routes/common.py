"""What the routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from api.access import Caller
from api.schemas import Problem
from api.streams import Streams
from api.visit import Reception, Visit


def visit_of(request: Request) -> Visit:
    """Return what the sender of a request may use."""
    reception, caller = request.app.state.reception, request.state.caller
    assert isinstance(reception, Reception)
    assert isinstance(caller, Caller)
    return reception.visit(caller)


Running = Annotated[Visit, Depends(visit_of)]


def _streams(request: Request) -> Streams:
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    return streams


Streaming = Annotated[Streams, Depends(_streams)]

PATIENCE_SECONDS = 10.0
"""How long a change waits for uploads that are being taken in."""


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors a route answers with."""
    return {code: {"model": Problem} for code in codes}

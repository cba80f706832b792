"""What the routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from api.schemas import Problem
from api.streams import Streams
from api.wiring import Runtime


def _runtime(request: Request) -> Runtime:
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


Running = Annotated[Runtime, Depends(_runtime)]


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

"""What the routes share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from api.schemas import Problem
from api.wiring import Runtime


def _runtime(request: Request) -> Runtime:
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


Running = Annotated[Runtime, Depends(_runtime)]


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors a route answers with."""
    return {code: {"model": Problem} for code in codes}

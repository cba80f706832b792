"""The HTTP application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware

from api import problems
from api.audit import Audit
from api.guard import Guard
from api.limits import PER_MINUTE, RateLimit
from api.mcp import endpoint
from api.metrics import CONTENT_TYPE
from api.middleware import BodyLimit, Failures, HeadLimit, KnownHosts, OwnPages, SecurityHeaders
from api.openai_errors import OpenAIErrors
from api.request_log import RequestLog
from api.routes import ask, chat, conversations, documents, generations, health, jobs, replay, search
from api.server import is_loopback
from api.streams import Streams
from api.visit import Reception
from api.wiring import PurgeWatch, Refresher, Runtime, announcing, open_worker

_STATIC = Path(__file__).parent / "static"
# How many of the largest documents a request may hold.
_DOCUMENTS_WORTH = 4
# What the pages of the sites that are let in may send and read.
_METHODS = ("GET", "POST", "DELETE")
_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "MCP-Protocol-Version")
_TOLD = ("ETag", "Idempotency-Replayed", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID")
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def create_app(runtime: Runtime) -> FastAPI:
    """Return the application over an open runtime, which stays the caller's to close."""
    settings = runtime.settings
    reception = Reception(runtime)
    mcp = endpoint.Endpoint(settings.largest_request)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # A question that waits for its turn holds a thread; the other routes need theirs all the same.
        to_thread.current_default_thread_limiter().total_tokens += runtime.gate.places
        watch = PurgeWatch(runtime.store, runtime.conversations)
        with announcing(settings, runtime.store) as announce:

            def taken_up() -> None:
                watch.look()
                # So that whoever asks whether it is ready need not wait for a look.
                runtime.store.library.look()
                announce()

            refresher = Refresher(runtime.store, settings.refresh_seconds, taken_up, runtime.metrics.refresh_failed)
            with refresher, open_worker(runtime):
                async with mcp.serving():
                    yield
        reception.close()

    app = _Application(
        title="Citespan",
        version=version("citespan"),
        summary="Answers from your own documents, in their own words, with citations anyone can check.",
        lifespan=lifespan,
        # The interactive pages load scripts from elsewhere, which the content security policy forbids.
        docs_url=None,
        redoc_url=None,
        # A path with a slash too many is another path: a redirect would send the question twice.
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    app.state.reception = reception
    app.state.streams = Streams()
    problems.install(app)
    for module in (ask, chat, conversations, replay, search, documents, jobs, generations, health):
        app.include_router(module.router)
    app.router.routes.append(mcp.route())
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(runtime.metrics.text(runtime), media_type=CONTENT_TYPE)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", media_type="text/html; charset=utf-8")

    app.add_middleware(BodyLimit, largest=settings.largest_request, uploads=_DOCUMENTS_WORTH * settings.largest_upload)
    per_minute = PER_MINUTE if settings.requests_per_minute is None else settings.requests_per_minute
    app.add_middleware(
        Guard,
        reception=reception,
        audit=Audit(settings.library),
        limit=RateLimit(per_minute) if per_minute else None,
        always=settings.requests_per_minute is not None or not is_loopback(settings.host),
    )
    names = allowed_hosts(settings.host, settings.allowed_hosts)
    app.add_middleware(OwnPages, names=names, origins=settings.cors_origins)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=_METHODS, allow_headers=_SENT,
            expose_headers=_TOLD,
        )  # fmt: skip
    # A page elsewhere whose name is made to point here (DNS rebinding) must not read the user's documents.
    app.add_middleware(KnownHosts, names=names)
    app.add_middleware(HeadLimit)
    app.add_middleware(Failures)
    app.add_middleware(OpenAIErrors)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, told=runtime.metrics.handled)
    return app


class _Application(FastAPI):
    """FastAPI whose description of itself says what our errors look like."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = problems.described(super().openapi())
        return self.openapi_schema


def allowed_hosts(host: str, further: tuple[str, ...]) -> list[str]:
    """Return the names a request's Host header may carry. Listening on every address without naming any admits all."""
    if host in _EVERY_ADDRESS and not further:
        return ["*"]
    return ["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host, *further]

"""The HTTP application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from api import problems
from api.mcp import endpoint
from api.middleware import ApiKey, BodyLimit, Failures, KnownHosts, OwnPages, SecurityHeaders
from api.openai_errors import OpenAIErrors
from api.routes import ask, chat, conversations, documents, generations, health, jobs, replay, search
from api.streams import Streams
from api.wiring import PurgeWatch, Refresher, Runtime, announcing, open_worker

_STATIC = Path(__file__).parent / "static"
# How many of the largest documents a request may hold.
_DOCUMENTS_WORTH = 4
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def create_app(runtime: Runtime) -> FastAPI:
    """Return the application over an open runtime, which stays the caller's to close."""
    settings = runtime.settings
    mcp = endpoint.Endpoint(runtime)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # A question that waits for its turn holds a thread; the other routes need theirs all the same.
        to_thread.current_default_thread_limiter().total_tokens += runtime.gate.places
        watch = PurgeWatch(runtime.store, runtime.conversations)
        with announcing(settings, runtime.store) as announce:

            def taken_up() -> None:
                watch.look()
                announce()

            with Refresher(runtime.store, settings.refresh_seconds, taken_up), open_worker(runtime):
                async with mcp.serving():
                    yield

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
    app.state.streams = Streams()
    problems.install(app)
    for module in (ask, chat, conversations, replay, search, documents, jobs, generations, health):
        app.include_router(module.router)
    app.router.routes.append(mcp.route())
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", media_type="text/html; charset=utf-8")

    app.add_middleware(BodyLimit, largest=settings.largest_request, uploads=_DOCUMENTS_WORTH * settings.largest_upload)
    if settings.api_key is not None:
        app.add_middleware(ApiKey, key=settings.api_key.get_secret_value())
    names = allowed_hosts(settings.host, settings.allowed_hosts)
    app.add_middleware(OwnPages, names=names)
    # A page elsewhere whose name is made to point here (DNS rebinding) must not read the user's documents.
    app.add_middleware(KnownHosts, names=names)
    app.add_middleware(Failures)
    app.add_middleware(OpenAIErrors)
    app.add_middleware(SecurityHeaders)
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

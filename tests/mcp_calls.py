"""Clients of the Model Context Protocol within the process of the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from mcp import Client
from mcp.types import CallToolResult, TextContent

from api.mcp.server import build
from api.visit import owners
from api.wiring import Runtime
from tests.serving import READY_SECONDS

_Result = TypeVar("_Result")


def within(running: Runtime, action: Callable[[Client], Awaitable[_Result]]) -> _Result:
    """Return what `action` makes of a client that is connected within this process."""

    mine = owners(running)

    async def act() -> _Result:
        async with Client(build(lambda _: mine)) as client:
            with anyio.fail_after(READY_SECONDS):
                return await action(client)

    return anyio.run(act)


def called(running: Runtime, tool: str, **arguments: Any) -> CallToolResult:
    return within(running, lambda client: client.call_tool(tool, arguments))


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text

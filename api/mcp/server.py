"""The MCP server: the tools and resources of a running service, whatever a client is connected by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from mcp import MCPError, types
from mcp.server import Server, ServerRequestContext
from mcp.types import version as protocol

from api.console import printable
from api.mcp import resources
from api.mcp.failures import told
from api.mcp.places import LONGEST, Refused
from api.mcp.tools import INSTRUCTIONS, TOOLS, Wanted, listed
from api.visit import Visit
from index.errors import UnknownDocument, UnknownRevision

# Beside the questions that may wait, each of which holds a thread.
_SPARE_THREADS = 8
# What revisions of the protocol before the newest call a resource that is not there.
_NOT_FOUND = -32002
_NAME = 100
_Result = TypeVar("_Result")
Context = ServerRequestContext[dict[str, object]]
"""A message, and the request that it came by."""


def build(visit_of: Callable[[Context], Visit]) -> Server[dict[str, object]]:
    """Return the server; `visit_of` gives what the sender of a message may use."""
    handlers = _Handlers(visit_of)
    return Server(
        "citespan",
        title="Citespan",
        version=version("citespan"),
        description="Answers from your own documents, in their own words, with citations anyone can check.",
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        get_tool_input_schema=_input_schema,
    )


class _Handlers:
    """What is done for each kind of request. Whatever goes wrong in here is told to the log only."""

    def __init__(self, visit_of: Callable[[Context], Visit]) -> None:
        self._visit_of = visit_of
        self._threads: CapacityLimiter | None = None

    async def list_tools(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(listed()))

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            name = printable(params.name[:_NAME])
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {name!r}; there are {', '.join(TOOLS)}")
        arguments: Mapping[str, object] = {} if params.arguments is None else params.arguments
        try:
            shown = await self._work(context, lambda visit, wanted: tool.use(visit, arguments, wanted))
        except Exception as error:
            text = told(error, f"the tool {tool.name}")
            return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
        return types.CallToolResult(
            content=[types.TextContent(text=shown.text)],
            structured_content=shown.value.model_dump(mode="json", by_alias=True),
        )

    async def list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        cursor = None if params is None else params.cursor
        try:
            return await self._work(context, lambda visit, _: resources.page(visit.store.current(), cursor))
        except Exception as error:
            raise _protocol_error(error, "the list of resources") from error

    async def list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[resources.template()])

    async def read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            return await self._work(context, lambda visit, _: resources.read(visit.store.current(), params.uri))
        except (UnknownDocument, UnknownRevision) as error:
            modern = context.protocol_version in protocol.MODERN_PROTOCOL_VERSIONS
            code = types.INVALID_PARAMS if modern else _NOT_FOUND
            raise MCPError(code, told(error, "a resource"), {"uri": printable(params.uri[:LONGEST])}) from error
        except Exception as error:
            raise _protocol_error(error, "a resource") from error

    async def _work(self, context: Context, call: Callable[[Visit, Wanted], _Result]) -> _Result:
        """Return what `call` makes of the sender's visit, in a thread of its own.

        When the request is cancelled, it is not wanted any more.
        """
        visit = self._visit_of(context)
        if self._threads is None:
            self._threads = CapacityLimiter(visit.gate.places + _SPARE_THREADS)
        gone = threading.Event()
        try:
            return await to_thread.run_sync(
                call, visit, lambda: not gone.is_set(), abandon_on_cancel=True, limiter=self._threads
            )
        finally:
            gone.set()


def _protocol_error(error: Exception, what: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS if isinstance(error, Refused) else types.INTERNAL_ERROR, told(error, what))


def _input_schema(name: str) -> Mapping[str, object] | None:
    return next((tool.input_schema for tool in listed() if tool.name == name), None)

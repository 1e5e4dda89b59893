"""The MCP server: what a client may list, call, read and complete."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextResourceContents,
)

from telnyx_mcp import __version__
from telnyx_mcp.config.account_names import about_accounts
from telnyx_mcp.config.keys import KeyUnavailable
from telnyx_mcp.config.tool_groups import TOOL_GROUPS, ToolGroup
from telnyx_mcp.front.instructions import instructions
from telnyx_mcp.request_context import RequestContext
from telnyx_mcp.server import apps, resources
from telnyx_mcp.server.access import EVERYBODY, Access
from telnyx_mcp.server.completions import Completer
from telnyx_mcp.server.prompts import read_prompts
from telnyx_mcp.server.wire_arguments import read_wire_arguments
from telnyx_mcp.tools import FORMER, TOOLS
from telnyx_mcp.tools.framework.accounts import AccountRegistry
from telnyx_mcp.tools.framework.results import failed

Context = ServerRequestContext[None]

_logger = logging.getLogger(__name__)

_LISTS: tuple[CacheableMethod, ...] = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
)
CACHE_HINTS: Mapping[CacheableMethod, CacheHint] = {
    # The lists are the same for the life of the process; what is read is true when it is read.
    **{each: CacheHint(ttl_ms=300_000, scope="private") for each in _LISTS},
    "resources/read": CacheHint(ttl_ms=0, scope="private"),
}


class AccountServer(Server[None]):
    """The MCP server for one account, and for reading others."""

    def __init__(
        self,
        accounts: AccountRegistry,
        *,
        read_only: bool,
        groups: Sequence[ToolGroup] = TOOL_GROUPS,
        access: Access = EVERYBODY,
        state_security: RequestStateSecurity | None = None,
    ) -> None:
        self.accounts = accounts
        self._access = access
        self._tools = {
            each.name: each
            for each in TOOLS
            if each.group in groups and not (read_only and each.changes)
        }
        self._listed = {name: each.listed(accounts) for name, each in self._tools.items()}
        self._prompts = {
            each.name: each for each in read_prompts() if each.tools <= self._tools.keys()
        }
        self._completer = Completer(accounts.main)
        super().__init__(
            "telnyx-account-mcp",
            title="Telnyx account",
            instructions=instructions(groups, read_only=read_only) + about_accounts(accounts.names),
            version=__version__,
            lifespan=self._lifespan,
            cache_hints=CACHE_HINTS,
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_resource_templates,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_completion=self._complete,
        )
        self.middleware.append(read_wire_arguments)
        self.middleware.append(apps.declare_pages)
        # What a client of 2026-07-28 brings back with an answer was sealed by this process, or by
        # another one of the same service.
        security = state_security or RequestStateSecurity.ephemeral()
        self.middleware.append(RequestStateBoundary(security, default_audience=self.name))

    @asynccontextmanager
    async def _lifespan(self, _server: Server[None]) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.accounts.aclose()

    # --- tools -----------------------------------------------------------------------------------

    async def _list_tools(
        self, context: Context, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        tools = [self._listed[name] for name in self._visible()]
        return ListToolsResult(
            tools=list(map(apps.with_page, tools)) if apps.shows_pages(context) else tools
        )

    def _visible(self) -> Set[str]:
        """The names of the tools that the caller may use."""
        tools = self._tools.items()
        return dict.fromkeys(name for name, each in tools if not self._access.refusal(each)).keys()

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        return self._listed[name].input_schema if name in self._listed else None

    async def _call_tool(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        request = RequestContext(context, params)
        return await self._answer(params.name, params.arguments or {}, request)

    async def _answer(
        self, name: str, arguments: dict[str, Any], request: RequestContext
    ) -> CallToolResult | InputRequiredResult:
        """What the tool of this name answers. An unknown name is answered with the nearest real one,
        and a fault of ours is logged and answered as one."""
        if (tool := self._tools.get(name)) is None:
            return failed(_why_missing(name, self._tools.keys()))
        if refusal := self._access.refusal(tool):
            return failed(f"Nothing was done: {refusal}")
        try:
            return await tool.call(self.accounts, arguments, request)
        except MCPError:
            raise
        except Exception as error:
            _logger.exception("%s failed", name)
            state = " See telnyx_list_changes for what was changed." if tool.changes else ""
            return failed(
                f"{name} failed by a fault of this server ({type(error).__name__}), not of the "
                f"arguments. Calling again will not help.{state} Tell the user; the log of the "
                "server (stderr) has the details."
            )

    # --- resources -------------------------------------------------------------------------------

    async def _list_resources(
        self, context: Context, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        visible = self._visible()
        pages = apps.listed(visible) if apps.shows_pages(context) else []
        return ListResourcesResult(resources=[*resources.listed(visible), *pages])

    async def _list_resource_templates(
        self, _context: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        templates = resources.listed_templates(self._visible())
        return ListResourceTemplatesResult(resource_templates=templates)

    async def _read_resource(
        self, context: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult:
        """A resource as JSON, or a page. An address of nothing is answered with -32602."""
        if apps.shows_pages(context) and (page := apps.contents(params.uri, self._visible())):
            return ReadResourceResult(contents=[page])
        request = RequestContext(context, params)

        async def call_tool(name: str, arguments: dict[str, Any]) -> Any:
            return await self._answer(name, arguments, request)

        try:
            services = await self.accounts.main.services()
            text = await resources.read(params.uri, services, call_tool, self._visible())
        except resources.NotThere as error:
            raise MCPError(INVALID_PARAMS, str(error), {"uri": params.uri}) from None
        except (resources.Unreadable, KeyUnavailable) as error:
            raise MCPError(INTERNAL_ERROR, str(error), {"uri": params.uri}) from None
        contents = TextResourceContents(uri=params.uri, text=text, mime_type=resources.JSON)
        return ReadResourceResult(contents=[contents])

    # --- prompts ---------------------------------------------------------------------------------

    async def _list_prompts(
        self, _context: Context, _params: PaginatedRequestParams | None
    ) -> ListPromptsResult:
        prompts = self._prompts.values()
        visible = self._visible()
        return ListPromptsResult(
            prompts=[each.listed() for each in prompts if each.tools <= visible]
        )

    async def _get_prompt(
        self, _context: Context, params: GetPromptRequestParams
    ) -> GetPromptResult:
        """A prompt with its arguments. An unknown name is answered with -32602."""
        if (prompt := self._prompts.get(params.name)) is None:
            raise MCPError(
                INVALID_PARAMS, f"there is no prompt {params.name[:80]!r}; see prompts/list"
            )
        return prompt.render(params.arguments or {})

    async def _complete(self, _context: Context, params: CompleteRequestParams) -> CompleteResult:
        argument = params.argument
        if not self._visible():
            return CompleteResult(completion=Completion(values=[]))
        completion = await self._completer.complete(argument.name, argument.value)
        return CompleteResult(completion=completion)


def _why_missing(name: str, loaded: Set[str]) -> str:
    """Why a tool can't be called, and what to call or do instead."""
    if name in FORMER:
        return f"Nothing was done: {name} is now {FORMER[name]}."
    spec = next((each for each in TOOLS if each.name == name), None)
    if spec is None:
        near = get_close_matches(name[:80], sorted(loaded), 1, 0.4)
        hint = f"Did you mean {near[0]}?" if near else "See tools/list."
        return f"Nothing was done: there is no tool with this name. {hint}"
    if any(each.group == spec.group and each.name in loaded for each in TOOLS):
        return f"Nothing was done: this server is read-only, and {name} is hidden."
    return (
        f"Nothing was done: {name} is in the group {spec.group}, which this server does not load. Tell "
        f"the user to add {spec.group} to TELNYX_MCP_TOOLS or --tools where this server is configured."
    )

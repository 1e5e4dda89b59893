"""The pages in the chat, declared to clients that show them (MCP Apps) and to nobody else."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID, ResourceCsp, client_supports_apps
from mcp.server.context import CallNext, HandlerResult
from mcp_types import ClientCapabilities, Resource, TextResourceContents, Tool

from telnyx_mcp.apps import Page, page_of, pages_of

NOTHING = ResourceCsp(
    connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[]
)
"""What a page may load, and where it may send anything."""

shows_pages = client_supports_apps
"""Whether the client of a request declared that it shows pages."""


def with_page(tool: Tool) -> Tool:
    """The tool with the page for its results, if it has one."""
    if (page := page_of(tool.name)) is None:
        return tool
    return tool.model_copy(update={"meta": {"ui": {"resourceUri": page.uri}}})


def listed(tools: Set[str]) -> list[Resource]:
    """The pages for results of these tools."""
    return [
        Resource(
            uri=each.uri,
            name=each.name,
            title=each.title,
            description=each.description,
            mime_type=APP_MIME_TYPE,
        )
        for each in pages_of(tools)
    ]


def contents(uri: str, tools: Set[str]) -> TextResourceContents | None:
    """The page at this address; None if there is none for these tools."""
    page = next((each for each in pages_of(tools) if each.uri == uri), None)
    return _contents(page) if page else None


def _contents(page: Page) -> TextResourceContents:
    allowed = NOTHING.model_dump(by_alias=True)
    return TextResourceContents(
        uri=page.uri,
        text=page.html(),
        mime_type=APP_MIME_TYPE,
        meta={"ui": {"csp": allowed, "prefersBorder": True}},
    )


async def declare_pages(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: names the extension among the capabilities of the server, to a client that named it."""
    result = await call_next(ctx)
    if ctx.method not in ("initialize", "server/discover") or not isinstance(result, dict):
        return result
    if not (_declares(ctx) if ctx.method == "initialize" else shows_pages(ctx)):
        return result
    capabilities = result["capabilities"]
    extensions = {**(capabilities.get("extensions") or {}), EXTENSION_ID: {}}
    return {**result, "capabilities": {**capabilities, "extensions": extensions}}


def _declares(ctx: ServerRequestContext[Any, Any]) -> bool:
    """The same for the handshake itself, which the session does not know yet."""
    sent = (ctx.params or {}).get("capabilities") or {}
    declared = ClientCapabilities.model_validate(sent).extensions or {}
    mime_types = (declared.get(EXTENSION_ID) or {}).get("mimeTypes")
    return isinstance(mime_types, list) and APP_MIME_TYPE in mime_types

"""Our own server with what the conformance suite wants to find on it grafted on.

The suite's scenarios call tools, resources and prompts by names of its own. Here they join the real
ones of the real `AccountServer`, so that everything between the socket and a tool's body is ours:
`python -m tests.interop.overlay HOST:PORT`, with the environment of any server.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from mcp.server import ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Message, Prompt, UserMessage
from mcp.server.mcpserver.tools import Tool
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    GetPromptRequestParams,
    ImageContent,
    InputResponseRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.server.http import serve_http
from tests.interop import overlay_asking, overlay_schemas

Request = ServerRequestContext[None]
Own = Callable[[Request, Any], Awaitable[Any]]
"""The handler of the server itself."""
AnyContext = Context[None, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = base64.b64encode(
    b"RIFF\x26\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\2\0\0\0\0\0"
).decode()


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def resource(uri: str, kind: str, words: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=kind, text=words)
    return EmbeddedResource(type="resource", resource=contents)


# --- tools that answer at once ---------------------------------------------------------------------

CONTENT: dict[str, list[ContentBlock]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [image()],
    "test_audio_content": [AudioContent(type="audio", data=WAV, mime_type="audio/wav")],
    "test_embedded_resource": [
        resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        image(),
        resource(
            "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
        ),
    ],
}


def answering(name: str) -> Tool:
    """A tool without arguments that always answers this content."""

    def answer() -> CallToolResult:
        return CallToolResult(content=CONTENT[name])

    return Tool.from_function(answer, name, description="For the conformance suite.")


async def test_error_handling() -> CallToolResult:
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(context: Context[None, Any]) -> CallToolResult:
    for done in (0, 50, 100):
        await context.report_progress(done, 100)
    return CallToolResult(content=[text("Done.")])


async def test_logging_tool(context: Context[None, Any]) -> CallToolResult:
    for words in ("started", "processing data", "completed"):
        await context.session.send_log_message(
            "info", f"Tool execution {words}", related_request_id=context.request_id
        )
    return CallToolResult(content=[text("Done.")])


async def test_reconnection(context: Context[None, Any]) -> CallToolResult:
    await context.close_sse_stream()
    return CallToolResult(content=[text("Done.")])


async def test_trigger_tool_change(context: Context[None, Any]) -> CallToolResult:
    await context.notify_tools_changed()
    return CallToolResult(content=[text("Told.")])


async def test_trigger_prompt_change(context: Context[None, Any]) -> CallToolResult:
    await context.notify_prompts_changed()
    return CallToolResult(content=[text("Told.")])


TOOLS: tuple[Tool, ...] = (
    *map(answering, CONTENT),
    *(
        Tool.from_function(each, description="For the conformance suite.")
        for each in (
            test_error_handling,
            test_tool_with_progress,
            test_logging_tool,
            test_reconnection,
            test_trigger_tool_change,
            test_trigger_prompt_change,
        )
    ),
    Tool.from_function(
        test_logging_tool, "test_tool_with_logging", description="For the conformance suite."
    ),
    *overlay_asking.TOOLS,
    *overlay_schemas.TOOLS,
)

# --- prompts ---------------------------------------------------------------------------------------


def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
    return [
        UserMessage(resource(resourceUri, "text/plain", "Embedded resource content for testing.")),
        UserMessage("Please process the embedded resource above."),
    ]


def test_prompt_with_image() -> list[Message]:
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


PROMPTS: tuple[Prompt, ...] = tuple(
    Prompt.from_function(each, description="For the conformance suite.")
    for each in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
        overlay_asking.test_input_required_result_prompt,
    )
)

# --- resources -------------------------------------------------------------------------------------

STATIC: dict[str, TextResourceContents | BlobResourceContents] = {
    "test://static-text": TextResourceContents(
        uri="test://static-text",
        text="This is the content of the static text resource.",
        mime_type="text/plain",
    ),
    "test://static-binary": BlobResourceContents(
        uri="test://static-binary", blob=PNG, mime_type="image/png"
    ),
}
TEMPLATE = "test://template/{id}/data"


def fixtures() -> MCPServer[None]:
    """The suite's tools and prompts, as the SDK serves them."""
    server = MCPServer[None]("fixtures", tools=list(TOOLS), log_level="WARNING")
    for prompt in PROMPTS:
        server.add_prompt(prompt)
    return server


class Overlaid:
    """Grafts the fixtures onto a server: each handler answers for them, and asks the server's own
    for everything else. Nothing of the server is replaced."""

    def __init__(self, server: AccountServer) -> None:
        self._fixtures = fixtures()
        for method, params, handler in (
            ("tools/list", PaginatedRequestParams, self._list_tools),
            ("tools/call", CallToolRequestParams, self._call_tool),
            ("prompts/list", PaginatedRequestParams, self._list_prompts),
            ("prompts/get", GetPromptRequestParams, self._get_prompt),
            ("resources/list", PaginatedRequestParams, self._list_resources),
            ("resources/templates/list", PaginatedRequestParams, self._list_templates),
            ("resources/read", ReadResourceRequestParams, self._read_resource),
        ):
            entry = server.get_request_handler(method)
            assert entry is not None
            server.add_request_handler(method, params, partial(handler, entry.handler))
        own_schema = server.get_tool_input_schema
        assert own_schema is not None
        schemas = {each.name: each.parameters for each in TOOLS}
        server.get_tool_input_schema = lambda name: schemas.get(name) or own_schema(name)

    def _context(self, context: Request, params: InputResponseRequestParams) -> AnyContext:
        bus = InMemorySubscriptionBus()
        return Context(
            request_context=context,
            mcp_server=self._fixtures,
            input_params=params,
            subscriptions=bus,
        )

    async def _list_tools(self, own: Own, context: Request, params: Any) -> ListToolsResult:
        listed: ListToolsResult = await own(context, params)
        return ListToolsResult(tools=[*listed.tools, *await self._fixtures.list_tools()])

    async def _call_tool(self, own: Own, context: Request, params: CallToolRequestParams) -> Any:
        if params.name not in {each.name for each in TOOLS}:
            return await own(context, params)
        try:
            return await self._fixtures.call_tool(
                params.name, params.arguments or {}, self._context(context, params)
            )
        except ToolError as error:
            return CallToolResult(content=[text(str(error))], is_error=True)

    async def _list_prompts(self, own: Own, context: Request, params: Any) -> ListPromptsResult:
        listed: ListPromptsResult = await own(context, params)
        return ListPromptsResult(prompts=[*listed.prompts, *await self._fixtures.list_prompts()])

    async def _get_prompt(self, own: Own, context: Request, params: GetPromptRequestParams) -> Any:
        if params.name not in {each.name for each in PROMPTS}:
            return await own(context, params)
        return await self._fixtures.get_prompt(
            params.name, params.arguments, self._context(context, params)
        )

    async def _list_resources(self, own: Own, context: Request, params: Any) -> ListResourcesResult:
        listed: ListResourcesResult = await own(context, params)
        grafted = [
            Resource(uri=uri, name=uri, description="For the suite.", mime_type=contents.mime_type)
            for uri, contents in STATIC.items()
        ]
        return ListResourcesResult(resources=[*listed.resources, *grafted])

    async def _list_templates(
        self, own: Own, context: Request, params: Any
    ) -> ListResourceTemplatesResult:
        listed: ListResourceTemplatesResult = await own(context, params)
        grafted = ResourceTemplate(uri_template=TEMPLATE, name="template")
        return ListResourceTemplatesResult(resource_templates=[*listed.resource_templates, grafted])

    async def _read_resource(
        self, own: Own, context: Request, params: ReadResourceRequestParams
    ) -> Any:
        uri = params.uri
        if (static := STATIC.get(uri)) is not None:
            return ReadResourceResult(contents=[static])
        if found := re.fullmatch(r"test://template/([^/]+)/data", uri):
            data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
            kind = "application/json"
            contents = TextResourceContents(uri=uri, text=json.dumps(data), mime_type=kind)
            return ReadResourceResult(contents=[contents])
        return await own(context, params)


def main(address: str) -> None:
    server = build_server(Settings())
    Overlaid(server)
    host, port = address.split(":")
    anyio.run(serve_http, server, host, int(port), None)  # the suite sends no token


if __name__ == "__main__":
    main(sys.argv[1])

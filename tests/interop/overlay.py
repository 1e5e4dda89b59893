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
from collections.abc import Iterable
from typing import Any

import anyio
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Message, Prompt, UserMessage
from mcp.server.mcpserver.tools import Tool
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)
from pydantic import AnyUrl

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.server.build import AccountServer, build_server
from telnyx_mcp.server.http import serve_http
from tests.interop import overlay_asking, overlay_schemas

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

STATIC: dict[str, ReadResourceContents] = {
    "test://static-text": ReadResourceContents(
        "This is the content of the static text resource.", "text/plain"
    ),
    "test://static-binary": ReadResourceContents(base64.b64decode(PNG), "image/png"),
}
TEMPLATE = "test://template/{id}/data"


class Overlaid(AccountServer):
    """The server, and the fixtures. Nothing of the server is replaced."""

    def __init__(self, plain: AccountServer) -> None:
        super().__init__(plain.accounts, read_only=False)
        for tool in TOOLS:
            self._tool_manager._tools[tool.name] = tool
        for prompt in PROMPTS:
            self.add_prompt(prompt)
        self._loaded |= {each.name for each in TOOLS}
        self._prompts |= {each.name for each in PROMPTS}

    async def list_resources(self) -> list[Resource]:
        grafted = [
            Resource(uri=uri, name=uri, description="For the suite.", mime_type=contents.mime_type)
            for uri, contents in STATIC.items()
        ]
        return [*await super().list_resources(), *grafted]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        grafted = ResourceTemplate(uri_template=TEMPLATE, name="template")
        return [*await super().list_resource_templates(), grafted]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[None, Any] | None = None
    ) -> Iterable[ReadResourceContents]:
        if (static := STATIC.get(str(uri))) is not None:
            return [static]
        if found := re.fullmatch(r"test://template/([^/]+)/data", str(uri)):
            data = {
                "id": found[1],
                "templateTest": True,
                "data": f"Data for ID: {found[1]}",
            }
            return [ReadResourceContents(json.dumps(data), "application/json")]
        return await super().read_resource(uri, context)


def main(address: str) -> None:
    server = Overlaid(build_server(Settings()))
    host, port = address.split(":")
    anyio.run(serve_http, server, host, int(port), None)  # the suite sends no token


if __name__ == "__main__":
    main(sys.argv[1])

"""A real client of a server in memory, and what its results say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp_types import CallToolResult

from telnyx_mcp.server.account_server import AccountServer

SECONDS = 30
"""No test takes longer than this between two steps."""

Mode = Literal["legacy", "auto"]

REVISIONS: tuple[Mode, ...] = ("legacy", "auto")
"""The protocol revisions 2025-11-25 and 2026-07-28, as the client names them."""


@asynccontextmanager
async def connected(
    server: AccountServer, mode: Mode = "auto", elicitation: ElicitationFnT | None = None
) -> AsyncIterator[Client]:
    """A real client in memory, bounded in time. It compares every answer with the tool's published
    output schema, and fails the test if the answer does not fit."""
    with anyio.fail_after(SECONDS):
        async with Client(server, mode=mode, elicitation_callback=elicitation) as client:
            yield client


async def call(
    server: AccountServer,
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    mode: Mode = "auto",
) -> CallToolResult:
    """The result of one call by a client that comes for it and goes."""
    async with connected(server, mode) as client:
        return await client.call_tool(tool, dict(arguments or {}))


def text_of(result: CallToolResult) -> str:
    """All text of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def content_of(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a result that is no error."""
    assert not result.is_error, text_of(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content

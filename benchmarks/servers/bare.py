"""A one-tool server on the bare SDK: what all others are measured against."""

from __future__ import annotations

import os
from typing import Any

import httpx
from mcp.server.mcpserver import MCPServer

telnyx = httpx.AsyncClient(
    base_url=os.environ["TELNYX_BASE_URL"],
    headers={"authorization": f"Bearer {os.environ['TELNYX_API_KEY']}"},
)
server = MCPServer("bare", log_level="WARNING")


@server.tool()
async def balance() -> dict[str, Any]:
    """The account's balance."""
    response = await telnyx.get("balance")
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data


if __name__ == "__main__":
    server.run()

"""The server of `bare.py` on FastMCP. Runs in the environment of the peers."""

from __future__ import annotations

import os
from typing import Any

import httpx
from fastmcp import FastMCP  # type: ignore[import-not-found, unused-ignore]

telnyx = httpx.AsyncClient(
    base_url=os.environ["TELNYX_BASE_URL"],
    headers={"authorization": f"Bearer {os.environ['TELNYX_API_KEY']}"},
)
server = FastMCP("fastmcp")


async def balance() -> dict[str, Any]:
    """The account's balance."""
    response = await telnyx.get("balance")
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data


server.tool(balance)

if __name__ == "__main__":
    server.run(show_banner=False, log_level="WARNING")

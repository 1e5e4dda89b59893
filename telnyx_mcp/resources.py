"""What a client can read without calling a tool: compact JSON, each under a `telnyx://` address."""

from __future__ import annotations

from functools import partial
from typing import Any

from mcp.server.mcpserver.resources import FunctionResource

from telnyx_mcp.tools.tool import Services
from telnyx_mcp.tools.untrusted import compact


async def rate_limits(services: Services) -> dict[str, Any]:
    """What is known of Telnyx's limit for each endpoint asked so far, and who shares it.

    Seconds and requests. `waiting_s` is how far away the next turn is.
    """
    pacer = services.client.transport.pacer
    endpoints = await pacer.known()
    return {
        "endpoints": endpoints,
        "shared": "by all copies on this API key" if pacer.place else "no: this process alone",
    }


_RESOURCES = (
    (
        "telnyx://rate-limits",
        "Rate limits",
        "What is known of Telnyx's rate limit per endpoint, shared by all copies on this API key.",
        rate_limits,
    ),
)


def resources_of(services: Services) -> list[FunctionResource]:
    """The resources of a server with these services."""

    async def read(source: Any) -> str:
        return compact(await source(services))

    return [
        FunctionResource(
            uri=uri,
            name=uri.removeprefix("telnyx://"),
            title=title,
            description=description,
            mime_type="application/json",
            fn=partial(read, source),
        )
        for uri, title, description, source in _RESOURCES
    ]

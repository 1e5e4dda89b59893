"""The TCP connection behind a request, for the faults below the level of HTTP."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

EXTENSION = "telnyx_sandbox.transport"


class ConnectionProtocol(H11Protocol):
    """uvicorn's HTTP protocol, handing the application its transport as a scope extension."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[EXTENSION] = transport
            await app(scope, receive, send)

        self.app = with_transport


async def drop(scope: Scope, receive: Receive) -> None:
    """Close the connection once what was already written is sent (FIN)."""
    _transport(scope).close()
    await _gone(receive)


async def reset(scope: Scope, receive: Receive) -> None:
    """Cut the connection at once (RST): with a linger time of zero, no FIN is sent."""
    transport = _transport(scope)
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(receive)


def _transport(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["extensions"][EXTENSION]
    return transport


async def _gone(receive: Receive) -> None:
    """Wait until the server knows, or it would answer 500 for a request left unanswered."""
    while (await receive())["type"] != "http.disconnect":
        pass

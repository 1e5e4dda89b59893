"""One request of an MCP client, as tools and approval see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp_types import ClientCapabilities, InputResponseRequestParams, InputResponses


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asks, what that client can do, and the way back to it while the request lasts."""

    request: ServerRequestContext[Any, Any]
    params: InputResponseRequestParams

    @property
    def session(self) -> ServerSession:
        return self.request.session

    @property
    def request_id(self) -> str:
        return str(self.request.request_id)

    @property
    def protocol_version(self) -> str:
        """The negotiated revision, such as `2025-11-25`."""
        return self.request.protocol_version

    @property
    def client_capabilities(self) -> ClientCapabilities | None:
        """What the client declared; None if it declared nothing."""
        return self.session.client_capabilities

    @property
    def input_responses(self) -> InputResponses | None:
        """The user's answers, where the client calls again with them; None the first time."""
        return self.params.input_responses

    @property
    def request_state(self) -> str | None:
        """The state that came with the question, where the client calls again; None the first time."""
        return self.params.request_state

    async def report_progress(
        self, done: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Reports progress, to a client that asked for it."""
        await self.session.report_progress(done, total, message)

"""One log line and one measurement for each message to `/mcp`.

`CallLog` is the outermost ASGI layer: it knows the status and the time. `Calls.middleware` is the first
middleware of the MCP server: it knows the method, the tool, the person and the outcome. They share one
`Call`, which the first puts into the ASGI scope.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from opentelemetry import trace
from pydantic import ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telnyx_mcp.service.telemetry.logs import FIELDS
from telnyx_mcp.tools import TOOLS

PATH = "/mcp"
KEY = "telnyx_mcp.call"
"""Where the scope holds the `Call`."""
OTHER = "other"
"""The label of a tool or a method that does not exist: clients must not be able to invent labels."""
METHODS = frozenset(
    {
        *(
            "initialize",
            "server/discover",
            "ping",
            "tools/list",
            "tools/call",
            "completion/complete",
        ),
        *("prompts/list", "prompts/get", "resources/list", "resources/templates/list"),
        *("resources/read", "subscriptions/listen", "logging/setLevel"),
        *("notifications/initialized", "notifications/cancelled"),
    }
)
_TOOLS = frozenset(each.name for each in TOOLS)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """What is known of one message, while it is answered."""

    request_id: str
    trace_id: str = ""
    method: str = ""
    tool: str = ""
    outcome: str = ""
    """ok, tool error or error; empty if the MCP server never saw the message."""
    subject: str = ""
    client: str = ""


class CallMetrics(Protocol):
    """Where calls are counted."""

    def call(self, tool: str, outcome: str, seconds: float) -> None:
        """`tool` is the name of a tool, or a method."""
        ...


class CallLog:
    """Writes the line when the answer is complete. `clock` counts seconds."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: CallMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        call = scope[KEY] = Call(_request_id(headers), _trace_id(headers))
        status = 0
        began = self._clock()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = call.request_id
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._note(call, scope["method"], status, self._clock() - began)

    def _note(self, call: Call, http_method: str, status: int, seconds: float) -> None:
        outcome = _outcome(call, status)
        label = call.tool or call.method or OTHER
        self._metrics.call(label, outcome, seconds)
        level = logging.ERROR if status >= 500 else logging.INFO
        fields = {
            "request_id": call.request_id,
            "trace_id": call.trace_id,
            "subject": call.subject,
            "client": call.client,
            "http_method": http_method,
            "method": call.method,
            "tool": call.tool,
            "outcome": outcome,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        _logger.log(level, "call", extra={FIELDS: {k: v for k, v in fields.items() if v != ""}})


def _outcome(call: Call, status: int) -> str:
    """ok, tool error, error; refused (401, 403), rejected (another 4xx), failed (5xx); gone, if the client
    or the end of the process cut the answer off before it began."""
    if status == 0:
        return "gone"
    if status >= 500:
        return "failed"
    if status in {401, 403}:
        return "refused"
    if status >= 400:
        return "rejected"
    return call.outcome or "ok"


def _request_id(headers: Headers) -> str:
    """The id that the proxy gave the request; a new one, if it gave none."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _trace_id(headers: Headers) -> str:
    found = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
    return found[1] if found else ""


async def note_call(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware of the MCP server: notes what is called, by whom, and how it ends."""
    scope = getattr(ctx.request, "scope", None)
    call = scope.get(KEY) if isinstance(scope, dict) else None
    if call is None or scope is None:
        return await call_next(ctx)
    call.method = ctx.method if ctx.method in METHODS else OTHER
    if ctx.method == "tools/call":
        name = (ctx.params or {}).get("name")
        call.tool = name if name in _TOOLS else OTHER
    if isinstance(user := scope.get("user"), AuthenticatedUser):
        call.subject = str(user.access_token.subject or "")
        call.client = user.access_token.client_id
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        call.trace_id = trace.format_trace_id(span.trace_id)
    try:
        result = await call_next(ctx)
    except (MCPError, ValidationError):
        call.outcome = "error"
        raise
    match result:
        case CallToolResult(is_error=True) | {"isError": True}:
            call.outcome = "tool error"
        case _:
            call.outcome = "ok"
    return result

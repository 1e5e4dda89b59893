"""Arguments in the shapes that some hosts send, as the SDK takes them: it answers all others with
"Invalid request parameters", from which neither host nor model learns anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext


def _tool_arguments(sent: object) -> object:
    """An object; anything else as the only argument of one, as it may be the JSON of an object."""
    return sent if isinstance(sent, dict) else {"arguments": sent}


def _prompt_arguments(sent: object) -> object:
    """Texts by name, without those that are null."""
    if not isinstance(sent, dict):
        return {}
    return {
        name: value if isinstance(value, str) else str(value)
        for name, value in sent.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }


_READERS: Mapping[str, Callable[[object], object]] = {
    "tools/call": _tool_arguments,
    "prompts/get": _prompt_arguments,
}


async def read_wire_arguments(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext
) -> HandlerResult:
    """Middleware: passes a call on with arguments that the SDK can read."""
    read = _READERS.get(ctx.method)
    params = ctx.params
    if read is None or params is None or params.get("arguments") is None:
        return await call_next(ctx)
    sent = params["arguments"]
    if (arguments := read(sent)) is sent:
        return await call_next(ctx)
    return await call_next(replace(ctx, params={**params, "arguments": arguments}))

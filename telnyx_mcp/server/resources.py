"""What a client can read without calling a tool: compact JSON, each under a `telnyx://` address.

A resource is the answer of a tool, got the same way, so that there is one way to it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mcp_types import CallToolResult, Resource, ResourceTemplate

from telnyx_mcp.tools.framework.services import Services
from telnyx_mcp.untrusted import to_json

JSON = "application/json"

CallTool = Callable[[str, dict[str, Any]], Awaitable[Any]]


class NotThere(Exception):
    """No resource has this address."""


class Unreadable(Exception):
    """The resource can't be read now. Its text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A resource, or with `{names}` in its address a template of some: the tool that answers, and
    its arguments, into which the names are put."""

    uri: str
    title: str
    description: str
    tool: str
    arguments: Mapping[str, str]

    @property
    def is_template(self) -> bool:
        return "{" in self.uri

    def answered_by(self, tools: Set[str]) -> bool:
        """Whether one of these tools answers it, or none is needed."""
        return not self.tool or self.tool in tools

    def match(self, uri: str) -> dict[str, Any] | None:
        """The tool's arguments for this address; None for an address of something else."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/?#]+)", re.escape(self.uri))
        if not (found := re.fullmatch(pattern, uri)):
            return None
        named = {name: unquote(value) for name, value in found.groupdict().items()}
        return {name: value.format(**named) for name, value in self.arguments.items()}


RATE_LIMITS = "telnyx://rate-limits"

READABLE: tuple[Readable, ...] = (
    Readable("telnyx://balance", "Balance", "The balance now.", "telnyx_get_balance", {}),
    Readable(
        "telnyx://changes",
        "Changes",
        "Payments and auto-recharge changes made or proposed through this server.",
        "telnyx_list_changes",
        {},
    ),
    Readable(
        RATE_LIMITS,
        "Rate limits",
        "What is known of Telnyx's rate limit per endpoint, shared by all copies on this API key.",
        "",
        {},
    ),
    Readable(
        "telnyx://invoices/{invoice_id}",
        "Invoice",
        "One invoice: period, paid or not.",
        "telnyx_get_invoice",
        {"invoice_id": "{invoice_id}"},
    ),
    Readable(
        "telnyx://spend/{month}",
        "Spend of a month",
        "The charges of a month, compared with the month before.",
        "telnyx_summarize_spend",
        {"period": "{month}", "compare_to": "previous"},
    ),
    Readable(
        "telnyx://usage/{product}/{month}",
        "Usage of a month",
        "The usage of one product in a month, by day.",
        "telnyx_summarize_usage",
        {"product": "{product}", "period": "{month}", "group_by": "day"},
    ),
)


def listed(tools: Set[str]) -> list[Resource]:
    """The resources with an address of their own, of these tools."""
    return [
        Resource(
            uri=each.uri,
            name=each.uri.removeprefix("telnyx://"),
            title=each.title,
            description=each.description,
            mime_type=JSON,
        )
        for each in READABLE
        if not each.is_template and each.answered_by(tools)
    ]


def listed_templates(tools: Set[str]) -> list[ResourceTemplate]:
    """Those whose address has a part to be filled in."""
    return [
        ResourceTemplate(
            uri_template=each.uri,
            name=each.uri.removeprefix("telnyx://").split("/")[0],
            title=each.title,
            description=each.description,
            mime_type=JSON,
        )
        for each in READABLE
        if each.is_template and each.answered_by(tools)
    ]


async def read(uri: str, services: Services, call_tool: CallTool, tools: Set[str]) -> str:
    """The resource as JSON, got by one of these tools. Raises `NotThere` and `Unreadable`."""
    for each in READABLE:
        arguments = each.match(uri)
        if arguments is None or not each.answered_by(tools):
            continue
        if each.uri == RATE_LIMITS:
            return to_json(await _rate_limits(services))
        result = await call_tool(each.tool, arguments)
        if not isinstance(result, CallToolResult) or result.is_error:
            raise Unreadable(_text(result))
        return _text(result)
    raise NotThere(
        f"there is no resource {uri[:120]}; see resources/list and resources/templates/list"
    )


def _text(result: CallToolResult) -> str:
    return "".join(block.text for block in result.content if block.type == "text")


async def _rate_limits(services: Services) -> dict[str, Any]:
    """What is known of Telnyx's limit for each endpoint asked so far, and who shares it.

    Seconds and requests. `waiting_s` is how far away the next turn is.
    """
    pacer = services.transport.pacer
    endpoints = await pacer.known()
    return {
        "endpoints": endpoints,
        "shared": "by all copies on this API key" if pacer.place else "no: this process alone",
    }

"""A request to an operation, and how its parameters are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.days import parse_moment
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter
from telnyx_mcp.sandbox.responses import Response

LARGEST_PAGE = 250


@dataclass(frozen=True, slots=True)
class Call:
    """A request to one operation."""

    query: list[tuple[str, str]]
    path: dict[str, str]
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """The parameter's last value, as servers read a repeated one."""
        for known, value in reversed(self.query):
            if known == name:
                return value
        return None

    def json(self) -> Any:
        """The body, decoded; 400 if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refusal(400, "The request body is not valid JSON.", pointer="/") from None


Handler = Callable[[Account, Call], Response]
ErrorBody = Callable[[Refusal], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation's id, its place on the wire, and what carries it out."""

    id: str
    method: str
    path: str
    handle: Handler
    scans: bool = False
    """Whether it may take long enough to be kept off the event loop."""
    error_body: ErrorBody = Refusal.body
    """The shape of its errors: not all of Telnyx's operations share one."""


def page_of(call: Call, items: Sequence[Any], default: int) -> Response:
    """The requested page of `items`; `default` is its size if the request names none."""
    number, size = page_asked_for(call, default, LARGEST_PAGE)
    first = (number - 1) * size
    return Response(
        {
            "data": items[first : first + size],
            "meta": meta_of(number, size, len(items)),
        }
    )


def page_asked_for(call: Call, default: int, largest: int) -> tuple[int, int]:
    """The number and the size of the page; 400 beyond `largest`."""
    number = whole_number(call, "page[number]", 1, 2**31 - 1)
    return number, whole_number(call, "page[size]", default, largest)


def whole_number(call: Call, name: str, default: int, largest: int) -> int:
    """A parameter from 1 to `largest`; 400 for anything else."""
    text = call.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= largest:
        raise bad_parameter(name, f"'{name}' must be a whole number from 1 to {largest}.")
    return int(text)


def meta_of(number: int, size: int, total: int) -> dict[str, int]:
    """The `meta` of a list of `total` items."""
    return {
        "page_number": number,
        "page_size": size,
        "total_pages": -(-total // size),
        "total_results": total,
    }


def one_of(call: Call, name: str, allowed: Iterable[str], status: int = 400) -> str | None:
    """A parameter that must be one of `allowed`; None where it was not sent."""
    value = call.get(name)
    if value is not None and value not in allowed:
        raise bad_parameter(name, f"'{name}' must be one of {', '.join(allowed)}.", status)
    return value


def moment_of(call: Call, name: str, status: int = 400) -> datetime | None:
    """A parameter that is a time; None where it was not sent."""
    text = call.get(name)
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError:
        raise bad_parameter(name, f"'{name}' must be an ISO 8601 time.", status) from None

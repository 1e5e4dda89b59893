"""The requests that reached the sandbox."""

from __future__ import annotations

from telnyx_mcp.sandbox import Sandbox
from tests.support.polling import until


def sent(sandbox: Sandbox, method: str) -> int:
    """How many requests of this method reached it."""
    return sum(each.method == method for each in sandbox.requests)


def requests_of(sandbox: Sandbox, operation: str) -> int:
    """How many requests of this operation reached it."""
    return sum(each.operation == operation for each in sandbox.requests)


def posts(sandbox: Sandbox) -> int:
    """How many payments reached it, done or not: nothing else is a POST."""
    return sent(sandbox, "POST")


async def arrives(sandbox: Sandbox, method: str) -> None:
    """Returns once a request of this method has reached it."""
    await until(lambda: sent(sandbox, method))

"""Stand-ins for Telnyx, each in a process of its own on loopback."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.subjects import SERVERS, environment
from benchmarks.worker import Worker


@contextmanager
def running_stub(*options: str) -> Iterator[str]:
    """The base URL of a stand-in that answers at once, which runs meanwhile."""
    command = (sys.executable, str(SERVERS / "telnyx_stub.py"), *options)
    with Worker(command, environment()) as stub:
        yield f"http://127.0.0.1:{int(stub.said())}/v2"


@dataclass(frozen=True, slots=True)
class LimitedAccount:
    """The sandbox, with the limits that are asked for: unless others are, 200 requests in 10 seconds."""

    base_url: str
    key: str

    def requests(self) -> Sequence[dict[str, Any]]:
        """Every request so far, with its `time` and the `status` it was answered with."""
        answer = httpx.get(self.base_url.removesuffix("/v2") + "/_sandbox/requests", timeout=60)
        seen: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return seen


@contextmanager
def running_sandbox(*options: str) -> Iterator[LimitedAccount]:
    """A sandbox that nobody has asked anything yet, which runs meanwhile."""
    command = (sys.executable, "-m", "telnyx_mcp", "sandbox", "--port", "0", *options)
    with Worker(command, environment()) as sandbox:
        sandbox.said()
        told = dict(each.split("=", 1) for each in sandbox.said().split()[1:])
        try:
            yield LimitedAccount(told["TELNYX_BASE_URL"], told["TELNYX_API_KEY"])
        finally:
            sandbox.terminate()

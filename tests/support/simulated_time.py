"""Time that only sleeping moves on."""

from __future__ import annotations

from dataclasses import dataclass, field

from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import InMemoryStore


@dataclass
class Time:
    """A clock that only sleeping moves on."""

    at: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def pacer(self) -> Pacer:
        return Pacer(own=InMemoryStore(self.clock), sleep=self.sleep, clock=self.clock)

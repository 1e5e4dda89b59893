"""The rate limit: so many requests per window, per key and endpoint, told in whole seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the limit says to one request."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    """Whole seconds until the window ends, rounded up."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The three headers Telnyx documents."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        ]


@dataclass(slots=True)
class RateLimit:
    """Fixed windows, each beginning with the first request after the one before has ended."""

    requests: int
    seconds: float
    clock: Callable[[], float]
    _windows: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def take(self, key: str, endpoint: str) -> Allowance:
        """Count one request."""
        now = self.clock()
        ends, used = self._windows.get((key, endpoint), (now, 0))
        if now >= ends:
            ends, used = now + self.seconds, 0
        allowed = used < self.requests
        used += allowed
        self._windows[key, endpoint] = ends, used
        reset = math.ceil(ends - now)
        return Allowance(allowed, self.requests, self.requests - used, reset)

    def reset(self) -> None:
        """Forget every window."""
        self._windows.clear()

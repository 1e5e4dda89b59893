"""The rate limits: requests per window, for each key and endpoint; windows are in whole seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """What one endpoint lets through."""

    requests: int
    seconds: float
    at_gateway: bool = False
    """Whether Telnyx's gateway sets it: windows begin with the clock's, and the headers name them."""


MEASURED: Mapping[str, Limit] = {
    "get_usage_report": Limit(5, 1, at_gateway=True),
    "search_detail_records": Limit(40, 60, at_gateway=True),
}
"""By operation: the limits that others measured on the live API in July 2026."""
OTHERS = Limit(200, 10.0)
"""For every other operation. Telnyx's own limits for these are unknown."""

RateLimit = tuple[int, float] | Literal["telnyx"] | None
"""Requests and seconds of every endpoint, or Telnyx's own for each, or no limit."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The decision for one request."""

    allowed: bool
    limit: Limit
    remaining: int
    reset: int
    """Whole seconds until the window ends, rounded up."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The three headers Telnyx documents, and a fourth that its gateway adds to a 429."""
        requests, gateway = self.limit.requests, self.limit.at_gateway
        window = f", {requests};w={self.limit.seconds:.0f}" if gateway else ""
        headers = {
            "x-ratelimit-limit": f"{requests}{window}",
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
        }
        if gateway and not self.allowed:
            headers["x-envoy-ratelimited"] = "true"
        return [(name.encode(), value.encode()) for name, value in headers.items()]


@dataclass(slots=True)
class RateLimits:
    """Fixed windows. One begins with the first request after the one before has ended, or, at the
    gateway, with the clock's seconds and minutes."""

    limits: Mapping[str, Limit]
    """By operation."""
    others: Limit
    clock: Callable[[], float]
    """Seconds since the epoch."""
    _windows: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def take(self, key: str, operation: str) -> Allowance:
        """Count one request."""
        now = self.clock()
        limit = self.limits.get(operation, self.others)
        ends, used = self._windows.get((key, operation), (now, 0))
        if now >= ends:
            begun = now // limit.seconds * limit.seconds if limit.at_gateway else now
            ends, used = begun + limit.seconds, 0
        allowed = used < limit.requests
        used += allowed
        self._windows[key, operation] = ends, used
        return Allowance(allowed, limit, limit.requests - used, math.ceil(ends - now))

    def reset(self) -> None:
        """Forget every window."""
        self._windows.clear()


def rate_limits(rate_limit: RateLimit, clock: Callable[[], float]) -> RateLimits | None:
    """The limits of a sandbox with this option."""
    if rate_limit is None:
        return None
    if rate_limit == "telnyx":
        return RateLimits(MEASURED, OTHERS, clock)
    requests, seconds = rate_limit
    return RateLimits({}, Limit(requests, seconds), clock)

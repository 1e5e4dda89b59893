"""The rate limit: who may send when.

Telnyx tells its limit per endpoint in the headers `x-ratelimit-limit`, `x-ratelimit-remaining` and
`x-ratelimit-reset` (seconds from now), and answers 429 past it. This pacer obeys them within one
process: it counts down what remains and holds every further request until the window opens again.

Source: Telnyx, "Rate limiting" (development/api-fundamentals/reliability/rate-limiting).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite

import anyio

from telnyx_mcp.telnyx.errors import Failure, TelnyxError

LONGEST_WAIT = 15.0
"""Seconds a call may wait for its turn; a later turn fails at once and says when."""

LONGEST_BELIEVED = 3600.0
"""Seconds; a header that tells a longer wait is taken as this."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Window:
    """What is known of one endpoint: `remaining` requests until the clock shows `opens_at`."""

    remaining: int
    opens_at: float


class Pacer:
    """Gives each request its turn. One per server; `clock` and `sleep` are injected."""

    def __init__(self, clock: Clock = time.monotonic, sleep: Sleep = anyio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._windows: dict[str, _Window] = {}

    async def turn(self, endpoint: str, longest: float = LONGEST_WAIT) -> None:
        """Returns when a request to `endpoint` may go.

        Raises `TelnyxError` (`PACED`, with `retry_in`) at once if that is more than `longest`
        seconds away.
        """
        while window := self._windows.get(endpoint):
            wait = window.opens_at - self._clock()
            if wait <= 0:
                del self._windows[endpoint]
            elif window.remaining > 0:
                window.remaining -= 1
                return
            elif wait > min(longest, LONGEST_WAIT):
                raise TelnyxError(Failure.PACED, retry_in=wait)
            else:
                await self._sleep(wait)

    def learn(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        """Takes in what an answer's headers say of the limit. Absurd values are passed over."""
        reset = _number(headers.get("x-ratelimit-reset"))
        remaining = _number(headers.get("x-ratelimit-remaining"))
        if status == 429:
            wait = told_wait(headers)
            reset, remaining = (1.0 if wait is None else wait), 0.0
        if reset is None or remaining is None:
            return
        opens_at = self._clock() + min(reset, LONGEST_BELIEVED)
        known = self._windows.get(endpoint)
        if known and abs(known.opens_at - opens_at) < 1.5:
            # Answers of one window arrive in any order: the smallest count is the latest.
            remaining = min(remaining, known.remaining)
            opens_at = max(opens_at, known.opens_at)
        self._windows[endpoint] = _Window(int(remaining), opens_at)


def told_wait(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait as an answer's headers tell, 0 to 3600; None when they tell nothing usable.

    Looked at in this order: `retry-after-ms`, `retry-after` (seconds or a date, RFC 9110 §10.2.3),
    `x-ratelimit-reset`.
    """
    after = headers.get("retry-after")
    for seconds in (
        _number(headers.get("retry-after-ms"), scale=0.001),
        _number(after),
        _until(after, now()),
        _number(headers.get("x-ratelimit-reset")),
    ):
        if seconds is not None:
            return min(seconds, LONGEST_BELIEVED)
    return None


def _number(text: str | None, scale: float = 1.0) -> float | None:
    try:
        value = float(text or "") * scale
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _until(text: str | None, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text or "").timestamp() - now)
    except (ValueError, OverflowError):
        return None

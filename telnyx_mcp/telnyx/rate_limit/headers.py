"""What the headers of an answer state about the rate limit.

Telnyx states it in `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds
from now). The forms of the IETF's draft (`RateLimit`, `RateLimit-Policy`) are not read: no sender of
them was found.

Sources: Telnyx, "Rate limiting" (development/api-fundamentals/reliability/rate-limiting); RFC 9110
§10.2.3 for `Retry-After`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite

LONGEST_BELIEVED = 3600.0
"""Seconds; a longer `Retry-After` is cut to this, a longer reset is ignored."""
LARGEST_BELIEVED = 10_000_000
"""Requests; a larger limit is ignored."""

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RateLimitHeaders:
    """The limit as headers state it. A value that is missing or absurd is None."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    """Seconds until the count starts again, at most; usually whole seconds, rounded up."""


def parse_rate_limit(headers: Headers) -> RateLimitHeaders:
    """The limit as the headers state it, without values that can't be true."""
    limit, remaining, reset = (
        _number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
    )
    if remaining is None and reset is None:
        return RateLimitHeaders()  # a limit alone does not say for how long
    if limit is not None and not 1 <= limit <= LARGEST_BELIEVED:
        limit = None
    if remaining is not None and limit is not None:
        remaining = min(remaining, limit)
    return RateLimitHeaders(
        None if limit is None else int(limit),
        None if remaining is None else int(min(remaining, LARGEST_BELIEVED)),
        None if reset is None or reset > LONGEST_BELIEVED else reset,
    )


def wait_seconds(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait as an answer's headers state, 0 to 3600; None if they state nothing usable.

    Looked at in this order: `retry-after-ms`, `retry-after` (seconds or a date), then the reset of
    the limit.
    """
    seconds = retry_after(headers, now)
    return parse_rate_limit(headers).reset if seconds is None else seconds


def retry_after(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """Seconds as `retry-after-ms` or `retry-after` state, 0 to 3600; None without either.

    A date is counted from the answer's own `Date`, as this machine's clock may be wrong; `now` is
    for an answer that has none.
    """
    after = headers.get("retry-after")
    seconds = _number(headers.get("retry-after-ms"), scale=0.001)
    if seconds is None:
        seconds = _number(after)
    if seconds is None and (until := _date(after)) is not None:
        sent = _date(headers.get("date"))
        seconds = max(0.0, until - (now() if sent is None else sent))
    return None if seconds is None else min(seconds, LONGEST_BELIEVED)


def _number(text: str | None, scale: float = 1.0) -> float | None:
    try:
        value = float(text or "") * scale
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _date(text: str | None) -> float | None:
    """A date of HTTP, in any of its three forms (RFC 9110 §5.6.7), as seconds since 1970."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None

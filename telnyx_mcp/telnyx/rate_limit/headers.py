"""What an answer's headers tell of the rate limit.

Telnyx tells it in `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds
from now). Proxies and other versions use the forms of the IETF's draft: `RateLimit-Limit` and so on
(up to revision 6), or `RateLimit` beside `RateLimit-Policy` (from revision 7 on).

Sources: Telnyx, "Rate limiting" (development/api-fundamentals/reliability/rate-limiting);
draft-ietf-httpapi-ratelimit-headers; RFC 9110 §10.2.3 for `Retry-After`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite

LONGEST_BELIEVED = 3600.0
"""Seconds; a longer `Retry-After` is taken at this, a longer reset is not believed."""
LARGEST_BELIEVED = 10_000_000
"""Requests; a limit above this is not believed."""
LONGEST_READ = 1000
"""Characters of a list; no true one is longer."""

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RateLimitHeaders:
    """The limit as headers state it. A value that is missing or absurd is None."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    """Seconds until the count starts again, at most; usually whole seconds, rounded up."""
    window: float | None = None
    """Seconds for which `limit` counts, where a policy says so."""


def parse_rate_limit(headers: Headers) -> RateLimitHeaders:
    """The limit as the headers state it: in Telnyx's form, or else in a form of the IETF's draft."""
    for prefix in ("x-ratelimit-", "ratelimit-"):
        if f"{prefix}remaining" in headers or f"{prefix}reset" in headers:
            limits = list(_items(headers.get(f"{prefix}limit", "")))
            return _believed(
                _number(limits[0].bare if limits else None),
                _number(headers.get(f"{prefix}remaining")),
                _number(headers.get(f"{prefix}reset")),
                max((w for each in limits if (w := each.number("w")) is not None), default=None),
            )
    now = list(_items(headers.get("ratelimit", "")))
    if not now:
        return RateLimitHeaders()
    policies = list(_items(headers.get("ratelimit-policy", "")))
    if now[0].number("r") is None:
        return _revision_7({each.bare: each for each in now}, policies)
    # Several limits may hold at once: the one with least left decides.
    least = min(now, key=lambda each: each.number("r") or 0)
    policy = next((each for each in policies if each.bare == least.bare), None)
    return _believed(
        policy.number("q") if policy else None,
        least.number("r"),
        least.number("t"),
        policy.number("w") if policy else None,
    )


def wait_seconds(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait as an answer's headers tell, 0 to 3600; None when they tell nothing usable.

    Looked at in this order: `retry-after-ms`, `retry-after` (seconds or a date), then the reset of
    the limit.
    """
    seconds = retry_after(headers, now)
    return parse_rate_limit(headers).reset if seconds is None else seconds


def retry_after(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """Seconds as `retry-after-ms` or `retry-after` tell, 0 to 3600; None without either.

    A date is counted from the answer's own `Date`, as this machine's clock may be wrong; `now` is
    for an answer that has none.
    """
    after = headers.get("retry-after")
    seconds = _number(headers.get("retry-after-ms"), scale=0.001)
    if seconds is None:
        seconds = _number(after)
    if seconds is None and (until := _moment(after)) is not None:
        sent = _moment(headers.get("date"))
        seconds = max(0.0, until - (now() if sent is None else sent))
    return None if seconds is None else min(seconds, LONGEST_BELIEVED)


@dataclass(frozen=True, slots=True)
class _Item:
    """One member of a structured list (RFC 9651): `"default";r=50;t=30`, `limit=100`, `10;w=1`."""

    bare: str
    parameters: Mapping[str, str]

    def number(self, name: str) -> float | None:
        return _number(self.parameters.get(name))


_MEMBERS, _PARTS = (re.compile(rf'(?:[^{by}"]|"[^"]*")+') for by in ",;")


def _items(text: str) -> Iterator[_Item]:
    for member in _MEMBERS.findall(text[:LONGEST_READ]):
        bare, *parameters = _PARTS.findall(member) or [""]
        if bare := bare.strip():
            pairs = (each.partition("=") for each in parameters)
            yield _Item(bare.strip('"'), {k.strip(): v.strip() for k, _, v in pairs})


def _revision_7(now: Mapping[str, _Item], policies: list[_Item]) -> RateLimitHeaders:
    """`RateLimit: limit=100, remaining=50, reset=5` with `RateLimit-Policy: 100;w=60`."""
    pairs = dict(each.partition("=")[::2] for each in now)
    limit = _number(pairs.get("limit"))
    windows = {_number(each.bare): each.number("w") for each in policies}
    return _believed(
        limit, _number(pairs.get("remaining")), _number(pairs.get("reset")), windows.get(limit)
    )


def _believed(
    limit: float | None, remaining: float | None, reset: float | None, window: float | None
) -> RateLimitHeaders:
    """The same without what can't be."""
    if limit is not None and not 1 <= limit <= LARGEST_BELIEVED:
        limit = None
    if remaining is not None and limit is not None:
        remaining = min(remaining, limit)
    if reset is not None and reset > LONGEST_BELIEVED:
        reset = None
    if window is not None and not 0 < window <= LONGEST_BELIEVED:
        window = None
    if reset is None:
        reset = window  # the count starts again within it
    return RateLimitHeaders(
        None if limit is None else int(limit),
        None if remaining is None else int(min(remaining, LARGEST_BELIEVED)),
        reset,
        window,
    )


def _number(text: str | None, scale: float = 1.0) -> float | None:
    try:
        value = float(text or "") * scale
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _moment(text: str | None) -> float | None:
    """A date of HTTP, in any of its three forms (RFC 9110 §5.6.7), as seconds since 1970."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None

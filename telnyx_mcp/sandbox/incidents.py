"""What went wrong with the webhooks lately, as one table: when, and what every attempt met.

Days are counted back from today, so that the last two weeks always have something to find.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from telnyx_mcp.sandbox.business import CODES_URL_TYPO
from telnyx_mcp.sandbox.days import midnight

When = tuple[int, float]
"""Days before today, hours into that day (UTC)."""

TYPO_MADE: When = (12, 14.25)
TYPO_FIXED: When = (10, 9.5)


def from_today(today: date, when: When) -> datetime:
    """The moment that a `When` names."""
    days_back, hours = when
    return midnight(today - timedelta(days=days_back)) + timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Failure:
    """How one attempt fails: an answer with a status, or an error before any answer."""

    error: Any
    """An integer or an object: Telnyx documents the first and shows both."""
    seconds: float
    status: int | None = None
    body: str = ""


SERVER_ERROR = Failure(
    75499, 0.21, 500, "Internal Server Error: could not connect to database ivr-primary:5432"
)
UNKNOWN_HOST = Failure(
    {
        "code": "75001",
        "title": "Could not resolve name",
        "detail": "Unable to resolve the webhook URL domain name",
    },
    0.04,
)
EXPIRED_CERTIFICATE = Failure(
    {
        "code": "75006",
        "title": "TLS error",
        "detail": "The certificate presented by the webhook URL has expired",
    },
    0.12,
)
TIME_OUT = Failure(
    {
        "code": "75003",
        "title": "Timed out",
        "detail": "The webhook URL did not answer within 2000 ms",
    },
    2.0,
)
BUSY = Failure(75499, 0.09, 503, "upstream connect error or disconnect/reset before headers")


@dataclass(frozen=True, slots=True)
class Incident:
    """From `start` to `end`, this share of an endpoint's deliveries fails, in this way."""

    endpoint: str
    start: When
    end: When
    failure: Failure
    share: float = 1.0
    url: str | None = None
    """Where Telnyx delivers meanwhile, when the address itself was the mistake."""


INCIDENTS: tuple[Incident, ...] = (
    Incident("voice", (6, 0.0), (3, 0.0), SERVER_ERROR),
    Incident("codes", TYPO_MADE, TYPO_FIXED, UNKNOWN_HOST, url=CODES_URL_TYPO),
    Incident("fax", (17, 0.0), (15, 0.0), EXPIRED_CERTIFICATE),
    Incident("campaign", (90, 0.0), (0, 24.0), TIME_OUT, share=0.12),
)

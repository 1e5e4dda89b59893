"""Telnyx's clock, as its answers tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class ServerClock:
    """The time at Telnyx: this machine's, corrected by the `Date` of the newest answer.

    `now` is this machine's clock, in UTC.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._ahead = timedelta()

    def hear(self, date: str) -> None:
        """Takes in the `Date` header of an answer that has just come; what is not a date tells nothing."""
        try:
            told = parsedate_to_datetime(date)
            self._ahead = told.astimezone(UTC) - self._now()
        except (ValueError, TypeError, OverflowError):
            return

    def now(self) -> datetime:
        """The time at Telnyx, in UTC, to about a second."""
        return self._now() + self._ahead

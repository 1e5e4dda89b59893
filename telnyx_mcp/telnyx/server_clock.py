"""The time by Telnyx's clock, learned from the `Date` header of its answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache


def utc_now() -> datetime:
    return datetime.now(UTC)


@lru_cache(maxsize=4)  # it is asked for twice in every answer, and changes once a second
def http_date(text: str) -> datetime | None:
    """The moment that a `Date` header names, in UTC; None for anything else."""
    # With the first answer, as the import would delay the start.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class ServerClock:
    """Telnyx's clock, as far as it is known. `local` is this machine's."""

    def __init__(self, local: Callable[[], datetime] = utc_now) -> None:
        self._local = local
        self.offset: timedelta | None = None
        """Telnyx's time minus the local time, by the newest answer; None before the first.

        At most the true difference: the header has whole seconds and is written before the answer
        arrives. So `now()` is never in Telnyx's future.
        """

    def learn(self, date: datetime | None) -> None:
        """Takes the date of an answer that has just arrived."""
        if date is not None:
            self.offset = date - self._local()

    def now(self) -> datetime:
        """Telnyx's time in UTC; the local time while no answer had a date."""
        return self._local().astimezone(UTC) + (self.offset or timedelta())

"""The day of the tests, and a clock that they turn."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

TODAY = date(2026, 6, 15)
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


class Clock:
    """Shows `NOW` until time passes."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, **span: float) -> None:
        self.moment += timedelta(**span)

"""A clock that tests turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Shows noon of 15 June 2026 until time passes."""

    def __init__(self, moment: datetime = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, **span: float) -> None:
        self.moment += timedelta(**span)

"""Days and moments of the account's history, all in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)


def first_of_month(day: date, months: int = 0) -> date:
    """The first of the month `months` after (or, if negative, before) that of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def next_month_same_day(day: date) -> date:
    """One month later, on the same day or the month's last (31 January -> 28 February)."""
    start = first_of_month(day, 1)
    last = first_of_month(day, 2) - DAY
    return start.replace(day=min(day.day, last.day))


def months_between(start: date, end: date) -> Iterator[date]:
    """The first of every month in `[start, end)`, `start` being a first itself."""
    month = start
    while month < end:
        yield month
        month = first_of_month(month, 1)


def days_between(start: date, end: date) -> Iterator[date]:
    """Every day in `[start, end)`."""
    for ordinal in range(start.toordinal(), end.toordinal()):
        yield date.fromordinal(ordinal)


def midnight(day: date) -> datetime:
    """The first moment of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 with milliseconds and `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str) -> datetime:
    """A date (its first moment) or an RFC 3339 time, in UTC unless it says otherwise.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

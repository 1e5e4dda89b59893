"""Groups by time: the hour, day or month of a zone that a moment lies in, as text.

Hours carry their offset: where a clock goes back, the same hour comes twice in a day of 25 hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

TIMES: Mapping[str, str] = {"month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H:00"}
"""Groups by time, and how each is written."""
_HOUR = timedelta(hours=1)


def time_group(word: str, moment: datetime, zone: tzinfo) -> str:
    """Such as `2026-05`, `2026-05-01` or `2026-10-25T02:00+01:00`."""
    local = moment.astimezone(zone)
    text = local.strftime(TIMES[word])
    if word != "hour":
        return text
    return f"{text}{'Z' if zone is UTC else local.isoformat()[-6:]}"


def time_groups(word: str, start: datetime, end: datetime, zone: tzinfo) -> Iterator[str]:
    """Every group from `start` up to, but not including, `end`, in order. Hours begin with those of UTC."""
    moment, last = start.astimezone(UTC), ""
    while moment < end:
        text = time_group(word, moment, zone)
        if text != last:
            yield text
            last = text
        moment += _HOUR


def in_order(text: str) -> tuple[str, str]:
    """What groups by time are sorted by: 02:00+02:00 is earlier than 02:00+01:00."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(), text
    except (ValueError, OverflowError):
        return text, text


def is_whole_hours(start: datetime, end: datetime, zone: tzinfo) -> bool:
    """Whether all hours of the zone between two moments begin with those of UTC: not in India, and on Lord
    Howe Island in summer only."""
    moment, last = start.astimezone(UTC), end.astimezone(UTC)
    while moment < last:
        if not _is_whole_hour(moment, zone):
            return False
        moment += timedelta(days=1)
    return _is_whole_hour(last, zone)


def _is_whole_hour(moment: datetime, zone: tzinfo) -> bool:
    return not (moment.astimezone(zone).utcoffset() or timedelta()) % _HOUR

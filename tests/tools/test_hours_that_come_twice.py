"""Days of 23 and 25 hours, and the hour that comes twice: each hour carries its offset."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.support.time_groups import (
    in_order,
    is_whole_hours,
    time_group,
    time_groups,
)
from tests.support.client import call, content_of
from tests.support.scripted_telnyx import Scripted, answer

USAGE = "telnyx_summarize_usage"
DAYS = [
    ("Europe/Berlin", "2025-10-26", 25, "02", ["+02:00", "+01:00"]),
    ("Europe/Berlin", "2026-03-29", 23, "02", []),
    ("America/New_York", "2025-11-02", 25, "01", ["-04:00", "-05:00"]),
    ("America/New_York", "2026-03-08", 23, "02", []),
    ("America/Santiago", "2026-04-04", 25, "23", ["-03:00", "-04:00"]),
    ("America/Santiago", "2025-09-07", 23, "00", []),
    ("Europe/Berlin", "2026-05-01", 24, "02", ["+02:00"]),
]
"""A zone, a day, how many hours it has, and the offsets of one of them."""


def day_of(zone: str, day: str) -> tuple[datetime, datetime]:
    """The moments at which a day begins and ends."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    return midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)


async def usage(scripted: Scripted, server: AccountServer, rows: list[Any], **asked: Any) -> Any:
    product = {
        "product": "messaging",
        "product_dimensions": ["date_time", "currency"],
        "product_metrics": ["cost", "count"],
    }
    scripted.will(answer(200, {"data": [product]}), answer(200, {"data": rows}))
    return content_of(await call(server, USAGE, {"product": "messaging", "top": 48, **asked}))


def rows_of(start: datetime, end: datetime) -> list[Any]:
    """A row for each hour, which counts one more than the one before."""
    hours = int((end - start) / timedelta(hours=1))
    return [
        {
            "date_time": (start + timedelta(hours=each)).isoformat().replace("+00:00", "Z"),
            "currency": "USD",
            "cost": 1,
            "count": each + 1,
        }
        for each in range(hours)
    ]


@pytest.mark.parametrize(("zone", "day", "hours", "hour", "offsets"), DAYS)
async def test_a_day_has_as_many_hours_as_its_clock_shows_each_with_its_offset(
    scripted: Scripted,
    scripted_server: AccountServer,
    zone: str,
    day: str,
    hours: int,
    hour: str,
    offsets: list[str],
) -> None:
    start, end = day_of(zone, day)
    rows = rows_of(start, end)
    asked = {"period": day, "timezone": zone, "group_by": ["hour"]}
    told = await usage(scripted, scripted_server, rows, **asked)
    assert len(rows) == len(told["groups"]) == hours
    assert [each["count"] for each in told["groups"]] == list(range(1, hours + 1))
    named = [each["hour"] for each in told["groups"]]
    assert [each[16:] for each in named if each.startswith(f"{day}T{hour}:00")] == offsets
    begins = [datetime.fromisoformat(each) for each in named]
    assert begins == [start + timedelta(hours=each) for each in range(hours)]
    assert told["start_date"] == day
    query = parse_qs(urlsplit(scripted.requests[1].target).query)
    assert [query[name][0] for name in ("start_date", "end_date")] == [
        each.isoformat().replace("+00:00", "Z") for each in (start, end)
    ]


async def test_an_hour_that_comes_twice_can_be_asked_for_once_or_twice(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = rows_of(*day_of("Europe/Berlin", "2025-10-26"))
    asked = {"period": "2025-10-26", "timezone": "Europe/Berlin", "group_by": ["hour"]}
    for filter_, counts in {"02": 3 + 4, "02:00+02:00": 3, "02:00+01:00": 4}.items():
        filters = [f"hour=2025-10-26T{filter_}"]
        told = await usage(scripted, scripted_server, rows, **asked, filters=filters)
        assert told["all"]["count"] == counts


@pytest.mark.parametrize(
    ("day", "hours", "counts"),
    [
        # At 02:00 (+11:00) the clock goes back to 01:30 (+10:30).
        ("2026-04-05", 24.5, {"2026-04-05T01:00+11:00": 2, "2026-04-05T01:00+10:30": 1}),
        # At 02:00 (+10:30) it goes on to 02:30 (+11:00).
        ("2025-10-05", 23.5, {"2025-10-05T01:00+10:30": 2, "2025-10-05T02:00+11:00": 1}),
    ],
)
async def test_a_clock_that_is_set_by_half_an_hour(
    scripted: Scripted,
    scripted_server: AccountServer,
    day: str,
    hours: float,
    counts: dict[str, int],
) -> None:
    """On Lord Howe Island. Reports count by hours of UTC, so records are read, one for each half hour."""
    start, end = day_of("Australia/Lord_Howe", day)
    assert (end - start) / timedelta(hours=1) == hours
    moments = [start + timedelta(minutes=30 * each) for each in range(int(hours * 2))]
    records = [{"id": str(each), "created_at": each.isoformat()} for each in moments]
    told = await usage(
        scripted,
        scripted_server,
        records,
        period=day,
        timezone="Australia/Lord_Howe",
        group_by=["hour"],
    )
    assert told["source"] == "detail records"
    found = {each["hour"]: each["count"] for each in told["groups"]}
    assert counts.items() <= found.items()
    assert sum(found.values()) == len(moments)
    assert list(found) == sorted(found, key=datetime.fromisoformat)


@pytest.mark.parametrize(
    ("zone", "start", "end", "whole"),
    [
        ("Europe/Berlin", "2025-10-01", "2025-11-01", True),
        ("Asia/Kolkata", "2026-05-01", "2026-05-02", False),
        ("Australia/Lord_Howe", "2026-01-01", "2026-02-01", True),
        ("Australia/Lord_Howe", "2026-06-01", "2026-06-02", False),
        # Whole hours at both ends, and half ones in between.
        ("Australia/Lord_Howe", "2025-01-01", "2026-01-01", False),
    ],
)
def test_hours_of_a_zone_that_begin_with_those_of_utc_do_so_all_the_time(
    zone: str, start: str, end: str, whole: bool
) -> None:
    clock = ZoneInfo(zone)
    first, last = (datetime.fromisoformat(each).replace(tzinfo=clock) for each in (start, end))
    assert is_whole_hours(first, last, clock) == whole


ZONES = st.sampled_from(
    [
        UTC,
        *map(
            ZoneInfo,
            (
                "Europe/Berlin",
                "America/New_York",
                "America/Santiago",
                "Pacific/Apia",
                "Africa/Casablanca",
                "America/Havana",
            ),
        ),
    ]
)
MOMENTS = st.integers(0, 30 * 365 * 24).map(
    lambda hours: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)


@given(MOMENTS, st.integers(1, 80), ZONES)
def test_hours_are_told_apart_and_in_order(start: datetime, count: int, zone: Any) -> None:
    hours = list(time_groups("hour", start, start + timedelta(hours=count), zone))
    assert len(set(hours)) == len(hours) == count
    assert sorted(hours, key=in_order) == hours
    assert [datetime.fromisoformat(each) for each in hours] == [
        start + timedelta(hours=each) for each in range(count)
    ]


@given(MOMENTS, st.integers(1, 40), ZONES)
def test_days_have_23_to_25_hours_and_none_is_missing(
    start: datetime, count: int, zone: Any
) -> None:
    end = start + timedelta(days=count)
    hours = [start + timedelta(hours=each) for each in range(24 * count)]
    lengths = Counter(time_group("day", each, zone) for each in hours)
    assert list(lengths) == list(time_groups("day", start, end, zone))
    assert all(23 <= each <= 25 for each in list(lengths.values())[1:-1])

"""Periods as people say them."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.billing.periods import LONGEST_PART, Period, PeriodError, period_between, period_of

TODAY = date(2026, 6, 15)
"""A Monday."""


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("2026-05", "2026-05-01", "2026-06-01"),
        ("2026-5", "2026-05-01", "2026-06-01"),
        ("May 2026", "2026-05-01", "2026-06-01"),
        ("sept 2025", "2025-09-01", "2025-10-01"),
        ("2025-12", "2025-12-01", "2026-01-01"),
        ("2026-Q2", "2026-04-01", "2026-07-01"),
        ("2025q4", "2025-10-01", "2026-01-01"),
        ("Q1 2026", "2026-01-01", "2026-04-01"),
        ("2025", "2025-01-01", "2026-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-05-17", "2026-05-17", "2026-05-18"),
        ("today", "2026-06-15", "2026-06-16"),
        ("yesterday", "2026-06-14", "2026-06-15"),
        ("this week", "2026-06-15", "2026-06-22"),
        ("last week", "2026-06-08", "2026-06-15"),
        ("last month", "2026-05-01", "2026-06-01"),
        ("last_month", "2026-05-01", "2026-06-01"),
        ("  Last   MONTH ", "2026-05-01", "2026-06-01"),
        ("this month", "2026-06-01", "2026-07-01"),
        ("this quarter", "2026-04-01", "2026-07-01"),
        ("last quarter", "2026-01-01", "2026-04-01"),
        ("this year", "2026-01-01", "2027-01-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("month to date", "2026-06-01", "2026-06-16"),
        ("year to date", "2026-01-01", "2026-06-16"),
        ("last 7 days", "2026-06-09", "2026-06-16"),
        ("last_30_days", "2026-05-17", "2026-06-16"),
        ("the last 1 day", "2026-06-15", "2026-06-16"),
        ("last 2 weeks", "2026-06-01", "2026-06-15"),
        ("last 3 months", "2026-03-01", "2026-06-01"),
        ("past 7 days", "2026-06-09", "2026-06-16"),
        ("the previous month", "2026-05-01", "2026-06-01"),
        ("mtd", "2026-06-01", "2026-06-16"),
        ("YTD", "2026-01-01", "2026-06-16"),
        ("quarter to date", "2026-04-01", "2026-06-16"),
        ("May", "2026-05-01", "2026-06-01"),
        ("june", "2026-06-01", "2026-07-01"),
        ("July", "2025-07-01", "2025-08-01"),
        ("2026-04-01 to 2026-04-15", "2026-04-01", "2026-04-15"),
        ("2026-04-01/2026-04-15", "2026-04-01", "2026-04-15"),
        ("last-month", "2026-05-01", "2026-06-01"),
        ("lastmonth", "2026-05-01", "2026-06-01"),
        ("LastMonth", "2026-05-01", "2026-06-01"),
        ('"last month"', "2026-05-01", "2026-06-01"),
        ("previous-month", "2026-05-01", "2026-06-01"),
        ("the-last-month", "2026-05-01", "2026-06-01"),
        ("current-month", "2026-06-01", "2026-07-01"),
        ("thisweek", "2026-06-15", "2026-06-22"),
        ("year-to-date", "2026-01-01", "2026-06-16"),
        ("yeartodate", "2026-01-01", "2026-06-16"),
        ("7d", "2026-06-09", "2026-06-16"),
        ("7days", "2026-06-09", "2026-06-16"),
        ("30-days", "2026-05-17", "2026-06-16"),
        ("last7days", "2026-06-09", "2026-06-16"),
        ("last-7-days", "2026-06-09", "2026-06-16"),
        ("past_7_days", "2026-06-09", "2026-06-16"),
        ("last-7d", "2026-06-09", "2026-06-16"),
        ("2w", "2026-06-01", "2026-06-15"),
        ("3m", "2026-03-01", "2026-06-01"),
        ("3mo", "2026-03-01", "2026-06-01"),
        ("last-3-months", "2026-03-01", "2026-06-01"),
        ("2y", "2024-01-01", "2026-01-01"),
        ("may-2026", "2026-05-01", "2026-06-01"),
        ("may2026", "2026-05-01", "2026-06-01"),
        ("May_2026", "2026-05-01", "2026-06-01"),
        ("2026-may", "2026-05-01", "2026-06-01"),
        ("2026/05", "2026-05-01", "2026-06-01"),
        ("05/2026", "2026-05-01", "2026-06-01"),
        ("5.2026", "2026-05-01", "2026-06-01"),
        ("2026\u201105", "2026-05-01", "2026-06-01"),
        ("q1-2026", "2026-01-01", "2026-04-01"),
        ("2026q2", "2026-04-01", "2026-07-01"),
        ("Q12026", "2026-01-01", "2026-04-01"),
        ("2026-04-01..2026-04-15", "2026-04-01", "2026-04-15"),
        ("2026-04-01-to-2026-04-15", "2026-04-01", "2026-04-15"),
        ("2026-04-01_2026-04-15", "2026-04-01", "2026-04-15"),
        ("2026-04-01:2026-04-15", "2026-04-01", "2026-04-15"),
    ],
)
def test_a_period_is_what_people_mean_by_it(said: str, start: str, end: str) -> None:
    period = period_of(said, TODAY)
    assert (period.start.isoformat(), period.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    ("said", "tells"),
    [
        ("", "not a period"),
        ("soon", "last-month"),
        ("last", "not a period"),
        ("7", "not a"),
        ("last-week-of-may", "not a period"),
        ("0d", "must be 1 to 3660"),
        ("may-15", "not a period"),
        ("some day", "not a period"),
        ("2026-13", "not a date"),
        ("2026-02-30", "not a date"),
        ("2026-Q5", "not a period"),
        ("Mai 2026", "not a period"),
        ("ju 2026", "not a period"),
        ("2026-04-15 to 2026-04-01", "must be after"),
        ("2026-04-31 to 2026-05-02", "not a date"),
        ("last 0 days", "must be 1 to 3660"),
        ("last 9999 days", "must be 1 to 3660"),
        ("2026-07", "in the future"),
        ("2030", "in the future"),
        ("1999", "beyond"),
        ("0000", "not a date"),
        ("9999", "not a date"),
        ("x" * 500, "not a period"),
    ],
)
def test_an_invalid_period_is_refused_with_examples(said: str, tells: str) -> None:
    with pytest.raises(PeriodError, match=tells) as caught:
        period_of(said, TODAY)
    assert len(str(caught.value)) < 200


def test_an_end_is_not_included_and_the_error_says_so() -> None:
    with pytest.raises(PeriodError, match="the end is 2026-05-02"):
        period_between(date(2026, 5, 1), date(2026, 5, 1), TODAY)


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ("2026-05", "2026-04-01", "2026-05-01"),
        ("2026-03", "2026-02-01", "2026-03-01"),
        ("2026-01", "2025-12-01", "2026-01-01"),
        ("2026-Q1", "2025-10-01", "2026-01-01"),
        ("2025", "2024-01-01", "2025-01-01"),
        ("last 7 days", "2026-06-02", "2026-06-09"),
        ("yesterday", "2026-06-13", "2026-06-14"),
        ("last week", "2026-06-01", "2026-06-08"),
        ("year to date", "2025-01-01", "2025-06-16"),
        ("quarter to date", "2026-01-01", "2026-03-16"),
        ("month to date", "2026-05-01", "2026-05-16"),
    ],
)
def test_the_period_before_is_the_one_people_compare_with(said: str, start: str, end: str) -> None:
    before = period_of(said, TODAY).previous()
    assert (before.start.isoformat(), before.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    ("said", "today", "ends"),
    [
        ("year to date", date(2028, 2, 28), date(2027, 3, 1)),
        ("month to date", date(2026, 3, 30), date(2026, 3, 1)),
        ("month to date", date(2026, 3, 31), date(2026, 3, 1)),
        ("month to date", date(2026, 2, 28), date(2026, 2, 1)),
    ],
)
def test_a_day_that_the_earlier_month_lacks_is_its_end(said: str, today: date, ends: date) -> None:
    assert period_of(said, today).previous().end == ends


# --- properties ----------------------------------------------------------------------------------

DAYS = st.dates(date(2010, 1, 1), date(2040, 12, 31))
ZONES = st.sampled_from(
    [UTC, *map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"))]
)
PERIODS = st.builds(
    lambda start, days, zone: Period(start, start + timedelta(days=days), zone),
    DAYS,
    st.integers(1, 800),
    ZONES,
)


@given(PERIODS)
def test_the_parts_cover_a_period_exactly_and_none_is_too_long(period: Period) -> None:
    parts = list(period.parts())
    assert parts[0].start == period.start
    assert parts[-1].end == period.end
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert all(timedelta(0) < part.end - part.start <= LONGEST_PART for part in parts)
    assert sum(part.days for part in parts) == period.days


@given(PERIODS)
def test_the_period_before_ends_where_this_one_begins_and_is_of_its_kind(period: Period) -> None:
    before = period.previous()
    assert before.end == period.start
    assert before.start < before.end
    if period.start.day == period.end.day == 1:
        assert before.start.day == 1
        assert len(list(before.parts())) == len(list(period.parts()))
    else:
        assert before.days == period.days


@given(PERIODS)
def test_the_firsts_of_a_month_in_it_are_counted(period: Period) -> None:
    days = (period.start + timedelta(days=each) for each in range(period.days))
    assert period.month_starts == sum(day.day == 1 for day in days)


@given(PERIODS)
def test_the_instants_are_midnights_of_the_zone(period: Period) -> None:
    start, end = period.instants()
    assert start < end
    for moment, day in ((start, period.start), (end, period.end)):
        assert moment.date() == day
        assert (moment.hour, moment.minute, moment.tzinfo) == (0, 0, period.zone)
    hours = (end.astimezone(UTC) - start.astimezone(UTC)) / timedelta(hours=1)
    assert abs(hours - 24 * period.days) <= 24, "a zone may skip a day, Apia did"


@given(
    DAYS, st.sampled_from(["this", "last"]), st.sampled_from(["week", "month", "quarter", "year"])
)
def test_this_one_holds_today_and_the_last_one_ends_where_it_begins(
    today: date, which: str, unit: str
) -> None:
    this, last = period_of(f"this {unit}", today), period_of(f"last {unit}", today)
    assert this.start <= today < this.end
    assert last.end == this.start
    assert this.previous() == last
    assert period_of(f"{which} {unit}", today) == (this if which == "this" else last)


@given(DAYS, st.integers(1, 400))
def test_the_last_days_end_with_today_and_are_as_many(today: date, count: int) -> None:
    period = period_of(f"last {count} days", today)
    assert (period.days, period.end) == (count, today + timedelta(days=1))


@given(st.text(max_size=30))
def test_any_text_is_a_period_or_a_period_error(said: str) -> None:
    try:
        period = period_of(said, TODAY)
    except PeriodError:
        return
    assert period.start < period.end

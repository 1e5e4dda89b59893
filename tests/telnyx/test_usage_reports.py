"""Usage reports: what can be asked for, in which parts, and how their figures are read."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.telnyx.usage_reports import LONGEST_SPAN, UsageProduct, figure_of, rounded, spans

FIRST, LAST = (datetime(year, 1, 1) for year in (2024, 2026))  # noqa: DTZ001 - the strategy adds UTC


def product(dimensions: str = "currency date", metrics: str = "cost count") -> UsageProduct:
    return UsageProduct("messaging", tuple(dimensions.split()), tuple(metrics.split()))


@pytest.mark.parametrize(
    ("metrics", "money"),
    [
        ("count cost customer_carrier_fee", "cost"),
        ("uplink_data data_cost", "data_cost"),
        ("voice_cost data_cost", None),
        ("count parts", None),
        ("customer_carrier_fee", None),
    ],
)
def test_the_money_of_a_product_is_its_cost_or_its_only_metric_named_like_one(
    metrics: str, money: str | None
) -> None:
    assert product(metrics=metrics).money_metric == money


@pytest.mark.parametrize(
    ("dimensions", "coarsest"),
    [
        ("date tn currency", "currency"),
        ("tn date_time date", "date"),
        ("mcc date_time", "date_time"),
        ("mnc mcc", "mnc"),
        ("", None),
    ],
)
def test_the_dimension_with_the_fewest_rows_is_asked_for(
    dimensions: str, coarsest: str | None
) -> None:
    assert product(dimensions).coarsest_dimension == coarsest


@pytest.mark.parametrize(
    ("value", "figure"),
    [
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.666E-4", "0.0001666"),
        ("1e3", "1000"),
        ("-12.5", "-12.5"),
        (18088, "18088"),
        ("0", "0"),
        (None, None),
        (True, None),
        ("", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e999999", None),
        ("999999999999999.5", "999999999999999.5"),
        ("1000000000000000", None),
        (10**30, None),
        ("9e29", None),
        ("\uff11\uff12", None),
        ("1_000", None),
        ("12 USD", None),
        ([], None),
    ],
)
def test_a_figure_keeps_every_digit_and_anything_else_is_unknown(
    value: object, figure: str | None
) -> None:
    assert figure_of(value) == (None if figure is None else Decimal(figure))


def test_a_sum_is_rounded_once_so_that_the_noise_of_doubles_is_gone() -> None:
    noisy = [Decimal(repr(each)) for each in (0.1 + 0.2, 0.7 + 0.1)]
    assert rounded(sum(noisy, Decimal(0))) == Decimal("1.1")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_each_month_is_one_report_the_newest_first() -> None:
    assert spans(utc("2026-01-01"), utc("2026-04-01")) == [
        (utc("2026-03-01"), utc("2026-04-01")),
        (utc("2026-02-01"), utc("2026-03-01")),
        (utc("2026-01-01"), utc("2026-02-01")),
    ]


def test_a_month_with_the_hour_of_winter_time_takes_two_reports() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    october = datetime(2026, 10, 1, tzinfo=berlin), datetime(2026, 11, 1, tzinfo=berlin)
    assert len(spans(*october)) == 2


@given(
    st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST),
    st.timedeltas(timedelta(seconds=1), timedelta(days=800)),
)
def test_spans_cover_the_time_without_a_gap_and_none_is_too_long(
    start: datetime, length: timedelta
) -> None:
    parts = spans(start, start + length)[::-1]
    assert parts[0][0] == start
    assert parts[-1][1] == start + length
    assert all(until - since <= LONGEST_SPAN and until > since for since, until in parts)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(parts))


def test_no_time_takes_no_report() -> None:
    assert spans(utc("2026-06-15"), utc("2026-06-15")) == []
    assert spans(utc("2026-06-15"), utc("2026-06-14")) == []


def test_the_largest_figures_can_be_added_up_and_rounded() -> None:
    largest = figure_of("999999999999999." + "9" * 60)
    assert largest is not None
    total = sum([largest] * 200_000, Decimal(0))
    assert rounded(total) == Decimal("200000000000000000000.000000")

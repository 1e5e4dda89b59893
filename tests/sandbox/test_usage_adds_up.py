"""A usage report is the sum of the records that a search finds, to the last digit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.records import KINDS

Record = dict[str, Any]
TODAY = date(2026, 6, 17)
NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)
SMALL = Account(7, TODAY, records_per_day=25)
LARGE = Account(7, TODAY, records_per_month={"messaging": 10_000_000, "wireless": 30_000})

# By product: its record types, the field of its cost, and fields that a dimension shows as they are.
RECORDED: dict[str, tuple[tuple[str, ...], str, dict[str, str]]] = {
    "ai-voice-assistant": (("ai-voice-assistant",), "cost", {"assistant_id": "assistant_id"}),
    "amd": (("amd",), "cost", {"tags": "tags", "connection_id": "connection_id"}),
    "call-control": (("call-control",), "cost", {"direction": "direction"}),
    "conference": (("conference", "conference-participant"), "cost", {}),
    "fax-api": (("fax",), "cost", {"status": "status", "tags": "tags"}),
    "inference": (
        ("inference", "embedding", "inference-speech-to-text"),
        "cost",
        {"model": "model"},
    ),
    "media-storage": (("media_storage",), "cost", {"action_type": "action_type"}),
    "media-streaming": (("media-streaming",), "cost", {"tags": "tags"}),
    "messaging": (
        ("messaging",),
        "cost",
        {"profile_id": "profile_id", "direction": "direction", "message_type": "message_type"},
    ),
    "noise-suppression": (("noise-suppression",), "cost", {"engine": "engine"}),
    "recording": (("recording",), "cost", {"connection_id": "connection_id"}),
    "sip-trunking": (("sip-trunking",), "cost", {"tags": "tags", "direction": "direction"}),
    "siprec-client": (("siprec-client",), "cost", {"tags": "tags"}),
    "speech-to-text": (("stt",), "cost", {"transcription_engine": "transcription_engine"}),
    "text-to-speech": (("tts",), "cost", {"voice": "voice"}),
    "verify-2fa": (
        ("verify",),
        "verify_usage_fee",
        {"verification_status": "verification_status"},
    ),
    "webrtc": (("webrtc",), "cost", {"tags": "tags"}),
    "wireless": (("wireless",), "data_cost", {"sim_card_id": "sim_card_id", "mcc": "mcc"}),
}


def records_between(
    account: Account, record_type: str, start: datetime, end: datetime
) -> list[Record]:
    field = KINDS[record_type].time_field
    search = account.records.parse(
        [
            ("filter[record_type]", record_type),
            (f"filter[{field}][gte]", start.isoformat()),
            (f"filter[{field}][lt]", end.isoformat()),
        ]
    )
    first, total = account.records.page(search, 1, 50)
    return first if total <= 50 else account.records.page(search, 1, total)[0]


def summed(rows: list[Record], names: list[str], cost: str) -> dict[tuple[Any, ...], Decimal]:
    """Costs by group, without the noise, and without groups that cost nothing."""
    sums: dict[tuple[Any, ...], Decimal] = {}
    for row in rows:
        group = tuple(row.get(name) for name in names)
        sums[group] = sums.get(group, Decimal(0)) + Decimal(str(row.get(cost) or 0))
    return {group: round(value, 6) for group, value in sums.items() if round(value, 6)}


def reported(
    account: Account, product: str, names: list[str], cost: str, start: datetime, end: datetime
) -> list[Record]:
    metric = "data_cost" if product == "wireless" else "cost"
    query = [
        ("product", product),
        ("dimensions", ",".join(names)),
        ("metrics", metric),
        ("start_date", start.isoformat()),
        ("end_date", end.isoformat()),
    ]
    rows = account.usage.rows(account.usage.parse(query))
    return [{**row, cost: row[metric]} for row in rows]


Spans = st.tuples(
    st.datetimes(datetime(2026, 4, 20), datetime(2026, 6, 16), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(seconds=1), timedelta(days=8)),
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(RECORDED)), Spans)
def test_a_report_is_the_sum_of_the_records_whatever_the_product_period_and_group(
    data: st.DataObject, product: str, span: tuple[datetime, timedelta]
) -> None:
    record_types, cost, fields = RECORDED[product]
    offered = SMALL.usage.options(product)[0]["product_dimensions"]
    extra = [name for name in ("currency", "date", "record_type") if name in offered]
    names = data.draw(st.lists(st.sampled_from([*fields, *extra]), min_size=1, unique=True))
    start, end = span[0], min(span[0] + span[1], NOON)
    rows = []
    for record_type in record_types:
        time_field = KINDS[record_type].time_field
        for record in records_between(SMALL, record_type, start, end):
            day = datetime.fromisoformat(record[time_field]).astimezone(UTC).date().isoformat()
            told = f"{day}T00:00:00Z" if product == "call-control" else day
            known = {"currency": "USD", **record, "date": told, "record_type": record_type}
            rows.append(known | {name: record.get(field) for name, field in fields.items()})
    assert summed(reported(SMALL, product, names, cost, start, end), names, cost) == summed(
        rows, names, cost
    )


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(RECORDED)), st.integers(1, 30))
def test_a_report_is_the_sum_of_its_parts(product: str, days: int) -> None:
    metric = "data_cost" if product == "wireless" else "cost"
    name = SMALL.usage.options(product)[0]["product_dimensions"][0]
    start, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    middle = start + timedelta(days=days, hours=7, seconds=11)

    def cost(since: datetime, until: datetime) -> Decimal:
        rows = reported(SMALL, product, [name], metric, since, until)
        return sum((Decimal(str(row[metric])) for row in rows), Decimal(0))

    middle = min(middle, end - timedelta(seconds=1))
    assert round(cost(start, end), 6) == round(cost(start, middle) + cost(middle, end), 6)


def count_and_parts(
    account: Account, start: datetime, end: datetime, dimensions: str = "currency"
) -> tuple[int, float]:
    query = [("product", "messaging"), ("dimensions", dimensions), ("metrics", "count,parts")]
    query += [("start_date", start.isoformat()), ("end_date", end.isoformat())]
    rows = account.usage.rows(account.usage.parse(query))
    return sum(row["count"] for row in rows), sum(row["parts"] for row in rows)


def test_ten_million_records_a_month_are_exactly_that_many() -> None:
    start, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    assert count_and_parts(LARGE, start, end)[0] == 10_000_000
    assert count_and_parts(LARGE, start, end, "date,tn,status_v2")[0] == 10_000_000
    search = LARGE.records.parse(
        [("filter[record_type]", "messaging"), ("filter[date_range]", "last_month")]
    )
    assert LARGE.records.page(search, 1, 50)[1] == 10_000_000


def test_of_ten_million_records_a_minute_adds_up_to_its_records() -> None:
    start = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
    end = start + timedelta(minutes=1)
    records = records_between(LARGE, "messaging", start, end)
    assert len(records) > 100
    assert count_and_parts(LARGE, start, end) == (
        len(records),
        sum(record["parts"] for record in records),
    )
    names = ["profile_id", "direction"]
    assert summed(reported(LARGE, "messaging", names, "cost", start, end), names, "cost") == summed(
        records, names, "cost"
    )


def test_a_thousand_repeated_records_in_a_row_are_two_patterns() -> None:
    """Wherever they begin: a report over many whole patterns is their number times the pattern."""
    search = LARGE.records.parse(
        [
            ("filter[record_type]", "messaging"),
            ("sort", "created_at"),
            ("filter[date_range]", "last_month"),
        ]
    )
    parts = [
        sum(each["parts"] for each in LARGE.records.page(search, n, 500)[0]) for n in (1, 2, 3)
    ]
    assert len(set(parts)) == 1


def test_repeated_records_differ_in_their_ids_and_times() -> None:
    start = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
    records = records_between(LARGE, "messaging", start, start + timedelta(minutes=5))
    assert len(records) > 1000
    assert len({record["uuid"] for record in records}) == len(records)
    times = [record["created_at"] for record in records]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("name", "value", "matches"),
    [
        ("filter[direction]", "inbound", lambda record: record["direction"] == "inbound"),
        ("filter[parts][gte]", "2", lambda record: record["parts"] >= 2),
        ("filter[status]", "nothing", lambda record: False),
    ],
)
def test_a_filter_finds_any_page_among_ten_million_records(
    name: str, value: str, matches: Callable[[Record], bool]
) -> None:
    """All pages of a minute, from the first to the last, are what a look at each record finds."""
    start = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
    everything = records_between(LARGE, "messaging", start, start + timedelta(minutes=1))
    query = [
        ("filter[record_type]", "messaging"),
        ("filter[created_at][gte]", start.isoformat()),
        ("filter[created_at][lt]", (start + timedelta(minutes=1)).isoformat()),
        (name, value),
    ]
    search = LARGE.records.parse(query)
    wanted = [record for record in everything if matches(record)]
    total = LARGE.records.page(search, 1, 7)[1]
    pages = [LARGE.records.page(search, n, 7)[0] for n in range(1, -(-total // 7) + 1)]
    assert [record for page in pages for record in page] == wanted
    assert total == len(wanted)


def test_the_last_page_of_ten_million_records_is_there() -> None:
    search = LARGE.records.parse(
        [("filter[record_type]", "messaging"), ("filter[date_range]", "last_month")]
    )
    oldest, total = LARGE.records.page(search, 200_000, 50)
    assert total == 10_000_000
    assert oldest[-1]["created_at"].startswith("2026-05-01T00:00")
    assert LARGE.records.page(search, 200_001, 50)[0] == []


def test_a_number_of_all_record_types_is_shared_out_among_them() -> None:
    account = Account(7, TODAY, records_per_month=10_000_000)
    total = 0
    for record_type in KINDS:
        query = [("filter[record_type]", record_type), ("filter[date_range]", "last_month")]
        total += account.records.page(account.records.parse(query), 1, 1)[1]
    assert 9_999_900 < total <= 10_000_000

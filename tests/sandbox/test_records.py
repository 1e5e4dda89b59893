"""All 21 record types, and how they are searched."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.records import KINDS

REPLIED = {
    "messaging": "message_detail_record",
    "verify": "verification_detail_record",
    "wireless": "sim_card_usage",
    "media_storage": "media_storage",
    "amd": "amd_detail_record",
    "conference": "conference_detail_record",
    "conference-participant": "conference_participant_detail_record",
}


def search(client: httpx.Client, record_type: str, **params: Any) -> list[dict[str, Any]]:
    """Every record found, page by page; `__` in a name stands for a bracket."""
    query = {"filter[record_type]": record_type, "page[size]": "50"}
    for name, value in params.items():
        field, _, operator = name.partition("__")
        key = name if name == "sort" else f"filter[{field}]" + (f"[{operator}]" if operator else "")
        query[key] = value
    records: list[dict[str, Any]] = []
    for number in range(1, 40):
        answer = client.get("/detail_records", params={**query, "page[number]": str(number)})
        assert answer.status_code == 200, answer.text
        records += answer.json()["data"]
        if number >= answer.json()["meta"]["total_pages"]:
            break
    return records


def test_there_are_21_record_types() -> None:
    """As many as the documentation lists."""
    assert len(KINDS) == 21


@pytest.mark.parametrize("record_type", sorted(KINDS))
def test_every_record_type_can_be_searched(client: httpx.Client, record_type: str) -> None:
    """Its records name their type, lie in the range, and come newest first."""
    records = search(client, record_type, date_range="yesterday")
    assert records
    assert {each["record_type"] for each in records} == {REPLIED.get(record_type, record_type)}
    times = [each[KINDS[record_type].time_field] for each in records]
    assert times == sorted(times, reverse=True)
    if "-06:00" not in times[0]:
        assert {time[:10] for time in times} == {"2026-06-16"}


@pytest.mark.parametrize("record_type", ["call-control", "sip-trunking"])
def test_calls_have_no_created_at(client: httpx.Client, record_type: str) -> None:
    """They have three times of their own."""
    for record in search(client, record_type, date_range="yesterday"):
        assert "created_at" not in record
        assert record["started_at"] <= (record["answered_at"] or record["finished_at"])
        assert record["finished_at"]


def test_time_bounds_are_exact(client: httpx.Client) -> None:
    """`gte` and `lte` include their moment, `gt` and `lt` don't."""
    day = search(client, "fax", created_at__gte="2026-05-05", created_at__lt="2026-05-06")
    assert {each["created_at"][:10] for each in day} == {"2026-05-05"}
    moment = day[2]["created_at"]
    found = {
        operator: [
            each["id"]
            for each in search(
                client, "fax", **{"date_range": "last_60_days", f"created_at__{operator}": moment}
            )
        ]
        for operator in ("gte", "gt", "lte", "lt", "eq")
    }
    assert found["eq"] == [day[2]["id"]]
    assert set(found["gte"]) - set(found["gt"]) == {day[2]["id"]}
    assert set(found["lte"]) - set(found["lt"]) == {day[2]["id"]}
    assert not set(found["gte"]) & set(found["lt"])


def test_other_fields_filter_like_a_scan_by_hand(client: httpx.Client) -> None:
    """Text, numbers, decimals, booleans, lists and times."""
    everything = search(client, "messaging", date_range="yesterday")
    tests: list[tuple[str, str, Any]] = [
        ("direction", "inbound", lambda r: r["direction"] == "inbound"),
        ("parts__gte", "2", lambda r: r["parts"] >= 2),
        ("cost__gt", "0.007", lambda r: Decimal(r["cost"]) > Decimal("0.007")),
        ("cld__starts_with", "+14", lambda r: r["cld"].startswith("+14")),
        ("cld__ends_with", "9", lambda r: r["cld"].endswith("9")),
        ("profile_name__contains", "codes", lambda r: "codes" in r["profile_name"]),
        ("fteu", "false", lambda r: True),
        ("errors", "40008", lambda r: "40008" in r["errors"]),
        ("sent_at__lt", "2026-06-16T11:00:00-01:00", lambda r: r["sent_at"] < "2026-06-16T12"),
    ]
    for name, value, test in tests:
        found = search(client, "messaging", date_range="yesterday", **{name: value})
        assert found == [each for each in everything if test(each)], name
        assert found, name


def test_a_filter_without_a_range_looks_at_the_last_31_days() -> None:
    """So that an assistant that forgets the range is answered in a second, not after its patience."""
    records = Account(7, date(2026, 6, 17)).records
    query = [("filter[record_type]", "fax"), ("filter[direction]", "outbound")]
    bounded = records.parse([*query, ("filter[date_range]", "last_month")])
    assert records.parse(query).start.date() == date(2026, 5, 18)
    assert bounded.start.date() == date(2026, 5, 1)


def test_records_sort_by_any_field(client: httpx.Client) -> None:
    """Decimals as numbers; several keys with commas."""
    found = search(client, "sip-trunking", date_range="yesterday", sort="-cost,started_at")
    keys = [(-Decimal(each["cost"]), each["started_at"]) for each in found]
    assert keys == sorted(keys)
    oldest = search(client, "sip-trunking", date_range="yesterday", sort="started_at")
    assert oldest == search(client, "sip-trunking", date_range="yesterday")[::-1]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("today", "2026-06-17", "2026-06-17"),
        ("yesterday", "2026-06-16", "2026-06-16"),
        ("this_week", "2026-06-15", "2026-06-17"),
        ("last_week", "2026-06-08", "2026-06-14"),
        ("this_month", "2026-06-01", "2026-06-17"),
        ("last_month", "2026-05-01", "2026-05-31"),
        ("last_3_days", "2026-06-14", "2026-06-17"),
    ],
)
def test_date_ranges_mean_their_days(
    client: httpx.Client, name: str, first: str, last: str
) -> None:
    """Weeks begin on Monday, days in UTC."""
    days = {each["created_at"][:10] for each in search(client, "fax", date_range=name)}
    assert (min(days), max(days)) == (first, last)


@pytest.mark.parametrize("name", ["tomorrow", "next_week", "next_month"])
def test_the_future_is_empty(client: httpx.Client, name: str) -> None:
    """Though it can be asked for."""
    assert search(client, "messaging", date_range=name) == []


def test_recordings_belong_to_calls(client: httpx.Client) -> None:
    """What refers to a call refers to one that exists."""
    calls = {each["id"] for each in search(client, "call-control", date_range="yesterday")}
    recordings = search(client, "recording", date_range="yesterday")
    assert {each["call_session_id"] for each in recordings} <= calls


def test_a_finished_month_keeps_its_records_as_days_go_by() -> None:
    """Tomorrow's account remembers what today's has seen."""
    pages = []
    for day in (date(2026, 6, 15), date(2026, 6, 17)):
        records = Account(7, day).records
        span = [("filter[created_at][gte]", "2026-05-01"), ("filter[created_at][lt]", "2026-06-01")]
        found = records.parse([("filter[record_type]", "verify"), *span])
        pages.append(records.page(found, 5, 50))
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("record_type", "time_field"),
    [("recording", "started_at"), ("sip-trunking", "started_at"), ("stt", "start_time")],
)
def test_the_time_is_not_always_in_created_at(
    client: httpx.Client, record_type: str, time_field: str
) -> None:
    day = {f"{time_field}__gte": "2026-05-05", f"{time_field}__lt": "2026-05-06"}
    found = search(client, record_type, **day)
    assert {record[time_field][:10] for record in found} == {"2026-05-05"}
    assert "created_at" not in found[0]


@pytest.mark.parametrize("record_type", ["recording", "stt", "fax"])
def test_a_time_that_a_record_type_lacks_finds_nothing_where_its_fields_are_not_published(
    client: httpx.Client, record_type: str
) -> None:
    """Whatever else is asked; a time that is none is still 400, and so is a field of another kind."""
    assert search(client, record_type, joined_at__gte="2026-05-01") == []
    assert search(client, record_type, date_range="last_month", invoked_at__lt="2026-06-01") == []
    assert search(client, record_type, joined_at__gte="2026-05-01", sort="-joined_at") == []
    assert search(client, record_type, date_range="last_month")
    for name, value in (("joined_at", "May"), ("colour", "red")):
        params = {"filter[record_type]": record_type, f"filter[{name}]": value}
        assert client.get("/detail_records", params=params).status_code == 400


@pytest.mark.parametrize("record_type", ["messaging", "sip-trunking", "amd", "verify"])
def test_a_time_that_a_record_type_lacks_is_400_where_its_fields_are_published(
    client: httpx.Client, record_type: str
) -> None:
    params = {"filter[record_type]": record_type, "filter[joined_at][gte]": "2026-05-01"}
    assert client.get("/detail_records", params=params).status_code == 400


@pytest.mark.parametrize(("name", "other"), [("stt", "speech-to-text"), ("tts", "text-to-speech")])
def test_speech_has_two_names(client: httpx.Client, name: str, other: str) -> None:
    found = search(client, other, date_range="yesterday")
    assert found
    assert found == search(client, name, date_range="yesterday")


def test_most_customers_are_at_home_and_some_in_other_countries(client: httpx.Client) -> None:
    """A message's country, network, carrier and number belong together."""
    messages = search(client, "messaging", date_range="yesterday")
    other = {"inbound": ("source_country_code", "cli"), "outbound": ("country_code", "cld")}
    seen = Counter(
        (message[country], message["mcc"], message["carrier"])
        for message in messages
        for country, _ in [other[message["direction"]]]
    )
    countries = Counter(country for country, _, _ in seen.elements())
    assert countries.most_common(1)[0][0] == "US"
    assert len(countries) >= 5
    assert 0.7 < countries["US"] / len(messages) < 0.95
    networks = {(country, mcc) for country, mcc, _ in seen}
    assert len(networks) == len(countries)
    for message in messages:
        country, number = other[message["direction"]]
        begins = {"US": "+1", "CA": "+1416", "GB": "+44", "DE": "+49", "FR": "+33", "MX": "+52"}
        assert message[number].startswith(begins[message[country]])


def test_a_few_of_our_numbers_have_most_of_the_traffic_and_some_have_none() -> None:
    """Of those that the account has all month."""
    account = Account(7, date(2026, 6, 17))
    query = [("product", "messaging"), ("dimensions", "tn"), ("metrics", "count")]
    query += [("start_date", "2026-05-01"), ("end_date", "2026-06-01")]
    rows = account.usage.rows(account.usage.parse(query))
    counts = sorted((row["count"] for row in rows), reverse=True)
    assert sum(counts[: len(counts) // 10]) > 0.4 * sum(counts)
    held = {number.phone_number for number in account.numbers.active_on(date(2026, 5, 1))}
    idle = held - {row["tn"] for row in rows}
    assert 0.03 < len(idle) / len(held) < 0.2

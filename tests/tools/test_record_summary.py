"""`telnyx_summarize_detail_records`: counts and sums that are those of the raw records."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server import AccountServer, build_server
from telnyx_mcp.settings import Settings
from telnyx_mcp.telnyx import pagination
from telnyx_mcp.telnyx.pagination import Deduplicator
from telnyx_mcp.telnyx.usage import RECORD_TYPES, mark_of, time_fields
from telnyx_mcp.tools import tool
from telnyx_mcp.tools.grouping import MOST_GROUPS, Groups, shown
from tests import raw
from tests.conftest import NOW, Scripted, answer, call, complaint, connected, content_of, text_of

SUMMARY = "telnyx_summarize_detail_records"
MAY = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")


async def summed(server: AccountServer, record_type: str, **arguments: Any) -> dict[str, Any]:
    return content_of(
        await call(server, SUMMARY, {"record_type": record_type, "period": "2026-05"} | arguments)
    )


def of_may(sandbox: Sandbox, record_type: str) -> list[raw.Json]:
    return raw.records(sandbox, record_type, time_fields(record_type)[0], *MAY)


@pytest.mark.parametrize("record_type", RECORD_TYPES)
async def test_every_record_of_every_type_counts_once(
    server: AccountServer, sandbox: Sandbox, record_type: str
) -> None:
    told = await summed(server, record_type)
    records = of_may(sandbox, record_type)
    assert told["all"]["records"] == len(records)
    assert Decimal(told["all"].get("cost", "0")) == sum(map(raw.cost, records))
    assert told["all"].get("parts", 0) == sum(each.get("parts", 0) for each in records)
    assert told["all"].get("billed_seconds", 0) == sum(
        each.get("billed_sec", 0) for each in records
    )
    assert "note" not in told


@pytest.mark.parametrize(
    ("record_type", "group_by", "fields"),
    [
        ("messaging", ["status"], ["status"]),
        ("messaging", ["direction", "country"], ["direction", "country_code"]),
        ("messaging", ["profile", "carrier", "type"], ["profile_name", "carrier", "message_type"]),
        ("messaging", ["message_type"], ["message_type"]),
        ("call-control", ["connection", "direction"], ["connection_name", "direction"]),
        ("sip-trunking", ["hangup_cause"], ["hangup_cause"]),
        ("verify", ["status"], ["verification_status"]),
        ("wireless", ["sim_group_name"], ["sim_group_name"]),
    ],
)
async def test_groups_are_those_of_the_records(
    server: AccountServer,
    sandbox: Sandbox,
    record_type: str,
    group_by: list[str],
    fields: list[str],
) -> None:
    truth: defaultdict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    for record in of_may(sandbox, record_type):
        truth[tuple(str(record.get(field)) for field in fields)].append(raw.cost(record))
    told = await summed(server, record_type, group_by=group_by, top=100)
    rows = {tuple(row[name] for name in group_by): row for row in told["groups"]}
    assert rows.keys() == truth.keys()
    for key, costs in truth.items():
        assert (rows[key]["records"], Decimal(rows[key]["cost"])) == (len(costs), sum(costs))
    by_records = bool({"status", "error"} & set(group_by))
    order = [row["records"] if by_records else Decimal(row["cost"]) for row in told["groups"]]
    assert order == sorted(order, reverse=True)


async def test_days_and_hours_are_those_of_the_users_zone(
    settings: Settings, sandbox: Sandbox
) -> None:
    zone = ZoneInfo("America/New_York")
    there = settings.model_copy(update={"timezone": "America/New_York"})
    server = build_server(there, now=lambda: NOW)
    told = await summed(server, "messaging", group_by=["day"], top=100)
    hours = await summed(server, "messaging", group_by=["hour"], top=1)
    await server.accounts.aclose()
    records = raw.records(
        sandbox, "messaging", "created_at", "2026-05-01T04:00:00Z", "2026-06-01T04:00:00Z"
    )
    days: defaultdict[str, int] = defaultdict(int)
    for record in records:
        days[datetime.fromisoformat(record["created_at"]).astimezone(zone).date().isoformat()] += 1
    assert {row["day"]: row["records"] for row in told["groups"]} == days
    assert hours["groups"][0]["hour"].endswith(":00")


async def test_a_record_with_several_tags_counts_in_each_and_once_in_all(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [
        {"uuid": "1", "tags": "a, b", "cost": "1.00", "currency": "USD"},
        {"uuid": "2", "tags": "b", "cost": "0.50", "currency": "USD"},
        {"uuid": "3", "tags": "", "cost": "0.25", "currency": "USD"},
    ]
    scripted.will_answer({"data": rows})
    told = await summed(scripted_server, "messaging", group_by=["tag"])
    groups = {row["tag"]: (row["records"], row["cost"]) for row in told["groups"]}
    assert groups == {"a": (1, "1.00"), "b": (2, "1.50"), "(none)": (1, "0.25")}
    assert told["all"] == {"records": 3, "cost": "1.75", "currency": "USD"}
    assert "counts in each" in told["note"]


async def test_the_days_of_a_month_are_all_shown_in_their_order(server: AccountServer) -> None:
    told = await summed(server, "messaging", group_by=["day"])
    assert [row["day"] for row in told["groups"]] == [f"2026-05-{day:02}" for day in range(1, 32)]
    assert "rest" not in told


async def test_fewer_days_than_there_are_are_the_costliest_in_their_order(
    server: AccountServer,
) -> None:
    whole = await summed(server, "messaging", group_by=["day"])
    some = await summed(server, "messaging", group_by=["day"], top=4)
    costliest = sorted(whole["groups"], key=lambda row: -Decimal(row["cost"]))[:4]
    assert some["groups"] == sorted(costliest, key=lambda row: row["day"])


async def test_a_call_that_ended_as_it_should_has_no_error(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await summed(server, "sip-trunking", group_by=["error"])
    causes = Counter(each["hangup_cause"] for each in of_may(sandbox, "sip-trunking"))
    groups = {row["error"]: row["records"] for row in told["groups"]}
    assert groups.pop("(none)") == causes.pop("normal_clearing")
    assert groups == causes


async def test_what_failed_and_cost_nothing_is_not_lost_behind_what_cost_much(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [{"id": f"f{n}", "status": "failed", "cost": "0", "currency": "USD"} for n in range(9)]
    rows += [{"id": f"d{n}", "status": f"d{n}", "cost": "9", "currency": "USD"} for n in range(9)]
    scripted.will_answer({"data": rows})
    told = await summed(scripted_server, "recording", group_by=["status"], top=1)
    assert told["groups"][0]["status"] == "failed"


async def test_a_field_that_no_record_has_is_said_with_those_they_have(
    server: AccountServer,
) -> None:
    told = await summed(server, "call-control", group_by=["country", "direction"])
    assert "No record has country." in told["note"]
    assert "connection_name" in told["note"]


async def test_filters_that_nothing_matches_say_that_values_are_taken_as_written(
    server: AccountServer,
) -> None:
    told = await summed(server, "messaging", filters=["status=Failed"])
    assert told["all"] == {"records": 0}
    assert "as written" in told["note"]


async def test_of_messages_filters_know_the_names_they_are_grouped_by(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await summed(server, "messaging", filters=["country=US", "direction=outbound"])
    records = [
        each
        for each in of_may(sandbox, "messaging")
        if (each["country_code"], each["direction"]) == ("US", "outbound")
    ]
    assert told["all"]["records"] == len(records) > 0


@pytest.mark.parametrize(
    ("record_type", "filters"),
    [
        ("messaging", ["created_at>=2026-05-20"]),
        ("messaging", ["direction=outbound", "created_at<2026-05-20"]),
        ("call-control", ["started_at>=2026-05-20"]),
    ],
)
async def test_a_filter_that_the_period_would_undo_is_refused(
    server: AccountServer, sandbox: Sandbox, record_type: str, filters: list[str]
) -> None:
    asked = {"record_type": record_type, "period": "2026-05", "filters": filters}
    result = await call(server, SUMMARY, asked)
    assert result.is_error
    assert "start_date" in text_of(result)
    assert sandbox.requests == []


async def test_the_rest_is_one_row(server: AccountServer) -> None:
    whole = await summed(server, "messaging", group_by=["carrier"], top=100)
    some = await summed(server, "messaging", group_by=["carrier"], top=3)
    assert some["groups"] == whole["groups"][:3]
    rest = whole["groups"][3:]
    assert some["rest"]["groups"] == len(rest)
    assert some["rest"]["records"] == sum(row["records"] for row in rest)
    assert Decimal(some["rest"]["cost"]) == sum(Decimal(row["cost"]) for row in rest)


async def test_filters_narrow_what_is_counted(server: AccountServer, sandbox: Sandbox) -> None:
    told = await summed(server, "messaging", filters=["direction=outbound", "cost>=0.006"])
    records = [
        each
        for each in of_may(sandbox, "messaging")
        if each["direction"] == "outbound" and raw.cost(each) >= Decimal("0.006")
    ]
    assert told["all"]["records"] == len(records)


async def test_different_currencies_are_never_added(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [
        {"id": "1", "cost": "1.00", "currency": "USD"},
        {"id": "2", "cost": "2.00", "currency": "EUR"},
        {"id": "3", "cost": "0.001", "currency": "USD"},
    ]
    scripted.will_answer({"data": rows})
    told = await summed(scripted_server, "recording")
    assert told["all"]["costs"] == [
        {"cost": "2.00", "currency": "EUR"},
        {"cost": "1.001", "currency": "USD"},
    ]


async def test_a_walk_that_breaks_off_is_no_total_and_says_how_far_it_came(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, skip=2, times=None)
    told = await summed(server, "messaging", group_by=["status"])
    first = of_first_pages(sandbox, 100)
    assert told["all"]["records"] == 100
    assert Decimal(told["all"]["cost"]) == sum(map(raw.cost, first))
    assert told["note"].startswith("NO TOTAL: only 100 of ")
    assert first[-1]["created_at"][:19] in told["note"]


def of_first_pages(sandbox: Sandbox, count: int) -> list[raw.Json]:
    sandbox.faults.clear()
    records = of_may(sandbox, "messaging")
    return sorted(records, key=lambda each: str(each["created_at"]))[:count]


async def test_a_first_page_that_fails_is_an_error(server: AccountServer, sandbox: Sandbox) -> None:
    sandbox.fault("search_detail_records", "status", status=500, times=None)
    result = await call(server, SUMMARY, {"record_type": "messaging", "period": "2026-05"})
    assert result.is_error


async def test_pages_that_come_again_count_once(server: AccountServer, sandbox: Sandbox) -> None:
    sandbox.fault("search_detail_records", "stuck_page", times=None)
    told = await summed(server, "messaging")
    assert told["all"]["records"] == 50


async def test_records_that_moved_to_a_later_page_count_once(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    def page(*ids: int) -> Any:
        rows = [{"id": f"{number}", "cost": "0.01", "currency": "USD"} for number in ids]
        return answer(200, {"data": rows, "meta": {"total_pages": 4, "total_results": 150}})

    again = [*range(25, 50), *range(99, 74, -1)]
    scripted.will(page(*range(50)), page(*range(50, 100)), page(*again), page(*range(100, 150)))
    told = await summed(scripted_server, "recording")
    assert told["all"] == {"records": 150, "cost": "1.50", "currency": "USD"}
    assert "note" not in told


async def test_a_walk_ends_after_so_many_pages_and_says_where_to_go_on(
    scripted: Scripted, scripted_server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "MOST_RECORD_PAGES", 2)
    rows = [
        {"id": f"{row}", "created_at": f"2026-05-{row // 10 + 1:02}T10:00:00Z"}
        for row in range(100)
    ]
    meta = {"total_pages": 9, "total_results": 450}
    scripted.will(*(answer(200, {"data": rows[at : at + 50], "meta": meta}) for at in (0, 50)))
    told = await summed(scripted_server, "recording")
    assert told["all"]["records"] == 100
    assert "the most that one call reads" in told["note"]
    assert "start_date=2026-05-10, counting that day anew" in told["note"]
    assert len(scripted.requests) == 2


async def test_where_to_go_on_is_a_day_of_the_users_zone(
    settings: Settings, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "MOST_RECORD_PAGES", 1)
    there = {"timezone": "America/New_York", "base_url": scripted.base_url}
    server = build_server(settings.model_copy(update=there), now=lambda: NOW)
    rows = [{"id": str(row), "created_at": "2026-05-11T02:00:00Z"} for row in range(50)]
    meta = {"total_pages": 9, "total_results": 450}
    scripted.will_answer({"data": rows, "meta": meta})
    told = await summed(server, "recording")
    await server.accounts.aclose()
    assert "start_date=2026-05-10," in told["note"], "02:00 in UTC is the evening before there"


async def test_a_walk_ends_when_its_time_is_up(
    scripted: Scripted, scripted_server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "MANY_SECONDS", 0.0)
    scripted.will_answer({"data": []})
    asked = {"record_type": "recording", "period": "2026-05"}
    assert (await call(scripted_server, SUMMARY, asked)).is_error


async def test_seconds_of_a_call_stand_in_for_billed_ones_only_where_there_are_none(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [
        {"id": "1", "billed_sec": 60, "call_sec": 42},
        {"id": "2", "call_sec": "30"},
        {"id": "3", "parts": True, "billed_sec": "1.5"},
    ]
    scripted.will_answer({"data": rows})
    told = await summed(scripted_server, "conference")
    assert told["all"] == {"records": 3, "billed_seconds": 60, "call_seconds": 30}


async def test_records_that_share_an_id_are_records_of_their_own(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """An id may name the call that several legs belong to."""
    leg = {"id": "one call", "cost": "0.10", "currency": "USD", "direction": "inbound"}
    scripted.will_answer({"data": [leg, leg | {"direction": "outbound"}]})
    told = await summed(scripted_server, "sip-trunking")
    assert told["all"] == {"records": 2, "cost": "0.20", "currency": "USD"}


async def test_fewer_records_than_were_told_of_are_said(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    row = {"id": "1", "cost": "0.10", "currency": "USD"}
    scripted.will_answer({"data": [row], "meta": {"total_pages": 1, "total_results": 3}})
    told = await summed(scripted_server, "recording")
    assert told["note"].startswith("NO TOTAL: only 1 of 3 records were read (Telnyx gave no more)")


# --- the field that holds the time --------------------------------------------------------------

UNPROVEN = sorted(
    set(RECORD_TYPES)
    - {"messaging", "verify", "wireless", "media_storage", "amd"}
    - {"conference", "conference-participant"}
)


def queries(scripted: Scripted) -> list[dict[str, str]]:
    return [dict(parse_qsl(urlsplit(each.target).query)) for each in scripted.requests]


def by_time(query: dict[str, str]) -> str:
    """The field that the query filters by time; empty for one that does not."""
    return next((name[7:].partition("]")[0] for name in query if name.endswith("[gte]")), "")


def listing(*rows: raw.Json, total: int | None = None) -> Any:
    meta = {"total_pages": 1, "total_results": len(rows) if total is None else total}
    return answer(200, {"data": list(rows), "meta": meta})


@pytest.mark.parametrize("record_type", UNPROVEN)
async def test_records_that_the_likely_time_field_does_not_find_are_found_by_the_next(
    scripted: Scripted, scripted_server: AccountServer, record_type: str
) -> None:
    likely, other, *_ = time_fields(record_type)
    rows = [
        {"id": str(n), other: f"2026-05-1{n}T10:00:00Z", "cost": "0.10", "currency": "USD"}
        for n in range(3)
    ]
    scripted.will(listing(), listing(rows[0], total=3), listing(*rows))
    told = await summed(scripted_server, record_type, filters=["cost=0.10"])
    assert told["all"]["records"] == 3
    assert "NO TOTAL" not in told.get("note", "")
    asked = queries(scripted)
    assert [by_time(each) for each in asked] == [likely, "", other]
    assert asked[1]["page[size]"] == "1"
    assert asked[1]["filter[cost]"] == "0.10", "only the time is left out"


@pytest.mark.parametrize("record_type", UNPROVEN)
async def test_an_account_without_records_of_a_type_is_asked_once_more(
    scripted: Scripted, scripted_server: AccountServer, record_type: str
) -> None:
    scripted.will_answer({"data": [], "meta": {"total_pages": 0, "total_results": 0}})
    told = await summed(scripted_server, record_type)
    assert told["all"]["records"] == 0
    assert "NO TOTAL" not in told.get("note", "")
    assert [by_time(each) for each in queries(scripted)] == [time_fields(record_type)[0], ""]


async def test_a_type_whose_fields_are_published_is_asked_once(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will_answer({"data": []})
    await summed(scripted_server, "messaging")
    assert len(scripted.requests) == 1


async def test_records_that_no_time_field_finds_make_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    row = {"id": "1", "begun": "2026-05-10T10:00:00Z", "cost": "0.10", "currency": "USD"}
    scripted.will(listing(), listing(row), listing())
    told = await summed(scripted_server, "recording")
    assert told["note"].startswith("NO TOTAL: there are records, but created_at and started_at")
    assert len(scripted.requests) == 3, "the confirmation is asked for once"


async def test_a_field_that_holds_a_time_in_the_period_and_finds_nothing_makes_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """Telnyx may know the field and ignore the filter."""
    scripted.will(listing(), listing({"created_at": "2026-05-10T10:00:00Z"}), complaint(400))
    told = await summed(scripted_server, "recording")
    assert "NO TOTAL" in told["note"]


async def test_a_period_without_records_is_empty_though_others_have_some(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(listing(), listing({"created_at": "2026-04-10T10:00:00Z"}), listing())
    told = await summed(scripted_server, "recording")
    assert told["all"]["records"] == 0
    assert "NO TOTAL" not in told.get("note", "")


async def test_an_empty_page_that_could_not_be_confirmed_makes_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(listing(), complaint(403))
    asked = {"record_type": "recording", "period": "2026-05"}
    assert (await call(scripted_server, SUMMARY, asked)).is_error


async def test_who_asked_for_progress_hears_how_far_it_is(server: AccountServer) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def heard_of(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with connected(server) as client:
        await client.call_tool(
            SUMMARY, {"record_type": "messaging", "period": "2026-05"}, progress_callback=heard_of
        )
    assert heard
    assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)
    assert heard[-1][2] == f"{int(heard[-1][0])} of {int(heard[-1][1] or 0)} records"


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (1, 5, 4, 3, 2), (3, 1, 5, 2, 4)])
async def test_pages_in_any_order_come_to_the_same(
    scripted: Scripted, scripted_server: AccountServer, order: tuple[int, ...]
) -> None:
    def page(number: int) -> Any:
        rows = [
            {"id": f"{number}-{row}", "status": "ok", "cost": f"0.{number}", "currency": "USD"}
            for row in range(50)
        ]
        return answer(200, {"data": rows, "meta": {"total_pages": 5, "total_results": 250}})

    scripted.will(*map(page, order))
    told = await summed(scripted_server, "recording", group_by=["status"])
    assert told["all"] == {"records": 250, "cost": "75.00", "currency": "USD"}
    assert "note" not in told


async def test_a_time_field_that_a_type_lacks_is_replaced_by_the_next_likely_one(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    lacks = complaint(400, "10015", detail="Invalid filter")
    row = {"id": "1", "started_at": "2026-05-02T10:00:00Z", "cost": "1.00", "currency": "USD"}
    scripted.will(lacks, answer(200, {"data": [row]}))
    told = await summed(scripted_server, "stt", group_by=["day"])
    assert told["groups"][0]["day"] == "2026-05-02"
    assert "started_at" in scripted.requests[1].target


async def test_where_every_time_field_is_refused_the_first_refusal_is_told(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(complaint(400, detail="first refusal"), complaint(400, detail="second refusal"))
    result = await call(scripted_server, SUMMARY, {"record_type": "stt", "period": "2026-05"})
    assert result.is_error
    assert "first refusal" in text_of(result)
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "tells"),
    [
        ({"record_type": "sms"}, "messaging"),
        ({"group_by": ["a", "b", "c", "d"]}, "3 entries"),
        ({"group_by": ["day", "day"]}, "twice"),
        ({"filters": ["nonsense"]}, "field=value"),
        ({"top": 0}, "1 or more"),
        ({"period": "never"}, "is no period"),
    ],
)
async def test_what_cannot_be_meant_is_said_and_nothing_is_asked(
    server: AccountServer, sandbox: Sandbox, arguments: dict[str, Any], tells: str
) -> None:
    asked = {"record_type": "messaging", "period": "2026-05"} | arguments
    result = await call(server, SUMMARY, asked)
    assert result.is_error
    assert tells in text_of(result)
    assert sandbox.requests == []


async def test_nothing_found_is_a_total_of_nothing(server: AccountServer) -> None:
    told = await summed(server, "messaging", filters=["cli=+10000000000"], group_by=["day"])
    assert told["all"] == {"records": 0}
    assert told["groups"] == []


# --- grouping ------------------------------------------------------------------------------------

RECORDS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(0, 40).map(str)},
        optional={
            "status": st.sampled_from(["delivered", "failed"]),
            "cost": st.decimals(-5, 5, places=4).map(str),
            "currency": st.sampled_from(["USD", "EUR"]),
            "parts": st.integers(0, 5),
            "errors": st.lists(st.sampled_from(["40001", "40300"]), max_size=2, unique=True),
            "created_at": st.sampled_from(["2026-05-01T23:30:00Z", "2026-05-02T00:30:00+02:00"]),
        },
    ),
    max_size=40,
    unique_by=lambda each: each["id"],
)


@given(
    RECORDS,
    st.lists(st.sampled_from(["status", "day", "error", "nothing"]), unique=True, max_size=3),
    st.randoms(),
)
def test_order_and_repetition_change_nothing(
    records: list[raw.Json], by: list[str], chance: random.Random
) -> None:
    def told(rows: list[raw.Json]) -> Any:
        groups = Groups(by, UTC)
        for row in Deduplicator().new(rows, mark_of):
            groups.add(row)
        return shown(groups.all), groups.top(1000)[0]

    mixed = records + records[: len(records) // 2]
    chance.shuffle(mixed)
    assert told(mixed) == told(records)


@given(RECORDS)
def test_groups_of_one_field_add_up_to_all(records: list[raw.Json]) -> None:
    groups = Groups(["status"], UTC)
    for record in records:
        groups.add(record)
    rows, rest, _ = groups.top(1)
    parts = rows + ([shown(rest)] if rest else [])
    assert sum(row["records"] for row in parts) == groups.all.records == len(records)
    assert sum(row.get("parts", 0) for row in parts) == shown(groups.all).get("parts", 0)


def test_past_so_many_groups_the_others_are_one() -> None:
    groups = Groups(["n"], UTC)
    for number in range(MOST_GROUPS + 500):
        groups.add({"n": number, "cost": "0.01", "currency": "USD"})
    assert len(groups) == MOST_GROUPS + 1
    assert groups.too_many
    assert groups.all.records == MOST_GROUPS + 500
    rows, rest, others = groups.top(1)
    assert rows[0]["records"] == 1, "what came after them is no group that could be the largest"
    assert rest is not None
    assert (others, rest.records) == (MOST_GROUPS, MOST_GROUPS + 499)

"""`telnyx_summarize_usage`: one product's usage, whole, by group, from reports or from records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.clock import NOW
from tests.support.scripted_telnyx import Scripted, answer

USAGE = "telnyx_summarize_usage"
MAY = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")


async def usage(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, USAGE, arguments))


def costs_by(records: list[raw_api.Json], field: str) -> dict[str, tuple[int, Decimal]]:
    """How many records have each value of a field, and what they cost."""
    found: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for record in records:
        count, cost = found[str(record[field])]
        found[str(record[field])] = count + 1, cost + raw_api.cost(record)
    return found


# --- from usage reports ----------------------------------------------------------------------------


@pytest.mark.parametrize("product", ["messaging", "sms", "Text messages"])
async def test_a_product_is_added_up_whole_in_one_request_after_the_options(
    server: AccountServer, sandbox: Sandbox, product: str
) -> None:
    told = await usage(server, product=product, period="2026-05")
    records = raw_api.records(sandbox, "messaging", "created_at", *MAY)
    assert told["product"] == "messaging"
    assert told["source"] == "usage reports"
    assert told["all"]["count"] == len(records)
    assert told["all"]["parts"] == sum(record["parts"] for record in records)
    assert Decimal(told["all"]["cost"]) == sum(map(raw_api.cost, records))
    reports = [each for each in sandbox.requests if each.operation == "get_usage_report"]
    assert len(reports) == 1
    assert "part" not in told["all"]


@pytest.mark.parametrize(("group", "field"), [("direction", "direction"), ("type", "message_type")])
async def test_groups_are_those_of_the_records(
    server: AccountServer, sandbox: Sandbox, group: str, field: str
) -> None:
    told = await usage(server, product="messaging", period="2026-05", group_by=[group], top=100)
    truth = costs_by(raw_api.records(sandbox, "messaging", "created_at", *MAY), field)
    rows = {row[group]: (row["count"], Decimal(row["cost"])) for row in told["groups"]}
    assert rows == truth
    costs = [Decimal(row["cost"]) for row in told["groups"]]
    assert costs == sorted(costs, reverse=True)


async def test_numbers_are_the_accounts_own(server: AccountServer, sandbox: Sandbox) -> None:
    told = await usage(server, product="calls", period="2026-05", group_by=["number"], top=100)
    counts: dict[str, int] = defaultdict(int)
    for record in raw_api.records(sandbox, "sip-trunking", "started_at", *MAY):
        counts[record["cld" if record["direction"] == "inbound" else "cli"]] += 1
    for row in told["groups"]:
        assert row["count"] == counts[row["number"]]


async def test_every_day_is_there_in_order_also_one_without_usage(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await usage(server, product="messaging", period="2026-05", group_by=["day"])
    records = raw_api.records(sandbox, "messaging", "created_at", *MAY)
    days: dict[str, int] = {f"2026-05-{day:02}": 0 for day in range(1, 32)}
    for record in records:
        days[record["created_at"][:10]] += 1
    assert {row["day"]: row["count"] for row in told["groups"]} == days
    assert list(days) == [row["day"] for row in told["groups"]]


async def test_an_hour_without_usage_is_shown_as_zero(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(
        options(sms=(["date_time"], ["cost", "count"])),
        report({"date_time": "2026-05-01T03:00:00Z", "cost": 1.5, "count": 2}),
    )
    told = await usage(
        scripted_server, product="sms", period="2026-05-01", group_by=["hour"], top=24
    )
    assert len(told["groups"]) == 24
    assert told["groups"][3] == {"hour": "2026-05-01T03:00Z", "cost": "1.50", "count": 2}
    assert told["groups"][4] == {"hour": "2026-05-01T04:00Z", "cost": "0.00", "count": 0}


async def test_the_days_are_those_of_the_zone_that_is_asked_for(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await usage(
        server,
        product="sip-trunking",
        period="2026-05-10",
        group_by=["day"],
        timezone="America/New_York",
    )
    day = ("2026-05-10T04:00:00Z", "2026-05-11T04:00:00Z")
    records = raw_api.records(sandbox, "sip-trunking", "started_at", *day)
    assert told["zone"] == "America/New_York"
    assert told["groups"] == [
        {"day": "2026-05-10"}
        | {k: v for k, v in told["all"].items() if k not in ("currency", "part")}
    ]
    assert told["all"]["count"] == len(records)


async def test_a_time_to_the_second_may_be_asked_for(
    server: AccountServer, sandbox: Sandbox
) -> None:
    between = ("2026-05-10T08:00:00Z", "2026-05-10T17:30:00Z")
    told = await usage(server, product="messaging", start_date=between[0], end_date=between[1])
    records = raw_api.records(sandbox, "messaging", "created_at", *between)
    assert told["all"]["count"] == len(records)
    assert told["start_date"] == "2026-05-10T08:00:00+00:00"


@pytest.mark.parametrize(
    ("filters", "keeps"),
    [
        (["direction=outbound"], lambda r: r["direction"] == "outbound"),
        (["direction!=outbound"], lambda r: r["direction"] != "outbound"),
        (["status~sending"], lambda r: r["status"] == "gw_reject"),
        (["status=failed"], lambda r: r["status"] in ("failed", "gw_reject")),
        (["type=SMS", "type=MMS"], lambda r: r["message_type"] in ("SMS", "MMS")),
        (
            ["direction=outbound", "status!=delivered"],
            lambda r: r["direction"] == "outbound" and r["status"] != "delivered",
        ),
    ],
    ids=lambda each: "" if callable(each) else str(each),
)
async def test_filters_keep_what_they_name(
    server: AccountServer, sandbox: Sandbox, filters: list[str], keeps: Any
) -> None:
    told = await usage(server, product="messaging", period="2026-05", filters=filters)
    records = [r for r in raw_api.records(sandbox, "messaging", "created_at", *MAY) if keeps(r)]
    assert told["all"]["count"] == len(records)
    assert Decimal(told["all"]["cost"]) == sum(map(raw_api.cost, records))


async def test_a_filter_that_nothing_passes_says_how_to_find_the_values(
    server: AccountServer,
) -> None:
    told = await usage(server, product="messaging", period="2026-05", filters=["status=sent"])
    assert told["all"]["count"] == 0
    assert "group_by shows which values there are" in told["note"]


async def test_rates_say_what_was_delivered_and_what_a_part_cost(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = (await usage(server, product="messaging", period="2026-05"))["all"]
    records = raw_api.records(sandbox, "messaging", "created_at", *MAY)
    out = [record for record in records if record["direction"] == "outbound"]
    delivered = sum(record["status"] == "delivered" for record in out)
    assert told["delivered_percent"] == f"{delivered / len(out) * 100:.1f}"
    assert told["cost_per_part"] == f"{Decimal(told['cost']) / told['parts']:.5f}"


async def test_two_times_are_compared_and_groups_show_what_they_were(
    server: AccountServer,
) -> None:
    told = await usage(
        server,
        product="messaging",
        period="2026-05",
        compare_to="previous",
        group_by=["direction"],
    )
    april = await usage(server, product="messaging", period="2026-04", group_by=["direction"])
    compared = told["compared"]
    assert (compared["start_date"], compared["end_date"]) == ("2026-04-01", "2026-05-01")
    assert compared["all"] == april["all"]
    change = Decimal(told["all"]["cost"]) - Decimal(april["all"]["cost"])
    assert Decimal(compared["cost_USD"]["change"]) == change
    was = {row["direction"]: row["cost"] for row in april["groups"]}
    assert {row["direction"]: row["cost_was"] for row in told["groups"]} == was


async def test_any_metric_may_be_added_up_alone(server: AccountServer, sandbox: Sandbox) -> None:
    told = await usage(server, product="calls", period="2026-05", sum=["billed seconds"])
    records = raw_api.records(sandbox, "sip-trunking", "started_at", *MAY)
    assert told["all"] == {"billed_seconds": sum(record["billed_sec"] for record in records)}


async def test_ids_come_with_their_names(server: AccountServer, sandbox: Sandbox) -> None:
    told = await usage(server, product="calls", period="2026-05", group_by=["connection"])
    names = {each.id: each.name for each in sandbox.account.business.connections}
    assert told["groups"]
    assert all(row["connection_name"] == names[row["connection"]] for row in told["groups"])


async def test_names_that_cannot_be_read_do_not_fail_the_answer(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("list_connections", "status", status=403, times=None)
    told = await usage(server, product="calls", period="2026-05", group_by=["connection"])
    assert told["groups"]
    assert all("connection_name" not in row for row in told["groups"])


async def test_a_running_time_says_until_when(server: AccountServer) -> None:
    told = await usage(server, product="messaging", period="this month", group_by=["day"])
    assert told["usage_until"] == "2026-06-15T11:55:00Z"
    assert [row["day"] for row in told["groups"]][-1] == "2026-06-15"


async def test_months_of_a_year_are_read_one_report_each(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await usage(server, product="fax", period="2025", group_by=["month"])
    assert [row["month"] for row in told["groups"]] == [f"2025-{m:02}" for m in range(1, 13)]
    reports = [each for each in sandbox.requests if each.operation == "get_usage_report"]
    assert len(reports) == 12
    total = sum(Decimal(row["cost"]) for row in told["groups"])
    assert total == Decimal(told["all"]["cost"])


@pytest.mark.parametrize(
    ("product", "group"),
    [("messaging", "direction"), ("calls", "connection"), ("verify", "day"), ("fax", "day")],
)
async def test_a_period_is_the_sum_of_its_days_and_of_its_groups(
    server: AccountServer, product: str, group: str
) -> None:
    whole = await usage(server, product=product, period="2026-05-04 to 2026-05-07")
    days = [
        await usage(server, product=product, period=f"2026-05-0{day}", group_by=[group], top=100)
        for day in (4, 5, 6)
    ]
    for name, amount in whole["all"].items():
        if name in ("cost", "count", "parts", "billed_seconds", "connected", "pages"):
            of_days = sum(Decimal(str(day["all"][name])) for day in days)
            of_groups = sum(Decimal(str(row[name])) for day in days for row in day["groups"])
            assert of_days == of_groups == Decimal(str(amount)), name


@pytest.fixture(scope="module")
def large_account() -> Iterator[Sandbox]:
    with running_sandbox(
        today=NOW.date(), rate_limit=None, records_per_month=10_000_000
    ) as sandbox:
        yield sandbox


async def test_ten_million_records_are_read_whole_in_two_requests(
    large_account: Sandbox, settings: Settings
) -> None:
    large = settings.model_copy(update={"base_url": large_account.base_url})
    server = build_server(large, now=lambda: NOW)
    told = await usage(server, product="messaging", period="2026-05", group_by=["day"])
    await server.accounts.aclose()
    assert len(large_account.requests) == 2
    asked = {"filter[record_type]": "messaging"} | {
        "filter[created_at][gte]": MAY[0],
        "filter[created_at][lt]": MAY[1],
    }
    counted = raw_api.get(large_account, "detail_records", asked | {"page[size]": 1})["meta"]
    assert told["all"]["count"] == counted["total_results"] > 4_000_000
    assert sum(row["count"] for row in told["groups"]) == told["all"]["count"]


# --- what is missing -------------------------------------------------------------------------------


def options(**named: tuple[list[str], list[str]]) -> Any:
    products = {"sms": "messaging"}
    return answer(
        200,
        {
            "data": [
                {
                    "product": products.get(name, name),
                    "product_dimensions": dimensions,
                    "product_metrics": metrics,
                    "record_types": None,
                }
                for name, (dimensions, metrics) in named.items()
            ]
        },
    )


def report(*rows: dict[str, Any], **meta: int) -> Any:
    return answer(200, {"data": list(rows), "meta": meta})


async def test_a_month_that_fails_makes_the_sum_a_part_and_is_named(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report", "status", status=500, skip=1, times=1)
    told = await usage(server, product="messaging", period="2026-Q1", group_by=["month"])
    assert told["all"]["part"] is True
    assert all(row["part"] is True for row in told["groups"])
    assert "PART ONLY: usage from 2026-02-01 to 2026-03-01 could not be read" in told["note"]
    january, march = [
        len(raw_api.records(sandbox, "messaging", "created_at", f"{a}T00:00:00Z", f"{b}T00:00:00Z"))
        for a, b in (("2026-01-01", "2026-02-01"), ("2026-03-01", "2026-04-01"))
    ]
    assert told["all"]["count"] == january + march


async def test_a_figure_that_cannot_be_read_is_counted_and_never_zero(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(
        options(sms=(["direction"], ["cost", "count"])),
        report(
            {"direction": "outbound", "cost": 1.5, "count": 2},
            {"direction": "inbound", "cost": None, "count": 3},
        ),
    )
    told = await usage(scripted_server, product="sms", period="2026-05", group_by=["direction"])
    assert told["all"] == {"cost": "1.50", "currency": "unknown", "count": 5, "part": True}
    assert [row.get("part", False) for row in told["groups"]] == [True, False]
    assert "1 rows have no readable cost" in told["note"]


async def test_the_failure_is_reported_if_nothing_can_be_read(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report", "status", status=500, times=None)
    result = await call(server, USAGE, {"product": "messaging", "period": "2026-05"})
    assert result.is_error
    assert "500" in text_of(result)


async def test_telnyxs_own_list_is_handed_on_where_the_options_were_wrong(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    listed = "Available dimensions values for messaging: " + ", ".join(
        f"one_{n}" for n in range(40)
    )
    refusal = {
        "errors": [{"code": "10003", "title": "Dimensions invalid values", "detail": listed}]
    }
    scripted.will(options(sms=(["direction"], ["cost"])), answer(400, refusal))
    result = await call(scripted_server, USAGE, {"product": "sms", "period": "2026-05"})
    assert result.is_error
    assert "one_39" in text_of(result)


# --- from detail records ---------------------------------------------------------------------------


async def test_what_reports_cannot_distinguish_is_read_from_records(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await usage(server, product="messaging", period="yesterday", group_by=["error"])
    day = ("2026-06-14T00:00:00Z", "2026-06-15T00:00:00Z")
    records = raw_api.records(sandbox, "messaging", "created_at", *day)
    assert told["source"] == "detail records"
    assert told["all"]["count"] == len(records)
    errors = [error for record in records for error in record["errors"] or ["(none)"]]
    assert {row["error"]: row["count"] for row in told["groups"]} == {
        each: errors.count(each) for each in set(errors)
    }


async def test_filters_of_records_are_those_of_reports(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"product": "messaging", "period": "yesterday", "filters": ["direction!=inbound"]}
    told = await usage(server, group_by=["from"], **arguments)
    of_reports = await usage(server, **arguments)
    assert told["source"] == "detail records"
    assert told["all"]["count"] == of_reports["all"]["count"]
    assert told["all"]["cost"] == of_reports["all"]["cost"]


async def test_more_records_than_a_call_can_read_are_counted_and_the_reports_groups_named(
    large_account: Sandbox, settings: Settings
) -> None:
    large = settings.model_copy(update={"base_url": large_account.base_url})
    server = build_server(large, now=lambda: NOW)
    arguments = {"product": "sms", "period": "2026-05", "group_by": ["error"]}
    before = len(large_account.requests)
    result = await call(server, USAGE, arguments)
    await server.accounts.aclose()
    assert result.is_error
    said = text_of(result)
    assert "can't be grouped by error" in said
    assert "carrier" in said
    assert "4,3" in said, "how many there are"
    assert len(large_account.requests) - before <= 2


async def test_a_record_type_without_reports_is_read_from_its_records(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await usage(server, product="embedding", period="yesterday")
    day = ("2026-06-14T00:00:00Z", "2026-06-15T00:00:00Z")
    records = raw_api.records(sandbox, "embedding", "created_at", *day)
    assert told["source"] == "detail records"
    assert told["all"]["count"] == len(records)


@pytest.mark.parametrize(
    ("arguments", "tells"),
    [
        ({"period": "2026-05"}, "`product` is required"),
        ({"product": "sms"}, "Give either period"),
        ({"product": "sms", "period": "2026-05", "start_date": "2026-05-01"}, "Give either period"),
        ({"product": "sms", "start_date": "2026-05-01"}, "end_date is missing"),
        ({"product": "sms", "start_date": "2026-05-02T10:00:00"}, "must name its zone"),
        ({"product": "sms", "period": "2026-07"}, "in the future"),
        ({"product": "sms", "period": "2026-05", "timezone": "Europe/Berlim"}, "Europe/Berlin?"),
        ({"product": "sms", "period": "2026-05", "group_by": ["day", "date"]}, "twice"),
        ({"product": "sms", "period": "2026-05", "group_by": ["a", "b", "c", "d"]}, "3"),
        ({"product": "sms", "period": "2026-05", "filters": ["cost>5"]}, "name=value"),
        ({"record_type": "sms", "period": "2026-05"}, "Use product"),
    ],
)
async def test_invalid_input_is_reported_and_nothing_is_asked(
    server: AccountServer, sandbox: Sandbox, arguments: dict[str, Any], tells: str
) -> None:
    result = await call(server, USAGE, arguments)
    assert result.is_error
    assert tells in text_of(result)
    assert sandbox.requests == []


async def test_an_unknown_product_is_answered_with_those_there_are(server: AccountServer) -> None:
    result = await call(server, USAGE, {"product": "mesaging", "period": "2026-05"})
    assert result.is_error
    assert "Did you mean messaging" in text_of(result)
    assert "sip-trunking" in text_of(result)


async def test_a_metric_that_a_product_lacks_is_answered_with_those_it_has(
    server: AccountServer,
) -> None:
    arguments = {"product": "messaging", "period": "2026-05", "sum": ["pages"]}
    result = await call(server, USAGE, arguments)
    assert result.is_error
    assert "don't add up pages" in text_of(result)
    assert "parts" in text_of(result)


async def test_the_tool_of_before_names_this_one(server: AccountServer) -> None:
    result = await call(server, "telnyx_summarize_detail_records", {"record_type": "messaging"})
    assert result.is_error
    assert "telnyx_summarize_usage" in text_of(result)


async def test_a_default_answer_takes_few_tokens(server: AccountServer) -> None:
    result = await call(
        server, USAGE, {"product": "messaging", "period": "2026-05", "group_by": ["day"]}
    )
    assert about_tokens(text_of(result)) <= 2_000


async def test_last_nights_hours_in_the_users_zone(settings: Settings, sandbox: Sandbox) -> None:
    berlin = settings.model_copy(update={"timezone": "Europe/Berlin"})
    server = build_server(berlin, now=lambda: datetime(2026, 6, 14, 23, 30, tzinfo=UTC))
    told = await usage(server, product="calls", period="yesterday", group_by=["hour"], top=24)
    await server.accounts.aclose()
    assert (told["today"], told["start_date"]) == ("2026-06-15", "2026-06-14")
    day = ("2026-06-13T22:00:00Z", "2026-06-14T22:00:00Z")
    assert told["all"]["count"] == len(raw_api.records(sandbox, "sip-trunking", "started_at", *day))
    assert [row["hour"] for row in told["groups"]] == [
        f"2026-06-14T{hour:02}:00+02:00" for hour in range(24)
    ]


async def test_days_of_a_zone_of_half_hours_are_read_from_records(
    settings: Settings, sandbox: Sandbox
) -> None:
    """The hour from 18:00 to 19:00 UTC belongs to two days of India."""
    server = build_server(settings, now=lambda: NOW)
    arguments = {
        "product": "calls",
        "period": "2026-06-10 to 2026-06-12",
        "timezone": "Asia/Kolkata",
    }
    told = await usage(server, **arguments, group_by=["day"])
    whole = await usage(server, **arguments)
    await server.accounts.aclose()
    assert (told["source"], whole["source"]) == ("detail records", "usage reports")
    for day in (10, 11):
        between = (f"2026-06-{day - 1:02}T18:30:00Z", f"2026-06-{day}T18:30:00Z")
        records = raw_api.records(sandbox, "sip-trunking", "started_at", *between)
        (row,) = (row for row in told["groups"] if row["day"] == f"2026-06-{day}")
        assert row["count"] == len(records)
    assert told["all"]["count"] == whole["all"]["count"]


async def test_days_of_a_zone_of_half_hours_say_what_reports_can_answer(
    large_account: Sandbox, settings: Settings
) -> None:
    large = settings.model_copy(
        update={"base_url": large_account.base_url, "timezone": "Asia/Kolkata"}
    )
    server = build_server(large, now=lambda: NOW)
    result = await call(server, USAGE, {"product": "sms", "period": "2026-05", "group_by": ["day"]})
    await server.accounts.aclose()
    assert result.is_error
    assert "timezone=UTC" in text_of(result)


async def test_groups_by_status_have_no_delivered_share(server: AccountServer) -> None:
    arguments = {"product": "messaging", "period": "2026-05"}
    by_status = await usage(server, **arguments, group_by=["status"])
    by_type = await usage(server, **arguments, group_by=["type"])
    assert all("delivered_percent" not in row for row in by_status["groups"])
    assert any("delivered_percent" in row for row in by_type["groups"])


async def test_one_kind_of_message_is_a_group_and_no_product(server: AccountServer) -> None:
    """`mms` must not be answered with all messages."""
    result = await call(server, USAGE, {"product": "mms", "period": "2026-05"})
    assert result.is_error
    told = await usage(server, product="messaging", period="2026-05", filters=["type=MMS"])
    everything = await usage(server, product="messaging", period="2026-05")
    assert 0 < told["all"]["count"] < everything["all"]["count"]


async def test_records_that_match_no_filter_are_reported(server: AccountServer) -> None:
    told = await usage(server, product="sms", period="yesterday", filters=["to=+4930123456"])
    assert told["source"] == "detail records"
    assert told["all"] == {"count": 0}
    assert "Nothing matches the filters" in told["note"]

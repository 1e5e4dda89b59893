"""`telnyx_summarize_spend`: figures that add up, and that say what they cover."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server import AccountServer, build_server
from telnyx_mcp.settings import Settings
from telnyx_mcp.telnyx.usage import RECORD_TYPES, time_fields
from telnyx_mcp.tokens import about_tokens
from tests import raw
from tests.conftest import Scripted, answer, call, complaint, content_of, text_of

SPEND = "telnyx_summarize_spend"
FIRSTS = [f"{year}-{month:02}-01" for year in (2025, 2026) for month in range(1, 13)]
MONTHS = dict(zip(FIRSTS, pairwise(FIRSTS), strict=False))


async def spend(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, SPEND, arguments))


def check(told: Mapping[str, Any], truth: Mapping[str, Decimal]) -> None:
    """Every figure that was told, against Telnyx's own."""
    expected = {
        "total": truth["grand_total"],
        "recurring": truth["new_mrc"] + truth["existing_mrc"],
        "one_time": truth["new_otc"],
        "other": truth["other"],
        "credits": truth["credits"],
        "adjustments": truth["ledger_adjustments"],
    }
    for name, amount in expected.items():
        assert Decimal(told.get(name, "0")) == amount, name
    lines = sum(map(Decimal, told["lines"].values()))
    assert lines + expected["credits"] + expected["adjustments"] == expected["total"]


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ("2026-05", ["2026-05-01"]),
        ("last month", ["2026-05-01"]),
        ("2025-02", ["2025-02-01"]),
        ("2026-Q1", ["2026-01-01", "2026-02-01", "2026-03-01"]),
        ("2025", FIRSTS[:12]),
    ],
)
async def test_the_charges_of_a_period_are_those_of_its_months(
    server: AccountServer, sandbox: Sandbox, period: str, months: list[str]
) -> None:
    told = await spend(server, period=period)
    (charges,) = told["charges"]
    check(charges, raw.charged(sandbox, *(MONTHS[first] for first in months)))
    assert charges["currency"] == "USD"
    assert told["today"] == "2026-06-15"
    assert "usage (messages, calls, ...) is not in them" in told["note"]


async def test_two_days_name_a_period_and_its_parts_add_up_to_it(
    server: AccountServer, sandbox: Sandbox
) -> None:
    parts = [
        ("2026-03-10", "2026-04-01"),
        ("2026-04-01", "2026-05-01"),
        ("2026-05-01", "2026-05-20"),
    ]
    told = await spend(server, start_date="2026-03-10", end_date="2026-05-20")
    check(told["charges"][0], raw.charged(sandbox, *parts))
    asked = [dict(each.query) for each in sandbox.requests[:3]]
    assert sorted((each["start_date"], each["end_date"]) for each in asked) == parts


async def test_two_months_are_compared_in_money_and_percent(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await spend(server, period="2026-05", compare_to="previous")
    may, april = (raw.charged(sandbox, MONTHS[first]) for first in ("2026-05-01", "2026-04-01"))
    compared = told["compared"]
    assert (compared["start_date"], compared["end_date"]) == ("2026-04-01", "2026-05-01")
    (row,) = compared["differences"]
    change = may["grand_total"] - april["grand_total"]
    assert Decimal(row["total"]["was"]) == april["grand_total"]
    assert Decimal(row["total"]["change"]) == change
    assert row["total"]["percent"] == f"{change / april['grand_total'] * 100:+.1f}%"


async def test_the_lines_that_changed_most_are_compared_too(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await spend(server, period="2026-05", compare_to="previous")
    lines = told["compared"]["differences"][0]["lines"]
    may, april = (raw.lines(sandbox, *MONTHS[first]) for first in ("2026-05-01", "2026-04-01"))
    names = may.keys() | april.keys()
    changes = {name: may.get(name, Decimal(0)) - april.get(name, Decimal(0)) for name in names}
    assert lines
    for name, row in lines.items():
        assert Decimal(row["was"]) == april.get(name, Decimal(0))
        assert Decimal(row["change"]) == changes[name]
    left_out = [abs(change) for name, change in changes.items() if name not in lines]
    assert max(left_out, default=Decimal(0)) <= min(abs(changes[name]) for name in lines)


@pytest.mark.parametrize("compare_to", ["2025-05", "2025-05-01/2025-06-01", "May 2025"])
async def test_a_period_may_be_compared_with_any_other(
    server: AccountServer, compare_to: str
) -> None:
    told = await spend(server, period="2026-05", compare_to=compare_to)
    assert told["compared"]["start_date"] == "2025-05-01"
    assert told["compared"]["end_date"] == "2025-06-01"
    assert "firsts of a month" not in told["note"]


@pytest.mark.parametrize(
    ("period", "compare_to"), [("last 7 days", "last 20 days"), ("2026-05", "2025")]
)
async def test_periods_that_monthly_charges_fall_into_unequally_often_say_so(
    server: AccountServer, period: str, compare_to: str
) -> None:
    told = await spend(server, period=period, compare_to=compare_to)
    assert "firsts of a month" in told["note"]


async def test_a_comparison_that_cannot_be_had_costs_nobody_the_answer(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=422, skip=1, times=None)
    told = await spend(server, period="2026-05", compare_to="previous")
    assert told["charges"][0]["total"] == "583.55"
    assert "differences" not in told["compared"]
    assert "compared with" in told["note"]


async def test_usage_beside_a_comparison_says_that_it_is_not_compared(
    server: AccountServer,
) -> None:
    told = await spend(server, period="2026-05", compare_to="previous", usage=["fax"])
    assert "usage is not compared" in told["note"]


async def test_a_range_that_leaves_out_the_last_day_of_a_month_says_so(
    server: AccountServer,
) -> None:
    told = await spend(server, start_date="2026-05-01", end_date="2026-05-31")
    assert "end_date=2026-06-01" in told["note"]


async def test_usage_is_added_up_by_record_type_and_kept_apart(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await spend(server, period="2026-05", usage=["all"])
    (used,) = told["usage"]
    total = Decimal(0)
    for record_type in RECORD_TYPES:
        records = raw.records(
            sandbox,
            record_type,
            time_fields(record_type)[0],
            "2026-05-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
        )
        costs = sum(map(raw.cost, records))
        total += costs
        row = used["by_type"].get(record_type)
        if row is None:
            assert costs == 0
            continue
        assert (row["records"], Decimal(row["cost"])) == (len(records), costs)
    assert Decimal(used["total"]) == total
    assert Decimal(told["charges"][0]["total"]) == Decimal("583.55"), "usage is not in the charges"
    assert "usage_incomplete" not in told


async def test_the_days_are_those_of_the_users_zone(settings: Settings, sandbox: Sandbox) -> None:
    berlin = settings.model_copy(update={"timezone": "Europe/Berlin"})
    server = build_server(berlin, now=lambda: datetime(2026, 5, 31, 23, 30, tzinfo=UTC))
    told = await spend(server, period="yesterday", usage=["messaging"])
    await server.accounts.aclose()
    assert (told["today"], told["start_date"]) == ("2026-06-01", "2026-05-31")
    assert told["zone"] == "Europe/Berlin"
    assert "Days of charges are Telnyx's" in told["note"]
    records = raw.records(
        sandbox, "messaging", "created_at", "2026-05-30T22:00:00Z", "2026-05-31T22:00:00Z"
    )
    assert told["usage"][0]["by_type"]["messaging"]["records"] == len(records)


async def test_a_part_that_cannot_be_had_is_named_and_no_total_is_told(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=500, skip=1)
    told = await spend(server, period="2026-Q1")
    (charges,) = told["charges"]
    assert "total" not in charges
    assert "part_total" in charges
    assert "No total of the period" in told["note"]
    quarter = ("2026-01-01", "2026-02-01", "2026-03-01")
    missing = [first for first in quarter if f"{first} to" in told["note"]]
    assert len(missing) == 1
    had = [MONTHS[first] for first in quarter if first not in missing]
    assert Decimal(charges["part_total"]) == raw.charged(sandbox, *had)["grand_total"]


async def test_what_is_not_whole_is_compared_with_nothing(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=500, skip=4)
    told = await spend(server, period="2026-Q1", compare_to="previous")
    assert "differences" not in told["compared"]
    assert "No total of the period" in told["note"]


async def test_usage_with_fewer_records_than_were_told_of_is_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    row = {"id": "1", "cost": "0.10", "currency": "USD"}
    records = answer(200, {"data": [row], "meta": {"total_pages": 1, "total_results": 3}})
    scripted.will(summary("USD", "10.00"), records)
    told = await spend(scripted_server, period="2026-05", usage=["recording"])
    assert told["usage"][0]["part_total"] == "0.10"
    assert told["usage_incomplete"]["recording"].startswith("1 of 3 records")


async def test_usage_with_a_cost_that_is_no_amount_is_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [{"id": "1", "cost": "0.10", "currency": "USD"}, {"id": "2", "cost": "ten"}]
    scripted.will(summary("USD", "10.00"), answer(200, {"data": rows}))
    told = await spend(scripted_server, period="2026-05", usage=["recording"])
    assert told["usage"][0]["part_total"] == "0.10"
    assert "the cost of 1 is no amount" in told["usage_incomplete"]["recording"]


async def test_types_of_which_not_all_was_read_are_named_to_be_asked_for_alone(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    nothing = answer(200, {"data": []})
    scripted.will(summary("USD", "10.00"), nothing, nothing, complaint(403))
    told = await spend(scripted_server, period="2026-05", usage=["fax", "verify"])
    assert 'ask for usage=["verify"] alone' in told["note"]


async def test_where_nothing_can_be_had_the_failure_is_told(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=500, times=None)
    result = await call(server, SPEND, {"period": "2026-Q1"})
    assert result.is_error
    assert "500" in text_of(result)


async def test_usage_that_breaks_off_is_no_total_and_says_how_far_it_came(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, skip=3, times=None)
    told = await spend(server, period="2026-05", usage=["messaging"])
    (used,) = told["usage"]
    assert "total" not in used
    assert "part_total" in used
    why = told["usage_incomplete"]["messaging"]
    # Pages are asked for ahead, so that the three that came need not be the first three.
    assert re.match(r"(50|100|150) of ", why)
    assert "until 2026-05-" in why
    assert "no total" in told["note"]


async def test_records_that_come_twice_count_once(server: AccountServer, sandbox: Sandbox) -> None:
    sandbox.fault("search_detail_records", "stuck_page", times=None)
    told = await spend(server, period="2026-05", usage=["messaging"])
    assert told["usage"][0]["by_type"]["messaging"]["records"] == 50


def summary(currency: str, total: str, **more: str) -> Any:
    figures = dict.fromkeys(
        ("new_mrc", "new_otc", "existing_mrc", "other", "credits", "ledger_adjustments"), "0.00"
    )
    return answer(
        200,
        {
            "data": {
                "currency": currency,
                "summary": {"lines": [], "adjustments": []},
                "total": figures | {"existing_mrc": total, "grand_total": total} | more,
            }
        },
    )


async def test_different_currencies_are_never_added(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00"), summary("EUR", "7.00"), summary("USD", "5.00"))
    told = await spend(scripted_server, period="2026-Q1")
    assert [(each["currency"], each["total"]) for each in told["charges"]] == [
        ("EUR", "7.00"),
        ("USD", "15.00"),
    ]


async def test_a_currency_that_only_one_period_has_is_compared_with_nothing(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00"), summary("EUR", "7.00"))
    told = await spend(scripted_server, period="2026-05", compare_to="previous")
    euros, dollars = told["compared"]["differences"]
    assert euros["total"] == {"was": "7.00", "change": "-7.00", "percent": "-100.0%"}
    assert dollars["total"] == {"was": "0.00", "change": "+10.00"}


async def test_no_percent_is_told_of_what_was_less_than_nothing(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00"), summary("USD", "10.00", credits="-5.00"))
    told = await spend(scripted_server, period="2026-05", compare_to="previous")
    (row,) = told["compared"]["differences"]
    assert row["credits"] == {"was": "-5.00", "change": "+5.00"}


async def test_it_says_when_telnyxs_own_parts_do_not_add_up(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00", other="1.00"))
    told = await spend(scripted_server, period="2026-05")
    assert told["charges"][0]["total"] == "10.00"
    assert "do not add up" in told["note"]


@pytest.mark.parametrize("amount", ["ten", "NaN", "1e400x", "Infinity"])
async def test_a_figure_that_is_no_amount_is_never_taken_for_nothing(
    scripted: Scripted, scripted_server: AccountServer, amount: str
) -> None:
    scripted.will(summary("USD", "10.00", credits=amount))
    result = await call(scripted_server, SPEND, {"period": "2026-05"})
    assert result.is_error
    assert "no amount" in text_of(result)


async def test_a_summary_without_a_total_is_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will_answer({"data": {"currency": "USD"}})
    result = await call(scripted_server, SPEND, {"period": "2026-05"})
    assert result.is_error


async def test_a_key_that_may_not_read_records_still_has_its_charges(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00"), complaint(403))
    told = await spend(scripted_server, period="2026-05", usage=["messaging"])
    assert told["charges"][0]["total"] == "10.00"
    assert told["usage_incomplete"].keys() == {"messaging"}


@pytest.mark.parametrize(
    ("arguments", "tells"),
    [
        ({}, "give either period"),
        ({"period": "2026-05", "start_date": "2026-05-01"}, "give either period"),
        ({"period": "2026-05", "end_date": "2026-06-01"}, "goes with start_date"),
        ({"start_date": "2026-05-01"}, "end_date is missing"),
        ({"start_date": "2026-05-01", "end_date": "2026-05-01"}, "must be after"),
        ({"period": "soon"}, "last month"),
        ({"period": "2026-07"}, "in the future"),
        ({"period": "2026-05", "compare_to": "before"}, "is no period"),
        ({"period": "2026-05", "usage": ["sms"]}, "messaging"),
    ],
)
async def test_what_cannot_be_meant_is_said_and_nothing_is_asked(
    server: AccountServer, sandbox: Sandbox, arguments: dict[str, Any], tells: str
) -> None:
    result = await call(server, SPEND, arguments)
    assert result.is_error
    assert tells in text_of(result)
    assert sandbox.requests == []


async def test_a_period_that_goes_on_says_so(server: AccountServer) -> None:
    assert "not over yet" in (await spend(server, period="this month"))["note"]


@pytest.mark.parametrize(
    "more", [{}, {"compare_to": "previous"}, {"usage": ["all"]}], ids=["alone", "compared", "usage"]
)
async def test_what_did_we_spend_in_may_is_one_call_of_few_tokens(
    server: AccountServer, more: dict[str, Any]
) -> None:
    result = await call(server, SPEND, {"period": "2026-05", **more})
    assert about_tokens(text_of(result)) <= 600


@pytest.mark.parametrize(
    ("today", "month"),
    [
        ("2026-06-15", ("2026-05-01", "2026-06-01")),
        ("2026-06-01", ("2026-05-01", "2026-06-01")),
        ("2026-03-03", ("2026-02-01", "2026-03-01")),
    ],
)
async def test_the_balance_says_how_long_it_lasts_when_asked(
    settings: Settings, sandbox: Sandbox, today: str, month: tuple[str, str]
) -> None:
    now = datetime.fromisoformat(f"{today}T12:00:00Z")
    server = build_server(settings, now=lambda: now)
    told = content_of(await call(server, "telnyx_get_balance", {"include_runway": True}))
    await server.accounts.aclose()
    costs = (
        raw.cost(record)
        for record_type in RECORD_TYPES
        for record in raw.records(
            sandbox,
            record_type,
            time_fields(record_type)[0],
            f"{now.date() - timedelta(days=7)}T00:00:00Z",
            f"{today}T00:00:00Z",
        )
    )
    days = (date.fromisoformat(month[1]) - date.fromisoformat(month[0])).days
    daily = raw.charged(sandbox, month)["grand_total"] / days + sum(costs, Decimal(0)) / 7
    runway = told["runway"]
    assert Decimal(runway["spent_per_day"]) == daily.quantize(Decimal("0.01"))
    assert runway["basis"] == f"charges of {month[0][:7]}, usage of the 7 days before today"
    for name in ("balance", "available_credit"):
        left = int(Decimal(told[name]) / daily)
        assert runway[f"{name}_lasts"] == f"about {left} days"


async def test_of_many_records_a_few_spread_over_the_week_make_the_runway(
    scripted: Scripted, scripted_server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telnyx_mcp.tools.balance.RECORD_TYPES", ["messaging"])
    balance = {"balance": "90.00", "available_credit": "190.00", "currency": "USD"}

    def page(number: int) -> Any:
        row = {"cost": f"0.0{number}", "currency": "USD"}
        meta = {"total_pages": 280, "total_results": 14_000}
        return answer(200, {"data": [row] * 50, "meta": meta})

    scripted.will(answer(200, {"data": balance}), summary("USD", "31.00"), *map(page, range(1, 5)))
    told = content_of(await call(scripted_server, "telnyx_get_balance", {"include_runway": True}))
    # 14,000 records at 0.025 are 350.00 in seven days, beside 1.00 a day.
    assert told["runway"] == {
        "spent_per_day": "51.00",
        "basis": "charges of 2026-05, usage of the 7 days before today, estimated from a sample of "
        "the records",
        "balance_lasts": "less than 2 days",
        "available_credit_lasts": "about 3 days",
    }
    asked = [parse_qs(urlsplit(each.target).query) for each in scripted.requests[2:]]
    assert [each["page[number]"] for each in asked] == [["1"], ["94"], ["187"], ["280"]]


@pytest.mark.parametrize("meta", [{}, {"total_pages": 9}])
async def test_of_records_that_nobody_counted_no_runway_is_made_up(
    scripted: Scripted,
    scripted_server: AccountServer,
    monkeypatch: pytest.MonkeyPatch,
    meta: dict[str, int],
) -> None:
    monkeypatch.setattr("telnyx_mcp.tools.balance.RECORD_TYPES", ["messaging"])
    balance = {"balance": "90.00", "currency": "USD"}
    records = {"data": [{"cost": "1.00", "currency": "USD"}] * 50, "meta": meta}
    scripted.will(answer(200, {"data": balance}), summary("USD", "31.00"), answer(200, records))
    told = content_of(await call(scripted_server, "telnyx_get_balance", {"include_runway": True}))
    assert "messaging" in told["runway"]["unknown"]


async def test_a_type_that_is_refused_is_named_beside_the_runway(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=403, times=1)
    runway = content_of(await call(server, "telnyx_get_balance", {"include_runway": True}))[
        "runway"
    ]
    assert len(runway["not_counted"]) == 1
    assert "spent_per_day" in runway


async def test_spending_in_another_currency_than_the_balance_makes_no_runway(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    balance = {"balance": "10.00", "currency": "USD"}
    nothing = answer(200, {"data": []})
    scripted.will(answer(200, {"data": balance}), summary("EUR", "31.00"), nothing)
    told = content_of(await call(scripted_server, "telnyx_get_balance", {"include_runway": True}))
    assert told["runway"] == {"unknown": "spending is in EUR, the balance in USD"}


async def test_the_balance_alone_is_one_request(server: AccountServer, sandbox: Sandbox) -> None:
    assert "runway" not in content_of(await call(server, "telnyx_get_balance"))
    assert len(sandbox.requests) == 1


async def test_where_recent_spending_cannot_be_read_no_runway_is_made_up(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("search_detail_records", "status", status=500, times=1)
    told = content_of(await call(server, "telnyx_get_balance", {"include_runway": True}))
    assert "unknown" in told["runway"]
    assert told["balance"] == "384.60"

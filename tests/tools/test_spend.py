"""`telnyx_summarize_spend`: the whole bill, and an answer that says what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer

SPEND = "telnyx_summarize_spend"
FIRSTS = [f"{year}-{month:02}-01" for year in (2025, 2026) for month in range(1, 13)]
MONTHS = dict(zip(FIRSTS, pairwise(FIRSTS), strict=False))


async def spend(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, SPEND, arguments))


def spent_in(told: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an account with one currency."""
    (row,) = told["spent"]
    return dict(row)


def expected(sandbox: Sandbox, *months: tuple[str, str]) -> dict[str, Decimal]:
    """The figures of some months, from Telnyx's raw answers."""
    charged = raw_api.charged(sandbox, *months)
    used: dict[str, Decimal] = {}
    for month in months:
        for product, cost in raw_api.usage(sandbox, *month).items():
            used[product] = used.get(product, Decimal(0)) + cost
    figures: dict[str, Decimal] = {
        "usage": sum(used.values(), Decimal(0)),
        "recurring": charged["new_mrc"] + charged["existing_mrc"],
        "one_time": charged["new_otc"],
        "other": charged["other"],
    }
    return figures | {
        "charged": sum(figures.values(), Decimal(0)),
        "credits": charged["credits"],
        "adjustments": charged["ledger_adjustments"],
    }


def check(row: Mapping[str, Any], figures: Mapping[str, Decimal]) -> None:
    for name, amount in figures.items():
        assert Decimal(row.get(name, "0")) == amount, name
    shown = (*row["usage_by_product"].values(), *row["charges_by_line"].values())
    assert sum(map(Decimal, shown)) == figures["charged"]


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ("2026-05", ["2026-05-01"]),
        ("last month", ["2026-05-01"]),
        ("2025-02", ["2025-02-01"]),
        ("2026-Q1", ["2026-01-01", "2026-02-01", "2026-03-01"]),
    ],
)
async def test_what_was_spent_is_usage_and_charges_together(
    server: AccountServer, sandbox: Sandbox, period: str, months: list[str]
) -> None:
    told = await spend(server, period=period)
    check(spent_in(told), expected(sandbox, *(MONTHS[first] for first in months)))
    assert (told["today"], told["zone"]) == ("2026-06-15", "UTC")
    assert "incomplete" not in told
    assert "the invoice is the authority" in told["note"]


async def test_the_usage_of_a_product_is_what_its_records_cost(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = spent_in(await spend(server, period="2026-05"))
    may = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
    for product, record_type, field in (
        ("ai-voice-assistant", "ai-voice-assistant", "created_at"),
        ("sip-trunking", "sip-trunking", "started_at"),
        ("wireless", "wireless", "created_at"),
        ("verify-2fa", "verify", "created_at"),
    ):
        costs = sum(map(raw_api.cost, raw_api.records(sandbox, record_type, field, *may)))
        assert Decimal(told["usage_by_product"][product]) == costs


async def test_products_come_largest_first_and_the_small_ones_together(
    server: AccountServer, sandbox: Sandbox
) -> None:
    products = spent_in(await spend(server, period="2026-05"))["usage_by_product"]
    costs = [Decimal(cost) for name, cost in products.items() if "others" not in name]
    assert costs == sorted(costs, reverse=True)
    named = sum(1 for cost in raw_api.usage(sandbox, "2026-05-01", "2026-06-01").values() if cost)
    assert f"{named - len(costs)} others" in products


async def test_may_takes_one_report_for_each_product_beside_options_and_charges(
    server: AccountServer, sandbox: Sandbox
) -> None:
    products = [o for o in raw_api.options(sandbox).values() if raw_api.money_metric(o)]
    before = len(sandbox.requests)
    await spend(server, period="2026-05")
    asked = [each.operation for each in sandbox.requests[before:]]
    assert asked.count("get_usage_report") == len(products)
    assert len(asked) == len(products) + 2 <= 35


async def test_the_options_are_asked_for_once_a_day_by_all_copies(
    server: AccountServer, settings: Settings, sandbox: Sandbox
) -> None:
    await spend(server, period="2026-05")
    other = build_server(settings, now=lambda: datetime(2026, 6, 15, 12, 5, tzinfo=UTC))
    await spend(other, period="2026-04")
    await other.accounts.aclose()
    asked = [each.operation for each in sandbox.requests]
    assert asked.count("get_usage_report_options") == 1


async def test_two_days_name_a_period_and_its_parts_add_up_to_it(
    server: AccountServer, sandbox: Sandbox
) -> None:
    parts = [
        ("2026-03-10", "2026-04-01"),
        ("2026-04-01", "2026-05-01"),
        ("2026-05-01", "2026-05-20"),
    ]
    told = await spend(server, start_date="2026-03-10", end_date="2026-05-20")
    check(spent_in(told), expected(sandbox, *parts))


async def test_two_months_are_compared_in_money_and_percent_with_usage(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await spend(server, period="2026-05", compare_to="previous")
    may, april = (expected(sandbox, MONTHS[first]) for first in ("2026-05-01", "2026-04-01"))
    compared = told["compared"]
    assert (compared["start_date"], compared["end_date"]) == ("2026-04-01", "2026-05-01")
    (row,) = compared["differences"]
    for name in ("charged", "usage", "recurring"):
        change = may[name] - april[name]
        assert Decimal(row[name]["was"]) == april[name]
        assert Decimal(row[name]["change"]) == change
        assert row[name]["percent"] == f"{change / april[name] * 100:+.1f}%"


async def test_the_products_and_lines_that_changed_most_are_named(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await spend(server, period="2026-05", compare_to="previous")
    (row,) = told["compared"]["differences"]
    may, april = (
        raw_api.lines(sandbox, *month) | raw_api.usage(sandbox, *month)
        for month in (MONTHS["2026-05-01"], MONTHS["2026-04-01"])
    )
    changes = {
        name: may.get(name, Decimal(0)) - april.get(name, Decimal(0)) for name in may | april
    }
    named = [each["name"] for each in row["drivers"]]
    assert named
    for each in row["drivers"]:
        assert Decimal(each["change"]) == changes[each["name"]]
    left_out = [abs(change) for name, change in changes.items() if name not in named]
    assert max(left_out) <= min(abs(changes[name]) for name in named)
    assert Decimal(row["other_changes"]) == sum(
        change for name, change in changes.items() if name not in named
    )
    assert sum(changes.values()) == Decimal(row["charged"]["change"])


async def test_a_line_that_ended_is_called_gone(server: AccountServer) -> None:
    told = await spend(server, period="2026-05", compare_to="previous")
    (row,) = told["compared"]["differences"]
    kinds = {each["name"]: each.get("is") for each in row["drivers"]}
    assert kinds["Port Out"] == "gone"
    assert kinds["Local DIDs"] is None


@pytest.mark.parametrize("compare_to", ["2025-05", "2025-05-01/2025-06-01", "May 2025"])
async def test_a_period_may_be_compared_with_any_other(
    server: AccountServer, compare_to: str
) -> None:
    told = await spend(server, period="2026-05", compare_to=compare_to)
    assert told["compared"]["start_date"] == "2025-05-01"
    assert told["compared"]["end_date"] == "2025-06-01"
    assert "firsts of a month" not in told["note"]


async def test_periods_that_monthly_charges_fall_into_unequally_often_say_so(
    server: AccountServer,
) -> None:
    told = await spend(server, period="last 7 days", compare_to="last 20 days")
    assert "firsts of a month" in told["note"]


async def test_adjustments_are_shown_apart_with_their_text_and_date(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = spent_in(await spend(server, period="2026-05"))
    asked = {"start_date": "2026-05-01", "end_date": "2026-06-01"}
    shown = raw_api.get(sandbox, "charges_summary", asked)["data"]["summary"]["adjustments"]
    assert shown
    assert told["adjustments_made"] == [
        {"date": each["event_date"], "amount": each["amount"], "text": each["description"]}
        for each in shown
    ]


async def test_the_bills_days_are_utc_whatever_the_users_zone(
    settings: Settings, sandbox: Sandbox
) -> None:
    berlin = settings.model_copy(update={"timezone": "Europe/Berlin"})
    server = build_server(berlin, now=lambda: datetime(2026, 6, 15, 12, tzinfo=UTC))
    told = await spend(server, period="2026-05")
    await server.accounts.aclose()
    assert told["zone"] == "UTC"
    assert "Days are UTC" in told["note"]
    check(spent_in(told), expected(sandbox, MONTHS["2026-05-01"]))


async def test_last_month_is_the_users_last_month(settings: Settings) -> None:
    auckland = settings.model_copy(update={"timezone": "Pacific/Auckland"})
    server = build_server(auckland, now=lambda: datetime(2026, 5, 31, 20, tzinfo=UTC))
    told = await spend(server, period="last month")
    await server.accounts.aclose()
    assert (told["today"], told["start_date"]) == ("2026-06-01", "2026-05-01")


# --- a period that is not over ---------------------------------------------------------------------


async def test_a_period_that_goes_on_says_until_when_and_what_to_expect(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await spend(server, period="this month")
    assert told["usage_until"] == "2026-06-15T11:55:00Z"
    assert "not over" in told["note"]
    week = sum(raw_api.usage(sandbox, "2026-06-08", "2026-06-15").values(), Decimal(0))
    left = Decimal(15) + Decimal(12 * 3600 + 300) / 86_400
    row = spent_in(told)
    estimate = Decimal(row["charged"]) + left * week / 7
    assert Decimal(row["expected_by_end"]) == estimate.quantize(Decimal("0.01"))
    assert "estimate" in told["note"]


async def test_a_period_that_is_over_expects_nothing(server: AccountServer) -> None:
    told = await spend(server, period="2026-05")
    assert "usage_until" not in told
    assert "expected_by_end" not in spent_in(told)


async def test_no_report_ends_in_telnyxs_future_however_wrong_the_own_clock_is(
    settings: Settings, sandbox: Sandbox
) -> None:
    ahead = build_server(settings, now=lambda: datetime(2026, 6, 15, 13, 30, tzinfo=UTC))
    told = await spend(ahead, period="this month")
    await ahead.accounts.aclose()
    assert told["usage_until"] == "2026-06-15T11:55:00Z"
    assert "incomplete" not in told


# --- what is missing -------------------------------------------------------------------------------


async def test_a_product_that_fails_is_named_and_the_rest_is_part_of_what_was_charged(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report", "status", status=500, skip=2, times=1)
    told = await spend(server, period="2026-05")
    row = spent_in(told)
    assert "charged" not in row
    assert "usage" not in row
    (missing,) = told["incomplete"]
    assert "HTTP 500" in told["incomplete"][missing]
    whole = expected(sandbox, MONTHS["2026-05-01"])
    lost = raw_api.usage(sandbox, "2026-05-01", "2026-06-01")[missing]
    assert Decimal(row["part_charged"]) == whole["charged"] - lost
    assert Decimal(row["part_usage"]) == whole["usage"] - lost
    assert f"lacks {missing}" in told["note"]


async def test_a_product_that_was_read_in_part_is_marked_at_its_figure(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault(
        "get_usage_report",
        "status",
        status=500,
        skip=1,
        times=1,
        query={"product": "ai-voice-assistant"},
    )
    told = await spend(server, period="2026-Q1")
    products = spent_in(told)["usage_by_product"]
    months = [MONTHS[first] for first in ("2026-01-01", "2026-02-01", "2026-03-01")]
    costs = [raw_api.usage(sandbox, *month)["ai-voice-assistant"] for month in months]
    assert "ai-voice-assistant" not in products
    assert Decimal(products["ai-voice-assistant (part)"]) in [
        sum(costs, Decimal(0)) - each for each in costs
    ]
    assert [name for name in products if "(part)" in name] == ["ai-voice-assistant (part)"]


async def test_charges_stand_where_no_usage_can_be_had(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report_options", "status", status=403, times=None)
    told = await spend(server, period="2026-05")
    row = spent_in(told)
    charged = raw_api.charged(sandbox, MONTHS["2026-05-01"])
    assert Decimal(row["part_charged"]) == charged["new_mrc"] + charged["existing_mrc"] + (
        charged["new_otc"] + charged["other"]
    )
    assert "part_usage" not in row, "unknown is not zero"
    assert "usage could not be read" in told["note"]


async def test_usage_is_shown_if_no_charges_can_be_read(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=500, times=None)
    told = await spend(server, period="2026-05")
    row = spent_in(told)
    used = sum(raw_api.usage(sandbox, "2026-05-01", "2026-06-01").values(), Decimal(0))
    assert Decimal(row["part_charged"]) == Decimal(row["usage"]) == used
    assert "2026-05-01 to 2026-06-01 could not be read" in told["note"]


async def test_the_failure_is_reported_if_nothing_can_be_read(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=500, times=None)
    sandbox.fault("get_usage_report_options", "status", status=500, times=None)
    result = await call(server, SPEND, {"period": "2026-Q1"})
    assert result.is_error
    assert "500" in text_of(result)


async def test_an_incomplete_period_is_compared_in_what_is_known_of_both(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report", "status", status=500, skip=2, times=1)
    told = await spend(server, period="2026-05", compare_to="previous")
    (missing,) = told["incomplete"]
    (row,) = told["compared"]["differences"]
    assert "charged" not in row
    assert row["drivers"]
    assert missing not in {each["name"] for each in row["drivers"]}


async def test_a_comparison_that_fails_does_not_fail_the_answer(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_summary", "status", status=422, skip=1, times=None)
    told = await spend(server, period="2026-05", compare_to="previous")
    assert "charged" in spent_in(told)
    (row,) = told["compared"]["differences"]
    assert "charged" not in row
    assert "compared with" in told["note"]


async def test_a_range_that_leaves_out_the_last_day_of_a_month_says_so(
    server: AccountServer,
) -> None:
    told = await spend(server, start_date="2026-05-01", end_date="2026-05-31")
    assert "end_date=2026-06-01" in told["note"]


# --- figures as Telnyx may send them ---------------------------------------------------------------


def summary(currency: str, recurring: str, **more: object) -> Any:
    figures = dict.fromkeys(
        ("new_mrc", "new_otc", "existing_mrc", "other", "credits", "ledger_adjustments"), "0.00"
    )
    return answer(
        200,
        {
            "data": {
                "currency": currency,
                "summary": {"lines": [], "adjustments": []},
                "total": figures | {"existing_mrc": recurring, "grand_total": recurring, **more},
            }
        },
    )


def products(**named: tuple[list[str], list[str]]) -> Any:
    """The options, with dimensions and metrics by product."""
    return answer(
        200,
        {
            "data": [
                {
                    "product": name,
                    "product_dimensions": dimensions,
                    "product_metrics": metrics,
                    "record_types": None,
                }
                for name, (dimensions, metrics) in named.items()
            ]
        },
    )


ONE = products(messaging=(["currency", "date"], ["cost", "count"]))


def report(*rows: str, **meta: int) -> Any:
    """A report of these rows, written as JSON by hand, so that every digit is as it is here."""
    told = ", ".join(f'"{name}": {value}' for name, value in meta.items())
    body = f'{{"data": [{", ".join(rows)}], "meta": {{{told}}}}}'
    return answer(200, body.encode())


async def test_the_noise_of_doubles_is_rounded_away_once_at_the_end(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [
        '{"currency": "USD", "cost": 0.30000000000000004}',
        '{"currency": "USD", "cost": 1.666E-4}',
        '{"currency": "USD", "cost": 0.0000004}',
        '{"currency": "USD", "cost": 0.0000004, "product": "messaging"}',
        '{"currency": "USD", "cost": 2}',
    ]
    scripted.will(summary("USD", "10.00"), ONE, report(*rows))
    told = spent_in(await spend(scripted_server, period="2026-05"))
    assert told["usage"] == "2.300167"
    assert told["charged"] == "12.300167"


@pytest.mark.parametrize("cost", ["null", '"much"', '"NaN"', "{}", "true", "1e400", "1e29", "1e15"])
async def test_a_cost_that_is_not_a_number_is_never_zero(
    scripted: Scripted, scripted_server: AccountServer, cost: str
) -> None:
    rows = ['{"currency": "USD", "cost": 1.5}', f'{{"currency": "USD", "cost": {cost}}}']
    scripted.will(summary("USD", "10.00"), ONE, report(*rows))
    told = await spend(scripted_server, period="2026-05")
    row = spent_in(told)
    assert row["part_usage"] == "1.50"
    assert "no readable cost" in told["incomplete"]["messaging"]


async def test_rows_of_several_pages_count_once_each_and_missing_ones_are_missed(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    one, two, three = (f'{{"currency": "USD", "date": "{d}", "cost": 1}}' for d in "123")
    meta = {"total_pages": 3, "total_results": 3}
    pages = report(one, **meta), report(one, two, **meta), report(three, **meta)
    scripted.will(summary("USD", "10.00"), ONE, *pages)
    assert spent_in(await spend(scripted_server, period="2026-05"))["usage"] == "3.00"


async def test_fewer_rows_than_telnyx_stated_are_not_a_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    one = '{"currency": "USD", "date": "1", "cost": 1}'
    scripted.will(
        summary("USD", "10.00"), ONE, report(one, total_pages=2, total_results=2), report()
    )
    told = await spend(scripted_server, period="2026-05")
    assert "part_charged" in spent_in(told)
    assert "1 of 2 rows" in told["incomplete"]["messaging"]


async def test_a_product_whose_money_has_another_name_counts_and_one_without_is_named(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    options = products(wireless=(["mcc"], ["uplink_data", "data_cost"]), cps=(["date"], ["count"]))
    scripted.will(summary("EUR", "10.00"), options, report('{"mcc": "310", "data_cost": 0.5}'))
    told = await spend(scripted_server, period="2026-05")
    row = spent_in(told)
    assert row["usage_by_product"] == {"wireless": "0.50"}
    assert row["currency"] == "EUR", "that of the charges, as the report names none"
    assert "state no cost for cps" in told["note"]


async def test_different_currencies_are_never_added(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = ['{"currency": "USD", "cost": 1.5}', '{"currency": "EUR", "cost": 2.5}']
    scripted.will(summary("USD", "10.00"), ONE, report(*rows))
    told = await spend(scripted_server, period="2026-05")
    assert [(each["currency"], each["charged"]) for each in told["spent"]] == [
        ("EUR", "2.50"),
        ("USD", "11.50"),
    ]


async def test_no_percentage_is_given_for_growth_from_zero(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(
        *(summary("USD", "10.00"), ONE, report('{"currency": "USD", "cost": 1}')),
        *(summary("USD", "0.00"), report()),
    )
    told = await spend(scripted_server, period="2026-05", compare_to="previous")
    (row,) = told["compared"]["differences"]
    assert row["charged"] == {"was": "0.00", "now": "11.00", "change": "+11.00"}
    assert row["drivers"] == [
        {"name": "messaging", "was": "0.00", "now": "1.00", "change": "+1.00", "is": "new"}
    ]


async def test_credits_are_shown_and_never_subtracted(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    paid = summary("USD", "10.00", credits="-500.00", grand_total="-490.00")
    scripted.will(paid, ONE, report('{"currency": "USD", "cost": 1}'))
    told = spent_in(await spend(scripted_server, period="2026-05"))
    assert (told["charged"], told["credits"]) == ("11.00", "-500.00")


async def test_it_says_when_telnyxs_own_parts_do_not_add_up(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00", other="1.00"), ONE, report())
    told = await spend(scripted_server, period="2026-05")
    assert "do not add up" in told["note"]


@pytest.mark.parametrize("amount", ["ten", "NaN", "1e400x", "Infinity", "", [], {"a": 1}, True])
async def test_an_unreadable_charge_is_never_taken_for_zero(
    scripted: Scripted, scripted_server: AccountServer, amount: object
) -> None:
    """Nor does it fail the rest of the month."""
    scripted.will(summary("USD", "10.00", existing_mrc=amount), ONE, report())
    told = await spend(scripted_server, period="2026-05")
    assert "charged" not in spent_in(told)
    assert spent_in(told)["part_charged"]
    assert "Telnyx sent no amount for existing_mrc of 2026-05-01" in told["note"]


async def test_credits_that_are_unreadable_are_named_and_what_was_charged_is_a_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(summary("USD", "10.00", credits="many"), ONE, report())
    told = await spend(scripted_server, period="2026-05")
    assert spent_in(told)["charged"] == "10.00"
    assert "Telnyx sent no amount for credits of 2026-05-01" in told["note"]


@pytest.mark.parametrize(
    "options",
    [{"data": []}, {"data": None}, {"data": [{"product": None}]}],
    ids=str,
)
async def test_options_without_products_are_not_taken_for_zero_usage(
    scripted: Scripted, scripted_server: AccountServer, options: Any
) -> None:
    scripted.will(summary("USD", "10.00"), answer(200, options), report())
    told = await spend(scripted_server, period="2026-05")
    row = spent_in(told)
    assert row["part_charged"] == "10.00"


@pytest.mark.parametrize(
    ("arguments", "tells"),
    [
        ({}, "Give either period"),
        ({"period": "2026-05", "start_date": "2026-05-01"}, "Give either period"),
        ({"period": "2026-05", "end_date": "2026-06-01"}, "goes with start_date"),
        ({"start_date": "2026-05-01"}, "end_date is missing"),
        ({"start_date": "2026-05-01", "end_date": "2026-05-01"}, "must be after"),
        ({"period": "soon"}, "last-month"),
        ({"period": "2026-07"}, "in the future"),
        ({"period": "2026-05", "compare_to": "before"}, "is not a period"),
        ({"period": "2026-05", "usage": ["all"]}, "always included"),
        ({"period": "2026-05", "group_by": ["day"]}, "telnyx_summarize_usage"),
    ],
)
async def test_invalid_input_is_reported_and_nothing_is_asked(
    server: AccountServer, sandbox: Sandbox, arguments: dict[str, Any], tells: str
) -> None:
    result = await call(server, SPEND, arguments)
    assert result.is_error
    assert tells in text_of(result)
    assert sandbox.requests == []


async def test_what_did_we_spend_in_may_is_one_call_of_few_tokens(server: AccountServer) -> None:
    result = await call(server, SPEND, {"period": "2026-05"})
    assert about_tokens(text_of(result)) <= 600

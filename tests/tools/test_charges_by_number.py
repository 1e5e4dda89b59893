"""What each number costs, who owns it, and which numbers are paid for without being used."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer, complaint

BREAKDOWN = "telnyx_get_charges_breakdown"
SUMMARY = "telnyx_get_charges_summary"
MAY = {"start_date": "2026-05-01", "end_date": "2026-06-01"}


async def asked(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, BREAKDOWN, MAY | arguments))


async def all_pages(server: AccountServer, **arguments: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    number: int | None = 1
    while number:
        told = await asked(server, **arguments, page=number, page_size=60)
        rows += told["items"]
        number = told.get("next_page")
    return rows


def in_sandbox(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    results = raw_api.get(sandbox, "charges_breakdown", MAY)["data"]["results"]
    return {each["tn"]: each for each in results}


def cost_of(number: dict[str, Any]) -> Decimal:
    return sum((Decimal(each["cost"]) for each in number["services"]), Decimal(0))


# --- cost, order, owners -------------------------------------------------------------------------


async def test_each_number_has_the_sum_of_its_services(
    server: AccountServer, sandbox: Sandbox
) -> None:
    truth = in_sandbox(sandbox)
    rows = await all_pages(server)
    assert [each["tn"] for each in rows] == sorted(truth)
    assert all(Decimal(each["cost"]) == cost_of(truth[each["tn"]]) for each in rows)


async def test_all_numbers_are_counted_by_type_and_added_up(
    server: AccountServer, sandbox: Sandbox
) -> None:
    truth = in_sandbox(sandbox)
    told = (await asked(server, page_size=1))["all"]
    assert told["numbers"] == len(truth)
    assert Decimal(told["cost"]) == sum(map(cost_of, truth.values()))
    assert told["by_charge_type"] == Counter(each["charge_type"] for each in truth.values())


async def test_the_dearest_numbers_come_first(server: AccountServer, sandbox: Sandbox) -> None:
    rows = await all_pages(server, sort="cost")
    dearest = sorted(map(cost_of, in_sandbox(sandbox).values()), reverse=True)
    assert [Decimal(each["cost"]) for each in rows] == dearest
    top = await asked(server, top=7)
    assert top["items"] == rows[:7]
    assert (top["returned"], top["total"]) == (7, len(dearest))


async def test_an_owner_is_named_where_it_is_not_the_accounts_own_user(
    server: AccountServer, sandbox: Sandbox
) -> None:
    account = raw_api.get(sandbox, "charges_breakdown", MAY)["data"]["user_email"]
    truth = in_sandbox(sandbox)
    rows = await all_pages(server)
    assert {each.get("owner_email", account) for each in rows} != {account}
    for each in rows:
        owner = truth[each["tn"]]["service_owner_email"]
        assert each.get("owner_email") == (None if owner == account else owner)


async def test_the_largest_page_fits_into_an_answer(server: AccountServer) -> None:
    result = await call(server, BREAKDOWN, MAY | {"page_size": 100})
    assert content_of(result)["returned"] == 100
    assert about_tokens(text_of(result)) <= 8000
    assert (await call(server, BREAKDOWN, MAY | {"page_size": 101})).is_error


async def test_the_summary_counts_the_numbers_by_type(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = content_of(await call(server, SUMMARY, MAY))
    assert told["numbers"] == Counter(each["charge_type"] for each in in_sandbox(sandbox).values())


async def test_a_summary_whose_numbers_cannot_be_counted_is_still_one(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_charges_breakdown", "status", status=403, times=None)
    told = content_of(await call(server, SUMMARY, MAY))
    assert told["total"]["grand_total"]
    assert "numbers" not in told
    assert "count of numbers is missing" in told["note"]


def breakdown(*results: dict[str, Any]) -> Any:
    return answer(200, {"data": {**MAY, "currency": "USD", "results": results}})


def number(tn: str | None, *costs: Any, **more: Any) -> dict[str, Any]:
    services = [{"name": "DID", "cost_type": "MRC", "cost": each} for each in costs]
    return {"tn": tn, "charge_type": "local", "services": services, **more}


async def test_a_cost_that_cannot_be_read_makes_the_sums_a_part(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [number("+12015550001", "1.00", "free"), number("+12015550002", "2.50")]
    scripted.will(breakdown(*rows, number("+12015550003", services=None)))
    told = await asked(scripted_server)
    costs = [(each.get("cost"), each.get("part_cost")) for each in told["items"]]
    assert costs == [(None, "1.00"), ("2.50", None), (None, "0.00")]
    assert told["all"]["part_cost"] == "3.50"
    assert "cost" not in told["all"]


async def test_a_number_in_several_rows_is_one(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [number("+12015550001", "1.00"), number("+12015550002", "1.50")]
    scripted.will(breakdown(*rows, number("+12015550001", "1.00", "0.10")))
    told = await asked(scripted_server, top=1)
    assert told["items"][0]["tn"] == "+12015550001"
    assert told["items"][0]["cost"] == "2.10"
    assert len(told["items"][0]["services"]) == 3
    assert told["all"] == {"numbers": 2, "cost": "3.60", "by_charge_type": {"local": 2}}


async def test_numbers_without_a_number_stay_apart(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(breakdown(number(None, "1.00"), number(None, "2.00")))
    assert [each["cost"] for each in (await asked(scripted_server))["items"]] == ["1.00", "2.00"]


async def test_an_account_without_numbers_is_charged_nothing(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(breakdown())
    told = await asked(scripted_server)
    assert told["all"] == {"numbers": 0, "cost": "0.00", "by_charge_type": {}}


# --- unused --------------------------------------------------------------------------------------

TIMES = {"messaging": "created_at", "sip-trunking": "started_at", "fax": "created_at"}


def with_usage(sandbox: Sandbox) -> set[str]:
    """Every number at either end of a record of May."""
    records = [
        each
        for record_type, field in TIMES.items()
        for each in raw_api.records(
            sandbox, record_type, field, "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"
        )
    ]
    return {str(each.get(side)) for each in records for side in ("cli", "cld", "from", "to")}


async def test_unused_numbers_are_charged_and_in_no_record(
    server: AccountServer, sandbox: Sandbox
) -> None:
    truth = in_sandbox(sandbox)
    unused = truth.keys() - with_usage(sandbox)
    rows = await all_pages(server, unused=True)
    assert 0 < len(unused) < len(truth)
    assert {each["tn"] for each in rows} == unused
    assert all(each["unused"] is True for each in rows)
    told = await asked(server, unused=True, page_size=1)
    assert told["unused_numbers"]["numbers"] == told["total"] == len(unused)
    assert Decimal(told["unused_numbers"]["cost"]) == sum(cost_of(truth[each]) for each in unused)
    assert told["all"]["numbers"] == len(truth)
    assert "Usage read: fax-api, messaging, sip-trunking." in told["note"]


async def test_a_product_that_cannot_be_read_leaves_no_number_proven_unused(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault(
        "get_usage_report", "status", status=500, times=None, query={"product": "messaging"}
    )
    told = await asked(server, unused=True)
    assert list(told["usage_unknown"]) == ["messaging"]
    assert "no number is proven unused" in told["note"]
    assert "unused_numbers" not in told
    assert all("unused" not in each for each in told["items"])


async def test_unused_numbers_need_the_list_of_products(
    server: AccountServer, sandbox: Sandbox
) -> None:
    sandbox.fault("get_usage_report_options", "status", status=403, times=None)
    assert (await call(server, BREAKDOWN, MAY | {"unused": True})).is_error


async def test_a_period_that_runs_says_until_when_usage_is_known(server: AccountServer) -> None:
    arguments = {"start_date": "2026-06-01", "end_date": "2026-07-01", "unused": True}
    told = content_of(await call(server, BREAKDOWN, arguments))
    assert told["usage_until"].startswith("2026-06-15T11:5")


OPTIONS = {
    "product": "messaging",
    "product_dimensions": ["date", "tn"],
    "product_metrics": ["count"],
    "record_types": None,
}


@pytest.mark.parametrize(
    "written", ["+12015550001", "12015550001", "2015550001", "+1 201-555-0001", "(201) 555-0001"]
)
async def test_a_number_is_compared_in_any_spelling(
    scripted: Scripted, scripted_server: AccountServer, written: str
) -> None:
    rows = [{"product": "messaging", "tn": written, "count": 3}]
    scripted.will(
        breakdown(number("+12015550001", "1.00"), number("+442071838750", "1.00")),
        answer(200, {"data": [OPTIONS]}),
        answer(200, {"data": rows, "meta": {"total_pages": 1, "total_results": 1}}),
    )
    told = await asked(scripted_server, unused=True)
    assert [each["tn"] for each in told["items"]] == ["+442071838750"]


async def test_a_number_abroad_without_its_plus_sign_is_recognised(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [{"product": "messaging", "tn": "442071838750", "count": 3}]
    scripted.will(
        breakdown(number("+442071838750", "1.00"), number(None, "1.00")),
        answer(200, {"data": [OPTIONS]}),
        answer(200, {"data": rows, "meta": {"total_pages": 1, "total_results": 1}}),
    )
    assert (await asked(scripted_server, unused=True))["items"] == []


async def test_no_number_is_unused_where_no_report_names_numbers(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    options = OPTIONS | {"product_dimensions": ["date"]}
    scripted.will(breakdown(number("+12015550001", "1.00")), answer(200, {"data": [options]}))
    told = await asked(scripted_server, unused=True)
    assert told["usage_unknown"] == {"all products": "no report names numbers"}
    assert "unused_numbers" not in told


async def test_a_report_that_is_refused_in_part_is_named(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(
        breakdown(number("+12015550001", "1.00")),
        answer(200, {"data": [OPTIONS]}),
        complaint(400, detail="Dimensions invalid values"),
    )
    assert "messaging" in (await asked(scripted_server, unused=True))["usage_unknown"]

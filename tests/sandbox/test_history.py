"""The history agrees with itself."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.sandbox.account import Account

START, TODAY = date(2024, 12, 1), date(2026, 6, 17)
PARTS = ("new_mrc", "new_otc", "existing_mrc", "other", "credits", "ledger_adjustments")


def random_ranges(count: int) -> list[tuple[date, date]]:
    rng = random.Random(11)
    ranges = []
    for _ in range(count):
        start = START + timedelta(days=rng.randrange((TODAY - START).days))
        ranges.append((start, start + timedelta(days=rng.randrange(1, 32))))
    return ranges


def summary(client: httpx.Client, start: date, end: date) -> dict[str, Any]:
    params = {"start_date": start.isoformat(), "end_date": end.isoformat()}
    data: dict[str, Any] = client.get("/charges_summary", params=params).json()["data"]
    return data


def breakdown_sum(client: httpx.Client, start: date, end: date, cost_type: str) -> Decimal:
    params = {"start_date": start.isoformat(), "end_date": end.isoformat()}
    data = client.get("/charges_breakdown", params=params).json()["data"]
    return sum(
        (
            Decimal(service["cost"])
            for result in data["results"]
            for service in result["services"]
            if service["cost_type"] == cost_type
        ),
        Decimal(0),
    )


def test_breakdown_sums_to_summary_for_any_range(client: httpx.Client) -> None:
    """Monthly and one-time costs by number are those of the totals."""
    for start, end in random_ranges(40):
        total = summary(client, start, end)["total"]
        monthly = Decimal(total["new_mrc"]) + Decimal(total["existing_mrc"])
        once = Decimal(total["new_otc"]) + Decimal(total["other"])
        assert breakdown_sum(client, start, end, "MRC") == monthly, (start, end)
        assert breakdown_sum(client, start, end, "OTC") == once, (start, end)


def test_summary_lines_sum_to_its_totals(client: httpx.Client) -> None:
    """The lines, the adjustments and the grand total of one summary add up."""
    for start, end in random_ranges(40):
        data = summary(client, start, end)
        total = {name: Decimal(data["total"][name]) for name in (*PARTS, "grand_total")}
        assert sum(total[name] for name in PARTS) == total["grand_total"]
        comparative = [each for each in data["summary"]["lines"] if each["type"] == "comparative"]
        simple = [each for each in data["summary"]["lines"] if each["type"] == "simple"]
        new = [each["new_this_month"] for each in comparative]
        assert sum(Decimal(each["mrc"]) for each in new) == total["new_mrc"]
        assert sum(Decimal(each["otc"] or 0) for each in new) == total["new_otc"]
        existing = [each["existing_this_month"] for each in comparative]
        assert sum(Decimal(each["mrc"]) for each in existing) == total["existing_mrc"]
        assert sum(Decimal(each["amount"]) for each in simple) == total["other"]
        adjustments = sum(Decimal(each["amount"]) for each in data["summary"]["adjustments"])
        assert adjustments == total["credits"] + total["ledger_adjustments"]


def test_a_range_split_at_any_day_adds_up_exactly(client: httpx.Client) -> None:
    """Every charge belongs to one day."""
    for start, end in [(date(2026, 1, 29), date(2026, 3, 1)), (date(2025, 5, 1), date(2025, 6, 1))]:
        whole = summary(client, start, end)["total"]
        for days in range(1, (end - start).days):
            middle = start + timedelta(days=days)
            parts = [summary(client, *part)["total"] for part in ((start, middle), (middle, end))]
            for name in (*PARTS, "grand_total"):
                assert sum(Decimal(part[name]) for part in parts) == Decimal(whole[name])


def test_breakdown_without_an_end_covers_one_month(client: httpx.Client) -> None:
    """`end_date` is by default a month after the start, or that month's last day."""
    for start, end in (("2026-05-01", "2026-06-01"), ("2026-01-31", "2026-02-28")):
        data = client.get("/charges_breakdown", params={"start_date": start}).json()["data"]
        assert (data["start_date"], data["end_date"]) == (start, end)


def test_csv_breakdown_holds_the_same_charges(client: httpx.Client) -> None:
    """One line a charge, with its currency."""
    params = {"start_date": "2026-05-01", "format": "csv"}
    answer = client.get("/charges_breakdown", params=params)
    assert answer.headers["content-type"].startswith("text/csv")
    header, *lines = answer.text.splitlines()
    assert header.startswith("tn,charge_type,")
    total = sum(Decimal(line.split(",")[-2]) for line in lines)
    start, end = date(2026, 5, 1), date(2026, 6, 1)
    by_type = (breakdown_sum(client, start, end, cost_type) for cost_type in ("MRC", "OTC"))
    assert total == sum(by_type)


def test_spend_looks_like_a_real_business(sandbox: Sandbox) -> None:
    """Hundreds to a few thousand dollars of number charges, every month."""
    for month in range(1, 6):
        total = sandbox.account.charges.grand_total(date(2026, month, 1), date(2026, month + 1, 1))
        assert 200 < total < 3000


def test_one_invoice_for_every_finished_month(client: httpx.Client) -> None:
    """Eighteen of them, inclusive ends, the newest first, two recent ones unpaid."""
    invoices = client.get("/invoices").json()["data"]
    assert len(invoices) == 18
    assert [invoices[0]["period_start"], invoices[0]["period_end"]] == ["2026-05-01", "2026-05-31"]
    assert invoices[-1]["period_start"] == START.isoformat()
    for newer, older in pairwise(invoices):
        following = date.fromisoformat(older["period_end"]) + timedelta(days=1)
        assert following.isoformat() == newer["period_start"]
    unpaid = [each["period_start"] for each in invoices if not each["paid"]]
    assert unpaid == ["2026-05-01", "2026-03-01"]


def audit_events(client: httpx.Client) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        page = len(events) // 250 + 1
        answer = client.get("/audit_events", params={"page[size]": 250, "page[number]": page})
        events += answer.json()["data"]
        if len(events) >= answer.json()["meta"]["total_results"]:
            return events


def test_audit_events_contain_every_number_bought_and_released(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    """The purchases of the audit are those of the charges."""
    events = [each for each in audit_events(client) if each["record_type"] == "phone_number"]
    bought = {e["alternate_resource_id"] for e in events if e["change_type"] == "create"}
    released = {e["alternate_resource_id"] for e in events if e["change_type"] == "delete"}
    numbers = sandbox.account.numbers.all
    assert bought == {n.phone_number for n in numbers if n.bought_on >= START}
    assert released == {n.phone_number for n in numbers if n.released_at is not None}
    charges = sandbox.account.charges.between(START, TODAY + timedelta(days=1))
    assert bought == {charge.number.phone_number for charge in charges if charge.new}


def test_preferences_are_what_their_audit_events_lead_to(client: httpx.Client) -> None:
    """Each change begins where the one before has ended."""
    changes = [
        change
        for event in reversed(audit_events(client))
        if event["record_type"] == "auto_recharge_pref"
        for change in event["changes"]
    ]
    known: dict[str, Any] = {}
    for change in changes:
        assert known.get(change["field"], change["from"]) == change["from"]
        known[change["field"]] = change["to"]
    current = client.get("/payment/auto_recharge_prefs").json()["data"]
    assert known == {name: current[name] for name in known}


def test_several_people_changed_things(client: httpx.Client) -> None:
    """Owner, members and Telnyx itself."""
    events = audit_events(client)
    made_by = {event["change_made_by"] for event in events}
    assert made_by == {"telnyx", "account_owner", "organization_member"}
    assert len({event["user_id"] for event in events}) == 4
    assert len({event["id"] for event in events}) == len(events)


def test_the_mistyped_webhook_address_is_in_audit_and_deliveries(client: httpx.Client) -> None:
    """The failures lie between the edit that made the mistake and the one that mended it."""
    edits = [
        event["created_at"]
        for event in audit_events(client)
        if any("parcles" in str(change) for change in event["changes"] or [])
    ]
    mended, made = edits
    params = {"filter[attempts][contains]": "parcles", "page[size]": "250"}
    failures = client.get("/webhook_deliveries", params=params).json()["data"]
    assert failures
    assert all(made <= each["started_at"] < mended for each in failures)
    assert {each["status"] for each in failures} == {"failed"}


def test_tags_of_records_are_user_tags(client: httpx.Client) -> None:
    """What a record is tagged with can be listed."""
    known = client.get("/user_tags").json()["data"]
    params = {"filter[record_type]": "messaging", "page[size]": "50"}
    records = client.get("/detail_records", params=params).json()["data"]
    assert {record["tags"] for record in records} <= set(known["number_tags"])
    only = client.get("/user_tags", params={"filter[starts_with]": "Depot"}).json()["data"]
    assert only == {"number_tags": ["depot-east", "depot-west"], "outbound_profile_tags": []}


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_the_same_seed_and_day_give_the_same_account(seed: int) -> None:
    """Whatever has been asked for before."""
    first, second = Account(seed, TODAY), Account(seed, TODAY)
    search = second.records.parse([("filter[record_type]", "messaging")])
    second.records.page(search, 3, 20)
    for account in (first, second):
        account.charges.summary(date(2025, 1, 1), date(2025, 2, 1))
    assert first.audit_events == second.audit_events
    assert first.invoices.all == second.invoices.all
    assert first.webhooks.all == second.webhooks.all
    assert first.records.page(search, 1, 50) == second.records.page(search, 1, 50)
    may = date(2026, 5, 1), date(2026, 6, 1)
    assert first.charges.breakdown(*may) == second.charges.breakdown(*may)


def test_another_seed_gives_another_account() -> None:
    """Nothing of one is in the other."""
    first, second = Account(1, TODAY), Account(2, TODAY)
    assert first.business.organization_id != second.business.organization_id
    assert first.balance_data() != second.balance_data()


def test_without_a_day_the_history_ends_now() -> None:
    """Nothing lies in the future."""
    account = Account()
    now = account.now().isoformat()
    assert account.audit_events[0]["created_at"] <= now
    assert account.webhooks.all[0]["finished_at"] <= now
    search = account.records.parse([("filter[record_type]", "messaging")])
    assert account.records.page(search, 1, 1)[0][0]["created_at"] <= now

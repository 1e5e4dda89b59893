"""One odd field never fails a row, one odd row never fails a list, and no sum is wrong for it.

Each field of what the sandbox answers is replaced by each of these values in turn.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.server.build import build_server
from telnyx_mcp.telnyx.transport import Transport
from tests.support.client import call, connected, content_of, text_of
from tests.support.clock import NOW
from tests.support.recorded_telnyx import Place, Recorded
from tests.support.scripted_telnyx import KEY, Scripted
from tests.support.simulated_time import Time

ODD: Mapping[str, Any] = {
    "null": None,
    "empty text": "",
    "object": {},
    "list": [],
    "word": "partially",
    "words": ["odd", None],
    "fraction": 2.5,
    "flag": True,
    "huge": 10**30,
    "nested": {"a": [{"b": None}]},
    "hidden": "\u202eodd\x1b[31m\x00",
}
MAY = {"start_date": "2026-05-01", "end_date": "2026-06-01"}
CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "balance": ("telnyx_get_balance", {}),
    "runway": ("telnyx_get_balance", {"include_runway": True}),
    "spend": ("telnyx_summarize_spend", {"period": "2026-05"}),
    "usage": (
        "telnyx_summarize_usage",
        {"product": "messaging", "period": "2026-05", "group_by": ["profile"]},
    ),
    "usage of records": (
        "telnyx_summarize_usage",
        {"product": "messaging", "period": "2026-06-14", "group_by": ["error"]},
    ),
    "charges": ("telnyx_get_charges_summary", MAY),
    "breakdown": ("telnyx_get_charges_breakdown", MAY),
    "unused": ("telnyx_get_charges_breakdown", {**MAY, "unused": True}),
    "invoices": ("telnyx_list_invoices", {"page_size": 3}),
    "unpaid": ("telnyx_list_invoices", {"unpaid_only": True}),
    "records": (
        "telnyx_search_detail_records",
        {"record_type": "messaging", "date_range": "yesterday"},
    ),
    "audit": ("telnyx_list_audit_events", {"page_size": 3}),
    "audit by text": ("telnyx_list_audit_events", {"contains": ["+1"]}),
    "deliveries": ("telnyx_list_webhook_deliveries", {"page_size": 3}),
    "failures": ("telnyx_list_webhook_deliveries", {"group_failures": True}),
    "numbers": ("telnyx_list_phone_numbers", {"page_size": 3}),
    "numbers by group": ("telnyx_list_phone_numbers", {"group_by": ["billing_group", "tag"]}),
    "tags": ("telnyx_list_user_tags", {}),
    "preferences": ("telnyx_get_auto_recharge_preferences", {}),
}
ONE = {
    "invoice": ("telnyx_get_invoice", "invoice_id", "telnyx_list_invoices"),
    "delivery": ("telnyx_get_webhook_delivery", "delivery_id", "telnyx_list_webhook_deliveries"),
    "session": ("telnyx_get_session_cost", "session_id", "telnyx_search_detail_records"),
}
"""Tools of one thing: the argument, and the tool that lists its ids."""
TOTALS = ("charged", "cost", "total", "part_charged")
REGROUPED = ("unpaid", "audit by text", "unused", "numbers by group", "failures")
"""Calls that choose or group rows by what is changed."""
NO_ANSWER = {("data", "results")}
"""Without this list nothing is known of any number, and the note says so."""
ONE_IN = {"failures": 12, "runway": 6, "spend": 4, "usage": 3, "unused": 3, "charges": 2}
"""Of the fields of calls with many requests, one in so many is tried: the others are like it."""


@asynccontextmanager
async def recorded_sandbox(sandbox: Sandbox) -> AsyncIterator[Recorded]:
    told = Recorded(sandbox=sandbox)
    listening = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v2"
    try:
        yield told
    finally:
        listening.close()


async def asked(told: Recorded, folder: Path, tool: str, arguments: dict[str, Any]) -> Any:
    """The answer of a new server, which remembers nothing."""
    settings = Settings(
        api_key=SecretStr(KEY),
        base_url=told.base_url,
        state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
    )
    time = Time()
    transport = Transport(SecretStr(KEY), told.base_url, clock=time.clock, sleep=time.sleep)
    server = build_server(settings, transport=transport, now=lambda: NOW)
    try:
        async with connected(server) as client:
            return await client.call_tool(tool, arguments)
    finally:
        await server.accounts.aclose()


async def call_of(told: Recorded, folder: Path, name: str) -> tuple[str, Any]:
    """The tool, and its arguments with an id that the account knows."""
    if name in CALLS:
        return CALLS[name]
    tool, argument, lister = ONE[name]
    if name == "session":
        query = {"record_type": "call-control", "date_range": "yesterday"}
        found = await asked(told, folder, lister, query)
        assert not found.is_error
        rows = found.structured_content["items"]
        return tool, {argument: next(each["call_session_id"] for each in rows)}
    first = (await asked(told, folder, lister, {"page_size": 1})).structured_content["items"][0]
    return tool, {argument: first["invoice_id" if name == "invoice" else "id"]}


def sums(told: Any) -> dict[tuple[str, str], Any]:
    """The totals of an answer, by where they stand."""
    found: dict[tuple[str, str], Any] = {}
    for holder in ("all", "spent"):
        within = told.get(holder) or {}
        within = within[0] if isinstance(within, list) and within else within
        if isinstance(within, dict):
            found |= {(holder, each): within[each] for each in TOTALS if each in within}
    return found


def told_note(result: Any) -> str:
    return str(result.structured_content.get("note"))


def check(name: str, base: Any, result: Any, place: Place, odd: str) -> None:
    about = f"{name}: {place} is {odd}"
    if place in NO_ANSWER:
        assert not result.is_error, about
        assert isinstance(ODD[odd], list) or "no list of" in told_note(result), about
        return
    assert not result.is_error, f"{about}: {text_of(result)}"
    told = result.structured_content
    text = json.dumps(told, ensure_ascii=False)
    assert "\u202e" not in text, about
    assert "\\u0000" not in text, about
    if "returned" in base and name not in REGROUPED:
        assert told["returned"] == base["returned"], about
        assert len(told["items"]) == len(base["items"]), about
    # Another amount, or no entries, makes another sum, and rightly so.
    if odd in ("fraction", "huge", "flag", "list") or "currency" in place:
        return
    for where, was in sums(base).items():
        now = sums(told).get(where)
        assert now in (None, was) or where[1].startswith("part") or told.get("note"), about


async def tried(sandbox: Sandbox, folder: Path, name: str, *, every: bool) -> None:
    async with recorded_sandbox(sandbox) as told:
        tool, arguments = await call_of(told, folder, name)
        told.recorded.clear()
        first = await asked(told, folder, tool, arguments)
        assert not first.is_error, text_of(first)
        values = list(ODD)
        step = ONE_IN.get(name, 1) * (1 if every else 3)
        for number, (path, place) in enumerate(told.places()[::step]):
            for turn in range(number, number + (3 if every else 1)):
                odd = values[turn % len(values)]
                told.changed = (path, place, ODD[odd])
                result = await asked(told, folder, tool, arguments)
                check(name, first.structured_content, result, place, odd)


@pytest.mark.parametrize("name", [*CALLS, *ONE])
async def test_an_odd_value_anywhere_in_an_answer_fails_nothing(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """One value for every third field."""
    await tried(sandbox, tmp_path, name, every=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CALLS, *ONE])
async def test_odd_values_everywhere_in_an_answer_fail_nothing(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """Three values for each field."""
    await tried(sandbox, tmp_path, name, every=True)


# --- what was seen -------------------------------------------------------------------------------

ID = "48eff763-ea80-4345-b688-78249eb165a8"


async def told_of(
    scripted: Scripted, server: AccountServer, body: Any, tool: str, **more: Any
) -> Any:
    scripted.will_answer(body)
    return content_of(await call(server, tool, more))


@pytest.mark.parametrize("odd", ["partially", 2.5, ["no"], {"on": "2026-05-01"}], ids=str)
async def test_an_invoice_that_is_neither_paid_nor_not_stays_in_the_list_and_the_note_says_so(
    scripted: Scripted, scripted_server: AccountServer, odd: object
) -> None:
    rows = [{"invoice_id": "a", "paid": odd}, {"invoice_id": "b", "paid": False}]
    told = await told_of(scripted, scripted_server, {"data": rows}, "telnyx_list_invoices")
    assert told["items"] == [{"invoice_id": "a"}, {"invoice_id": "b", "paid": False}]
    assert f'"paid":{json.dumps(odd, separators=(",", ":"))}' in told["note"]


@pytest.mark.parametrize(
    "headers",
    [
        [["Host", "x.example"], ["Accept", "*/*"]],
        ["Host: x.example", "Accept: */*"],
        [{"name": "Host", "value": "x.example"}, {"name": "Accept", "value": "*/*"}],
        {"Host": "x.example", "Accept": ["*/*"]},
        "Host: x.example\r\nAccept: */*",
    ],
    ids=["pairs", "texts", "objects", "an object", "a text"],
)
async def test_headers_are_read_in_any_form(
    scripted: Scripted, scripted_server: AccountServer, headers: Any
) -> None:
    attempt = {"http": {"request": {"headers": headers}, "response": {"headers": headers}}}
    body = {"data": {"id": ID, "attempts": [attempt]}}
    tool = "telnyx_get_webhook_delivery"
    told = await told_of(scripted, scripted_server, body, tool, delivery_id=ID)
    (shown,) = told["attempts"]
    assert shown["request_headers"] == {"Host": "x.example", "Accept": "*/*"}
    assert shown["response_headers"] == shown["request_headers"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"error": "no", "token": "hunter2"}, '{"error":"no","token":"***"}'),
        (["no"], '["no"]'),
        (404, "404"),
        ("no", "no"),
    ],
    ids=str,
)
async def test_a_body_that_was_parsed_is_shown_as_text_without_secrets(
    scripted: Scripted, scripted_server: AccountServer, body: Any, shown: str
) -> None:
    attempts = [{"http": {"response": {"status": "500 Internal", "body": body}}}]
    tool = "telnyx_get_webhook_delivery"
    told = await told_of(
        scripted,
        scripted_server,
        {"data": {"id": ID, "attempts": attempts}},
        tool,
        delivery_id=ID,
    )
    assert told["attempts"][0]["untrusted_response_body"] == shown
    assert '"status":"500 Internal"' in told["note"]


@pytest.mark.parametrize(
    "changes",
    [
        [{"field": "name", "from": "old", "to": "new"}],
        {"field": "name", "from": "old", "to": "new"},
        {"name": {"from": "old", "to": "new"}},
    ],
    ids=["a list", "one", "by name"],
)
async def test_changes_are_read_in_any_form(
    scripted: Scripted, scripted_server: AccountServer, changes: Any
) -> None:
    body = {"data": [{"id": "a", "changes": changes}]}
    told = await told_of(scripted, scripted_server, body, "telnyx_list_audit_events")
    assert told["items"][0]["untrusted_changes"] == [{"name": {"from": "old", "to": "new"}}]


async def test_a_null_tag_is_no_tag(scripted: Scripted, scripted_server: AccountServer) -> None:
    body = {"data": {"number_tags": ["a", None, 5, {"b": 1}], "outbound_profile_tags": None}}
    told = await told_of(scripted, scripted_server, body, "telnyx_list_user_tags")
    assert told["number_tags"] == ["a", "5", '{"b":1}']


@pytest.mark.parametrize("total", ["many", 2.5, True, [], {"value": 2}], ids=str)
async def test_a_total_that_is_no_number_is_unknown(
    scripted: Scripted, scripted_server: AccountServer, total: object
) -> None:
    meta = {"total_results": total, "total_pages": total}
    body = {"data": [{"id": "a"}], "meta": meta}
    told = await told_of(scripted, scripted_server, body, "telnyx_list_audit_events")
    assert "total" not in told
    assert told["returned"] == 1
    assert "total_results" in told["note"]


@pytest.mark.parametrize("quantity", [2.5, "two", False, [2]], ids=str)
async def test_a_quantity_that_is_no_count_leaves_the_amounts_as_they_are(
    scripted: Scripted, scripted_server: AccountServer, quantity: object
) -> None:
    line = {"name": "Number", "new_this_month": {"quantity": quantity, "mrc": "3.00"}}
    body = {"data": {"summary": {"lines": [line]}, "total": {"grand_total": "3.00"}, "results": []}}
    told = await told_of(
        scripted,
        scripted_server,
        body,
        "telnyx_get_charges_summary",
        start_date="2026-05-01",
        end_date="2026-06-01",
    )
    assert told["lines"] == [{"name": "Number", "new_mrc": "3.00"}]
    assert "quantity" in told["note"]


@pytest.mark.parametrize("row", [None, "odd", 5, [], ["a"]], ids=str)
async def test_a_row_that_is_no_object_is_an_empty_row(
    scripted: Scripted, scripted_server: AccountServer, row: object
) -> None:
    body = {"data": [{"invoice_id": "a"}, row]}
    told = await told_of(scripted, scripted_server, body, "telnyx_list_invoices")
    assert told["items"] == [{"invoice_id": "a"}, {}]
    assert "row" in told["note"]


@pytest.mark.parametrize(
    "service", [None, "odd", {"cost": None}, {"cost": "many"}, {"cost": {"USD": "1.00"}}], ids=str
)
async def test_a_cost_that_is_unreadable_makes_the_sum_a_part_of_one(
    scripted: Scripted, scripted_server: AccountServer, service: object
) -> None:
    numbers = [
        {"tn": "+13125550100", "services": [{"cost": "1.00"}, service]},
        {"tn": "+13125550101", "services": [{"cost": "2.00"}]},
    ]
    told = await told_of(
        scripted,
        scripted_server,
        {"data": {"results": numbers}},
        "telnyx_get_charges_breakdown",
        start_date="2026-05-01",
    )
    assert "cost" not in told["all"]
    assert told["all"]["part_cost"] == "3.00"
    assert told["items"][0]["part_cost"] == "1.00"
    assert told["items"][1]["cost"] == "2.00"


async def test_of_very_many_odd_values_a_few_are_named(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    row = {name: [name] for name in ("id", "created_at", "change_type", "user_id", "record_type")}
    body = {"data": [row | {"resource_id": {"a": 1}, "organization_id": True}] * 200}
    told = await told_of(scripted, scripted_server, body, "telnyx_list_audit_events")
    assert "and 199 more" in told["note"]
    assert "other fields" in told["note"]
    assert len(told["note"]) < 700

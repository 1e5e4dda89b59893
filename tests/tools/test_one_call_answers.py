"""The questions that once took a walk through pages, each in one call."""

from __future__ import annotations

from typing import Any

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.telnyx.pagination import MAX_PAGES
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer


async def test_the_unpaid_invoices_are_all_of_them(server: AccountServer, sandbox: Sandbox) -> None:
    told = content_of(await call(server, "telnyx_list_invoices", {"unpaid_only": True}))
    truth = [
        each["invoice_id"]
        for each in raw_api.everything(sandbox, "invoices", {"sort": "-period_start"}, 5)
        if not each["paid"]
    ]
    assert [each["invoice_id"] for each in told["items"]] == truth
    assert (told["returned"], told["total"], told["has_more"]) == (len(truth), len(truth), False)
    assert told["note"] == "Looked through all 18."


@pytest.mark.parametrize(
    "text", ["delete", "phone_number", "+18625550038", "webhook_url", "UPDATE"]
)
async def test_events_are_found_by_any_text_in_them(
    server: AccountServer, sandbox: Sandbox, text: str
) -> None:
    arguments = {"contains": [text], "page_size": 250}
    told = content_of(await call(server, "telnyx_list_audit_events", arguments))
    events = raw_api.everything(sandbox, "audit_events", {"sort": "desc"}, 250)
    for each in events:
        each.pop("organization_id")
    found = [each["id"] for each in events if text.lower() in str(each).lower()]
    assert {each["id"] for each in told["items"]} <= set(found)
    assert told["total"] == len(found) > 0


@pytest.mark.parametrize("text", ["user_id", "record_type", "alternate_resource_id", "null"])
async def test_the_names_of_the_apis_own_fields_are_not_searched_as_text(
    server: AccountServer, text: str
) -> None:
    told = content_of(await call(server, "telnyx_list_audit_events", {"contains": [text]}))
    assert told["total"] == 0


async def test_a_range_of_time_narrows_what_is_looked_through(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"contains": ["update"], "created_after": "2026-06-01T00:00:00Z"}
    told = content_of(await call(server, "telnyx_list_audit_events", arguments))
    asked = dict(sandbox.requests[0].query)
    assert asked["filter[created_after]"] == "2026-06-01T00:00:00Z"
    assert all(each["created_at"] >= "2026-06-01" for each in told["items"])
    assert told["created_after"] == "2026-06-01T00:00:00+00:00"


async def test_groups_of_what_was_delivered_are_refused(
    server: AccountServer, sandbox: Sandbox
) -> None:
    arguments = {"group_failures": True, "status": "delivered"}
    result = await call(server, "telnyx_list_webhook_deliveries", arguments)
    assert result.is_error
    assert sandbox.requests == []


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("telnyx_list_invoices", {"unpaid_only": True}, "list_invoices"),
    ("telnyx_list_audit_events", {"contains": ["e"]}, "list_audit_events"),
    ("telnyx_list_webhook_deliveries", {"group_failures": True}, "list_webhook_deliveries"),
    ("telnyx_list_phone_numbers", {"group_by": ["type"]}, "list_phone_numbers_slim"),
    ("telnyx_list_phone_numbers", {"profile": "none"}, "list_phone_numbers"),
]


@pytest.mark.parametrize(("tool", "arguments", "operation"), CASES[:2])
async def test_pages_that_come_again_count_once(
    server: AccountServer, sandbox: Sandbox, tool: str, arguments: dict[str, Any], operation: str
) -> None:
    whole = content_of(await call(server, tool, arguments))
    sandbox.fault(operation, "stuck_page", times=None)
    again = content_of(await call(server, tool, arguments))
    assert again["items"] == whole["items"]


@pytest.mark.parametrize(("tool", "arguments", "operation"), CASES)
async def test_a_failure_at_once_is_an_error(
    server: AccountServer, sandbox: Sandbox, tool: str, arguments: dict[str, Any], operation: str
) -> None:
    sandbox.fault(operation, "status", status=500, times=None)
    assert (await call(server, tool, arguments)).is_error


async def test_invoices_that_do_not_say_whether_they_are_paid_are_counted_apart(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [
        {"invoice_id": "1", "paid": False},
        {"invoice_id": "2"},
        {"invoice_id": "3", "paid": True},
    ]
    scripted.will_answer({"data": rows, "meta": {"total_pages": 1, "total_results": 3}})
    told = content_of(await call(scripted_server, "telnyx_list_invoices", {"unpaid_only": True}))
    assert [each["invoice_id"] for each in told["items"]] == ["1"]
    assert "1 don't say whether they are paid" in told["note"]


async def test_events_that_were_not_all_looked_through_have_no_total(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [{"id": str(number), "change_type": "update"} for number in range(250)]
    meta = {"total_pages": 2, "total_results": 400}
    scripted.will(answer(200, {"data": rows, "meta": meta}), answer(500, {}))
    asked = {"contains": ["update"]}
    told = content_of(await call(scripted_server, "telnyx_list_audit_events", asked))
    assert "total" not in told
    assert told["has_more"]
    assert told["note"].startswith("INCOMPLETE: looked through 250 of 400")


async def test_rows_that_moved_to_a_later_page_are_there_once(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    def page(first: int) -> Any:
        rows = [{"invoice_id": str(first + row), "paid": False} for row in range(250)]
        return answer(200, {"data": rows, "meta": {"total_pages": 3, "total_results": 550}})

    scripted.will(page(0), page(200), page(300))
    told = content_of(await call(scripted_server, "telnyx_list_invoices", {"unpaid_only": True}))
    assert told["total"] == 550


async def test_a_look_that_breaks_off_says_what_it_covered(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    rows = [{"invoice_id": str(number), "paid": number % 2 == 0} for number in range(250)]
    meta = {"total_pages": 2, "total_results": 400}
    scripted.will(answer(200, {"data": rows, "meta": meta}), answer(500, {}))
    told = content_of(await call(scripted_server, "telnyx_list_invoices", {"unpaid_only": True}))
    assert told["returned"] == 125
    assert "total" not in told
    assert told["note"].startswith("INCOMPLETE: looked through 250 of 400")


async def test_a_scan_ends_at_the_page_limit_and_says_so(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    meta = {"total_pages": 90, "total_results": 450}
    pages = [
        [{"invoice_id": f"{page}-{row}", "paid": False} for row in range(5)] for page in range(90)
    ]
    scripted.will(*(answer(200, {"data": rows, "meta": meta}) for rows in pages))
    result = await call(scripted_server, "telnyx_list_invoices", {"unpaid_only": True})
    assert "INCOMPLETE: looked through 200 of 450" in text_of(result)
    assert len(scripted.requests) == MAX_PAGES

"""Links to the PDFs of several invoices in one answer."""

from __future__ import annotations

import json
from typing import Any

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from telnyx_mcp.tools.framework.tokens import about_tokens
from tests.support import raw_api
from tests.support.client import call, content_of, text_of
from tests.support.scripted_telnyx import Scripted, answer, complaint

INVOICES = "telnyx_list_invoices"
LINKS = {"include_download_links": True}


async def asked(server: AccountServer, **arguments: Any) -> dict[str, Any]:
    return content_of(await call(server, INVOICES, arguments))


async def test_the_unpaid_invoices_come_with_their_links(
    server: AccountServer, sandbox: Sandbox
) -> None:
    told = await asked(server, unpaid_only=True, **LINKS)
    unpaid = [
        each["invoice_id"]
        for each in raw_api.everything(sandbox, "invoices", {"sort": "-period_start"}, 250)
        if not each["paid"]
    ]
    assert [each["invoice_id"] for each in told["items"]] == unpaid
    for each in told["items"]:
        link = raw_api.get(sandbox, f"invoices/{each['invoice_id']}", {"action": "link"})["data"]
        assert each["download_url"] == link["download_url"]
    assert "short time" in told["note"]
    assert "user only" in told["note"]


async def test_rows_have_no_links_unless_they_are_asked_for(
    server: AccountServer, sandbox: Sandbox
) -> None:
    assert "http" not in json.dumps(await asked(server, unpaid_only=True))
    assert [each.path for each in sandbox.requests] == ["/v2/invoices"]


async def test_paid_invoices_have_links_too(server: AccountServer) -> None:
    told = await asked(server, page_size=3, sort="period_start", **LINKS)
    assert all(each["paid"] and each["download_url"] for each in told["items"])


def account_of(count: int, link: str) -> list[Any]:
    rows = [{"invoice_id": f"i{each}", "paid": False} for each in range(count)]
    listed = answer(200, {"data": rows, "meta": {"total_pages": 1, "total_results": count}})
    return [listed, answer(200, {"data": {"invoice_id": "i", "download_url": link}})]


async def test_one_answer_has_twenty_links_at_most_and_says_so(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    scripted.will(*account_of(25, "https://files.example/a.pdf?X-Amz-Signature=abc"))
    told = await asked(scripted_server, unpaid_only=True, **LINKS)
    assert ["download_url" in each for each in told["items"]] == [True] * 20 + [False] * 5
    assert "Only the first 20 rows have links" in told["note"]
    assert len(scripted.requests) == 21


async def test_a_link_is_whole_though_the_answer_is_too_long(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    """Rows are dropped. A link that was cut would not work."""
    link = f"https://files.example/a.pdf?X-Amz-Signature={'0a1b' * 500}"
    scripted.will(*account_of(20, link))
    result = await call(scripted_server, INVOICES, LINKS | {"unpaid_only": True})
    told = content_of(result)
    assert about_tokens(text_of(result)) <= 8000
    assert 0 < len(told["items"]) < 20
    assert all(each["download_url"] == link for each in told["items"])


async def test_an_invoice_whose_link_cannot_be_had_leaves_the_others_theirs(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    listed, linked = account_of(3, "https://files.example/a.pdf?X-Amz-Signature=abc")
    scripted.will(listed, complaint(404), linked)
    told = await asked(scripted_server, unpaid_only=True, **LINKS)
    assert sum("download_url" in each for each in told["items"]) == 2
    assert "1 invoices have no link" in told["note"]


async def test_without_any_link_the_invoices_are_listed_and_the_reason_is_given(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    listed, _ = account_of(2, "")
    scripted.will(listed, complaint(403, detail="Insufficient permissions to access invoices"))
    told = await asked(scripted_server, unpaid_only=True, **LINKS)
    assert told["returned"] == 2
    assert "There are no links." in told["note"]
    assert "2 invoices have no link (" in told["note"]


async def test_a_link_that_telnyx_sends_unasked_is_not_shown(
    scripted: Scripted, scripted_server: AccountServer
) -> None:
    row = {
        "invoice_id": "1",
        "paid": False,
        "download_url": "https://f.example/?X-Amz-Signature=abc",
    }
    scripted.will_answer({"data": [row], "meta": {"total_pages": 1, "total_results": 1}})
    assert "f.example" not in json.dumps(await asked(scripted_server))

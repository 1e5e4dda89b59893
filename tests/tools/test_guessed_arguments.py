"""Arguments that models guess: what they are told instead."""

from __future__ import annotations

import pytest

from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.account_server import AccountServer
from tests.support.client import call, text_of


@pytest.mark.parametrize(
    ("tool", "guessed", "told"),
    [
        ("telnyx_list_invoices", "paid", "read `paid` in each row"),
        ("telnyx_list_invoices", "status", "read `paid` in each row"),
        ("telnyx_list_invoices", "limit", "did you mean `page_size`?"),
        ("telnyx_list_audit_events", "user", "Use changed_by"),
        ("telnyx_create_stored_payment_transaction", "currency", "in the account's currency"),
        ("telnyx_summarize_spend", "month", "Use period, such as 2026-05"),
        ("telnyx_summarize_usage", "date_range", "Use period, such as 2026-05"),
        ("telnyx_get_webhook_delivery", "id", "did you mean `delivery_id`?"),
        ("telnyx_get_invoice", "ID", "did you mean `invoice_id`?"),
        ("telnyx_get_charges_summary", "start", "did you mean `start_date`?"),
        ("telnyx_get_charges_summary", "end", "did you mean `end_date`?"),
        ("telnyx_get_charges_breakdown", "until", "did you mean `end_date`?"),
        ("telnyx_summarize_spend", "from", "did you mean `start_date`?"),
        ("telnyx_list_audit_events", "created", "did you mean `created_after`?"),
    ],
)
async def test_a_guessed_argument_is_answered_with_what_to_do_instead(
    server: AccountServer, sandbox: Sandbox, tool: str, guessed: str, told: str
) -> None:
    result = await call(server, tool, {guessed: "x"})
    assert result.is_error
    assert told in text_of(result)
    assert sandbox.requests == []

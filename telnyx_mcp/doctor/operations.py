"""Each operation that changes nothing, asked for as little as possible."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from telnyx_mcp.doctor.patient import Patient
from telnyx_mcp.telnyx.deadline import Deadline


async def _an_invoice(patient: Patient, deadline: Deadline) -> object:
    listed = await patient.client.list_invoices(page_size=1, deadline=deadline)
    ids = [each.invoice_id for each in listed.items if each.invoice_id]
    return await patient.client.get_invoice(ids[0], deadline=deadline) if ids else None


async def _a_delivery(patient: Patient, deadline: Deadline) -> object:
    listed = await patient.client.list_webhook_deliveries(page_size=1, deadline=deadline)
    ids = [each.id for each in listed.items if each.id]
    return await patient.client.get_webhook_delivery(ids[0], deadline=deadline) if ids else None


Ask = Callable[[Patient, Deadline], Awaitable[object]]
"""Asks for as little as possible. None if there was nothing to ask for."""

OPERATIONS: Sequence[tuple[str, Ask]] = (
    ("balance", lambda at, by: at.client.get_balance(deadline=by)),
    ("audit events", lambda at, by: at.client.list_audit_events(page_size=1, deadline=by)),
    (
        "charges breakdown",
        lambda at, by: at.client.get_charges_breakdown(*at.yesterday, deadline=by),
    ),
    ("charges summary", lambda at, by: at.client.get_charges_summary(*at.yesterday, deadline=by)),
    (
        "detail records",
        lambda at, by: at.client.search_detail_records("messaging", page_size=1, deadline=by),
    ),
    ("invoices", lambda at, by: at.client.list_invoices(page_size=1, deadline=by)),
    ("one invoice", _an_invoice),
    ("auto-recharge", lambda at, by: at.client.get_auto_recharge_preferences(deadline=by)),
    ("user tags", lambda at, by: at.client.list_user_tags(deadline=by)),
    (
        "webhook deliveries",
        lambda at, by: at.client.list_webhook_deliveries(page_size=1, deadline=by),
    ),
    ("one delivery", _a_delivery),
)
CHANGING_OPERATIONS = ("update of auto-recharge", "stored payment")

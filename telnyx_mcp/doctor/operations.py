"""Each operation that changes nothing, asked for as little as possible."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from telnyx_mcp.doctor.context import DoctorContext
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.usage_reports import latest_end


async def _an_invoice(_: DoctorContext, client: TelnyxClient) -> object:
    listed = await client.list_invoices(page_size=1)
    ids = [each.invoice_id for each in listed.items if each.invoice_id]
    return await client.get_invoice(ids[0]) if ids else None


async def _a_delivery(_: DoctorContext, client: TelnyxClient) -> object:
    listed = await client.list_webhook_deliveries(page_size=1)
    ids = [each.id for each in listed.items if each.id]
    return await client.get_webhook_delivery(ids[0]) if ids else None


async def _a_report(_: DoctorContext, client: TelnyxClient) -> object:
    products = await client.get_usage_report_options()
    found = next(
        (p for p in products if p.product and p.product_dimensions and p.product_metrics), None
    )
    if found is None:
        return None
    dimension, metric = (found.product_dimensions or [""])[0], (found.product_metrics or [""])[0]
    end = latest_end(client)
    return await client.get_usage_report(
        found.product or "", [dimension], [metric], end - timedelta(days=1), end
    )


async def _a_session(_: DoctorContext, client: TelnyxClient) -> object:
    calls = await client.search_detail_records("call-control", page_size=1)
    ids = [each["call_session_id"] for each in calls.items if each.get("call_session_id")]
    return await client.get_session_analysis("call-session", str(ids[0])) if ids else None


Ask = Callable[[DoctorContext, TelnyxClient], Awaitable[object]]
"""Asks for as little as possible. None if there was nothing to ask for."""

OPERATIONS: Sequence[tuple[str, Ask]] = (
    ("balance", lambda _, client: client.get_balance()),
    ("audit events", lambda _, client: client.list_audit_events(page_size=1)),
    (
        "charges breakdown",
        lambda at, client: client.get_charges_breakdown(*at.yesterday),
    ),
    ("charges summary", lambda at, client: client.get_charges_summary(*at.yesterday)),
    (
        "detail records",
        lambda _, client: client.search_detail_records("messaging", page_size=1),
    ),
    ("invoices", lambda _, client: client.list_invoices(page_size=1)),
    ("one invoice", _an_invoice),
    ("auto-recharge", lambda _, client: client.get_auto_recharge_preferences()),
    ("user tags", lambda _, client: client.list_user_tags()),
    (
        "webhook deliveries",
        lambda _, client: client.list_webhook_deliveries(page_size=1),
    ),
    ("one delivery", _a_delivery),
    ("usage reports", _a_report),
)
COURTESIES: Sequence[tuple[str, Ask]] = (
    ("users", lambda _, client: client.list_organization_users(page_size=1)),
    ("phone numbers", lambda _, client: client.list_phone_numbers(page_size=1)),
    (
        "phone numbers in detail",
        lambda _, client: client.list_phone_numbers(page_size=1, detailed=True),
    ),
    ("messaging profiles", lambda _, client: client.list_messaging_profiles(page_size=1)),
    ("connections", lambda _, client: client.list_connections(page_size=1)),
    ("billing groups", lambda _, client: client.list_billing_groups(page_size=1)),
    ("spend limits", lambda _, client: client.list_spend_limits()),
    ("notification channels", lambda _, client: client.list_notification_channels(page_size=1)),
    (
        "notification conditions",
        lambda _, client: client.list_notification_event_conditions(page_size=1),
    ),
    ("notification events", lambda _, client: client.list_notification_events(page_size=1)),
    ("notification profiles", lambda _, client: client.list_notification_profiles(page_size=1)),
    ("notification settings", lambda _, client: client.list_notification_settings(page_size=1)),
    ("cost of a session", _a_session),
)
"""Operations that add names and details to answers. Without them, answers are shorter and still right."""
CHANGING_OPERATIONS = ("update of auto-recharge", "stored payment")

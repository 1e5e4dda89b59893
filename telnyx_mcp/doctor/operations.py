"""The reading operations, each called with as little data as possible."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from telnyx_mcp.doctor.context import DoctorContext
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.usage_reports import latest_end


async def _get_an_invoice(_: DoctorContext, client: TelnyxClient) -> object:
    listed = await client.list_invoices(page_size=1)
    ids = [each.invoice_id for each in listed.items if each.invoice_id]
    return await client.get_invoice(ids[0]) if ids else None


async def _get_a_delivery(_: DoctorContext, client: TelnyxClient) -> object:
    listed = await client.list_webhook_deliveries(page_size=1)
    ids = [each.id for each in listed.items if each.id]
    return await client.get_webhook_delivery(ids[0]) if ids else None


async def _get_a_report(_: DoctorContext, client: TelnyxClient) -> object:
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


async def _get_a_session(_: DoctorContext, client: TelnyxClient) -> object:
    calls = await client.search_detail_records("call-control", page_size=1)
    ids = [each["call_session_id"] for each in calls.items if each.get("call_session_id")]
    return await client.get_session_analysis("call-session", str(ids[0])) if ids else None


Ask = Callable[[DoctorContext, TelnyxClient], Awaitable[object]]
"""Calls an operation for as little data as possible. None if the account has nothing to read."""

OPERATIONS: Sequence[tuple[str, str, Ask]] = (
    ("balance", "billing changes", lambda _, client: client.get_balance()),
    ("audit events", "audit", lambda _, client: client.list_audit_events(page_size=1)),
    (
        "charges breakdown",
        "billing",
        lambda at, client: client.get_charges_breakdown(*at.yesterday),
    ),
    ("charges summary", "billing", lambda at, client: client.get_charges_summary(*at.yesterday)),
    (
        "detail records",
        "usage",
        lambda _, client: client.search_detail_records("messaging", page_size=1),
    ),
    ("invoices", "billing", lambda _, client: client.list_invoices(page_size=1)),
    ("one invoice", "billing", _get_an_invoice),
    ("auto-recharge", "billing changes", lambda _, client: client.get_auto_recharge_preferences()),
    ("user tags", "numbers", lambda _, client: client.list_user_tags()),
    (
        "webhook deliveries",
        "webhooks",
        lambda _, client: client.list_webhook_deliveries(page_size=1),
    ),
    ("one delivery", "webhooks", _get_a_delivery),
    ("usage reports", "billing usage numbers", _get_a_report),
)
"""Each operation, the groups of tools that need it, and how it is tried."""
OPTIONAL_OPERATIONS: Sequence[tuple[str, str, Ask]] = (
    ("users", "audit", lambda _, client: client.list_organization_users(page_size=1)),
    ("phone numbers", "numbers usage", lambda _, client: client.list_phone_numbers(page_size=1)),
    (
        "phone numbers in detail",
        "numbers",
        lambda _, client: client.list_phone_numbers(page_size=1, detailed=True),
    ),
    (
        "messaging profiles",
        "numbers usage",
        lambda _, client: client.list_messaging_profiles(page_size=1),
    ),
    ("connections", "numbers usage", lambda _, client: client.list_connections(page_size=1)),
    ("billing groups", "numbers usage", lambda _, client: client.list_billing_groups(page_size=1)),
    ("spend limits", "billing", lambda _, client: client.list_spend_limits()),
    (
        "notification channels",
        "billing",
        lambda _, client: client.list_notification_channels(page_size=1),
    ),
    (
        "notification conditions",
        "billing",
        lambda _, client: client.list_notification_event_conditions(page_size=1),
    ),
    (
        "notification events",
        "billing",
        lambda _, client: client.list_notification_events(page_size=1),
    ),
    (
        "notification profiles",
        "billing",
        lambda _, client: client.list_notification_profiles(page_size=1),
    ),
    (
        "notification settings",
        "billing",
        lambda _, client: client.list_notification_settings(page_size=1),
    ),
    ("cost of a session", "usage", _get_a_session),
)
"""Operations that add names and details to answers. Without them, answers are shorter and still right."""
CHANGING_OPERATIONS = ("update of auto-recharge", "stored payment")

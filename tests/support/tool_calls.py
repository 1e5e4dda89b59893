"""A call of every tool that the sandbox and a scripted Telnyx can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telnyx_mcp.tools import TOOLS

ID = "48eff763-ea80-4345-b688-78249eb165a8"

CALLS: Mapping[str, dict[str, Any]] = {each.name: {} for each in TOOLS} | {
    "telnyx_summarize_spend": {"period": "2026-05", "compare_to": "previous"},
    "telnyx_get_charges_summary": {"start_date": "2026-05-01", "end_date": "2026-06-01"},
    "telnyx_get_charges_breakdown": {"start_date": "2026-05-01", "export": True},
    "telnyx_get_invoice": {"invoice_id": ID, "include_download_link": True},
    "telnyx_summarize_usage": {"product": "messaging", "period": "yesterday"},
    "telnyx_search_detail_records": {
        "record_type": "messaging",
        "date_range": "yesterday",
        "export": True,
    },
    "telnyx_list_audit_events": {"contains": ["a"]},
    "telnyx_list_webhook_deliveries": {"group_failures": True},
    "telnyx_get_webhook_delivery": {"delivery_id": ID, "include_payload": True},
    "telnyx_list_phone_numbers": {"profile": "none"},
    "telnyx_get_session_cost": {"session_id": ID},
    "telnyx_update_auto_recharge_preferences": {"threshold_amount": "50.00"},
    "telnyx_create_stored_payment_transaction": {"amount": "10.00"},
}

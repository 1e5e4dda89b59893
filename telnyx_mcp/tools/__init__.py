"""The tools, in the order a client lists them: balance first, the two that change something last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telnyx_mcp.approval.request import ChangeRequest, RequestFactory
from telnyx_mcp.tools.catalog.create_stored_payment_transaction import (
    CREATE_STORED_PAYMENT_TRANSACTION,
    PaymentRequest,
)
from telnyx_mcp.tools.catalog.get_auto_recharge_preferences import GET_AUTO_RECHARGE_PREFERENCES
from telnyx_mcp.tools.catalog.get_balance import GET_BALANCE
from telnyx_mcp.tools.catalog.get_charges_breakdown import GET_CHARGES_BREAKDOWN
from telnyx_mcp.tools.catalog.get_charges_summary import GET_CHARGES_SUMMARY
from telnyx_mcp.tools.catalog.get_invoice import GET_INVOICE
from telnyx_mcp.tools.catalog.get_session_cost import GET_SESSION_COST
from telnyx_mcp.tools.catalog.get_webhook_delivery import GET_WEBHOOK_DELIVERY
from telnyx_mcp.tools.catalog.list_audit_events import LIST_AUDIT_EVENTS
from telnyx_mcp.tools.catalog.list_changes import LIST_CHANGES
from telnyx_mcp.tools.catalog.list_invoices import LIST_INVOICES
from telnyx_mcp.tools.catalog.list_phone_numbers import LIST_PHONE_NUMBERS
from telnyx_mcp.tools.catalog.list_user_tags import LIST_USER_TAGS
from telnyx_mcp.tools.catalog.list_webhook_deliveries import LIST_WEBHOOK_DELIVERIES
from telnyx_mcp.tools.catalog.search_detail_records import SEARCH_DETAIL_RECORDS
from telnyx_mcp.tools.catalog.summarize_spend import SUMMARIZE_SPEND
from telnyx_mcp.tools.catalog.summarize_usage import SUMMARIZE_USAGE
from telnyx_mcp.tools.catalog.update_auto_recharge_preferences import (
    UPDATE_AUTO_RECHARGE_PREFERENCES,
    RechargeRequest,
)
from telnyx_mcp.tools.framework.spec import ToolSpec
from telnyx_mcp.tools.support.change_requests import AccountRequest, Surroundings

TOOLS: tuple[ToolSpec[Any, Any], ...] = (
    GET_BALANCE,
    SUMMARIZE_SPEND,
    SUMMARIZE_USAGE,
    GET_CHARGES_SUMMARY,
    GET_CHARGES_BREAKDOWN,
    LIST_INVOICES,
    GET_INVOICE,
    SEARCH_DETAIL_RECORDS,
    GET_SESSION_COST,
    LIST_AUDIT_EVENTS,
    LIST_WEBHOOK_DELIVERIES,
    GET_WEBHOOK_DELIVERY,
    LIST_PHONE_NUMBERS,
    LIST_USER_TAGS,
    GET_AUTO_RECHARGE_PREFERENCES,
    LIST_CHANGES,
    UPDATE_AUTO_RECHARGE_PREFERENCES,
    CREATE_STORED_PAYMENT_TRANSACTION,
)

FORMER: Mapping[str, str] = {
    "telnyx_summarize_detail_records": "telnyx_summarize_usage: give it product instead of record_type",
}
"""Names that tools had in earlier versions, and what to call instead."""

REQUESTS: Mapping[str, type[AccountRequest]] = {
    each.operation: each for each in (PaymentRequest, RechargeRequest)
}
"""The operations that change something."""


def requests_for(around: Surroundings) -> RequestFactory:
    """Makes the request of a change from its operation and arguments, as the ledger keeps them."""

    def request(operation: str, arguments: Mapping[str, Any]) -> ChangeRequest:
        return REQUESTS[operation](arguments, around)

    return request

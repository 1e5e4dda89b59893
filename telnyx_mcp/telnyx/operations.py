"""The operations as data: method, path, how often to try, and the names of the wire.

Source of every row: Telnyx's OpenAPI document of 2026-07-16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from telnyx_mcp.telnyx.decoding import LARGEST_REPLY
from telnyx_mcp.telnyx.errors import Failure

NOT_CONNECTED = frozenset({Failure.DNS, Failure.CONNECT, Failure.CONNECT_TIMEOUT, Failure.PROXY})
LOST_OR_BUSY = NOT_CONNECTED | {
    Failure.TIMEOUT,
    Failure.RESET,
    Failure.RATE_LIMITED,
    Failure.THROTTLED,
}
BUSY_STATUSES = frozenset({502, 503, 504})


class Retry(Enum):
    """After which failures a request is tried again. A payment never is."""

    READ = (LOST_OR_BUSY, BUSY_STATUSES)
    ABSOLUTE = (NOT_CONNECTED | {Failure.RATE_LIMITED}, frozenset[int]())
    """For a change that sets absolute values: only after failures that surely changed nothing."""
    NEVER = (frozenset[Failure](), frozenset[int]())

    def after(self, failure: Failure, status: int | None) -> bool:
        failures, statuses = self.value
        return failure in failures or status in statuses


MAX_TRIES = 3


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API. `names` maps wire names to this program's argument names."""

    id: str
    method: str
    path: str
    retry: Retry = Retry.READ
    names: Mapping[str, str] = field(default_factory=dict)
    largest_page: int = 0
    exact: bool = False
    """Whether its numbers are kept as the text they came in: a double would change them."""
    long_list: str = ""
    """A list in its answer, which has no pages and is read row by row: a `LongList` in the answer."""
    largest_reply: int = LARGEST_REPLY
    """Bytes of an answer that are read."""
    bare: tuple[str, ...] = ()
    """Objects of which every answer has one, where the answer is not in `data`."""

    @property
    def takes_id(self) -> bool:
        """Whether the path names one object, so that it may not exist."""
        return "{" in self.path


_PAGE = {"page[number]": "page", "page[size]": "page_size", "sort": "sort"}
_CHARGES = {"start_date": "start_date", "end_date": "end_date"}

GET_BALANCE = Operation("get_balance", "GET", "/balance")
LIST_AUDIT_EVENTS = Operation(
    "list_audit_events",
    "GET",
    "/audit_events",
    names=_PAGE
    | {"filter[created_after]": "created_after", "filter[created_before]": "created_before"},
    largest_page=250,
)
GET_CHARGES_BREAKDOWN = Operation(
    "get_charges_breakdown",
    "GET",
    "/charges_breakdown",
    names=_CHARGES,
    long_list="results",
    largest_reply=4 * LARGEST_REPLY,
)
GET_CHARGES_SUMMARY = Operation("get_charges_summary", "GET", "/charges_summary", names=_CHARGES)
SEARCH_DETAIL_RECORDS = Operation(
    "search_detail_records",
    "GET",
    "/detail_records",
    names=_PAGE
    | {
        "filter[record_type]": "record_type",
        "filter[date_range]": "date_range",
        "filter": "filters",
    },
    largest_page=50,
)
LIST_INVOICES = Operation("list_invoices", "GET", "/invoices", names=_PAGE, largest_page=250)
GET_INVOICE = Operation("get_invoice", "GET", "/invoices/{id}", names={"id": "invoice_id"})
GET_AUTO_RECHARGE_PREFERENCES = Operation(
    "get_auto_recharge_preferences", "GET", "/payment/auto_recharge_prefs"
)
UPDATE_AUTO_RECHARGE_PREFERENCES = Operation(
    "update_auto_recharge_preferences", "PATCH", "/payment/auto_recharge_prefs", Retry.ABSOLUTE
)
LIST_USER_TAGS = Operation(
    "list_user_tags", "GET", "/user_tags", names={"filter[starts_with]": "starts_with"}
)
CREATE_STORED_PAYMENT_TRANSACTION = Operation(
    "create_stored_payment_transaction",
    "POST",
    # The published path key doubles the version (`/v2/v2/…`); this is the address that works.
    "/payment/stored_payment_transactions",
    Retry.NEVER,
    names={"/": "amount", "/amount": "amount"},
)
LIST_WEBHOOK_DELIVERIES = Operation(
    "list_webhook_deliveries",
    "GET",
    "/webhook_deliveries",
    names=_PAGE
    | {
        "filter[status][eq]": "status",
        "filter[event_type]": "event_types",
        "filter[webhook][contains]": "webhook_contains",
        "filter[attempts][contains]": "attempts_contains",
        "filter[started_at][gte]": "started_after",
        "filter[started_at][lte]": "started_before",
        "filter[finished_at][gte]": "finished_after",
        "filter[finished_at][lte]": "finished_before",
    },
    largest_page=250,
)
GET_WEBHOOK_DELIVERY = Operation(
    "get_webhook_delivery", "GET", "/webhook_deliveries/{id}", names={"id": "delivery_id"}
)
GET_USAGE_REPORT_OPTIONS = Operation("get_usage_report_options", "GET", "/usage_reports/options")
GET_USAGE_REPORT = Operation(
    "get_usage_report",
    "GET",
    "/usage_reports",
    names=_PAGE | {"metrics": "sum", "dimensions": "group_by", "filter": "filters"},
    largest_page=5000,
    exact=True,
)
LIST_ORGANIZATION_USERS = Operation(
    "list_organization_users",
    "GET",
    "/organizations/users",
    names=_PAGE | {"filter[email]": "email"},
    largest_page=250,
)
_NUMBERS = _PAGE | {
    "filter[phone_number]": "phone_number",
    "filter[status]": "status",
    "filter[country_iso_alpha2]": "country",
    "filter[connection_id]": "connection_id",
    "filter[billing_group_id]": "billing_group_id",
    "filter[tag]": "tag",
    "filter[without_tags]": "without_tags",
    "filter[customer_reference]": "customer_reference",
    "filter[number_type][eq]": "number_type",
}
LIST_PHONE_NUMBERS = Operation(
    "list_phone_numbers", "GET", "/phone_numbers", names=_NUMBERS, largest_page=250
)
LIST_PHONE_NUMBERS_SLIM = Operation(
    "list_phone_numbers_slim", "GET", "/phone_numbers/slim", names=_NUMBERS, largest_page=250
)
LIST_MESSAGING_PROFILES = Operation(
    "list_messaging_profiles",
    "GET",
    "/messaging_profiles",
    names=_PAGE | {"filter[name][contains]": "name_contains"},
    largest_page=250,
)
LIST_CONNECTIONS = Operation(
    "list_connections",
    "GET",
    "/connections",
    names=_PAGE | {"filter[connection_name][contains]": "name_contains"},
    largest_page=250,
)
LIST_BILLING_GROUPS = Operation(
    "list_billing_groups", "GET", "/billing_groups", names=_PAGE, largest_page=250
)
LIST_SPEND_LIMITS = Operation("list_spend_limits", "GET", "/spend_limits")


def _notifications(what: str) -> Operation:
    name = f"notification_{what}"
    return Operation(f"list_{name}", "GET", f"/{name}", names=_PAGE, largest_page=250)


LIST_NOTIFICATION_CHANNELS = _notifications("channels")
LIST_NOTIFICATION_EVENT_CONDITIONS = _notifications("event_conditions")
LIST_NOTIFICATION_EVENTS = _notifications("events")
LIST_NOTIFICATION_PROFILES = _notifications("profiles")
LIST_NOTIFICATION_SETTINGS = _notifications("settings")
GET_SESSION_ANALYSIS = Operation(
    "get_session_analysis",
    "GET",
    "/session_analysis/{record_type}/{event_id}",
    names={"date_time": "date", "max_depth": "max_depth", "expand": "expand"},
    bare=("root", "cost"),
)

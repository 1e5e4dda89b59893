"""The phone numbers as `GET /phone_numbers` and `GET /phone_numbers/slim` list them.

Both include the PIN for porting a number out. Neither includes the cost of a number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.business import Business, MessagingProfile, stable_digits
from telnyx_mcp.sandbox.call import Call, Operation, one_of, page_of
from telnyx_mcp.sandbox.days import timestamp
from telnyx_mcp.sandbox.neighbours.resources import billing_group_of
from telnyx_mcp.sandbox.numbers import CALLER_NAME, EMERGENCY, RECORDING, SMS, Number
from telnyx_mcp.sandbox.refusals import bad_parameter
from telnyx_mcp.sandbox.responses import Response

STATUSES = (
    "purchase-pending",
    "purchase-failed",
    "port-pending",
    "active",
    "deleted",
    "port-failed",
    "emergency-only",
    "ported-out",
    "port-out-pending",
)
# The document of the slim list spells one status with another dash.
SLIM_STATUSES = tuple("port_pending" if each == "port-pending" else each for each in STATUSES)
TYPES = ("local", "national", "toll_free", "mobile", "shared_cost")
SORTS = ("purchased_at", "phone_number", "connection_name", "usage_payment_method")
LEGACY_UNTIL = datetime(2023, 7, 1, tzinfo=UTC)
LEGACY_TYPES = {"local": "longcode", "toll_free": "tollfree"}
"""The type that Telnyx reports for numbers bought before `LEGACY_UNTIL`."""
ONLY_FULL = frozenset(
    {
        "deletion_lock_enabled",
        "messaging_profile_id",
        "messaging_profile_name",
        "source_type",
    }
)

Row = dict[str, Any]


def list_phone_numbers(account: Account, call: Call) -> Response:
    """20 a page unless asked otherwise."""
    without_tags = call.get("filter[without_tags]") == "true"  # other values are ignored
    rows = [row for row in _found(account, call, STATUSES) if not (without_tags and row["tags"])]
    return page_of(call, rows, default=20)


def list_phone_numbers_slim(account: Account, call: Call) -> Response:
    """As `list_phone_numbers`, with fewer fields; tags and connection names on request only."""
    with_tags, with_connection = (
        one_of(call, f"include_{part}", ("true", "false")) == "true"
        for part in ("tags", "connection")
    )
    if call.get("filter[tag]") is not None and not with_tags:
        raise bad_parameter("filter[tag]", "'filter[tag]' requires 'include_tags'.")
    left_out = ONLY_FULL | {
        name
        for name, wanted in (("tags", with_tags), ("connection_name", with_connection))
        if not wanted
    }
    rows = [
        # Absent where the full list has null.
        {name: value for name, value in row.items() if name not in left_out and value is not None}
        | {"record_type": "phone_number_slim"}
        for row in _found(account, call, SLIM_STATUSES)
    ]
    return page_of(call, rows, default=20)


def _found(account: Account, call: Call, statuses: tuple[str, ...]) -> list[Row]:
    status = one_of(call, "filter[status]", statuses)
    number_type = one_of(call, "filter[number_type][eq]", TYPES)
    sort = one_of(call, "sort", SORTS)
    digits = call.get("filter[phone_number]")
    if digits is not None and sum(each.isdigit() for each in digits) < 3:
        raise bad_parameter("filter[phone_number]", "At least three digits are required.")
    wanted = {
        field: call.get(f"filter[{field}]")
        for field in ("connection_id", "billing_group_id", "customer_reference")
    }
    countries = [
        value
        for name, value in call.query
        if name in {"filter[country_iso_alpha2]", "filter[country_iso_alpha2][]"}
    ]
    tag = call.get("filter[tag]")
    rows = [
        row
        for number in account.numbers.all
        if number_type in {None, number.charge_type}
        for row in [_row(account.business, number)]
        # Released numbers are listed only on request.
        if row["status"] == (status or "active")
        and (tag is None or tag in row["tags"])
        and (not countries or row["country_iso_alpha2"] in countries)
        # Not even a plus sign is allowed: nothing is found then.
        and (digits is None or digits in row["phone_number"].removeprefix("+"))
        and all(
            value is None or row[field] == (None if value == "null" else value)
            for field, value in wanted.items()
        )
    ]
    if sort in {None, "usage_payment_method"}:
        rows.sort(key=lambda row: str(row["created_at"]), reverse=True)
    else:
        rows.sort(key=lambda row: (str(row[sort]), str(row["phone_number"])))
    return rows


def _row(business: Business, number: Number) -> Row:
    bought = timestamp(number.bought_at)
    status, changed = "active", bought
    if number.released_at is not None:
        status = "ported-out" if number.ported_out else "deleted"
        changed = timestamp(number.released_at)
    legacy = number.bought_at < LEGACY_UNTIL
    emergency = EMERGENCY in number.services
    profile = _profile_of(business, number)
    reference = int(number.phone_number[-4:])
    return {
        "id": number.id,
        "record_type": "phone_number",
        "phone_number": number.phone_number,
        "country_iso_alpha2": "US",
        "phone_number_type": LEGACY_TYPES[number.charge_type] if legacy else number.charge_type,
        "status": status,
        "tags": number.tags,
        "customer_reference": f"NWP-{reference:04d}" if reference % 5 == 0 else None,
        "external_pin": stable_digits(business.seed, f"pin:{number.id}", 6)
        if reference % 3
        else None,
        "connection_id": number.connection.id,
        "connection_name": number.connection.name,
        "messaging_profile_id": profile.id if profile else None,
        "messaging_profile_name": profile.name if profile else None,
        "billing_group_id": billing_group_of(business, number),
        "emergency_enabled": emergency,
        "emergency_status": "active" if emergency else "disabled",
        "emergency_address_id": stable_digits(business.seed, "emergency address")
        if emergency
        else None,
        "call_forwarding_enabled": True,
        "call_recording_enabled": RECORDING in number.services,
        "caller_id_name_enabled": CALLER_NAME in number.services,
        "cnam_listing_enabled": CALLER_NAME in number.services,
        "hd_voice_enabled": True,
        "t38_fax_gateway_enabled": True,
        "inbound_call_screening": "disabled",
        "deletion_lock_enabled": False,
        "source_type": "port_request" if reference % 11 == 0 else "number_order",
        "purchased_at": bought,
        "created_at": bought,
        "activated_at": None if legacy else bought,
        "updated_at": changed,
    }


def _profile_of(business: Business, number: Number) -> MessagingProfile | None:
    """The messaging profile of a number that can send messages."""
    if SMS not in number.services:
        return None
    return business.profiles[2 if number.tag == "marketing" else int(number.id) % 2]


OPERATIONS = (
    Operation("list_phone_numbers", "GET", "/phone_numbers", list_phone_numbers),
    Operation("list_phone_numbers_slim", "GET", "/phone_numbers/slim", list_phone_numbers_slim),
)

"""What ids in records and audit events stand for: connections, messaging profiles, billing groups."""

from __future__ import annotations

from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.business import DOMAIN, Business, stable_digits
from telnyx_mcp.sandbox.call import Call, Operation, one_of, page_of
from telnyx_mcp.sandbox.days import midnight, timestamp
from telnyx_mcp.sandbox.numbers import Number
from telnyx_mcp.sandbox.refusals import Refusal, bad_parameter
from telnyx_mcp.sandbox.responses import Response

CONNECTION_TYPES = ("call_control_application", "ip_connection", "credential_connection")
CONNECTION_SORTS = ("created_at", "connection_name", "active")
# A URL with a password in it, as some customers' are.
FAILOVER_URL = f"https://svc-failover:Fa1l-0ver-Pa55@backup.{DOMAIN}/telnyx"
BILLING_GROUPS = {
    "Customer care": ("dispatch", "support"),
    "Marketing": ("marketing",),
    "Depots": ("depot-east",),
}
"""The tags of the numbers in each group. Those of depot-west are in none."""


def billing_group_id(business: Business, name: str) -> str:
    """The id of a billing group; records contain the id of the first."""
    return business.uuid("billing group" if name == "Customer care" else f"billing group:{name}")


def billing_group_of(business: Business, number: Number) -> str | None:
    """The id of the group that a number is in."""
    for name, tags in BILLING_GROUPS.items():
        if number.tagged and number.tag in tags:
            return billing_group_id(business, name)
    return None


def list_billing_groups(account: Account, call: Call) -> Response:
    """20 a page unless asked otherwise."""
    business = account.business
    begun = timestamp(midnight(account.first_day))
    groups = [
        {
            "id": billing_group_id(business, name),
            "record_type": "billing_group",
            "organization_id": business.organization_id,
            "name": name,
            "created_at": begun,
            "updated_at": begun,
            "deleted_at": None,
        }
        for name in BILLING_GROUPS
    ]
    return page_of(call, groups, default=20)


def integer_codes(refusal: Refusal) -> dict[str, Any]:
    """The errors of billing groups: their code is an integer."""
    errors = refusal.body()["errors"]
    return {"errors": [{**error, "code": int(error["code"])} for error in errors]}


def list_messaging_profiles(account: Account, call: Call) -> Response:
    """20 a page unless asked otherwise; each with its secret."""
    exact = call.get("filter[name][eq]") or call.get("filter[name]")
    part = (call.get("filter[name][contains]") or "").lower()
    profiles = [
        profile
        for profile in _messaging_profiles(account)
        if exact in {None, profile["name"]} and part in profile["name"].lower()
    ]
    return page_of(call, profiles, default=20)


def _messaging_profiles(account: Account) -> list[dict[str, Any]]:
    business = account.business
    begun = timestamp(midnight(account.first_day))
    return [
        {
            "id": profile.id,
            "record_type": "messaging_profile",
            "organization_id": business.organization_id,
            "name": profile.name,
            "enabled": True,
            "daily_spend_limit": "40.00",
            "daily_spend_limit_enabled": profile is business.profiles[2],
            "whitelisted_destinations": ["US", "CA"],
            "webhook_url": profile.webhook_url,
            "webhook_failover_url": FAILOVER_URL if profile is business.profiles[0] else None,
            "webhook_api_version": "2",
            "number_pool_settings": None,
            "url_shortener_settings": None,
            "alpha_sender": None,
            "smart_encoding": False,
            "mobile_only": False,
            "v1_secret": f"v1s-{business.uuid(f'secret:{profile.name}').replace('-', '')}",
            "created_at": begun,
            "updated_at": begun,
        }
        for profile in business.profiles
    ]


def list_connections(account: Account, call: Call) -> Response:
    """250 a page unless asked otherwise, unlike most lists."""
    part = call.get("filter[connection_name][contains]")
    if part is not None and len(part) < 3:
        name = "filter[connection_name][contains]"
        raise bad_parameter(name, f"'{name}' needs at least three characters.")
    voice_profile = call.get("filter[outbound_voice_profile_id]")
    sorts = (*CONNECTION_SORTS, *(f"-{each}" for each in CONNECTION_SORTS))
    sort = one_of(call, "sort", sorts) or "-created_at"
    field = sort.removeprefix("-")
    connections = [
        connection
        for connection in _connections(account)
        if (part or "").lower() in connection["connection_name"].lower()
        and voice_profile in {None, connection["outbound_voice_profile_id"]}
    ]
    connections.sort(key=lambda each: each[field], reverse=sort.startswith("-"))
    return page_of(call, connections, default=250)


def _connections(account: Account) -> list[dict[str, Any]]:
    business = account.business
    begun = timestamp(midnight(account.first_day))
    return [
        {
            "id": connection.id,
            "record_type": record_type,
            "connection_name": connection.name,
            "active": True,
            "tags": [connection.tags],
            "outbound_voice_profile_id": stable_digits(
                business.seed, f"voice profile:{connection.tags}"
            ),
            "anchorsite_override": "Latency",
            "webhook_event_url": connection.webhook_url,
            "webhook_event_failover_url": FAILOVER_URL
            if connection is business.connections[0]
            else None,
            "webhook_api_version": "2",
            "created_at": begun,
            "updated_at": begun,
        }
        for connection, record_type in zip(business.connections, CONNECTION_TYPES, strict=True)
    ]


OPERATIONS = (
    Operation(
        "list_billing_groups",
        "GET",
        "/billing_groups",
        list_billing_groups,
        error_body=integer_codes,
    ),
    Operation("list_messaging_profiles", "GET", "/messaging_profiles", list_messaging_profiles),
    Operation("list_connections", "GET", "/connections", list_connections),
)

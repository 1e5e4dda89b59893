"""Who is notified of what: events, their conditions, profiles, channels, and the settings that join them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telnyx_mcp.sandbox.account import Account
from telnyx_mcp.sandbox.business import DOMAIN, Business
from telnyx_mcp.sandbox.call import Call, Operation, page_of
from telnyx_mcp.sandbox.days import midnight, timestamp
from telnyx_mcp.sandbox.refusals import Refusal
from telnyx_mcp.sandbox.responses import Response

CHANNEL_TYPES = ("webhook", "sms", "email", "voice")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Event:
    name: str
    category: str
    condition: str
    channels: tuple[str, ...]
    record_type: str = "account"


EVENTS: tuple[_Event, ...] = (
    _Event("Low Available Credit", "Billing", "when available credit is low", ("email", "sms")),
    _Event("New Invoice", "Billing", "when an invoice is ready", ("email",)),
    _Event("Port Out", "Numbers", "for phone number", CHANNEL_TYPES, "phone_number"),
    _Event("Suspicious Outbound Voice", "Calls", "when traffic is suspicious", ("email",)),
)
# A URL with a password in it, as some customers' are.
HOOK_URL = f"https://ops:N0tify-Pa55@hooks.{DOMAIN}/telnyx/alerts"
PROFILES = ("Billing alerts", "Operations")
CHANNELS: dict[str, tuple[str, str, str]] = {
    "owner": ("Billing alerts", "email", f"olivia.brandt@{DOMAIN}"),
    "duty phone": ("Billing alerts", "sms", "+13125550142"),
    "former": ("Billing alerts", "email", f"tom.reyes@{DOMAIN}"),
    "hook": ("Operations", "webhook", HOOK_URL),
    "operations": ("Operations", "email", f"marco.silva@{DOMAIN}"),
}
"""Profile, type and destination."""
SETTINGS: tuple[tuple[str, str | None, str, str | None], ...] = (
    ("Low Available Credit", "owner", "enabled", None),
    ("Low Available Credit", "duty phone", "enabled", None),
    # Disabled: a client that reads only the channels would list a former employee.
    ("Low Available Credit", "former", "deleted", None),
    # No channel: every channel of the profile is notified.
    ("New Invoice", None, "enabled", None),
    ("Port Out", "hook", "enable-received", "+13125550199"),
)
"""Event, channel, status, and the number it is about. No setting covers suspicious traffic."""

FILTERS: dict[str, str] = {
    "associated_record_type": "associated_record_type",
    "channel_type_id": "channel_type_id",
    "notification_profile_id": "notification_profile_id",
    "notification_channel": "notification_channel_id",
    "notification_event_condition_id": "notification_event_condition_id",
    "status": "status",
}
"""The field that each filter looks at. All five lists take them all; what a list lacks is ignored."""


def _listing(
    make: Callable[[Business], list[Row]], *, filtered: bool = True
) -> Callable[[Account, Call], Response]:
    """A handler: 20 a page unless asked otherwise."""

    def handle(account: Account, call: Call) -> Response:
        begun = timestamp(midnight(account.first_day))
        rows = [row | {"created_at": begun, "updated_at": begun} for row in make(account.business)]
        if filtered:
            fields = {name for row in rows for name in row}
            rows = [row for row in rows if _wanted(call, row, fields)]
        return page_of(call, rows, default=20)

    return handle


def _wanted(call: Call, row: Row, fields: set[str]) -> bool:
    channel_type = call.get("filter[channel_type_id][eq]")
    if channel_type is not None and channel_type not in CHANNEL_TYPES:
        raise Refusal(422, "Unknown channel type.", parameter="filter[channel_type_id][eq]")
    return all(
        wanted is None or field not in fields or row.get(field) == wanted
        for name, field in FILTERS.items()
        for wanted in [call.get(f"filter[{name}][eq]")]
    )


def _id(business: Business, kind: str, name: str) -> str:
    return business.uuid(f"notification {kind}:{name}")


def _events(business: Business) -> list[Row]:
    return [
        {
            "id": _id(business, "event", event.name),
            "name": event.name,
            "notification_category": event.category,
            "enabled": True,
        }
        for event in EVENTS
    ]


def _conditions(business: Business) -> list[Row]:
    return [
        {
            "id": _id(business, "condition", event.name),
            "notification_event_id": _id(business, "event", event.name),
            "name": event.condition,
            "description": f"{event.name} {event.condition}",
            "associated_record_type": event.record_type,
            "supported_channels": list(event.channels),
            "allow_multiple_channels": len(event.channels) == 1,
            "asynchronous": False,
            "enabled": True,
            "parameters": [{"name": "phone_number", "data_type": "string", "optional": False}]
            if event.record_type == "phone_number"
            else [],
        }
        for event in EVENTS
    ]


def _profiles(business: Business) -> list[Row]:
    return [{"id": _id(business, "profile", name), "name": name} for name in PROFILES]


def _channels(business: Business) -> list[Row]:
    return [
        {
            "id": _id(business, "channel", name),
            "notification_profile_id": _id(business, "profile", profile),
            "channel_type_id": kind,
            "channel_destination": destination,
        }
        for name, (profile, kind, destination) in CHANNELS.items()
    ]


def _settings(business: Business) -> list[Row]:
    rows = []
    for place, (event, channel, status, about) in enumerate(SETTINGS):
        profile = CHANNELS[channel][0] if channel else PROFILES[0]
        row: Row = {
            "id": _id(business, "setting", str(place)),
            "notification_event_condition_id": _id(business, "condition", event),
            "notification_profile_id": _id(business, "profile", profile),
            "associated_record_type": "phone_number" if about else "account",
            "status": status,
            "parameters": [{"name": "phone_number", "value": about}] if about else [],
        }
        if channel:
            row["notification_channel_id"] = _id(business, "channel", channel)
        if about:
            row["associated_record_type_value"] = about
        rows.append(row)
    return rows


def _operation(what: str, make: Callable[[Business], list[Row]], *, filtered: bool) -> Operation:
    name = f"notification_{what}"
    return Operation(f"list_{name}", "GET", f"/{name}", _listing(make, filtered=filtered))


OPERATIONS = (
    _operation("channels", _channels, filtered=True),
    _operation("event_conditions", _conditions, filtered=True),
    _operation("events", _events, filtered=False),
    _operation("profiles", _profiles, filtered=False),
    _operation("settings", _settings, filtered=True),
)

"""Filters on detail records: `field=value` and the like, as users write them and as they are sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from telnyx_mcp.tools.framework.failure import not_asked
from telnyx_mcp.tools.support.spelling import e164

FILTERS = (
    "Field and value: = != >= > < <= or ~ (contains), e.g. "
    '["direction=outbound", "created_at>=2026-05-01"].'
)
_FILTER = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]{0,63})\s*(!=|>=|<=|=|<|>|~)(?![=<>~])\s*(.+)", re.DOTALL
)
_OPERATORS = {"=": "", ">=": "[gte]", ">": "[gt]", "<": "[lt]", "<=": "[lte]", "~": "[contains]"}
NOT = "!="
"""Telnyx has no such filter: rows are left out here."""
_HELD_BY_OTHERS = {"record_type", "date_range"}


def split_filter(text: str) -> tuple[str, str, str]:
    """Field, operator and value; all empty for a text that is not a filter."""
    match = _FILTER.fullmatch(text)
    return (match[1], match[2], match[3].strip()) if match else ("", "", "")


def excluded(filters: list[str], record_type: str) -> dict[str, set[str]]:
    """The values that `!=` leaves out, by field."""
    found: dict[str, set[str]] = {}
    for field, operator, value in map(split_filter, filters):
        if operator == NOT:
            name = wire_field(field, record_type)
            found.setdefault(name, set()).add((name in _NUMBERS and e164(value)) or value)
    return found


def wire_filters(filters: list[str], record_type: str) -> dict[str, str]:
    """The filters by their names on the wire, without those that `excluded` takes. What records are
    grouped by is understood too, such as `to`. Raises `ToolFailure` for what can't be sent."""
    wire: dict[str, str] = {}
    for text in filters:
        field, operator, value = split_filter(text)
        if operator == NOT:
            continue
        if operator not in _OPERATORS:
            raise not_asked(
                f'the filter "{text[:60]}" must be written name=value, or with !=, >=, >, <, <= or ~ '
                "(contains).",
                "Correct it and call again.",
            )
        field = wire_field(field, record_type)
        if field in _HELD_BY_OTHERS:
            raise not_asked(
                f"{field} is an argument of its own, not a filter.", "Call again with it there."
            )
        name = f"filter[{field}]{_OPERATORS[operator]}"
        if name in wire:
            raise not_asked(
                f"two filters say {field}{operator}…, and only one can count.",
                "Call again with one of them.",
            )
        wire[name] = (field in _NUMBERS and e164(value)) or value
    return wire


def wire_field(word: str, record_type: str) -> str:
    """What records of a type call a field that users call `status`, `from`, `country`, ...

    Only messages, verifications and calls name several of these; other words are sent as they are.
    """
    return _WIRE.get(record_type, {}).get(word, _EVERYWHERE.get(word, word))


_CALL = {"status": "hangup_cause", "error": "hangup_cause", "connection": "connection_name"}
_WIRE: Mapping[str, Mapping[str, str]] = {
    "messaging": {
        "country": "country_code",
        "profile": "profile_name",
        "type": "message_type",
        "error": "errors",
    },
    "verify": {
        "status": "verification_status",
        "type": "verify_channel_type",
        "to": "destination_phone_number",
        "profile": "verify_profile_id",
    },
    "conference-participant": {"from": "originating_number", "to": "destination_number"},
    "wireless": {"tag": "sim_card_tags", "profile": "sim_group_name", "number": "phone_number"},
    "call-control": _CALL,
    "sip-trunking": _CALL,
}
_EVERYWHERE = {"from": "cli", "to": "cld", "tag": "tags", "connection": "connection_name"}
_NUMBERS = {*("cli", "cld", "originating_number", "destination_number"), "destination_phone_number"}
_NUMBERS |= {"phone_number"}

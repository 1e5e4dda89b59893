"""Filters on detail records: `field=value` and its kind, as people write them and as they are sent."""

from __future__ import annotations

import re

from telnyx_mcp.tools.grouping import ALIASES
from telnyx_mcp.tools.tool import Failed

FILTERS = (
    "field=value, field>=value, field<value or field~text (contains), e.g. "
    '["direction=outbound", "created_at>=2026-05-01"].'
)
_FILTER = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})\s*(>=|<=|=|<|>|~)(?!=)\s*(.+)", re.DOTALL)
_OPERATORS = {"=": "", ">=": "[gte]", "<": "[lt]", "~": "[contains]"}
_HELD_BY_OTHERS = {"record_type", "date_range"}


def split_filter(text: str) -> tuple[str, str, str]:
    """Field, operator and value; all empty for a text that is not a filter."""
    match = _FILTER.fullmatch(text)
    return (match[1], match[2], match[3].strip()) if match else ("", "", "")


def wire_filters(filters: list[str], record_type: str) -> dict[str, str]:
    """The filters by their names on the wire; of messages, what records are grouped by is understood
    too, such as `to`. Raises `Failed` for what can't be sent."""
    wire: dict[str, str] = {}
    for text in filters:
        field, operator, value = split_filter(text)
        if operator not in _OPERATORS:
            raise Failed(
                f'Nothing was asked of Telnyx: the filter "{text[:60]}" must be written field=value, '
                "field>=value, field<value or field~text (contains). Correct it and call again."
            )
        if record_type == "messaging":  # whose names for them stand first
            field = ALIASES.get(field, (field,))[0]
        if field in _HELD_BY_OTHERS:
            raise Failed(
                f"Nothing was asked of Telnyx: {field} is an argument of its own, not a filter. "
                "Call again with it there."
            )
        name = f"filter[{field}]{_OPERATORS[operator]}"
        if name in wire:
            raise Failed(
                f"Nothing was asked of Telnyx: two filters say {field}{operator}…, and only one can "
                "count. Call again with one of them."
            )
        wire[name] = value.strip()
    return wire

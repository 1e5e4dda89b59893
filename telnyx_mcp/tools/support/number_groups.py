"""Counts of phone numbers by what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any

from pydantic import Field

from telnyx_mcp.telnyx.account_models import PhoneNumber
from telnyx_mcp.tools.framework.results import Row
from telnyx_mcp.tools.support.group_by import NONE

FORMER_TYPES: Mapping[str, str] = {
    "longcode": "local",
    "tollfree": "toll_free",
    "shortcode": "short_code",
}
"""What kinds of numbers were formerly called. Telnyx still says so of older numbers."""


class NumberGroup(Row):
    """Numbers that have something in common."""

    type: str | None = Field(None, description="Kind of number, such as local.")
    country: str | None = Field(None, description="Country of the numbers, ISO 3166-1 alpha-2.")
    status: str | None = Field(None, description="Status of the numbers.")
    connection: str | None = Field(None, description="Name of their voice connection.")
    connection_id: str | None = Field(None, description="Id of their voice connection.")
    profile: str | None = Field(None, description="Name of their messaging profile.")
    profile_id: str | None = Field(None, description="Id of their messaging profile.")
    billing_group: str | None = Field(None, description="Name of their billing group.")
    billing_group_id: str | None = Field(None, description="Id of their billing group.")
    tag: str | None = Field(None, description="Tag of the numbers.")
    numbers: int | None = Field(None, description="How many numbers the group has.")
    part_numbers: int | None = Field(
        None, description="Instead of numbers, if not all could be read."
    )


Value = tuple[str, str]
"""A name, and an id or nothing. Two things may have one name."""


def _unnamed_value(text: str | None) -> list[Value]:
    return [(text or NONE, "")]


def _named_value(its_id: str | None, name: str | None) -> list[Value]:
    return [(name or its_id or NONE, its_id or "")]


GROUPS: Mapping[str, Callable[[PhoneNumber, Mapping[str, str]], list[Value]]] = {
    "type": lambda each, _: _unnamed_value(
        FORMER_TYPES.get(each.phone_number_type or "", each.phone_number_type or NONE)
    ),
    "country": lambda each, _: _unnamed_value(each.country_iso_alpha2),
    "status": lambda each, _: _unnamed_value(each.status),
    "connection": lambda each, _: _named_value(each.connection_id, each.connection_name),
    "profile": lambda each, _: _named_value(each.messaging_profile_id, each.messaging_profile_name),
    "billing_group": lambda each, groups: _named_value(
        each.billing_group_id, groups.get(each.billing_group_id or "")
    ),
    "tag": lambda each, _: (
        [(tag, "") for tag in dict.fromkeys(each.tags or [])] or _unnamed_value(None)
    ),
}
"""What a number is counted by, given the names of the billing groups. Only tags may be several."""


def group_rows(
    numbers: Iterable[PhoneNumber],
    by: list[str],
    billing_groups: Mapping[str, str],
    counted: str = "numbers",
) -> list[NumberGroup]:
    """A row for each group: its names, their ids, and how many numbers it has in a field called
    `counted`; the largest first.

    A number with several tags is counted in the group of each.
    """
    counts = Counter(
        values
        for number in numbers
        for values in product(*(GROUPS[name](number, billing_groups) for name in by))
    )
    rows = []
    for values, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        row: dict[str, Any] = {counted: count}
        for name, (text, its_id) in zip(by, values, strict=True):
            row[name] = text
            if its_id and its_id != text:
                row[f"{name}_id"] = its_id
        rows.append(NumberGroup(**row))
    return rows

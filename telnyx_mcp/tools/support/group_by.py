"""Records counted and added up by group, in memory that does not grow with the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from itertools import product
from typing import Any

from telnyx_mcp.billing.money import ZERO, format_amount
from telnyx_mcp.billing.records import Tally, moment_of
from telnyx_mcp.telnyx.models import DetailRecord
from telnyx_mcp.tools.support.spelling import country_of
from telnyx_mcp.tools.support.time_groups import TIMES, in_order, time_group
from telnyx_mcp.untrusted import one_line, to_json

MAX_GROUPS = 10_000
OTHERS = "(others)"
"""What stands for the groups beyond `MAX_GROUPS`."""
NONE = "(none)"

ALIASES: Mapping[str, tuple[str, ...]] = {
    "status": ("status", "verification_status", "hangup_cause"),
    "country": ("country_iso", "country_code"),
    "carrier": ("normalized_carrier", "carrier"),
    "profile": (
        *("profile_name", "sim_group_name", "assistant_name", "connection_name"),
        *("verify_profile_id", "profile_id"),
    ),
    "connection": ("connection_name", "connection_id"),
    "billing_group": ("billing_group_name", "billing_group_id"),
    "tag": ("tags", "sim_card_tags"),
    "error": ("errors", "hangup_cause"),
    "from": ("cli", "originating_number"),
    "to": ("cld", "destination_number", "destination_phone_number"),
    "type": ("message_type", "verify_channel_type", "action_type"),
    "sim": ("sim_card_id",),
    "sim_group": ("sim_group_name", "sim_group_id"),
    "assistant": ("assistant_name", "assistant_id"),
}
"""What users call a field, and what the record types call it."""
NO_ERROR = {"normal_clearing"}
"""The hangup cause of a call without an error."""

Values = tuple[str, ...]


def tally_row(tally: Tally) -> dict[str, Any]:
    """A tally as a row: one currency flat, several as a list."""
    costs = [{"cost": format_amount(cost), "currency": currency} for currency, cost in tally.costs]
    money = costs[0] if len(costs) == 1 else {"costs": costs} if costs else {}
    amounts = {name: int(amount) for name, amount in tally.amounts.items() if amount}
    unread = {"unreadable_costs": tally.unreadable} if tally.unreadable else {}
    return {"count": tally.records, **money, **unread, **amounts}


class Groups:
    """Tallies by the values of up to three fields. Days and hours are the zone's."""

    def __init__(self, by: list[str], zone: tzinfo) -> None:
        self.by = by
        self.all = Tally()
        self.several = False
        """Whether a record was in more than one group, having several tags or errors."""
        self.fields: set[str] = set()
        """The names of the fields of the first records."""
        self._readers = [reader_of(name, zone) for name in by]
        self._tallies: dict[Values, Tally] = {}
        self._others: Values = (OTHERS,) * len(by)
        self._by_cost = not {"status", "error"} & set(by)
        """Otherwise by the number of records: records that failed usually cost nothing."""

    def __len__(self) -> int:
        return len(self._tallies)

    @property
    def in_time(self) -> bool:
        """Whether the groups are those of days or hours."""
        return not TIMES.keys().isdisjoint(self.by)

    @property
    def lacking(self) -> list[str]:
        """The fields that no record has."""
        return [
            name
            for at, name in enumerate(self.by)
            if self._tallies and all(values[at] == NONE for values in self._tallies)
        ]

    @property
    def too_many(self) -> bool:
        """Whether there were more groups than are kept apart."""
        return self._others in self._tallies

    def add(self, record: DetailRecord) -> None:
        self.all.add(record)
        if not self.by:
            return
        if self.all.records <= 50:
            self.fields |= record.keys()
        groups = list(product(*(read(record) for read in self._readers)))
        self.several |= len(groups) > 1
        for values in groups:
            tally = self._tallies.get(values)
            if tally is None:
                if len(self._tallies) >= MAX_GROUPS:
                    values = self._others
                tally = self._tallies.setdefault(values, Tally())
            tally.add(record)

    def top(self, count: int) -> tuple[list[dict[str, Any]], Tally | None, int]:
        """The largest groups (days and hours in order of time), the rest as one, and how many groups that
        holds."""
        ordered = sorted(self._tallies.items(), key=self._weight)
        if self.too_many:  # they are not a group of their own, and come last
            ordered.sort(key=lambda group: group[0] == self._others)
        largest = sorted(ordered[:count], key=self._moment) if self.in_time else ordered[:count]
        rows = [
            dict(zip(self.by, values, strict=True)) | tally_row(tally) for values, tally in largest
        ]
        if len(ordered) <= count:
            return rows, None, 0
        rest = Tally()
        for _, tally in ordered[count:]:
            rest.merge(tally)
        return rows, rest, len(ordered) - count

    def _weight(self, group: tuple[Values, Tally]) -> tuple[Decimal, int, Values]:
        values, tally = group
        largest = max((abs(cost) for _, cost in tally.costs), default=ZERO)
        return -largest if self._by_cost else ZERO, -tally.records, values

    def _moment(self, group: tuple[Values, Tally]) -> list[tuple[str, str]]:
        named = zip(self.by, group[0], strict=True)
        return [in_order(value) for name, value in named if name in TIMES]


def reader_of(name: str, zone: tzinfo) -> Callable[[DetailRecord], list[str]]:
    """A function that reads the values of a field from a record: usually one, several for tags and errors."""
    if name in TIMES:

        def read_time(record: DetailRecord) -> list[str]:
            moment = moment_of(record)
            return [time_group(name, moment, zone) if moment else NONE]

        return read_time
    if name in _OWN:
        return _OWN[name]
    fields = ALIASES.get(name, (name,))

    def read(record: DetailRecord) -> list[str]:
        field = next((each for each in fields if each in record), "")
        values = list(_values(record.get(field), split=field.endswith("tags")))
        if name == "error":
            values = [each for each in values if each not in NO_ERROR]
        return values or [NONE]

    return read


def _number(record: DetailRecord) -> list[str]:
    """The account's own number: where an outbound record comes from, where an inbound one goes to."""
    own = "to" if record.get("direction") == "inbound" else "from"
    return _first(record, ALIASES[own]) or _first(record, ("phone_number",)) or [NONE]


def _country(record: DetailRecord) -> list[str]:
    """The country at the other end, as the record names it, or else by the prefix of its number."""
    if named := _first(record, ALIASES["country"]):
        return named
    other = "from" if record.get("direction") == "inbound" else "to"
    found = [country_of(each) for each in _first(record, ALIASES[other])]
    return [each for each in found if each] or [NONE]


def _first(record: DetailRecord, fields: Sequence[str]) -> list[str]:
    """The values of the first of these fields that has any."""
    found = (list(_values(record.get(each), split=False)) for each in fields)
    return next((each for each in found if each), [])


_OWN: Mapping[str, Callable[[DetailRecord], list[str]]] = {"number": _number, "country": _country}
"""Groups that are read from more than one field."""


def _values(value: Any, *, split: bool) -> Iterator[str]:
    if isinstance(value, str) and split:
        value = value.split(",")
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):  # an error that is more than its code
            each = each.get("code") or to_json(each)
        text = one_line(str(each)) if each is not None else ""
        if text:
            yield text

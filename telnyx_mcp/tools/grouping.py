"""Records counted and added up by group, in memory that does not grow with the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from itertools import product
from typing import Any

from telnyx_mcp.money import Sums, written
from telnyx_mcp.telnyx.models import DetailRecord
from telnyx_mcp.telnyx.usage import amounts_of, cost_of, has_unreadable_cost, moment_of
from telnyx_mcp.tools.untrusted import compact

MOST_GROUPS = 10_000
OTHERS = "(others)"
"""What stands for the groups beyond `MOST_GROUPS`."""
NONE = "(none)"

ALIASES: Mapping[str, tuple[str, ...]] = {
    "status": ("status", "verification_status", "hangup_cause"),
    "country": ("country_code",),
    "profile": ("profile_name", "connection_name", "sim_group_name", "assistant_name"),
    "connection": ("connection_name", "connection_id"),
    "tag": ("tags", "sim_card_tags"),
    "error": ("errors", "hangup_cause"),
    "from": ("cli", "originating_number"),
    "to": ("cld", "destination_number", "destination_phone_number"),
    "type": ("message_type", "verify_channel_type"),
}
"""What people call a field, and what the record types call it."""

Values = tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What a group came to."""

    records: int = 0
    unreadable: int = 0
    """Records whose cost is no amount."""
    costs: Sums = field(default_factory=Sums)
    amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, record: DetailRecord) -> None:
        self.records += 1
        self.unreadable += has_unreadable_cost(record)
        if cost := cost_of(record):
            self.costs.add(*cost)
        for name, amount in amounts_of(record).items():
            self.amounts[name] = self.amounts.get(name, Decimal(0)) + amount

    def merge(self, other: Tally) -> None:
        self.records += other.records
        self.unreadable += other.unreadable
        for currency, cost in other.costs:
            self.costs.add(currency, cost)
        for name, amount in other.amounts.items():
            self.amounts[name] = self.amounts.get(name, Decimal(0)) + amount

    def shown(self) -> dict[str, Any]:
        """The tally as a row: one currency flat, several as a list."""
        costs = [{"cost": written(cost), "currency": currency} for currency, cost in self.costs]
        money = costs[0] if len(costs) == 1 else {"costs": costs} if costs else {}
        amounts = {name: int(amount) for name, amount in self.amounts.items() if amount}
        unread = {"unreadable_costs": self.unreadable} if self.unreadable else {}
        return {"records": self.records, **money, **unread, **amounts}


class Groups:
    """Tallies by the values of up to three fields. Days and hours are the zone's."""

    def __init__(self, by: list[str], zone: tzinfo) -> None:
        self.by = by
        self.all = Tally()
        self.several = False
        """Whether a record was in more than one group, having several tags or errors."""
        self._readers = [_reader(name, zone) for name in by]
        self._tallies: dict[Values, Tally] = {}

    def __len__(self) -> int:
        return len(self._tallies)

    @property
    def too_many(self) -> bool:
        """Whether there were more groups than are kept apart."""
        return (OTHERS,) * len(self.by) in self._tallies

    def add(self, record: DetailRecord) -> None:
        self.all.add(record)
        if not self.by:
            return
        groups = list(product(*(read(record) for read in self._readers)))
        self.several |= len(groups) > 1
        for values in groups:
            tally = self._tallies.get(values)
            if tally is None:
                if len(self._tallies) >= MOST_GROUPS:
                    values = (OTHERS,) * len(self.by)
                tally = self._tallies.setdefault(values, Tally())
            tally.add(record)

    def top(self, count: int) -> tuple[list[dict[str, Any]], Tally | None, int]:
        """The rows that cost most, then those with most records; the rest as one; how many it is."""
        ordered = sorted(self._tallies.items(), key=_weight)
        rows = [
            dict(zip(self.by, values, strict=True)) | tally.shown()
            for values, tally in ordered[:count]
        ]
        if len(ordered) <= count:
            return rows, None, 0
        rest = Tally()
        for _, tally in ordered[count:]:
            rest.merge(tally)
        return rows, rest, len(ordered) - count


def _weight(group: tuple[Values, Tally]) -> tuple[Decimal, int, Values]:
    values, tally = group
    largest = max((abs(cost) for _, cost in tally.costs), default=Decimal(0))
    return -largest, -tally.records, values


def _reader(name: str, zone: tzinfo) -> Callable[[DetailRecord], list[str]]:
    """What gives the values of a field in a record: one mostly, several for tags and errors."""
    if name in ("day", "hour"):
        shape = "%Y-%m-%d" if name == "day" else "%Y-%m-%d %H:00"

        def read_time(record: DetailRecord) -> list[str]:
            moment = moment_of(record)
            return [moment.astimezone(zone).strftime(shape) if moment else NONE]

        return read_time
    fields = ALIASES.get(name, (name,))

    def read(record: DetailRecord) -> list[str]:
        field = next((each for each in fields if each in record), "")
        return list(_values(record.get(field), split=field.endswith("tags"))) or [NONE]

    return read


def _values(value: Any, *, split: bool) -> Iterator[str]:
    if isinstance(value, str) and split:
        value = value.split(",")
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):  # an error that is more than its code
            each = each.get("code") or compact(each)
        text = str(each).strip() if each is not None else ""
        if text:
            yield text[:80]

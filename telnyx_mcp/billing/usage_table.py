"""The rows of a usage report, gathered into groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from telnyx_mcp.billing.money import ZERO

Key = tuple[str, ...]
NONE = "(none)"


@dataclass(slots=True)
class Sum:
    """Sums over some rows: metrics by name, and the cost by currency."""

    metrics: dict[str, Decimal] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    """Metrics that some row lacked: their sums leave something out."""
    delivered: Decimal = ZERO
    outbound: Decimal = ZERO
    """How many outbound messages there were, and how many of them were delivered."""

    def add(self, other: Sum) -> None:
        for name, amount in other.metrics.items():
            self.metrics[name] = self.metrics.get(name, ZERO) + amount
        for currency, cost in other.costs.items():
            self.costs[currency] = self.costs.get(currency, ZERO) + cost
        self.unreadable |= other.unreadable
        self.delivered += other.delivered
        self.outbound += other.outbound

    @property
    def weight(self) -> Decimal:
        """The largest cost; without any cost, the first metric."""
        costs = max((abs(each) for each in self.costs.values()), default=ZERO)
        return costs or next(iter(self.metrics.values()), ZERO)


@dataclass(slots=True)
class UsageTable:
    """Sums by group."""

    groups: dict[Key, Sum] = field(default_factory=dict)

    def add(self, key: Key, row: Sum) -> None:
        self.groups.setdefault(key, Sum()).add(row)

    @property
    def all(self) -> Sum:
        """The sum of all groups."""
        total = Sum()
        for each in self.groups.values():
            total.add(each)
        return total

    def largest(self, count: int) -> tuple[list[tuple[Key, Sum]], Sum | None, int]:
        """The largest groups, the rest as one, and how many groups it holds."""
        ordered = sorted(self.groups.items(), key=lambda each: (-each[1].weight, each[0]))
        rest = Sum()
        for _, each in ordered[count:]:
            rest.add(each)
        others = max(0, len(ordered) - count)
        return ordered[:count], rest if others else None, others


def sum_of_row(
    row: Mapping[str, Any], metrics: Mapping[str, str], currency: str, counted: str | None
) -> Sum:
    """One row of a report. `metrics` maps our names to Telnyx's, `counted` names the one that counts
    messages where their status is known."""
    total = Sum()
    for word, name in metrics.items():
        figure = row.get(name)
        if not isinstance(figure, Decimal):
            total.unreadable.add(word)
        elif word == "cost":
            total.costs[str(row.get("currency") or currency)] = figure
        else:
            total.metrics[word] = figure
    if counted and row.get("direction") == "outbound" and "status_v2" in row:
        total.outbound = total.metrics.get(counted, ZERO)
        total.delivered = total.outbound if row["status_v2"] == "delivered" else ZERO
    return total


def table_of(
    rows: Iterable[Mapping[str, Any]],
    readers: Sequence[Callable[[Mapping[str, Any]], str]],
    metrics: Mapping[str, str],
    currency: str,
    counted: str | None = None,
) -> UsageTable:
    """The rows by what each reader reads from them."""
    table = UsageTable()
    for row in rows:
        key = tuple(read(row) for read in readers)
        table.add(key, sum_of_row(row, metrics, currency, counted))
    return table

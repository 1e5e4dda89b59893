"""What each phone number costs, and which numbers had usage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import anyio
import anyio.lowlevel

from telnyx_mcp.billing.money import ZERO, amount_of, format_amount
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.long_list import LongList
from telnyx_mcp.telnyx.models import NumberCharges, ServiceCost
from telnyx_mcp.telnyx.usage_reports import UsageProduct, latest_end, read_usage, usage_products

NUMBER_DIMENSION = "tn"


AT_ONCE = 200
"""Numbers that are read before anything else gets a turn: an account may have 100,000."""


@dataclass(slots=True)
class NumberCost:
    """A number with the sum of its services."""

    number: str | None
    charge_type: str | None
    cost: Decimal = ZERO
    unreadable: int = 0
    """How many of its services have no readable cost: with any, `cost` is a part."""
    rows: list[int] = field(default_factory=list)
    """Where the number is in the answer; Telnyx may list it in several rows."""

    def add(self, at: int, row: NumberCharges) -> None:
        """Adds a row about the number."""
        self.rows.append(at)
        costs = [None] if row.services is None else [amount_of(each.cost) for each in row.services]
        self.unreadable += costs.count(None)
        self.cost += sum((each for each in costs if each is not None), ZERO)


class NumberList:
    """The numbers of a breakdown, each once, in Telnyx's order."""

    def __init__(self, client: TelnyxClient, results: LongList) -> None:
        self._client = client
        self._results = results

    async def costs(self) -> list[NumberCost]:
        """What each number costs. Raises `TelnyxError` where the list is not JSON."""
        numbers: dict[object, NumberCost] = {}
        try:
            for count, (at, found) in enumerate(self._results):
                row = self._client.number_charges(found)
                key = row.tn or object()
                if key not in numbers:
                    numbers[key] = NumberCost(row.tn, row.charge_type)
                numbers[key].add(at, row)
                if count % AT_ONCE == 0:
                    await anyio.lowlevel.checkpoint()
        except (ValueError, RecursionError):
            raise TelnyxError(Failure.NOT_JSON) from None
        return list(numbers.values())

    def charges(self, number: NumberCost) -> NumberCharges:
        """All that Telnyx sent about a number."""
        rows = [self._client.number_charges(self._results[at]) for at in number.rows]
        services: list[ServiceCost] | None = []
        for row in rows:
            services = None if row.services is None or services is None else services + row.services
        return rows[0].model_copy(update={"services": services})


def cost_field(numbers: Iterable[NumberCost]) -> dict[str, str]:
    """`cost`, or `part_cost` where that of a service can't be read."""
    numbers = list(numbers)
    name = "part_cost" if any(each.unreadable for each in numbers) else "cost"
    return {name: format_amount(sum((each.cost for each in numbers), ZERO))}


def totals(numbers: Iterable[NumberCost]) -> dict[str, Any]:
    """How many numbers there are, also by charge type, and what they cost."""
    numbers = list(numbers)
    by_type = numbers_by_type(numbers)
    return {"numbers": len(numbers), **cost_field(numbers), "by_charge_type": by_type}


def numbers_by_type(numbers: Iterable[NumberCost]) -> dict[str, int]:
    """How many numbers there are of each charge type, the most frequent first."""
    return dict(Counter(each.charge_type or "unknown" for each in numbers).most_common())


@dataclass(slots=True)
class NumberUsage:
    """Which numbers had usage, by the reports of the products that name numbers."""

    until: datetime
    """Earlier than requested if that was in the future."""
    numbers: set[str] = field(default_factory=set)
    """As Telnyx wrote them."""
    products: list[str] = field(default_factory=list)
    """Products whose reports were read."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Why, for each product whose usage could not be read in whole."""
    without_numbers: list[str] = field(default_factory=list)
    """Products whose reports name no numbers."""


async def number_usage(client: TelnyxClient, start: date, end: date) -> NumberUsage:
    """The numbers with usage from `start` up to, but not including, `end`, in UTC.

    Any row of a report counts as usage, even one of calls that cost nothing. Raises `TelnyxError` if not
    even the products can be read.
    """
    products = await usage_products(client)
    since, until = (datetime.combine(day, time(), UTC) for day in (start, end))
    usage = NumberUsage(min(until, latest_end(client)))
    usage.without_numbers = sorted(
        each.name for each in products.values() if NUMBER_DIMENSION not in each.dimensions
    )
    if usage.until <= since:
        usage.unknown = {
            "all products": "there is no usage report yet for a time that has just begun"
        }
        return usage

    async def read(product: UsageProduct) -> None:
        metrics = product.metrics[:1]
        report = await read_usage(client, product, [NUMBER_DIMENSION], metrics, since, usage.until)
        usage.numbers |= {
            str(row[NUMBER_DIMENSION]) for row in report.rows if row.get(NUMBER_DIMENSION)
        }
        usage.products.append(product.name)
        if report.missing:
            usage.unknown[product.name] = report.why(metrics[0] if metrics else "")

    async with anyio.create_task_group() as tasks:
        for name in sorted(products.keys() - set(usage.without_numbers)):
            tasks.start_soon(read, products[name])
    usage.products.sort()
    return usage

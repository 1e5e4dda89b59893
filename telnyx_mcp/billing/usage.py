"""What usage cost, product by product, from usage reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import anyio

from telnyx_mcp.billing.money import ZERO, Sums
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.usage_reports import (
    UsageProduct,
    UsageReport,
    latest_end,
    read_span,
    spans,
    usage_products,
)

AT_ONCE = 5
"""Reports that are requested at the same time: as many as Telnyx allows in a second."""
DEAREST = (
    *("sip-trunking", "messaging", "ai-voice-assistant", "call-control", "inference", "wireless"),
    *("verify-2fa", "conference", "recording", "fax-api", "media-streaming", "speech-to-text"),
)
"""The products that usually cost most. They are requested first, in case the time runs out."""

Span = tuple[datetime, datetime]
Progress = Callable[[int, int], Awaitable[None]]
"""Called with the number of reports read so far, and in total."""


@dataclass(slots=True)
class ProductCost:
    """What one product cost."""

    product: UsageProduct
    costs: Sums = field(default_factory=Sums)
    by_day: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """By currency and day, `YYYY-MM-DD` in UTC, where days were asked for and the product has them."""
    report: UsageReport = field(default_factory=UsageReport)

    @property
    def metric(self) -> str:
        return self.product.money_metric or ""

    @property
    def is_complete(self) -> bool:
        return self.report.is_complete(self.metric)

    @property
    def why(self) -> str:
        """Why it is not complete."""
        return self.report.why(self.metric)

    def add(self, report: UsageReport, currency: str) -> None:
        """Adds a part. `currency` is for rows that name none."""
        for row in report.rows:
            if (cost := row[self.metric]) is not None:
                row_currency = str(row.get("currency") or currency)
                self.costs.add(row_currency, cost)
                day = (row_currency, str(row.get("date") or row.get("date_time") or "")[:10])
                self.by_day[day] = self.by_day.get(day, ZERO) + cost
        report.rows = []
        self.report.merge(report)


@dataclass(slots=True)
class UsageCosts:
    """What all products cost from `start` up to, but not including, `end`."""

    start: datetime
    end: datetime
    """Earlier than requested if that was in the future."""
    products: list[ProductCost] = field(default_factory=list)
    without_cost: list[str] = field(default_factory=list)
    """Products for which Telnyx's reports state no cost."""
    error: TelnyxError | None = None
    """Why not even the products could be read."""

    @property
    def is_complete(self) -> bool:
        return self.error is None and all(each.is_complete for each in self.products)

    @property
    def incomplete(self) -> dict[str, str]:
        """Why, for each product that is not complete."""
        return {each.product.name: each.why for each in self.products if not each.is_complete}

    @property
    def currencies(self) -> set[str]:
        return {currency for each in self.products for currency, _ in each.costs}

    def by_product(self, currency: str) -> dict[str, Decimal]:
        """What each product cost, also those that cost nothing."""
        return {each.product.name: each.costs.of(currency) for each in self.products}

    def total(self, currency: str) -> Decimal:
        """Exact: to be rounded once."""
        return sum(self.by_product(currency).values(), ZERO)


async def usage_costs(
    client: TelnyxClient,
    start: datetime,
    end: datetime,
    *,
    currency: str,
    by_day: bool = False,
    progress: Progress | None = None,
) -> UsageCosts:
    """What usage cost, in one report for each product with a cost and each 31 days.

    `currency` is that of products whose reports name none. The newest part of every product comes
    first; then the rest of the product that cost most in it, and so on: if the time runs out, the
    smallest costs are missing. Raises nothing.
    """
    costs = UsageCosts(start, min(end, latest_end(client)))
    try:
        products = await usage_products(client)
    except TelnyxError as error:
        costs.error = error
        return costs
    costs.end = max(start, min(end, latest_end(client)))
    costs.without_cost = sorted(
        each.name for each in products.values() if not (each.money_metric and each.dimensions)
    )
    costs.products = [
        ProductCost(products[name])
        for name in sorted(products, key=_likely_cost)
        if name not in costs.without_cost
    ]
    parts = spans(costs.start, costs.end)
    reports = _Reports(client, currency, by_day, progress, len(parts) * len(costs.products))
    await reports.read((each, part) for part in parts[:1] for each in costs.products)
    dearest = sorted(
        costs.products, key=lambda each: -max((c for _, c in each.costs), default=ZERO)
    )
    await reports.read((each, part) for each in dearest for part in parts[1:])
    return costs


def _likely_cost(product: str) -> tuple[int, str]:
    return (DEAREST.index(product) if product in DEAREST else len(DEAREST)), product


@dataclass
class _Reports:
    """Reads reports concurrently."""

    client: TelnyxClient
    currency: str
    by_day: bool
    progress: Progress | None
    total: int
    done: int = 0

    async def read(self, wanted: Iterable[tuple[ProductCost, Span]]) -> None:
        """Reads these reports, started in this order."""
        waiting = iter(wanted)

        async def work() -> None:
            for product, (start, end) in waiting:
                dimensions = self._dimensions(product.product)
                report = await read_span(
                    self.client, product.product, dimensions, [product.metric], start, end
                )
                product.add(report, self.currency)
                self.done += 1
                if self.progress:
                    await self.progress(self.done, self.total)

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(work)

    def _dimensions(self, product: UsageProduct) -> Sequence[str]:
        """The dimensions with the fewest rows, or with the fewest rows that distinguish days."""
        coarsest = [product.coarsest_dimension] if product.coarsest_dimension else []
        if not self.by_day:
            return coarsest
        days = [each for each in ("date", "date_time") if each in product.dimensions][:1]
        return list(dict.fromkeys([*coarsest, *days]))

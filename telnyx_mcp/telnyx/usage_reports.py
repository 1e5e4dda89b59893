"""Usage as Telnyx adds it up: one product at a time, of an account of any size.

A report covers at most 31 days, none of them in the future, and its figures are JSON numbers that
Telnyx added up as doubles: `0.30000000000000004`. They are read from their text, added up exactly,
and rounded once, in the end.

Source: Telnyx, "Usage reports"; measurements of the live API by others in July and September 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.pagination import Scan

LONGEST_SPAN = timedelta(days=31)
"""What one report covers. 31 days and one hour is refused, as from midnight to midnight in a zone whose
clock goes back in between."""
MARGIN = timedelta(minutes=5)
"""How long before now a report ends: Telnyx refuses one whose end is in the future."""
OPTIONS_LAST = 86_400.0
"""Seconds for which the options are not requested again."""
SIX_PLACES = Decimal("0.000001")

_SAVED_AS = "usage-report-options"
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,60})?([eE][+-]?\d{1,2})?", re.ASCII)
MAX_DIGITS = 15
"""Digits before the decimal point: a figure beyond them is unreadable, as no sum of it could be right."""


@dataclass(frozen=True, slots=True)
class UsageProduct:
    """A product and what its reports can be asked for."""

    name: str
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def money_metric(self) -> str | None:
        """The metric that says what it costs: `cost`, or the only one that ends in `_cost`, as
        `data_cost` of wireless; None where no metric does."""
        if "cost" in self.metrics:
            return "cost"
        named = [each for each in self.metrics if each.endswith("_cost")]
        return named[0] if len(named) == 1 else None

    @property
    def coarsest_dimension(self) -> str | None:
        """The dimension with the fewest rows, as a report must have one. Not every product has
        `currency` or `date`, though Telnyx's pages say so."""
        for name in ("currency", "date", "date_time"):
            if name in self.dimensions:
                return name
        return self.dimensions[0] if self.dimensions else None


@dataclass(slots=True)
class UsageReport:
    """The rows of a report, as far as they could be read."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Each with its dimensions as Telnyx sent them, and its metrics as exact numbers."""
    unreadable: dict[str, int] = field(default_factory=dict)
    """How many rows lack a readable figure, by metric."""
    missing: list[tuple[datetime, datetime]] = field(default_factory=list)
    """The parts of the time that could not be read."""
    error: TelnyxError | None = None
    """The first failure."""

    def is_complete(self, metric: str) -> bool:
        """Whether a sum of this metric leaves nothing out."""
        return not self.missing and not self.unreadable.get(metric)

    def why(self, metric: str) -> str:
        """Why a sum of this metric leaves something out; empty if it does not."""
        if self.error:
            paced = self.error.failure is Failure.PACED
            return "no time was left at Telnyx's rate limit" if paced else self.error.summary
        count = self.unreadable.get(metric)
        return f"{count} of its rows have no readable {metric}" if count else ""

    def merge(self, other: UsageReport) -> None:
        """Adds another part of the same report."""
        self.rows += other.rows
        for metric, count in other.unreadable.items():
            self.unreadable[metric] = self.unreadable.get(metric, 0) + count
        self.missing += other.missing
        self.error = self.error or other.error


def figure_of(value: object) -> Decimal | None:
    """The number that a figure of a report states, with all its digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    figure = Decimal(text) if _NUMBER.fullmatch(text) else None
    return None if figure is None or figure.adjusted() >= MAX_DIGITS else figure


def rounded(amount: Decimal) -> Decimal:
    """A sum of figures with six decimals: what is beyond them is noise of Telnyx's doubles."""
    return amount.quantize(SIX_PLACES)


async def usage_products(client: TelnyxClient) -> dict[str, UsageProduct]:
    """The products that reports exist for, by name. Asked once a day for each key and address; the
    copies of this server share the answer."""
    pacer = client.transport.pacer
    saved = await pacer.load(_SAVED_AS)
    if saved and 0 <= saved[0] < OPTIONS_LAST and (products := _restored(saved[1])):
        return products
    products = {
        each.product: UsageProduct(
            each.product, tuple(each.product_dimensions or ()), tuple(each.product_metrics or ())
        )
        for each in await client.get_usage_report_options()
        if each.product
    }
    if not products:
        raise TelnyxError(Failure.WRONG_SHAPE, "the options of usage reports name no product")
    text = json.dumps([[p.name, p.dimensions, p.metrics] for p in products.values()])
    await pacer.save(_SAVED_AS, text)
    return products


def _restored(text: str) -> dict[str, UsageProduct]:
    try:
        return {
            str(name): UsageProduct(str(name), tuple(dimensions), tuple(metrics))
            for name, dimensions, metrics in json.loads(text)
        }
    except (ValueError, TypeError):
        return {}


def latest_end(client: TelnyxClient) -> datetime:
    """The latest end that Telnyx accepts for a report now, by its own clock: to the second."""
    return client.transport.server_clock.now().replace(microsecond=0) - MARGIN


def spans(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The time in parts that one report can cover each, the newest first. They begin and end with whole
    months where the time does, so that a month is one report."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    parts = []
    while start < end:
        until = start + LONGEST_SPAN
        if start.day == 1:
            until = min(until, _next_month(start))
        parts.append((start, min(until, end)))
        start = min(until, end)
    return parts[::-1]


def _next_month(moment: datetime) -> datetime:
    """Midnight of the first day of the month after."""
    later = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)
    return later.replace(day=1)


async def read_usage(
    client: TelnyxClient,
    product: UsageProduct,
    dimensions: Sequence[str],
    metrics: Sequence[str],
    start: datetime,
    end: datetime,
    filters: Mapping[str, Sequence[str]] | None = None,
) -> UsageReport:
    """The usage of a product from `start` up to, but not including, `end`, in as many reports as that takes.

    A part that fails is named in `missing`, and the first failure in `error`. Raises nothing.
    """
    report = UsageReport()
    for since, until in spans(start, min(end, latest_end(client))):
        report.merge(await read_span(client, product, dimensions, metrics, since, until, filters))
    return report


async def read_span(
    client: TelnyxClient,
    product: UsageProduct,
    dimensions: Sequence[str],
    metrics: Sequence[str],
    start: datetime,
    end: datetime,
    filters: Mapping[str, Sequence[str]] | None = None,
) -> UsageReport:
    """As `read_usage`, for one of the `spans`. It has no rows if any of its pages can't be read."""
    requested = list(
        dict.fromkeys([*dimensions, *(filters or {})])
    )  # a filter must be a dimension too
    scan = Scan(
        lambda number: client.get_usage_report(
            product.name, requested, metrics, start, end, filters=filters, page=number
        ),
        lambda row: json.dumps(row, sort_keys=True),  # no two rows of a report are the same
    )
    try:
        rows = [row async for row in scan.rows()]
        if not scan.complete:
            why = f"{scan.count} of {scan.total} rows were read: {scan.why}"
            raise scan.error or TelnyxError(Failure.WRONG_SHAPE, why)
    except TelnyxError as error:
        return UsageReport(missing=[(start, end)], error=error)
    return _report(rows, metrics)


def _report(rows: Iterable[dict[str, Any]], metrics: Sequence[str]) -> UsageReport:
    report = UsageReport()
    for row in rows:
        figures = {metric: figure_of(row.get(metric)) for metric in metrics}
        for metric, figure in figures.items():
            if figure is None:
                report.unreadable[metric] = report.unreadable.get(metric, 0) + 1
        report.rows.append({**row, **figures})
    return report

"""What an account spent in a period: its charges, and what its usage records say.

Charges are the monthly and one-time charges that Telnyx sums up itself, at most 31 days at once;
here the parts of a longer period are added. Usage is added up from the detail records, one by one.
The two overlap in nothing and are never added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import anyio

from telnyx_mcp.money import ZERO, Sums, amount_of
from telnyx_mcp.periods import Period
from telnyx_mcp.telnyx.client import TelnyxClient
from telnyx_mcp.telnyx.deadline import Deadline
from telnyx_mcp.telnyx.errors import Failure, TelnyxError
from telnyx_mcp.telnyx.models import ChargesSummary, SummaryLine
from telnyx_mcp.telnyx.seen import Seen
from telnyx_mcp.telnyx.usage import (
    cost_of,
    has_unreadable_cost,
    mark_of,
    moment_of,
    records_between,
)

AT_ONCE = 4
"""Requests for parts of a period that are in flight at once."""

TOTALS: Mapping[str, tuple[str, ...]] = {
    "total": ("grand_total",),
    "recurring": ("new_mrc", "existing_mrc"),
    "one_time": ("new_otc",),
    "other": ("other",),
    "credits": ("credits",),
    "adjustments": ("ledger_adjustments",),
}
"""What is told, and the figures of Telnyx's that it is the sum of."""


@dataclass
class Charges:
    """The charges of a period, by currency; and which parts of it could not be had."""

    figures: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    lines: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """What each service came to."""
    missing: list[Period] = field(default_factory=list)
    error: TelnyxError | None = None

    @property
    def adds_up(self) -> bool:
        """Whether Telnyx's totals are the sums of Telnyx's parts."""
        return all(
            each["total"] == sum((each[name] for name in TOTALS if name != "total"), ZERO)
            for each in self.figures.values()
        )

    def add(self, summary: ChargesSummary) -> None:
        """Raises `TelnyxError` for a summary whose figures can't be read."""
        if summary.total is None or summary.total.grand_total is None:
            raise TelnyxError(Failure.WRONG_SHAPE, "the summary has no total")
        currency = summary.currency or "unknown"
        told = summary.total.model_dump()
        new = {name: _sum(told[part] for part in parts) for name, parts in TOTALS.items()}
        amounts = [
            (line.name or line.alias or "unnamed", _amount(line))
            for line in (summary.summary and summary.summary.lines) or []
        ]
        figures = self.figures.setdefault(currency, dict.fromkeys(TOTALS, ZERO))
        for name, amount in new.items():
            figures[name] += amount
        lines = self.lines.setdefault(currency, defaultdict(lambda: ZERO))
        for name, amount in amounts:
            lines[name] += amount


async def charges_of(client: TelnyxClient, period: Period, deadline: Deadline) -> Charges:
    """The charges of the period, in as many requests as it has calendar months.

    A part that fails is named in `missing`; if all do, the first failure is raised.
    """
    charges = Charges()
    few = anyio.CapacityLimiter(AT_ONCE)

    async def ask(part: Period) -> None:
        async with few:
            try:
                charges.add(
                    await client.get_charges_summary(part.start, part.end, deadline=deadline)
                )
            except TelnyxError as error:
                charges.missing.append(part)
                charges.error = charges.error or error

    async with anyio.create_task_group() as tasks:
        for part in period.parts():
            tasks.start_soon(ask, part)
    if charges.error and not charges.figures:
        raise charges.error
    charges.missing.sort(key=lambda part: part.start)
    return charges


@dataclass
class Usage:
    """What the records of one type came to. Where `whole` is false, only those up to `until` count."""

    record_type: str
    records: int = 0
    total: int | None = None
    """How many there are, as Telnyx told."""
    costs: Sums = field(default_factory=Sums)
    unreadable: int = 0
    """Records whose cost is no amount."""
    whole: bool = False
    until: datetime | None = None
    error: TelnyxError | None = None


Progress = Callable[[Usage], Awaitable[None]]


async def usage_of(
    client: TelnyxClient,
    record_type: str,
    period: Period,
    deadline: Deadline,
    progress: Progress,
) -> Usage:
    """The usage of one record type, page by page, as far as it can be had: see `error`."""
    usage = Usage(record_type)
    seen = Seen()
    start, end = period.instants()
    try:
        async for page in records_between(client, record_type, start, end, deadline=deadline):
            usage.total = page.total_results
            for record in seen.new(page.items, mark_of):
                usage.records += 1
                usage.until = moment_of(record) or usage.until
                usage.unreadable += has_unreadable_cost(record)
                if cost := cost_of(record):
                    usage.costs.add(*cost)
            await progress(usage)
            usage.whole = not page.has_more
        if usage.total is None:
            usage.whole |= not usage.records
        else:
            usage.whole = usage.records == usage.total
        usage.whole &= not usage.unreadable
    except TelnyxError as error:
        usage.error, usage.whole = error, False
    return usage


def biggest(lines: Mapping[str, Decimal], count: int) -> tuple[list[tuple[str, Decimal]], Decimal]:
    """The lines with the largest amounts, and the sum of all others."""
    ordered = sorted(lines.items(), key=lambda each: (-abs(each[1]), each[0]))
    ordered = [each for each in ordered if each[1]]
    return ordered[:count], sum((amount for _, amount in ordered[count:]), ZERO)


def _amount(line: SummaryLine) -> Decimal:
    if line.amount is not None:
        return _decimal(line.amount)
    details = (line.new_this_month, line.existing_this_month)
    return _sum(each for detail in details if detail for each in (detail.mrc, detail.otc))


def _sum(amounts: Iterable[str | None]) -> Decimal:
    return sum((_decimal(each) for each in amounts), ZERO)


def _decimal(text: str | None) -> Decimal:
    """The amount; 0 for none. Raises `TelnyxError` for what is no amount: 0 would be a lie."""
    amount = amount_of(text or "0")
    if amount is None:
        raise TelnyxError(Failure.WRONG_SHAPE, f"{str(text)[:40]!r} is no amount")
    return amount
